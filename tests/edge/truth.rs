//! What is really served: looked at after each change, and told when it is not what is published.

use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::support::{
    Edge, Issued, KeyKind, Origin, Setup, authority, eventually, message, page_in, replace_file, run, within,
};

#[test]
fn a_swapped_certificate_is_seen_to_be_served_for_each_type_of_key() {
    let origin = Origin::saying("the shop");
    let mut setup = Setup::new();
    setup.site(&["shop.example", "*.shop.example"], &[&origin]);
    setup.certificate("ecdsa", &both(KeyKind::Ecdsa, -2)).certificate("rsa", &both(KeyKind::Rsa, -2));
    let edge = setup.start();
    assert_eq!(edge.scrape().series(MISMATCH, &[("site", "shop.example")]), [series("shop.example", 0.0)]);
    for host in ["shop.example", "*.shop.example"] {
        eventually("the first check", || {
            let seen = seen(&edge, host);
            (seen.len() == 2 && seen.iter().all(|(_, served)| served == "as published")).then_some(())
        });
    }
    let checks = |edge: &Edge| edge.scrape().sum("vitrine_truth_checks_total", &[("result", "match")]);
    assert_eq!(checks(&edge), 4.0);

    for (name, kind) in [("ecdsa", KeyKind::Ecdsa), ("rsa", KeyKind::Rsa)] {
        let before = checks(&edge);
        let old: Vec<String> = seen(&edge, "shop.example").into_iter().map(|(print, _)| print).collect();
        replace_file(&edge.setup.certs().join(format!("{name}.pem")), both(kind, -1).both());
        // A check counts for the certificate that it was made of: a new one begins with none.
        eventually("a check of the new one", || {
            let seen = seen(&edge, "shop.example");
            let swapped = seen.iter().any(|(print, _)| !old.contains(print));
            (swapped && seen.iter().all(|(_, served)| served == "as published")).then_some(())
        });
        eventually("the checks of both hosts", || (checks(&edge) == before + 4.0).then_some(()));
    }
    let page = edge.scrape();
    for result in ["mismatch", "refused", "no_answer", "invalid"] {
        assert_eq!(page.series("vitrine_truth_checks_total", &[("result", result)]).len(), 1);
    }
    assert_eq!(
        page.sum("vitrine_truth_checks_total", &[]),
        page.sum("vitrine_truth_checks_total", &[("result", "match")])
    );
    assert_eq!(page.sum(MISMATCH, &[]), 0.0);
    assert!(page.sum("vitrine_truth_check_age_seconds", &[]) < 600.0);
}

#[test]
fn every_listener_is_asked_and_one_on_all_addresses_over_the_loopback() {
    let origin = Origin::saying("the shop");
    let mut setup = Setup::new();
    setup.site(&["shop.example", "*.shop.example"], &[&origin]).certificate("shop", &both(KeyKind::Ecdsa, -9));
    setup.set("edge", "https = [\"127.0.0.1:0\", \"[::]:0\", \"0.0.0.0:0\"]");
    let edge = setup.start();
    // Each change is looked at through the next one.
    for change in 1..=3_i32 {
        let checks = [("result", "match")];
        eventually("a check", || {
            (edge.scrape().sum("vitrine_truth_checks_total", &checks) == f64::from(change * 2)).then_some(())
        });
        replace_file(&edge.setup.certs().join("shop.pem"), both(KeyKind::Ecdsa, i64::from(change) - 9).both());
    }
    assert_eq!(edge.scrape().sum("vitrine_truth_checks_total", &[("result", "no_answer")]), 0.0);
}

