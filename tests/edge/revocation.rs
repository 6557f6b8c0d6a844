//! Certificates that are taken back: by whom, why, and what serves then.

use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, SignatureScheme};
use serde_json::{Value, json};

use crate::support::command::{done, refused, vitrine};
use crate::support::managed::{
    certificates_of, lead_astray, managed_site, orders_in, orders_of, renewed, replaced, shown_to_openssl, site_text,
};
use crate::support::pebble::Pebble;
use crate::support::{ClientTls, Edge, Origin, authority, drop_file, eventually};

fn serving(edge: &Edge) -> Value {
    certificates_of(edge, "shop.example").remove(0)
}

fn text(certificate: &Value, what: &str) -> String {
    certificate[what].as_str().expect(what).to_owned()
}

fn history(edge: &Edge, fingerprint: &str) -> Vec<Value> {
    edge.api(&format!("certificates/{fingerprint}/history"))
}

/// The same where it may be none yet.
fn history_or_none(edge: &Edge, fingerprint: &str) -> Vec<Value> {
    let answer = edge.ask_api("GET", &format!("/api/v1/certificates/{fingerprint}/history"));
    if answer.status == 200 { answer.json().as_array().cloned().unwrap_or_default() } else { Vec::new() }
}

#[test]
fn a_version_that_serves_nothing_any_more_is_revoked_by_the_account() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let edge = managed_site(&pebble, &origin, "shop.example", "").start();
    orders_in(&edge, "shop.example", "ISSUED");
    let old = serving(&edge);
    renewed(&edge, "shop.example");
    let new = serving(&edge);
    assert_eq!(pebble.status(&text(&old, "serial"))["Status"], "Valid");
    let fingerprint = text(&old, "fingerprint");
    let said = done(vitrine(&edge, &format!("certs revoke {fingerprint} --reason superseded")));
    assert_eq!(said.trim(), format!("revoked: {fingerprint} by pebble, signed by the account (superseded)"));
    let status = pebble.status(&text(&old, "serial"));
    assert_eq!((&status["Status"], &status["Reason"]), (&"Revoked".into(), &4.into()), "{status}");
    // Nothing else changes, and nobody goes back to it.
    assert_eq!(text(&serving(&edge), "fingerprint"), text(&new, "fingerprint"));
    let versions = history(&edge, &fingerprint);
    let told: Vec<_> = versions.iter().map(|version| (&version["current"], &version["revoked"])).collect();
    assert_eq!(told, [(&json!(true), &Value::Null), (&json!(false), &json!("superseded"))]);
    let said = refused(vitrine(&edge, &format!("certs rollback shop.example --to {fingerprint}")));
    assert!(said.contains("revoked"), "{said}");
    // Who asks again is told the same.
    done(vitrine(&edge, &format!("certs revoke {fingerprint} --reason superseded")));
    let audit = edge.api("audit");
    let last = audit.iter().find(|line| line["action"] == "POST certificates/{fingerprint}/revoke").expect("a line");
    assert_eq!(last["object"], format!("certificates/{fingerprint}"));
    assert_eq!(last["detail"], "reason superseded, signed by the account");
}

