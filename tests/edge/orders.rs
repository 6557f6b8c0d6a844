//! Certificates that the edge orders by itself, from a real ACME server that looks at real listeners.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustls::SignatureScheme;
use rustls::version::TLS13;
use serde_json::Value;

use crate::support::command::{done, refused, tool, vitrine};
use crate::support::pebble::Pebble;
use crate::support::{ClientTls, Edge, Origin, Setup, drop_file, eventually, within};

/// An edge with a managed site for each of `hosts`.
pub(crate) fn managed(pebble: &Pebble, origin: &Origin, hosts: &[&str]) -> Setup {
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    for host in hosts {
        setup.raw_site(&format!(
            "[[site]]\nhosts = [\"{host}\"]\nupstreams = [\"{}\"]\ncertificate = \"managed\"\n",
            origin.url()
        ));
    }
    setup
}

pub(crate) fn standing(edge: &Edge, site: &str) -> Value {
    let sites = edge.api("sites");
    let found = sites.into_iter().find(|known| known["name"] == site).expect("the site");
    found["managed"].clone()
}

pub(crate) fn failed(edge: &Edge, site: &str) -> Value {
    eventually("an order that came to nothing", || Some(standing(edge, site)).filter(|told| told["state"] == "FAILED"))
}

pub(crate) fn issued(edge: &Edge, site: &str) -> Value {
    eventually("an issued certificate", || Some(standing(edge, site)).filter(|told| told["state"] == "ISSUED"))
}

#[test]
fn a_managed_site_is_on_trusted_https_with_nothing_but_its_name() {
    let origin = Origin::saying("hello");
    let pebble = Pebble::start();
    let edge = managed(&pebble, &origin, &["shop.example"]).start();
    let told = issued(&edge, "shop.example");
    assert_eq!((&told["issuer"], &told["failures"]), (&"pebble".into(), &0.into()));
    assert!(done(vitrine(&edge, "sites list")).contains("served, ISSUED"));
    let history = done(vitrine(&edge, "certs history shop.example"));
    assert!(history.contains("issued"), "{history}");
    drop_file(&edge.setup.folder.path().join("issuer.pem"), pebble.root());
    let (port, address) = (edge.https.port(), edge.https.ip());
    let line =
        format!("curl -sS --cacert issuer.pem --resolve shop.example:{port}:{address} https://shop.example:{port}/");
    assert_eq!(done(tool(&edge, &line)), "hello");
}

#[test]
fn either_way_of_showing_a_name_is_enough() {
    let origin = Origin::saying("hello");
    for way in ["tls-alpn-01", "http-01"] {
        let pebble = Pebble::start();
        let mut setup = managed(&pebble, &origin, &["shop.example"]);
        setup.set("acme", &format!("challenges = [\"{way}\"]"));
        let edge = setup.start();
        issued(&edge, "shop.example");
        // Nothing of it is shown any more, and no shop's certificate is ever shown to a probe.
        let schemes = vec![SignatureScheme::ECDSA_NISTP256_SHA256];
        let probe = ClientTls::trusting(&[&TLS13], schemes).alpn(&["acme-tls/1"]);
        let refused = probe.try_open(edge.https, "shop.example").err().expect("a refusal").to_string();
        assert!(refused.contains("NoApplicationProtocol"), "{refused}");
    }
}

#[test]
fn a_way_that_fails_makes_way_for_the_next_which_is_remembered() {
    let origin = Origin::saying("hello");
    let pebble = Pebble::start();
    let mut setup = managed(&pebble, &origin, &["shop.example"]);
    // Nobody answers where the authority looks first, and nobody looks before it.
    setup.set("edge", "https = [\"127.0.0.1:0\"]").set("acme", "preflight = \"off\"");
    let edge = setup.start();
    let ways = |edge: &Edge| -> Vec<String> {
        let orders = edge.log().into_iter().filter(|line| line["message"] == "orders a certificate");
        orders.map(|line| line["challenge"].as_str().expect("a way").to_owned()).collect()
    };
    assert_eq!(failed(&edge, "shop.example")["last_failure"]["reason"], "validation");
    done(vitrine(&edge, "sites renew shop.example"));
    issued(&edge, "shop.example");
    assert_eq!(ways(&edge), ["tls-alpn-01", "http-01"]);
    let edge = edge.end(Signal::TERM).start();
    done(vitrine(&edge, "sites renew shop.example"));
    edge.logged("a certificate is issued");
    assert_eq!(ways(&edge), ["http-01"]);
}

