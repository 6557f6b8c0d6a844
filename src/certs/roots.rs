//! Which roots clients trust, and whether a chain leads to one of them.
//!
//! By signature from the leaf up to the root: a name and a key identifier can be written into any certificate, and who is
//! believed for them would displace the real one. What is sent is what counts, as most clients know no other way. Each leaf is
//! judged once for each way that it has, what its authorities have in common is judged once for all of them, and one whose
//! authorities lead nowhere is not judged at all.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::certificate::{Certificate, sha256};
use super::chain::Voucher;
use super::flaw::Flaw;
use super::formats::Items;
use super::pairing::Pair;
use super::parts::Parts;
use super::password::Password;
use super::path::{self, Anchor, Found};

/// The roots that clients trust.
#[derive(Clone, Default)]
pub struct Roots(Arc<Ground>);

#[derive(Default)]
struct Ground {
    /// By subject: cross-signing gives several roots one name.
    by_name: HashMap<Box<[u8]>, Vec<Root>>,
    /// The authority at the lower end of each way that leads to a root whatever it issues.
    ways: Mutex<Ways>,
}

type Ways = HashMap<[u8; 32], Arc<Anchor>>;

struct Root {
    certificate: Arc<Certificate>,
    anchor: Anchor,
}

impl Roots {
    /// Mozilla's, which browsers and systems share but for a few.
    #[must_use]
    pub fn of_the_web() -> Self {
        static WEB: LazyLock<Roots> = LazyLock::new(|| {
            let read =
                |der: &rustls_pki_types::CertificateDer<'static>| Certificate::read(der.clone()).ok().map(Arc::new);
            Roots::of(TLS_SERVER_ROOT_CERTS.iter().filter_map(read))
        });
        WEB.clone()
    }

