//! Accounts that were opened elsewhere: another ACME client's key, brought into the form that orders are signed with.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64ct::{Base64UrlUnpadded, Encoding};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::store::{Expected, Key, Store, StoreError};

/// The key of an account: PKCS#8, ECDSA on P-256.
pub struct AdoptedKey(Zeroizing<Vec<u8>>);

impl fmt::Debug for AdoptedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptedKey").finish_non_exhaustive()
    }
}

/// Why a key cannot sign orders here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdopted {
    /// It is RSA.
    Rsa,
    /// It is on another curve than P-256, or of another kind.
    Other,
    /// It cannot be read as a key.
    Unreadable,
}

impl fmt::Display for NotAdopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "the account's key is RSA, and orders are signed with ECDSA on P-256",
            Self::Other => "the account's key is not ECDSA on P-256, which orders are signed with",
            Self::Unreadable => "the account's key cannot be read",
        })
    }
}

impl std::error::Error for NotAdopted {}

/// A JSON Web Key as far as it is one on a curve (RFC 7518 §6.2).
#[derive(Deserialize)]
struct Jwk<'a> {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    d: &'a str,
}

impl AdoptedKey {
    /// Reads a JSON Web Key.
    ///
    /// # Errors
    /// [`NotAdopted`] when orders cannot be signed with it.
    pub fn from_jwk(text: &[u8]) -> Result<Self, NotAdopted> {
        let jwk: Jwk<'_> = serde_json::from_slice(text).map_err(|_| NotAdopted::Unreadable)?;
        match (jwk.kty.as_str(), jwk.crv.as_str()) {
            ("RSA", _) => return Err(NotAdopted::Rsa),
            ("EC", "P-256") => {}
            _ => return Err(NotAdopted::Other),
        }
        let part = |text: &str| {
            let decoded = Base64UrlUnpadded::decode_vec(text).map(Zeroizing::new);
            decoded.ok().filter(|octets| octets.len() == COORDINATE).ok_or(NotAdopted::Unreadable)
        };
        let (x, y, d) = (part(&jwk.x)?, part(&jwk.y)?, part(jwk.d)?);
        let point = [&[UNCOMPRESSED], &x[..], &y[..]].concat();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &d, &point);
        Self::of(&pair.map_err(|_| NotAdopted::Unreadable)?)
    }

    /// Reads a key in PEM: PKCS#8, or as openssl wrote it before.
    ///
    /// # Errors
    /// As [`AdoptedKey::from_jwk`].
    pub fn from_pem(text: &[u8]) -> Result<Self, NotAdopted> {
        let key = PrivateKeyDer::from_pem_slice(text).map_err(|_| NotAdopted::Unreadable)?;
        let key = Zeroizing::new(key);
        if matches!(*key, PrivateKeyDer::Pkcs1(_)) {
            return Err(NotAdopted::Rsa);
        }
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_der());
        let rsa = || aws_lc_rs::rsa::KeyPair::from_pkcs8(key.secret_der()).is_ok();
        Self::of(&pair.map_err(|_| if rsa() { NotAdopted::Rsa } else { NotAdopted::Other })?)
    }

    fn of(pair: &EcdsaKeyPair) -> Result<Self, NotAdopted> {
        let der = pair.to_pkcs8v1().map_err(|_| NotAdopted::Unreadable)?;
        Ok(Self(Zeroizing::new(der.as_ref().to_vec())))
    }
}

/// `account.json`, as `account.rs` reads it.
#[derive(Serialize)]
struct Known<'a> {
    credentials: Credentials<'a>,
    directory: &'a str,
    contact: &'a [String],
    /// Until the authority has said which account has the key.
    is_hearsay: bool,
}

/// As [`instant_acme::AccountCredentials`] is written, whose fields are not ours to set.
#[derive(Serialize)]
struct Credentials<'a> {
    id: &'a str,
    /// Base64url.
    key_pkcs8: &'a str,
    directory: &'a str,
}

