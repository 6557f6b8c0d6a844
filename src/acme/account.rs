//! Accounts: one for each issuer, written down before the first order.
//!
//! ```text
//! state/acme/<issuer>/account.json        who we are there
//! state/acme/<issuer>/new-account.der     the key that is about to be made known
//! ```

use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding};
use instant_acme::{Account, AccountCredentials, ExternalAccountKey, Key as AccountKey, NewAccount};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::failure::{Failure, Reason};
use super::terms::{ExternalAccount, Issuer};
use super::wire::Wire;
use crate::store::{Expected, Key, Store};

/// Finds accounts, and opens those that are missing.
#[derive(Clone)]
pub(super) struct Accounts {
    store: Store,
    /// Two first orders must not open two.
    turn: Arc<Mutex<()>>,
}

/// `account.json`
#[derive(Deserialize)]
struct Known {
    credentials: AccountCredentials,
    directory: String,
    contact: Vec<String>,
}

#[derive(Serialize)]
struct NewlyKnown<'a> {
    credentials: &'a AccountCredentials,
    directory: &'a str,
    contact: &'a [String],
}

impl Accounts {
    pub(super) fn new(store: Store) -> Self {
        Self { store, turn: Arc::default() }
    }

    /// The account at an issuer.
    pub(super) async fn of(&self, issuer: &Issuer, contact: &[String], wire: &Wire) -> Result<Account, Failure> {
        let _turn = self.turn.lock().await;
        let key = Key::of(&["acme", &issuer.name, "account.json"]).ok_or_else(unfit)?;
        let Some(item) = self.store.read(&key)? else { return self.open(issuer, contact, wire).await };
        let known: Known = serde_json::from_slice(&item.content).map_err(|_| {
            // Not the error's own words: they may quote the key.
            let text = format!("{key} in the state folder cannot be read; restore it from a backup, or delete it");
            Failure::new(Reason::State, text)
        })?;
        if known.directory != issuer.directory {
            let text = format!(
                "the account of {:?} is one at {}; give the issuer at {} another name",
                issuer.name, known.directory, issuer.directory
            );
            return Err(Failure::new(Reason::Account, text));
        }
        let stored =
            serde_json::to_value(&known.credentials).map_err(|error| Failure::new(Reason::State, error.to_string()))?;
        let account = Account::builder_with_http(Box::new(wire.clone())).from_credentials(known.credentials).await?;
        if known.contact != contact {
            let credentials =
                serde_json::from_value(stored).map_err(|error| Failure::new(Reason::State, error.to_string()))?;
            self.tell_contact(&account, &credentials, issuer, contact).await?;
        }
        Ok(account)
    }

    /// What the account at an issuer is called there; `None`: there is none yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn address(&self, issuer: &Issuer) -> Result<Option<String>, Failure> {
        #[derive(Deserialize)]
        struct Named {
            credentials: Credentials,
            directory: String,
        }
        #[derive(Deserialize)]
        struct Credentials {
            id: String,
        }
        let key = Key::of(&["acme", &issuer.name, "account.json"]).ok_or_else(unfit)?;
        let known = self.store.read(&key)?.and_then(|item| serde_json::from_slice::<Named>(&item.content).ok());
        Ok(known.filter(|known| known.directory == issuer.directory).map(|known| known.credentials.id))
    }

    async fn open(&self, issuer: &Issuer, contact: &[String], wire: &Wire) -> Result<Account, Failure> {
        let builder = Account::builder_with_http(Box::new(wire.clone()));
        let (account, credentials) = match &issuer.external_account {
            Some(external) => {
                let external = external_key(external)?;
                let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
                let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
                builder.create(&new, issuer.directory.clone(), Some(&external)).await?
            }
            None => builder.create_from_key(self.new_key(issuer)?, issuer.directory.clone()).await?,
        };
        self.write(&credentials, issuer, &[])?;
        if let Some(pending) = pending(issuer) {
            self.store.delete(&pending)?;
        }
        tracing::info!(issuer = %issuer.name, account = %account.id(), "opened an account");
        if !contact.is_empty() {
            self.tell_contact(&account, &credentials, issuer, contact).await?;
        }
        Ok(account)
    }

    /// Who makes a key known twice gets the same account: so it is written down first.
    fn new_key(&self, issuer: &Issuer) -> Result<(AccountKey, PrivateKeyDer<'static>), Failure> {
        let pending = pending(issuer).ok_or_else(unfit)?;
        let der = match self.store.read(&pending)? {
            Some(item) => PrivatePkcs8KeyDer::from(item.content.to_vec()),
            None => {
                let (_, der) = AccountKey::generate_pkcs8()?;
                self.store.put(&pending, der.secret_pkcs8_der(), Expected::Nothing)?;
                der
            }
        };
        let key = AccountKey::from_pkcs8_der(der.clone_key())?;
        Ok((key, der.into()))
    }

    async fn tell_contact(
        &self,
        account: &Account,
        credentials: &AccountCredentials,
        issuer: &Issuer,
        contact: &[String],
    ) -> Result<(), Failure> {
        let told: Vec<&str> = contact.iter().map(String::as_str).collect();
        account.update_contacts(&told).await?;
        self.write(credentials, issuer, contact)
    }

    fn write(&self, credentials: &AccountCredentials, issuer: &Issuer, contact: &[String]) -> Result<(), Failure> {
        let key = Key::of(&["acme", &issuer.name, "account.json"]).ok_or_else(unfit)?;
        let known = NewlyKnown { credentials, directory: &issuer.directory, contact };
        let mut text = zeroize::Zeroizing::new(Vec::with_capacity(LARGEST));
        serde_json::to_writer_pretty(&mut *text, &known)
            .map_err(|error| Failure::new(Reason::State, error.to_string()))?;
        self.store.put(&key, &text, Expected::Anything)?;
        Ok(())
    }
}

fn external_key(external: &ExternalAccount) -> Result<ExternalAccountKey, Failure> {
    let file = external.hmac_key_file.display();
    let wrong = |what: String| Failure::new(Reason::Account, format!("acme.issuer.eab_hmac_key_file: {file}: {what}"));
    let text = zeroize::Zeroizing::new(
        std::fs::read_to_string(&external.hmac_key_file).map_err(|error| wrong(error.to_string()))?,
    );
    let text = text.trim().trim_end_matches('=');
    let key = Base64UrlUnpadded::decode_vec(text)
        .map_err(|_| wrong("expected a key in base64url, as the issuer gives it".into()))?;
    Ok(ExternalAccountKey::new(external.key_id.clone(), &key))
}

fn pending(issuer: &Issuer) -> Option<Key> {
    Key::of(&["acme", &issuer.name, "new-account.der"])
}

fn unfit() -> Failure {
    Failure::new(Reason::State, "the issuer's name cannot be the name of a folder")
}

/// With room for all of it at once: what grows leaves copies of the key behind.
const LARGEST: usize = 8 * 1024;
