//! The control panel, as people use it: a real browser at the real program, with a script and without.
//!
//! `SCREENSHOTS=folder` keeps a picture of every page that is judged.

use std::fs;
use std::process::Command;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::support::command::said;
use crate::support::{self, Edge, Origin, Setup, authority, eventually, shop_client, shown};

#[test]
fn every_page_is_for_everybody_and_runs_nothing_that_others_wrote() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.site(&["late.example"], &[&origin]).site(&["new.example"], &[&origin]);
    let subject = format!("/CN={}/O={}", HOSTILE.replace('/', "\\/"), HOSTILE.replace('/', "\\/"));
    let names = "subjectAltName=DNS:late.example";
    openssl(
        &setup,
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            &subject,
            "-addext",
            names,
            "-keyout",
            "certs/late.key",
            "-out",
            "certs/late.crt",
        ],
    );
    fs::write(setup.certs().join(format!("{}.pem", HOSTILE.replace('/', "-"))), "garbage").expect("written");
    let edge = setup.start();
    eventually("the file", || edge.api("rejected").pop());
    let hostile = edge.api("certificates").into_iter().find(|one| one["subject"] == HOSTILE).expect("the certificate");
    let more = json!({
        "site": "/sites/late.example",
        "switch": "/sites/shop.example/switch?to=self-signed",
        "minimum": "/sites/shop.example/minimum?level=ev",
        "certificate": format!("/certificates/{}", hostile["fingerprint"].as_str().expect("text")),
        "reflected": format!("/sites?q={}", HOSTILE.replace('<', "%3C").replace('>', "%3E").replace('"', "%22").replace(' ', "+")),
    });
    let key = fs::read_to_string(edge.setup.certs().join("late.key")).expect("the key");
    let secrets = [key.lines().nth(1).expect("a line"), "-----BEGIN PRIVATE KEY-----"];
    let links = ["/sites/new.example", "/rejected"];
    let told = journey(&edge, "tour", &json!({ "more": more, "links": links, "secrets": secrets }));
    assert_eq!(told, json!({ "found": [], "refused": [] }));
    // Nobody has sent a form but for the language, which is no order.
    assert_eq!(edge.api("audit"), Vec::<Value>::new());
}

#[test]
fn a_pfx_goes_from_an_empty_panel_to_the_handshake_in_a_few_steps_with_and_without_a_script() {
    let origin = Origin::saying("hello");
    for script in [true, false] {
        let mut setup = Setup::new();
        setup.site(&["shop.example"], &[&origin]);
        let issued = authority().issue(&["shop.example"]);
        for (name, content) in [("a.crt", &issued.chain), ("a.key", &issued.key)] {
            fs::write(setup.folder.path().join(name), content).expect("written");
        }
        openssl(
            &setup,
            &[
                "pkcs12",
                "-export",
                "-in",
                "a.crt",
                "-inkey",
                "a.key",
                "-out",
                "shop.pfx",
                "-passout",
                "pass:open sesame",
            ],
        );
        let edge = setup.start();
        let file = edge.setup.folder.path().join("shop.pfx");
        let told = journey(
            &edge,
            "upload",
            &json!({ "script": script, "file": file, "password": "open sesame", "wrong": "sesame" }),
        );
        assert!(told["steps"].as_u64().is_some_and(|steps| steps < 10), "{told}");
        shows(&edge, "shop.example", &issued.der);
        let secret = issued.key.lines().nth(1).expect("a line");
        for text in [told.to_string(), format!("{:?}", edge.log())] {
            assert!(!text.contains(secret) && !text.contains("open sesame"), "{text}");
        }
        // The slip was refused, and looking ahead is nothing that was done.
        let told = |line: &Value| {
            format!("{} {}", line["action"].as_str().expect("text"), line["result"].as_str().expect("text"))
        };
        let done: Vec<_> = edge.api("audit").iter().map(told).collect();
        assert_eq!(done, ["POST certificates refused", "POST certificates done"]);
    }
}

