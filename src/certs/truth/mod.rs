//! Whether what is published is what clients are shown: handshakes with our own listeners, compared with the index.
//!
//! Everything else the house tells of certificates comes from the index. This looks from outside: what has changed at once, and
//! everything in turn ([`plan`]), each listener twice a minute ([`doors`]), with a client that takes any certificate ([`client`]), and keeps what it found ([`record`]).

mod callers;
mod client;
mod doors;
mod onlooker;
mod plan;
mod record;
mod shown;
mod strangers;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

use crate::live::{CertIndex, Choice, Live, OwnCheck, Publisher, RouteTable, ServedCert, WellKnown};
use crate::name::{HostName, HostPattern};
use crate::shutdown::Lifecycle;
use crate::telemetry::{TruthResult, printable};
use crate::words::instead::Instead;
use callers::Callers;
use client::{Answer, Client};
use doors::Doors;
use plan::{Errand, Next, Plan};
use record::{Finding, Of};
use shown::ShownCheck;
use strangers::OwnSockets;

pub use client::Offer;
pub use onlooker::{Appearance, Onlooker};
pub use record::{Checked, Contradiction, Truth};

/// What is checked, and against what.
pub struct TruthCheck {
    /// Where the edge really listens for HTTPS.
    pub listeners: Vec<SocketAddr>,
    /// The inodes of the sockets that listen there.
    pub own_sockets: Vec<u64>,
    /// Where it listens for plain HTTP.
    pub plain: Vec<SocketAddr>,
    /// What sites show below `/.well-known/`.
    pub well_known: Live<WellKnown>,
    /// What is published.
    pub certificates: Live<CertIndex>,
    /// Whose hosts are asked for.
    pub routes: Live<RouteTable>,
    /// The name whose certificate those get that ask for a name nobody serves, as it is now; `None`: they are refused.
    pub default_host: Box<dyn Fn() -> Option<HostName> + Send + Sync>,
    /// Where the workers read which connections are checks.
    pub own: Publisher<OwnCheck>,
}

impl TruthCheck {
    /// Checks until the edge drains, and keeps what it finds in `truth`.
    pub async fn run(self, truth: Truth, mut lifecycle: Lifecycle) {
        let callers = Callers::new(self.own);
        let shown = ShownCheck {
            https: self.listeners.clone(),
            http: self.plain,
            well_known: self.well_known,
            routes: self.routes.clone(),
            truth: truth.clone(),
            callers: callers.clone(),
        };
        let Self { listeners, own_sockets, certificates, routes, default_host, .. } = self;
        let own = OwnSockets { listeners: listeners.clone(), inodes: own_sockets.into_iter().collect() };
        let sources = Sources { listeners, certificates, routes, default_host };
        let mut checker = match Checker::new(sources, own, callers, truth) {
            Ok(checker) => checker,
            Err(error) => {
                tracing::error!(%error, "no TLS client can be set up; what is served is not checked");
                return;
            }
        };
        tokio::select! {
            _ = lifecycle.draining() => {}
            () = checker.go() => {}
            () = shown.run() => {}
        }
    }
}

/// What the hot path decides by, as it was at one moment.
struct Published {
    index: Arc<CertIndex>,
    default_host: Option<HostName>,
}

impl Published {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.index, &other.index) && self.default_host == other.default_host
    }

    /// What serves whoever asks for `name`.
    fn find(&self, name: &str) -> Option<&Choice> {
        self.index.find(name).or_else(|| self.default())
    }

    /// Whether `host` is served by something else than in `before`.
    fn differs(&self, before: &Self, host: &HostPattern) -> bool {
        let (now, then) = [self, before].map(|at| at.index.find_pattern(host).or_else(|| at.default())).into();
        match (now, then) {
            (Some(now), Some(then)) => !now.shows_the_same_as(then),
            (now, then) => now.is_some() != then.is_some(),
        }
    }

    fn default(&self) -> Option<&Choice> {
        self.default_host.as_ref().and_then(|host| self.index.find(host.as_str()))
    }
}

struct Checker {
    check: Sources,
    client: Client,
    truth: Truth,
    plan: Plan,
    doors: Doors,
    /// What was looked at last for changes.
    seen: Option<(Arc<Published>, Arc<RouteTable>)>,
}

/// Of [`TruthCheck`] what is read.
struct Sources {
    listeners: Vec<SocketAddr>,
    certificates: Live<CertIndex>,
    routes: Live<RouteTable>,
    default_host: Box<dyn Fn() -> Option<HostName> + Send + Sync>,
}

impl Sources {
    fn published(&self) -> Published {
        Published { index: self.certificates.snapshot(), default_host: (self.default_host)() }
    }
}

impl Checker {
    fn new(check: Sources, own: OwnSockets, callers: Callers, truth: Truth) -> Result<Self, rustls::Error> {
        let (client, doors) = (Client::new(callers)?, Doors::new(own, Instant::now()));
        Ok(Self { check, client, truth, plan: Plan::default(), doors, seen: None })
    }

    async fn go(&mut self) {
        while self.look().await {
            self.glance(Instant::now()).await;
            let now = Instant::now();
            match self.plan.next(now) {
                Next::Check(errand) => self.run_errand(errand).await,
                Next::Rest(until) => sleep_until(until.min(now + LOOK).min(self.doors.due(now))).await,
            }
        }
    }

