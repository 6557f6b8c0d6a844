//! Plans for many sites.

use std::time::{Duration, Instant};

use super::*;
use crate::config::Budgets as Limits;
use crate::store::Store;

const NOW: i64 = 1_800_000_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn issuer(name: &str, limits: Limits) -> Issuer {
    Issuer {
        name: name.into(),
        directory: format!("https://{name}.example/"),
        profile: None,
        roots: Vec::new(),
        external_account: None,
        budgets: limits,
    }
}

/// A site, and from when until when its certificate is valid.
fn candidate(name: &str, life: Option<(i64, i64)>) -> Candidate {
    let standing = SiteStanding {
        issuer: life.map(|_| "le".into()),
        ends: life.map(|(_, not_after)| not_after),
        ..SiteStanding::default()
    };
    Candidate {
        slot: Slot::new(name, OrderedKey::Ecdsa),
        is_on_demand: false,
        standing: standing.into(),
        serving: life.map(|(not_before, not_after)| (Life { not_before, not_after }, "fingerprint".into())),
        names: vec![HostPattern::parse(name).expect("a name")],
    }
}

fn planned(candidates: &[Candidate], issuers: &[Issuer], days: i64) -> (Vec<PlannedOrder>, usize) {
    let budgets = Budgets::new(Store::in_memory());
    let plan = orders(candidates, (issuers, &Health::default(), &budgets), (NOW, NOW + days * DAY));
    // Nothing was spent.
    assert_eq!(budgets.left("le", issuers[0].budgets, NOW).renewals, Some(issuers[0].budgets.orders));
    plan
}

#[test]
fn three_thousand_new_shops_are_ordered_as_fast_as_the_issuer_takes_them() {
    let shops: Vec<_> = (0..3000).map(|number| candidate(&format!("shop{number}.example"), None)).collect();
    let (orders, later) = planned(&shops, &[issuer("le", Limits::LETS_ENCRYPT)], 30);
    assert_eq!((orders.len(), later), (3000, 0));
    let at = |number: usize| orders[number].at - NOW;
    // A tenth of 300 is kept for renewals.
    assert_eq!((at(0), at(269)), (0, 0));
    assert!((3 * HOUR..=3 * HOUR + 60).contains(&at(270)), "{}", at(270));
    let last = (3000 - 1) / 270;
    assert!((last * 3 * HOUR..=last * (3 * HOUR + 60)).contains(&at(2999)), "{}", at(2999));
    assert!(orders[..270].iter().all(|order| order.waits_for.is_none()));
    let waits = orders[2999].waits_for.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!(waits, "orders at le are limited to 300 in 3 hours, 30 of which are kept for renewals");
    assert!(orders.iter().all(|order| order.kind == Kind::New && order.issuer == "le" && order.renewal.is_none()));
    // Until tomorrow, only so many.
    let (orders, later) = planned(&shops, &[issuer("le", Limits::LETS_ENCRYPT)], 1);
    assert_eq!((orders.len(), later), (8 * 270, 3000 - 8 * 270));
}

#[test]
fn what_the_first_issuer_does_not_take_goes_to_the_next() {
    let shops: Vec<_> = (0..60).map(|number| candidate(&format!("s{number}.brand.example"), None)).collect();
    let issuers = [issuer("le", Limits::LETS_ENCRYPT), issuer("zero", Limits::OTHERS)];
    let (orders, _) = planned(&shops, &issuers, 30);
    let at = |name: &str| orders.iter().filter(|order| order.issuer == name && order.at == NOW).count();
    // 50 a week for one registered domain, of which a tenth is kept.
    assert_eq!((orders.len(), at("le"), at("zero")), (60, 45, 15));
    let (orders, _) = planned(&shops, &issuers[..1], 30);
    let waits = orders[59].waits_for.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(orders[59].at >= NOW + 7 * DAY && waits.contains("names of brand.example are limited to 50"), "{waits}");
}

#[test]
fn renewals_have_their_moments_and_those_that_come_too_late_are_told() {
    let tight = Limits { orders: 1, replacing_is_free: false, ..Limits::LETS_ENCRYPT };
    let days = |from: i64, until: i64| Some((NOW + from * DAY, NOW + until * DAY));
    let shops = [
        candidate("new.example", days(0, 90)),
        candidate("due.example", days(-61, 29)),
        candidate("other.example", Some((NOW - 90 * DAY + HOUR, NOW + HOUR))),
        candidate("urgent.example", Some((NOW - 90 * DAY + HOUR, NOW + HOUR))),
    ];
    let (orders, later) = planned(&shops, &[issuer("le", tight)], 30);
    let told: Vec<_> =
        orders.iter().map(|order| (&*order.site, (order.at - NOW) / HOUR, order.is_too_late())).collect();
    let [first, second] = match told[0].0 {
        "other.example" => ["other.example", "urgent.example"],
        _ => ["urgent.example", "other.example"],
    };
    assert_eq!(told, [(first, 0, false), (second, 3, true), ("due.example", 6, false)]);
    assert_eq!(later, 1);
    let (orders, later) = planned(&shops, &[issuer("le", tight)], 90);
    let renewal = orders.iter().find(|order| order.site == "new.example").expect("its order");
    assert_eq!((later, renewal.renewal, &renewal.waits_for), (0, Some(renewal.at), &None));
    assert!((NOW + 57 * DAY..=NOW + 60 * DAY).contains(&renewal.at));
}

/// The worst there is: so few orders that everybody waits for each minute's, ten thousand of them.
#[test]
fn a_plan_for_ten_thousand_does_not_take_long() {
    let shops: Vec<_> = (0..10_000).map(|number| candidate(&format!("shop{number}.example"), None)).collect();
    let budgets = Budgets::new(Store::in_memory());
    let issuers = [issuer("le", Limits::LETS_ENCRYPT)];
    // Spread evenly, so that a few are free again in every minute.
    for before in (0..270).rev() {
        let names = [HostPattern::parse(&format!("old{before}.example")).expect("a name")];
        let claim =
            Claim { issuer: "le", limits: Limits::LETS_ENCRYPT, kind: Kind::New, names: &names, replaces: false };
        budgets.spend(&claim, NOW - before * 40).expect("some are left");
    }
    let begun = Instant::now();
    let (orders, later) = orders(&shops, (&issuers, &Health::default(), &budgets), (NOW, NOW + 30 * DAY));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!((orders.len(), later), (10_000, 0));
}
