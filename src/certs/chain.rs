//! The way from a leaf up to a root, out of all the authorities' certificates that lie in the folder.

use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::certificate::{Certificate, Fingerprint};
use super::folders::MAIN;
use super::pairing::{FileParts, KeyId};
use super::roots::Roots;

/// Who stands behind a leaf, as far as the folder tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voucher {
    /// An authority whose certificate lies in the folder.
    Present(Fingerprint),
    /// An authority whose certificate lay there, and is still sent.
    Remembered(Fingerprint),
    /// An authority whose certificate is not there: who does not know it refuses the leaf.
    Missing,
    /// A root that clients have: there is no more to send.
    Root,
    /// Nobody else: it is self-signed.
    Itself,
}

impl Voucher {
    /// The authority's certificate, if there is one to send.
    pub(super) fn issuer(&self) -> Option<Fingerprint> {
        match self {
            Self::Present(issuer) | Self::Remembered(issuer) => Some(*issuer),
            Self::Missing | Self::Root | Self::Itself => None,
        }
    }

    /// Whether clients get everything from the leaf up to a root, as far as the folder tells.
    pub(super) fn makes_whole(&self) -> bool {
        matches!(self, Self::Present(_) | Self::Remembered(_) | Self::Root)
    }
}

/// Every certificate in the folders that may issue others, by its name.
#[derive(Default)]
pub(super) struct Issuers {
    by_name: HashMap<Box<[u8]>, Vec<Issuer>>,
    remembered: Vec<(usize, Arc<Certificate>)>,
    /// The keys of those that are or were nothing but authorities.
    keys: HashSet<KeyId>,
    /// The names of those that a chain may be made of otherwise than when this was last asked for.
    moved: HashSet<Box<[u8]>>,
}

struct Issuer {
    certificate: Arc<Certificate>,
    /// Every file of a shop may bring the same one along: looked up, never walked. None: it is only remembered.
    files: HashSet<Arc<Path>>,
    /// How many of the files lie in each folder.
    folders: HashMap<Box<Path>, usize>,
    /// Which drop folder it is from.
    drop: usize,
    is_remembered: bool,
}

impl Issuers {
    /// Takes in an authority's certificate that lies in a file of a drop folder. All others are passed over.
    pub(super) fn add(&mut self, certificate: &Arc<Certificate>, drop: usize, file: &Arc<Path>) {
        if !certificate.traits.is_ca {
            return;
        }
        let (issuer, is_one_of_several) = self.entry(certificate, drop);
        let is_first = issuer.files.is_empty();
        issuer.files.insert(Arc::clone(file));
        let folder = file.parent().unwrap_or(file);
        let is_new_there = match issuer.folders.get_mut(folder) {
            Some(count) => std::mem::replace(count, *count + 1) == 0,
            None => issuer.folders.insert(folder.into(), 1).is_none(),
        };
        if is_first || is_new_there && is_one_of_several {
            self.move_on(certificate);
        }
    }

    /// Takes one out of a file that lay there.
    pub(super) fn remove(&mut self, certificate: &Arc<Certificate>, drop: usize, file: &Arc<Path>) {
        if !certificate.traits.is_ca {
            return;
        }
        let (issuer, is_one_of_several) = self.entry(certificate, drop);
        issuer.files.remove(file);
        let folder = file.parent().unwrap_or(file);
        let is_last_there = issuer.folders.get_mut(folder).is_none_or(|count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
        if is_last_there {
            issuer.folders.remove(folder);
        }
        if issuer.files.is_empty() || is_last_there && is_one_of_several {
            self.move_on(certificate);
            self.forget_unused(certificate);
        }
    }

    /// Takes over which ones a drop folder held a moment ago.
    pub(super) fn remember(&mut self, remembered: &[(usize, Arc<Certificate>)]) {
        let own = |(drop, certificate): &(usize, Arc<Certificate>)| (*drop, certificate.fingerprint);
        let before = std::mem::replace(&mut self.remembered, remembered.to_vec());
        for gone in before.iter().filter(|gone| !remembered.iter().any(|still| own(still) == own(gone))) {
            self.entry(&gone.1, gone.0).0.is_remembered = false;
            self.move_on(&gone.1);
            self.forget_unused(&gone.1);
        }
        for new in remembered.iter().filter(|new| !before.iter().any(|known| own(known) == own(new))) {
            self.entry(&new.1, new.0).0.is_remembered = true;
            self.move_on(&new.1);
        }
    }

    /// The names of all whose children may have another chain than when this was last asked for, theirs included.
    pub(super) fn moved(&mut self) -> HashSet<Box<[u8]>> {
        let mut moved = std::mem::take(&mut self.moved);
        loop {
            let certificates = self.by_name.values().flatten().map(|issuer| &issuer.certificate);
            let below =
                certificates.filter(|own| moved.contains(own.issuer_name()) && !moved.contains(own.subject_name()));
            let below: Vec<Box<[u8]>> = below.map(|own| own.subject_name().into()).collect();
            if below.is_empty() {
                return moved;
            }
            moved.extend(below);
        }
    }

    /// The files of those that certify a key and are nothing but authorities.
    pub(super) fn of_key(&self, key: &KeyId) -> impl Iterator<Item = &Arc<Path>> {
        let all = self.keys.contains(key).then(|| self.by_name.values().flatten());
        let of_key = |issuer: &&Issuer| issuer.certificate.key.id == *key && !issuer.certificate.may_be_leaf();
        all.into_iter().flatten().filter(of_key).flat_map(|issuer| &issuer.files)
    }

    /// When the first one begins or ends to be valid after `now`, seconds since the Unix epoch.
    pub(super) fn next_boundary(&self, now: i64) -> Option<i64> {
        let certificates = self.by_name.values().flatten().map(|issuer| &issuer.certificate);
        certificates.filter_map(|certificate| certificate.next_boundary(now)).min()
    }

    /// The ways up, for who trusts these roots at `now`.
    pub(super) fn trusting<'a>(&'a self, roots: &'a Roots, now: i64) -> Ways<'a> {
        Ways { issuers: self, roots, now }
    }

    /// The entry of a certificate, and whether others have its name.
    fn entry(&mut self, certificate: &Arc<Certificate>, drop: usize) -> (&mut Issuer, bool) {
        let named = self.by_name.entry(certificate.subject_name().into()).or_default();
        let own = |issuer: &Issuer| (issuer.drop, issuer.certificate.fingerprint) == (drop, certificate.fingerprint);
        let at = named.iter().position(own).unwrap_or_else(|| {
            if !certificate.may_be_leaf() {
                self.keys.insert(certificate.key.id);
            }
            let certificate = Arc::clone(certificate);
            let (files, folders) = (HashSet::new(), HashMap::new());
            named.push(Issuer { certificate, files, folders, drop, is_remembered: false });
            named.len() - 1
        });
        let is_one_of_several = named.len() > 1;
        (&mut named[at], is_one_of_several)
    }

    fn forget_unused(&mut self, certificate: &Certificate) {
        let Some(named) = self.by_name.get_mut(certificate.subject_name()) else { return };
        named.retain(|issuer| issuer.is_remembered || !issuer.files.is_empty());
        if named.is_empty() {
            self.by_name.remove(certificate.subject_name());
        }
    }

    fn move_on(&mut self, certificate: &Certificate) {
        self.moved.insert(certificate.subject_name().into());
    }
}

/// The ways from leaves up to roots.
pub(super) struct Ways<'a> {
    issuers: &'a Issuers,
    roots: &'a Roots,
    /// Seconds since the Unix epoch.
    now: i64,
}

