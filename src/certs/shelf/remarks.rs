//! What files alone give reason to tell, from look to look.

use std::path::Path;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::certs::alarms::AlarmCode;
use crate::certs::ledger::{Findings, shown, some_files};
use crate::certs::scan::{Content, Files, Readers, Record, Scan};

/// The files that cannot be read as they are, and the keys that others can read.
#[derive(Default)]
pub(super) struct Remarks {
    flawed: HashSet<Arc<Path>>,
    exposed: HashMap<Arc<Path>, Readers>,
    /// Those that were logged.
    told: HashSet<Arc<Path>>,
    alarms: Vec<(AlarmCode, String)>,
}

impl Remarks {
    /// Takes over what a look found: of the files that it touched, or of all.
    pub(super) fn look(&mut self, scan: &Scan) {
        let files = &scan.files;
        let mut is_other = scan.is_of_all;
        if scan.is_of_all {
            (self.flawed, self.exposed) = Default::default();
            for (file, record) in &**files {
                self.note(file, Some(record));
            }
            self.told.retain(|file| files.contains_key(file));
        } else {
            for file in scan.touched.iter().map(|touched| &touched.path) {
                is_other |= self.note(file, files.get(file).map(Arc::as_ref));
            }
        }
        if is_other {
            let alarms = [
                (Readers::Everybody, AlarmCode::KeyReadable, "by every user of this machine"),
                (Readers::Group, AlarmCode::KeyGroupReadable, "by a group"),
            ];
            self.alarms =
                alarms.into_iter().filter_map(|(by, code, words)| Some((code, self.exposed(by, words)?))).collect();
        }
    }

    /// Says what is wrong with files.
    pub(super) fn tell(&self, files: &Files, findings: &mut Findings) {
        for file in &self.flawed {
            if let Some(flaw) = files.get(file).and_then(|record| record.flaw()) {
                findings.note(file, flaw.clone());
            }
        }
    }

    /// What is to be said of keys.
    pub(super) fn alarms(&self) -> impl Iterator<Item = (AlarmCode, String)> {
        self.alarms.iter().cloned()
    }

    /// Gives whether another key than before can be read by others.
    fn note(&mut self, file: &Arc<Path>, record: Option<&Record>) -> bool {
        match record.is_some_and(|record| record.flaw().is_some()) {
            true => drop(self.flawed.insert(Arc::clone(file))),
            false => drop(self.flawed.remove(file)),
        }
        if record.is_none() {
            self.told.remove(file);
        }
        let exposed = record.filter(|record| {
            record.readable_by != Readers::Owner
                && matches!(&record.content, Content::Parts(parts) if parts.has_open_key)
        });
        match exposed.map(|record| record.readable_by) {
            Some(readers) => self.exposed.insert(Arc::clone(file), readers) != Some(readers),
            None => self.exposed.remove(file).is_some(),
        }
    }

    /// What is to be said of key files that more than the owner may read; each is logged once.
    fn exposed(&mut self, readers: Readers, words: &str) -> Option<String> {
        let exposed = self.exposed.iter().filter(|(_, by)| **by == readers);
        let mut exposed: Vec<&Arc<Path>> = exposed.map(|(file, _)| file).collect();
        exposed.sort_unstable_by_key(|file| file.as_os_str());
        let mut told = 0;
        for file in &exposed {
            if self.told.insert(Arc::clone(file)) {
                told += 1;
                if told <= MOST_LINES {
                    tracing::warn!(file = %shown(file), "the private key can be read by others; chmod 0600");
                }
            }
        }
        if told > MOST_LINES {
            tracing::warn!(count = told - MOST_LINES, "more private keys can be read by others; chmod 0600");
        }
        let files = some_files(&exposed);
        (!exposed.is_empty()).then(|| format!("these private keys can be read {words}; chmod 0600: {files}"))
    }
}

/// Ten thousand certificates at start are not worth ten thousand lines.
pub(super) const MOST_LINES: usize = 20;