    /// Looks whether something else is published than before, and plans for it. False: the edge ends.
    async fn look(&mut self) -> bool {
        let (published, routes) = (self.check.published(), self.check.routes.snapshot());
        if let Some((before, at)) = &self.seen
            && before.is(&published)
            && Arc::ptr_eq(at, &routes)
        {
            return true;
        }
        let published = Arc::new(published);
        let before = self.seen.replace((Arc::clone(&published), Arc::clone(&routes)));
        let (truth, mut plan) = (self.truth.clone(), std::mem::take(&mut self.plan));
        // Looking at some hundred thousand names takes tens of milliseconds: not where the operator is attended to.
        let planned = tokio::task::spawn_blocking(move || {
            let now = Instant::now();
            if !before.as_ref().is_some_and(|(_, at)| Arc::ptr_eq(at, &routes)) {
                truth.adopt(&routes, |host| plan::asked_for(host).is_some(), now);
                plan.adopt(&routes, now);
            }
            if let Some((before, _)) = before {
                plan.hasten(|host| published.differs(&before, host));
            }
            plan
        });
        match planned.await {
            Ok(plan) => self.plan = plan,
            Err(_) => return false,
        }
        true
    }

    async fn run_errand(&mut self, errand: Errand) {
        let listeners = self.check.listeners.len();
        let Some(listener) = self.check.listeners.get(self.plan.listener(errand, listeners)).copied() else { return };
        let Some(name) = plan::asked_for(self.plan.host(errand).1) else { return };
        match self.check(listener, &name).await {
            Some(findings) => self.note(errand, findings),
            None => self.plan.again(errand, Instant::now() + AGAIN),
        }
    }

    /// Takes over what was found, and has it looked at again where something is wrong.
    fn note(&mut self, errand: Errand, findings: Vec<Finding>) {
        let enough = match self.doors.are_shared() {
            true => u32::MAX,
            false => GOOD_IN_A_ROW.max(u32::try_from(2 * self.check.listeners.len()).unwrap_or(u32::MAX)),
        };
        let (site, host) = self.plan.host(errand);
        let of = Of { site: &site.name, label: &site.label(), host, enough };
        if self.truth.note(of, findings, unix()) {
            self.plan.again(errand, Instant::now() + AGAIN);
        }
    }

    /// One handshake for each type of key by which `name` is served. `None`: what is published changed too often meanwhile.
    async fn check(&self, listener: SocketAddr, name: &str) -> Option<Vec<Finding>> {
        for _ in 0..ATTEMPTS {
            let published = self.check.published();
            let expected: Vec<(Offer, Option<Arc<ServedCert>>)> = match published.find(name) {
                Some(choice) => {
                    choice.iter().map(|served| (Offer::of(served.key_type), Some(Arc::clone(served)))).collect()
                }
                None => vec![(Offer::Any, None)],
            };
            let mut findings = Vec::new();
            for (offer, served) in &expected {
                let answer = self.client.ask(listener, name, *offer).await;
                findings.push(compared(listener, *offer, served.as_deref(), answer));
            }
            // Only what was published all the time can be held against what was shown.
            let is_right = |finding: &Finding| finding.result == TruthResult::Match;
            if findings.iter().all(is_right) || self.check.published().is(&published) {
                return Some(findings);
            }
        }
        None
    }
}

fn compared(listener: SocketAddr, offer: Offer, expected: Option<&ServedCert>, answer: Answer) -> Finding {
    let short = |fingerprint: &str| fingerprint.get(..SHORT).unwrap_or(fingerprint).to_owned();
    let at = || listener.to_string();
    let (result, wrong) = match (expected, answer) {
        (Some(served), Answer::Shown(fingerprint)) if *fingerprint == *served.facts.fingerprint => {
            (TruthResult::Match, None)
        }
        (None, Answer::Refused(_)) => (TruthResult::Match, None),
        (Some(served), Answer::Shown(fingerprint)) => {
            let (key, file) = (served.key_type.label().to_owned(), printable(&served.facts.file.to_string_lossy()));
            let (shown, published) = (short(&fingerprint), short(&served.facts.fingerprint));
            let wrong = Instead::OtherCertificate { listener: at(), key, shown, published, file };
            (TruthResult::Mismatch, Some(wrong))
        }
        (None, Answer::Shown(fingerprint)) => {
            let wrong = Instead::UnpublishedCertificate { listener: at(), shown: short(&fingerprint) };
            (TruthResult::Mismatch, Some(wrong))
        }
        (_, Answer::Refused(text)) => (TruthResult::Refused, Some(Instead::NoCertificate { listener: at(), text })),
        (_, Answer::Silent(text)) => (TruthResult::NoAnswer, Some(Instead::NoCertificate { listener: at(), text })),
        (_, Answer::Invalid(text)) => (TruthResult::Invalid, Some(Instead::NoCertificate { listener: at(), text })),
    };
    Finding { offer, expected: expected.map(|served| served.facts.fingerprint.clone()), result, wrong }
}

fn unix() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

/// How often the tables are looked at, which tell nobody that they have changed: a look is a comparison of two pointers.
const LOOK: Duration = Duration::from_millis(250);
/// When something that is wrong is looked at again: an operator who mends it waits for the answer.
const AGAIN: Duration = Duration::from_secs(2);
/// A second process on the port of one worker would have to lose six tosses of a coin to pass for gone.
const GOOD_IN_A_ROW: u32 = 6;
/// A handshake takes milliseconds, and between two publishes lie tens of them.
const ATTEMPTS: usize = 3;
/// As much of a fingerprint as a person compares.
const SHORT: usize = 16;