impl Ways<'_> {
    /// Who stands behind a leaf.
    pub(super) fn voucher(&self, leaf: &Certificate, holders: &[&FileParts<'_>]) -> Voucher {
        match self.of(leaf, holders) {
            Some(issuer) if issuer.files.is_empty() => Voucher::Remembered(issuer.certificate.fingerprint),
            Some(issuer) => Voucher::Present(issuer.certificate.fingerprint),
            None if leaf.is_self_issued() => Voucher::Itself,
            None => Voucher::Missing,
        }
    }

    /// The leaf's issuer first. The root is left out: clients have it, or do not trust it.
    pub(super) fn chain(&self, leaf: &Arc<Certificate>, holders: &[&FileParts<'_>]) -> Vec<Arc<Certificate>> {
        let mut chain: Vec<Arc<Certificate>> = Vec::new();
        while chain.len() < LONGEST_CHAIN {
            let last = chain.last().unwrap_or(leaf);
            let Some(Issuer { certificate: issuer, .. }) = self.of(last, holders) else { break };
            let seen = |known: &Arc<Certificate>| known.fingerprint == issuer.fingerprint;
            if issuer.is_self_issued() || seen(leaf) || chain.iter().any(seen) {
                break;
            }
            chain.push(Arc::clone(issuer));
        }
        chain
    }

    fn of(&self, child: &Certificate, holders: &[&FileParts<'_>]) -> Option<&Issuer> {
        if child.is_self_issued() {
            return None;
        }
        let named = self.issuers.by_name.get(child.issuer_name())?;
        // Whoever writes another folder has no word in this one's chains.
        let drop = holders.first().map_or(MAIN, |holder| holder.folder);
        let may_be =
            |issuer: &&Issuer| (issuer.drop == MAIN || issuer.drop == drop) && child.may_come_from(&issuer.certificate);
        let mut candidates: Vec<&Issuer> = named.iter().filter(may_be).collect();
        // Authorities reuse a name with another key; only the signature tells those apart without key identifiers.
        let first = &candidates.first()?.certificate;
        if !child.identifies(first) || candidates.iter().any(|issuer| issuer.certificate.key != first.key) {
            candidates.retain(|issuer| child.is_signed_by(&issuer.certificate));
        }
        if let [only] = candidates[..] {
            return Some(only);
        }
        candidates.into_iter().min_by_key(|issuer| {
            let certificate = &issuer.certificate;
            let validity = (Reverse(certificate.not_after), Reverse(certificate.not_before));
            // Cross-signed, an authority has several certificates, and one of them may lead nowhere by now.
            let leads_nowhere = !self.roots.know_authority(certificate, self.now);
            (issuer.files.is_empty(), leads_nowhere, issuer.distance(holders), validity, certificate.fingerprint)
        })
    }
}

impl Issuer {
    /// What lies in the leaf's own file was put there for it; what lies in its folder, probably. What lies nowhere any more
    /// serves only where nothing else does.
    fn distance(&self, holders: &[&FileParts<'_>]) -> u8 {
        match () {
            () if self.files.is_empty() => 3,
            () if holders.iter().any(|holder| self.files.contains(holder.path)) => 0,
            () if holders
                .iter()
                .filter_map(|holder| holder.path.parent())
                .any(|near| self.folders.contains_key(near)) =>
            {
                1
            }
            () => 2,
        }
    }
}

impl Certificate {
    /// When it begins or ends to be valid after `now`, seconds since the Unix epoch, whichever is next.
    pub(super) fn next_boundary(&self, now: i64) -> Option<i64> {
        [self.not_before, self.not_after.saturating_add(1)].into_iter().filter(|boundary| *boundary > now).min()
    }
}

/// Longer ones do not exist; a circle of cross-signed authorities does.
const LONGEST_CHAIN: usize = 8;
