//! What is looked at before an order: what is wrong costs none, and is told with the record that is to be mended.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::orders::{failed, issued, managed, standing};
use crate::support::command::{done, said, vitrine};
use crate::support::pebble::{HTTP, Pebble, TLS};
use crate::support::{Edge, KeyKind, Origin, Setup, Then, authority, eventually};

/// Why nothing was ordered for a site: the reason and the text.
fn why(edge: &Edge, site: &str) -> (String, String) {
    let told = failed(edge, site);
    assert_eq!(told["failures"], 0, "{told}");
    assert_eq!(told["failed_checks"], 1, "{told}");
    assert!(told["next"].is_string(), "{told}");
    let failure = &told["last_failure"];
    let text = |key: &str| failure[key].as_str().expect("text").to_owned();
    (text("reason"), text("detail"))
}

/// How the orders that were made showed their names.
fn ways(edge: &Edge) -> Vec<String> {
    let orders = edge.log().into_iter().filter(|line| line["message"] == "orders a certificate");
    orders.map(|line| line["challenge"].as_str().expect("a way").to_owned()).collect()
}

fn in_state(edge: &Edge, site: &str, state: &str) -> Value {
    eventually(state, || Some(standing(edge, site)).filter(|told| told["state"] == state))
}

#[test]
fn a_name_that_leads_elsewhere_costs_no_order_until_it_is_mended() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    pebble.point("lost.example", "127.0.0.9");
    let edge = managed(&pebble, &origin, &["lost.example"]).start();
    let (reason, detail) = why(&edge, "lost.example");
    assert_eq!(reason, "unreachable-name");
    assert!(
        detail.starts_with(
            "lost.example A 127.0.0.9 does not answer at port 5001: nobody listens there; have it lead here"
        ),
        "{detail}"
    );
    let listed = vitrine(&edge, "sites list");
    assert!(said(&listed.stderr).contains("lost.example: FAILED (unreachable-name), tried again "));
    assert!(said(&listed.stderr).contains(&detail) && done(listed).contains("no certificate, FAILED"));
    // A start is no reason to look again.
    let next = standing(&edge, "lost.example")["next"].clone();
    let edge = edge.end(Signal::TERM).start();
    assert_eq!(failed(&edge, "lost.example")["next"], next);
    assert_eq!(pebble.orders(), 0);
    pebble.point("lost.example", &pebble.address.to_string());
    done(vitrine(&edge, "sites renew lost.example"));
    let told = issued(&edge, "lost.example");
    assert_eq!((&told["failed_checks"], &told["last_failure"]), (&0.into(), &Value::Null));
    assert!(pebble.orders() > 0);
}

#[test]
fn a_forgotten_aaaa_record_is_named_beside_the_one_that_leads_here() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    pebble.dns("add-aaaa", "shop.example", json!({ "addresses": ["::1"] }));
    let mut setup = managed(&pebble, &origin, &["shop.example"]);
    setup.set("acme", "preflight_networks = [\"127.0.0.0/8\", \"::1/128\"]");
    let edge = setup.start();
    let (reason, detail) = why(&edge, "shop.example");
    assert_eq!(reason, "unreachable-name");
    let mend = format!("delete this record, or have it lead here, as A {} does", pebble.address);
    assert!(
        detail.starts_with("shop.example AAAA ::1 does not answer at port 5001: ") && detail.contains(&mend),
        "{detail}"
    );
    assert!(!detail.contains("shop.example A "), "{detail}");
    assert_eq!(pebble.orders(), 0);
}