#[test]
fn a_compromised_key_serves_until_it_is_replaced_and_no_session_outlives_it() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let edge = managed_site(&pebble, &origin, "shop.example", "reuse_key = true").start();
    orders_in(&edge, "shop.example", "ISSUED");
    let first = serving(&edge);
    renewed(&edge, "shop.example");
    let old = serving(&edge);
    let schemes = vec![SignatureScheme::ECDSA_NISTP256_SHA256];
    let clients = [&TLS13, &TLS12].map(|version| ClientTls::trusting(&[version], schemes.clone()).alpn(&["http/1.1"]));
    let visit = |client: &ClientTls| {
        let mut talk = client.open(edge.https, "shop.example");
        assert_eq!(talk.get("shop.example", "/").status, 200);
        talk.session().handshake_kind().expect("a kind")
    };
    for client in &clients {
        assert_eq!([visit(client), visit(client)], [HandshakeKind::Full, HandshakeKind::Resumed]);
    }
    // Nothing can be issued for now, so what serves has to go on.
    lead_astray(&edge, &pebble, "shop.example");
    let fingerprint = text(&old, "fingerprint");
    let said = done(vitrine(&edge, &format!("certs revoke {fingerprint} --reason key-compromise")));
    assert!(said.contains("signed by its own key (key-compromise)"), "{said}");
    assert!(said.contains("another is ordered, with a new key, for: shop.example;"), "{said}");
    assert!(said.contains("it serves until then, or until you bring another: shop.example"), "{said}");
    assert!(said.contains(&format!("the same key is in {}", text(&first, "fingerprint"))), "{said}");
    assert_eq!(pebble.status(&text(&old, "serial"))["Reason"], 1);
    for client in &clients {
        assert_eq!(visit(client), HandshakeKind::Full);
    }
    let told = orders_in(&edge, "shop.example", "FAILED");
    assert_eq!(told["last_failure"]["reason"], "unreachable-name");
    let codes = |edge: &Edge| -> Vec<String> {
        let warnings = serving(edge)["warnings"].as_array().expect("warnings").clone();
        warnings.iter().map(|warning| text(warning, "code")).collect()
    };
    assert!(codes(&edge).contains(&"revoked".to_owned()));
    let alarm = || edge.api("alarms").into_iter().find(|alarm| alarm["code"] == "revoked-serving");
    let alarm = eventually("an alarm", alarm);
    assert!(text(&alarm, "message").contains("refuse it: shop.example; for managed sites"), "{alarm}");
    // A start forgets nothing of it, and what comes has another key.
    let edge = edge.end(Signal::KILL).start();
    assert!(codes(&edge).contains(&"revoked".to_owned()));
    pebble.point("shop.example", &pebble.address.to_string());
    done(vitrine(&edge, "sites renew shop.example"));
    let new = replaced(&edge, "shop.example", &old["fingerprint"]);
    eventually("no alarm", || edge.api("alarms").iter().all(|alarm| alarm["code"] != "revoked-serving").then_some(()));
    let key_of = |fingerprint: &str| {
        let versions = history(&edge, fingerprint);
        let version = versions.iter().find(|version| version["fingerprint"] == fingerprint).expect("the version");
        let folder = format!("certificates/{}/{}/key.pem", text(version, "id"), text(version, "version"));
        std::fs::read(edge.setup.state().join(folder)).expect("a key")
    };
    assert_eq!(key_of(&text(&first, "fingerprint")), key_of(&fingerprint));
    assert_ne!(key_of(&text(&new, "fingerprint")), key_of(&fingerprint));
    let words: Vec<_> = history(&edge, &fingerprint).iter().map(|version| version["revoked"].clone()).collect();
    assert_eq!(words, [Value::Null, json!("key-compromise"), json!("key-compromise")]);
    // The new key is kept again at the next renewal.
    renewed(&edge, "shop.example");
    assert_eq!(key_of(&text(&serving(&edge), "fingerprint")), key_of(&text(&new, "fingerprint")));
}

#[test]
fn what_serves_is_replaced_at_once_or_leaves_at_once_when_that_is_meant() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let edge = managed_site(&pebble, &origin, "shop.example", "").start();
    orders_in(&edge, "shop.example", "ISSUED");
    let old = serving(&edge);
    let said =
        refused(vitrine(&edge, &format!("certs revoke {} --reason cessation-of-operation", text(&old, "fingerprint"))));
    assert!(said.contains("it serves the managed site \"shop.example\""), "{said}");
    assert_eq!(pebble.status(&text(&old, "serial"))["Status"], "Valid");
    done(vitrine(&edge, &format!("certs revoke {}", text(&old, "fingerprint"))));
    let new = replaced(&edge, "shop.example", &old["fingerprint"]);
    assert_eq!(pebble.status(&text(&old, "serial"))["Status"], "Revoked");
    lead_astray(&edge, &pebble, "shop.example");
    let said = done(vitrine(&edge, &format!("certs revoke {} --now", text(&new, "fingerprint"))));
    assert!(!said.contains("it serves until then"), "{said}");
    assert_eq!(shown_to_openssl(&edge, "shop.example", "ECDSA+SHA256"), None);
    orders_in(&edge, "shop.example", "FAILED");
    // Not after a start either.
    let edge = edge.end(Signal::TERM).start();
    assert_eq!(certificates_of(&edge, "shop.example").len(), 0);
    assert_eq!(history(&edge, &text(&new, "fingerprint"))[0]["turned_down"], "revoked");
}

