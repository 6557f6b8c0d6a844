//! Orders that were cut short: those whose address never came are found again where the authority lists them, and all are brought to
//! their end by the next start.

use rustix::process::Signal;
use serde_json::Value;

use crate::orders::{failed, issued};
use crate::support::acme::{FakeAcme, Fault, Resource};
use crate::support::command::{done, vitrine};
use crate::support::{Edge, Setup};

/// An authority whose next answer to an order does not come, though it makes it.
fn forgetting(lists_orders: bool, fault: Fault) -> FakeAcme {
    let acme = FakeAcme::start();
    acme.set(|ways| (ways.lists_orders, ways.acts_despite_faults) = (lists_orders, true));
    acme.fault(Resource::NewOrder, 1, fault);
    acme
}

fn add(setup: &mut Setup, host: &str) {
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"{host}\"]\nupstreams = [\"http://127.0.0.1:1\"]\ncertificate = \"managed\"\n"
    ));
}

fn managed(acme: &FakeAcme, host: &str) -> Setup {
    let mut setup = Setup::new();
    acme.used_by(&mut setup, "fake", "");
    add(&mut setup, host);
    setup
}

/// What is written down of the site's order.
fn record(edge: &Edge, site: &str) -> Value {
    let file = edge.setup.state().join("acme/orders").join(site).join("order.json");
    serde_json::from_slice(&std::fs::read(file).expect("a record")).expect("JSON")
}

/// Ends the edge when the authority has made this many orders and told of one less.
fn killed_unheard(acme: &FakeAcme, edge: Edge, site: &str, orders: usize) -> Setup {
    acme.await_asked(Resource::NewOrder, orders);
    let record = record(&edge, site);
    assert_eq!((&record["url"], &record["is_asked"]), (&Value::Null, &true.into()));
    edge.end(Signal::KILL)
}

#[test]
fn an_order_whose_address_was_lost_in_a_kill_is_found_in_the_list_and_not_made_again() {
    let acme = FakeAcme::start();
    acme.set(|ways| (ways.lists_orders, ways.acts_despite_faults) = (true, true));
    let mut setup = managed(&acme, "one.example");
    add(&mut setup, "two.example");
    add(&mut setup, "three.example");
    let edge = setup.start();
    acme.await_issued(3);
    for site in ["one.example", "two.example", "three.example"] {
        issued(&edge, site);
    }
    let mut setup = edge.end(Signal::TERM);
    add(&mut setup, "lost.example");
    acme.fault(Resource::NewOrder, 1, Fault::Silence);
    let edge = killed_unheard(&acme, setup.start(), "lost.example", 4).start();
    issued(&edge, "lost.example");
    edge.logged("goes on with an order whose address was lost");
    let made: Vec<_> = acme.orders().into_iter().map(|order| order.names.concat()).collect();
    assert_eq!((made.len(), made.last().map(String::as_str)), (4, Some("lost.example")), "{made:?}");
    // The fourth is on the second page.
    assert_eq!(acme.asked(Resource::OrderList), 2);
}

#[test]
fn where_no_list_tells_of_it_one_more_is_made_and_both_count() {
    for lists_orders in [false, true] {
        let acme = forgetting(lists_orders, Fault::Silence);
        // It may name a list that is none.
        acme.fault(Resource::OrderList, 1, Fault::Body("{\"status\":\"valid\"}"));
        let edge = killed_unheard(&acme, managed(&acme, "lost.example").start(), "lost.example", 1).start();
        issued(&edge, "lost.example");
        assert_eq!((acme.orders().len(), acme.asked(Resource::OrderList)), (2, usize::from(lists_orders)));
        let spent = std::fs::read(edge.setup.state().join("acme/fake/budgets/orders.json")).expect("budgets");
        let spent: Vec<(i64, u32)> = serde_json::from_slice(&spent).expect("orders by time");
        assert_eq!(spent.iter().map(|(_, orders)| orders).sum::<u32>(), 2);
    }
}

#[test]
fn an_order_whose_answer_was_spoilt_on_its_way_is_gone_on_with_at_the_next_try() {
    let acme = forgetting(true, Fault::Page(502, None));
    let edge = managed(&acme, "lost.example").start();
    assert_eq!(failed(&edge, "lost.example")["last_failure"]["reason"], "unreachable");
    done(vitrine(&edge, "sites renew lost.example"));
    issued(&edge, "lost.example");
    assert_eq!(acme.orders().len(), 1);
}

#[test]
fn a_renewal_that_was_wished_for_and_cut_short_by_a_kill_is_brought_to_its_end_before_its_time() {
    let acme = FakeAcme::start();
    acme.set(|ways| ways.acts_despite_faults = true);
    let edge = managed(&acme, "shop.example").start();
    issued(&edge, "shop.example");
    acme.fault(Resource::Finalize, 1, Fault::Silence);
    done(vitrine(&edge, "sites renew shop.example"));
    acme.await_asked(Resource::Finalize, 2);
    let edge = edge.end(Signal::KILL).start();
    edge.logged("a certificate is issued");
    assert_eq!((acme.orders().len(), acme.issued().len()), (2, 2));
    assert!(!edge.setup.state().join("acme/orders/shop.example").exists());
}