#[test]
fn a_server_that_redirects_floods_hangs_or_does_not_know_is_another_and_holds_back_nobody() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let other = pebble.neighbour();
    let listener = TcpListener::bind((other, HTTP)).expect("it is free");
    let (end, cut_off) = std::sync::mpsc::channel();
    let end = std::sync::Mutex::new(end);
    let shop = Origin::listening(listener, move |exchange| match exchange.head.field("host") {
        Some("moved.example") => exchange.answer("301 Moved Permanently", &[("location", "/followed")], b""),
        Some("huge.example") => {
            exchange.write(b"HTTP/1.1 200 OK\r\n\r\n")?;
            while exchange.write(&[b'a'; 4096]).is_ok() {}
            let _ = end.lock().expect("a channel").send(());
            Ok(Then::Close)
        }
        Some("slow.example") => {
            // Until who asked gives up.
            let _ = exchange.reader.read(&mut [0]);
            Ok(Then::Close)
        }
        _ => exchange.answer("404 Not Found", &[], b""),
    });
    let lost = ["moved.example", "huge.example", "slow.example", "unknown.example"];
    for name in lost {
        pebble.point(name, &other.to_string());
    }
    let names: Vec<&str> = lost.iter().copied().chain(["shop.example"]).collect();
    let mut setup = managed(&pebble, &origin, &names);
    setup.set("acme", "challenges = [\"http-01\"]");
    let begun = Instant::now();
    let edge = setup.start();
    // Beside names that lead elsewhere one that leads here is on trusted HTTPS within the minute.
    issued(&edge, "shop.example");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    for (name, how) in [
        (
            "moved.example",
            "leads to another server: at port 5002 it redirects to /followed, which is not followed; have it",
        ),
        (
            "huge.example",
            "leads to another server: at port 5002 it answers with something else, of more than 1024 octets;",
        ),
        (
            "slow.example",
            "leads to another server: at port 5002 it takes the connection and does not answer in time; have",
        ),
        ("unknown.example", "leads to another server: at port 5002 it answers 404 Not Found; have it lead here"),
    ] {
        let (reason, detail) = why(&edge, name);
        assert_eq!(reason, "unreachable-name");
        assert!(detail.starts_with(&format!("{name} A {other} {how}")), "{detail}");
    }
    cut_off.recv_timeout(Duration::from_secs(30)).expect("the flood is cut off");
    let mut paths: Vec<String> = shop.requests().into_iter().map(|request| request.head.start).collect();
    assert!(paths.iter().all(|path| path.starts_with("GET /.well-known/acme-challenge/")), "{paths:?}");
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 4, "{paths:?}");
    assert_eq!(ways(&edge).len(), 1);
}

#[test]
fn another_edge_is_not_taken_for_this_one() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let other = pebble.neighbour();
    let mut setup = Setup::shop(&origin);
    setup.set("edge", &format!("https = [\"{other}:{TLS}\"]")).set("edge", &format!("http = [\"{other}:{HTTP}\"]"));
    let _other = setup.start();
    pebble.point("shop.example", &other.to_string());
    let edge = managed(&pebble, &origin, &["shop.example"]).start();
    let (reason, detail) = why(&edge, "shop.example");
    assert_eq!(reason, "unreachable-name");
    let said =
        format!("shop.example A {other} leads to another server: at port 5001 it does not answer to acme-tls/1;");
    assert!(detail.starts_with(&said), "{detail}");
    assert_eq!(pebble.orders(), 0);
}

#[test]
fn an_address_inside_is_not_looked_at_unless_the_operator_allows_it() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut setup = managed(&pebble, &origin, &["shop.example"]);
    setup.forget("acme", "preflight_networks");
    let edge = setup.start();
    let (reason, detail) = why(&edge, "shop.example");
    assert_eq!(reason, "unreachable-name");
    let said = format!(
        "shop.example A {} is this machine's own (loopback), where no authority of the web looks and no probe goes",
        pebble.address
    );
    assert!(detail.starts_with(&said) && detail.contains("acme.preflight_networks"), "{detail}");
    assert_eq!(pebble.orders(), 0);
    let accepted = edge.scrape().sum("vitrine_connections_accepted_total", &[]);
    assert_eq!(accepted, 0.0, "nobody came to look");
}

