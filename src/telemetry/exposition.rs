//! The metrics as Prometheus reads them.
//!
//! Every scrape builds the whole page anew from what is published and counted at that moment: a certificate that was
//! withdrawn has no series any more, and a gauge cannot disagree with what is served.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Key, KeyName, Label as MetricLabel, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use super::catalogue::{self as name, Family, Kind};
use super::counters::{BUCKETS, Count, Counts, WorkerCounters};
use super::elsewhere_series::{self, ElsewhereFacts};
use super::handed_in_series::{self, HandedInFacts};
use super::labels::{HandshakeFailure, HandshakeKind, Label, Protocol};
use super::log_writer;
use super::notice_series::{self, NoticeFacts};
use super::process::ProcessFacts;
use super::site_series::{self, SiteFacts};
use super::text::{self, Text};

/// What a scrape tells, gathered by the one who knows the tables.
#[derive(Default)]
pub struct Scrape<'a> {
    /// Every worker's counters.
    pub workers: &'a [Arc<WorkerCounters>],
    /// Access records that were queued and could not be written.
    pub access_records_lost: u64,
    /// Whether the last order could not be added to the audit trail.
    pub audit_unwritten: bool,
    /// The configured sites.
    pub sites: Vec<SiteFacts>,
    /// How many of them are in each state.
    pub states: Vec<(&'static str, usize)>,
    /// The published certificates.
    pub certificates: Vec<CertificateFacts<'a>>,
    /// Those that are kept for others than the workers.
    pub kept: Vec<CertificateFacts<'a>>,
    /// What came of the drop folder's files; `None`: certificates come from elsewhere.
    pub intake: Option<IntakeFacts<'a>>,
    /// What of the configuration does not apply.
    pub configuration: ConfigurationFacts,
    /// How many well-known objects are served.
    pub well_known: usize,
    /// What came of looking at what is really served.
    pub truth: TruthFacts,
    /// Orders for certificates that have ended.
    pub orders: Vec<OrderFacts>,
    /// The servers behind the edge, each with whether requests go there.
    pub upstreams: Vec<(String, bool)>,
    /// Each upstream that is addressed by a name, and how often that was not found.
    pub unresolved: Vec<(String, u64)>,
    /// Questions about names that nobody serves, counted by answer.
    pub questions: Vec<(&'static str, u64)>,
    /// What is told, and what waits to be.
    pub notices: NoticeFacts,
    /// What was handed in and waits for somebody's word.
    pub handed_in: HandedInFacts,
    /// URLs that others serve.
    pub elsewhere: ElsewhereFacts,
    /// The time, seconds since the Unix epoch.
    pub now: i64,
}

/// How many orders at an issuer ended alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFacts {
    /// The operator's word for it.
    pub issuer: String,
    /// `issued` or `failed`.
    pub result: &'static str,
    /// Why it failed, or `none`.
    pub reason: &'static str,
    /// Since the start.
    pub total: u64,
}

/// What came of looking at what is really served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TruthFacts {
    /// How long ago the check of a site is that is the longest ago.
    pub age: Duration,
    /// Handshakes, counted by result.
    pub checks: Vec<(&'static str, u64)>,
}

/// What of the configuration, as it is written, does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigurationFacts {
    /// Whether the last reading was refused as a whole.
    pub is_refused: bool,
    /// Whether all that changes stands still.
    pub is_frozen: bool,
    /// How much was left out of included files.
    pub rejected: usize,
    /// Readings that brought something new, counted by result.
    pub reloads: Vec<(&'static str, u64)>,
}

/// A published certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts<'a> {
    /// Common name of the subject.
    pub subject_cn: &'a str,
    /// Common name of the issuer.
    pub issuer_cn: &'a str,
    /// Organisation of the issuer.
    pub issuer_o: &'a str,
    /// Serial number.
    pub serial: &'a str,
    /// The file it was read from.
    pub file: &'a Path,
    /// Whether the key was read from the same file.
    pub embedded_key: bool,
    /// Start of validity, seconds since the Unix epoch.
    pub not_before: i64,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: i64,
}

