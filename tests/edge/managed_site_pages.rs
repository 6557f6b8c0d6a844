//! A site whose certificates the edge orders itself, as an operator who has signed in has it so at its page.

use serde_json::json;

use crate::panel::shows;
use crate::support::managed::certificates_of;
use crate::support::pebble::Pebble;
use crate::support::{KeyKind, Origin, PASSWORD, Setup, authority, journey};

#[test]
fn a_site_is_switched_to_managed_and_its_order_is_followed_to_the_end_at_its_page() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    let brought = authority().issue_for(&["shop.example"], KeyKind::Ecdsa, -80 * 24, 10 * 24);
    setup.site(&["shop.example"], &[&origin]).certificate("shop", &brought);
    let edge = setup.start();
    shows(&edge, "shop.example", &brought.der);
    edge.user("otto", "operate");
    let who = json!({ "user": "otto", "password": PASSWORD });
    let told = journey("managed.mjs", &edge.over_network(), "managed", &json!({ "who": who, "site": "shop.example" }));
    assert_eq!(told["found"], json!([]));
    // Nothing was changed by the look ahead.
    assert_eq!(told["source"], json!(["uploaded", "uploaded", "managed"]));
    // Both orders are in the history, and both were issued.
    assert_eq!(told["history"], json!(["issued", "issued"]));
    let fingerprints = [&told["first"], &told["second"]].map(|one| one.as_str().expect("a fingerprint").to_owned());
    assert_ne!(fingerprints[0], fingerprints[1]);
    let serving = certificates_of(&edge, "shop.example").into_iter().map(|one| one["fingerprint"].clone());
    let serving: Vec<String> = serving.map(|one| one.as_str().expect("text").to_owned()).collect();
    assert!(serving.iter().any(|one| one.starts_with(&fingerprints[1])), "{serving:?} {told}");
    let done: Vec<_> = edge.api("audit").into_iter().filter(|line| line["object"] == "sites/shop.example").collect();
    let actions: Vec<_> = done.iter().map(|line| line["action"].as_str().expect("text")).collect();
    assert_eq!(actions, ["POST sites/{site}/choice", "POST sites/{name}/renew"]);
    assert!(done.iter().all(|line| line["who"].as_str().expect("text").contains("otto")), "{done:?}");
}