#[test]
fn separate_files_and_pasted_text_are_taken_and_an_earlier_version_serves_again() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]);
    let [old, new] = [-2, -1].map(|from| authority().issue_for(&["shop.example"], support::KeyKind::Ecdsa, from, 2000));
    let edge = setup.start();
    let file = |name: &str, content: &str| {
        let path = edge.setup.folder.path().join(name);
        fs::write(&path, content).expect("written");
        path
    };
    let (certificate, key) = (file("cert.cer", &old.chain), file("server.key", &old.key));
    journey(&edge, "apart", &json!({ "certificate": certificate, "key": key }));
    shows(&edge, "shop.example", &old.der);
    journey(&edge, "paste", &json!({ "text": new.both() }));
    shows(&edge, "shop.example", &new.der);
    journey(&edge, "rollback", &json!({}));
    shows(&edge, "shop.example", &old.der);
}

#[test]
fn a_site_is_switched_to_the_edges_own_authority_after_a_look_ahead_and_back() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    let issued = authority().issue(&["shop.test"]);
    setup.site(&["shop.test"], &[&origin]).certificate("shop", &issued);
    let edge = setup.start();
    let told = journey(&edge, "switch", &json!({ "site": "shop.test" }));
    assert_eq!(told, json!({ "switched": "self-signed", "back": "uploaded" }));
    shows(&edge, "shop.test", &issued.der);
    let done: Vec<_> = edge.api("audit").iter().map(|line| line["action"].clone()).collect();
    assert_eq!(done, ["POST sites/{site}/choice", "DELETE sites/{site}/choice"]);
}

#[test]
fn a_request_is_made_left_and_completed_with_what_the_authority_sends() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example", "www.shop.example"], &[&origin]).site(&["other.example"], &[&origin]);
    let edge = setup.start();
    let company = json!({ "organisation": "Bücher & Söhne GmbH", "locality": "Köln", "state": "NRW", "country": "de" });
    let made = journey(&edge, "request", &json!({ "site": "shop.example", "company": company }));
    let csr = made["csr"].as_str().expect("a request");
    assert_eq!(made["downloaded"], made["csr"]);
    let signed = authority().sign(csr, 30);
    let file = edge.setup.folder.path().join("answer.crt");
    fs::write(&file, &signed).expect("written");
    // Another day, another browser.
    let wrong = edge.setup.folder.path().join("wrong.crt");
    fs::write(&wrong, authority().issue(&["shop.example"]).chain).expect("written");
    let told = journey(&edge, "answer", &json!({ "id": made["id"], "wrong": wrong, "file": file }));
    assert_eq!(told["status"], "Completed");
    shows(&edge, "www.shop.example", &CertificateDer::from_pem_slice(signed.as_bytes()).expect("PEM"));
    // What was said of the company is filled in for the next.
    let next = journey(&edge, "prefilled", &json!({ "site": "other.example" }));
    assert_eq!(
        (&next["organisation"], &next["country"], &next["names"]),
        (&"Bücher & Söhne GmbH".into(), &"DE".into(), &"other.example".into())
    );
}

/// Goes on a journey of who comes through the socket.
pub(crate) fn journey(edge: &Edge, name: &str, told: &Value) -> Value {
    support::journey("journeys.mjs", &edge.at_socket(), name, told)
}

/// Waits until the edge shows this certificate in its handshakes.
#[track_caller]
pub(crate) fn shows(edge: &Edge, host: &str, expected: &CertificateDer<'_>) {
    eventually("the certificate", || {
        let talk = shop_client().try_open(edge.https, host).ok()?;
        (shown(talk.session()) == *expected).then_some(())
    });
}

pub(crate) fn openssl(setup: &Setup, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(setup.folder.path()).output().expect("openssl");
    assert!(output.status.success(), "{}", said(&output.stderr));
}

/// What a certificate's subject and a file's name may hold.
const HOSTILE: &str = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>";
