//! What checks have found: of each host when and what, of each site how long ago, and what is wrong now.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::client::Offer;
use crate::live::{KeyType, RouteTable};
use crate::name::HostPattern;
use crate::telemetry::{Label, TruthResult};
use crate::words::instead::{Instead, Shown};

/// What is known of what is really served; for lists, alarms and gauges. Clones show the same.
#[derive(Clone, Default)]
pub struct Truth(Arc<Mutex<Record>>);

/// The last check of a host and a type of key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Seconds since the Unix epoch.
    pub at: i64,
    /// What is wrong; `None`: what is published is served.
    pub fault: Option<Instead>,
}

/// A host that is served another certificate than the published one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// Which, what is served instead, and what to do.
    pub message: String,
    /// What is served instead; `None`: the message stands for many.
    pub shown: Option<Shown>,
    /// Seconds since the Unix epoch.
    pub since: i64,
}

impl Truth {
    /// The last check of the certificate with this fingerprint as the one that serves `host`; `None`: not yet.
    #[must_use]
    pub fn of_certificate(&self, host: &HostPattern, key_type: KeyType, fingerprint: &str) -> Option<Checked> {
        let record = self.lock();
        let offer = Offer::of(key_type);
        let seen = record.hosts.get(host)?.iter().find(|seen| seen.offer == offer)?;
        (seen.expected == Some(shortened(fingerprint))).then(|| record.checked(host, seen))
    }

    /// The last check of a host, with the first that is wrong.
    #[must_use]
    pub fn of_host(&self, host: &HostPattern) -> Option<Checked> {
        let record = self.lock();
        let checks = record.hosts.get(host)?.iter().map(|seen| record.checked(host, seen));
        checks.reduce(|first, next| Checked { at: first.at.max(next.at), fault: first.fault.or(next.fault) })
    }

    /// How long ago the check of the site was that is the longest ago. A site that was never checked counts from when it came.
    #[must_use]
    pub fn age(&self) -> Duration {
        let oldest = self.lock().sites.values().min().copied();
        oldest.map_or(Duration::ZERO, |oldest| oldest.elapsed())
    }

    /// How many handshakes had which result.
    #[must_use]
    pub fn checks(&self) -> Vec<(&'static str, u64)> {
        let counts = self.lock().counts;
        TruthResult::ALL.iter().map(|result| (result.label(), counts[result.index()])).collect()
    }

    /// The labels of the sites of which a host is served another certificate than the published one.
    #[must_use]
    pub fn contradicted_sites(&self) -> HashSet<String> {
        let record = self.lock();
        record.contradictions().map(|(_, fault)| fault.site.clone()).collect()
    }

    /// What is wrong with each site of which a host is served another certificate than the published one, by its label: the first of
    /// its hosts.
    #[must_use]
    pub fn contradicted(&self) -> HashMap<String, Contradiction> {
        let mut contradicted = HashMap::new();
        for (host, fault) in self.lock().contradictions() {
            contradicted.entry(fault.site.clone()).or_insert_with(|| fault.told(host));
        }
        contradicted
    }

    /// All that are served another certificate than the published one, in order of their hosts; the last may stand for many.
    #[must_use]
    pub fn contradictions(&self) -> Vec<Contradiction> {
        let record = self.lock();
        let told = record.contradictions().take(LISTED).map(|(host, fault)| fault.told(host));
        let mut listed: Vec<_> = told.collect();
        let more: Vec<i64> = record.contradictions().skip(LISTED).map(|(_, fault)| fault.since).collect();
        if let Some(since) = more.iter().min() {
            let message = format!("{} more; `vitrine sites list` shows which", more.len());
            listed.push(Contradiction { message, shown: None, since: *since });
        }
        listed
    }

    /// Whether each site that has something to show below `/.well-known/` shows it, by its label.
    #[must_use]
    pub fn shown(&self) -> HashMap<String, bool> {
        self.lock().shown.iter().map(|(site, fault)| (site.clone(), fault.is_none())).collect()
    }

    /// All sites that do not show what they should, in order of their labels.
    #[must_use]
    pub fn not_shown(&self) -> Vec<Contradiction> {
        let told = |(site, fault): (&String, &Option<Hidden>)| {
            let told = hidden(fault.as_ref()?);
            Some(Contradiction { message: format!("{site} does not show what it should: {}", told.message), ..told })
        };
        self.lock().shown.iter().filter_map(told).take(LISTED).collect()
    }

