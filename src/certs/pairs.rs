//! The pairs of the drop folders, from look to look: what files and requests changed is paired anew, and nothing else.
//!
//! A pair hangs on the files that hold its key or a certificate of it, and on the authorities that its chain may be made of. All
//! else that decides, who is trusted and what requests have, changes seldom: then everything is paired anew, as at every look
//! at everything.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use hashbrown::{HashMap, HashSet};

use super::certificate::{Certificate, Fingerprint};
use super::chain::Issuers;
use super::folders::Folders;
use super::pairing::{FileParts, KeyId, Pairing, Problem, contradicts_itself, key_mismatch};
use super::parts::Parts;
use super::request::{Offer, SetAside};
use super::roots::Roots;
use super::scan::{Content, Files, Record, Touched};
use crate::name::HostPattern;

/// What lies in the folders at one look, and who is trusted then.
pub(super) struct Stock<'l> {
    pub(super) files: &'l Files,
    /// What requests have, as if it lay there.
    pub(super) offer: &'l Offer,
    pub(super) aside: &'l SetAside,
    /// Authorities' certificates that a folder held a moment ago.
    pub(super) remembered: &'l [(usize, Arc<Certificate>)],
    pub(super) roots: &'l Roots,
    /// Seconds since the Unix epoch.
    pub(super) now: i64,
}

/// What is known of pairs from the last look.
pub(super) struct Pairs {
    folders: Folders,
    /// `None` before the first look.
    basis: Option<Basis>,
    /// The files that hold a key or what may be a leaf, by the public key. Of authorities the issuers know it.
    halves: BTreeSet<(KeyId, Half, Arc<Path>)>,
    issuers: Issuers,
    contradictions: BTreeSet<Arc<Path>>,
    problems: HashMap<KeyId, Vec<(Arc<Path>, Problem)>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Half {
    Key,
    Certificate,
}

/// What all pairs hang on.
struct Basis {
    /// The names that requests' keys are for.
    offered: HashMap<KeyId, Box<[HostPattern]>>,
    aside: HashMap<KeyId, Box<str>>,
    roots: Roots,
    /// As long as no authority begins or ends to be valid, seconds since the Unix epoch.
    good: Range<i64>,
}

/// What one look came to.
pub(super) struct Paired {
    /// The pairs of [`changed`](Self::changed), and all problems.
    pub(super) pairing: Pairing,
    /// The certificates that may have another pair than before, or none any more; `None`: all.
    pub(super) changed: Option<HashSet<Fingerprint>>,
}

impl Paired {
    /// Whether a certificate may have another pair than before.
    pub(super) fn has_changed(&self, leaf: &Fingerprint) -> bool {
        self.changed.as_ref().is_none_or(|changed| changed.contains(leaf))
    }
}

impl Pairs {
    /// Those of folders that nobody has looked at.
    pub(super) fn new(folders: Folders) -> Self {
        Self {
            folders,
            basis: None,
            halves: BTreeSet::new(),
            issuers: Issuers::default(),
            contradictions: BTreeSet::new(),
            problems: HashMap::new(),
        }
    }

    /// Pairs what has changed with these files; `None`: everything anew.
    pub(super) fn look(&mut self, stock: &Stock<'_>, touched: Option<&[Touched]>) -> Paired {
        let is_same = self.basis.as_ref().is_some_and(|basis| basis.is_of(stock));
        let Some(touched) = touched.filter(|_| is_same) else { return self.look_at_all(stock) };
        let mut keys = HashSet::new();
        for Touched { path, before } in touched {
            keys.extend(self.take_over(path, before.as_deref(), stock));
        }
        self.issuers.remember(stock.remembered);
        self.mind_the_moved(stock, &mut keys);
        let mut changed: HashSet<Fingerprint> = HashSet::new();
        let records = touched.iter().filter_map(|touched| touched.before.as_deref());
        let befores = records.filter_map(Record::parts).flat_map(|parts| &parts.certificates);
        changed.extend(befores.filter(|own| keys.contains(&own.key.id)).map(|own| own.fingerprint));
        let holders = keys.iter().flat_map(|key| self.holders(key, stock));
        let certificates = holders.flat_map(|file| &file.parts.certificates);
        changed.extend(certificates.filter(|own| keys.contains(&own.key.id)).map(|own| own.fingerprint));
        let pairing = self.pair(keys, stock);
        Paired { pairing, changed: Some(changed) }
    }

