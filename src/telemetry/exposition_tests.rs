//! The page as a whole: what promtool says of it, and what is on it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::telemetry::probe_page;
use crate::telemetry::{GateRule, Lasting, LocalAnswer, StatusClass};

fn workers(number: usize) -> Vec<Arc<WorkerCounters>> {
    (0..number).map(|_| Arc::default()).collect()
}

fn certificate<'a>(subject_cn: &'a str, file: &'a str) -> CertificateFacts<'a> {
    CertificateFacts {
        subject_cn,
        issuer_cn: "Some \"CA\" \\ Root\nX",
        issuer_o: "Ünïcode & Sons",
        serial: "01ab",
        file: Path::new(file),
        embedded_key: true,
        not_before: 1_000,
        not_after: 2_000,
    }
}

fn full_scrape(workers: &[Arc<WorkerCounters>]) -> Scrape<'_> {
    Scrape {
        workers,
        access_records_lost: 3,
        audit_unwritten: true,
        sites: vec![SiteFacts {
            label: "*.shop.example".into(),
            source: "uploaded",
            earliest: vec![Lasting { key_type: "ecdsa", not_before: 1_000, not_after: 2_000 }],
            last_good: true,
            objects: vec![("apple-pay-identity-proof", 3_000)],
            shown: Some(false),
            uncovered: 1,
            mismatch: true,
            renewal: Some(1_500),
            failures: Some(2),
        }],
        states: vec![("configure", 1), ("completed", 0)],
        orders: vec![OrderFacts { issuer: "letsencrypt".into(), result: "failed", reason: "dns", total: 4 }],
        questions: vec![("yes", 2), ("no", 0)],
        upstreams: vec![("10.0.0.11:8080".into(), true), ("10.0.0.12:8080".into(), false)],
        unresolved: vec![("shop.internal:8080".into(), 3)],
        handed_in: HandedInFacts { waiting: 2, oldest: 7_200 },
        elsewhere: ElsewhereFacts { states: vec![("well", 3), ("expired", 1)], not_after: Some(900) },
        notices: NoticeFacts { attempts: vec![("mail", "told", 2)], waiting: vec![("mail", 1, 90)] },
        truth: TruthFacts { age: Duration::from_millis(1_500), checks: vec![("match", 9), ("mismatch", 1)] },
        certificates: vec![certificate("shop.example", "certs/shop.pem"), certificate("", "certs/odd \"name\"\n.pem")],
        kept: vec![certificate("merchant.example", "state/requests/m/meta.json")],
        configuration: ConfigurationFacts {
            is_refused: true,
            is_frozen: true,
            rejected: 2,
            reloads: vec![("applied", 3), ("failed", 0)],
        },
        well_known: 2,
        intake: Some(IntakeFacts {
            source: "certs",
            up: true,
            errors: vec![("mismatch", 2), ("unreadable", 0)],
            loads: vec![("accepted", 7), ("rejected", 2)],
            rejected: vec![Path::new("certs/bad.pem")],
            waiting: 1,
            age: Some(7),
            alarms: vec![("withdrawal-held", true), ("scan-failed", false)],
        }),
        now: 2_001,
    }
}

#[track_caller]
fn assert_has(page: &str, line: &str) {
    assert!(page.lines().any(|given| given == line), "{line:?} is not in\n{page}");
}

fn promtool(page: &str) {
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's package prometheus");
    tool.stdin.take().expect("its input").write_all(page.as_bytes()).expect("the page is read");
    let said = tool.wait_with_output().expect("it ends");
    let text = [said.stdout, said.stderr].concat();
    assert!(said.status.success() && text.is_empty(), "{}\n{page}", String::from_utf8_lossy(&text));
}

#[test]
fn promtool_finds_nothing_to_say_about_a_full_page_and_an_empty_one() {
    let workers = workers(2);
    workers[0].keep_sites(["*.shop.example"].into_iter());
    workers[1].durations.record(Duration::from_millis(3));
    workers[1].responses.count(Protocol::Http2, 418);
    promtool(&render(&full_scrape(&workers)));
    promtool(&render(&Scrape::default()));
}

