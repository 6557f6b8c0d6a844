//! `vitrine sites plan`: when certificates will be ordered.

use serde_json::Value;

use crate::orders::{issued, managed, standing};
use crate::support::command::{done, refused, vitrine};
use crate::support::pebble::Pebble;
use crate::support::{Edge, Origin};

fn plan(edge: &Edge, query: &str) -> Value {
    let response = edge.ask_api("GET", &format!("/api/v1/acme/plan?{query}"));
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

#[test]
fn a_renewal_is_planned_for_the_moment_that_the_site_shows_and_new_shops_as_the_issuer_takes_them() {
    let origin = Origin::saying("hello");
    let pebble = Pebble::lenient(); // an order whose nonces are refused counts again
    let mut setup = managed(&pebble, &origin, &["shop.example"]);
    setup.set("acme", "key_types = [\"ecdsa\", \"rsa\"]");
    let edge = setup.start();
    issued(&edge, "shop.example");
    let renewal = standing(&edge, "shop.example")["renewal"].clone();
    let told = plan(&edge, "days=400");
    let orders = told["orders"].as_array().expect("orders");
    let of = |key: &str| orders.iter().find(|order| order["key_type"] == key).expect("its order").clone();
    assert_eq!(orders.len(), 2);
    let each = [of("ecdsa"), of("rsa")];
    let first = each.iter().find(|order| order["at"] == renewal).expect("the one that is shown");
    assert_eq!((&first["kind"], &first["renewal"], &first["waits_for"]), (&"renewal".into(), &renewal, &Value::Null));
    assert_eq!((&told["under_way"], &told["later"]), (&0.into(), &0.into()));

    // Two of the issuer's 300 are used up, and a tenth is kept for renewals.
    let told = done(vitrine(&edge, "sites plan --days 2 --new 3000"));
    let spans = told.lines().filter(|line| line.contains("  pebble  "));
    let new =
        spans.map(|line| line.split_whitespace().nth(3).and_then(|number| number.parse().ok()).expect("a number"));
    let new: Vec<usize> = new.collect();
    assert_eq!(new.iter().sum::<usize>(), 3000, "{told}");
    assert!((11..=13).contains(&new.len()) && new.iter().all(|new| *new <= 270), "{told}");
    assert!(
        told.contains("pebble: 300 orders in 3 hours, of which 298 are left for renewals and 268 for new sites"),
        "{told}"
    );
    let each = done(vitrine(&edge, "sites plan --days 1 --new 300 --sites"));
    let waits = "orders at pebble are limited to 300 in 3 hours, 30 of which are kept for renewals";
    assert_eq!(each.lines().filter(|line| line.contains(waits)).count(), 32, "{each}");
    let told = plan(&edge, "days=0&new=3000");
    assert_eq!((told["orders"].as_array().map(Vec::len), &told["later"]), (Some(268), &2734.into()));
    assert!(refused(vitrine(&edge, "sites plan --days 401")).contains("up to 400"));
}