    /// What is wrong with each site that does not show what it should, by its label.
    #[must_use]
    pub fn hidden(&self) -> HashMap<String, Contradiction> {
        let told = |(site, fault): (&String, &Option<Hidden>)| Some((site.clone(), hidden(fault.as_ref()?)));
        self.lock().shown.iter().filter_map(told).collect()
    }

    /// Forgets the sites that have nothing to show any more.
    pub(super) fn expect_shown<'a>(&self, sites: impl Iterator<Item = &'a str>) {
        let sites: HashSet<&str> = sites.collect();
        self.lock().shown.retain(|site, _| sites.contains(site.as_str()));
    }

    /// Takes over what is wrong with what a site shows, if anything is.
    pub(super) fn note_shown(&self, site: &str, fault: Option<Instead>, unix: i64) {
        let mut record = self.lock();
        let before = record.shown.get(site).cloned().flatten();
        match (&before, &fault) {
            (None, Some(reason)) => tracing::error!(site, "a site does not show what it should: {reason}"),
            (Some(_), None) => tracing::info!(site, "the site shows what it should again"),
            _ => {}
        }
        let since = before.map_or(unix, |(_, since)| since);
        record.shown.insert(site.to_owned(), fault.map(|reason| (reason, since)));
    }

    /// Forgets what belongs to no site any more, and waits for those that are new.
    pub(super) fn adopt(&self, routes: &RouteTable, checkable: impl Fn(&HostPattern) -> bool, now: Instant) {
        let hosts: HashSet<&HostPattern> = routes.sites().iter().flat_map(|site| &site.hosts).collect();
        let mut record = self.lock();
        let mut known = std::mem::take(&mut record.sites);
        let sites = routes.sites().iter().filter(|site| site.hosts.iter().any(&checkable));
        record.sites = sites.map(|site| (site.name.clone(), known.remove(&site.name).unwrap_or(now))).collect();
        record.hosts.retain(|host, _| hosts.contains(host));
        record.faults.retain(|(host, _), _| hosts.contains(host));
    }

    /// Takes over what a check of all that serves `host` has found. True: it is to be made again soon.
    pub(super) fn note(&self, of: Of<'_>, findings: Vec<Finding>, unix: i64) -> bool {
        let mut record = self.lock();
        let record = &mut *record;
        let proven = findings.iter().all(|finding| finding.result.compares());
        if let Some(checked) = record.sites.get_mut(of.site).filter(|_| proven) {
            *checked = Instant::now();
        }
        // What is not published for the host any more is not wrong either.
        record.faults.retain(|(host, offer), fault| {
            let stays = host != of.host || findings.iter().any(|finding| finding.offer == *offer);
            if !stays {
                fault.end(host);
            }
            stays
        });
        let mut again = false;
        for finding in &findings {
            record.counts[finding.result.index()] += 1;
            again |= record.judge(&of, finding, unix);
        }
        let seen = |finding: Finding| Seen {
            offer: finding.offer,
            expected: finding.expected.as_deref().map(shortened),
            at: unix,
        };
        record.hosts.insert(of.host.clone(), findings.into_iter().map(seen).collect());
        again
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was checked.
pub(super) struct Of<'a> {
    pub(super) site: &'a str,
    /// What the metric calls the site.
    pub(super) label: &'a str,
    pub(super) host: &'a HostPattern,
    /// After how many good checks in a row a mismatch is over.
    pub(super) enough: u32,
}

/// What came of one handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) offer: Offer,
    /// The fingerprint of the published certificate; `None`: none is.
    pub(super) expected: Option<Box<str>>,
    pub(super) result: TruthResult,
    /// What is wrong; `None` where nothing is.
    pub(super) wrong: Option<Instead>,
}

#[derive(Default)]
struct Record {
    hosts: HashMap<HostPattern, Vec<Seen>>,
    /// When each site was last seen to be served or not served what is published, by its name.
    sites: HashMap<Box<str>, Instant>,
    faults: BTreeMap<(HostPattern, Offer), Fault>,
    counts: [u64; TruthResult::ALL.len()],
    /// What is wrong with what each site shows below `/.well-known/`, and since when, by its label.
    shown: BTreeMap<String, Option<Hidden>>,
}