    /// The pairs of these keys as they are.
    pub(super) fn of_keys(&self, keys: &HashSet<KeyId>, stock: &Stock<'_>) -> Pairing {
        let ways = self.issuers.trusting(stock.roots, stock.now);
        let mut pairing = Pairing::default();
        for key in keys {
            pairing.pair(key, self.holders(key, stock).collect(), &ways);
        }
        pairing.sort();
        self.folders.limit(&mut pairing, stock.files);
        pairing
    }

    /// The files that hold a key or a certificate of it.
    pub(super) fn holders<'l>(&'l self, key: &'l KeyId, stock: &'l Stock<'_>) -> impl Iterator<Item = FileParts<'l>> {
        let halves = self.halves_of(key).filter_map(|(_, _, path)| self.file(path, stock));
        let places = 0..self.folders.all().len();
        let may = |place: usize, names: &[HostPattern]| self.folders.may_supply(place, names);
        let offered = places.filter_map(move |place| stock.offer.file_of(key, place, |names| may(place, names)));
        // Only with its key an authority's certificate is more than an issuer.
        let authorities = self.has_key(key, stock).then(|| self.issuers.of_key(key));
        let authorities = authorities.into_iter().flatten().filter_map(|path| self.file(path, stock));
        halves.chain(offered).chain(authorities)
    }

    fn look_at_all(&mut self, stock: &Stock<'_>) -> Paired {
        *self = Self::new(self.folders.clone());
        let mut halves = Vec::with_capacity(stock.files.len() * 2);
        for (path, record) in stock.files {
            let Some(parts) = self.usable(path, Some(record), stock) else { continue };
            halves.extend(halves_in(&parts).map(|(key, half)| (key, half, Arc::clone(path))));
            let place = self.folders.place(path);
            parts.certificates.iter().for_each(|certificate| self.issuers.add(certificate, place, path));
        }
        halves.sort_unstable();
        self.halves = halves.into_iter().collect();
        self.issuers.remember(stock.remembered);
        self.issuers.moved();
        self.basis = Some(Basis::of(stock, &self.issuers));
        let mut keys: Vec<KeyId> = Vec::with_capacity(stock.files.len() + stock.offer.keys.len());
        keys.extend(self.halves.iter().map(|(key, ..)| *key));
        keys.dedup();
        keys.extend(stock.offer.keys.keys());
        keys.sort_unstable();
        keys.dedup();
        Paired { pairing: self.pair(keys, stock), changed: None }
    }

    /// Takes over what became of a file. Gives the keys of which it has or had something.
    fn take_over(&mut self, path: &Arc<Path>, before: Option<&Record>, stock: &Stock<'_>) -> Vec<KeyId> {
        let after = stock.files.get(path).map(Arc::as_ref);
        if let (Some(Content::Parts(before)), Some(Content::Parts(after))) =
            (before.map(|record| &record.content), after.map(|record| &record.content))
            && Arc::ptr_eq(before, after)
        {
            return Vec::new();
        }
        let before = self.usable(path, before, stock).unwrap_or_default();
        self.contradictions.remove(path);
        let after = self.usable(path, after, stock).unwrap_or_default();
        for (key, half) in halves_in(&before) {
            self.halves.remove(&(key, half, Arc::clone(path)));
        }
        self.halves.extend(halves_in(&after).map(|(key, half)| (key, half, Arc::clone(path))));
        let place = self.folders.place(path);
        let lacks = |parts: &Parts, own: &Certificate| {
            !parts.certificates.iter().any(|other| other.fingerprint == own.fingerprint)
        };
        for gone in before.certificates.iter().filter(|own| lacks(&after, own)) {
            self.issuers.remove(gone, place, path);
        }
        for new in after.certificates.iter().filter(|own| lacks(&before, own)) {
            self.issuers.add(new, place, path);
        }
        [before, after].iter().flat_map(|parts| parts.public_keys().copied()).collect()
    }

    /// Adds the keys of all certificates that may have another chain than before.
    fn mind_the_moved(&mut self, stock: &Stock<'_>, keys: &mut HashSet<KeyId>) {
        let moved = self.issuers.moved();
        if moved.is_empty() {
            return;
        }
        let certificates =
            stock.files.values().filter_map(|record| record.parts()).flat_map(|parts| &parts.certificates);
        keys.extend(certificates.filter(|own| moved.contains(own.issuer_name())).map(|own| own.key.id));
        self.basis = Some(Basis::of(stock, &self.issuers));
    }

