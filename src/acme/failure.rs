//! Why an order came to nothing, in a closed set of words and in the authority's own.

use std::fmt;
use std::time::{Duration, SystemTime};

use instant_acme::{Error, Identifier, Problem};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;
use crate::words::wait::Wait;

/// Why an order came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    /// As the authority wrote it, or what happened.
    pub(super) text: String,
    /// When it said to come again.
    pub(super) come_again: Option<SystemTime>,
    /// The same again may well succeed: it had forgotten what it said a moment ago.
    pub(super) is_forgetful: bool,
    /// It was found before the authority was asked for anything.
    pub(super) is_beforehand: bool,
    /// The names that are to blame, where it is known.
    pub(super) names: Vec<String>,
    /// Nothing failed: the order is not made before `come_again`, to spare the authority; for this reason.
    pub(super) held: Option<Box<Wait>>,
    /// The authority's word for it (RFC 8555 §6.7); `None`: it did not say no.
    pub(super) problem: Option<Box<str>>,
}

/// The kinds of failure; labels of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The authority could not be reached, or answered out of order.
    Unreachable,
    /// It has had too many orders.
    RateLimited,
    /// It looked at a name and did not see what it was to be shown.
    Validation,
    /// The DNS of a name does not answer.
    Dns,
    /// A name leads elsewhere, or to nobody.
    UnreachableName,
    /// The record in the DNS that shows a name could not be written, or is not seen where it should be.
    Record,
    /// The operator's own endpoint does not allow a name any more, or does not tell.
    Permission,
    /// A CAA record forbids it to issue.
    Caa,
    /// It does not issue for a name.
    NameRefused,
    /// It does not know the account, or wants it bound to another.
    Account,
    /// It said no to something else.
    Refused,
    /// What it issued cannot be served.
    Unusable,
    /// The state folder cannot be read or written.
    State,
}

impl Reason {
    /// All that there are.
    pub const ALL: [Self; 13] = [
        Self::Unreachable,
        Self::RateLimited,
        Self::Validation,
        Self::Dns,
        Self::UnreachableName,
        Self::Record,
        Self::Permission,
        Self::Caa,
        Self::NameRefused,
        Self::Account,
        Self::Refused,
        Self::Unusable,
        Self::State,
    ];

    /// The word for it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::RateLimited => "rate-limited",
            Self::Validation => "validation",
            Self::Dns => "dns",
            Self::UnreachableName => "unreachable-name",
            Self::Record => "record",
            Self::Permission => "permission",
            Self::Caa => "caa",
            Self::NameRefused => "name-refused",
            Self::Account => "account",
            Self::Refused => "refused",
            Self::Unusable => "unusable",
            Self::State => "state",
        }
    }

    /// Whether another issuer may do what this one did not: what is wrong with a name or here is wrong everywhere.
    pub(super) const fn is_the_issuers(self) -> bool {
        matches!(self, Self::Unreachable | Self::RateLimited | Self::Account | Self::Refused | Self::Unusable)
    }

    /// RFC 8555 §6.7
    fn of(kind: &str) -> Self {
        match kind.strip_prefix(ACME).unwrap_or_default() {
            "rateLimited" => Self::RateLimited,
            "unauthorized" | "connection" | "incorrectResponse" | "tls" => Self::Validation,
            "dns" => Self::Dns,
            "caa" => Self::Caa,
            "rejectedIdentifier" | "unsupportedIdentifier" => Self::NameRefused,
            "accountDoesNotExist"
            | "externalAccountRequired"
            | "userActionRequired"
            | "invalidContact"
            | "unsupportedContact" => Self::Account,
            "serverInternal" | "badNonce" => Self::Unreachable,
            _ => Self::Refused,
        }
    }
}