#[test]
fn a_check_is_no_client() {
    let origin = Origin::saying("the shop");
    let mut setup = Setup::shop(&origin);
    setup.site(&["bare.example"], &[&origin]);
    setup.set("limits", "connections = 1").set("limits", "connections_per_client = 1").set("edge", "workers = 1");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").text(), "the shop");
    let old = seen(&edge, "shop.example");

    replace_file(&edge.setup.certs().join("shop.pem"), both(KeyKind::Ecdsa, 0).both());
    eventually("a check beside the one client there may be", || {
        let seen = seen(&edge, "shop.example");
        (seen[0].0 != old[0].0 && seen[0].1 == "as published").then_some(())
    });
    // That it is refused is what is published.
    eventually("a check of the host without a certificate", || {
        (host(&edge, "bare.example")?["served"] == "as published").then_some(())
    });
    assert_eq!(client.get("shop.example", "/").text(), "the shop");
    let page = edge.scrape();
    assert_eq!(page.sum("vitrine_connections_accepted_total", &[]), 1.0);
    assert_eq!(page.sum("vitrine_handshakes_total", &[]), 1.0);
    assert_eq!(page.sum("vitrine_connections_shed_total", &[]) + page.sum("vitrine_accept_errors_total", &[]), 0.0);
    assert_eq!(edge.log().iter().filter(|line| message(line).contains("handshake")).count(), 0);
}

#[test]
fn a_look_at_what_a_site_shows_is_no_client_either() {
    let origin = Origin::saying("the shop");
    let mut setup = Setup::shop(&origin);
    setup.set("access_log", "to = \"stdout\"");
    let folder = setup.certs().join("well-known/shop.example");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("a.txt"), "object").expect("written");
    let edge = setup.start();
    // Over HTTPS and plain HTTP.
    edge.counted(1.0, "vitrine_well_known_served", &[("site", "shop.example")]);
    let page = edge.scrape();
    for name in [
        "vitrine_connections_accepted_total",
        "vitrine_handshakes_total",
        "vitrine_requests_total",
        "vitrine_request_duration_seconds_count",
        "vitrine_site_requests_total",
        "vitrine_local_answers_total",
        "vitrine_body_bytes_total",
    ] {
        assert_eq!((page.sum(name, &[]), page.series(name, &[]).is_empty()), (0.0, false), "{name}");
    }
    assert_eq!(edge.get("shop.example", "/.well-known/a.txt").text(), "object");
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "well_known")]);
    edge.output_line("the client's", |line| line["path"] == "/.well-known/a.txt");
    assert_eq!(edge.output().len(), 1, "{:?}", edge.output());
}

