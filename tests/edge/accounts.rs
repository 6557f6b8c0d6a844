//! Accounts at an authority: bound to others, with new keys and other contacts, and lost.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::command::{done, refused, vitrine};
use crate::support::managed::{managed_site, orders_in, renewed};
use crate::support::pebble::Pebble;
use crate::support::{Edge, Origin, PROGRAM, Setup, drop_file, eventually};

fn folder(setup: &Setup) -> PathBuf {
    setup.state().join("acme/pebble")
}

fn account(setup: &Setup) -> Value {
    serde_json::from_slice(&fs::read(folder(setup).join("account.json")).expect("an account")).expect("JSON")
}

fn key(setup: &Setup) -> String {
    account(setup)["credentials"]["key_pkcs8"].as_str().expect("a key").to_owned()
}

/// The key as `next-key.der` has it.
fn der(key: &str) -> Vec<u8> {
    use base64ct::Encoding;
    base64ct::Base64UrlUnpadded::decode_vec(key).expect("base64url")
}

/// The account has one key again.
fn settled(edge: &Edge) {
    eventually("one key", || (!folder(&edge.setup).join("next-key.der").exists()).then_some(()));
}

#[test]
fn an_account_gets_a_new_key_and_goes_on_ordering() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let edge = managed_site(&pebble, &origin, "shop.example", "").start();
    orders_in(&edge, "shop.example", "ISSUED");
    let before = account(&edge.setup);
    let listed = done(vitrine(&edge, "acme accounts"));
    assert!(listed.contains("mailto:ops@shop.example") && !listed.contains("key"), "{listed}");
    let told = done(vitrine(&edge, "acme rollover"));
    let id = before["credentials"]["id"].as_str().expect("an address");
    assert_eq!(told.trim(), format!("pebble: {id} has a new key"));
    let after = account(&edge.setup);
    assert_eq!(after["credentials"]["id"], id);
    assert_ne!(after["credentials"]["key_pkcs8"], before["credentials"]["key_pkcs8"]);
    renewed(&edge, "shop.example");
    // With the old key nothing can be had any more.
    let setup = edge.end(Signal::TERM);
    drop_file(&folder(&setup).join("account.json"), before.to_string());
    let edge = setup.start();
    done(vitrine(&edge, "sites renew shop.example"));
    eventually("a failure", || {
        let failure = &crate::support::managed::orders_of(&edge, "shop.example")["last_failure"];
        failure["detail"].is_string().then_some(())
    });
    let last = edge.api("audit").into_iter().find(|line| line["action"] == "POST acme/accounts/{issuer}/rollover");
    let last = last.expect("a line");
    assert_eq!((&last["result"], &last["object"]), (&"done".into(), &"acme/accounts/pebble".into()));
}

#[test]
fn who_has_no_account_or_no_such_issuer_is_told() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::prepare());
    let edge = managed_site(&pebble, &origin, "shop.example", "").start();
    let said = refused(vitrine(&edge, "acme rollover"));
    assert!(said.contains("there is no account yet"), "{said}");
    let said = refused(vitrine(&edge, "acme rollover pebble"));
    assert!(said.contains("there is no account at \"pebble\" yet"), "{said}");
    let said = refused(vitrine(&edge, "acme rollover other"));
    assert!(said.contains("the configuration has no issuer \"other\""), "{said}");
    assert!(done(vitrine(&edge, "acme accounts")).contains("none yet"));
}

#[test]
fn whichever_of_two_keys_the_authority_knows_is_found_out() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let edge = managed_site(&pebble, &origin, "shop.example", "").start();
    orders_in(&edge, "shop.example", "ISSUED");
    let old = account(&edge.setup);
    done(vitrine(&edge, "acme rollover"));
    let new = key(&edge.setup);
    // As if it had been killed after the authority heard and before that was written down.
    let setup = edge.end(Signal::KILL);
    drop_file(&folder(&setup).join("account.json"), old.to_string());
    drop_file(&folder(&setup).join("next-key.der"), der(&new));
    let edge = setup.start();
    settled(&edge);
    assert_eq!(key(&edge.setup), new);
    renewed(&edge, "shop.example");
    // As if it had been killed before the authority heard.
    let setup = edge.end(Signal::KILL);
    let next = folder(&setup).join("next-key.der");
    drop_file(&next, der(old["credentials"]["key_pkcs8"].as_str().expect("a key")));
    let edge = setup.start();
    settled(&edge);
    assert_eq!(key(&edge.setup), old["credentials"]["key_pkcs8"]);
    renewed(&edge, "shop.example");
}

