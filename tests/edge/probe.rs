//! `vitrine probe`: what customers are shown, looked at from outside.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::bind::{Bind, Zone};
use crate::support::command::said;
use crate::support::peer::{Peer, own_addresses};
use crate::support::{Edge, Issued, KeyKind, Origin, PROGRAM, Setup, authority, eventually};

#[test]
fn a_host_that_is_as_it_should_be_is_told_until_when() {
    let looker = Looker::new();
    let server = Server::showing(&authority().issue_for(&["shop.example"], KeyKind::Ecdsa, -1, 90 * 24 + 12));
    let output = looker.at(server.address, &["shop.example", "--ca-file", "root.pem"]);
    let (told, complaints) = (said(&output.stdout), said(&output.stderr));
    assert_eq!((output.status.code(), &*complaints), (Some(0), ""));
    let rows: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["HOST", "ADDRESS", "KEY", "DAYS", "UNTIL", "ISSUER", "STATE"]);
    let address = server.address.to_string();
    assert_eq!([rows[1][0], rows[1][1], rows[1][2], rows[1][3]], ["shop.example", &address, "any", "90"]);
    assert_eq!((rows.len(), rows[1].last()), (2, Some(&"ok")), "{told}");
}

#[test]
fn each_fault_is_told_with_its_code_and_the_mend() {
    let looker = Looker::new();
    let shop = |from, until| authority().issue_for(&["shop.example"], KeyKind::Ecdsa, from, until);
    let trusting = ["--ca-file", "root.pem"].as_slice();
    for (issued, more, codes, part) in [
        (shop(-48, -25), trusting, vec!["expired"], "expired 1 days ago; renew it"),
        (shop(25, 48), trusting, vec!["not_yet_valid"], "valid in 1 days only"),
        (authority().issue(&["other.example"]), trusting, vec!["wrong_name"], "is for other.example"),
        (shop(-1, 90 * 24), &[], vec!["untrusted"], "of \"Test Root\""),
        (shop(-1, 90 * 24 + 12), &["--ca-file", "root.pem", "--min-days", "100"], vec!["expires_soon"], "in 90 days"),
        (
            authority().issue_for(&["x.example"], KeyKind::Rsa, -48, -25),
            &[],
            vec!["wrong_name", "expired", "untrusted"],
            "",
        ),
    ] {
        let server = Server::showing(&issued);
        let output = looker.at(server.address, &[&["shop.example", "--format", "json"], more].concat());
        assert_eq!(wrong(&output), codes);
        let told = said(&output.stderr);
        assert!(told.contains(&format!("shop.example at {}: ", server.address)) && told.contains(part), "{told}");
    }
}

#[test]
fn nobody_and_whoever_says_nothing_are_told_apart() {
    let looker = Looker::new();
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let output = looker.at(nobody, &["shop.example", "--format", "json"]);
    assert_eq!(wrong(&output), vec!["unreachable"]);
    assert!(said(&output.stderr).contains("nobody listens there"), "{output:?}");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let output = looker.at(address, &["shop.example", "--format", "json", "--timeout", "1"]);
    assert_eq!(wrong(&output), vec!["no_certificate"]);
    assert!(said(&output.stderr).contains("does not finish the handshake in time"), "{output:?}");
}

