//! Who stands behind a certificate: the web's roots, those that `certificates.trusted_roots` names, or nobody.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Edge, KeyKind, Origin, Setup, authority, eventually, message, run};

#[test]
fn what_leads_to_no_root_displaces_nothing_that_does() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]);
    fs::write(setup.folder.path().join("root.pem"), &authority().root_pem).expect("written");
    setup.set("certificates", "trusted_roots = [\"root.pem\"]");
    let trusted = authority().issue_for(&["shop.example"], KeyKind::Rsa, -48, 90 * 24);
    setup.certificate("trusted", &trusted);
    // Newer, and of the type of key that goes first elsewhere.
    openssl(
        &setup,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=shop.example \
         -keyout certs/own.key -out certs/own.crt -addext subjectAltName=DNS:shop.example",
    );
    let mut edge = setup.start();
    let known = eventually("both", || {
        let known = warnings(&edge);
        (known.len() == 2).then_some(known)
    });
    assert_eq!(
        known,
        [
            ("certs/trusted.pem".to_owned(), vec![]),
            ("certs/own.crt".to_owned(), vec!["self-signed".to_owned(), "authority-as-leaf".to_owned()])
        ]
    );
    assert_eq!(rules(&edge), [json!("trusted chain before untrusted")]);

    // Who was trusted a moment ago and is not named any more: the newest issue serves, live.
    edge.setup.set("certificates", "trusted_roots = []");
    edge.reload();
    eventually("the other certificate", || (warnings(&edge)[0].0 == "certs/own.crt").then_some(()));
    assert_eq!(warnings(&edge)[1].1, ["chain-incomplete"]);
}

#[test]
fn a_root_that_is_named_makes_the_chain_whole_and_is_read_again() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    eventually("the alarm", || (!edge.api("alarms").is_empty()).then_some(()));
    assert_eq!(warnings(&edge)[0].1, ["chain-incomplete"]);
    let root = edge.setup.folder.path().join("root.pem");
    fs::write(&root, &authority().root_pem).expect("written");
    edge.setup.set("certificates", "trusted_roots = [\"root.pem\"]");
    edge.reload();
    eventually("no warning", || warnings(&edge)[0].1.is_empty().then_some(()));
    eventually("no alarm", || edge.api("alarms").is_empty().then_some(()));

    // The root alone, in the folder too, is a whole chain of somebody whom nobody knows.
    fs::write(edge.setup.certs().join("root.pem"), &authority().root_pem).expect("written");
    edge.setup.set("certificates", "trusted_roots = []");
    edge.reload();
    eventually("an unknown root", || (warnings(&edge)[0].1 == ["untrusted-root"]).then_some(()));
}

#[test]
fn a_file_of_roots_that_cannot_be_used_is_a_mistake_that_names_it() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    let (good, bad) = (setup.folder.path().join("good.pem"), setup.folder.path().join("bad.pem"));
    fs::write(&good, &authority().root_pem).expect("written");
    fs::write(&bad, authority().issue(&["a.example"]).key).expect("written");
    for (files, said) in [
        ("\"good.pem\", \"missing.pem\"", "certificates.trusted_roots: missing.pem: there is no such file"),
        ("\"certs\"", "certificates.trusted_roots: certs: expected a regular file, found a folder"),
        ("\"good.pem\", \"bad.pem\"", "certificates.trusted_roots: bad.pem: it holds a private key"),
        ("\"vitrine.toml\"", "certificates.trusted_roots: vitrine.toml: "),
    ] {
        setup.set("certificates", &format!("trusted_roots = [{files}]"));
        setup.write();
        for command in ["check", "run"] {
            let output = run(&[command, "--config", "vitrine.toml"], &setup);
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(78), "{command} {files}: {text}");
            assert!(text.contains(said), "{command} {files}: {text}");
        }
    }

    // While the edge runs, the roots before stay in force.
    setup.set("certificates", "trusted_roots = [\"good.pem\"]");
    let edge = setup.start();
    fs::write(&good, "garbage").expect("written");
    edge.signal(Signal::HUP);
    edge.log_line("the file", |line| line["level"] == "ERROR" && message(line).contains("good.pem: "));
    assert_eq!(warnings(&edge)[0].1, [""; 0]);
}

/// The file of each certificate, best first, with the codes of its warnings.
fn warnings(edge: &Edge) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let of = |certificate: &Value| {
        let warnings = certificate["warnings"].as_array().expect("a list");
        (text(&certificate["file"]), warnings.iter().map(|warning| text(&warning["code"])).collect())
    };
    edge.api("certificates").iter().map(of).collect()
}

fn rules(edge: &Edge) -> Vec<Value> {
    let sites = edge.api("sites");
    let serving = sites[0]["hosts"][0]["certificates"].as_array().expect("a list");
    serving.iter().map(|serving| serving["rule"].clone()).collect()
}

fn openssl(setup: &Setup, command: &str) {
    let output = Command::new("openssl").args(command.split_whitespace()).current_dir(setup.folder.path()).output();
    let output = output.expect("openssl runs");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}