#[test]
fn what_the_workers_counted_is_summed() {
    let workers = workers(2);
    for worker in &workers {
        worker.handshakes.count(HandshakeKind::Resumed13);
        worker.handshake_failures.count(HandshakeFailure::UnknownName);
        worker.responses.count(Protocol::Http1, 200);
        worker.open.of(Protocol::Http2).add(4);
        worker.keep_sites(["*.shop.example"].into_iter())[0].count(StatusClass::ServerError);
        worker.refused.count(GateRule::Host);
    }
    workers[0].responses.count(Protocol::Http1, 226);
    let page = render(&full_scrape(&workers));
    assert_has(&page, r#"vitrine_handshakes_total{version="1.3",kind="resumed",result="ok"} 2"#);
    assert_has(&page, r#"vitrine_handshakes_total{version="none",kind="none",result="unknown_name"} 2"#);
    assert_has(&page, r#"vitrine_requests_total{protocol="http/1.1",code="200"} 2"#);
    assert_has(&page, r#"vitrine_requests_total{protocol="http/1.1",code="226"} 1"#);
    assert_has(&page, r#"vitrine_connections_open{protocol="http/2"} 8"#);
    assert_has(&page, r#"vitrine_site_requests_total{site="*.shop.example",class="5xx"} 2"#);
    assert_has(&page, r#"vitrine_requests_refused_total{rule="host"} 2"#);
    assert_has(&page, r#"vitrine_access_log_dropped_total{reason="write_error"} 3"#);
    assert_has(&page, "vitrine_audit_unwritten 1");
    assert_has(&page, "vitrine_handed_in_waiting 2");
    assert_has(&page, "vitrine_handed_in_oldest_seconds 7200");
}

#[test]
fn closed_sets_are_there_at_zero_before_anything_happened() {
    let workers = workers(1);
    let page = render(&Scrape {
        workers: &workers,
        sites: vec![SiteFacts {
            label: "shop.example".into(),
            source: "self-signed",
            earliest: Vec::new(),
            last_good: false,
            objects: Vec::new(),
            shown: None,
            uncovered: 1,
            mismatch: false,
            renewal: None,
            failures: None,
        }],
        intake: Some(IntakeFacts { alarms: vec![("scan-failed", false)], ..IntakeFacts::default() }),
        ..Scrape::default()
    });
    for line in [
        r#"vitrine_handshakes_total{version="1.2",kind="full",result="ok"} 0"#,
        r#"vitrine_requests_total{protocol="http/2",code="502"} 0"#,
        r#"vitrine_requests_total{protocol="plain",code="308"} 0"#,
        r#"vitrine_site_requests_total{site="shop.example",class="5xx"} 0"#,
        r#"vitrine_served_certificate_mismatch{site="shop.example"} 0"#,
        r#"vitrine_accept_errors_total{reason="descriptors"} 0"#,
        r#"vitrine_connections_shed_total{reason="drain"} 0"#,
        r#"vitrine_upstream_failures_total{reason="connect"} 0"#,
        r#"vitrine_access_log_dropped_total{reason="queue_full"} 0"#,
        r#"vitrine_certificate_alarms{code="scan-failed"} 0"#,
        "vitrine_certificates_rejected 0",
        "vitrine_audit_unwritten 0",
        "vitrine_handed_in_waiting 0",
        "vitrine_handed_in_oldest_seconds 0",
        "vitrine_request_duration_seconds_count 0",
    ] {
        assert_has(&page, line);
    }
    for answer in LocalAnswer::ALL {
        assert_has(&page, &format!(r#"vitrine_local_answers_total{{reason="{}"}} 0"#, answer.label()));
    }
}

#[test]
fn certificates_carry_the_labels_of_the_known_exporter_escaped() {
    let page = render(&full_scrape(&[]));
    let of_first = r#"{subject_CN="shop.example",issuer_CN="Some \"CA\" \\ Root\nX",issuer_O="Ünïcode & Sons",serial_number="01ab",filepath="certs/shop.pem",filename="shop.pem",embedded_key="true"}"#;
    assert_has(&page, &format!("x509_cert_not_after{of_first} 2000"));
    assert_has(&page, &format!("x509_cert_not_before{of_first} 1000"));
    assert_has(&page, &format!("x509_cert_expired{of_first} 1"));
    assert_has(&page, r#"x509_cert_error{filepath="certs/bad.pem",filename="bad.pem"} 1"#);
    assert_has(&page, r#"x509_source_up{source_kind="file",source_name="certs"} 1"#);
    assert_has(&page, r#"x509_source_errors_total{source_kind="file",source_name="certs",reason="mismatch"} 2"#);
    assert_has(
        &page,
        r#"vitrine_site_certificate_not_after_seconds{site="*.shop.example",source="uploaded",key_type="ecdsa"} 2000"#,
    );
    assert_has(&page, r#"vitrine_certificate_loads_total{result="accepted"} 7"#);
    assert_has(&page, r#"vitrine_certificate_alarms{code="withdrawal-held"} 1"#);
}

#[test]
fn a_configuration_that_does_not_apply_is_told() {
    let page = render(&full_scrape(&[]));
    assert_has(&page, "vitrine_config_last_reload_successful 0");
    assert_has(&page, "vitrine_config_rejected 2");
    assert_has(&page, r#"vitrine_config_reloads_total{result="applied"} 3"#);
    let page = render(&Scrape::default());
    assert_has(&page, "vitrine_config_last_reload_successful 1");
}

#[test]
fn what_is_really_served_is_told() {
    let page = render(&full_scrape(&[]));
    assert_has(&page, r#"vitrine_served_certificate_mismatch{site="*.shop.example"} 1"#);
    assert_has(&page, "vitrine_truth_check_age_seconds 1.5");
    assert_has(&page, r#"vitrine_truth_checks_total{result="match"} 9"#);
}

#[test]
fn a_withdrawn_certificate_has_no_series_at_the_next_scrape() {
    let mut scrape = full_scrape(&[]);
    assert!(render(&scrape).contains("shop.pem"));
    scrape.certificates.clear();
    let page = render(&scrape);
    assert_eq!(page.lines().filter(|line| line.starts_with("x509_cert_not_after{")).count(), 1);
    assert_has(&page, "vitrine_certificates_served 0");
    assert!(page.contains(r#"x509_cert_not_after{subject_CN="merchant.example""#), "{page}");
    scrape.kept.clear();
    assert!(!render(&scrape).contains("x509_cert_not_after{"));
}

#[test]
fn the_duration_histogram_is_cumulative_and_agrees_with_its_count() {
    let workers = workers(2);
    workers[0].durations.record(Duration::from_micros(500));
    workers[0].durations.record(Duration::from_secs(31));
    workers[1].durations.record(Duration::from_millis(20));
    let page = render(&Scrape { workers: &workers, ..Scrape::default() });
    let block: Vec<_> = page.lines().filter(|line| line.contains(name::REQUEST_DURATION.name)).collect();
    let name = name::REQUEST_DURATION.name;
    let bucket = |bound: &str, count: u64| format!("{name}_bucket{{le=\"{bound}\"}} {count}");
    let mut expected =
        vec![format!("# HELP {name} {}", name::REQUEST_DURATION.help), format!("# TYPE {name} histogram")];
    expected.extend(["0.0005", "0.001", "0.0025", "0.005", "0.01"].map(|bound| bucket(bound, 1)));
    expected.extend(["0.025", "0.05", "0.1", "0.25", "0.5", "1", "5", "30"].map(|bound| bucket(bound, 2)));
    expected.extend([bucket("+Inf", 3), format!("{name}_sum 31.0205"), format!("{name}_count 3")]);
    assert_eq!(block, expected);
}

#[test]
fn every_metric_of_the_catalogue_is_on_a_full_page() {
    let workers = workers(1);
    let page = render(&full_scrape(&workers));
    for family in name::ALL {
        assert!(
            page.contains(&format!("# HELP {} {}\n# TYPE {} ", family.name, family.help, family.name)),
            "{}",
            family.name
        );
    }
    let named = page.lines().filter(|line| line.starts_with("# TYPE ")).count();
    assert_eq!(named, name::ALL.len());
}

/// `docs/metrics.md` has a row for each metric: its name, its kind, its labels and the help that a scrape shows.
#[test]
fn the_reference_explains_every_metric_and_no_other() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let reference = std::fs::read_to_string(reference).expect("the file");
    let row_of = |family: &&Family| {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels = match family.labels {
            labels if labels == name::CERT_NOT_AFTER.labels => "*certificate*".into(),
            labels => labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", "),
        };
        format!("| `{}` | {kind} | {labels} | {} |", family.name, family.help)
    };
    let all = name::ALL.iter().chain(probe_page::ALL);
    let mut expected: Vec<_> = all.map(row_of).collect();
    let is_metric = |line: &&str| ["| `vitrine_", "| `x509_", "| `process_"].iter().any(|head| line.starts_with(head));
    let mut given: Vec<_> = reference.lines().filter(is_metric).collect();
    expected.sort_unstable();
    given.sort_unstable();
    assert_eq!(given, expected);
}