/// Whether there is an account at an issuer already, or a key for one.
///
/// # Errors
/// [`StoreError`] when the state cannot be read.
pub fn has_account(store: &Store, issuer: &str) -> Result<bool, StoreError> {
    for file in [ACCOUNT, PENDING] {
        if let Some(key) = Key::of(&["acme", issuer, file])
            && store.read(&key)?.is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps an account for the issuer of this name, in place of whatever is there. Without the address of the account the key alone is kept.
/// The authority is asked before the first order which account has the key (RFC 8555 §7.3.1).
///
/// # Errors
/// [`StoreError`] when it cannot be written.
pub fn adopt(
    store: &Store,
    issuer: &str,
    (directory, url): (&str, Option<&str>),
    key: &AdoptedKey,
    contact: &[String],
) -> Result<(), StoreError> {
    let place = |file: &str| Key::of(&["acme", issuer, file]);
    let (Some(account), Some(pending)) = (place(ACCOUNT), place(PENDING)) else { return Ok(()) };
    let Some(url) = url else {
        store.delete(&account)?;
        store.put(&pending, &key.0, Expected::Anything)?;
        return Ok(());
    };
    let encoded = Zeroizing::new(Base64UrlUnpadded::encode_string(&key.0));
    let credentials = Credentials { id: url, key_pkcs8: &encoded, directory };
    let mut text = Zeroizing::new(Vec::with_capacity(LARGEST));
    if serde_json::to_writer_pretty(&mut *text, &Known { credentials, directory, contact, is_hearsay: true }).is_ok() {
        store.put(&account, &text, Expected::Anything)?;
        store.delete(&pending)?;
    }
    Ok(())
}

const ACCOUNT: &str = "account.json";
const PENDING: &str = "new-account.der";
/// Octets of a coordinate on P-256.
const COORDINATE: usize = 32;
/// What a point begins with whose both coordinates follow (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;
/// With room for all of it at once: what grows leaves copies of the key behind.
const LARGEST: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsBigEndian;
    use aws_lc_rs::encoding::EcPrivateKeyBin;
    use aws_lc_rs::signature::KeyPair;
    use instant_acme::{AccountCredentials, Key as AccountKey};
    use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};
    use rustls_pki_types::PrivatePkcs8KeyDer;

    use super::*;

    fn of(key: &rcgen::KeyPair) -> Result<Vec<u8>, NotAdopted> {
        AdoptedKey::from_pem(key.serialize_pem().as_bytes()).map(|key| key.0.to_vec())
    }

    #[test]
    fn a_key_on_p256_signs_orders_and_others_are_told_apart() {
        let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let adopted = of(&key).expect("adopted");
        assert!(AccountKey::from_pkcs8_der(PrivatePkcs8KeyDer::from(adopted)).is_ok());
        assert_eq!(of(&rcgen::KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key")), Err(NotAdopted::Other));
        assert_eq!(of(&rcgen::KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key")), Err(NotAdopted::Rsa));
        assert_eq!(AdoptedKey::from_pem(b"-----BEGIN").err(), Some(NotAdopted::Unreadable));
    }

    #[test]
    fn what_is_kept_is_what_orders_are_begun_with() {
        let store = Store::in_memory();
        let pem = rcgen::KeyPair::generate().expect("a key").serialize_pem();
        let key = AdoptedKey::from_pem(pem.as_bytes()).expect("adopted");
        let at = ("https://a.example/dir", Some("https://a.example/account/1"));
        assert!(!has_account(&store, "a").expect("read"));
        adopt(&store, "a", at, &key, &["mailto:ops@shop.example".into()]).expect("kept");
        assert!(has_account(&store, "a").expect("read"));
        let place = Key::of(&["acme", "a", ACCOUNT]).expect("a place");
        let item = store.read(&place).expect("read").expect("an account");
        let kept: serde_json::Value = serde_json::from_slice(&item.content).expect("JSON");
        assert_eq!((&kept["directory"], &kept["contact"][0]), (&at.0.into(), &"mailto:ops@shop.example".into()));
        let credentials: AccountCredentials = serde_json::from_value(kept["credentials"].clone()).expect("credentials");
        assert_eq!(credentials.private_key().secret_pkcs8_der(), &key.0[..]);
        // A key whose account is not known yet takes the place of one that is.
        adopt(&store, "a", (at.0, None), &key, &[]).expect("kept");
        assert!(store.read(&place).expect("read").is_none());
        assert!(has_account(&store, "a").expect("read"));
    }

    #[test]
    fn a_json_web_key_is_the_same_key() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let secret = AsBigEndian::<EcPrivateKeyBin<'_>>::as_be_bytes(&pair.private_key()).expect("octets");
        let point = pair.public_key().as_ref();
        let text = |octets: &[u8]| Base64UrlUnpadded::encode_string(octets);
        let jwk = serde_json::json!({
            "kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]), "d": text(secret.as_ref())
        });
        let adopted = AdoptedKey::from_jwk(jwk.to_string().as_bytes()).expect("adopted");
        let again = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &adopted.0).expect("a key");
        assert_eq!(again.public_key().as_ref(), point);
        for (text, why) in [
            (r#"{"kty":"RSA","n":"AA"}"#, NotAdopted::Rsa),
            (r#"{"kty":"EC","crv":"P-384"}"#, NotAdopted::Other),
            (r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}"#, NotAdopted::Unreadable),
            ("[]", NotAdopted::Unreadable),
        ] {
            assert_eq!(AdoptedKey::from_jwk(text.as_bytes()).err(), Some(why), "{text}");
        }
    }
}
