//! What became of a certificate whose pair is no longer in the folder: deleted, replaced, or spoiled.

use std::path::Path;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::certificate::{Certificate, Fingerprint};
use super::flaw::Flaw;
use super::folders::Folders;
use super::pairing::{FileParts, Pairing};
use super::scan::Files;
use super::shelf::Holding;

/// Why a pair is not there any more.
pub(super) enum Fate {
    /// The operator took a file away.
    Deleted,
    /// Its files hold another pair, which is good.
    Replaced,
    /// Its files are there and hold nothing that is good: these, and what is wrong with each.
    Spoiled(Vec<(Arc<Path>, Flaw)>),
}

/// What the folder holds now, by what a missing pair is asked for.
pub(super) struct Sources<'a> {
    files: &'a Files,
    folders: &'a Folders,
    /// Certificates and keys that are there, each with its folder, in files that do not contradict themselves.
    leaves: HashSet<(usize, &'a Fingerprint)>,
    keys: HashSet<(usize, &'a [u8; 32])>,
    /// The files of pairs that are there, with a leaf of each.
    paired: HashMap<&'a Path, &'a Certificate>,
    now: i64,
}

impl<'a> Sources<'a> {
    /// Of missing pairs that have to do with these pairs, and with the files of these alone.
    pub(super) fn new(
        holders: impl Iterator<Item = FileParts<'a>>,
        pairing: &'a Pairing,
        (files, folders): (&'a Files, &'a Folders),
        is_present: impl Fn(&Fingerprint) -> bool,
        now: i64,
    ) -> Self {
        let (leaves, keys, paired) = (HashSet::new(), HashSet::new(), HashMap::new());
        let mut sources = Self { files, folders, leaves, keys, paired, now };
        // A request's key lies in none of the files.
        for FileParts { parts, folder, .. } in holders.filter(|file| files.contains_key(file.path)) {
            sources.leaves.extend(parts.certificates.iter().map(|certificate| (folder, &certificate.fingerprint)));
            sources.keys.extend(parts.keys.iter().map(|key| (folder, &key.public.id)));
        }
        for pair in pairing.pairs.iter().filter(|pair| is_present(&pair.leaf.fingerprint)) {
            for file in pair.certificate_files.iter().chain(&pair.key_files) {
                // With several in one file, a valid one speaks for it.
                let told = sources.paired.entry(file).or_insert(&pair.leaf);
                if !told.is_valid_at(now) {
                    *told = &pair.leaf;
                }
            }
        }
        sources
    }

    /// What became of a holding whose pair is not in the folder.
    pub(super) fn fate(&self, leaf: &Fingerprint, holding: &Holding) -> Fate {
        let mut halves = Vec::with_capacity(2);
        let folder = self.folders.place(&holding.certificate_files()[0]);
        if !self.leaves.contains(&(folder, leaf)) {
            halves.push(holding.certificate_files());
        }
        if !self.keys.contains(&(folder, holding.key())) {
            halves.push(holding.key_files());
        }
        let both_there = halves.is_empty();
        let mut spoilt = Vec::new();
        for files in halves {
            let mut left = files.iter().filter(|file| self.files.contains_key(*file)).peekable();
            if left.peek().is_none() {
                return Fate::Deleted;
            }
            let flaws: Vec<Option<Flaw>> = left.clone().map(|file| self.flaw(file, holding)).collect();
            if flaws.iter().all(Option::is_some) {
                spoilt.extend(left.cloned().zip(flaws.into_iter().flatten()));
            }
        }
        if spoilt.is_empty() && !both_there { Fate::Replaced } else { Fate::Spoiled(spoilt) }
    }

    /// What is wrong with a file that once held half of a good pair; `None` when it holds a good pair again.
    fn flaw(&self, file: &Path, holding: &Holding) -> Option<Flaw> {
        match self.paired.get(file) {
            Some(leaf) if leaf.is_valid_at(self.now) || !holding.is_valid_at(self.now) => None,
            Some(leaf) if leaf.not_after < self.now => Some(Flaw::new(
                "expired",
                "it was overwritten with a certificate that is expired; the valid one before it keeps serving",
                "put a valid certificate here",
            )),
            Some(_) => Some(Flaw::new(
                "not-yet-valid",
                "it was overwritten with a certificate that is not valid yet; the valid one before it keeps serving until then",
                "nothing, or put a certificate here that is valid now",
            )),
            None if let Some(flaw) = self.files.get(file).and_then(|record| record.flaw()) => Some(flaw.clone()),
            None => Some(Flaw::new(
                "pair-broken",
                "it held a certificate or key in service, and what it holds now has no counterpart; the last good pair keeps \
                 serving",
                "put the matching other half beside it, or the old content back",
            )),
        }
    }
}

/// A certificate alone.
pub(super) fn waits_for_key() -> Flaw {
    Flaw::new(
        "waiting-for-key",
        "the certificate waits for its private key",
        "put the key that it was requested with into the folder, under any name that ends in .key or .pem",
    )
}

/// A key alone.
pub(super) fn waits_for_certificate() -> Flaw {
    Flaw::new(
        "waiting-for-certificate",
        "the private key waits for its certificate",
        "put the certificate into the folder, under any name that ends in .crt or .pem",
    )
}
