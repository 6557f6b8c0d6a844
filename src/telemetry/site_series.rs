//! The series of each configured site.

use std::collections::HashMap;
use std::sync::Arc;

use super::catalogue as name;
use super::counters::WorkerCounters;
use super::labels::{Label, StatusClass};
use super::text::{self, Text};

/// A configured site and how long its certificates last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteFacts {
    /// Its first host as the configuration writes it.
    pub label: String,
    /// Where its certificates come from, in the configuration's word.
    pub source: &'static str,
    /// The certificate that ends first over its hosts, for each type of key.
    pub earliest: Vec<Lasting>,
    /// Whether a certificate serves one of its hosts whose files are not good any more.
    pub last_good: bool,
    /// The end of each object that it shows, by type; those without one are not there.
    pub objects: Vec<(&'static str, i64)>,
    /// Whether it shows what it should below `/.well-known/`; `None`: nothing, or not looked at yet.
    pub shown: Option<bool>,
    /// Its hosts that no certificate serves.
    pub uncovered: usize,
    /// Whether one of its hosts is served another certificate than the published one.
    pub mismatch: bool,
    /// When its certificate is to be renewed, seconds since the Unix epoch; `None`: nothing renews it.
    pub renewal: Option<i64>,
    /// Orders in a row that came to nothing; `None`: none are made.
    pub failures: Option<u32>,
}

/// How long a certificate lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting {
    /// Its type of key.
    pub key_type: &'static str,
    /// Start of validity, seconds since the Unix epoch.
    pub not_before: i64,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: i64,
}

/// Writes what there is of each site.
pub(super) fn write(text: &mut Text, sites: &[SiteFacts], workers: &[Arc<WorkerCounters>]) {
    let (mut not_after, mut uncovered, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    let (mut not_before, mut last_good, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let (mut mismatch, mut objects, mut shown, mut renewal) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let counted = by_site(workers);
    for site in sites {
        for Lasting { key_type, not_before: begin, not_after: end } in &site.earliest {
            let labels = text::labels(&name::SITE_NOT_AFTER, &[&site.label, site.source, key_type]);
            not_before.push((labels.clone(), *begin));
            not_after.push((labels, *end));
        }
        last_good.push((text::labels(&name::SITE_LAST_GOOD, &[&site.label]), u8::from(site.last_good)));
        failures.extend(site.failures.map(|count| (text::labels(&name::SITE_ORDER_FAILURES, &[&site.label]), count)));
        for (kind, seconds) in &site.objects {
            objects.push((text::labels(&name::OBJECT_NOT_AFTER, &[kind, &site.label]), *seconds));
        }
        uncovered.push((text::labels(&name::SITE_UNCOVERED, &[&site.label]), site.uncovered));
        mismatch.push((text::labels(&name::SERVED_MISMATCH, &[&site.label]), u8::from(site.mismatch)));
        shown.extend(site.shown.map(|shown| (text::labels(&name::WELL_KNOWN_SERVED, &[&site.label]), u8::from(shown))));
        renewal.extend(site.renewal.map(|at| (text::labels(&name::SITE_RENEWAL, &[&site.label]), at)));
        let totals = counted.get(site.label.as_str()).copied().unwrap_or_default();
        for class in StatusClass::ALL {
            requests.push((text::labels(&name::SITE_REQUESTS, &[&site.label, class.label()]), totals[class.index()]));
        }
    }
    text.family(&name::SITE_NOT_AFTER, borrowed(&not_after));
    text.family(&name::SITE_NOT_BEFORE, borrowed(&not_before));
    text.family(&name::SITE_LAST_GOOD, borrowed(&last_good));
    text.family(&name::SITE_ORDER_FAILURES, borrowed(&failures));
    text.family(&name::SITE_RENEWAL, borrowed(&renewal));
    text.family(&name::OBJECT_NOT_AFTER, borrowed(&objects));
    text.family(&name::SITE_UNCOVERED, borrowed(&uncovered));
    text.family(&name::SERVED_MISMATCH, borrowed(&mismatch));
    text.family(&name::WELL_KNOWN_SERVED, borrowed(&shown));
    text.family(&name::SITE_REQUESTS, borrowed(&requests));
}

/// Responses by class of every site, all workers together.
fn by_site(workers: &[Arc<WorkerCounters>]) -> HashMap<Box<str>, [u64; StatusClass::ALL.len()]> {
    let mut totals: HashMap<Box<str>, [u64; StatusClass::ALL.len()]> = HashMap::new();
    for (label, counts) in workers.iter().flat_map(|worker| worker.sites()) {
        let classes = totals.entry(label).or_default();
        for class in StatusClass::ALL {
            classes[class.index()] += counts.of(*class).value();
        }
    }
    totals
}

fn borrowed<V: Copy>(series: &[(String, V)]) -> impl Iterator<Item = (&str, V)> {
    series.iter().map(|(labels, value)| (labels.as_str(), *value))
}
