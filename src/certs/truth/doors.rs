//! A glance at each listener every half minute, whoever is behind it: what changes there without a change of certificates is not to wait
//! for its site's turn in the round.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::plan::Errand;
use super::strangers::{OwnSockets, Stranger};
use super::{Checker, TruthResult, plan};

/// When who is asked, and who is known to be in the way.
pub(super) struct Doors {
    own: Arc<OwnSockets>,
    next: Instant,
    /// Where to ask, and how many times yet.
    due: VecDeque<(SocketAddr, usize)>,
    strangers: Vec<Stranger>,
}

impl Doors {
    pub(super) fn new(own: OwnSockets, now: Instant) -> Self {
        Self { own: Arc::new(own), next: now + GLANCE, due: VecDeque::new(), strangers: Vec::new() }
    }

    /// Whether somebody else takes connections: then that some were answered well proves nothing.
    pub(super) fn are_shared(&self) -> bool {
        !self.strangers.is_empty()
    }

    /// When the next one is to be asked.
    pub(super) fn due(&self, now: Instant) -> Instant {
        if self.due.is_empty() { self.next } else { now + plan::PACE }
    }

    /// Takes over who listens. Our own listeners are asked once: of somebody who alone gets what is sent there one connection is enough.
    fn plan(&mut self, strangers: Vec<Stranger>, now: Instant) {
        for stranger in strangers.iter().filter(|stranger| !self.strangers.contains(stranger)) {
            let Stranger { at, among } = stranger;
            tracing::warn!(address = %at, "another process listens where the edge does, one of {among} sockets; {NAMED}");
        }
        self.due = self.own.listeners.iter().map(|listener| (*listener, 1)).collect();
        self.due.extend(strangers.iter().map(|stranger| (stranger.at, (stranger.among * SURELY).min(MOST))));
        (self.strangers, self.next) = (strangers, now + GLANCE);
    }

    /// The next to be asked; one of those that are asked many times until the answer is wrong.
    fn take(&mut self) -> Option<SocketAddr> {
        let (at, times) = self.due.front_mut()?;
        let at = *at;
        *times -= 1;
        if *times == 0 {
            self.due.pop_front();
        }
        Some(at)
    }

    fn is_met(&mut self, met: SocketAddr) {
        self.due.retain(|(at, _)| *at != met);
    }
}

impl Checker {
    /// Looks who listens, or asks one of them for a name that is known. What is wrong is noted; that all is well says the round.
    pub(super) async fn glance(&mut self, now: Instant) {
        if self.doors.due.is_empty() {
            if now < self.doors.next {
                return;
            }
            let own = Arc::clone(&self.doors.own);
            let strangers = tokio::task::spawn_blocking(move || own.strangers()).await.unwrap_or_default();
            self.doors.plan(strangers, now);
        }
        let (Some(errand), Some(listener)) = (self.known(), self.doors.take()) else { return };
        let Some(name) = plan::asked_for(self.plan.host(errand).1) else { return };
        let Some(findings) = self.check(listener, &name).await else { return };
        if findings.iter().any(|finding| finding.result != TruthResult::Match) {
            self.doors.is_met(listener);
            self.note(errand, findings);
        }
    }

    /// A host that is served, or where none is, one that is to be refused.
    fn known(&self) -> Option<Errand> {
        let published = self.check.published();
        let is_served = |errand: &Errand| published.index.find_pattern(self.plan.host(*errand).1).is_some();
        self.plan.hosts().find(is_served).or_else(|| self.plan.hosts().next())
    }
}

/// Half of what may pass from a fault to its gauge.
const GLANCE: Duration = Duration::from_secs(30);
/// So many times as often as there are sockets: who has one of them is missed once in 3,000 glances.
const SURELY: usize = 8;
/// Not longer than until the next glance.
const MOST: usize = 512;
const NAMED: &str = "`ss -tlnp` names it";
