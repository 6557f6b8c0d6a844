//! What is in `deploy/` for Grafana and Prometheus, asked of a real Prometheus that scrapes a real edge.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::orders::issued;
use crate::probe::Server;
use crate::support::command::{done, said, vitrine};
use crate::support::pebble::{Pebble, own_address};
use crate::support::peer::Peer;
use crate::support::{
    Edge, KeyKind, Origin, PROGRAM, Setup, Talk, authority, drop_file, eventually, replace_file, site,
};

#[test]
fn every_panel_and_rule_finds_its_series_and_so_do_those_made_for_another_exporter() {
    let (shop, pebble) = (Origin::saying("the shop"), Pebble::start());
    let (edge, _elsewhere) = everything(&shop, &pebble);
    let seen = seen_from_outside(&edge);
    let node = Origin::new(move |exchange| {
        exchange.body()?;
        exchange.answer("200 OK", &[("content-type", "text/plain; version=0.0.4")], seen.as_bytes())
    });
    let prometheus = Prometheus::scraping(edge.admin, node.address);
    let traffic = || {
        assert_eq!(edge.get("shop.example", "/").text(), "the shop");
        assert_eq!(edge.get("dead.example", "/").status, 502);
    };
    traffic();

    // What changes is counted from the first scrape on.
    eventually("a scrape", || prometheus.finds("vitrine_build_info").then_some(()));
    traffic();
    let mut asked = 0;
    for (panel, query) in panels() {
        for question in selectors(&query).into_iter().chain([query]) {
            eventually(&format!("{panel}: {question}"), || prometheus.finds(&question).then_some(()));
            asked += 1;
        }
    }
    let rules = prometheus.rules();
    for (alert, query) in &rules {
        for question in selectors(query) {
            eventually(&format!("{alert}: {question}"), || prometheus.finds(&question).then_some(()));
            asked += 1;
        }
    }
    assert!(rules.len() > 30 && asked > 200, "{} rules, {asked} questions", rules.len());
    for (purpose, query) in OF_ANOTHER_EXPORTER {
        eventually(&format!("{purpose}: {query}"), || prometheus.finds(query).then_some(()));
    }
    for label in ["issuer_CN", "issuer_O", "subject_CN", "serial_number", "filepath", "filename", "instance", "job"] {
        let query = format!("x509_cert_not_after{{{label}!=\"\"}}");
        assert!(prometheus.finds(&query), "{query}");
    }
    // Two files are not in order: one has a last good certificate behind it.
    for alert in ["VitrineCertificateRejected", "VitrineLastGoodInUse", "VitrineProbeFindsFaults"] {
        eventually(alert, || prometheus.alerts().iter().any(|raised| raised == alert).then_some(()));
    }
    for alert in [
        "VitrineDown",
        "VitrineWatcherNotAlive",
        "VitrineManagedCertificateRunsOut",
        "VitrineServedCertificateMismatch",
    ] {
        assert!(!prometheus.alerts().iter().any(|raised| raised == alert), "{alert}");
    }
}

/// What x509-certificate-exporter's dashboard and alert rules ask of it that concerns files, with its thresholds put in.
const OF_ANOTHER_EXPORTER: &[(&str, &str)] = &[
    ("total certificates", "count(x509_cert_not_after)"),
    ("expired", "sum(((x509_cert_not_after - time()) / 86400) < bool 0)"),
    ("expiring within days", "sum(0 < ((x509_cert_not_after - time()) / 86400) < bool 28)"),
    ("media, with their key", "count(x509_cert_not_after{filepath!=\"\",embedded_key!=\"\"})"),
    ("media, files", "count(x509_cert_not_after{filepath!=\"\",embedded_key=\"\"})"),
    ("exporters", "count(x509_source_errors_total)"),
    ("exporter errors", "sum(x509_source_errors_total)"),
    ("host files", "sort(((x509_cert_not_after{filepath!=\"\"} - time()) / 86400) < 3650)"),
    ("top issuers", "topk(10, sort_desc(count by (issuer_CN) (x509_cert_not_after)))"),
    ("top instances", "topk(10, sort_desc(count by (instance) (x509_cert_not_after{filepath!=\"\"})))"),
    ("shortest period", "bottomk(10, (x509_cert_not_after{filepath!=\"\"} - x509_cert_not_before) / 86400)"),
    ("longest period", "topk(10, (x509_cert_not_after{filepath!=\"\"} - x509_cert_not_before) / 86400)"),
    ("exporters with errors", "sum (x509_source_errors_total > bool 0)"),
    ("error rate", "sum(rate(x509_source_errors_total[15m]))"),
    ("top exporters by error rate", "topk(10, rate(x509_source_errors_total[6h]))"),
    ("top exporters by errors", "topk(10, x509_source_errors_total)"),
    ("rule SourceErrors", "sum without (reason) (increase(x509_source_errors_total[15m])) >= 0"),
    ("rule SourceDown", "x509_source_up == 1"),
    ("rule CertificateError", "x509_cert_error > 0"),
    ("rule CertificateRenewal", "(x509_cert_not_after - time()) < (28 * 86400) and (x509_cert_not_after - time()) > 0"),
    ("rule CertificateExpiration", "(x509_cert_not_after - time()) < (14 * 86400)"),
    ("rule CertificateNotYetValid", "(x509_cert_not_before - time()) < 0"),
];

