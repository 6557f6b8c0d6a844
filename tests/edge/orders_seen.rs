//! What an operator sees of orders: counters, gauges, lists and alarms.

use std::time::{Duration, SystemTime};

use crate::support::command::{done, vitrine};
use crate::support::pebble::Pebble;
use crate::support::{Edge, KeyKind, Setup, authority, eventually};

fn managed(pebble: &Pebble) -> Setup {
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    setup.raw_site(
        "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"http://127.0.0.1:1\"]\ncertificate = \"managed\"\n",
    );
    setup
}

fn renewal(edge: &Edge) -> Option<f64> {
    let series = edge.scrape().series(RENEWAL, &[("site", "shop.example")]);
    series.first().map(|(_, at)| *at)
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later").as_secs_f64()
}

#[test]
fn orders_are_counted_by_issuer_and_outcome_from_zero_and_a_renewal_has_its_moment() {
    let mut pebble = Pebble::prepare();
    let edge = managed(&pebble).start();
    edge.counted(1.0, ORDERS, &[("issuer", "pebble"), ("result", "failed"), ("reason", "unreachable")]);
    let page = edge.scrape();
    assert_eq!(page.series(ORDERS, &[("issuer", "pebble"), ("result", "issued"), ("reason", "none")]).len(), 1);
    assert_eq!(
        page.series(ORDERS, &[("issuer", "pebble"), ("reason", "dns")]),
        [(format!("{ORDERS}{{issuer=\"pebble\",result=\"failed\",reason=\"dns\"}}"), 0.0)]
    );
    assert_eq!((page.sum(ORDERS, &[]), renewal(&edge)), (1.0, None));
    pebble.serve();
    done(vitrine(&edge, "sites renew shop.example"));
    edge.counted(1.0, ORDERS, &[("issuer", "pebble"), ("result", "issued")]);
    // Pebble's certificates hold for ninety days.
    let ahead = eventually("a moment of renewal", || renewal(&edge)) - now();
    assert!(ahead > 56.0 * DAY && ahead < 60.0 * DAY, "{ahead}");
    assert!(!done(vitrine(&edge, "sites list")).contains("late"));
    // What came of both orders is told of the one site that is asked for.
    let site = &edge.ask_api("GET", "/api/v1/sites/shop.example").json()["managed"]["keys"][0];
    let history: Vec<_> =
        site["history"].as_array().expect("a history").iter().map(|one| one["reason"].clone()).collect();
    assert_eq!(history, ["unreachable".into(), serde_json::Value::Null]);
    assert!(edge.api("alarms").is_empty());
}

#[test]
fn a_renewal_that_is_a_day_late_is_told_everywhere() {
    let pebble = Pebble::prepare();
    let mut setup = managed(&pebble);
    // Of its ninety days eighty are over.
    let issued = authority().issue_for(&["shop.example"], KeyKind::Ecdsa, -80 * 24, 10 * 24);
    setup.certificate("shop", &issued);
    let edge = setup.start();
    let alarm = eventually("the alarm", || {
        edge.api("alarms")
            .into_iter()
            .find(|alarm| alarm["message"].as_str().is_some_and(|told| told.contains("unreach")))
    });
    assert_eq!(alarm["code"], "renewal-late");
    let told = alarm["message"].as_str().expect("words");
    assert!(
        told.starts_with("the certificate of shop.example should have been renewed more than a day ago: pebble"),
        "{told}"
    );
    assert!(renewal(&edge).expect("a moment") < now() - DAY);
    let listed = done(vitrine(&edge, "sites list"));
    assert!(listed.contains("served, FAILED, renewal late"), "{listed}");
    edge.logged("a managed certificate should have been renewed more than a day ago");
}

const ORDERS: &str = "vitrine_acme_orders_total";
const RENEWAL: &str = "vitrine_site_certificate_renewal_seconds";
const DAY: f64 = Duration::from_hours(24).as_secs_f64();
