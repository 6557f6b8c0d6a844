//! Managed sites with certificates for one type of key or for both, and what becomes of keys at a renewal.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::support::command::{done, vitrine};
use crate::support::managed::{
    certificates_of, key_in, lead_astray, managed_site, orders_in, orders_of, read_by_openssl, renewed,
    shown_to_openssl, site_text,
};
use crate::support::pebble::Pebble;
use crate::support::{Edge, KeyKind, Origin, Setup, authority, drop_file, eventually};

const BOTH: &str = "key_types = [\"rsa\", \"ecdsa\"]";

/// What kind of key a client gets to see that signs off these algorithms alone.
fn key_shown(edge: &Edge, algorithms: &str) -> Option<String> {
    let text = read_by_openssl(&shown_to_openssl(edge, "shop.example", algorithms)?, "-text");
    let line = text.lines().find(|line| line.contains("Public Key Algorithm:")).expect("an algorithm");
    Some(line.split(": ").nth(1).expect("a word").to_owned())
}

/// The keys of everything in the library.
fn keys_kept(state: &Path) -> BTreeSet<Vec<u8>> {
    let below = |folder: &Path| -> Vec<_> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.is_dir()).collect()
    };
    let versions: Vec<_> = below(&state.join("certificates")).iter().flat_map(|id| below(id)).collect();
    versions.iter().map(|version| fs::read(version.join("key.pem")).expect("a key")).collect()
}

#[test]
fn a_site_with_both_types_of_key_shows_each_client_what_it_can_sign_off() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let edge = managed_site(&pebble, &origin, "shop.example", BOTH).start();
    let told = orders_in(&edge, "shop.example", "ISSUED");
    let kinds: Vec<_> = told["keys"].as_array().expect("keys").iter().map(|key| key["key_type"].clone()).collect();
    assert_eq!(kinds, ["ecdsa", "rsa"]);
    assert_eq!(key_shown(&edge, "ECDSA+SHA256").as_deref(), Some("id-ecPublicKey"));
    assert_eq!(key_shown(&edge, "RSA-PSS+SHA256:RSA+SHA256").as_deref(), Some("rsaEncryption"));
    // Each has its own moment, so that one that fails leaves the other time.
    let moments: BTreeSet<_> =
        told["keys"].as_array().expect("keys").iter().map(|key| key["next"].to_string()).collect();
    assert_eq!(moments.len(), 2, "{told}");
    assert!(done(vitrine(&edge, "sites list")).contains("served, ISSUED"));
    // A start orders nothing of it again.
    let edge = edge.end(Signal::KILL).start();
    orders_in(&edge, "shop.example", "ISSUED");
    assert!(edge.log().iter().all(|line| line["message"] != "orders a certificate"));
}

#[test]
fn a_type_of_key_that_fails_is_told_while_the_other_serves_on() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut edge = managed_site(&pebble, &origin, "shop.example", "").start();
    orders_in(&edge, "shop.example", "ISSUED");
    assert_eq!(key_shown(&edge, "RSA-PSS+SHA256:RSA+SHA256"), None);
    lead_astray(&edge, &pebble, "shop.example");
    edge.setup.forget_sites();
    pebble.used_by(&mut edge.setup);
    edge.setup.set("acme", BOTH).raw_site(&site_text(&origin, "shop.example", ""));
    edge.reload();
    let failed = key_in(&edge, "shop.example", "rsa", "FAILED");
    assert_eq!(failed["last_failure"]["reason"], "unreachable-name");
    let told = orders_of(&edge, "shop.example");
    assert_eq!((&told["state"], &told["keys"][0]["state"]), (&"FAILED".into(), &"ISSUED".into()));
    assert!(done(vitrine(&edge, "sites list")).contains("served, ecdsa ISSUED, rsa FAILED"));
    assert_eq!(key_shown(&edge, "ECDSA+SHA256").as_deref(), Some("id-ecPublicKey"));
    // Both wait for the same wish, and neither is in the other's way.
    pebble.point("shop.example", &pebble.address.to_string());
    done(vitrine(&edge, "sites renew shop.example"));
    key_in(&edge, "shop.example", "rsa", "ISSUED");
    assert_eq!(key_shown(&edge, "RSA-PSS+SHA256:RSA+SHA256").as_deref(), Some("rsaEncryption"));
}

