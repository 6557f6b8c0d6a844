//! What is said under a signature (RFC 8555 §6.2, RFC 7515), as far as the client library does not say it: for a key that is
//! written down before the authority hears of it, and for the key of a certificate.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// A key that signs. It cannot be printed.
pub(super) struct SigningKey {
    pair: Pair,
    /// RFC 7518 §3.1
    algorithm: &'static str,
    /// The public half (RFC 7517).
    public: Value,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl SigningKey {
    /// A key out of PKCS#8; `None`: it is damaged, or of a kind that no authority takes.
    pub(super) fn read(pkcs8: &[u8]) -> Option<Self> {
        if let Ok(pair) = rsa::KeyPair::from_pkcs8(pkcs8) {
            let [modulus, exponent] = integers(pair.public_key().as_ref())?;
            let public = json!({ "kty": "RSA", "n": encoded(modulus), "e": encoded(exponent) });
            return Some(Self { pair: Pair::Rsa(pair), algorithm: "RS256", public });
        }
        let curves = [
            ("ES256", "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
            ("ES384", "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
        ];
        curves.into_iter().find_map(|(algorithm, curve, signing)| {
            let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8).ok()?;
            // Uncompressed: 4, then both coordinates (SEC 1 §2.3.3).
            let point = pair.public_key().as_ref().strip_prefix(&[4])?;
            let (x, y) = point.split_at(point.len() / 2);
            let public = json!({ "kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y) });
            Some(Self { pair: Pair::Ecdsa(pair), algorithm, public })
        })
    }

    /// A new one for an account, PKCS#8.
    pub(super) fn generate() -> Option<Zeroizing<Vec<u8>>> {
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).ok()?;
        Some(Zeroizing::new(pair.as_ref().to_vec()))
    }

    /// The public half, as a JSON Web Key.
    pub(super) const fn public(&self) -> &Value {
        &self.public
    }

    /// Signs `payload` with this head, to which what names the algorithm is added. `None`: the crypto library does not sign.
    pub(super) fn sign(&self, mut head: Value, payload: &Value) -> Option<Value> {
        head["alg"] = self.algorithm.into();
        flattened(&head, payload, |message| {
            let random = SystemRandom::new();
            match &self.pair {
                Pair::Ecdsa(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
                Pair::Rsa(pair) => {
                    let mut signature = vec![0; pair.public_modulus_len()];
                    pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                    Some(signature)
                }
            }
        })
    }
}

/// Binds an account's key to an account elsewhere (RFC 8555 §7.3.4).
pub(super) fn binding(key_id: &str, secret: &[u8], url: &str, public: &Value) -> Option<Value> {
    let head = json!({ "alg": "HS256", "kid": key_id, "url": url });
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    flattened(&head, public, |message| Some(hmac::sign(&key, message).as_ref().to_vec()))
}

/// RFC 7515 §7.2.2
fn flattened(head: &Value, payload: &Value, sign: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Option<Value> {
    let protected = encoded(head.to_string().as_bytes());
    let payload = match payload {
        // To ask for what is there (RFC 8555 §6.3).
        Value::Null => String::new(),
        payload => encoded(payload.to_string().as_bytes()),
    };
    let signature = sign(format!("{protected}.{payload}").as_bytes())?;
    Some(json!({ "protected": protected, "payload": payload, "signature": encoded(&signature) }))
}

fn encoded(octets: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(octets)
}

/// The two integers of an RSAPublicKey (RFC 8017 §A.1.1), without leading zeros.
fn integers(der: &[u8]) -> Option<[&[u8]; 2]> {
    let (content, rest) = element(der, 0x30)?;
    let (modulus, content) = element(content, 0x02)?;
    let (exponent, left) = element(content, 0x02)?;
    let bare = |integer: &'_ [u8]| integer.iter().take_while(|octet| **octet == 0).count();
    (rest.is_empty() && left.is_empty()).then(|| [&modulus[bare(modulus)..], &exponent[bare(exponent)..]])
}

/// The content of the element of this tag at the beginning, and what is behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7F => (usize::from(*length), rest),
        _ => {
            let (octets, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
            let fold = |length: usize, octet: &u8| length.checked_mul(256)?.checked_add(usize::from(*octet));
            (octets.iter().try_fold(0, fold)?, rest)
        }
    };
    (*found == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;
    use crate::certs::{KeyAlgorithm, RequestKey};

    fn decoded(value: &Value) -> Vec<u8> {
        Base64UrlUnpadded::decode_vec(value.as_str().expect("a text")).expect("base64url")
    }

    fn signed_text(signed: &Value) -> String {
        format!("{}.{}", signed["protected"].as_str().expect("a head"), signed["payload"].as_str().expect("a payload"))
    }

    #[test]
    fn what_an_account_signs_is_verified_with_the_key_that_it_shows() {
        let key = SigningKey::read(&SigningKey::generate().expect("a key")).expect("read again");
        let signed = key.sign(json!({ "url": "https://a/" }), &json!({ "a": 1 })).expect("signed");
        let head: Value = serde_json::from_slice(&decoded(&signed["protected"])).expect("JSON");
        assert_eq!(head, json!({ "url": "https://a/", "alg": "ES256" }));
        let point = [vec![4], decoded(&key.public()["x"]), decoded(&key.public()["y"])].concat();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        public.verify(signed_text(&signed).as_bytes(), &decoded(&signed["signature"])).expect("verified");
        assert_eq!(key.sign(json!({}), &Value::Null).expect("signed")["payload"], "");
    }

    #[test]
    fn an_rsa_certificates_key_is_shown_as_what_it_is_made_of() {
        let made = RequestKey::generate(KeyAlgorithm::Rsa2048).expect("a key").pem().expect("PEM");
        let body: String = made.lines().filter(|line| !line.starts_with('-')).collect();
        let pkcs8 = base64ct::Base64::decode_vec(&body).expect("base64");
        let key = SigningKey::read(&pkcs8).expect("a key");
        assert_eq!(
            (key.algorithm, decoded(&key.public()["n"]).len(), decoded(&key.public()["e"])),
            ("RS256", 256, vec![1, 0, 1])
        );
        let signed = key.sign(json!({}), &json!({})).expect("signed");
        let Pair::Rsa(pair) = &key.pair else { panic!("another kind") };
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
        public.verify(signed_text(&signed).as_bytes(), &decoded(&signed["signature"])).expect("verified");
        assert!(SigningKey::read(&pkcs8[1..]).is_none());
    }

    #[test]
    fn what_is_no_public_key_has_no_integers() {
        for der in [&[0x30][..], &[0x30, 0x82, 0xFF], &[0x30, 0x00], &[0x30, 0x03, 0x02, 0x01, 0x01], &[0x31, 0x00]] {
            assert_eq!(integers(der), None, "{der:?}");
        }
    }
}
