//! Which key belongs to which certificate, and which chain: decided by the public key and the issuers, never by file names.
//!
//! A pure function of the files' parts. The order in which files are found or arrive has no say in the result.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::bundle::Key;
use super::certificate::{Certificate, Fingerprint};
use super::chain::{Issuers, Voucher, Ways};
use super::flaw::Flaw;
use super::parts::Parts;
use super::roots::Roots;

/// A file with what it holds.
#[derive(Clone, Copy)]
pub(super) struct FileParts<'a> {
    pub(super) path: &'a Arc<Path>,
    pub(super) parts: &'a Parts,
    /// Which drop folder it lies in.
    pub(super) folder: usize,
}

/// A leaf with its key and its chain, each with all files that hold it, in order.
pub(super) struct Pair {
    /// Which drop folder it is from.
    pub(super) folder: usize,
    pub(super) leaf: Arc<Certificate>,
    pub(super) key: Arc<Key>,
    /// The leaf's issuer first; a root is left out, clients have it or do not trust it.
    pub(super) chain: Vec<Arc<Certificate>>,
    pub(super) voucher: Voucher,
    /// The first one is named in lists: with the key if there is one, else the one with the most certificates.
    pub(super) certificate_files: Vec<Arc<Path>>,
    pub(super) key_files: Vec<Arc<Path>>,
    /// Whether the chain leads to a root that clients trust.
    pub(super) is_trusted: bool,
}

/// By what a public key is known.
pub(super) type KeyId = [u8; 32];

/// Something with the files of one folder that hold it.
type Held<'f, T> = (&'f Arc<T>, Vec<&'f FileParts<'f>>);

/// What is left of a file when pairing is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// A certificate whose key has not come.
    NoKey(Fingerprint),
    /// A key whose certificate has not come.
    NoCertificate([u8; 32]),
    /// The file cannot be used.
    Unfit(Flaw),
}

/// All pairs, in order of the leaf's fingerprint and of the folder, and all problems, in order of the path.
#[derive(Default)]
pub(super) struct Pairing {
    pub(super) pairs: Vec<Pair>,
    pub(super) problems: Vec<(Arc<Path>, Problem)>,
}

