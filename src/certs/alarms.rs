//! What needs the operator, over time: each alarm is logged when it begins and when it ends.

use std::collections::BTreeMap;

use super::ledger::Alarm;

/// The alarms that are on, each with its beginning.
#[derive(Default)]
pub(super) struct Alarms(BTreeMap<&'static str, (String, i64)>);

impl Alarms {
    /// Takes over what is raised now, by code; all others end.
    pub(super) fn raise(&mut self, raised: BTreeMap<&'static str, String>, unix: i64) {
        for code in self.0.keys().filter(|code| !raised.contains_key(*code)) {
            tracing::info!(code = %code, "the alarm is over");
        }
        let mut old = std::mem::take(&mut self.0);
        for (code, message) in raised {
            let since = match old.remove(code) {
                Some((_, since)) => since,
                None => {
                    tracing::warn!(code = %code, "alarm: {message}");
                    unix
                }
            };
            self.0.insert(code, (message, since));
        }
    }

    /// All that are on, in order of the code.
    pub(super) fn listed(&self) -> Vec<Alarm> {
        self.0.iter().map(|(code, (message, since))| Alarm { code, message: message.clone(), since: *since }).collect()
    }
}
