//! Shops that come and go while the edge runs.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Edge, Origin, Setup, authority, drop_file, eventually, run, shop_client};

#[test]
fn a_site_is_added_served_kept_over_a_kill_and_removed() {
    let (first, second) = (Origin::saying("the first"), Origin::saying("the second"));
    let mut edge = Setup::shop(&first).start();
    let mut open = edge.open("shop.example");
    assert_eq!(open.get("shop.example", "/").text(), "the first");
    drop_file(&edge.setup.certs().join("new.pem"), authority().issue(&["new.example"]).both());
    let added = vitrine(&edge, &["sites", "add", "--host", "new.example", "--upstream", &second.url()]);
    assert_eq!(added, (0, "added: new.example, written in state/sites/new.example.json\n".into()));
    let served = |edge: &Edge| {
        let client = eventually("the certificate", || shop_client().try_open(edge.https, "new.example").ok());
        { client }.get("new.example", "/").text()
    };
    assert_eq!(served(&edge), "the second");
    assert_eq!(open.get("shop.example", "/").text(), "the first");
    let origins: Vec<_> = edge.api("sites").iter().map(|site| site["origin"].clone()).collect();
    assert_eq!(origins, ["vitrine.toml", "state/sites/new.example.json"]);

    // A reload changes nothing about it, nor does a restart after a kill.
    edge.setup.site(&["late.example"], &[&first]);
    edge.reload();
    assert_eq!(served(&edge), "the second");
    let edge = edge.end(Signal::KILL).start();
    assert_eq!(served(&edge), "the second");
    assert_eq!(vitrine(&edge, &["check"]).0, 0);

    let (code, removed) = vitrine(&edge, &["sites", "remove", "new.example"]);
    assert!(code == 0 && removed.starts_with("removed: new.example"), "{removed}");
    assert_eq!(edge.get("new.example", "/").status, 404);
    assert!(!edge.setup.state().join("sites/new.example.json").exists());
    assert_eq!(edge.api("sites").len(), 2);
    let trail: Vec<_> = edge.api("audit").iter().map(|line| (line["action"].clone(), line["object"].clone())).collect();
    assert_eq!(trail[0], (json!("POST sites"), json!("sites/new.example")));
    assert_eq!(trail[1], (json!("DELETE sites/{name}"), json!("sites/new.example")));
}

#[test]
fn a_site_is_added_with_the_routes_it_is_to_have() {
    let (shop, one, two) = (Origin::saying("the shop"), Origin::saying("an api"), Origin::saying("an api"));
    let setup = Setup::new();
    drop_file(&setup.certs().join("new.pem"), authority().issue(&["new.example", "api.example"]).both());
    let edge = setup.start();
    let route = format!("/api={},{}", one.url(), two.url());
    let upstream = shop.url();
    let (code, said) = vitrine(
        &edge,
        &["sites", "add", "--host", "new.example", "--upstream", &upstream, "--route", &route, "--route", "/media=x"],
    );
    assert!(code == 1 && said.contains("422") && said.contains("route.upstreams: "), "{said}");
    let (code, said) =
        vitrine(&edge, &["sites", "add", "--host", "new.example", "--upstream", &upstream, "--route", &route]);
    assert_eq!(code, 0, "{said}");
    for (target, text) in [("/", "the shop"), ("/api", "an api"), ("/api/v1", "an api"), ("/apis", "the shop")] {
        assert_eq!(edge.get("new.example", target).text(), text, "{target}");
    }
    let address = |origin: &Origin| origin.url().trim_start_matches("http://").to_owned();
    let routes = json!([
        { "path": "/api", "upstreams": [address(&one), address(&two)] },
        { "path": "/", "upstreams": [address(&shop)] },
    ]);
    assert_eq!(edge.api("sites")[0]["routes"], routes);

    // Routes alone will do.
    let (code, said) = vitrine(&edge, &["sites", "add", "--host", "api.example", "--route", &route]);
    assert_eq!(code, 0, "{said}");
    assert_eq!((edge.get("api.example", "/api").text(), edge.get("api.example", "/").status), ("an api".into(), 404));
    assert_eq!(vitrine(&edge, &["sites", "add", "--host", "late.example"]).0, 64);
}

