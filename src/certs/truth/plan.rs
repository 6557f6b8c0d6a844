//! Which host is checked next, and when: what has changed at once, all sites in turn, and never so many that it shows.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::DnsName;
use tokio::time::Instant;

use crate::live::{RouteTable, Site};
use crate::name::HostPattern;

/// A host that is to be checked, by its place in the sites that are planned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Errand {
    site: usize,
    host: usize,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Check(Errand),
    /// Nothing, until then.
    Rest(Instant),
}

/// The order of checks.
#[derive(Default)]
pub(super) struct Plan {
    sites: Vec<Standing>,
    /// Who has not been checked for longest comes first.
    order: BTreeSet<(u64, usize)>,
    turns: u64,
    urgent: VecDeque<Errand>,
    /// What is in `urgent`, so that nothing is there twice.
    waiting: HashSet<Errand>,
    again: BTreeSet<(Instant, Errand)>,
    /// What is in `again`, likewise.
    expected: HashSet<Errand>,
    /// When the next site of the round is due.
    round: Option<Instant>,
    last_of_round: Option<Instant>,
    last_urgent: Option<Instant>,
    was_urgent: bool,
}

/// How far a site is.
struct Standing {
    site: Arc<Site>,
    /// The places of the hosts that a client can ask for.
    hosts: Vec<usize>,
    turn: u64,
    /// How often it had its turn.
    rounds: usize,
    /// How often it was checked besides.
    besides: usize,
}

impl Plan {
    /// Plans for these sites. Those that were known keep their turn; hosts that were not are urgent.
    pub(super) fn adopt(&mut self, routes: &RouteTable, now: Instant) {
        let pending = self.waiting.iter().chain(&self.expected);
        let pending: HashSet<HostPattern> = pending.map(|errand| self.host(*errand).1.clone()).collect();
        let old = std::mem::take(&mut self.sites);
        let known: HashSet<&HostPattern> = old.iter().flat_map(|standing| &standing.site.hosts).collect();
        let standings: HashMap<&str, &Standing> = old.iter().map(|standing| (&*standing.site.name, standing)).collect();
        self.urgent.clear();
        self.waiting.clear();
        self.again.clear();
        self.expected.clear();
        self.order.clear();
        for (place, site) in routes.sites().iter().enumerate() {
            let hosts = (0..site.hosts.len()).filter(|host| asked_for(&site.hosts[*host]).is_some()).collect();
            let before = standings.get(&*site.name);
            let (turn, rounds, besides) =
                before.map_or((0, 0, 0), |standing| (standing.turn, standing.rounds, standing.besides));
            self.sites.push(Standing { site: Arc::clone(site), hosts, turn, rounds, besides });
            if !self.sites[place].hosts.is_empty() {
                self.order.insert((turn, place));
            }
        }
        self.hasten(|host| pending.contains(host) || !known.contains(host));
        // The first of the round comes when what is new has had time to be checked besides.
        let gap = self.gap();
        self.round = Some(self.round.map_or(now + gap, |round| round.min(now + gap)));
    }

    /// Makes the hosts urgent that are chosen.
    pub(super) fn hasten(&mut self, chosen: impl Fn(&HostPattern) -> bool) {
        for (site, standing) in self.sites.iter().enumerate() {
            for host in standing.hosts.iter().filter(|host| chosen(&standing.site.hosts[**host])) {
                let errand = Errand { site, host: *host };
                if self.waiting.insert(errand) {
                    self.urgent.push_back(errand);
                }
            }
        }
    }

