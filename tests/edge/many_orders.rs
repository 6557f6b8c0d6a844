//! Hundreds of sites that have nothing yet: all are served in the end, never more are ordered together than the operator said, and
//! whoever shops meanwhile notices nothing.

use std::time::{Duration, Instant};

use crate::support::pebble::Pebble;
use crate::support::{Edge, Origin, Setup, authority, shop_client, within};

#[test]
fn hundreds_of_sites_are_ordered_beside_traffic_and_never_more_at_once_than_may_be() {
    let count: usize = std::env::var("VITRINE_SITES").ok().and_then(|count| count.parse().ok()).unwrap_or(100);
    let (shop, pebble) = (Origin::saying("hello"), Pebble::lenient());
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    // Of the issuer that was just named: limits are another test's.
    setup.raw_site("orders_per_3h = 0\n");
    setup.set("acme", &format!("orders_at_once = {AT_ONCE}"));
    setup.site(&["own.example"], &[&shop]).certificate("own", &authority().issue(&["own.example"]));
    for number in 0..count {
        setup.raw_site(&format!(
            "[[site]]\nhosts = [\"s{number}.example\"]\nupstreams = [\"{}\"]\ncertificate = \"managed\"\n",
            shop.url()
        ));
    }
    let edge = setup.start();
    let (begun, mut done, mut answered) = (Instant::now(), 0, 0);
    while done < count {
        done = within(PATIENCE, "another certificate", || Some(issued(&edge)).filter(|now| *now > done));
        let mut talk = shop_client().open(edge.https, "own.example");
        for _ in 0..20 {
            let response = talk.get("own.example", "/");
            assert_eq!((response.status, response.text().as_str()), (200, "hello"));
            answered += 1;
        }
    }
    println!("{count} sites issued after {:?}, {answered} requests meanwhile", begun.elapsed());
    assert_eq!((done, pebble.most_open_orders()), (count, AT_ONCE));
    let requests = edge.scrape();
    assert_eq!(requests.sum("vitrine_site_requests_total", &[("site", "own.example"), ("class", "5xx")]), 0.0);
}

fn issued(edge: &Edge) -> usize {
    edge.scrape().sum("vitrine_acme_orders_total", &[("result", "issued")]) as usize
}

const AT_ONCE: usize = 5;
const PATIENCE: Duration = Duration::from_secs(300);