#[test]
fn a_name_that_is_elsewhere_fails_in_the_authoritys_words_and_holds_back_nobody() {
    let origin = Origin::saying("hello");
    let pebble = Pebble::start();
    pebble.point("lost.example", "127.0.0.9");
    let mut setup = managed(&pebble, &origin, &["lost.example", "shop.example"]);
    setup.set("acme", "preflight = \"off\"");
    let edge = setup.start();
    let told = failed(&edge, "lost.example");
    let failure = &told["last_failure"];
    assert_eq!((&failure["reason"], &failure["issuer"]), (&"validation".into(), &"pebble".into()));
    let detail = failure["detail"].as_str().expect("words");
    assert!(
        detail.starts_with("lost.example: ") && detail.contains("127.0.0.9:5001 for the tls-alpn-01 challenge"),
        "{detail}"
    );
    issued(&edge, "shop.example");
    // A start is no reason to try again: the authority would soon look no more.
    let edge = edge.end(Signal::TERM).start();
    let again = failed(&edge, "lost.example");
    assert_eq!((&again["failures"], &again["next"]), (&1.into(), &told["next"]));
    assert!(edge.log().iter().all(|line| line["message"] != "orders a certificate"));
    // Who has mended it need not wait.
    pebble.point("lost.example", &pebble.address.to_string());
    assert!(done(vitrine(&edge, "sites renew lost.example")).contains("ordered"));
    issued(&edge, "lost.example");
}

#[test]
fn an_authority_that_is_away_is_told_of_and_the_account_comes_before_the_order() {
    let origin = Origin::saying("hello");
    let mut pebble = Pebble::prepare();
    let edge = managed(&pebble, &origin, &["shop.example"]).start();
    assert_eq!(failed(&edge, "shop.example")["last_failure"]["reason"], "unreachable");
    pebble.serve();
    done(vitrine(&edge, "sites renew shop.example"));
    let first = issued(&edge, "shop.example");
    let account = edge.setup.state().join("acme/pebble/account.json");
    assert!(fs::metadata(&account).expect("an account").permissions().mode() & 0o077 == 0);
    assert!(!edge.setup.state().join("acme/pebble/new-account.der").exists());
    // What serves is not ordered again, whoever starts the edge.
    let edge = edge.end(Signal::KILL).start();
    assert_eq!(issued(&edge, "shop.example")["issued"], first["issued"]);
    assert!(refused(vitrine(&edge, "sites renew other.example")).contains("there is no site"));
}

#[test]
fn a_name_that_is_configured_while_the_edge_runs_is_on_trusted_https_within_a_minute() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut edge = managed(&pebble, &origin, &["first.example"]).start();
    issued(&edge, "first.example");
    drop_file(&edge.setup.folder.path().join("issuer.pem"), pebble.root());
    edge.setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"{}\"]\ncertificate = \"managed\"\n",
        origin.url()
    ));
    let begun = Instant::now();
    edge.reload();
    let (port, address) = (edge.https.port(), edge.https.ip());
    let line =
        format!("curl -sS --cacert issuer.pem --resolve shop.example:{port}:{address} https://shop.example:{port}/");
    within(Duration::from_secs(60), "trusted HTTPS", || {
        let answer = tool(&edge, &line);
        answer.status.success().then(|| assert_eq!(done(answer), "hello"))
    });
    println!("on trusted HTTPS {:?} after the reload that names it", begun.elapsed());
}