/// What a site does not show, and since when.
type Hidden = (Instead, i64);

fn hidden((instead, since): &Hidden) -> Contradiction {
    let (message, shown) = (instead.to_string(), Some(Shown { host: None, instead: instead.clone() }));
    Contradiction { message, shown, since: *since }
}

/// There are as many as names: small.
struct Seen {
    offer: Offer,
    expected: Option<u64>,
    at: i64,
}

/// Something that is wrong now.
struct Fault {
    result: TruthResult,
    site: String,
    wrong: Instead,
    since: i64,
    /// Good checks in a row since then.
    good: u32,
    /// Whether the log says that it began, so that it says that it ended too.
    told: bool,
}

impl Record {
    fn contradictions(&self) -> impl Iterator<Item = (&HostPattern, &Fault)> {
        let faults = self.faults.iter().filter(|(_, fault)| fault.result == TruthResult::Mismatch);
        faults.map(|((host, _), fault)| (host, fault))
    }

    fn checked(&self, host: &HostPattern, seen: &Seen) -> Checked {
        // Mostly there is none, and a list asks for every name.
        let fault = if self.faults.is_empty() { None } else { self.faults.get(&(host.clone(), seen.offer)) };
        Checked { at: seen.at, fault: fault.map(|fault| fault.wrong.clone()) }
    }

    /// Begins, keeps or ends a fault. True: it lasts.
    fn judge(&mut self, of: &Of<'_>, finding: &Finding, unix: i64) -> bool {
        let place = (of.host.clone(), finding.offer);
        let Some(fault) = self.faults.get_mut(&place) else {
            if let Some(wrong) = &finding.wrong {
                let told = self.faults.len() < TOLD;
                let fault = Fault::begin(of, (finding.result, wrong), unix, told);
                self.faults.insert(place, fault);
            }
            return finding.wrong.is_some();
        };
        // A reload may have changed what the site is called by.
        of.label.clone_into(&mut fault.site);
        match (fault.result, &finding.wrong) {
            // Who shares our port gets a part of the connections only: one good check proves little.
            (TruthResult::Mismatch, None) if fault.good + 1 < of.enough => fault.good += 1,
            (_, None) => {
                fault.end(of.host);
                self.faults.remove(&place);
                return false;
            }
            (TruthResult::Mismatch, Some(wrong)) => {
                fault.good = 0;
                // What shows another certificate and then hangs up has not come right.
                if finding.result == TruthResult::Mismatch {
                    fault.wrong = wrong.clone();
                }
            }
            (_, Some(wrong)) if finding.result == TruthResult::Mismatch => {
                *fault = Fault::begin(of, (finding.result, wrong), unix, true);
            }
            (_, Some(wrong)) => (fault.result, fault.wrong) = (finding.result, wrong.clone()),
        }
        true
    }
}

impl Fault {
    fn begin(of: &Of<'_>, (result, wrong): (TruthResult, &Instead), unix: i64, told: bool) -> Self {
        let host = of.host;
        match result {
            _ if !told => {}
            TruthResult::Mismatch => {
                tracing::error!(%host, site = of.label, "what is served is not what is published: {wrong}; {MEND}");
            }
            _ => tracing::warn!(
                %host, site = of.label, result = result.label(), "what is served could not be checked: {wrong}"
            ),
        }
        Self { result, site: of.label.to_owned(), wrong: wrong.clone(), since: unix, good: 0, told }
    }

    fn told(&self, host: &HostPattern) -> Contradiction {
        let shown = Shown { host: Some(host.to_string()), instead: self.wrong.clone() };
        Contradiction { message: format!("{host}: {}; {MEND}", self.wrong), shown: Some(shown), since: self.since }
    }

    fn end(&self, host: &HostPattern) {
        if self.told {
            tracing::info!(%host, site = self.site, "what is published is served again");
        }
    }
}

/// Enough of a fingerprint to tell a site's certificates from each other.
fn shortened(fingerprint: &str) -> u64 {
    fingerprint.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

/// What to do about a mismatch.
const MEND: &str = "look with `ss -tlnp` for another process on that port and for a redirection of packets; if there is none, \
                    restart the edge and report it";
/// Names that are wrong at the same time and have a line each; what is beyond shows in lists and series.
const TOLD: usize = 10;
/// The same for alarms.
const LISTED: usize = 20;

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
