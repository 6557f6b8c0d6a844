//! Limits of authorities that no start, no crash and no haste exceeds.

use rustix::process::Signal;

use super::{from_now, lines, managed, standing, state};
use crate::support::acme::{FakeAcme, Fault, Resource};
use crate::support::command::{done, vitrine};
use crate::support::{Origin, eventually, page_in};

#[test]
fn a_budget_of_orders_outlasts_kills_and_leaves_the_rest_waiting() {
    let origin = Origin::saying("hello");
    let acme = FakeAcme::start();
    let hosts: Vec<String> = (0..9).map(|number| format!("shop{number}.example")).collect();
    let sites: Vec<[&str; 1]> = hosts.iter().map(|host| [host.as_str()]).collect();
    let sites: Vec<&[&str]> = sites.iter().map(|site| site.as_slice()).collect();
    let mut setup = managed(&[("only", &acme, "orders_per_3h = 5")], &origin, &sites);
    setup.set("acme", "orders_at_once = 3");
    for round in 1..=2 {
        let edge = setup.start();
        // Killed while orders are under way; those three that were paid for and not made are lost.
        acme.await_asked(Resource::NewOrder, round);
        setup = edge.end(Signal::KILL);
    }
    let edge = setup.start();
    let waiting = eventually("sites that wait", || {
        let all: Vec<_> = hosts.iter().map(|host| standing(&edge, host)).collect();
        let is_settled = |told: &serde_json::Value| told["state"] == "ISSUED" || told["state"] == "WAITING";
        let waiting: Vec<_> = all.iter().filter(|told| told["state"] == "WAITING").cloned().collect();
        (all.iter().all(is_settled) && waiting.len() >= 4).then_some(waiting)
    });
    for told in &waiting {
        assert_eq!(
            (&told["failures"], &told["waits_for"]),
            (&0.into(), &"orders at only are limited to 5 in 3 hours".into())
        );
        assert!((3 * 3600 - 120..=3 * 3600 + 60).contains(&from_now(&told["next"])), "{told}");
    }
    // The same for programs, and for who reads German: a sentence, and nobody's English.
    let wait = serde_json::json!({ "code": "orders-limited", "issuer": "only", "most": 5, "kept": 0 });
    assert!(waiting.iter().all(|told| told["wait"] == wait), "{waiting:?}");
    let page = page_in(&edge, "de", "/sites").text();
    let german = "Ein Zertifikat wird bestellt werden: bei only sind in 3 Stunden höchstens 5 Bestellungen möglich";
    assert!(page.contains(german) && !page.contains("are limited to"), "{page}");
    assert!(acme.orders().len() <= 5, "{:?}", acme.orders());
    assert_eq!(lines(&edge, "no certificate"), 0);
    let listed = vitrine(&edge, "sites list");
    assert!(
        String::from_utf8_lossy(&listed.stderr).contains("orders at only are limited to 5 in 3 hours"),
        "{listed:?}"
    );
}

#[test]
fn what_is_used_up_at_one_issuer_is_ordered_at_the_next() {
    let origin = Origin::saying("hello");
    let (first, second) = (FakeAcme::start(), FakeAcme::start());
    let sites: [&[&str]; 3] = [&["a.brand.example"], &["b.brand.example"], &["other.example"]];
    let issuers = [("first", &first, "certificates_per_domain_per_week = 1"), ("second", &second, "")];
    let edge = managed(&issuers, &origin, &sites).start();
    let by = sites.map(|site| state(&edge, site[0], "ISSUED")["issuer"].as_str().expect("an issuer").to_owned());
    let at_first = by.iter().filter(|issuer| *issuer == "first").count();
    assert_eq!((at_first, &*by[2]), (2, "first"), "{by:?}");
    assert_eq!((first.orders().len(), second.orders().len()), (2, 1));
}

#[test]
fn haste_does_not_use_up_what_comes_back_after_a_week() {
    let origin = Origin::saying("hello");
    let acme = FakeAcme::start();
    let issuers = [("only", &acme, "certificates_per_names_per_week = 2")];
    let edge = managed(&issuers, &origin, &[&["shop.example"]]).start();
    state(&edge, "shop.example", "ISSUED");
    done(vitrine(&edge, "sites renew shop.example"));
    acme.await_issued(2);
    state(&edge, "shop.example", "ISSUED");
    done(vitrine(&edge, "sites renew shop.example"));
    let told =
        eventually("a wait", || Some(standing(&edge, "shop.example")).filter(|told| !told["waits_for"].is_null()));
    assert_eq!(told["waits_for"], "certificates of only for the very same names are limited to 2 a week");
    assert_eq!((&told["state"], acme.orders().len()), (&"ISSUED".into(), 2));
}

#[test]
fn no_name_fails_six_times_in_an_hour_however_often_it_is_wished_for_and_whoever_dies() {
    let origin = Origin::saying("hello");
    let acme = FakeAcme::start();
    acme.set(|ways| ways.disbelieves = vec!["shop.example".into()]);
    let mut setup = managed(&[("only", &acme, "")], &origin, &[&["shop.example"]]);
    for failures in 1..=5 {
        let edge = setup.start();
        if failures > 1 {
            done(vitrine(&edge, "sites renew shop.example"));
        }
        eventually("one more failure", || (standing(&edge, "shop.example")["failures"] == failures).then_some(()));
        setup = edge.end(Signal::KILL);
    }
    let edge = setup.start();
    done(vitrine(&edge, "sites renew shop.example"));
    let told = eventually("a wait", || {
        let told = standing(&edge, "shop.example");
        Some(told["waits_for"].as_str()?.to_owned()).filter(|told| told.contains("in an hour"))
    });
    assert_eq!(told, "validations of shop.example that fail at only are limited to 5 in an hour");
    assert_eq!(acme.asked(Resource::Challenge), 5);
    assert_eq!(lines(&edge, "orders a certificate"), 0);
}

#[test]
fn a_renewal_is_an_order_like_others_where_it_is_not_known_to_be_free() {
    let origin = Origin::saying("hello");
    let acme = FakeAcme::start();
    let edge = managed(&[("only", &acme, "orders_per_3h = 1")], &origin, &[&["shop.example"]]).start();
    state(&edge, "shop.example", "ISSUED");
    acme.fault(Resource::NewOrder, 1, Fault::Silence);
    done(vitrine(&edge, "sites renew shop.example"));
    let told =
        eventually("a wait", || Some(standing(&edge, "shop.example")).filter(|told| !told["waits_for"].is_null()));
    assert_eq!(told["waits_for"], "orders at only are limited to 1 in 3 hours");
    assert_eq!(acme.asked(Resource::NewOrder), 1);
}