/// An edge of which there is something of everything.
fn everything(shop: &Origin, pebble: &Pebble) -> (Edge, Server) {
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    let by_name = format!("http://localhost:{}", shop.address.port());
    setup.raw_site(&site(&["shop.example"], &[by_name]));
    setup.raw_site(&site(&["dead.example"], &["http://127.0.0.1:1".to_owned()]));
    setup.raw_site(&(site(&["managed.example"], &[shop.url()]) + "certificate = \"managed\"\n"));
    setup.certificate("shop", &authority().issue_for(&["shop.example"], KeyKind::Ecdsa, -1, 20 * 24));
    // Its key lies in a file of its own.
    let dead = authority().issue_for(&["dead.example"], KeyKind::Rsa, -1, 7 * 24);
    drop_file(&setup.certs().join("dead.crt"), &dead.chain);
    drop_file(&setup.certs().join("dead.key"), &dead.key);
    let shown = setup.certs().join("well-known/shop.example");
    fs::create_dir_all(&shown).expect("a folder");
    fs::write(shown.join("apple-developer-merchantid-domain-association"), "7B2276\n").expect("written");
    let elsewhere = Server::on(SocketAddr::from(([127, 0, 0, 1], 0)), &authority().issue(&["localhost"]));
    setup.set("reports", "networks = [\"127.0.0.0/8\"]");
    let edge = setup.start();
    let url = format!("https://localhost:{}", elsewhere.address.port());
    done(vitrine(&edge, &format!("elsewhere add {url} --reason customers")));
    done(vitrine(&edge, &format!("elsewhere look {url}")));
    issued(&edge, "managed.example");
    let served = || edge.scrape().sum("vitrine_site_serves_last_good", &[("site", "shop.example")]);
    assert_eq!(served(), 0.0);
    replace_file(&edge.setup.certs().join("shop.pem"), "garbage");
    eventually("the last good one in use", || (served() == 1.0).then_some(()));
    (edge, elsewhere)
}

/// What a probe writes that finds nobody where it looks.
fn seen_from_outside(edge: &Edge) -> String {
    let socket = edge.setup.state().join("admin.sock");
    let looked = Command::new(PROGRAM)
        .args([
            "probe",
            "--all",
            "--format",
            "prometheus",
            "--at",
            "127.0.0.1",
            "--port",
            &edge.https.port().to_string(),
        ])
        .arg("--socket")
        .arg(&socket)
        .output()
        .expect("it runs");
    let page = said(&looked.stdout);
    // Nobody trusts the authority of tests.
    assert_eq!(looked.status.code(), Some(1), "{page}");
    page
}

/// Debian's Prometheus with the alert rules. Ended when dropped.
struct Prometheus {
    address: SocketAddr,
    _folder: TempDir,
    _peer: Peer,
}