#[test]
fn a_renewal_has_a_new_key_unless_it_is_to_keep_the_one_before() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let edge = managed_site(&pebble, &origin, "shop.example", "key_types = [\"rsa\"]").start();
    orders_in(&edge, "shop.example", "ISSUED");
    assert_eq!(key_shown(&edge, "RSA-PSS+SHA256:RSA+SHA256").as_deref(), Some("rsaEncryption"));
    renewed(&edge, "shop.example");
    assert_eq!(keys_kept(&edge.setup.state()).len(), 2);
    let mut setup = edge.end(Signal::TERM);
    setup.set("acme", "reuse_key = true");
    let edge = setup.start();
    renewed(&edge, "shop.example");
    assert_eq!(keys_kept(&edge.setup.state()).len(), 2);
    // The site's own word goes before that for all.
    let mut setup = edge.end(Signal::TERM);
    setup.forget_sites();
    pebble.used_by(&mut setup);
    setup.raw_site(&site_text(&origin, "shop.example", "key_types = [\"rsa\"]\nreuse_key = false"));
    let edge = setup.start();
    renewed(&edge, "shop.example");
    assert_eq!(keys_kept(&edge.setup.state()).len(), 3);
}

#[test]
fn a_key_that_is_not_wanted_any_more_leaves_no_open_order_behind() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let setup = managed_site(&pebble, &origin, "shop.example", "key_types = [\"rsa\"]");
    // As a version before has left it, whose orders were all for ECDSA.
    let open = setup.state().join("acme/orders/shop.example");
    fs::create_dir_all(&open).expect("a folder");
    let order = serde_json::json!({
        "issuer": "pebble", "names": ["shop.example"], "url": null, "request": [48, 0], "begun": 1,
    });
    drop_file(&open.join("order.json"), order.to_string());
    drop_file(&open.join("key.pem"), "a key");
    let edge = setup.start();
    orders_in(&edge, "shop.example", "ISSUED");
    assert!(!open.exists());
    assert_eq!(certificates_of(&edge, "shop.example")[0]["key_type"], "rsa");
}

#[test]
fn a_certificate_that_is_there_already_is_served_and_renewed_in_its_own_time() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let moved = |hours: i64, more: &str| -> Setup {
        let setup = managed_site(&pebble, &origin, "shop.example", more);
        let issued = authority().issue_for(&["shop.example"], KeyKind::Rsa, hours - 90 * 24, hours);
        // With its issuer, so that it is as good as what will be issued.
        drop_file(&setup.certs().join("moved.pem"), issued.both() + &authority().root_pem);
        setup
    };
    // Not due for a month, and of another type of key than orders are for by default.
    let edge = moved(60 * 24, "").start();
    let told = orders_in(&edge, "shop.example", "ISSUED");
    assert!(told["next"].as_str() > Some("2") && told["issued"].is_null(), "{told}");
    assert!(edge.log().iter().all(|line| line["message"] != "orders a certificate"));
    assert_eq!(key_shown(&edge, "RSA-PSS+SHA256:RSA+SHA256").as_deref(), Some("rsaEncryption"));
    // In the last third of its life the next one comes.
    drop(edge);
    let edge = moved(20 * 24, "").start();
    let told = eventually("an issued certificate", || {
        Some(orders_of(&edge, "shop.example")).filter(|told| !told["issued"].is_null())
    });
    assert_eq!(told["issuer"], "pebble");
    // Where both are wanted, only the one that is missing is ordered.
    drop(edge);
    let edge = moved(60 * 24, BOTH).start();
    key_in(&edge, "shop.example", "ecdsa", "ISSUED");
    let orders = edge.log().into_iter().filter(|line| line["message"] == "orders a certificate");
    assert_eq!(orders.map(|line| line["key"].clone()).collect::<Vec<_>>(), ["ecdsa"]);
}

#[test]
fn what_is_issued_and_does_not_serve_is_not_ordered_again_and_again() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut setup = managed_site(&pebble, &origin, "shop.example", "");
    // What clients trust goes before what they do not, and is due.
    setup.set("certificates", "trusted_roots = [\"pebble-root.pem\"]");
    setup.certificate("moved", &authority().issue_for(&["shop.example"], KeyKind::Ecdsa, -80 * 24, 10 * 24));
    let edge = setup.start();
    let told = orders_in(&edge, "shop.example", "ISSUED");
    assert!(!told["issued"].is_null(), "{told}");
    assert_eq!(certificates_of(&edge, "shop.example").len(), 2);
    let edge = edge.end(Signal::TERM).start();
    orders_in(&edge, "shop.example", "ISSUED");
    assert!(edge.log().iter().all(|line| line["message"] != "orders a certificate"));
}
