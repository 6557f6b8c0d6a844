//! What the hot path reads: immutable tables, replaced whole.
//!
//! A table has one [`Publisher`] and any number of [`Live`] readers. Whoever wants to change a table builds a new one, checks
//! it, and publishes it last; a reader sees the old or the new one, never a mixture, and never waits.

mod cert_index;
mod certified;
mod challenges;
mod course;
mod courtesy;
mod facts;
mod fields;
mod name_table;
mod named_file;
mod on_demand;
mod order_spec;
mod own_check;
mod policy;
mod route_table;
mod unknown_names;
mod upstream;
mod well_known;

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache, Guard};

pub use cert_index::{CertIndex, Choice, KeyType, ServedCert};
pub use certified::{Certified, signing_key};
pub use challenges::Challenges;
pub use course::{Course, Target, Visitor};
pub use courtesy::Courtesy;
pub use facts::{CertFacts, CertTraits, ValidationLevel};
pub use fields::{has_underscore, is_about_client_certificate, is_claim, is_hop_by_hop};
pub use named_file::NamedFile;
pub use on_demand::OnDemand;
pub use order_spec::{BeforeIssue, OrderSpec, OrderedKey};
pub use own_check::OwnCheck;
pub use policy::{
    Access, ClientCheck, ClientDemands, Coding, Compression, Connections, Demands, ErrorPages, FieldRules, Hsts,
    Maintenance, OwnLimits, Policy, RETRY_AFTER, RateLimit, Redirect, RedirectTarget, Redirects, RoutePolicy,
    TlsVersion, Www, https_origin,
};
pub use route_table::{Provision, Route, RouteTable, Site, SiteSpec, contains};
pub use unknown_names::{UnknownName, UnknownNames, unknown_names};
pub use upstream::{
    Balance, BalanceMethod, Care, Check, Condition, Cookies, Finder, Full, GroupSpec, Kept, LONGEST_REST, Lever, Load,
    MOST_WEIGHT, Member, MemberSpec, OpenLimit, Place, ProxyVersion, Queue, Speech, Sticky, StickyKey, TlsTerms,
    Upstream, UpstreamAddress, UpstreamGroup, UpstreamState, UpstreamStates, UpstreamTls, Waiting, Whereabouts, bid,
    is_own_listener, number_of,
};
pub use well_known::{WellKnown, WellKnownObject};

/// Makes the two halves of a table, with its first content.
pub fn table<T>(first: T) -> (Publisher<T>, Live<T>) {
    let shared = Arc::new(ArcSwap::from_pointee(first));
    (Publisher { shared: Arc::clone(&shared), replaced: Vec::new() }, Live(shared))
}

/// The one half that can replace the table.
pub struct Publisher<T> {
    shared: Arc<ArcSwap<T>>,
    /// Tables that readers may still have: taking a large one apart takes milliseconds, which is not their work.
    replaced: Vec<Arc<T>>,
}

impl<T> Publisher<T> {
    /// Replaces the table; readers that come later see the new one.
    pub fn publish(&mut self, next: impl Into<Arc<T>>) {
        let old = self.shared.swap(next.into());
        self.replaced.push(old);
        self.let_go();
    }

    /// Takes those tables apart that no reader has any more. To be called now and then: a reader that waits for something has the
    /// table of its last look.
    pub fn let_go(&mut self) {
        self.replaced.retain(|old| Arc::strong_count(old) > 1);
    }

    /// What is published now, for building the next.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.shared.load_full()
    }
}

/// The half that reads.
pub struct Live<T>(Arc<ArcSwap<T>>);

impl<T> Live<T> {
    /// The table as it is now, for a look that ends before the next await.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<T>> {
        self.0.load()
    }

    /// The table as it is now, to keep.
    #[must_use]
    pub fn snapshot(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// A reader of one thread's own, for which an unchanged table costs one comparison.
    #[must_use]
    pub fn cached(&self) -> Cached<T> {
        Cached(Cache::new(Arc::clone(&self.0)))
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A [`Live`] that remembers what it saw last; each worker has its own.
pub struct Cached<T>(Cache<Arc<ArcSwap<T>>, Arc<T>>);

impl<T> Cached<T> {
    /// The table as it is now.
    pub fn load(&mut self) -> &Arc<T> {
        self.0.load()
    }
}
