//! Names that nobody serves become sites when the operator's own endpoint allows them, and cost a refusal when it does not.

use rustix::process::Signal;
use rustls::SignatureScheme;
use rustls::version::TLS13;

use crate::support::command::{done, said, vitrine};
use crate::support::pebble::Pebble;
use crate::support::{ClientTls, Edge, Origin, Setup, eventually, run, shop_client};

/// An endpoint that allows the names of customers, and fails for others.
fn endpoint() -> Origin {
    Origin::new(|exchange| {
        let (_, target) = exchange.asked();
        let name = target.strip_prefix("/may?key=1&domain=").expect("a question").to_owned();
        let status = match name.as_str() {
            "broken.example" => "500 Internal Server Error",
            "moved.example" => "302 Found",
            _ if name.ends_with(".customer.example") || name.ends_with(".shops.example") => "200 OK",
            _ => "404 Not Found",
        };
        exchange.answer(status, &[], b"")
    })
}

fn platform(pebble: &Pebble, shop: &Origin, endpoint: &Origin) -> Setup {
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    setup.raw_site(&format!(
        "[[site]]\nname = \"tenants\"\nhosts = [\"*.shops.example\"]\ncertificate = \"managed\"\non_demand = true\n\
         ask = \"{}/may?key=1\"\nupstreams = [\"{}\"]\n",
        endpoint.url(),
        shop.url()
    ));
    setup.raw_site(&format!("[[site]]\nhosts = [\"own.example\"]\nupstreams = [\"{}\"]\n", shop.url()));
    setup
}

/// What a client is told that asks for a name.
fn knock(edge: &Edge, name: &str) -> String {
    shop_client().try_open(edge.https, name).map_or_else(|error| error.to_string(), |_| "served".into())
}

fn is_site(edge: &Edge, name: &str) -> bool {
    edge.api("sites").iter().any(|site| site["name"] == name)
}

fn asked(endpoint: &Origin) -> Vec<String> {
    let name = |start: &str| start.split(' ').nth(1)?.rsplit('=').next().map(str::to_owned);
    endpoint.requests().iter().map(|request| name(&request.head.start).expect("a question")).collect()
}

#[test]
fn a_name_that_is_allowed_becomes_a_site_and_is_served_a_moment_later() {
    let (shop, endpoint, pebble) = (Origin::saying("hello"), endpoint(), Pebble::start());
    let edge = platform(&pebble, &shop, &endpoint).start();
    assert!(knock(&edge, "www.customer.example").contains("UnrecognisedName"));
    eventually("the customer's certificate", || {
        edge.api("sites").iter().any(|site| site["managed"]["state"] == "ISSUED").then_some(())
    });
    let client = ClientTls::trusting(&[&TLS13], vec![SignatureScheme::ECDSA_NISTP256_SHA256]);
    assert_eq!(client.open(edge.https, "www.customer.example").get("www.customer.example", "/").text(), "hello");
    // Below the wildcard each name is asked about as well, and gets a certificate of its own.
    knock(&edge, "a.shops.example");
    eventually("a site", || is_site(&edge, "a.shops.example").then_some(()));
    assert_eq!(asked(&endpoint), ["www.customer.example", "a.shops.example"]);
    edge.counted(2.0, "vitrine_on_demand_questions_total", &[("answer", "yes")]);
    // It is a site like any other that was added.
    let edge = edge.end(Signal::TERM).start();
    assert_eq!(client.open(edge.https, "www.customer.example").get("www.customer.example", "/").text(), "hello");
    done(vitrine(&edge, "sites remove www.customer.example"));
    assert!(!is_site(&edge, "www.customer.example"));
}

#[test]
fn what_is_not_allowed_costs_one_question_and_no_order() {
    let (shop, endpoint, pebble) = (Origin::saying("hello"), endpoint(), Pebble::start());
    let mut setup = platform(&pebble, &shop, &endpoint);
    setup.set("acme", "on_demand_per_client = 4");
    let edge = setup.start();
    for _ in 0..3 {
        for name in ["stranger.example", "own.example", "localhost", "broken.example", "moved.example"] {
            assert!(knock(&edge, name).contains("UnrecognisedName"), "{name}");
        }
    }
    edge.counted(1.0, QUESTIONS, &[("answer", "no")]);
    edge.counted(2.0, QUESTIONS, &[("answer", "failed")]);
    let mut names = asked(&endpoint);
    names.sort_unstable();
    assert_eq!(names, ["broken.example", "moved.example", "stranger.example"]);
    // Names that are made up use up the share of whoever makes them up, and nothing else.
    for number in 0..20 {
        knock(&edge, &format!("n{number}.made-up.example"));
    }
    eventually("more than may be asked", || {
        (edge.scrape().sum(QUESTIONS, &[("answer", "limited")]) >= 1.0).then_some(())
    });
    knock(&edge, "www.customer.example");
    edge.counted(2.0, QUESTIONS, &[("answer", "no")]);
    assert_eq!(endpoint.requests().len(), 4);
    assert_eq!((is_site(&edge, "www.customer.example"), edge.api("sites").len()), (false, 2));
    assert!(edge.log().iter().all(|line| line["message"] != "orders a certificate"));
}

#[test]
fn a_site_on_demand_without_who_is_asked_is_refused() {
    let shop = Origin::saying("hello");
    let check = |keys: &str| {
        let mut setup = Setup::shop(&shop);
        setup.set("acme", "terms_of_service_agreed = true");
        setup.raw_site(&format!(
            "[[site]]\nname = \"tenants\"\nhosts = [\"shops.example\"]\nupstreams = [\"{}\"]\n{keys}\n",
            shop.url()
        ));
        setup.write();
        let output = run(&["check", "--config", "vitrine.toml"], &setup);
        assert_eq!(output.status.code(), Some(78));
        said(&output.stderr)
    };
    let managed = "certificate = \"managed\"\non_demand = true\n";
    assert!(check(managed).contains("site.ask: is needed beside on_demand"));
    assert!(check(&format!("{managed}ask = \"http://shops.example/may\"")).contains("site.ask: expected an address"));
    assert!(check("on_demand = true\nask = \"https://shops.example/may\"").contains("needs certificate = \"managed\""));
    assert!(check("like = \"nobody\"").contains("site.like: expected the name of a site that stands in the main file"));
}

const QUESTIONS: &str = "vitrine_on_demand_questions_total";
