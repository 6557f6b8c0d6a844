//! Budgets through starts, crashes and clocks.

use super::*;
use crate::acme::failure::Reason;
use crate::config::Budgets as Limits;
use crate::store::{Expected, Key};

const NOW: i64 = 1_800_000_000;
const HOUR: i64 = 3600;

fn names(names: &[&str]) -> Vec<HostPattern> {
    names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect()
}

fn claim(names: &[HostPattern], kind: Kind, limits: Limits) -> Claim<'_> {
    Claim { issuer: "le", limits, kind, names, replaces: false }
}

/// How many can be made of these, a minute apart.
fn made(budgets: &Budgets, kind: Kind, limits: Limits, name: impl Fn(u32) -> String) -> (u32, Empty) {
    for number in 0..1000 {
        let names = names(&[&name(number)]);
        let claim = claim(&names, kind, limits);
        let now = NOW + i64::from(number);
        if let Err(empty) = budgets.look(&claim, now) {
            assert_eq!(budgets.spend(&claim, now), Err(empty.clone().into()));
            return (number, empty);
        }
        budgets.spend(&claim, now).expect("there was some");
    }
    panic!("there is no end");
}

#[test]
fn what_is_left_goes_to_renewals_and_the_rest_of_an_account_is_known() {
    let budgets = Budgets::new(Store::in_memory());
    let limits = Limits { certificates_per_domain: 0, ..Limits::LETS_ENCRYPT };
    let distinct = |number: u32| format!("a{number}.example");
    let left = |limits, now| {
        let Left { renewals, new, on_demand, next, .. } = budgets.left("le", limits, now);
        ([renewals, new, on_demand], next - now)
    };
    assert_eq!(left(limits, NOW), ([Some(300), Some(270), Some(150)], 0));
    let (strangers, _) = made(&budgets, Kind::OnDemand, limits, |number| format!("o{number}.example"));
    let (new, empty) = made(&budgets, Kind::New, limits, |number| format!("n{number}.example"));
    assert_eq!(empty.what.to_string(), "orders at le are limited to 300 in 3 hours, 30 of which are kept for renewals");
    let (renewals, empty) = made(&budgets, Kind::Renewal, limits, distinct);
    assert_eq!(empty.what.to_string(), "orders at le are limited to 300 in 3 hours");
    assert_eq!((strangers, new, renewals), (150, 120, 30));
    assert!((NOW + 3 * HOUR..NOW + 3 * HOUR + 120).contains(&empty.until), "{}", empty.until - NOW);
    assert_eq!(left(limits, NOW + 300), ([Some(0); 3], empty.until - NOW - 300));
    assert_eq!(left(limits, NOW + 4 * HOUR), ([Some(300), Some(270), Some(150)], 0));
    let none = Limits { orders: 0, ..limits };
    assert_eq!(left(none, NOW), ([None; 3], 0));
    assert_eq!(budgets.look(&claim(&names(&["x.example"]), Kind::New, none), NOW + 300), Ok(()));
}

#[test]
fn names_share_what_their_registered_domain_may_have() {
    let budgets = Budgets::new(Store::in_memory());
    let (made, empty) =
        made(&budgets, Kind::Renewal, Limits::LETS_ENCRYPT, |number| format!("shop{number}.brand.co.uk"));
    assert_eq!(
        (made, &*empty.what.to_string()),
        (50, "certificates of le for names of brand.co.uk are limited to 50 a week")
    );
    assert!((7 * 24 * HOUR..7 * 24 * HOUR + 2 * HOUR).contains(&(empty.until - NOW)), "{}", empty.until - NOW);
    let other = names(&["shop.other.co.uk"]);
    assert_eq!(budgets.look(&claim(&other, Kind::New, Limits::LETS_ENCRYPT), NOW + 60), Ok(()));
    // One certificate for both counts for both.
    let both = names(&["shop.other.co.uk", "shop.brand.co.uk"]);
    assert!(budgets.look(&claim(&both, Kind::Renewal, Limits::LETS_ENCRYPT), NOW + 60).is_err());
    // A renewal that says so is free, at whom that is free.
    let free = Claim { replaces: true, ..claim(&both, Kind::Renewal, Limits::LETS_ENCRYPT) };
    assert_eq!(budgets.spend(&free, NOW + 60), Ok(()));
    let not_free = Limits { replacing_is_free: false, ..Limits::LETS_ENCRYPT };
    assert!(budgets.look(&Claim { limits: not_free, ..free }, NOW + 60).is_err());
}

