//! kill -9 at any moment of an order: the account stays, no order is made twice, no certificate is lost.
//!
//! `VITRINE_KILLS=100 cargo test --test edge order_kills -- --nocapture` kills as often; without it, at each moment once.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use vitrine::store::Store;

use crate::orders::{managed, standing};
use crate::support::command::{done, vitrine};
use crate::support::pebble::Pebble;
use crate::support::{DEADLINE, Edge, Origin, eventually, message};

#[test]
fn a_kill_at_any_moment_of_an_order_costs_neither_account_nor_order_nor_certificate() {
    let kills = std::env::var("VITRINE_KILLS").ok().map_or(MOMENTS.len(), |kills| kills.parse().expect("a number"));
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let mut edge = managed(&pebble, &origin, &["site0.example"]).start();
    let (mut site, mut kept) = ("site0.example".to_owned(), BTreeMap::<String, Vec<String>>::new());
    settle(&edge, &site);
    kept.entry(site.clone()).or_default().push(served(&edge, &site));
    let known = account(&edge);
    let (mut orders, mut invalid, mut completed) = (0, 0, 0);
    for round in 0..kills {
        let moment = MOMENTS[round % MOMENTS.len()];
        // A new name, or another certificate for the one before; each moment meets both.
        let is_new = (round + round / MOMENTS.len()).is_multiple_of(2);
        if is_new {
            site = format!("site{}.example", round + 1);
        }
        let before = (pebble.said(MADE), pebble.said(INVALID));
        let (seen, issued) = (moment.seen(&edge, &pebble, &site), ISSUED.seen(&edge, &pebble, &site));
        match is_new {
            true => {
                edge.setup.raw_site(&format!(
                    "[[site]]\nhosts = [\"{site}\"]\nupstreams = [\"{}\"]\ncertificate = \"managed\"\n",
                    origin.url()
                ));
                edge.setup.write();
                edge.signal(Signal::HUP);
            }
            false => drop(done(vitrine(&edge, &format!("sites renew {site}")))),
        }
        moment.wait(&edge, &pebble, &site, (seen, issued));
        let setup = edge.end(Signal::KILL);
        let store = Store::open(&setup.state()).expect("the state of a killed edge");
        let (_, wrong) = vitrine::certs::verify(store, &setup.state()).expect("listed");
        assert_eq!(wrong, Vec::<String>::new());
        edge = setup.start();
        settle(&edge, &site);
        let now_served = served(&edge, &site);
        let of_site = kept.entry(site.clone()).or_default();
        if !of_site.contains(&now_served) {
            of_site.push(now_served);
            completed += 1;
        }
        let (made, refused) = (pebble.said(MADE) - before.0, pebble.said(INVALID) - before.1);
        // What the authority looked at while nobody was there is over, and only then another is made.
        assert!(made <= 1 + refused, "round {round}, {moment:?}: {made} orders for {site}, {refused} of them invalid");
        assert!(made >= 1 || !is_new, "round {round}, {moment:?}: no order for {site}");
        assert_eq!(account(&edge), known, "round {round}, {moment:?}: another account");
        (orders, invalid) = (orders + made, invalid + refused);
    }
    for (site, certificates) in &kept {
        let history = edge.api(&format!("certificates/{}/history", certificates[certificates.len() - 1]));
        let listed: Vec<&str> = history.iter().filter_map(|version| version["fingerprint"].as_str()).collect();
        assert!(certificates.iter().all(|one| listed.contains(&one.as_str())), "{site}: {certificates:?}, {listed:?}");
    }
    println!(
        "{kills} kills: {} sites, all issued; {completed} certificates more, none lost; {orders} orders, of which {invalid} had \
         become invalid while nobody was there; one account",
        kept.len()
    );
}

/// The end of an order.
const ISSUED: Moment = Moment::Told("a certificate is issued");
/// Where in the life of an order.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The edge says this.
    Told(&'static str),
    /// This holds for what is written down of the order.
    Written(fn(&Value) -> bool),
    /// The authority says this.
    Said(&'static str),
}

impl Moment {
    /// How often it has come.
    fn seen(self, edge: &Edge, pebble: &Pebble, site: &str) -> usize {
        match self {
            Self::Told(text) => edge.log().iter().filter(|line| message(line).contains(text)).count(),
            Self::Written(holds) => usize::from(record(edge, site).is_some_and(|record| holds(&record))),
            Self::Said(text) => pebble.said(text),
        }
    }

    /// Waits until it comes once more, as closely as can be, or the order ends without: one time of a hundred Pebble does not ask
    /// again for what an account has shown.
    fn wait(self, edge: &Edge, pebble: &Pebble, site: &str, (seen, issued): (usize, usize)) {
        let begun = Instant::now();
        while self.seen(edge, pebble, site) <= seen && ISSUED.seen(edge, pebble, site) <= issued {
            assert!(begun.elapsed() < DEADLINE, "{self:?} does not come for {site}");
            thread::sleep(CLOSELY);
        }
    }
}

fn record(edge: &Edge, site: &str) -> Option<Value> {
    let file = edge.setup.state().join("acme/orders").join(site).join("order.json");
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// Whether the authority may know an order that has not ended; a key alone is none.
fn is_open(edge: &Edge, site: &str) -> bool {
    record(edge, site).is_some_and(|record| record["url"].is_string() || record["is_asked"] == true)
}

fn account(edge: &Edge) -> String {
    fs::read_to_string(edge.setup.state().join("acme/pebble/account.json")).expect("an account")
}

/// What serves a site, by fingerprint.
fn served(edge: &Edge, site: &str) -> String {
    let sites = edge.api("sites");
    let found = sites.iter().find(|known| known["name"] == site).expect("the site");
    found["hosts"][0]["certificates"][0]["fingerprint"].as_str().expect("a certificate").to_owned()
}

/// Waits until the site is issued and nothing is open.
fn settle(edge: &Edge, site: &str) {
    loop {
        let told = eventually("an end", || {
            let told = standing(edge, site);
            let is_over = told["state"] == "FAILED" || (told["state"] == "ISSUED" && !is_open(edge, site));
            is_over.then_some(told)
        });
        if told["state"] == "ISSUED" {
            return;
        }
        // The authority looked while nobody was there, and such a name rests for a while.
        assert_eq!(told["last_failure"]["reason"], "validation", "{told}");
        done(vitrine(edge, &format!("sites renew {site}")));
    }
}

/// In the order in which they come.
const MOMENTS: [Moment; 14] = [
    Moment::Told("orders a certificate"),
    Moment::Written(|record| record["begun"].is_i64()),
    Moment::Written(|record| record["is_asked"] == true),
    Moment::Said("POST /order-plz "),
    Moment::Said(MADE),
    Moment::Written(|record| record["url"].is_string()),
    Moment::Said("POST /authZ/"),
    Moment::Said("POST /chalZ/"),
    Moment::Said("Pulled a task from the Tasks queue"),
    Moment::Said("set VALID by"),
    Moment::Said("POST /finalize-order/"),
    Moment::Said("Issued certificate serial"),
    Moment::Said("POST /certZ/"),
    Moment::Told("a certificate is issued"),
];
const MADE: &str = "orders in the db";
const INVALID: &str = "set INVALID by";
const CLOSELY: Duration = Duration::from_micros(200);
