//! Authorities' certificates that were in the folder a moment ago.
//!
//! Intermediates are no pairs: a file that holds one may be spoiled, deleted or half rewritten without any pair being gone, and
//! every certificate that it completes would go on without its chain. They therefore go as certificates do.

use std::path::Path;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use tokio::time::Instant;

use super::sweep::GRACE;
use crate::certs::certificate::{Certificate, Fingerprint};
use crate::certs::folders::Folders;
use crate::certs::scan::{Content, Files, Record, Touched};

/// Which authorities the folder has lost lately.
#[derive(Default)]
pub(super) struct Memory {
    lost: HashMap<Fingerprint, Lost>,
}

struct Lost {
    certificate: Arc<Certificate>,
    /// The files that it lay in.
    files: Vec<Arc<Path>>,
    since: Instant,
    stay: Stay,
}

/// How long a lost authority's certificate is sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    /// Until the grace is over.
    Grace,
    /// As long as it is needed: so many need it that its going looks like an accident.
    Held,
    /// Until the grace is over that the operator's word began.
    Confirmed,
}

impl Memory {
    /// Takes over what the folder holds now. `needed` are the issuers of the certificates in service.
    pub(super) fn look(
        &mut self,
        files: &Files,
        touched: &[Touched],
        needed: impl FnOnce() -> HashSet<Fingerprint>,
        now: Instant,
    ) {
        for Touched { path, before } in touched {
            let Some(before) = before else { continue };
            let after = files.get(path);
            for authority in authorities(before) {
                let fingerprint = authority.fingerprint;
                if !after.into_iter().flat_map(|after| authorities(after)).any(|other| other.fingerprint == fingerprint)
                {
                    let certificate = Arc::clone(authority);
                    let new = || Lost { certificate, files: Vec::new(), since: now, stay: Stay::Grace };
                    self.lost.entry(fingerprint).or_insert_with(new).files.push(Arc::clone(path));
                }
            }
        }
        if self.lost.is_empty() {
            return;
        }
        let needed = needed();
        let present: HashSet<&Fingerprint> =
            files.values().flat_map(|record| authorities(record)).map(|authority| &authority.fingerprint).collect();
        self.lost.retain(|fingerprint, lost| {
            if lost.is_kept(files, &needed) {
                lost.since = now;
            }
            !present.contains(fingerprint) && lost.since + GRACE > now
        });
    }

    /// Those that are still good for a chain, each with the folders that it lay in.
    pub(super) fn authorities(&self, folders: &Folders) -> Vec<(usize, Arc<Certificate>)> {
        let in_folders = |lost: &Lost| lost.files.iter().map(|file| folders.place(file)).collect::<HashSet<_>>();
        let lost = self.lost.values().flat_map(|lost| in_folders(lost).into_iter().map(move |folder| (folder, lost)));
        lost.map(|(folder, lost)| (folder, Arc::clone(&lost.certificate))).collect()
    }

    /// Whether nothing is lost.
    pub(super) fn is_empty(&self) -> bool {
        self.lost.is_empty()
    }

    /// Keeps these from going, unless the operator has let them go.
    pub(super) fn hold(&mut self, issuers: &HashSet<Fingerprint>) {
        for (_, lost) in self.lost.iter_mut().filter(|(fingerprint, _)| issuers.contains(*fingerprint)) {
            if lost.stay == Stay::Grace {
                lost.stay = Stay::Held;
            }
        }
    }

    /// Lets all go that are held, after a grace.
    pub(super) fn confirm(&mut self, now: Instant) {
        for lost in self.lost.values_mut().filter(|lost| lost.stay == Stay::Held) {
            lost.stay = Stay::Confirmed;
            lost.since = now;
        }
    }

    pub(super) fn is_held(&self, issuer: &Fingerprint) -> bool {
        self.lost.get(issuer).is_some_and(|lost| lost.stay == Stay::Held)
    }

    pub(super) fn is_confirmed(&self, issuer: &Fingerprint) -> bool {
        self.lost.get(issuer).is_some_and(|lost| lost.stay == Stay::Confirmed)
    }

    /// When the next one is forgotten.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.lost.values().map(|lost| lost.since + GRACE).min()
    }
}

impl Lost {
    /// A spoiled file says nothing about what it held. One that holds something else does, unless a certificate in service would
    /// be left without its issuer.
    fn is_kept(&self, files: &Files, needed: &HashSet<Fingerprint>) -> bool {
        let mut records = self.files.iter().filter_map(|file| files.get(file));
        let needed = needed.contains(&self.certificate.fingerprint);
        needed && self.stay == Stay::Held
            || records.any(|record| needed || matches!(record.content, Content::Flawed(_)))
    }
}

fn authorities(record: &Record) -> impl Iterator<Item = &Arc<Certificate>> {
    let certificates = match &record.content {
        Content::Parts(parts) => &parts.certificates[..],
        Content::Flawed(_) => &[],
    };
    certificates.iter().filter(|certificate| certificate.traits.is_ca)
}
