//! What needs the operator, over time: each alarm is logged when it begins and when it ends.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::ledger::Alarm;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)+) => {
        /// What an alarm is about. The one list: lists, logs and series know no other code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum AlarmCode { $($(#[$doc])* $name,)+ }

        impl AlarmCode {
            /// Every code there is, in the order of lists.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name, stable, for scripts.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
        }
    };
}

codes! {
    /// The certificate of an issuer is not in the folder.
    ChainIncomplete = "chain-incomplete",
    /// What serves is expired, and there is nothing better.
    ExpiredServing = "expired-serving",
    /// The drop folder does not exist.
    FolderMissing = "folder-missing",
    /// The drop folder cannot be read.
    FolderUnreadable = "folder-unreadable",
    /// A group may read private keys.
    KeyGroupReadable = "key-group-readable",
    /// Everybody may read private keys.
    KeyReadable = "key-readable",
    /// The edge's own authority cannot issue.
    LocalCaFailed = "local-ca-failed",
    /// The system reports no changes.
    NotWatching = "not-watching",
    /// What serves is not valid yet, and there is nothing better.
    NotYetValidServing = "not-yet-valid-serving",
    /// What is kept and does not serve ends within days, or has ended.
    ObjectExpiresNow = "object-expires-now",
    /// What is kept and does not serve ends within weeks.
    ObjectExpiresSoon = "object-expires-soon",
    /// What the operator pinned is not valid now.
    PinIgnored = "pin-ignored",
    /// A request waits, and somebody wanted to be reminded of it.
    RequestReminder = "request-reminder",
    /// What lies in the state of a request is not what was written.
    RequestUnreadable = "request-unreadable",
    /// What serves is revoked, and there is nothing better.
    RevokedServing = "revoked-serving",
    /// A look at the folder failed for a mistake of ours.
    ScanFailed = "scan-failed",
    /// Certificates in service could not be written to the state folder.
    StateNotWritten = "state-not-written",
    /// More went at once than looks meant.
    WithdrawalHeld = "withdrawal-held",
}

impl AlarmCode {
    /// Whether nothing new can come in while it lasts.
    #[must_use]
    pub const fn stops_intake(self) -> bool {
        match self {
            Self::FolderMissing | Self::FolderUnreadable => true,
            Self::ChainIncomplete
            | Self::ExpiredServing
            | Self::KeyGroupReadable
            | Self::KeyReadable
            | Self::NotWatching
            | Self::NotYetValidServing
            | Self::LocalCaFailed
            | Self::ObjectExpiresNow
            | Self::ObjectExpiresSoon
            | Self::PinIgnored
            | Self::RequestReminder
            | Self::RequestUnreadable
            | Self::RevokedServing
            | Self::ScanFailed
            | Self::StateNotWritten
            | Self::WithdrawalHeld => false,
        }
    }
}

impl Serialize for AlarmCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The alarms that are on, each with its beginning.
#[derive(Default)]
pub(super) struct Alarms(BTreeMap<AlarmCode, (String, i64)>);

impl Alarms {
    /// Takes over what is raised now, by code; all others end.
    pub(super) fn raise(&mut self, raised: BTreeMap<AlarmCode, String>, unix: i64) {
        for code in self.0.keys().filter(|code| !raised.contains_key(*code)) {
            tracing::info!(code = %code.as_str(), "the alarm is over");
        }
        let mut old = std::mem::take(&mut self.0);
        for (code, message) in raised {
            let since = match old.remove(&code) {
                Some((_, since)) => since,
                None => {
                    tracing::warn!(code = %code.as_str(), "alarm: {message}");
                    unix
                }
            };
            self.0.insert(code, (message, since));
        }
    }

    /// All that are on, in order of the code.
    pub(super) fn listed(&self) -> Vec<Alarm> {
        self.0
            .iter()
            .map(|(code, (message, since))| Alarm { code: *code, message: message.clone(), since: *since })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes() -> Vec<&'static str> {
        AlarmCode::ALL.iter().map(|code| code.as_str()).collect()
    }

    #[test]
    fn the_manual_explains_every_alarm_and_no_other() {
        let manual = include_str!("../../docs/certificates.md");
        let section = manual.split("\n## ").find(|section| section.starts_with("Alarms\n")).expect("the section");
        let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
        let mut explained: Vec<&str> =
            cells.flat_map(|cell| cell.split("`, `")).map(|code| code.trim_end_matches('`')).collect();
        explained.sort_unstable();
        assert_eq!(explained, codes());
    }

    #[test]
    fn the_alert_rules_pick_alarms_that_exist() {
        let rules = include_str!("../../deploy/prometheus/rules.yml");
        let picks = rules
            .match_indices("vitrine_certificate_alarms{code")
            .map(|(at, _)| rules[at..].split('"').nth(1).expect("a pattern"));
        let picked: Vec<&str> = picks.flat_map(|pattern| pattern.split('|')).collect();
        let unknown: Vec<&str> = picked.iter().copied().filter(|code| !codes().contains(code)).collect();
        assert_eq!((picked.is_empty(), unknown), (false, vec![]));
    }
}