#[test]
fn the_same_names_in_any_order_are_the_same() {
    let budgets = Budgets::new(Store::in_memory());
    let (one, other) = (names(&["b.example", "a.example"]), names(&["a.example", "b.example"]));
    for turn in 0..5 {
        let names = if turn % 2 == 0 { &one } else { &other };
        budgets.spend(&claim(names, Kind::New, Limits::LETS_ENCRYPT), NOW).expect("there is some");
    }
    let empty = budgets.look(&claim(&one, Kind::New, Limits::LETS_ENCRYPT), NOW).expect_err("none is left");
    assert_eq!(empty.what.to_string(), "certificates of le for the very same names are limited to 5 a week");
    assert_eq!(budgets.look(&claim(&one[..1], Kind::New, Limits::LETS_ENCRYPT), NOW), Ok(()));
}

#[test]
fn an_order_that_brings_no_certificate_counts_as_an_order_alone() {
    let budgets = Budgets::new(Store::in_memory());
    let shop = names(&["shop.example"]);
    let limits = Limits { orders: 9, certificates_per_domain: 1, ..Limits::LETS_ENCRYPT };
    let claim = claim(&shop, Kind::Renewal, limits);
    for left in (0..9).rev() {
        budgets.spend(&claim, NOW).expect("there is some");
        assert!(budgets.look(&claim, NOW).is_err());
        budgets.give_back(&claim, NOW);
        assert_eq!(budgets.left("le", limits, NOW).renewals, Some(left));
    }
    assert_eq!(
        budgets.look(&claim, NOW).expect_err("none is left").what.to_string(),
        "orders at le are limited to 9 in 3 hours"
    );
}

#[test]
fn a_look_counts_as_failed_until_it_is_known_that_it_did_not() {
    let store = Store::in_memory();
    let (name, wildcard) = (names(&["shop.example"]), names(&["*.shop.example", "shop.example"]));
    for crash in 0..5 {
        // Nobody lives to say how it ended.
        let budgets = Budgets::new(store.clone());
        budgets.load(&["le"]);
        let claim = claim(if crash == 0 { &wildcard } else { &name }, Kind::New, Limits::OTHERS);
        budgets.risk(&claim, NOW + crash).expect("not five yet");
        if budgets.risk(&claim, NOW + crash).is_ok() {
            budgets.forgive(&claim, NOW + crash);
        }
    }
    let budgets = Budgets::new(store);
    budgets.load(&["le"]);
    let claim = claim(&name, Kind::New, Limits::OTHERS);
    let empty = budgets.look(&claim, NOW + 9).expect_err("it failed too often");
    assert_eq!(empty.what.to_string(), "validations of shop.example that fail at le are limited to 5 in an hour");
    let held = budgets.risk(&claim, NOW + 9).expect_err("it failed too often");
    assert_eq!((held.is_held(), held.reason, held.told()), (true, Reason::RateLimited, Some(empty.until)));
    assert_eq!(budgets.risk(&claim, NOW + 2 * HOUR), Ok(()));
}

#[test]
fn what_was_spent_outlasts_a_start_and_a_wrong_clock() {
    let store = Store::in_memory();
    let shop = names(&["shop.example"]);
    let claim = claim(&shop, Kind::Renewal, Limits { orders: 2, ..Limits::LETS_ENCRYPT });
    let year = 365 * 24 * HOUR;
    for at in [NOW, NOW + year] {
        Budgets::new(store.clone()).load(&["le"]);
        let budgets = Budgets::new(store.clone());
        budgets.load(&["le"]);
        budgets.spend(&claim, at).expect("there is some");
    }
    let budgets = Budgets::new(store.clone());
    budgets.load(&["le", "other"]);
    // The year was a mistake: what was spent then was spent lately.
    assert_eq!(budgets.left("le", claim.limits, NOW).renewals, Some(1));
    budgets.spend(&claim, NOW).expect("there is some");
    let empty = budgets.look(&claim, NOW).expect_err("none is left");
    assert!(empty.until <= NOW + 3 * HOUR + 60, "{}", empty.until - NOW);
    // What is over is not kept.
    let domains = Key::of(&["acme", "le", "budgets", "domains"]).expect("a key");
    assert_eq!(store.names(&domains).expect("names"), ["shop.example.json"]);
    budgets.forgive(&claim, NOW + year + 30 * 24 * HOUR);
    assert_eq!(store.names(&domains).expect("names"), Vec::<String>::new());
    store
        .put(&Key::of(&["acme", "le", "budgets", "orders.json"]).expect("a key"), b"?", Expected::Anything)
        .expect("written");
    let budgets = Budgets::new(store);
    budgets.load(&["le"]);
    assert_eq!(budgets.look(&claim, NOW), Ok(()));
}