#[test]
fn every_host_of_the_edge_is_looked_at_and_what_it_publishes_expected() {
    let origin = Origin::saying("the shop");
    let edge = all_kinds(&origin);
    let looker = Looker::new();
    let page = looker.folder.path().join("vitrine.prom");
    let pings = Origin::saying("noted");
    let url = format!("http://127.0.0.1:{}/uuid", pings.address.port());
    let whole = ["--ca-file", "root.pem", "--ping", &url];
    let output = looker.all(&edge, edge.https, &[&whole[..], &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let seen: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let told = |entry: &Value| format!("{} {} {}", entry["name"], entry["host"], entry["key_type"]).replace('"', "");
    assert_eq!(
        seen.iter().map(told).collect::<Vec<_>>(),
        [
            "shop.example shop.example ecdsa",
            "shop.example shop.example rsa",
            "*.shop.example vitrine-probe.shop.example ecdsa",
            "*.shop.example vitrine-probe.shop.example rsa",
            "staging.test staging.test ecdsa",
        ]
    );
    let published = edge.api("sites").iter().flat_map(prints).collect::<Vec<_>>();
    assert_eq!(seen.iter().map(|entry| text(&entry["certificate"]["fingerprint"])).collect::<Vec<_>>(), published);
    assert_eq!(asked(&pings), ["/uuid"]);

    let file = page.to_str().expect("a path");
    let output = looker.all(&edge, edge.https, &[&whole[..], &["--format", "prometheus", "--output", file]].concat());
    assert_eq!((output.status.code(), said(&output.stdout)), (Some(0), String::new()));
    let text = fs::read_to_string(&page).expect("a page");
    assert_eq!(text.matches("vitrine_probe_success{host=").count(), 3);
    assert!(text.contains("vitrine_probe_hosts{result=\"wrong\"} 0\n"), "{text}");
    let mut promtool = Command::new("promtool");
    let check = promtool.args(["check", "metrics"]).stdin(fs::File::open(&page).expect("a page")).output();
    let check = check.expect("promtool, of Debian's package prometheus");
    assert!(check.status.success(), "{}", said(&check.stderr));
    // Nothing is left of how it was written.
    let left = fs::read_dir(looker.folder.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut left: Vec<_> = left.map(|name| name.to_string_lossy().into_owned()).collect();
    left.sort();
    assert_eq!(left, ["root.pem", "vitrine.prom"]);
}

#[test]
fn another_server_that_the_names_lead_to_is_found_and_who_waits_for_the_ping_is_told() {
    let origin = Origin::saying("the shop");
    let edge = all_kinds(&origin);
    let looker = Looker::new();
    // Good certificates for all names, but not those of the edge; and no file of Apple's.
    let server = Server::showing(&authority().issue(&["shop.example", "*.shop.example", "staging.test"]));
    let pings = Origin::saying("noted");
    let url = format!("http://127.0.0.1:{}/uuid", pings.address.port());
    let output = looker.all(&edge, server.address, &["--ca-file", "root.pem", "--format", "json", "--ping", &url]);
    assert_eq!(output.status.code(), Some(1));
    let seen: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |name: &str, key: &str| {
        let entry = seen.iter().find(|entry| entry["name"] == name && entry["key_type"] == key).expect("an entry");
        codes(entry)
    };
    assert_eq!(of("shop.example", "ecdsa"), ["other_certificate", "apple_file"]);
    // It has no key of this type to show.
    assert_eq!(of("shop.example", "rsa"), ["no_certificate"]);
    assert_eq!(of("*.shop.example", "ecdsa"), ["other_certificate"]);
    assert_eq!(of("staging.test", "ecdsa"), ["other_certificate"]);
    let told = said(&output.stderr);
    for part in
        ["another server answers there", "apple_file: /.well-known/apple-developer-merchantid-domain-association"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(asked(&pings), ["/uuid/fail"]);

    // What the edge serves is right, but for a file that is another by now.
    let proof = edge.setup.certs().join("well-known/shop.example/apple-developer-merchantid-domain-association");
    fs::remove_file(&proof).expect("removed");
    eventually("the end of the file", || edge.api("objects").is_empty().then_some(()));
    let output = looker.all(&edge, edge.https, &["--ca-file", "root.pem"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn hosts_are_found_by_the_name_server_that_is_named() {
    let records = "shop A 127.0.0.1\n";
    let zone = Zone { name: "example.", records, is_open: false };
    let bind = Bind::start(&[zone]);
    let looker = Looker::new();
    let server = Server::on("127.0.0.1:0".parse().expect("an address"), &authority().issue(&["shop.example"]));
    let (port, resolver) = (server.address.port().to_string(), bind.address.to_string());
    let line = [
        "shop.example",
        "gone.example",
        "--port",
        &port,
        "--resolver",
        &resolver,
        "--ca-file",
        "root.pem",
        "--format",
        "json",
    ];
    let output = looker.probe(&line);
    assert_eq!(wrong(&output), vec!["unresolved"]);
    let seen: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((codes(&seen[0]), text(&seen[0]["address"])), (vec![], format!("127.0.0.1:{port}")));
    assert!(said(&output.stderr).contains("there is no name gone.example, says the name server"), "{output:?}");
}

#[test]
fn without_an_edge_there_is_nothing_to_compare_with() {
    let looker = Looker::new();
    let missing = looker.probe(&["--all", "--socket", "nowhere.sock"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing.stderr).contains("no edge runs here"), "{missing:?}");
    for line in
        [&["10.0.0.1"][..], &[], &["shop.example", "--all"], &["a.example", "--ping", "http://elsewhere.example/"]]
    {
        assert_eq!(looker.probe(line).status.code(), Some(64), "{line:?}");
    }
    assert_eq!(looker.probe(&["--all", "--config", "nowhere.toml"]).status.code(), Some(78));
}

/// A shop with two types of key, a wildcard and Apple's file, and a site with a certificate of the edge's own authority.
fn all_kinds(origin: &Origin) -> Edge {
    let mut setup = Setup::new();
    setup.site(&["shop.example", "*.shop.example"], &[origin]);
    let names = ["shop.example", "*.shop.example"];
    for (file, kind) in [("ecdsa", KeyKind::Ecdsa), ("rsa", KeyKind::Rsa)] {
        setup.certificate(file, &authority().issue_for(&names, kind, -1, 90 * 24));
    }
    let self_signed = "certificate = \"self-signed\"\n";
    setup.raw_site(&(crate::support::site(&["staging.test"], &[origin.url()]) + self_signed));
    let shown = setup.certs().join("well-known/shop.example");
    fs::create_dir_all(&shown).expect("a folder");
    fs::write(shown.join("apple-developer-merchantid-domain-association"), "7B2276\n").expect("written");
    let edge = setup.start();
    eventually("a certificate for each host", || {
        let sites = edge.api("sites");
        sites.iter().all(|site| !prints(site).is_empty()).then_some(())
    });
    edge
}

/// Where `vitrine probe` is started, with the root of all that is issued here.
struct Looker {
    folder: TempDir,
}

impl Looker {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("root.pem"), &authority().root_pem).expect("written");
        Self { folder }
    }

    fn probe(&self, line: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.arg("probe").args(line).current_dir(self.folder.path()).stdin(Stdio::null());
        command.output().expect("it runs")
    }

    fn at(&self, address: SocketAddr, line: &[&str]) -> Output {
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        self.probe(&[line, &["--at", &ip, "--port", &port]].concat())
    }

    fn all(&self, edge: &Edge, address: SocketAddr, line: &[&str]) -> Output {
        let socket: PathBuf = edge.setup.state().join("admin.sock");
        self.at(address, &[&["--all", "--socket", socket.to_str().expect("a path")], line].concat())
    }
}

/// A server of openssl's that shows one certificate to everybody.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _folder: TempDir,
    _peer: Peer,
}

impl Server {
    fn showing(issued: &Issued) -> Self {
        Self::on(own_addresses().0, issued)
    }

    pub(crate) fn on(address: SocketAddr, issued: &Issued) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("both.pem"), issued.both()).expect("written");
        let address = match address.port() {
            0 => TcpListener::bind(address).expect("a port").local_addr().expect("an address"),
            _ => address,
        };
        let mut command = Command::new("openssl");
        command.args(["s_server", "-www", "-cert", "both.pem", "-key", "both.pem", "-accept", &address.to_string()]);
        let peer = Peer::start(command.current_dir(folder.path()), folder.path(), address);
        Self { address, _folder: folder, _peer: peer }
    }
}

/// The codes of all faults of a look that ended with the exit code for them.
fn wrong(output: &Output) -> Vec<String> {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    found(output)
}

fn found(output: &Output) -> Vec<String> {
    let seen: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    seen.iter().flat_map(codes).collect()
}

fn codes(entry: &Value) -> Vec<String> {
    entry["faults"].as_array().expect("a list").iter().map(|fault| text(&fault["code"])).collect()
}

/// The fingerprints of the certificates that serve a site's hosts.
fn prints(site: &Value) -> Vec<String> {
    let hosts = site["hosts"].as_array().expect("a list").iter();
    let certificates = hosts.flat_map(|host| host["certificates"].as_array().expect("a list"));
    certificates.map(|serving| text(&serving["fingerprint"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The paths that an origin was asked for.
fn asked(origin: &Origin) -> Vec<String> {
    origin
        .requests()
        .iter()
        .map(|received| received.head.start.split(' ').nth(1).unwrap_or_default().to_owned())
        .collect()
}