#[test]
fn caa_records_that_forbid_it_or_cannot_be_looked_up_cost_no_order() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let nobody = json!({ "policies": [{ "tag": "issue", "value": ";" }] });
    pebble.dns("add-caa", "shut.example", nobody);
    pebble.dns("set-cname", "alias.test", json!({ "target": "shut.example." }));
    pebble.dns("set-servfail", "broken.example", json!({}));
    let names = ["shut.example", "www.shut.example", "alias.test", "shop.broken.example"];
    let edge = managed(&pebble, &origin, &names).start();
    for (name, at) in
        [("shut.example", "shut.example"), ("www.shut.example", "shut.example"), ("alias.test", "alias.test")]
    {
        let (reason, detail) = why(&edge, name);
        assert_eq!(reason, "caa");
        let said =
            format!("{name}: at {at}, CAA 0 issue \";\" lets nobody issue: add 0 issue with the name of the authority");
        assert_eq!(detail, said);
    }
    let (reason, detail) = why(&edge, "shop.broken.example");
    assert_eq!(reason, "caa");
    assert!(
        detail.contains(
            "cannot tell the CAA record of broken.example: it says SERVFAIL; no authority issues for \
                         shop.broken.example then"
        ),
        "{detail}"
    );
    assert_eq!(pebble.orders(), 0);
    // Who has mended it need not wait.
    pebble.dns("clear-caa", "shut.example", json!({}));
    done(vitrine(&edge, "sites renew shut.example"));
    issued(&edge, "shut.example");
}

#[test]
fn an_authority_is_known_by_what_it_calls_itself_and_a_way_that_is_forbidden_is_not_gone() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut directory = pebble.abilities();
    directory["meta"]["caaIdentities"] = json!(["pebble.example"]);
    let front = front(&pebble, directory.to_string());
    let policies = |values: &[&str]| -> Value {
        let policies: Vec<Value> = values.iter().map(|value| json!({ "tag": "issue", "value": value })).collect();
        json!({ "policies": policies })
    };
    pebble.dns("add-caa", "shut.example", policies(&["other.example"]));
    pebble.dns("add-caa", "shop.example", policies(&["other.example", "pebble.example; validationmethods=http-01"]));
    let mut setup = managed(&pebble, &origin, &["shut.example", "shop.example"]);
    setup.forget_sites();
    for host in ["shut.example", "shop.example"] {
        let url = origin.url();
        setup
            .raw_site(&format!("[[site]]\nhosts = [\"{host}\"]\nupstreams = [\"{url}\"]\ncertificate = \"managed\"\n"));
    }
    setup.raw_site(&format!(
        "[[acme.issuer]]\nname = \"named\"\ndirectory = \"https://{front}/dir\"\nca_file = \"pebble-root.pem\"\n"
    ));
    let edge = setup.start();
    let (reason, detail) = why(&edge, "shut.example");
    assert_eq!(reason, "caa");
    assert_eq!(
        detail,
        "shut.example: at shut.example, CAA 0 issue \"other.example\" lets another authority issue, and not pebble.example: add 0 \
         issue \"pebble.example\""
    );
    issued(&edge, "shop.example");
    assert_eq!(ways(&edge), ["http-01"]);
}

/// A server that says what an authority can do, in its place: in front of it, and with words of its own.
fn front(pebble: &Pebble, directory: String) -> std::net::SocketAddr {
    let listener = TcpListener::bind((pebble.address, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let issued = authority().issue(&[&pebble.address.to_string()]);
    let key = rustls_pki_types::pem::PemObject::from_pem_slice(issued.key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![issued.der], key)
        .expect("a configuration");
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut stream = rustls::StreamOwned::new(session, tcp);
            let length = directory.len();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut octet = [0];
                match stream.read(&mut octet) {
                    Ok(1) => head.push(octet[0]),
                    _ => break,
                }
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            // Who asked may have gone.
            let _ = stream.write_all(format!("{head}{directory}").as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    address
}

#[test]
fn a_way_that_leads_nowhere_makes_way_for_the_next_before_anything_is_ordered() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut setup = managed(&pebble, &origin, &["shop.example"]);
    setup.set("edge", "https = [\"127.0.0.1:0\"]");
    let edge = setup.start();
    assert_eq!(issued(&edge, "shop.example")["failures"], 0);
    assert_eq!(ways(&edge), ["http-01"]);
}

#[test]
fn who_is_only_to_be_warned_is_and_the_order_is_made() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    pebble.dns("add-caa", "shop.example", json!({ "policies": [{ "tag": "issue", "value": ";" }] }));
    let mut setup = managed(&pebble, &origin, &["shop.example"]);
    setup.set("acme", "preflight = \"warn\"");
    let edge = setup.start();
    let told = issued(&edge, "shop.example");
    assert_eq!((&told["warning"]["reason"], &told["last_failure"]), (&"caa".into(), &Value::Null));
    let detail = told["warning"]["detail"].as_str().expect("text");
    assert!(detail.starts_with("shop.example: at shop.example, CAA 0 issue \";\" lets nobody issue"), "{detail}");
    let line = edge.log_line("a warning", |line| line["level"] == "WARN" && line["reason"] == "caa");
    assert!(line["message"].as_str().is_some_and(|text| text.contains(detail)), "{line}");
}

#[test]
fn a_certificate_that_is_about_to_end_is_renewed_whatever_the_checks_find() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    for name in ["soon.example", "later.example"] {
        pebble.dns("add-caa", name, json!({ "policies": [{ "tag": "issue", "value": ";" }] }));
    }
    let mut setup = managed(&pebble, &origin, &["soon.example", "later.example"]);
    // Of 100 hours 5 are left, and 20.
    setup.certificate("soon", &authority().issue_for(&["soon.example"], KeyKind::Ecdsa, -95, 5));
    setup.certificate("later", &authority().issue_for(&["later.example"], KeyKind::Ecdsa, -80, 20));
    let edge = setup.start();
    assert_eq!(why(&edge, "later.example").0, "caa");
    let told =
        eventually("a renewal", || Some(standing(&edge, "soon.example")).filter(|told| told["issuer"] == "pebble"));
    assert_eq!((&told["state"], &told["warning"]["reason"]), (&"ISSUED".into(), &"caa".into()));
    assert_eq!(ways(&edge).len(), 1);
}

