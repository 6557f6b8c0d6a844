//! The way from a leaf up to a root, out of all the authorities' certificates that lie in the folder.

use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::certificate::{Certificate, Fingerprint};
use super::folders::MAIN;
use super::pairing::FileParts;
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

/// Every certificate in the folder that may issue others, by its name.
pub(super) struct Issuers<'a> {
    roots: &'a Roots,
    /// Seconds since the Unix epoch.
    now: i64,
    by_name: HashMap<&'a [u8], Vec<Issuer<'a>>>,
}

struct Issuer<'a> {
    certificate: &'a Arc<Certificate>,
    /// Every file of a shop may bring the same one along: looked up, never walked. None: it is only remembered.
    files: HashSet<&'a Path>,
    folders: HashSet<&'a Path>,
    /// Which drop folder it is from.
    drop: usize,
}

impl<'a> Issuers<'a> {
    pub(super) fn trusting(roots: &'a Roots, now: i64) -> Self {
        Self { roots, now, by_name: HashMap::new() }
    }

    pub(super) fn offer(&mut self, certificate: &'a Arc<Certificate>, drop: usize, files: &[&'a FileParts<'a>]) {
        if !certificate.traits.is_ca {
            return;
        }
        let files: HashSet<&Path> = files.iter().map(|file| &**file.path).collect();
        let folders = files.iter().filter_map(|file| file.parent()).collect();
        self.by_name.entry(certificate.subject_name()).or_default().push(Issuer { certificate, files, folders, drop });
    }

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

    fn of(&self, child: &Certificate, holders: &[&FileParts<'_>]) -> Option<&Issuer<'a>> {
        if child.is_self_issued() {
            return None;
        }
        let named = self.by_name.get(child.issuer_name())?;
        // Whoever writes another folder has no word in this one's chains.
        let drop = holders.first().map_or(MAIN, |holder| holder.folder);
        let may_be = |issuer: &&Issuer<'a>| {
            (issuer.drop == MAIN || issuer.drop == drop) && child.may_come_from(issuer.certificate)
        };
        let mut candidates: Vec<&Issuer<'a>> = named.iter().filter(may_be).collect();
        // Authorities reuse a name with another key; only the signature tells those apart without key identifiers.
        let first = candidates.first()?.certificate;
        if !child.identifies(first) || candidates.iter().any(|issuer| issuer.certificate.key != first.key) {
            candidates.retain(|issuer| child.is_signed_by(issuer.certificate));
        }
        if let [only] = candidates[..] {
            return Some(only);
        }
        candidates.into_iter().min_by_key(|issuer| {
            let certificate = issuer.certificate;
            let validity = (Reverse(certificate.not_after), Reverse(certificate.not_before));
            // Cross-signed, an authority has several certificates, and one of them may lead nowhere by now.
            let leads_nowhere = !self.roots.know_authority(certificate, self.now);
            (issuer.files.is_empty(), leads_nowhere, issuer.distance(holders), validity, certificate.fingerprint)
        })
    }
}

impl Issuer<'_> {
    /// What lies in the leaf's own file was put there for it; what lies in its folder, probably. What lies nowhere any more
    /// serves only where nothing else does.
    fn distance(&self, holders: &[&FileParts<'_>]) -> u8 {
        match () {
            () if self.files.is_empty() => 3,
            () if holders.iter().any(|holder| self.files.contains(&**holder.path)) => 0,
            () if holders.iter().filter_map(|holder| holder.path.parent()).any(|near| self.folders.contains(near)) => 1,
            () => 2,
        }
    }
}

/// Longer ones do not exist; a circle of cross-signed authorities does.
const LONGEST_CHAIN: usize = 8;