#[test]
fn what_is_wrong_or_taken_is_told_and_changes_nothing() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let upstreams = [origin.url()];
    let add = |site: &serde_json::Value| {
        let answer = edge.order_api("POST", "/api/v1/sites", site);
        (answer.status, answer.json()["detail"].as_str().unwrap_or_default().to_owned())
    };
    for (site, status, expected) in [
        (json!({ "hosts": ["new.example"] }), 422, "site.upstreams: is needed"),
        (json!({ "hosts": ["new..example"], "upstreams": upstreams }), 422, "site.hosts: \"new..example\" is not"),
        (json!({ "hosts": ["new.example"], "upstreams": upstreams, "colour": "red" }), 422, "site.colour"),
        (json!({ "name": "n".repeat(220), "hosts": ["new.example"], "upstreams": upstreams }), 422, "site.name"),
        (json!("new.example"), 422, "expected a table"),
        (
            json!({ "hosts": ["new.example", "shop.example"], "upstreams": upstreams }),
            409,
            "\"shop.example\" is a host of the site \"shop.example\" at vitrine.toml:",
        ),
        (json!({ "name": "shop.example", "hosts": ["new.example"], "upstreams": upstreams }), 409, "is the name of"),
        (json!({ "hosts": ["one.example"], "upstreams": upstreams }), 201, ""),
        (json!({ "hosts": ["one.example"], "upstreams": upstreams }), 409, "was added already"),
        (
            json!({ "hosts": ["two.example", "one.example"], "upstreams": upstreams }),
            409,
            "is a host of the site \"one.example\" at state/sites/one.example.json:1 already",
        ),
    ] {
        let (found, detail) = add(&site);
        assert_eq!(found, status, "{site}: {detail}");
        assert!(detail.contains(expected), "{site}: {detail}");
    }
    assert_eq!(edge.api("sites").len(), 2);
    assert_eq!(std::fs::read_dir(edge.setup.state().join("sites")).expect("a folder").count(), 1);

    let refused = edge.ask_api("DELETE", "/api/v1/sites/shop.example");
    let detail = refused.json()["detail"].as_str().expect("a detail").to_owned();
    assert!(refused.status == 409 && detail.contains("is written in vitrine.toml; take it out there"), "{detail}");
    assert_eq!(edge.ask_api("DELETE", "/api/v1/sites/none.example").status, 404);
    assert_eq!(edge.get("shop.example", "/").text(), "hello");
}

#[test]
fn what_the_configuration_says_goes_before_what_was_added() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let site = json!({ "hosts": ["new.example"], "upstreams": [origin.url()] });
    assert_eq!(edge.order_api("POST", "/api/v1/sites", &site).status, 201);
    edge.setup.site(&["new.example"], &[&origin]);
    edge.reload();
    let origins: Vec<_> = edge.api("sites").iter().map(|site| site["origin"].clone()).collect();
    assert_eq!(origins, ["vitrine.toml", "vitrine.toml"]);
    let rejected = || edge.api("alarms").into_iter().find(|alarm| alarm["code"] == "config-rejected");
    let message = eventually("an alarm", rejected)["message"].clone();
    assert!(message.as_str().is_some_and(|text| text.starts_with("state/sites/new.example.json:1: ")), "{message}");
}

#[test]
fn an_edge_without_any_site_takes_its_first_and_gives_up_its_last() {
    let origin = Origin::saying("hello");
    let edge = Setup::new().start();
    let site = json!({ "hosts": ["*.shop.example"], "upstreams": [origin.url()] });
    assert_eq!(edge.order_api("POST", "/api/v1/sites", &site).status, 201);
    assert_eq!(edge.api("sites").len(), 1);
    assert_eq!(edge.ask_api("GET", "/api/v1/sites/%2A.shop.example").status, 200);
    assert_eq!(edge.ask_api("DELETE", "/api/v1/sites/%2A.shop.example").status, 200);
    assert_eq!(edge.api("sites"), Vec::<serde_json::Value>::new());
}

/// The exit code and what it said.
fn vitrine(edge: &Edge, arguments: &[&str]) -> (i32, String) {
    let output = run(&[arguments, &["--config", "vitrine.toml"]].concat(), &edge.setup);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("a code"), said)
}