    /// Mozilla's, and those in files that the operator named, each given with its content.
    ///
    /// # Errors
    /// What is wrong with each file of which not everything can be used: trust that is lost in silence is found by customers.
    pub fn of_the_web_and<'f>(
        files: impl IntoIterator<Item = (&'f Path, &'f [u8])>,
    ) -> Result<Self, Vec<(PathBuf, Flaw)>> {
        let web = Self::of_the_web();
        let (mut own, mut flaws) = (Vec::new(), Vec::new());
        for (file, content) in files {
            match read(content) {
                Ok(certificates) => own.extend(certificates),
                Err(flaw) => flaws.push((file.to_owned(), flaw)),
            }
        }
        match (flaws.is_empty(), own.is_empty()) {
            (true, true) => Ok(web),
            (true, false) => Ok(Self::of(web.all().cloned().chain(own))),
            (false, _) => Err(flaws),
        }
    }

    /// Mozilla's alone, as certificates, for whoever connects to others.
    pub fn web_certificates() -> impl Iterator<Item = rustls_pki_types::CertificateDer<'static>> {
        TLS_SERVER_ROOT_CERTS.iter().cloned()
    }

    /// The roots in a file, as certificates.
    ///
    /// # Errors
    /// What is wrong with the file, if not everything in it can be used.
    pub fn certificates_in(content: &[u8]) -> Result<Vec<rustls_pki_types::CertificateDer<'static>>, Flaw> {
        Ok(read(content)?.into_iter().map(|root| root.der.to_vec().into()).collect())
    }

    fn of(certificates: impl IntoIterator<Item = Arc<Certificate>>) -> Self {
        let mut ground = Ground::default();
        for certificate in certificates {
            let Some(anchor) = Anchor::of(&certificate) else { continue };
            let name = certificate.subject_name().into();
            ground.by_name.entry(name).or_default().push(Root { certificate, anchor });
        }
        Self(Arc::new(ground))
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Certificate>> {
        self.0.by_name.values().flatten().map(|root| &root.certificate)
    }

    /// Whether these are the very ones, not only the same.
    pub(super) fn are(&self, others: &Self) -> bool {
        Arc::ptr_eq(&self.0, &others.0)
    }

    /// When the first one begins or ends to be valid after `now`, seconds since the Unix epoch.
    pub(super) fn next_boundary(&self, now: i64) -> Option<i64> {
        self.all().filter_map(|root| root.next_boundary(now)).min()
    }

    /// Says of each pair whether it leads to a root at `now`, seconds since the Unix epoch.
    pub(super) fn judge(&self, pairs: &mut [Pair], now: i64) {
        if self.0.by_name.is_empty() {
            return;
        }
        let judge = |pairs: &mut [Pair]| {
            for pair in pairs {
                pair.is_trusted = self.trust(&pair.leaf, &pair.chain, now);
                if pair.is_trusted && pair.voucher == Voucher::Missing {
                    pair.voucher = Voucher::Root;
                }
            }
        };
        let unknown = pairs.iter().filter(|pair| !pair.leaf.has_been_judged()).count();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if threads < 2 || unknown < FEW {
            return judge(pairs);
        }
        std::thread::scope(|scope| {
            for some in pairs.chunks_mut(pairs.len().div_ceil(threads)) {
                scope.spawn(|| judge(some));
            }
        });
    }

    /// Whether somebody who trusts the roots, and is sent the leaf and its chain, trusts the leaf. Its own time is another matter.
    pub(super) fn trust(&self, leaf: &Certificate, chain: &[Arc<Certificate>], now: i64) -> bool {
        if self.named(leaf.subject_name(), now).any(|root| root.certificate.fingerprint == leaf.fingerprint) {
            return true;
        }
        let authorities: Vec<&Certificate> =
            chain.iter().map(Arc::as_ref).filter(|authority| authority.is_valid_at(now)).collect();
        let names = std::iter::once(leaf).chain(authorities.iter().copied()).map(Certificate::issuer_name);
        let roots: Vec<&Root> = names.flat_map(|name| self.named(name, now)).collect();
        if roots.is_empty() {
            return false;
        }
        let prints = authorities.iter().map(|authority| authority.fingerprint);
        let prints: Vec<[u8; 32]> = prints.chain(roots.iter().map(|root| root.certificate.fingerprint)).collect();
        let way = sha256(prints.as_flattened());
        leaf.judged_by(way, || self.lead(leaf, &authorities, &roots, way, now))
    }

    /// Whether a way leads from the leaf to a root.
    fn lead(&self, leaf: &Certificate, authorities: &[&Certificate], roots: &[&Root], way: [u8; 32], now: i64) -> bool {
        let known = self.ways().get(&way).cloned();
        if leaf.is_valid_at(now) && known.is_some_and(|authority| authority.has_issued(leaf, now)) {
            return true;
        }
        let anchors: Vec<&Anchor> = roots.iter().map(|root| &root.anchor).collect();
        // Of one that is expired the question is whether it was trusted when it was not.
        let then = now.clamp(leaf.not_before, leaf.not_after.max(leaf.not_before));
        let Some(Found { is_for_all }) = path::find(leaf, authorities, &anchors, then) else { return false };
        let lowest = authorities.first().filter(|_| is_for_all).and_then(|authority| Anchor::of(authority));
        if let Some(authority) = lowest {
            let mut ways = self.ways();
            if ways.len() >= MOST_WAYS {
                ways.clear();
            }
            ways.insert(way, Arc::new(authority));
        }
        true
    }

    fn ways(&self) -> MutexGuard<'_, Ways> {
        self.0.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The roots of a name that are valid.
    fn named(&self, name: &[u8], now: i64) -> impl Iterator<Item = &Root> {
        let named = self.0.by_name.get(name).into_iter().flatten();
        named.filter(move |root| root.certificate.is_valid_at(now))
    }

    /// Whether an authority is a root, or comes from one.
    pub(super) fn know_authority(&self, authority: &Certificate, now: i64) -> bool {
        // Cross-signed, a root has another certificate and is itself all the same.
        let is_root =
            || self.named(authority.subject_name(), now).any(|root| root.certificate.key.id == authority.key.id);
        let comes_from =
            |root: &Root| authority.is_named_after(&root.certificate) && authority.is_signed_by(&root.certificate);
        let comes_from_one =
            || !authority.traits.weak_signature && self.named(authority.issuer_name(), now).any(comes_from);
        authority.is_valid_at(now) && (is_root() || comes_from_one())
    }
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} roots", self.all().count())
    }
}

/// The certificates in a file, of which there must be one, and nothing else.
fn read(content: &[u8]) -> Result<Vec<Arc<Certificate>>, Flaw> {
    let mend = "name a file with certificates of authorities, in PEM or DER";
    let items = Items::read(content, &Password::Absent)?;
    if !items.keys.is_empty() {
        return Err(Flaw::new("secret", "it holds a private key, which no root is trusted by", mend));
    }
    let parts = Parts::of(items, &Default::default())?;
    if parts.certificates.is_empty() {
        return Err(Flaw::new("nothing", "it holds no certificate", mend));
    }
    Ok(parts.certificates)
}