#[test]
fn wherever_a_compromised_key_is_it_is_named_and_leaves_at_once_when_that_is_meant() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut setup = managed_site(&pebble, &origin, "shop.example", "");
    setup.site(&["other.example"], &[&origin]);
    let edge = setup.start();
    orders_in(&edge, "shop.example", "ISSUED");
    let own = text(&serving(&edge), "fingerprint");
    let version = &history(&edge, &own)[0];
    let folder = format!("certificates/{}/{}/key.pem", text(version, "id"), text(version, "version"));
    let key = std::fs::read_to_string(edge.setup.state().join(folder)).expect("a key");
    let key = rcgen::KeyPair::from_pem(&key).expect("a key");
    drop_file(&edge.setup.certs().join("other.pem"), authority().issue_with(&key, &["other.example"], -1, 1000).both());
    let other = eventually("the other", || certificates_of(&edge, "other.example").pop());
    let other = text(&other, "fingerprint");
    eventually("a version of it", || (!history_or_none(&edge, &other).is_empty()).then_some(()));
    let said = done(vitrine(&edge, &format!("certs revoke {own} --reason key-compromise --now")));
    assert!(said.contains(&format!("the same key is in {other}, which is not revoked by this")), "{said}");
    assert_eq!(shown_to_openssl(&edge, "other.example", "ECDSA+SHA256"), None);
    replaced(&edge, "shop.example", &json!(own));
    // Its file is there all the while.
    let edge = edge.end(Signal::TERM).start();
    assert_eq!(certificates_of(&edge, "other.example").len(), 0);
    assert_eq!(certificates_of(&edge, "shop.example").len(), 1);
}

#[test]
fn only_what_an_issuer_of_the_configuration_issued_is_revoked() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut setup = managed_site(&pebble, &origin, "shop.example", "");
    setup.certificate("other", &authority().issue(&["other.example"]));
    let edge = setup.start();
    orders_in(&edge, "shop.example", "ISSUED");
    let revoke = |edge: &Edge, fingerprint: &str| vitrine(edge, &format!("certs revoke {fingerprint}"));
    let other = text(&certificates_of(&edge, "other.example")[0], "fingerprint");
    let said = eventually("a version of it", || {
        Some(refused(revoke(&edge, &other))).filter(|said| !said.contains("it has just come"))
    });
    assert!(said.contains("the edge did not order it"), "{said}");
    assert!(refused(revoke(&edge, &"0".repeat(64))).contains("no version of any certificate"));
    let wrong = json!({ "reason": "hunter2" });
    assert_eq!(edge.order_api("POST", &format!("/api/v1/certificates/{other}/revoke"), &wrong).status, 400);
    let own = text(&serving(&edge), "fingerprint");
    let mut setup = edge.end(Signal::TERM);
    let text_before = setup.text();
    let directory = text_before.lines().find(|line| line.starts_with("directory")).expect("an issuer");
    setup.forget_sites();
    setup.raw_site(&format!("[[acme.issuer]]\nname = \"renamed\"\n{directory}\nca_file = \"pebble-root.pem\"\n"));
    setup.raw_site(&site_text(&origin, "shop.example", ""));
    let edge = setup.start();
    let said = refused(revoke(&edge, &own));
    assert!(said.contains("it was issued by \"pebble\", which the configuration does not name any more"), "{said}");
    assert!(orders_of(&edge, "shop.example")["last_failure"].is_null());
}

#[test]
fn without_the_account_the_certificates_own_key_signs() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let edge = managed_site(&pebble, &origin, "shop.example", "key_types = [\"rsa\"]").start();
    orders_in(&edge, "shop.example", "ISSUED");
    let old = serving(&edge);
    let setup = edge.end(Signal::TERM);
    std::fs::remove_dir_all(setup.state().join("acme/pebble")).expect("forgotten");
    let edge = setup.start();
    let said = done(vitrine(&edge, &format!("certs revoke {} --reason superseded", text(&old, "fingerprint"))));
    assert!(said.contains("signed by its own key"), "{said}");
    assert_eq!(pebble.status(&text(&old, "serial"))["Status"], "Revoked");
    replaced(&edge, "shop.example", &old["fingerprint"]);
}