#[test]
fn a_site_tells_that_it_is_checked_and_which_name_server_does_not_answer() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let server = silent.local_addr().expect("an address");
    let mut setup = managed(&pebble, &origin, &["shop.example"]);
    setup.set("acme", &format!("resolvers = [\"{server}\"]"));
    let edge = setup.start();
    in_state(&edge, "shop.example", "CHECKING");
    assert!(done(vitrine(&edge, "sites list")).contains("CHECKING"));
    let (reason, detail) = why(&edge, "shop.example");
    assert_eq!(reason, "dns");
    assert!(
        detail.contains(&format!("the name server {server} does not answer")) && detail.contains("acme.resolvers"),
        "{detail}"
    );
    assert_eq!(pebble.orders(), 0);
}

#[test]
fn a_site_tells_that_the_authority_looks() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let other = pebble.neighbour();
    // It takes connections, and says nothing.
    let _silent = TcpListener::bind((other, HTTP)).expect("it is free");
    pebble.point("shop.example", &other.to_string());
    let mut setup = managed(&pebble, &origin, &["shop.example"]);
    setup.set("acme", "preflight = \"off\"").set("acme", "challenges = [\"http-01\"]");
    let edge = setup.start();
    in_state(&edge, "shop.example", "VALIDATING");
    let told = failed(&edge, "shop.example");
    assert_eq!((&told["failures"], &told["failed_checks"]), (&1.into(), &0.into()));
}

#[test]
fn a_name_that_moves_to_another_site_during_its_order_is_not_ordered_twice() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    pebble.signal(Signal::STOP);
    let mut edge = managed(&pebble, &origin, &["shop.example"]).start();
    in_state(&edge, "shop.example", "ORDERING");
    let issuer = edge.setup.text();
    let issuer =
        issuer.split("[[site]]").next().and_then(|text| text.find("[[acme.issuer]]").map(|at| text[at..].to_owned()));
    edge.setup.forget_sites();
    let url = origin.url();
    edge.setup.raw_site(&format!(
        "{}[[site]]\nname = \"heir\"\nhosts = [\"shop.example\"]\nupstreams = [\"{url}\"]\ncertificate = \"managed\"\n",
        issuer.expect("an issuer")
    ));
    edge.reload();
    let told =
        eventually("a site that waits", || Some(standing(&edge, "heir")).filter(|told| told["waits_for"].is_string()));
    assert_eq!(told["state"], "WAITING");
    assert_eq!(told["waits_for"], "shop.example is in the order of the site \"shop.example\", which has not ended");
    pebble.signal(Signal::CONT);
    // The certificate may be there a moment before the order that brought it has ended.
    eventually("a certificate for the heir", || {
        Some(issued(&edge, "heir")).filter(|told| told["waits_for"] == Value::Null)
    });
    assert_eq!(ways(&edge).len(), 1);
}
