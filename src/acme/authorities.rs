//! What the operator asks of authorities beside orders.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::account::Accounts;
use super::budget::Budgets;
use super::failure::{Failure, Reason};
use super::handle::AcmeHandle;
use super::health::Health;
use super::records::Records;
use super::terms::{AcmeTerms, Issuer};
use super::wire::Wire;
use crate::certs::IntakeHandle;
use crate::live::{CertIndex, Live};
use crate::outbound::HttpsClient;
use crate::words::refusal::Refusal;

/// Talks with the authorities of the configuration, as it is.
#[derive(Clone)]
pub struct Authorities {
    pub(super) terms: watch::Receiver<Arc<AcmeTerms>>,
    pub(super) accounts: Accounts,
    pub(super) intake: IntakeHandle,
    pub(super) ordering: AcmeHandle,
    pub(super) certificates: Live<CertIndex>,
    pub(super) records: Records,
    pub(super) budgets: Budgets,
    pub(super) health: Arc<Mutex<Health>>,
}

/// An account at an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAccount {
    /// The operator's word for the issuer.
    pub issuer: String,
    /// Where it says what it can do.
    pub directory: String,
    /// The account's address there; `None`: one is opened with the first order.
    pub account: Option<String>,
    /// Whom it writes to, as it was told.
    pub contact: Vec<String>,
    /// A new key is on its way, and it is not known whether it has come.
    pub is_rolling: bool,
}

/// Why an authority did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The configuration has no issuer of this name.
    NoIssuer(String),
    /// No version has this fingerprint.
    NoCertificate(String),
    /// What it is about does not allow it; why, as a code, and in words with the mend.
    Unfit(Refusal, String),
    /// The way things are does not allow it; why, and the mend.
    Conflict(String),
    /// The authority said no, in its words.
    Refused(String),
    /// It could not be reached, or answered out of order.
    Unreachable(String),
    /// The state could not be read or written.
    State(String),
}

impl From<Failure> for NotDone {
    fn from(failure: Failure) -> Self {
        let is_no = failure.problem.is_some();
        match failure.reason {
            _ if is_no => Self::Refused(failure.text),
            Reason::Unreachable | Reason::RateLimited => Self::Unreachable(failure.text),
            Reason::State => Self::State(failure.text),
            _ => Self::Conflict(failure.text),
        }
    }
}

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIssuer(name) => {
                write!(f, "the configuration has no issuer {name:?}; `vitrine acme accounts` shows those there are")
            }
            Self::NoCertificate(fingerprint) => {
                write!(f, "no version of any certificate has the fingerprint {fingerprint:?}")
            }
            Self::Refused(text) => write!(f, "the authority refuses: {text}"),
            Self::Unreachable(text) => write!(f, "the authority does not answer, try again: {text}"),
            Self::Unfit(_, text) | Self::Conflict(text) | Self::State(text) => f.write_str(text),
        }
    }
}

impl Authorities {
    /// The account at each issuer, in order of preference. Waits for the disk.
    ///
    /// # Errors
    /// [`NotDone::State`].
    pub fn accounts(&self) -> Result<Vec<ListedAccount>, NotDone> {
        let terms = self.terms.borrow().clone();
        let listed = |issuer: &Issuer| {
            let known = self.accounts.known(issuer)?;
            let (account, contact) = known.map(|known| (known.id, known.contact)).unzip();
            Ok(ListedAccount {
                issuer: issuer.name.clone(),
                directory: issuer.directory.clone(),
                account,
                contact: contact.unwrap_or_default(),
                is_rolling: self.accounts.is_rolling(issuer)?,
            })
        };
        terms.issuers.iter().map(listed).collect::<Result<_, Failure>>().map_err(NotDone::from)
    }

    /// Gives the account at an issuer a new key, and tells which account that is.
    ///
    /// # Errors
    /// [`NotDone`]; unless it is that the authority did not answer, the key is the one it was. What is not known is found out
    /// before the next order.
    pub async fn roll_over(&self, issuer: &str) -> Result<String, NotDone> {
        let issuer = self.issuer(issuer)?;
        Ok(self.accounts.roll_over(&issuer, &wire(&issuer)?).await?)
    }

    /// Has a key that was on its way to an account arrive, and another contact told, wherever that is so. Nobody waits for it.
    pub(super) fn attend(&self) {
        let (accounts, terms) = (self.accounts.clone(), self.terms.borrow().clone());
        tokio::spawn(async move {
            for issuer in terms.issuers.iter().filter(|_| terms.terms_agreed) {
                let attended = async { accounts.attend(issuer, &terms.contact, &wire(issuer)?).await };
                if let Err(failure) = attended.await {
                    tracing::warn!(issuer = %issuer.name, "the account there was not attended to: {failure}");
                }
            }
        });
    }

    pub(super) fn issuer(&self, name: &str) -> Result<Issuer, NotDone> {
        let terms = self.terms.borrow().clone();
        let found = terms.issuers.iter().find(|issuer| issuer.name == name);
        found.cloned().ok_or_else(|| NotDone::NoIssuer(name.to_owned()))
    }
}

/// A way to an authority for one errand.
pub(super) fn wire(issuer: &Issuer) -> Result<Wire, Failure> {
    let https = HttpsClient::new(issuer.roots.iter().cloned(), EXCHANGE);
    Ok(Wire::new(https.map_err(|error| Failure::new(Reason::State, error.to_string()))?))
}

/// One request and its answer.
const EXCHANGE: Duration = Duration::from_secs(30);