    /// What is to be done at `now`. What is given to be checked has had its turn.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        while let Some((_, errand)) = self.again.first().filter(|(due, _)| *due <= now).copied() {
            self.again.pop_first();
            self.expected.remove(&errand);
            self.hurry(errand);
        }
        let (round, urgent) = (self.oldest(), self.first_urgent(now));
        let errand = match (round.filter(|(due, _)| *due <= now), urgent.filter(|(due, _)| *due <= now)) {
            // Neither keeps the other from being done, however long a check takes.
            (Some((_, site)), urgent) if self.was_urgent || urgent.is_none() => self.in_round(site, now),
            (_, Some((_, errand))) => self.in_haste(errand, now),
            (_, None) => {
                let again = self.again.first().map(|(due, _)| *due);
                let next = [round.map(|(due, _)| due), urgent.map(|(due, _)| due), again].into_iter().flatten().min();
                return Next::Rest(next.unwrap_or(now + ROUND));
            }
        };
        self.turns += 1;
        let standing = &mut self.sites[errand.site];
        self.order.remove(&(standing.turn, errand.site));
        standing.turn = self.turns;
        self.order.insert((standing.turn, errand.site));
        Next::Check(errand)
    }

    /// Has a host checked once more.
    pub(super) fn again(&mut self, errand: Errand, due: Instant) {
        if !self.waiting.contains(&errand) && self.expected.insert(errand) {
            self.again.insert((due, errand));
        }
    }

    /// The host of an errand, with its site.
    pub(super) fn host(&self, errand: Errand) -> (&Arc<Site>, &HostPattern) {
        let site = &self.sites[errand.site].site;
        (site, &site.hosts[errand.host])
    }

    /// Every host that can be asked for, in the order of the sites.
    pub(super) fn hosts(&self) -> impl Iterator<Item = Errand> {
        let of = |(site, standing): (usize, &Standing)| -> Vec<Errand> {
            standing.hosts.iter().map(|host| Errand { site, host: *host }).collect()
        };
        self.sites.iter().enumerate().flat_map(of)
    }

    /// Through which of so many listeners: in turn, and each host through each.
    pub(super) fn listener(&self, errand: Errand, listeners: usize) -> usize {
        let standing = &self.sites[errand.site];
        (standing.rounds / standing.hosts.len().max(1) + standing.besides) % listeners.max(1)
    }

    /// The site that has waited for longest, and when it is due.
    fn oldest(&self) -> Option<(Instant, usize)> {
        let (due, (_, site)) = (self.round?, *self.order.first()?);
        Some((self.last_of_round.map_or(due, |last| due.max(last + PACE)), site))
    }

    /// What has been urgent for longest, and when it is due. What the round has done meanwhile is not urgent any more.
    fn first_urgent(&mut self, now: Instant) -> Option<(Instant, Errand)> {
        while self.urgent.front().is_some_and(|errand| !self.waiting.contains(errand)) {
            self.urgent.pop_front();
        }
        let errand = *self.urgent.front()?;
        Some((self.last_urgent.map_or(now, |last| last + PACE), errand))
    }

    fn hurry(&mut self, errand: Errand) {
        if self.waiting.insert(errand) {
            self.urgent.push_back(errand);
        }
    }

    fn in_haste(&mut self, errand: Errand, now: Instant) -> Errand {
        self.urgent.pop_front();
        self.waiting.remove(&errand);
        self.sites[errand.site].besides += 1;
        (self.last_urgent, self.was_urgent) = (Some(now), true);
        errand
    }

    /// The next of the site's hosts.
    fn in_round(&mut self, site: usize, now: Instant) -> Errand {
        let next = self.round.map(|due| due + self.gap());
        // Who could not check for long does not make up for all of it.
        self.round = next.max(now.checked_sub(ROUND));
        (self.last_of_round, self.was_urgent) = (Some(now), false);
        let standing = &mut self.sites[site];
        let errand = Errand { site, host: standing.hosts[standing.rounds % standing.hosts.len()] };
        standing.rounds += 1;
        self.waiting.remove(&errand);
        errand
    }

    /// From one site of the round to the next.
    fn gap(&self) -> Duration {
        let sites = u32::try_from(self.order.len()).unwrap_or(u32::MAX).max(1);
        // A tenth is left for checks that take long.
        ROUND.max(SHARE * sites) / sites * 9 / 10
    }
}

/// The name by which a client asks for a host: of a wildcard, one that nobody has a certificate for. `None`: TLS has no room
/// for such a name, so that no client can.
pub(super) fn asked_for(host: &HostPattern) -> Option<String> {
    let name = match host {
        HostPattern::Exact(name) => name.to_string(),
        HostPattern::Wildcard(base) => format!("{MADE_UP}.{base}"),
    };
    DnsName::try_from(name.as_str()).is_ok().then_some(name)
}

/// Every site is checked within this time, however few they are.
const ROUND: Duration = Duration::from_secs(10 * 60);
/// Where that would be too many checks a second, each site adds so much to it: an hour for 100,000 sites.
const SHARE: Duration = Duration::from_millis(36);
/// From one check of the round to the next at least, and the same for what is urgent: some hundredths of one processor. It is
/// below what [`SHARE`] leaves between two sites.
pub(super) const PACE: Duration = Duration::from_millis(32);
/// Says in a log of the other end what this is.
const MADE_UP: &str = "vitrine-truth-check";

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