/// Fewer are judged before threads have started.
const FEW: usize = 64;
/// More than all authorities of the web have; who makes up new ones all the time does not fill memory.
const MOST_WAYS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::testing::Chain;

    const NOW: i64 = 1_790_000_000;

    fn roots(pem: &[&str]) -> Roots {
        Roots::of(pem.iter().flat_map(|pem| certificates(pem)))
    }

    fn certificates(pem: &str) -> Vec<Arc<Certificate>> {
        read(pem.as_bytes()).expect("certificates")
    }

    fn trusts(roots: &Roots, leaf: &str, chain: &[&str]) -> bool {
        let chain: Vec<_> = chain.iter().flat_map(|pem| certificates(pem)).collect();
        roots.trust(&certificates(leaf)[0], &chain, now())
    }

    fn now() -> i64 {
        time::OffsetDateTime::now_utc().unix_timestamp()
    }

    #[test]
    fn every_root_of_the_web_is_read() {
        let web = Roots::of_the_web();
        assert_eq!(web.all().count(), TLS_SERVER_ROOT_CERTS.len());
        // Each is known by itself and as the issuer of itself, in whatever way it is signed.
        assert!(web.all().all(|root| root.is_signed_by(root)));
        let is_known = |root: &Arc<Certificate>| web.trust(root, &[], NOW) && web.know_authority(root, NOW);
        assert!(web.all().all(|root| is_known(root) || !root.is_valid_at(NOW)));
    }

    #[test]
    fn a_chain_leads_to_a_root_by_signature() {
        let (chain, other) = (Chain::new(), Chain::new());
        let leaf = chain.leaf(&["shop.example"]).certificate;
        let trusted = roots(&[&chain.root]);
        assert!(trusts(&trusted, &leaf, &[&chain.intermediate]));
        // Cross-signed by a root that nobody knows, the root in the chain is still the one that is trusted.
        assert!(trusts(&trusted, &leaf, &[&chain.intermediate, &chain.crossed()]));
        assert!(trusts(&roots(&[&chain.intermediate]), &leaf, &[]));
        assert!(trusts(&roots(&[&leaf]), &leaf, &[]));
        // The same names throughout, and another key: once at the root, once below it.
        assert!(!trusts(&roots(&[&other.root]), &leaf, &[&chain.intermediate]));
        assert!(!trusts(&trusted, &other.leaf(&["shop.example"]).certificate, &[&chain.intermediate]));
        assert!(!trusts(&trusted, &leaf, &[]));
        assert!(!trusts(&Roots::default(), &leaf, &[&chain.intermediate]));
    }

    #[test]
    fn an_authority_stands_behind_no_more_others_than_it_may() {
        let trusts = |allowed| {
            let authority = |name: &str, constraint| {
                let mut params = rcgen::CertificateParams::default();
                params.distinguished_name.push(rcgen::DnType::CommonName, name);
                params.is_ca = rcgen::IsCa::Ca(constraint);
                (params, rcgen::KeyPair::generate().expect("a key"))
            };
            let (params, key) = authority("Top", rcgen::BasicConstraints::Unconstrained);
            let root = params.self_signed(&key).expect("a root").pem();
            let root_issuer = rcgen::Issuer::new(params, key);
            let (params, key) = authority("Upper", rcgen::BasicConstraints::Constrained(allowed));
            let upper = params.signed_by(&key, &root_issuer).expect("an authority").pem();
            let upper_issuer = rcgen::Issuer::new(params, key);
            let (params, key) = authority("Lower", rcgen::BasicConstraints::Unconstrained);
            let lower = params.signed_by(&key, &upper_issuer).expect("an authority").pem();
            let lower_issuer = rcgen::Issuer::new(params, key);
            let params = rcgen::CertificateParams::new(vec!["shop.example".to_owned()]).expect("names");
            let leaf = params.signed_by(&rcgen::KeyPair::generate().expect("a key"), &lower_issuer).expect("a leaf");
            trusts(&roots(&[&root]), &leaf.pem(), &[&lower, &upper])
        };
        assert!(trusts(1));
        assert!(!trusts(0));
    }

    #[test]
    fn an_authority_that_is_expired_vouches_for_nobody() {
        let chain = Chain::new();
        let (leaf, trusted) = (certificates(&chain.leaf(&["shop.example"]).certificate), roots(&[&chain.root]));
        let intermediate = certificates(&chain.intermediate);
        let expiry = intermediate[0].not_after;
        assert!(trusted.trust(&leaf[0], &intermediate, now()));
        assert!(!trusted.trust(&leaf[0], &intermediate, expiry + 1));
    }

    #[test]
    fn a_file_that_is_no_root_is_named() {
        let chain = Chain::new();
        let codes = |content: &str| {
            let flaws = Roots::of_the_web_and([(Path::new("a.pem"), content.as_bytes())]).err().unwrap_or_default();
            flaws.into_iter().map(|(_, flaw)| flaw.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&chain.root), [""; 0]);
        assert_eq!(codes(&chain.leaf(&["shop.example"]).key), ["secret"]);
        assert_eq!(codes("garbage"), ["nothing"]);
        assert_eq!(codes(&chain.root[..200]), ["truncated"]);
    }
}
