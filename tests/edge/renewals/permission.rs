//! Sites that became one on demand, and the endpoint that allowed them once.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{from_now, standing, state};
use crate::support::acme::FakeAcme;
use crate::support::{Edge, Origin, Setup, eventually, page_in, replace_file, shop_client};

/// An endpoint that allows a name once, and answers this ever after.
fn allowing_once(later: &'static str) -> Origin {
    let asked = AtomicUsize::new(0);
    Origin::new(move |exchange| {
        let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        exchange.answer(if is_first { "200 OK" } else { later }, &[], b"")
    })
}

/// An edge with a customer's site, whose certificate is to be renewed at once and ends soon.
fn with_a_customer(acme: &FakeAcme, shop: &Origin, endpoint: &Origin) -> Edge {
    acme.set(|ways| ways.life = (-40, 20));
    let mut setup = Setup::new();
    acme.used_by(&mut setup, "only", "");
    setup.raw_site(&format!(
        "[[site]]\nname = \"tenants\"\nhosts = [\"*.shops.example\"]\ncertificate = \"managed\"\non_demand = true\n\
         ask = \"{}/may?key=1\"\nupstreams = [\"{}\"]\n",
        endpoint.url(),
        shop.url()
    ));
    let edge = setup.start();
    assert!(shop_client().try_open(edge.https, CUSTOMER).is_err());
    acme.await_issued(1);
    edge
}

fn is_site(edge: &Edge) -> bool {
    edge.api("sites").iter().any(|site| site["name"] == CUSTOMER)
}

/// Starts the edge again when what serves is over and the site's pauses are too.
fn after_the_end(edge: Edge) -> Edge {
    let certificate = edge.api("certificates").remove(0);
    let setup = edge.end(Signal::TERM);
    eventually("the certificate's end", || (from_now(&certificate["not_after"]) < 0).then_some(()));
    let file = setup.state().join(format!("acme/sites/{CUSTOMER}.json"));
    let mut told: Value = serde_json::from_slice(&std::fs::read(&file).expect("the site's file")).expect("JSON");
    (told["own_rest"]["since"], told["issued"]) = (0.into(), 0.into());
    replace_file(&file, told.to_string());
    setup.start()
}

#[test]
fn a_site_that_is_not_allowed_any_more_serves_what_it_has_and_is_then_removed() {
    let (acme, shop, endpoint) = (FakeAcme::start(), Origin::saying("hello"), allowing_once("404 Not Found"));
    let edge = with_a_customer(&acme, &shop, &endpoint);
    let told = state(&edge, CUSTOMER, "FAILED");
    assert_eq!(told["last_failure"]["reason"], "permission");
    assert_eq!(
        told["last_failure"]["detail"],
        "the endpoint of site.ask does not allow www.customer.example any more; the site is served as long as its certificate is \
         valid, and then removed"
    );
    assert_eq!(shop_client().open(edge.https, CUSTOMER).get(CUSTOMER, "/").text(), "hello");

    let edge = after_the_end(edge);
    eventually("no site", || (!is_site(&edge)).then_some(()));
    edge.logged("a site that became one on demand is removed");
    let deed = eventually("a line in the trail", || {
        edge.api("audit").into_iter().find(|line| line["object"] == format!("sites/{CUSTOMER}"))
    });
    assert_eq!(
        [&deed["who"], &deed["door"], &deed["action"], &deed["result"]],
        ["vitrine", "on demand", "DELETE sites/{name}", "done"]
    );
    assert_eq!(deed["why"], json!({ "code": "not-allowed-any-more", "details": "www.customer.example" }));
    let page = page_in(&edge, "de", "/audit").text();
    assert!(page.contains("Was bei site.ask antwortet, erlaubt www.customer.example nicht mehr"), "{page}");
    assert!(shop_client().try_open(edge.https, CUSTOMER).is_err());
    assert_eq!(
        (acme.orders().len(), std::fs::read_dir(edge.setup.state().join("sites")).map_or(0, Iterator::count)),
        (1, 0)
    );
    let said = edge.log().iter().map(Value::to_string).collect::<String>();
    assert!(!said.contains("key=1"), "what stands in the address is the operator's secret");
}

#[test]
fn an_endpoint_that_is_silent_holds_a_renewal_back_but_not_to_the_end() {
    let (acme, shop, endpoint) =
        (FakeAcme::start(), Origin::saying("hello"), allowing_once("500 Internal Server Error"));
    let edge = with_a_customer(&acme, &shop, &endpoint);
    let told = state(&edge, CUSTOMER, "FAILED");
    assert_eq!(told["last_failure"]["reason"], "permission");
    let text = told["last_failure"]["detail"].as_str().expect("a text");
    assert!(
        text.starts_with("nobody tells whether www.customer.example may still be served: it answers 500"),
        "{text}"
    );
    assert_eq!(acme.orders().len(), 1);

    acme.set(|ways| ways.life = (-40, 90 * 86_400));
    let edge = after_the_end(edge);
    acme.await_issued(2);
    state(&edge, CUSTOMER, "ISSUED");
    edge.logged("nobody tells whether a name may still be served, so it is ordered");
}

#[test]
fn a_site_that_is_still_allowed_is_renewed() {
    let (acme, shop, endpoint) = (FakeAcme::start(), Origin::saying("hello"), allowing_once("204 No Content"));
    let edge = with_a_customer(&acme, &shop, &endpoint);
    acme.set(|ways| ways.life = (-40, 90 * 86_400));
    acme.await_issued(2);
    eventually("a certificate that lasts", || {
        let told = standing(&edge, CUSTOMER);
        (told["state"] == "ISSUED" && from_now(&told["next"]) > 86_400).then_some(())
    });
    assert!(endpoint.requests().len() >= 2 && is_site(&edge));
}

const CUSTOMER: &str = "www.customer.example";
