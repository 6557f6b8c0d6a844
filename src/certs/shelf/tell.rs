//! What the shelf tells the operator: alarms, open keys, what came in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::holding::State;
use super::{Moment, Shelf};
use crate::certs::certificate::Fingerprint;
use crate::certs::ledger::{shown, some_of};
use crate::certs::ranking::Ranked;
use crate::certs::scan::{Content, Files, Readers, Root, Scan};
use crate::live::ServedCert;

impl Shelf {
    pub(super) fn raise_alarms(&mut self, scan: &Scan, now: Moment) {
        let mut raised = BTreeMap::new();
        let folder = shown(&self.folder);
        match &scan.root {
            Root::Readable(..) => {}
            Root::Missing => {
                raised.insert(
                    "folder-missing",
                    format!("the drop folder {folder} does not exist; create it or mount it"),
                );
            }
            Root::Unreadable(reason) => {
                raised.insert("folder-unreadable", format!("the drop folder {folder} cannot be read: {reason}"));
            }
        }
        let held: Vec<String> = self
            .holdings
            .values()
            .filter(|holding| matches!(holding.state, State::Held { .. }))
            .flat_map(|holding| holding.bundle.names().iter().map(ToString::to_string))
            .collect();
        if !held.is_empty() {
            raised.insert(
                "withdrawal-held",
                format!(
                    "the files of {} names went from {folder} at once, which looks like an accident: {}; their certificates \
                     go on serving until the files are back or the withdrawal is confirmed",
                    held.len(),
                    some_of(&held)
                ),
            );
        }
        for (code, words, untimely) in [
            (
                "expired-serving",
                "is expired",
                (|served, now| served.facts.not_after < now) as fn(&ServedCert, i64) -> bool,
            ),
            ("not-yet-valid-serving", "is not valid yet", |served, now| served.facts.not_before > now),
        ] {
            let serving = self.order.iter().filter_map(Ranked::serving);
            let files: Vec<String> = serving
                .filter(|served| untimely(served, now.unix))
                .map(|served| format!("{} ({})", served.names[0], shown(&served.facts.file)))
                .collect();
            if !files.is_empty() {
                let message =
                    format!("what serves these names {words}, and there is nothing better: {}", some_of(&files));
                raised.insert(code, message);
            }
        }
        for (readers, code, words) in [
            (Readers::Everybody, "key-readable", "by every user of this machine"),
            (Readers::Group, "key-group-readable", "by a group"),
        ] {
            let files = self.exposed_keys(&scan.files, readers);
            if !files.is_empty() {
                let message = format!("these private keys can be read {words}; chmod 0600: {}", some_of(&files));
                raised.insert(code, message);
            }
        }
        self.exposed.retain(|file| scan.files.contains_key(file));
        self.alarms.raise(raised, now.unix);
    }

    /// Key files that more than the owner may read; each is logged once.
    fn exposed_keys(&mut self, files: &Files, readers: Readers) -> Vec<String> {
        let exposed = files.iter().filter(|(_, record)| {
            record.readable_by == readers && matches!(&record.content, Content::Parts(parts) if !parts.keys.is_empty())
        });
        let mut exposed: Vec<&Arc<Path>> = exposed.map(|(file, _)| file).collect();
        exposed.sort_unstable_by_key(|file| file.as_os_str());
        let mut told = 0;
        for file in &exposed {
            if self.exposed.insert(Arc::clone(file)) {
                told += 1;
                if told <= MOST_LINES {
                    tracing::warn!(file = %shown(file), "the private key can be read by others; chmod 0600");
                }
            }
        }
        if told > MOST_LINES {
            tracing::warn!(count = told - MOST_LINES, "more private keys can be read by others; chmod 0600");
        }
        exposed.into_iter().map(|file| shown(file)).collect()
    }

    pub(super) fn tell_accepted(&self, accepted: &[Fingerprint], now: Moment) {
        for holding in accepted.iter().take(MOST_LINES).filter_map(|fingerprint| self.holdings.get(fingerprint)) {
            let facts = &holding.served.facts;
            let names: Vec<String> = holding.bundle.names().iter().map(ToString::to_string).collect();
            tracing::info!(
                file = %shown(&facts.file),
                names = %some_of(&names),
                days = (facts.not_after - now.unix) / 86_400,
                fingerprint = %facts.fingerprint,
                "accepted"
            );
        }
        if let Some(more) = accepted.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
            tracing::info!(more, "more certificates accepted");
        }
    }
}

/// Ten thousand certificates at start are not worth ten thousand lines.
const MOST_LINES: usize = 20;