impl Failure {
    pub(super) fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self {
            reason,
            text: text.into(),
            come_again: None,
            is_forgetful: false,
            is_beforehand: false,
            names: Vec::new(),
            held: None,
            problem: None,
        }
    }

    /// One that was found before anything was ordered.
    pub(super) fn beforehand(reason: Reason, text: impl AsRef<str>) -> Self {
        Self { is_beforehand: true, ..Self::new(reason, printable(text.as_ref())) }
    }

    /// An order that is not made until then, seconds since the Unix epoch.
    pub(super) fn held(until: i64, why: Wait) -> Self {
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(until).unwrap_or(0));
        let text = why.to_string();
        Self { come_again: Some(until), held: Some(Box::new(why)), ..Self::new(Reason::RateLimited, text) }
    }

    /// Whether nothing failed, and the order is not made yet.
    pub(super) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// The same of a name, if it is the name's and not the issuer's.
    pub(super) fn at(self, name: String) -> Self {
        if self.reason.is_the_issuers() {
            return self;
        }
        Self { text: format!("{name}: {}", self.text), names: vec![name], ..self }
    }

    /// When to come again at the earliest, seconds since the Unix epoch.
    pub(super) fn told(&self) -> Option<i64> {
        let since = self.come_again?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    }

    /// What an authority has against a request. Of a name it says that it is unauthorized at a challenge, of an account here
    /// (RFC 8555 §7.3.6).
    pub(super) fn of_answer(problem: &Problem) -> Self {
        let failure = Self::of(problem);
        let reason = if failure.is(UNAUTHORIZED) { Reason::Account } else { failure.reason };
        Self { reason, ..failure }
    }

    /// With what mends the account at this issuer, if it is the account that may do nothing there.
    pub(super) fn with_mend(self, issuer: &str) -> Self {
        if self.reason != Reason::Account || !self.is(UNAUTHORIZED) {
            return self;
        }
        let mend = format!(
            "it lets this account do nothing; if it was deactivated, delete state/acme/{issuer}/account.json, and another is opened"
        );
        Self { text: format!("{}; {mend}", self.text), ..self }
    }

    /// What it says of a name or an order.
    pub(super) fn of(problem: &Problem) -> Self {
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let detail = problem.detail.as_deref().unwrap_or("without a reason");
        let told = problem.subproblems.iter().map(ToString::to_string);
        let text = std::iter::once(format!("{detail} ({kind})")).chain(told).collect::<Vec<_>>().join("; ");
        let names = problem.subproblems.iter().filter_map(|one| match one.identifier.as_ref()? {
            Identifier::Dns(name) => Some(name.clone()),
            _ => None,
        });
        Self {
            is_forgetful: kind.ends_with(":badNonce"),
            names: names.collect(),
            problem: Some(kind.strip_prefix(ACME).unwrap_or(kind).into()),
            ..Self::new(Reason::of(kind), printable(&text))
        }
    }

    /// Whether the authority has this against it.
    pub(super) fn is(&self, problem: &str) -> bool {
        self.problem.as_deref() == Some(problem)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => Self::of_answer(&problem),
            Error::Timeout(_) => Self::new(Reason::Unreachable, "the order did not come to an end in time"),
            other => Self::new(Reason::Unreachable, printable(&other.to_string())),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(Reason::State, error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.label(), self.text)
    }
}

/// An authority's words go into a log and a file: on one line, and not without end.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST_TEXT).collect()
}

/// RFC 8555 §6.7
const ACME: &str = "urn:ietf:params:acme:error:";
const UNAUTHORIZED: &str = "unauthorized";
const LONGEST_TEXT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_order_failed_for_is_told_in_every_language() {
        let words = crate::words::Language::De.said().expect("words");
        for reason in Reason::ALL {
            assert!((words.order_failed)(reason.label()).is_some(), "{}", reason.label());
        }
    }

    #[test]
    fn what_an_authority_says_is_told_in_its_words_and_as_a_reason() {
        let problem = |kind: &str| -> Problem {
            serde_json::from_value(serde_json::json!({
                "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": "no\nluck", "status": 403,
            }))
            .expect("a problem")
        };
        let failure = Failure::of(&problem("rateLimited"));
        assert_eq!(failure.to_string(), "rate-limited: no luck (urn:ietf:params:acme:error:rateLimited)");
        assert!(failure.reason.is_the_issuers());
        for (kind, reason) in [
            ("dns", Reason::Dns),
            ("caa", Reason::Caa),
            ("connection", Reason::Validation),
            ("rejectedIdentifier", Reason::NameRefused),
            ("badCSR", Reason::Refused),
        ] {
            assert_eq!(Failure::of(&problem(kind)).reason, reason, "{kind}");
        }
        assert_eq!(Failure::of(&problem("unauthorized")).reason, Reason::Validation);
        let account = Failure::of_answer(&problem("unauthorized"));
        assert_eq!(account.reason, Reason::Account);
        assert!(account.with_mend("le").text.ends_with("delete state/acme/le/account.json, and another is opened"));
        assert_eq!(Failure::of_answer(&problem("dns")).with_mend("le"), Failure::of(&problem("dns")));
        assert!(
            !Reason::Dns.is_the_issuers() && !Reason::Validation.is_the_issuers() && !Reason::State.is_the_issuers()
        );
    }
}
