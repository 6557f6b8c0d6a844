//! Which roots clients trust, and whether a chain leads to one of them.
//!
//! By signature from the leaf up to the root: a name and a key identifier can be written into any certificate, and who is
//! believed for them would displace the real one. What is sent is what counts, as most clients know no other way. Each signature
//! is checked once in the life of a certificate, and one whose authorities lead nowhere is not checked at all.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use hashbrown::HashMap;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::certificate::Certificate;
use super::chain::Voucher;
use super::flaw::Flaw;
use super::formats::Items;
use super::pairing::Pair;
use super::parts::Parts;
use super::password::Password;

/// The roots that clients trust.
#[derive(Clone, Default)]
pub struct Roots(Arc<ByName>);

/// By subject: cross-signing gives several roots one name.
type ByName = HashMap<Box<[u8]>, Vec<Arc<Certificate>>>;

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
            (true, false) => Ok(Self::of(web.0.values().flatten().cloned().chain(own))),
            (false, _) => Err(flaws),
        }
    }

    fn of(certificates: impl IntoIterator<Item = Arc<Certificate>>) -> Self {
        let mut by_name = ByName::new();
        for certificate in certificates {
            by_name.entry(certificate.subject_name().into()).or_default().push(certificate);
        }
        Self(Arc::new(by_name))
    }

    /// Says of each pair whether it leads to a root at `now`, seconds since the Unix epoch.
    pub(super) fn judge(&self, pairs: &mut [Pair], now: i64) {
        if self.0.is_empty() {
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
        let unknown = pairs.iter().filter(|pair| !pair.leaf.has_been_verified()).count();
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
    pub(super) fn trust(&self, leaf: &Arc<Certificate>, chain: &[Arc<Certificate>], now: i64) -> bool {
        let sent: Vec<&Certificate> = std::iter::once(leaf).chain(chain).map(Arc::as_ref).collect();
        let is_passed_on = |at: usize| {
            let (own, issuer) = (sent[at], sent[at + 1]);
            // So many authorities are below this one (RFC 5280 §4.2.1.9).
            let may_be_so_far = issuer.path_length.is_none_or(|most| at <= most as usize);
            issuer.is_valid_at(now) && may_be_so_far && !own.traits.weak_signature && own.is_signed_by(issuer)
        };
        // From the root down, for the signatures of authorities are known already.
        (0..sent.len()).any(|top| self.know(sent[top], top == 0, now) && (0..top).rev().all(is_passed_on))
    }

    /// Whether an authority is a root, or comes from one.
    pub(super) fn know_authority(&self, authority: &Certificate, now: i64) -> bool {
        authority.is_valid_at(now) && self.know(authority, false, now)
    }

    /// Whether a certificate is a root or comes from one.
    fn know(&self, certificate: &Certificate, is_leaf: bool, now: i64) -> bool {
        let named = |name: &[u8]| self.0.get(name).into_iter().flatten().filter(|root| root.is_valid_at(now));
        // Cross-signed, a root has another certificate and is itself all the same. A leaf must be the very one.
        let is_root = named(certificate.subject_name()).any(|root| match is_leaf {
            true => root.fingerprint == certificate.fingerprint,
            false => root.key.id == certificate.key.id,
        });
        is_root
            || !certificate.traits.weak_signature
                && named(certificate.issuer_name())
                    .any(|root| certificate.is_named_after(root) && certificate.is_signed_by(root))
    }
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} roots", self.0.values().map(Vec::len).sum::<usize>())
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

/// Fewer are verified before threads have started.
const FEW: usize = 64;

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
        assert_eq!(web.0.values().map(Vec::len).sum::<usize>(), TLS_SERVER_ROOT_CERTS.len());
        // Each is known by itself and as the issuer of itself, except those signed in ways that are not verified.
        let unverified = web.0.values().flatten().filter(|root| !root.is_signed_by(root)).count();
        assert!(unverified * 10 < TLS_SERVER_ROOT_CERTS.len(), "{unverified}");
        assert!(web.0.values().flatten().all(|root| web.know(root, true, NOW) || !root.is_valid_at(NOW)));
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
    fn what_no_client_believes_leads_nowhere() {
        let chain = Chain::new();
        let trusted = roots(&[&chain.root]);
        let leads = |leaf: fn(&mut Certificate), intermediate: fn(&mut Certificate)| {
            let changed = |pem: &str, change: fn(&mut Certificate)| {
                let mut certificate = Arc::into_inner(certificates(pem).remove(0)).expect("the only one");
                change(&mut certificate);
                Arc::new(certificate)
            };
            let leaf = changed(&chain.leaf(&["shop.example"]).certificate, leaf);
            trusted.trust(&leaf, &[changed(&chain.intermediate, intermediate)], now())
        };
        assert!(leads(|_| {}, |_| {}));
        assert!(leads(|_| {}, |intermediate| intermediate.path_length = Some(0)));
        assert!(!leads(|leaf| leaf.traits.weak_signature = true, |_| {}));
        assert!(!leads(|_| {}, |intermediate| intermediate.traits.weak_signature = true));
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
