//! A user of one organisation at a browser: sees his own things, does what is his to do, and hears of nobody else's.

use serde_json::{Value, json};

use crate::panel::shows;
use crate::support::{Edge, KeyKind, Origin, PASSWORD, Setup, authority, eventually, journey};

#[test]
fn a_user_of_an_organisation_sees_and_does_his_own_and_nothing_else_is_there() {
    let edge = start();
    let id = |made: Value| made["id"].as_str().expect("an id").to_owned();
    let order = |path: &str, order: &Value| {
        let made = edge.order_api("POST", &format!("/api/v1/{path}"), order);
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()
    };
    let organise = |name: &str, site: &str| {
        let company = json!({ "organisation": format!("{name} GmbH"), "locality": "Berlin", "country": "de" });
        id(order("organisations", &json!({ "name": name, "company": company, "contacts": [], "sites": [site] })))
    };
    let (ours, theirs) = (organise("Ours", "ours.example"), organise("Theirs", "theirs.example"));
    let request = |site: &str| id(order("requests", &json!({ "request": { "sites": [site] } })));
    let (our_request, their_request) = (request("ours.example"), request("theirs.example"));
    order("links", &json!({ "sites": ["theirs.example"], "note": "for theirs alone" }));
    let contact = id(order("contacts", &json!({ "name": "Anna", "mail": "anna@theirs.example" })));
    let certificates = edge.api("certificates");
    let of = |name: &str| {
        let found = certificates.iter().find(|one| one["names"] == json!([name])).expect("a certificate");
        found["fingerprint"].as_str().expect("text").to_owned()
    };
    let user = json!({ "name": "olga", "organisations": { &ours: "operate" }, "password": PASSWORD });
    order("users", &user);

    let next = authority().issue(&["ours.example"]);
    let file = edge.setup.folder.path().join("next.pem");
    std::fs::write(&file, next.both()).expect("written");
    let foreign_certificate = of("theirs.example");
    let foreign = [
        "/sites/theirs.example".to_owned(),
        "/sites/theirs.example/switch?to=self-signed".into(),
        "/sites/theirs.example/minimum?level=ev".into(),
        format!("/certificates/{foreign_certificate}"),
        format!("/requests/{their_request}"),
        format!("/organisations/{theirs}"),
        format!("/contacts/{contact}"),
    ];
    let told = json!({
        "who": { "user": "olga", "password": PASSWORD },
        "foreign": foreign,
        "for_the_edge": ["/contacts", "/audit", "/rejected", "/traffic", "/users"],
        "file": file,
        "request": our_request,
        "own": ["/sites/ours.example", format!("/certificates/{}", of("ours.example"))],
    });
    let told = journey("tenant.mjs", &edge.over_network(), "tenant", &told);
    assert_eq!(told["found"], json!([]));
    // Both houses have a certificate that has expired, and the bar tells of his.
    let bar = told["bar"].as_str().expect("text");
    assert!(bar.contains("ours.example") && !bar.contains("theirs"), "{bar}");
    assert_eq!(told["foreign"], json!(vec![404; foreign.len()]));
    assert_eq!(told["told"], json!([]), "what pages say of others");

    // What he did is done, in his name.
    shows(&edge, "ours.example", &next.der);
    let mut done: Vec<_> =
        edge.api("audit").into_iter().filter(|line| line["who"].to_string().contains("olga")).collect();
    done.retain(|line| line["result"] == "done" && line["action"] != "POST session");
    let actions: Vec<_> = done.iter().map(|line| line["action"].as_str().expect("text")).collect();
    assert_eq!(actions, ["POST certificates", "POST sites/{site}/minimum", "POST links"]);
    let links = edge.api("links");
    assert!(links.iter().any(|link| link["sites"] == json!(["ours.example"])), "{links:?}");
}

/// Two houses, each with a site of an expired certificate.
fn start() -> Edge {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    for name in ["ours", "theirs"] {
        let host = format!("{name}.example");
        setup.site(&[&host], &[&origin]);
        setup.certificate(name, &authority().issue_for(&[&host], KeyKind::Ecdsa, -100, -1));
    }
    std::fs::write(setup.certs().join("garbage-theirs.pem"), "garbage").expect("written");
    setup.set("reports", "daily = \"off\"");
    let edge = setup.start();
    eventually("both certificates", || (edge.api("certificates").len() == 2).then_some(()));
    eventually("the file", || edge.api("rejected").pop());
    edge
}