#[test]
fn a_kill_in_the_middle_of_a_new_key_costs_no_account() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut setup = managed_site(&pebble, &origin, "shop.example", "");
    let mut ids = Vec::new();
    for round in 0..6 {
        let edge = setup.start();
        if round == 0 {
            orders_in(&edge, "shop.example", "ISSUED");
        }
        settled(&edge);
        ids.push(account(&edge.setup)["credentials"]["id"].clone());
        let mut command = Command::new(PROGRAM);
        command.args(["acme", "rollover", "--config", "vitrine.toml"]).current_dir(edge.setup.folder.path());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        let (next, before) = (folder(&edge.setup).join("next-key.der"), key(&edge.setup));
        // Once the key is there, or has been.
        eventually("a new key", || (next.exists() || key(&edge.setup) != before).then_some(()));
        setup = edge.end(Signal::KILL);
        child.wait().expect("an end");
    }
    let edge = setup.start();
    settled(&edge);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    renewed(&edge, "shop.example");
    assert_eq!(account(&edge.setup)["credentials"]["id"], ids[0]);
}

#[test]
fn another_contact_is_told_as_soon_as_it_is_written() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut edge = managed_site(&pebble, &origin, "shop.example", "").start();
    orders_in(&edge, "shop.example", "ISSUED");
    assert_eq!(account(&edge.setup)["contact"], serde_json::json!(["mailto:ops@shop.example"]));
    edge.setup.set("acme", "contact = [\"mailto:certs@shop.example\", \"mailto:night@shop.example\"]");
    edge.reload();
    let told = edge.logged("told the authority whom to write to");
    // In the authority's own words.
    assert_eq!(told["contact"], "[\"mailto:certs@shop.example\",\"mailto:night@shop.example\"]");
    eventually("a note of it", || (account(&edge.setup)["contact"].as_array()?.len() == 2).then_some(()));
    // A start has nothing to tell.
    let edge = edge.end(Signal::TERM).start();
    renewed(&edge, "shop.example");
    assert!(edge.log().iter().all(|line| line["message"] != "told the authority whom to write to"));
}

#[test]
fn an_account_is_bound_to_the_one_that_the_issuer_knows() {
    let origin = Origin::saying("hello");
    let secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let mut pebble = Pebble::binding(Some(("kid-1", secret)));
    pebble.serve();
    let edge = managed_site(&pebble, &origin, "shop.example", "").start();
    let told = orders_in(&edge, "shop.example", "FAILED");
    assert_eq!(told["last_failure"]["reason"], "account", "{told}");
    let mut setup = edge.end(Signal::TERM);
    drop_file(&setup.folder.path().join("eab.key"), secret);
    let issuer = setup.text().lines().find(|line| line.starts_with("directory")).expect("an issuer").to_owned();
    setup.forget_sites();
    setup.raw_site(&format!(
        "[[acme.issuer]]\nname = \"pebble\"\n{issuer}\nca_file = \"pebble-root.pem\"\neab_key_id = \"kid-1\"\neab_hmac_key_file = \"eab.key\"\n"
    ));
    setup.raw_site(&crate::support::managed::site_text(&origin, "shop.example", ""));
    let edge = setup.start();
    done(vitrine(&edge, "sites renew shop.example"));
    orders_in(&edge, "shop.example", "ISSUED");
    // The key that was made for the first try is the account's.
    assert!(!folder(&edge.setup).join("new-account.der").exists());
    done(vitrine(&edge, "acme rollover pebble"));
    renewed(&edge, "shop.example");
}

#[test]
fn an_authority_that_has_lost_the_account_gets_it_again() {
    let (origin, mut pebble) = (Origin::saying("hello"), Pebble::start());
    let edge = managed_site(&pebble, &origin, "shop.example", "").start();
    orders_in(&edge, "shop.example", "ISSUED");
    let before = key(&edge.setup);
    pebble.serve();
    renewed(&edge, "shop.example");
    let told = edge.logged("it was opened again with the same key");
    assert_eq!((&told["level"], &told["issuer"]), (&"WARN".into(), &"pebble".into()));
    assert_eq!(key(&edge.setup), before);
    // Of what was ordered at the one before nothing is left.
    let orders = edge.setup.state().join("acme/orders");
    eventually("no order", || (fs::read_dir(&orders).map_or(0, Iterator::count) == 0).then_some(()));
}