/// Pairs everything the folders hold, each for itself; `remembered` are authorities' certificates that a folder held a moment ago.
pub(super) fn pair(files: &[FileParts<'_>], remembered: &[(usize, Arc<Certificate>)]) -> Pairing {
    pair_trusting(files, remembered, &Roots::default(), 0)
}

/// The same, for who trusts these roots at `now`, seconds since the Unix epoch: of several ways up, one that leads to a root is taken,
/// and each pair says whether it leads there.
pub(super) fn pair_trusting(
    files: &[FileParts<'_>],
    remembered: &[(usize, Arc<Certificate>)],
    roots: &Roots,
    now: i64,
) -> Pairing {
    let mut pairing = Pairing::default();
    let (mut issuers, mut by_key) = (Issuers::default(), HashMap::<KeyId, Vec<FileParts<'_>>>::new());
    for file in files {
        if contradicts_itself(file.parts) {
            pairing.problems.push((Arc::clone(file.path), Problem::Unfit(key_mismatch())));
            continue;
        }
        file.parts.certificates.iter().for_each(|certificate| issuers.add(certificate, file.folder, file.path));
        for key in file.parts.public_keys() {
            by_key.entry(*key).or_default().push(*file);
        }
    }
    issuers.remember(remembered);
    let ways = issuers.trusting(roots, now);
    for (key, holders) in by_key {
        pairing.pair(&key, holders, &ways);
    }
    roots.judge(&mut pairing.pairs, now);
    pairing.sort();
    pairing
}

impl Pairing {
    /// Pairs a key with what certifies it, each folder for itself; `holders` are all files that hold either.
    pub(super) fn pair(&mut self, id: &KeyId, mut holders: Vec<FileParts<'_>>, ways: &Ways<'_>) {
        holders.sort_unstable_by(|one, other| {
            (one.path.as_os_str(), one.folder).cmp(&(other.path.as_os_str(), other.folder))
        });
        holders.dedup_by_key(|file| (file.path, file.folder));
        let mut keys: BTreeMap<usize, Held<'_, Key>> = BTreeMap::new();
        let mut certificates: BTreeMap<(usize, Fingerprint), Held<'_, Certificate>> = BTreeMap::new();
        for file in &holders {
            for key in file.parts.keys.iter().filter(|key| key.public.id == *id) {
                keys.entry(file.folder).or_insert_with(|| (key, Vec::new())).1.push(file);
            }
            for certificate in file.parts.certificates.iter().filter(|certificate| certificate.key.id == *id) {
                let own = (file.folder, certificate.fingerprint);
                certificates.entry(own).or_insert_with(|| (certificate, Vec::new())).1.push(file);
            }
        }
        let mut certified: HashSet<usize> = HashSet::new();
        for ((folder, _), (leaf, holders)) in &certificates {
            let leaf = *leaf;
            let paths = || holders.iter().map(|file| Arc::clone(file.path));
            match (keys.get(folder), &leaf.names) {
                (Some((key, key_holders)), Ok(_)) => {
                    certified.insert(*folder);
                    self.pairs.push(Pair {
                        folder: *folder,
                        leaf: Arc::clone(leaf),
                        key: Arc::clone(key),
                        chain: ways.chain(leaf, holders),
                        voucher: ways.voucher(leaf, holders),
                        certificate_files: in_order_of_telling(leaf, holders),
                        key_files: key_holders.iter().map(|file| Arc::clone(file.path)).collect(),
                        is_trusted: false,
                    });
                }
                // An authority's certificate without its key is an intermediate or a root.
                (None, _) if !leaf.may_be_leaf() => {}
                (_, Err(flaw)) => {
                    certified.insert(*folder);
                    self.problems.extend(paths().map(|path| (path, Problem::Unfit(Flaw::clone(flaw)))));
                }
                (None, Ok(_)) => {
                    self.problems.extend(paths().map(|path| (path, Problem::NoKey(leaf.fingerprint))));
                }
            }
        }
        for (_, (_, holders)) in keys.iter().filter(|(folder, _)| !certified.contains(*folder)) {
            let missing = |file: &&FileParts<'_>| (Arc::clone(file.path), Problem::NoCertificate(*id));
            self.problems.extend(holders.iter().map(missing));
        }
    }

    /// Brings all into the order that they are told in.
    pub(super) fn sort(&mut self) {
        self.pairs.sort_unstable_by_key(|pair| (pair.leaf.fingerprint, pair.folder));
        self.problems.sort_by(|(one, first), (other, second)| {
            one.as_os_str().cmp(other.as_os_str()).then_with(|| first.order().cmp(&second.order()))
        });
    }
}

impl Problem {
    /// The gravest first; within a kind any order that is always the same.
    fn order(&self) -> (u8, [u8; 32], &str) {
        match self {
            Self::Unfit(flaw) => (0, [0; 32], flaw.code),
            Self::NoKey(fingerprint) => (1, *fingerprint, ""),
            Self::NoCertificate(id) => (2, *id, ""),
        }
    }
}

/// A file with a key and a certificate that do not match.
pub(super) fn key_mismatch() -> Flaw {
    Flaw::new(
        "key-mismatch",
        "the private key in the file does not belong to the certificate in it",
        "put the key here that the certificate was requested with, or have a new certificate issued for this key",
    )
}

/// Whether a file holds keys and certificates for the end of a chain, and none belongs to another.
pub(super) fn contradicts_itself(parts: &Parts) -> bool {
    let Parts { certificates, keys, .. } = parts;
    let matches = |leaf: &Arc<Certificate>| keys.iter().any(|key| key.public.id == leaf.key.id);
    !keys.is_empty()
        && certificates.iter().any(|certificate| certificate.may_be_leaf())
        && !certificates.iter().any(matches)
}

/// The files of a certificate; first the one that tells the operator most.
fn in_order_of_telling(leaf: &Certificate, holders: &[&FileParts<'_>]) -> Vec<Arc<Path>> {
    let mut holders = holders.to_vec();
    holders.sort_by_key(|file| {
        let embedded = file.parts.keys.iter().any(|key| key.public.id == leaf.key.id);
        (!embedded, std::cmp::Reverse(file.parts.certificates.len()))
    });
    holders.into_iter().map(|file| Arc::clone(file.path)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::certs::certificate::hexadecimal;
    use crate::certs::password::Password;
    use crate::certs::testing::{Chain, Leaf};

    /// Everything the tests deal out: two leaves of one intermediate, a renewal with the same key, all with PEM texts.
    static DECK: LazyLock<Vec<String>> = LazyLock::new(|| {
        let chain = Chain::new();
        let one = chain.leaf(&["one.example"]);
        let two = chain.leaf(&["two.example"]);
        let renewed = chain.renewed(&one);
        vec![
            one.certificate,
            one.key,
            two.certificate,
            two.key,
            renewed.certificate,
            chain.intermediate.clone(),
            chain.root.clone(),
        ]
    });

    fn read(text: &str) -> Parts {
        Parts::read(text.as_bytes(), &Password::Absent, &Default::default()).expect("parts")
    }

    /// What is made of files, given as paths and texts.
    fn paired(files: &[(impl AsRef<Path>, impl AsRef<str>)]) -> Pairing {
        let read: Vec<(Arc<Path>, Parts)> =
            files.iter().map(|(path, text)| (path.as_ref().into(), read(text.as_ref()))).collect();
        let files: Vec<_> = read.iter().map(|(path, parts)| FileParts { path, parts, folder: 0 }).collect();
        pair(&files, &[])
    }

    fn described(files: &[(String, String)]) -> Vec<String> {
        let pairing = paired(files);
        let files = |paths: &[Arc<Path>]| format!("{paths:?}");
        let pairs = pairing.pairs.iter().map(|pair| {
            let chain: Vec<String> = pair.chain.iter().map(|issuer| issuer.subject_cn.to_string()).collect();
            format!(
                "{} {} {chain:?} {} {}",
                hexadecimal(&pair.leaf.fingerprint),
                pair.leaf.subject_cn,
                files(&pair.certificate_files),
                files(&pair.key_files)
            )
        });
        pairs.chain(pairing.problems.iter().map(|(path, problem)| format!("{path:?} {problem:?}"))).collect()
    }

    fn codes(files: &[(&str, &str)]) -> (Vec<String>, Vec<(String, String)>) {
        let pairing = paired(files);
        let mut pairs: Vec<String> = pairing.pairs.iter().map(|pair| pair.leaf.subject_cn.to_string()).collect();
        pairs.sort();
        let problems = pairing.problems.iter().map(|(path, problem)| {
            let code = match problem {
                Problem::NoKey(_) => "no key",
                Problem::NoCertificate(_) => "no certificate",
                Problem::Unfit(flaw) => flaw.code,
            };
            (path.display().to_string(), code.to_owned())
        });
        (pairs, problems.collect())
    }

    #[test]
    fn names_of_files_and_folders_do_not_matter() {
        let Leaf { certificate, key, .. } = Chain::new().leaf(&["shop.example"]);
        let all = (vec!["shop.example".to_owned()], vec![]);
        assert_eq!(codes(&[("a.pem", &format!("{certificate}{key}"))]), all);
        assert_eq!(codes(&[("a.pem", &format!("{key}{certificate}"))]), all);
        assert_eq!(codes(&[("x/1.key", &certificate), ("y/z/2.crt", &key)]), all);
    }

    #[test]
    fn halves_wait_and_contradictions_are_unfit() {
        let chain = Chain::new();
        let (one, two) = (chain.leaf(&["one.example"]), chain.leaf(&["two.example"]));
        assert_eq!(codes(&[("a", &one.key)]), (vec![], vec![("a".into(), "no certificate".into())]));
        assert_eq!(codes(&[("a", &one.certificate)]), (vec![], vec![("a".into(), "no key".into())]));
        assert_eq!(codes(&[("a", &chain.intermediate)]), (vec![], vec![]));
        assert_eq!(
            codes(&[("a", &format!("{}{}", one.key, two.certificate)), ("b", &two.key)]),
            (vec![], vec![("a".into(), "key-mismatch".into()), ("b".into(), "no certificate".into())])
        );
        // A key beside its issuer's certificate is no contradiction: the leaf may be elsewhere.
        assert_eq!(
            codes(&[("a", &format!("{}{}", one.key, chain.intermediate)), ("b", &one.certificate)]),
            (vec!["one.example".into()], vec![])
        );
    }

    #[test]
    fn an_authority_with_host_names_is_a_leaf_too() {
        let mut params = rcgen::CertificateParams::new(vec!["own.example".to_owned()]).expect("names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let (certificate, key) = (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem());
        let other = Chain::new().leaf(&["one.example"]).key;
        assert_eq!(codes(&[("a", &certificate)]), (vec![], vec![("a".into(), "no key".into())]));
        assert_eq!(codes(&[("a", &certificate), ("b", &key)]).1, vec![]);
        assert_eq!(
            codes(&[("a", &format!("{certificate}{other}"))]),
            (vec![], vec![("a".into(), "key-mismatch".into())])
        );
    }

    #[test]
    fn a_renewal_with_the_same_key_makes_a_second_pair() {
        let deck = &*DECK;
        let (pairs, problems) = codes(&[("old", &deck[0]), ("key", &deck[1]), ("new", &deck[4])]);
        assert_eq!((pairs, problems), (vec!["one.example".into(), "one.example".into()], vec![]));
    }

    #[test]
    fn the_chain_is_in_order_without_the_root_wherever_it_lies() {
        let deck = &*DECK;
        let in_one_file = [("a".to_owned(), [&deck[6], &deck[5], &deck[1], &deck[0]].map(String::as_str).concat())];
        let elsewhere = [
            ("a".to_owned(), deck[0].clone()),
            ("a.key".to_owned(), deck[1].clone()),
            ("ca/int".to_owned(), deck[5].clone()),
            ("ca/root".to_owned(), deck[6].clone()),
        ];
        for files in [&in_one_file[..], &elsewhere[..]] {
            let described = described(files);
            assert!(described[0].contains("one.example [\"Test Intermediate\"]"), "{described:?}");
        }
    }

    #[test]
    fn of_two_authorities_with_one_name_the_signer_is_taken() {
        let (ours, other) = (Chain::new(), Chain::new());
        let leaf = ours.leaf(&["shop.example"]);
        let both = format!("{}{}", leaf.certificate, leaf.key);
        let pairing = paired(&[("a", &both), ("b", &other.intermediate), ("c", &ours.intermediate)]);
        let issuer = &read(&ours.intermediate).certificates[0];
        let found: Vec<_> = pairing.pairs[0].chain.iter().map(|issuer| issuer.fingerprint).collect();
        assert_eq!(found, vec![issuer.fingerprint]);
    }

    proptest! {
        #[test]
        fn neither_the_order_of_files_nor_of_parts_matters(
            dealt in proptest::collection::vec((0..7_usize, 0..4_usize), 1..12),
            shuffled in any::<u64>(),
        ) {
            let deal = |order: &mut dyn Iterator<Item = &(usize, usize)>| {
                let mut files: Vec<(String, String)> = Vec::new();
                for (card, file) in order {
                    let name = format!("{}/{file}.pem", file % 2);
                    match files.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, text)) => text.push_str(&DECK[*card]),
                        None => files.push((name, DECK[*card].clone())),
                    }
                }
                files
            };
            let straight = described(&deal(&mut dealt.iter()));
            let mut mixed = dealt.clone();
            let length = mixed.len();
            for at in 0..length {
                mixed.swap(at, shuffled.rotate_left(at as u32 * 7) as usize % length);
            }
            prop_assert_eq!(&straight, &described(&deal(&mut mixed.iter())));
            prop_assert_eq!(&straight, &described(&deal(&mut dealt.iter().rev())));
        }
    }
}
