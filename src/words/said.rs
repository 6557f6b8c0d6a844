//! What the interface says by codes and in English, for readers of another language: of files and certificates, alarms and alerts, and
//! the words of its closed sets.

use super::refusal::Refusal;

/// All that is said by codes. English readers get the words of the interface itself.
pub(crate) struct SaidWords {
    /// What is wrong with a file or certificate, and what to do: by the code, with what is particular to it.
    pub(crate) flaw: fn(&str, &[String]) -> Option<ReasonAndMend>,
    /// What an alarm is about and what to do, by its code.
    pub(crate) alarm: fn(&str) -> Option<&'static str>,
    /// A word of a closed set: of verdicts, states, orders, sources and outcomes.
    pub(crate) word: fn(&str) -> Option<&'static str>,
    /// What to do next with a request, by its status.
    pub(crate) next: fn(&str) -> Option<&'static str>,
    /// What an order failed for and what to do, by its code.
    pub(crate) order_failed: fn(&str) -> Option<(&'static str, &'static str)>,
    /// What an order brought, as it was written down.
    pub(crate) issued: fn(&str) -> Option<String>,
    /// What the audit trail says of a deed, by the action and what was written.
    pub(crate) audited: fn(&str, &str) -> Option<String>,
    /// What is wrong with what others serve, by its word.
    pub(crate) fault: fn(&str) -> Option<&'static str>,
    pub(crate) alerts: AlertTexts,
    pub(crate) refused: RefusedTexts,
}

/// Why something was not done.
pub(crate) struct RefusedTexts {
    /// With what is particular to it.
    pub(crate) text: fn(&Refusal) -> String,
    /// What of it others wrote, which stays as it is.
    pub(crate) quote: fn(&Refusal) -> Option<&str>,
    /// Of what sort it is, by the code of the interface, where nothing more particular is known.
    pub(crate) sort: fn(&str) -> &'static str,
    /// What people call a field of a form and what it takes, by its name.
    pub(crate) field: fn(&str) -> (String, String),
}

/// What is wrong, and what to do.
pub(crate) type ReasonAndMend = (String, &'static str);

/// What an alert is about, and what to do.
pub(crate) struct AlertTexts {
    pub(crate) expired: &'static str,
    pub(crate) not_yet_valid: &'static str,
    pub(crate) revoked: &'static str,
    pub(crate) served_otherwise: &'static str,
    pub(crate) not_shown: &'static str,
    pub(crate) renewal_late: &'static str,
    pub(crate) audit_unwritten: &'static str,
    pub(crate) notices_stuck: &'static str,
    /// By this link.
    pub(crate) handed_in: fn(&str) -> String,
    /// Of what others serve.
    pub(crate) unreachable: &'static str,
    pub(crate) foreign_expired: &'static str,
    pub(crate) foreign_wrong: &'static str,
    pub(crate) foreign_ends: fn(i64) -> String,
    pub(crate) configuration_refused: &'static str,
    pub(crate) configuration_rejected: &'static str,
    /// So many orders in a row.
    pub(crate) orders_fail: fn(u32) -> String,
    /// Of these hosts.
    pub(crate) no_certificate: fn(&str) -> String,
    /// In so many days.
    pub(crate) ends_now: fn(i64) -> String,
    pub(crate) not_renewed: fn(i64) -> String,
    pub(crate) ends_soon: fn(i64) -> String,
}