impl Prometheus {
    fn scraping(edge: SocketAddr, node: SocketAddr) -> Self {
        let (address, folder) = (SocketAddr::from((own_address(), 9090)), tempfile::tempdir().expect("a folder"));
        let rules = deploy().join("prometheus/rules.yml");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [\"{}\"]\nscrape_configs:\n\
             - {{ job_name: vitrine, static_configs: [{{ targets: [\"{edge}\"] }}] }}\n\
             - {{ job_name: node, static_configs: [{{ targets: [\"{node}\"] }}] }}\n",
            rules.display()
        );
        fs::write(folder.path().join("prometheus.yml"), config).expect("written");
        let mut command = Command::new("prometheus");
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address={address}")).current_dir(folder.path());
        let peer = Peer::start(&mut command, folder.path(), address);
        Self { address, _folder: folder, _peer: peer }
    }

    fn ask(&self, path: &str) -> Value {
        let answer = Talk::plain(self.address).get("localhost", path);
        // It is not ready at once.
        if answer.status == 503 { Value::Null } else { answer.json() }
    }

    /// Whether there is an answer, and something in it.
    fn finds(&self, query: &str) -> bool {
        let answer = self.ask(&format!("/api/v1/query?query={}", vitrine::outbound::escaped(query)));
        assert!(answer.is_null() || answer["status"] == "success", "{query}: {answer}");
        answer["data"]["result"].as_array().is_some_and(|found| !found.is_empty())
    }

    /// Every alert with its expression, once all have been evaluated.
    fn rules(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        eventually("all rules evaluated", || {
            let answer = self.ask("/api/v1/rules");
            let groups = answer["data"]["groups"].as_array()?.iter();
            let rules: Vec<&Value> = groups.filter_map(|group| group["rules"].as_array()).flatten().collect();
            let is_well = |rule: &&Value| rule["health"] == "ok";
            assert!(!rules.iter().any(|rule| rule["health"] == "err"), "{answer}");
            let done = !rules.is_empty() && rules.iter().all(is_well);
            done.then(|| rules.iter().map(|rule| (text(&rule["name"]), text(&rule["query"]))).collect())
        })
    }

    /// What is raised, or waits to be.
    fn alerts(&self) -> Vec<String> {
        let answer = self.ask("/api/v1/alerts");
        let alerts = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        alerts.iter().map(|alert| alert["labels"]["alertname"].as_str().expect("a name").to_owned()).collect()
    }
}

/// Every query of every panel, with a choice made in place of each variable.
fn panels() -> Vec<(String, String)> {
    let folder = fs::read_dir(deploy().join("grafana")).expect("the folder");
    let mut queries = Vec::new();
    for file in folder.map(|entry| entry.expect("an entry").path()) {
        let board: Value = serde_json::from_slice(&fs::read(&file).expect("a dashboard")).expect("JSON");
        let panels = board["panels"].as_array().expect("panels").iter();
        for panel in panels.filter(|panel| panel["type"] != "row") {
            for target in panel["targets"].as_array().expect("targets") {
                let query = target["expr"].as_str().expect("an expression").replace("$__rate_interval", "20s");
                let query = ["$job", "$instance", "$site"].iter().fold(query, |query, name| query.replace(name, ".*"));
                assert!(!query.contains('$'), "{query}");
                queries.push((format!("{}: {}", board["title"], panel["title"]), query));
            }
        }
    }
    queries
}

/// What a query picks: a name with its labels.
fn selectors(query: &str) -> Vec<String> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(begin) = rest.find(|letter: char| letter.is_ascii_alphabetic()) {
        let word = rest[begin..].split(|letter| !is_word(letter)).next().unwrap_or_default();
        rest = &rest[begin + word.len()..];
        if !["vitrine_", "x509_", "process_"].iter().any(|prefix| word.starts_with(prefix)) && word != "up" {
            continue;
        }
        let labels = match rest.strip_prefix('{').and_then(|inner| inner.find('}')) {
            Some(end) => &rest[..end + 2],
            None => "",
        };
        rest = &rest[labels.len()..];
        found.push(format!("{word}{labels}"));
    }
    found
}

#[test]
fn a_query_is_taken_apart_into_what_it_picks() {
    let query = "sum by (site) (rate(vitrine_a{site=~\".*\",class=\"5xx\"}[5m])) / up + vector(0) > x509_b - time()";
    assert_eq!(selectors(query), ["vitrine_a{site=~\".*\",class=\"5xx\"}", "up", "x509_b"]);
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}
