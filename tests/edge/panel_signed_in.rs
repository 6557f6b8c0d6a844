//! The panel over the network, by people who have signed in: with the keyboard alone, without a script, and what goes out to others.

use std::fs;
use std::process::Command;

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use crate::panel::{openssl, shows};
use crate::support::command::said;
use crate::support::receiver::Receiver;
use crate::support::{self, Edge, Issued, Origin, PASSWORD, Setup, authority};

#[test]
fn a_pfx_goes_live_with_the_tab_key_alone() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]);
    let issued = authority().issue(&["shop.example"]);
    let file = pfx(&setup, &issued);
    let edge = setup.start();
    let who = user(&edge, "otto", "operate");
    journey(&edge, "keyboard", &json!({ "who": who, "file": file, "password": "open sesame" }));
    shows(&edge, "shop.example", &issued.der);
    let done = edge.api("audit");
    let uploaded = done.iter().find(|line| line["action"] == "POST certificates").expect("recorded");
    assert!(uploaded["who"].as_str().expect("text").contains("otto"), "{uploaded}");
}

#[test]
fn an_apple_pay_file_is_put_seen_and_removed_without_a_script() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]).certificate("shop", &authority().issue(&["shop.example"]));
    let edge = setup.start();
    let proof = edge.setup.folder.path().join("apple-developer-merchantid-domain-association");
    fs::write(&proof, "7b2276657273696f6e223a317d").expect("written");
    let who = user(&edge, "otto", "operate");
    let told = journey(&edge, "session", &json!({ "who": who, "site": "shop.example", "proof": proof }));
    assert!(told["seen"].as_str().expect("text").contains("2099-12-31"), "{told}");
    let place = "/.well-known/apple-developer-merchantid-domain-association";
    let shown = edge.get("shop.example", place);
    assert_eq!((shown.status, shown.text()), (200, "7b2276657273696f6e223a317d".to_owned()));
    let told = journey(&edge, "removeProof", &json!({ "who": who, "site": "shop.example" }));
    assert_eq!(told["left"], 0);
    assert_eq!(edge.api("objects"), Vec::<Value>::new());
    assert_eq!(edge.get("shop.example", place).text(), "hello");
}

#[test]
fn an_export_opens_with_its_password_and_holds_the_key() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    let issued = authority().issue(&["shop.example"]);
    setup.site(&["shop.example"], &[&origin]).certificate("shop", &issued).set("admin", "export = true");
    let edge = setup.start();
    shows(&edge, "shop.example", &issued.der);
    let who = user(&edge, "anna", "admin");
    let told = journey(&edge, "exporting", &json!({ "who": who, "password": "long enough for once" }));
    assert!(told["name"].as_str().expect("a name").ends_with(".pfx"), "{told}");
    let file = edge.setup.folder.path().join("out.pfx");
    fs::write(&file, Base64::decode_vec(told["pfx"].as_str().expect("text")).expect("base64")).expect("written");
    let key = |password: &str| {
        let password = format!("pass:{password}");
        let arguments = ["pkcs12", "-in", "out.pfx", "-nodes", "-nocerts", "-passin", &password];
        Command::new("openssl").args(arguments).current_dir(edge.setup.folder.path()).output().expect("openssl")
    };
    let opened = key("long enough for once");
    assert!(opened.status.success(), "{}", said(&opened.stderr));
    let line = issued.key.lines().nth(1).expect("a line");
    assert!(said(&opened.stdout).contains(line));
    assert!(!key("another one").status.success());
}

#[test]
fn whoever_is_told_is_added_tried_and_removed_without_a_script() {
    let (origin, server) = (Origin::saying("hello"), Receiver::mail("plain", 0));
    let mut setup = Setup::shop(&origin);
    server.used_by(&mut setup, "none");
    setup.set("reports", "daily = \"off\"");
    let edge = setup.start();
    let who = user(&edge, "otto", "operate");
    let told = journey(&edge, "contact", &json!({ "who": who, "name": "Anna", "mail": "anna@shop.example" }));
    assert_eq!(told["left"], 0);
    let mail = server.taking("the test", |mail| mail["to"] == json!(["anna@shop.example"]));
    assert!(mail.to_string().contains("Anna"), "{mail}");
    assert_eq!(edge.api("contacts"), Vec::<Value>::new());
}

/// A new user, as a browser needs to know.
fn user(edge: &Edge, name: &str, role: &str) -> Value {
    let made = edge.order_api("POST", "/api/v1/users", &json!({ "name": name, "role": role, "password": PASSWORD }));
    assert_eq!(made.status, 201, "{}", made.text());
    json!({ "user": name, "password": PASSWORD })
}

/// Goes on a journey over the network.
fn journey(edge: &Edge, name: &str, told: &Value) -> Value {
    support::journey("journeys.mjs", &edge.over_network(), name, told)
}

/// The certificate with its key as a PFX file.
fn pfx(setup: &Setup, issued: &Issued) -> std::path::PathBuf {
    for (name, content) in [("a.crt", &issued.chain), ("a.key", &issued.key)] {
        fs::write(setup.folder.path().join(name), content).expect("written");
    }
    let line =
        ["pkcs12", "-export", "-in", "a.crt", "-inkey", "a.key", "-out", "shop.pfx", "-passout", "pass:open sesame"];
    openssl(setup, &line);
    setup.folder.path().join("shop.pfx")
}