    /// Pairs these keys anew; gives their pairs, and all problems there are.
    fn pair(&mut self, keys: impl IntoIterator<Item = KeyId>, stock: &Stock<'_>) -> Pairing {
        let ways = self.issuers.trusting(stock.roots, stock.now);
        let (mut all, mut problems) = (Pairing::default(), Vec::new());
        for key in keys {
            let mut pairing = Pairing::default();
            pairing.pair(&key, self.holders(&key, stock).collect(), &ways);
            pairing.sort();
            self.folders.limit(&mut pairing, stock.files);
            all.pairs.append(&mut pairing.pairs);
            problems.push((key, pairing.problems));
        }
        for (key, problems) in problems {
            match problems.is_empty() {
                true => drop(self.problems.remove(&key)),
                false => drop(self.problems.insert(key, problems)),
            }
        }
        stock.roots.judge(&mut all.pairs, stock.now);
        let unfit = self.contradictions.iter().map(|path| (Arc::clone(path), Problem::Unfit(key_mismatch())));
        all.problems.extend(unfit.chain(self.problems.values().flatten().cloned()));
        all.sort();
        all
    }

    /// What a file gives to the pairing; `None` if that is nothing.
    fn usable<'r>(
        &mut self,
        path: &Arc<Path>,
        record: Option<&'r Record>,
        stock: &Stock<'_>,
    ) -> Option<Cow<'r, Parts>> {
        let parts = stock.offer.rest_of(record?.parts()?, self.folders.place(path));
        if contradicts_itself(&parts) {
            self.contradictions.insert(Arc::clone(path));
            return None;
        }
        Some(parts)
    }

    /// What lies in a file; `None` if it cannot be read.
    pub(super) fn file<'l>(&self, path: &Arc<Path>, stock: &'l Stock<'_>) -> Option<FileParts<'l>> {
        let (path, record) = stock.files.get_key_value(path)?;
        let parts = stock.aside.rest_of(path).or_else(|| record.parts())?;
        Some(FileParts { path, parts, folder: self.folders.place(path) })
    }

    fn has_key(&self, key: &KeyId, stock: &Stock<'_>) -> bool {
        stock.offer.has_key(key) || self.halves_of(key).next().is_some_and(|(_, half, _)| *half == Half::Key)
    }

    fn halves_of(&self, key: &KeyId) -> impl Iterator<Item = &(KeyId, Half, Arc<Path>)> {
        static FIRST: LazyLock<Arc<Path>> = LazyLock::new(|| Path::new("").into());
        let key = *key;
        self.halves.range((key, Half::Key, Arc::clone(&FIRST))..).take_while(move |(own, ..)| *own == key)
    }
}

impl Basis {
    fn of(stock: &Stock<'_>, issuers: &Issuers) -> Self {
        let boundary =
            [issuers.next_boundary(stock.now), stock.roots.next_boundary(stock.now)].into_iter().flatten().min();
        Self {
            offered: stock.offer.keys.iter().map(|(key, offered)| (*key, offered.names().into())).collect(),
            aside: stock.offer.aside.clone(),
            roots: stock.roots.clone(),
            good: stock.now..boundary.unwrap_or(i64::MAX),
        }
    }

    fn is_of(&self, stock: &Stock<'_>) -> bool {
        let names = |key: &KeyId| stock.offer.keys.get(key).map(|offered| offered.names());
        let offered = || self.offered.iter().all(|(key, own)| names(key) == Some(own));
        self.good.contains(&stock.now)
            && self.roots.are(stock.roots)
            && self.aside == stock.offer.aside
            && self.offered.len() == stock.offer.keys.len()
            && offered()
    }
}

/// The keys of a file, and those of what may be leaves.
fn halves_in(parts: &Parts) -> impl Iterator<Item = (KeyId, Half)> {
    let keys = parts.keys.iter().map(|key| (key.public.id, Half::Key));
    let leaves = parts.certificates.iter().filter(|certificate| certificate.may_be_leaf());
    keys.chain(leaves.map(|leaf| (leaf.key.id, Half::Certificate)))
}
