//! One certificate in service, with the files that it came from.

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use crate::certs::bundle::{Bundle, Key, entry_like};
use crate::certs::certificate::{Certificate, Fingerprint};
use crate::certs::chain::Voucher;
use crate::certs::flaw::Flaw;
use crate::certs::library::{Leaf, Stored};
use crate::certs::pairing::Pair;
use crate::certs::roots::Roots;
use crate::live::{CertFacts, ServedCert};

/// A certificate in service.
pub(in crate::certs) struct Holding {
    pub(super) bundle: Bundle,
    pub(super) served: Arc<ServedCert>,
    pub(super) key: [u8; 32],
    chain: Box<[Arc<Certificate>]>,
    pub(super) voucher: Voucher,
    /// Since when its issuer's certificate is not in the folder.
    pub(super) orphaned: Option<Instant>,
    certificate_files: Vec<Arc<Path>>,
    key_files: Vec<Arc<Path>>,
    pub(super) state: State,
    pub(super) owner: Owner,
    /// The operator went back from it to a version before: it does not serve.
    pub(super) is_turned_down: bool,
    /// Its authority took it back: it serves where nothing else could.
    pub(super) is_revoked: bool,
    /// Its key, as long as the library does not have it.
    pub(super) unkept: Option<Arc<Key>>,
    /// Seconds since the Unix epoch.
    pub(super) since: i64,
}

/// Who says when it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Whoever deletes its files in the drop folder.
    Folder,
    /// Whoever deletes it from the library.
    Library,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its files are there and good.
    Present,
    /// Its files are there and not good: the last good content serves.
    Kept,
    /// Its files are gone with so many others that it looks like an accident.
    Held { since: Instant },
    /// Its files were deleted. What the operator has confirmed is no accident any more.
    Leaving { since: Instant, confirmed: bool },
}

impl Holding {
    /// `before` is the same certificate out of other files, or with another chain.
    pub(super) fn new(pair: &Pair, before: Option<&Self>, unix: i64) -> Result<Self, Flaw> {
        let bundle = Bundle::new(pair)?;
        let file = &pair.certificate_files[0];
        Ok(Self {
            served: bundle.served(Arc::clone(file), pair.key_files.contains(file)),
            bundle,
            key: pair.key.public.id,
            chain: pair.chain.clone().into(),
            voucher: pair.voucher,
            orphaned: before.and_then(|before| before.orphaned),
            certificate_files: pair.certificate_files.clone(),
            key_files: pair.key_files.clone(),
            state: State::Present,
            owner: Owner::Folder,
            is_turned_down: before.is_some_and(|before| before.is_turned_down),
            is_revoked: before.is_some_and(|before| before.is_revoked),
            unkept: Some(Arc::clone(&pair.key)),
            since: before.map_or(unix, |before| before.since),
        })
    }

    /// One that the library has. The look that follows says whether its files are still there.
    pub(super) fn restored(stored: &Stored) -> Result<Self, Flaw> {
        let (owner, state) =
            if stored.is_dropped { (Owner::Folder, State::Kept) } else { (Owner::Library, State::Present) };
        let is_revoked = stored.is_revoked;
        Ok(Self { owner, state, is_revoked, unkept: None, ..Self::new(&stored.pair, None, stored.record.added)? })
    }

    /// It is told of as lying there.
    pub(super) fn moved_to(&mut self, file: &Path) {
        let facts = CertFacts { file: file.into(), ..self.served.facts.clone() };
        self.served = entry_like(&self.served, facts);
    }

    /// What says which version of what it is.
    pub(super) fn leaf(&self) -> Leaf<'_> {
        Leaf {
            fingerprint: self.bundle.fingerprint(),
            facts: &self.served.facts,
            names: self.bundle.names(),
            key_type: self.bundle.key_type(),
        }
    }

    /// Whether the pair is the one that it was made of, files included.
    pub(super) fn is_of(&self, pair: &Pair) -> bool {
        self.certificate_files == pair.certificate_files
            && self.key_files == pair.key_files
            && self.voucher.issuer() == pair.voucher.issuer()
            && self.served.facts.trusted == pair.is_trusted
            && self.chain.iter().map(|issuer| issuer.fingerprint).eq(pair.chain.iter().map(|issuer| issuer.fingerprint))
    }

    /// Its pair is there and good.
    pub(super) fn is_present_in(&mut self, pair: &Pair, now: Instant) {
        self.state = State::Present;
        self.voucher = pair.voucher;
        self.orphaned = match pair.voucher {
            Voucher::Present(_) | Voucher::Root | Voucher::Itself => None,
            Voucher::Remembered(_) | Voucher::Missing => Some(self.orphaned.unwrap_or(now)),
        };
    }

    /// How far clients believe it, apart from its time: with more only the same or more makes up for it.
    pub(super) fn credit(&self) -> usize {
        let facts = &self.served.facts;
        if facts.trusted { 2 } else { usize::from(facts.vouched) }
    }

    pub(in crate::certs) fn is_valid_at(&self, now: i64) -> bool {
        (self.served.facts.not_before..=self.served.facts.not_after).contains(&now)
    }

    /// Whether its files are there, good or not.
    pub(super) fn has_files(&self) -> bool {
        matches!(self.state, State::Present | State::Kept)
    }

    /// Whether it is withheld from leaving.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.state, State::Held { .. })
    }

    /// The issuer whose certificate is sent on although it is not in the folder any more.
    pub(super) fn leans_on(&self) -> Option<Fingerprint> {
        match (self.state, self.voucher) {
            (State::Present, Voucher::Remembered(issuer)) => Some(issuer),
            _ => None,
        }
    }

    /// When its files went.
    pub(super) fn gone_since(&self) -> Option<Instant> {
        match self.state {
            State::Present | State::Kept => None,
            State::Held { since } | State::Leaving { since, .. } => Some(since),
        }
    }

    pub(in crate::certs) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    pub(in crate::certs) fn certificate_files(&self) -> &[Arc<Path>] {
        &self.certificate_files
    }

    pub(in crate::certs) fn key_files(&self) -> &[Arc<Path>] {
        &self.key_files
    }

    /// Makes the index entry say whether it is leaving, and whether it is trusted at `unix`, seconds since the Unix epoch.
    pub(super) fn refresh(&mut self, roots: &Roots, unix: i64) {
        let facts = &self.served.facts;
        // Of a pair in the folder the last look has said so.
        let trusted = match (self.owner, self.state) {
            (Owner::Folder, State::Present) => facts.trusted,
            _ => roots.trust(self.bundle.leaf(), &self.chain, unix),
        };
        let vouched = self.voucher.makes_whole() || trusted;
        let (in_grace, held, revoked) = (matches!(self.state, State::Leaving { .. }), self.is_held(), self.is_revoked);
        let told = (facts.in_grace, facts.held, facts.trusted, facts.vouched, facts.revoked);
        if told != (in_grace, held, trusted, vouched, revoked) {
            let facts = CertFacts { in_grace, held, trusted, vouched, revoked, ..facts.clone() };
            self.served = entry_like(&self.served, facts);
        }
    }
}
