//! Accounts: one for each issuer, written down before the first order.
//!
//! ```text
//! state/acme/<issuer>/account.json        who we are there
//! state/acme/<issuer>/new-account.der     the key that is about to be made known
//! state/acme/<issuer>/next-key.der        the key that is about to replace the account's
//! ```
//!
//! A key is written down before an authority hears of it: whatever is cut short, one of those that are there is the one it knows,
//! and it says itself which.

use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding};
use instant_acme::Account;
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use zeroize::{Zeroize, Zeroizing};

use super::dialogue::{Dialogue, location};
use super::failure::{Failure, Reason};
use super::jws::{SigningKey, binding};
use super::rollover::account_of;
use super::terms::{ExternalAccount, Issuer};
use super::wire::Wire;
use crate::store::{Expected, Key, Store};

/// Finds accounts, and opens those that are missing.
#[derive(Clone)]
pub(super) struct Accounts {
    pub(super) store: Store,
    /// Two first orders must not open two, and nobody signs with a key that is being replaced.
    pub(super) turn: Arc<Mutex<()>>,
}

/// An account as it is written down. It cannot be printed.
pub(super) struct Known {
    /// Its address at the authority.
    pub(super) id: String,
    /// PKCS#8.
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) contact: Vec<String>,
    /// Another client wrote the two down, and nobody has seen yet whether they belong together.
    pub(super) is_hearsay: bool,
}

impl Known {
    pub(super) fn signing(&self) -> Result<SigningKey, Failure> {
        SigningKey::read(&self.key).ok_or_else(|| unreadable("account.json"))
    }
}

impl Accounts {
    pub(super) fn new(store: Store) -> Self {
        Self { store, turn: Arc::default() }
    }

    /// The account at an issuer, ready to order.
    pub(super) async fn of(&self, issuer: &Issuer, contact: &[String], wire: &Wire) -> Result<Account, Failure> {
        let _turn = self.turn.lock().await;
        let known = match self.known(issuer)? {
            Some(known) => self.attended(known, issuer, contact, wire).await?,
            None => self.open(issuer, contact, wire).await?,
        };
        let builder = Account::builder_with_http(Box::new(wire.clone()));
        let key = PrivatePkcs8KeyDer::from(known.key.as_slice());
        Ok(builder.from_parts(known.id.clone(), key, issuer.directory.clone()).await?)
    }

