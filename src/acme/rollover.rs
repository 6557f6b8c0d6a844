//! A new key for an account (RFC 8555 §7.3.5).

use serde_json::json;

use super::account::{Accounts, Known, place, unreadable};
use super::dialogue::{Dialogue, location, unsigned};
use super::failure::{Failure, Reason};
use super::jws::SigningKey;
use super::terms::Issuer;
use super::wire::Wire;

impl Accounts {
    /// Replaces the account's key, and gives the account. One that was begun before is gone on with.
    pub(super) async fn roll_over(&self, issuer: &Issuer, wire: &Wire) -> Result<String, Failure> {
        let _turn = self.turn.lock().await;
        let known = self.known(issuer)?.ok_or_else(|| {
            let text = format!("there is no account at {:?} yet: one is opened with the first order", issuer.name);
            Failure::new(Reason::Account, text)
        })?;
        let known = self.proven(known, issuer, wire).await?;
        let known = self.change(known, issuer, wire).await.map_err(|(_, failure)| failure)?;
        Ok(known.id)
    }

    /// The account with the one key of two that the authority knows: when it was to have a new one and nobody knows whether it got
    /// it. If not, it gets it now.
    pub(super) async fn settled(&self, known: Known, issuer: &Issuer, wire: &Wire) -> Result<Known, Failure> {
        if self.store.read(&place(issuer, NEXT_KEY)?)?.is_none() {
            return Ok(known);
        }
        match self.change(known, issuer, wire).await {
            Ok(known) => Ok(known),
            // It said no, and the old key is as good as ever.
            Err((Some(known), failure)) if failure.problem.is_some() => {
                tracing::error!(issuer = %issuer.name, "the account keeps its key: {failure}");
                Ok(known)
            }
            Err((_, failure)) => Err(failure),
        }
    }

    /// On failure the account as it was before comes back, if that is what it is.
    async fn change(&self, known: Known, issuer: &Issuer, wire: &Wire) -> Result<Known, (Option<Known>, Failure)> {
        match self.try_to_change(&known, issuer, wire).await {
            Ok(changed) => Ok(changed),
            Err(failure) => {
                if failure.problem.is_some()
                    && let Ok(place) = place(issuer, NEXT_KEY)
                    && let Err(error) = self.store.delete(&place)
                {
                    return Err((None, error.into()));
                }
                Err((Some(known), failure))
            }
        }
    }

    async fn try_to_change(&self, known: &Known, issuer: &Issuer, wire: &Wire) -> Result<Known, Failure> {
        let next = place(issuer, NEXT_KEY)?;
        let is_interrupted = self.store.read(&next)?.is_some();
        let mut dialogue = Dialogue::begin(wire, &issuer.directory).await?;
        let Some(url) = dialogue.directory.key_change.clone() else {
            let refused =
                Failure::new(Reason::Refused, "the authority replaces no keys: its directory has no keyChange");
            return Err(Failure { problem: Some("".into()), ..refused });
        };
        let key = self.key_at(&next)?;
        let (old, new) = (known.signing()?, SigningKey::read(&key).ok_or_else(|| unreadable(NEXT_KEY))?);
        let mut id = known.id.clone();
        let is_known = match is_interrupted {
            true => account_of(&new, &mut dialogue).await?,
            false => None,
        };
        match is_known {
            Some(found) => id = found,
            None => {
                let change = json!({ "account": known.id, "oldKey": old.public() });
                let inner = new.sign(json!({ "url": url, "jwk": new.public() }), &change).ok_or_else(unsigned)?;
                dialogue.say(&url, (&old, Some(&known.id)), &inner).await?;
            }
        }
        let changed = Known { id, key, contact: known.contact.clone(), is_hearsay: false };
        self.write(&changed, issuer)?;
        self.store.delete(&next)?;
        tracing::info!(issuer = %issuer.name, account = %changed.id, "the account has a new key");
        Ok(changed)
    }

    /// Whether a new key is on its way.
    pub(super) fn is_rolling(&self, issuer: &Issuer) -> Result<bool, Failure> {
        Ok(self.store.read(&place(issuer, NEXT_KEY)?)?.is_some())
    }
}

/// The account that has this key already (RFC 8555 §7.3.1).
pub(super) async fn account_of(key: &SigningKey, dialogue: &mut Dialogue<'_>) -> Result<Option<String>, Failure> {
    let url = dialogue.directory.new_account.clone();
    match dialogue.say(&url, (key, None), &json!({ "onlyReturnExisting": true })).await {
        Ok(answer) => location(&answer).map(Some),
        Err(failure) if failure.is("accountDoesNotExist") => Ok(None),
        Err(failure) => Err(failure),
    }
}

const NEXT_KEY: &str = "next-key.der";