#[test]
fn another_process_on_the_port_is_found_told_and_forgotten_when_it_is_gone() {
    let origin = Origin::saying("the shop");
    // The system gives the other one some of the connections only: one of so many checks meets it.
    let names: Vec<String> = (0..40).map(|number| format!("shop-{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut setup = Setup::new();
    setup.site(&names, &[&origin]).set("edge", "workers = 1");
    setup.certificate("shop", &authority().issue_for(&names, KeyKind::Ecdsa, -2, 90 * 24));
    let edge = setup.start();
    eventually("the first check of all", || {
        names.iter().all(|name| seen(&edge, name).iter().all(|(_, served)| served == "as published")).then_some(())
    });
    let other = authority().issue(&names);
    let impostor = Impostor::join(edge.https, &other);

    replace_file(
        &edge.setup.certs().join("shop.pem"),
        authority().issue_for(&names, KeyKind::Ecdsa, -1, 90 * 24).both(),
    );
    edge.counted(1.0, MISMATCH, &[("site", "shop-0.example")]);
    let line = edge.logged("what is served is not what is published");
    assert_eq!((&line["level"], &line["site"]), (&"ERROR".into(), &"shop-0.example".into()));
    let alarm = edge.api("alarms").into_iter().find(|alarm| alarm["code"] == "served-mismatch").expect("an alarm");
    for part in ["shop-", &edge.https.to_string(), &fingerprint(&other)[..16], "is published", "ss -tlnp"] {
        assert!(alarm["message"].as_str().is_some_and(|message| message.contains(part)), "{part}: {alarm}");
    }
    let said = run(&["sites", "list", "--config", "vitrine.toml"], &edge.setup);
    let (list, remarks) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(list.contains("served, not seen as published"), "{list}");
    assert!(remarks.contains(&fingerprint(&other)[..16]), "{remarks}");
    // The same for programs, and for who reads German, at the site, in the list and among the alerts.
    let site = edge.api("sites").into_iter().next().expect("the site");
    let wrong = &site["wrong"];
    assert_eq!((&wrong["code"], &wrong["key"]), (&"other-certificate".into(), &"ecdsa".into()), "{site}");
    assert_eq!(wrong["shown"], fingerprint(&other)[..16], "{site}");
    let german =
        format!("zeigt auf die Frage nach ecdsa das Zertifikat mit dem Fingerabdruck {}…", &fingerprint(&other)[..16]);
    for place in ["/sites/shop-0.example", "/sites", "/alerts"] {
        let page = page_in(&edge, "de", place).text();
        assert!(page.contains(&german) && !page.contains("<q"), "{place}: {page}");
        assert!(!page.contains("is published"), "{place}: {page}");
    }
    let said = run(&["certs", "list", "--config", "vitrine.toml"], &edge.setup);
    assert!(String::from_utf8_lossy(&said.stderr).contains("alarm (served-mismatch): shop-"), "{said:?}");

    drop(impostor);
    within(Duration::from_secs(120), "the end of the alarm", || {
        (edge.scrape().sum(MISMATCH, &[]) == 0.0).then_some(())
    });
    edge.logged("what is published is served again");
    assert!(!edge.api("alarms").iter().any(|alarm| alarm["code"] == "served-mismatch"));
}

/// Another process that the system lets listen on the same port, as it does for one of the same user.
pub(crate) struct Impostor {
    socket: Socket,
    thread: Option<JoinHandle<()>>,
}

impl Impostor {
    pub(crate) fn join(address: SocketAddr, shows: &Issued) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        socket.set_reuse_port(true).expect("an option");
        socket.bind(&address.into()).expect("the same port");
        socket.listen(64).expect("a listener");
        let chain = CertificateDer::pem_slice_iter(shows.chain.as_bytes()).map(|certificate| certificate.expect("PEM"));
        let key = PrivateKeyDer::from_pem_slice(shows.key.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain.collect(), key)
            .expect("a certificate");
        let (config, listener) = (Arc::new(config), TcpListener::from(socket.try_clone().expect("a second handle")));
        let thread = std::thread::spawn(move || {
            while let Ok((tcp, _)) = listener.accept() {
                let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
                // Who does not speak TLS is none of its business.
                let _ = std::io::copy(&mut StreamOwned::new(session, tcp), &mut std::io::sink());
            }
        });
        Self { socket, thread: Some(thread) }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        // Accepting fails then, and the system gives it no more connections.
        let _ = self.socket.shutdown(Shutdown::Both);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A certificate for the shop that begins so many hours after now.
fn both(kind: KeyKind, from_hours: i64) -> Issued {
    authority().issue_for(&["shop.example", "*.shop.example"], kind, from_hours, 90 * 24)
}

/// Of each certificate that serves a host, its fingerprint and what the last check found.
fn seen(edge: &Edge, name: &str) -> Vec<(String, String)> {
    let host = host(edge, name).unwrap_or_default();
    let text = |serving: &Value, field: &str| serving[field].as_str().unwrap_or_default().to_owned();
    let certificates = host["certificates"].as_array().cloned().unwrap_or_default();
    certificates.iter().map(|serving| (text(serving, "fingerprint"), text(serving, "served"))).collect()
}

fn host(edge: &Edge, name: &str) -> Option<Value> {
    let sites = edge.api("sites");
    let mut hosts = sites.iter().filter_map(|site| site["hosts"].as_array()).flatten();
    hosts.find(|host| host["host"] == name).cloned()
}

fn fingerprint(issued: &Issued) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &issued.der);
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

fn series(site: &str, value: f64) -> (String, f64) {
    (format!("{MISMATCH}{{site=\"{site}\"}}"), value)
}

const MISMATCH: &str = "vitrine_served_certificate_mismatch";