    /// Does what there is to do for an account that is there: a key that was about to be replaced, a contact that is another. Does
    /// nothing where there is none.
    pub(super) async fn attend(&self, issuer: &Issuer, contact: &[String], wire: &Wire) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        match self.known(issuer)? {
            Some(known) => self.attended(known, issuer, contact, wire).await.map(drop),
            None => Ok(()),
        }
    }

    async fn attended(&self, known: Known, issuer: &Issuer, contact: &[String], wire: &Wire) -> Result<Known, Failure> {
        let known = self.settled(self.proven(known, issuer, wire).await?, issuer, wire).await?;
        if known.contact == contact { Ok(known) } else { self.tell_contact(known, issuer, contact, wire).await }
    }

    /// The account that the key belongs to, whatever address another client wrote down with it: one that opens two at a time may keep
    /// the key of one and the address of the other.
    pub(super) async fn proven(&self, known: Known, issuer: &Issuer, wire: &Wire) -> Result<Known, Failure> {
        if !known.is_hearsay {
            return Ok(known);
        }
        let before = known.id.clone();
        let found = account_of(&known.signing()?, &mut Dialogue::begin(wire, &issuer.directory).await?).await?;
        let known = match found {
            Some(id) => Known { id, is_hearsay: false, ..known },
            None => self.make_known(known.key, issuer, &known.contact, wire).await?,
        };
        if known.id != before {
            tracing::warn!(
                issuer = %issuer.name, %before, account = %known.id,
                "the account that was carried over does not have the key that came with it; the one that has it orders"
            );
        }
        self.write(&known, issuer)?;
        Ok(known)
    }

    /// Opens the account again at an authority that has lost it, with the key that it had.
    pub(super) async fn reopen(&self, issuer: &Issuer, contact: &[String], wire: &Wire) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        let Some(known) = self.known(issuer)? else { return Ok(()) };
        let before = known.id.clone();
        let known = self.make_known(known.key, issuer, contact, wire).await?;
        tracing::warn!(
            issuer = %issuer.name, %before, account = %known.id,
            "the authority did not know the account any more; it was opened again with the same key"
        );
        Ok(())
    }

    async fn open(&self, issuer: &Issuer, contact: &[String], wire: &Wire) -> Result<Known, Failure> {
        let pending = place(issuer, NEW_ACCOUNT)?;
        // Who makes a key known twice gets the same account: so it is written down first.
        let key = self.key_at(&pending)?;
        let known = self.make_known(key, issuer, contact, wire).await?;
        self.store.delete(&pending)?;
        tracing::info!(issuer = %issuer.name, account = %known.id, "opened an account");
        Ok(known)
    }

    /// Makes a key known to the authority as an account's (RFC 8555 §7.3), and writes down which.
    async fn make_known(
        &self,
        key: Zeroizing<Vec<u8>>,
        issuer: &Issuer,
        contact: &[String],
        wire: &Wire,
    ) -> Result<Known, Failure> {
        let signing = SigningKey::read(&key).ok_or_else(|| unreadable(NEW_ACCOUNT))?;
        let external = issuer.external_account.as_ref().map(external_key).transpose()?;
        let mut dialogue = Dialogue::begin(wire, &issuer.directory).await?;
        let url = dialogue.directory.new_account.clone();
        let mut account = json!({ "termsOfServiceAgreed": true });
        if !contact.is_empty() {
            account["contact"] = json!(contact);
        }
        if let Some((key_id, secret)) = external {
            let bound = binding(&key_id, &secret, &url, signing.public());
            account["externalAccountBinding"] = bound.ok_or_else(super::dialogue::unsigned)?;
        }
        let answer = dialogue.say(&url, (&signing, None), &account).await?;
        let known = Known { id: location(&answer)?, key, contact: contact.to_vec(), is_hearsay: false };
        self.write(&known, issuer)?;
        Ok(known)
    }

    async fn tell_contact(
        &self,
        known: Known,
        issuer: &Issuer,
        contact: &[String],
        wire: &Wire,
    ) -> Result<Known, Failure> {
        let mut dialogue = Dialogue::begin(wire, &issuer.directory).await?;
        let signing = known.signing()?;
        let said = json!({ "contact": contact });
        let answer = dialogue.say(&known.id, (&signing, Some(&known.id)), &said).await?;
        let account: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        tracing::info!(issuer = %issuer.name, contact = %account["contact"], "told the authority whom to write to");
        let known = Known { contact: contact.to_vec(), ..known };
        self.write(&known, issuer)?;
        Ok(known)
    }

    /// The account as it is written down.
    pub(super) fn known(&self, issuer: &Issuer) -> Result<Option<Known>, Failure> {
        let key = place(issuer, ACCOUNT)?;
        let Some(item) = self.store.read(&key)? else { return Ok(None) };
        // Not the error's own words: they may quote the key.
        let damaged = || {
            let text = format!("{key} in the state folder cannot be read; restore it from a backup, or delete it");
            Failure::new(Reason::State, text)
        };
        let document: Document = serde_json::from_slice(&item.content).map_err(|_| damaged())?;
        if document.directory != issuer.directory {
            let text = format!(
                "the account of {:?} is one at {}; give the issuer at {} another name",
                issuer.name, document.directory, issuer.directory
            );
            return Err(Failure::new(Reason::Account, text));
        }
        let pkcs8 = Base64UrlUnpadded::decode_vec(&document.credentials.key_pkcs8).map_err(|_| damaged())?;
        let id = document.credentials.id.clone();
        let (contact, is_hearsay) = (document.contact.clone(), document.is_hearsay);
        Ok(Some(Known { id, key: pkcs8.into(), contact, is_hearsay }))
    }

    /// What the account at an issuer is called there; `None`: there is none yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn address(&self, issuer: &Issuer) -> Result<Option<String>, Failure> {
        Ok(self.known(issuer)?.map(|known| known.id))
    }

    pub(super) fn write(&self, known: &Known, issuer: &Issuer) -> Result<(), Failure> {
        let document = Document {
            credentials: Credentials {
                id: known.id.clone(),
                key_pkcs8: Base64UrlUnpadded::encode_string(&known.key),
                directory: Some(issuer.directory.clone()),
            },
            directory: issuer.directory.clone(),
            contact: known.contact.clone(),
            is_hearsay: known.is_hearsay,
        };
        let mut text = Zeroizing::new(Vec::with_capacity(LARGEST));
        serde_json::to_writer_pretty(&mut *text, &document)
            .map_err(|error| Failure::new(Reason::State, error.to_string()))?;
        self.store.put(&place(issuer, ACCOUNT)?, &text, Expected::Anything)?;
        Ok(())
    }

    /// The key that lies there, or a new one that is put there.
    pub(super) fn key_at(&self, place: &Key) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if let Some(item) = self.store.read(place)? {
            return Ok(item.content.to_vec().into());
        }
        let key = SigningKey::generate().ok_or_else(super::dialogue::unsigned)?;
        self.store.put(place, &key, Expected::Nothing)?;
        Ok(key)
    }
}

/// `account.json`
#[derive(Serialize, Deserialize)]
struct Document {
    credentials: Credentials,
    directory: String,
    contact: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_hearsay: bool,
}

#[derive(Serialize, Deserialize)]
struct Credentials {
    id: String,
    /// Base64url.
    key_pkcs8: String,
    directory: Option<String>,
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.key_pkcs8.zeroize();
    }
}

/// The account elsewhere, and the key that goes with it.
fn external_key(external: &ExternalAccount) -> Result<(String, Zeroizing<Vec<u8>>), Failure> {
    let file = external.hmac_key_file.display();
    let wrong = |what: String| Failure::new(Reason::Account, format!("acme.issuer.eab_hmac_key_file: {file}: {what}"));
    let text =
        Zeroizing::new(std::fs::read_to_string(&external.hmac_key_file).map_err(|error| wrong(error.to_string()))?);
    let text = text.trim().trim_end_matches('=');
    let key = Base64UrlUnpadded::decode_vec(text)
        .map_err(|_| wrong("expected a key in base64url, as the issuer gives it".into()))?;
    Ok((external.key_id.clone(), key.into()))
}

pub(super) fn place(issuer: &Issuer, name: &str) -> Result<Key, Failure> {
    let unfit = || Failure::new(Reason::State, "the issuer's name cannot be the name of a folder");
    Key::of(&["acme", &issuer.name, name]).ok_or_else(unfit)
}

pub(super) fn unreadable(name: &str) -> Failure {
    let text = format!("{name} in the state folder holds no key that can be read; restore it from a backup");
    Failure::new(Reason::State, text)
}

const ACCOUNT: &str = "account.json";
const NEW_ACCOUNT: &str = "new-account.der";
/// With room for all of it at once: what grows leaves copies of the key behind.
const LARGEST: usize = 8 * 1024;
