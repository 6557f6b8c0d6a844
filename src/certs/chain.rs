//! The way from a leaf up to a root, out of all the authorities' certificates that lie in the folder.

use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::certificate::Certificate;
use super::pairing::FileParts;

/// Every certificate in the folder that may issue others, by its name.
#[derive(Default)]
pub(super) struct Issuers<'a> {
    by_name: HashMap<&'a [u8], Vec<Issuer<'a>>>,
}

struct Issuer<'a> {
    certificate: &'a Arc<Certificate>,
    /// Every file of a shop may bring the same one along: looked up, never walked.
    files: HashSet<&'a Path>,
    folders: HashSet<&'a Path>,
}

impl<'a> Issuers<'a> {
    pub(super) fn offer(&mut self, certificate: &'a Arc<Certificate>, files: &[&'a FileParts<'a>]) {
        if !certificate.is_ca {
            return;
        }
        let files: HashSet<&Path> = files.iter().map(|file| &**file.path).collect();
        let folders = files.iter().filter_map(|file| file.parent()).collect();
        self.by_name.entry(certificate.subject_name()).or_default().push(Issuer { certificate, files, folders });
    }

    /// The leaf's issuer first. The root is left out: clients have it, or do not trust it.
    pub(super) fn chain(&self, leaf: &Arc<Certificate>, holders: &[&FileParts<'_>]) -> Vec<Arc<Certificate>> {
        let mut chain: Vec<Arc<Certificate>> = Vec::new();
        while chain.len() < LONGEST_CHAIN {
            let last = chain.last().unwrap_or(leaf);
            let Some(issuer) = self.of(last, holders) else { break };
            let seen = |known: &Arc<Certificate>| known.fingerprint == issuer.fingerprint;
            if issuer.is_self_issued() || seen(leaf) || chain.iter().any(seen) {
                break;
            }
            chain.push(Arc::clone(issuer));
        }
        chain
    }

    fn of(&self, child: &Certificate, holders: &[&FileParts<'_>]) -> Option<&'a Arc<Certificate>> {
        if child.is_self_issued() {
            return None;
        }
        let named = self.by_name.get(child.issuer_name())?;
        let mut candidates: Vec<&Issuer<'a>> =
            named.iter().filter(|issuer| child.may_come_from(issuer.certificate)).collect();
        // Authorities reuse a name with another key; only the signature tells those apart without key identifiers.
        if candidates.iter().any(|issuer| issuer.certificate.key != candidates[0].certificate.key) {
            candidates.retain(|issuer| child.is_signed_by(issuer.certificate));
        }
        if let [only] = candidates[..] {
            return Some(only.certificate);
        }
        let best = candidates.into_iter().min_by_key(|issuer| {
            let certificate = issuer.certificate;
            let validity = (Reverse(certificate.not_after), Reverse(certificate.not_before));
            (issuer.distance(holders), validity, certificate.fingerprint)
        });
        best.map(|issuer| issuer.certificate)
    }
}

impl Issuer<'_> {
    /// What lies in the leaf's own file was put there for it; what lies in its folder, probably.
    fn distance(&self, holders: &[&FileParts<'_>]) -> u8 {
        match () {
            () if holders.iter().any(|holder| self.files.contains(&**holder.path)) => 0,
            () if holders.iter().filter_map(|holder| holder.path.parent()).any(|near| self.folders.contains(near)) => 1,
            () => 2,
        }
    }
}

/// Longer ones do not exist; a circle of cross-signed authorities does.
const LONGEST_CHAIN: usize = 8;
