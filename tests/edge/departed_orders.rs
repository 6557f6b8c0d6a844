//! Orders that were open when their sites went.

use std::fs;

use rustix::process::Signal;

use crate::support::acme::{FakeAcme, Resource};
use crate::support::managed::site_text;
use crate::support::{Origin, Setup, eventually};

fn open_orders(setup: &Setup) -> Vec<String> {
    let entries = fs::read_dir(setup.state().join("acme/orders")).expect("a folder");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("one").file_name().into_string().expect("text")).collect();
    names.sort_unstable();
    names
}

#[test]
fn an_open_order_goes_with_its_site_and_that_of_another_is_gone_on_with() {
    let (origin, acme) = (Origin::saying("hello"), FakeAcme::start());
    acme.set(|ways| ways.ignores = vec!["old.example".into(), "shop.example".into()]);
    let mut setup = Setup::new();
    acme.used_by(&mut setup, "only", "");
    for host in ["old.example", "shop.example"] {
        setup.raw_site(&site_text(&origin, host, ""));
    }
    let edge = setup.start();
    acme.await_asked(Resource::NewOrder, 2);
    let mut setup = edge.end(Signal::KILL);
    assert_eq!(open_orders(&setup), ["old.example", "shop.example"]);

    setup.forget_sites();
    acme.used_by(&mut setup, "only", "");
    setup.raw_site(&site_text(&origin, "shop.example", "name = \"renamed\""));
    setup.raw_site(&site_text(&origin, "new.example", ""));
    acme.set(|ways| ways.ignores.clear());
    let edge = setup.start();
    for site in ["old.example", "shop.example"] {
        edge.log_line("the end of an order", |line| {
            line["site"] == site && line["message"] == "forgets the open order of a site that is not managed any more"
        });
    }
    acme.await_issued(2);
    eventually("no open order", || open_orders(&edge.setup).is_empty().then_some(()));
}