/// What came of the files an operator dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntakeFacts<'a> {
    /// What the folder is called.
    pub source: &'static str,
    /// Whether its first scan has ended and it can be read.
    pub up: bool,
    /// Rejected files and failed scans, counted by reason.
    pub errors: Vec<(&'static str, u64)>,
    /// Certificates judged, counted by result.
    pub loads: Vec<(&'static str, u64)>,
    /// Files that are rejected now.
    pub rejected: Vec<&'a Path>,
    /// How long ago the folder was looked at, seconds; `None`: not yet.
    pub age: Option<i64>,
    /// How many files wait for their counterpart now.
    pub waiting: usize,
    /// Conditions that ask for the operator, with whether each holds now.
    pub alarms: Vec<(&'static str, bool)>,
}

/// Writes the whole page in the text format of Prometheus, version 0.0.4.
#[must_use]
pub fn render(scrape: &Scrape<'_>) -> String {
    let page = Page::new();
    page.gauge(&name::CERTIFICATES_SERVED, &[], scrape.certificates.len() as f64);
    page.gauge(&name::WELL_KNOWN, &[], scrape.well_known as f64);
    for (state, count) in &scrape.states {
        page.gauge(&name::SITES, &[state], *count as f64);
    }
    page.gauge(&name::AUDIT_UNWRITTEN, &[], if scrape.audit_unwritten { 1.0 } else { 0.0 });
    page.gauge(&name::TRUTH_AGE, &[], scrape.truth.age.as_secs_f64());
    for (result, total) in &scrape.truth.checks {
        page.count(&name::TRUTH_CHECKS, &[result], *total);
    }
    if let Some(intake) = &scrape.intake {
        page.intake(intake);
    }
    for OrderFacts { issuer, result, reason, total } in &scrape.orders {
        page.count(&name::ACME_ORDERS, &[issuer, result, reason], *total);
    }
    for (answer, total) in &scrape.questions {
        page.count(&name::ON_DEMAND_QUESTIONS, &[answer], *total);
    }
    page.configuration(&scrape.configuration);
    page.connections(scrape.workers);
    page.requests(scrape.workers);
    page.upstreams(scrape.workers);
    for (upstream, is_ready) in &scrape.upstreams {
        page.gauge(&name::UPSTREAM_READY, &[upstream], if *is_ready { 1.0 } else { 0.0 });
    }
    for (upstream, failures) in &scrape.unresolved {
        page.count(&name::UPSTREAM_RESOLVE_FAILURES, &[upstream], *failures);
    }
    page.access_log(scrape);
    page.gauge(&name::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
    let process = ProcessFacts::read();
    page.process(&process);

    let mut text = Text::after(page.recorder.handle().render());
    write_certificates(&mut text, scrape);
    notice_series::write(&mut text, &scrape.notices);
    handed_in_series::write(&mut text, &scrape.handed_in);
    elsewhere_series::write(&mut text, &scrape.elsewhere);
    site_series::write(&mut text, &scrape.sites, scrape.workers);
    write_durations(&mut text, scrape.workers);
    text.family(&name::PROCESS_CPU, process.cpu_seconds.map(|seconds| ("", seconds)));
    text.finish()
}

/// A recorder of this scrape alone.
struct Page {
    recorder: PrometheusRecorder,
}

impl Page {
    fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for family in name::ALL {
            let (name, help) = (KeyName::from_const_str(family.name), family.help.into());
            match family.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                // The recorder takes no histogram that is counted already.
                Kind::Histogram => {}
            }
        }
        Self { recorder }
    }

    fn count(&self, family: &'static Family, values: &[&str], total: u64) {
        debug_assert!(family.kind == Kind::Counter, "{}", family.name);
        self.recorder.register_counter(&key(family, values), &METADATA).absolute(total);
    }

    fn gauge(&self, family: &'static Family, values: &[&str], value: f64) {
        debug_assert!(family.kind == Kind::Gauge, "{}", family.name);
        self.recorder.register_gauge(&key(family, values), &METADATA).set(value);
    }

    fn count_each<L: Label>(
        &self,
        family: &'static Family,
        workers: &[Arc<WorkerCounters>],
        counts: impl Fn(&WorkerCounters) -> &Counts<L>,
    ) {
        for label in L::ALL {
            self.count(family, &[label.label()], sum(workers, |worker| counts(worker).of(*label)));
        }
    }

    fn intake(&self, intake: &IntakeFacts<'_>) {
        self.gauge(&name::SOURCE_UP, &[SOURCE_KIND, intake.source], if intake.up { 1.0 } else { 0.0 });
        for (reason, total) in &intake.errors {
            self.count(&name::SOURCE_ERRORS, &[SOURCE_KIND, intake.source, reason], *total);
        }
        for (result, total) in &intake.loads {
            self.count(&name::CERTIFICATE_LOADS, &[result], *total);
        }
        for (code, holds) in &intake.alarms {
            self.gauge(&name::CERTIFICATE_ALARMS, &[code], if *holds { 1.0 } else { 0.0 });
        }
        for file in &intake.rejected {
            let (filepath, filename) = file_labels(file);
            self.gauge(&name::CERT_ERROR, &[&filepath, &filename], 1.0);
        }
        if let Some(age) = intake.age {
            self.gauge(&name::SCAN_AGE, &[], age as f64);
        }
        self.gauge(&name::CERTIFICATES_REJECTED, &[], intake.rejected.len() as f64);
        self.gauge(&name::CERTIFICATES_WAITING, &[], intake.waiting as f64);
    }

    fn configuration(&self, configuration: &ConfigurationFacts) {
        self.gauge(&name::CONFIG_SUCCESSFUL, &[], if configuration.is_refused { 0.0 } else { 1.0 });
        self.gauge(&name::FROZEN, &[], f64::from(u8::from(configuration.is_frozen)));
        self.gauge(&name::CONFIG_REJECTED, &[], configuration.rejected as f64);
        for (result, total) in &configuration.reloads {
            self.count(&name::CONFIG_RELOADS, &[result], *total);
        }
    }

    fn connections(&self, workers: &[Arc<WorkerCounters>]) {
        self.count(&name::CONNECTIONS_ACCEPTED, &[], sum(workers, |worker| &worker.accepted));
        for protocol in Protocol::ALL {
            let open = sum(workers, |worker| worker.open.of(*protocol));
            self.gauge(&name::CONNECTIONS_OPEN, &[protocol.label()], open as f64);
        }
        self.count_each(&name::CONNECTIONS_SHED, workers, |worker| &worker.shed);
        self.count_each(&name::ACCEPT_ERRORS, workers, |worker| &worker.accept_trouble);
        for done in HandshakeKind::ALL {
            let (version, kind) = done.version_and_kind();
            let total = sum(workers, |worker| worker.handshakes.of(*done));
            self.count(&name::HANDSHAKES, &[version, kind, "ok"], total);
        }
        for failure in HandshakeFailure::ALL {
            let total = sum(workers, |worker| worker.handshake_failures.of(*failure));
            self.count(&name::HANDSHAKES, &["none", "none", failure.label()], total);
        }
    }

    fn requests(&self, workers: &[Arc<WorkerCounters>]) {
        for protocol in Protocol::ALL {
            for code in 100..=599 {
                let total: u64 = workers.iter().map(|worker| worker.responses.value(*protocol, code)).sum();
                if total > 0 || own_answers(*protocol).contains(&code) {
                    self.count(&name::REQUESTS, &[protocol.label(), &code.to_string()], total);
                }
            }
        }
        self.count_each(&name::REQUESTS_REFUSED, workers, |worker| &worker.refused);
        self.count_each(&name::LOCAL_ANSWERS, workers, |worker| &worker.local_answers);
        self.count(&name::BODY_BYTES, &["received"], sum(workers, |worker| &worker.received));
        self.count(&name::BODY_BYTES, &["sent"], sum(workers, |worker| &worker.sent));
    }

    fn upstreams(&self, workers: &[Arc<WorkerCounters>]) {
        self.count(&name::UPSTREAM_CONNECTS, &[], sum(workers, |worker| &worker.upstream_connects));
        self.count(&name::UPSTREAM_REUSES, &[], sum(workers, |worker| &worker.upstream_reuses));
        self.gauge(&name::UPSTREAM_OPEN, &[], sum(workers, |worker| &worker.upstream_open) as f64);
        self.count_each(&name::UPSTREAM_FAILURES, workers, |worker| &worker.upstream_failures);
        self.count(&name::UPSTREAM_EJECTIONS, &[], sum(workers, |worker| &worker.upstream_ejections));
        self.count(&name::UPSTREAM_RETRIES, &[], sum(workers, |worker| &worker.upstream_retries));
        self.gauge(&name::UPSTREAM_QUEUE, &[], sum(workers, |worker| &worker.upstream_queue) as f64);
    }

    fn access_log(&self, scrape: &Scrape<'_>) {
        let dropped = sum(scrape.workers, |worker| &worker.access_records_dropped);
        self.count(&name::ACCESS_LOG_DROPPED, &["queue_full"], dropped);
        self.count(&name::ACCESS_LOG_DROPPED, &["write_error"], scrape.access_records_lost);
        self.count(&name::LOG_DROPPED, &[], log_writer::lost());
    }

    fn process(&self, process: &ProcessFacts) {
        let gauges = [
            (&name::PROCESS_START, process.start_seconds),
            (&name::PROCESS_RESIDENT, process.resident_bytes.map(|bytes| bytes as f64)),
            (&name::PROCESS_VIRTUAL, process.virtual_bytes.map(|bytes| bytes as f64)),
            (&name::PROCESS_OPEN_FDS, process.open_fds.map(|fds| fds as f64)),
            (&name::PROCESS_MAX_FDS, process.max_fds.map(|fds| fds as f64)),
        ];
        for (family, value) in gauges {
            if let Some(value) = value {
                self.gauge(family, &[], value);
            }
        }
    }
}

fn write_certificates(text: &mut Text, scrape: &Scrape<'_>) {
    let certificates = || scrape.certificates.iter().chain(&scrape.kept);
    let labels: Vec<_> = certificates().map(certificate_labels).collect();
    let series = |value: fn(&CertificateFacts<'_>, i64) -> i64| {
        labels.iter().zip(certificates()).map(move |(labels, facts)| (labels.as_str(), value(facts, scrape.now)))
    };
    text.family(&name::CERT_NOT_AFTER, series(|facts, _| facts.not_after));
    text.family(&name::CERT_NOT_BEFORE, series(|facts, _| facts.not_before));
    text.family(&name::CERT_EXPIRED, series(|facts, now| i64::from(facts.not_after < now)));
}

fn certificate_labels(facts: &CertificateFacts<'_>) -> String {
    let (filepath, filename) = file_labels(facts.file);
    // The known exporter leaves it empty where the key lies elsewhere, and its dashboard counts by that.
    let embedded_key = if facts.embedded_key { "true" } else { "" };
    text::labels(
        &name::CERT_NOT_AFTER,
        &[facts.subject_cn, facts.issuer_cn, facts.issuer_o, facts.serial, &filepath, &filename, embedded_key],
    )
}

/// The duration histogram, all workers together.
fn write_durations(text: &mut Text, workers: &[Arc<WorkerCounters>]) {
    let mut buckets = [0; BUCKETS.len() + 1];
    let mut nanoseconds = 0_u64;
    for worker in workers {
        let (of_worker, sum) = worker.durations.values();
        for (total, part) in buckets.iter_mut().zip(of_worker) {
            *total += part;
        }
        nanoseconds = nanoseconds.wrapping_add(sum);
    }
    let bounds = BUCKETS.iter().map(|(bound, _)| *bound).chain(["+Inf"]);
    text.histogram(&name::REQUEST_DURATION, bounds.zip(buckets), nanoseconds as f64 / 1e9);
}

fn key(family: &'static Family, values: &[&str]) -> Key {
    debug_assert_eq!(family.labels.len(), values.len(), "{}", family.name);
    let labels: Vec<_> =
        family.labels.iter().zip(values).map(|(label, value)| MetricLabel::new(*label, (*value).to_owned())).collect();
    Key::from_parts(KeyName::from_const_str(family.name), labels)
}

fn file_labels(file: &Path) -> (Cow<'_, str>, Cow<'_, str>) {
    (file.to_string_lossy(), file.file_name().unwrap_or_default().to_string_lossy())
}

fn sum(workers: &[Arc<WorkerCounters>], count: impl Fn(&WorkerCounters) -> &Count) -> u64 {
    workers.iter().fold(0, |total, worker| total.wrapping_add(count(worker).value()))
}

/// The codes the edge itself answers with: their series exist from the start, so that a first error is an increase.
const fn own_answers(protocol: Protocol) -> &'static [u16] {
    match protocol {
        Protocol::Http1 | Protocol::Http2 => &[200, 400, 404, 405, 408, 413, 414, 417, 421, 431, 502, 503, 504],
        Protocol::Plain => &[200, 308, 400, 404, 405, 408, 413, 414, 417, 431],
        Protocol::Handshake | Protocol::Tunnel => &[],
    }
}

/// What x509-certificate-exporter calls certificates in files.
const SOURCE_KIND: &str = "file";
/// Asked for by the recorder's interface; the exporter does not look at it.
static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

#[cfg(test)]
#[path = "exposition_tests.rs"]
mod tests;
