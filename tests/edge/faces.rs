//! One edge, in many states: whoever is asked, whichever way, says the same of each site and of what needs somebody.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::support::command::{done, vitrine};
use crate::support::managed::managed_site;
use crate::support::pebble::Pebble;
use crate::support::{KeyKind, Origin, Response, Setup, Walk, authority, eventually};

#[test]
fn every_face_of_the_edge_says_the_same() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    for host in ["good", "late", "soon", "now", "new", "asked", "again", "own"] {
        setup.site(&[&*format!("{host}.test")], &[&origin]);
    }
    setup.site(&["half.test", "www.half.test"], &[&origin]);
    let certificate = |setup: &mut Setup, name: &str, from: i64, until: i64| {
        let host = format!("{name}.test");
        setup.certificate(name, &authority().issue_for(&[&host], KeyKind::Ecdsa, from, until));
    };
    // None is at the end of a whole day while faces are compared.
    for (name, from, until) in [
        ("good", -1, 2000),
        ("late", -100, -1),
        ("soon", -1, 24 * 30 + 1),
        ("now", -1, 24 * 4 + 1),
        ("again", -1, 2000),
        ("half", -1, 2000),
    ] {
        certificate(&mut setup, name, from, until);
    }
    fs::write(setup.certs().join("garbage.pem"), "garbage").expect("written");
    let edge = setup.start();
    eventually("the file", || edge.api("rejected").pop());
    eventually("all certificates", || (edge.api("certificates").len() == 6).then_some(()));
    for site in ["asked.test", "again.test"] {
        let made = edge.order_api("POST", "/api/v1/requests", &json!({ "request": { "sites": [site] } }));
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let chosen = edge.order_api("POST", "/api/v1/sites/own.test/choice", &json!({ "certificate": "self-signed" }));
    assert_eq!(chosen.status, 200, "{}", chosen.text());
    eventually("its own certificate", || edge.api("sites?q=own.test&state=completed").pop());

    let sites = edge.api("sites");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let state: BTreeMap<String, String> =
        sites.iter().map(|site| (text(&site["name"]), text(&site["state"]))).collect();
    let expected = [
        ("again.test", "renewing"),
        ("asked.test", "in progress"),
        ("good.test", "completed"),
        ("half.test", "configure"),
        ("late.test", "completed"),
        ("new.test", "configure"),
        ("now.test", "completed"),
        ("own.test", "completed"),
        ("soon.test", "completed"),
    ];
    assert_eq!(state, expected.map(|(site, state)| (site.to_owned(), state.to_owned())).into());

    // Metrics.
    let scrape = edge.scrape();
    for word in ["configure", "in progress", "completed", "renewing"] {
        let count = state.values().filter(|state| *state == word).count();
        assert_eq!(scrape.sum("vitrine_sites", &[("state", word)]), count as f64, "{word}");
    }
    // The command line.
    let listed: Value = serde_json::from_str(&done(vitrine(&edge, "sites list --json"))).expect("JSON");
    assert_eq!(unseen(listed), unseen(Value::Array(sites.clone())));
    // Pages: the list in each state, and each site's.
    let pages = Walk::in_language(&edge, "en").0;
    let words = BTreeMap::from([
        ("configure", "Configure"),
        ("in progress", "In progress"),
        ("completed", "Completed"),
        ("renewing", "Completed (renewing)"),
    ]);
    for (site, state) in &state {
        let page = pages[&format!("/sites/{site}")].text();
        let (_, rest) = page.split_once("<dt>State</dt><dd><span class=\"mark").expect("a state");
        let shown = rest.split_once('>').and_then(|(_, rest)| rest.split_once('<')).map(|(shown, _)| shown);
        assert_eq!(shown.map(str::to_lowercase), Some(words[state.as_str()].to_lowercase()), "{site}");
    }
    // What needs somebody: the same codes in the list, in the bar, and on the page.
    let alerts = edge.api("alerts");
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    // What asks for a look by and by comes when it is noticed.
    let noticed = alerts.iter().filter(|alert| alert["code"] != "remark");
    noticed.for_each(|alert| *codes.entry(text(&alert["code"])).or_default() += 1);
    let counted =
        [("expired", 1), ("expires-now", 1), ("expires-soon", 1), ("file-rejected", 1), ("no-certificate", 2)];
    assert_eq!(codes, counted.map(|(code, count)| (code.to_owned(), count)).into());
    let page = pages["/alerts"].text();
    for alert in alerts.iter().filter(|alert| alert["code"] != "remark") {
        let (subject, said) = (text(&alert["subject"]), text(&alert["text"]));
        assert!(page.contains(&format!("<th scope=\"row\">{subject}</th><td>{said}</td>")), "{alert}: {page}");
    }
    for bar in
        ["1 site serves an expired certificate: late.test", "2 sites lack a certificate", "1 file was rejected: "]
    {
        let is_page = |page: &Response| page.status == 200 && page.text().contains("<html");
        let without = pages.iter().find(|(_, page)| is_page(page) && !page.text().contains(bar));
        assert!(without.is_none(), "{bar}: {}", without.map_or("", |(path, _)| path));
    }
    // One question about one host.
    for (site, served) in [("late.test", "expired"), ("good.test", "served"), ("new.test", "no certificate")] {
        let told = edge.ask_api("GET", &format!("/api/v1/explain?url=https%3A%2F%2F{site}%2F")).json();
        assert_eq!(told["certificate"]["state"], served, "{told}");
        let listed = sites.iter().find(|one| one["name"] == site).expect("listed");
        assert_eq!(listed["hosts"][0]["state"], served);
    }
}

#[test]
fn a_late_renewal_is_late_on_every_face_and_on_none_once_somebody_else_sees_to_it() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::prepare());
    let mut setup = managed_site(&pebble, &origin, "shop.example", "");
    // Of its ninety days eighty are over.
    setup.certificate("shop", &authority().issue_for(&["shop.example"], KeyKind::Ecdsa, -80 * 24, 10 * 24));
    let edge = setup.start();
    let site = || edge.ask_api("GET", "/api/v1/sites/shop.example").json();
    let told = eventually("what failed", || Some(site()).filter(|told| !told["last_error"].is_null()));
    assert_eq!((&told["band"], &told["reason"]["code"]), (&json!("now"), &json!("renewal-late")));
    let managed = &told["managed"];
    assert_eq!((&managed["is_late"], &managed["keys"][0]["is_late"]), (&json!(true), &json!(true)));
    let of =
        |list: &str| -> Vec<Value> { edge.api(list).into_iter().filter(|one| one["code"] == "renewal-late").collect() };
    // Either list has it once, since the same moment, with what failed.
    let (alarms, alerts) = (of("alarms"), of("alerts"));
    assert_eq!((alarms.len(), alerts.len()), (1, 1), "{alarms:?} {alerts:?}");
    assert_eq!(alarms[0]["since"], alerts[0]["since"]);
    let error = told["last_error"].as_str().expect("text");
    for (one, field) in [(&alarms[0], "message"), (&alerts[0], "text")] {
        assert!(one[field].as_str().expect("text").contains(error), "{one}: {error}");
    }
    assert_eq!(edge.api("certificates")[0]["band"], told["band"]);
    let explained = edge.ask_api("GET", "/api/v1/explain?url=shop.example").json();
    assert_eq!(explained["managed"]["is_late"], true);
    assert!(done(vitrine(&edge, "sites list")).contains(", renewal late"));
    let series = |name: &str| edge.scrape().sum(name, &[("site", "shop.example")]);
    assert!(series(RENEWAL) > 0.0);
    let page = &Walk::in_language(&edge, "en").0["/sites/shop.example"].text();
    assert!(page.contains("renewal is late"), "{page}");
    let report = edge.ask_api("GET", "/api/v1/reports/next-monthly").json();
    let lines = report["lines"].as_array().expect("lines").iter();
    assert!(lines.clone().all(|line| line["renewal_late"] == true), "{report}");

    // What the operator brings himself is renewed by nobody, and late for nobody.
    done(vitrine(&edge, "sites use shop.example uploaded"));
    assert_eq!((of("alarms"), of("alerts")), (Vec::new(), Vec::new()));
    assert_eq!((site()["reason"]["code"].clone(), series(RENEWAL)), (json!("serves"), 0.0));
    assert!(!done(vitrine(&edge, "sites list")).contains("renewal late"));
    let explained = edge.ask_api("GET", "/api/v1/explain?url=shop.example").json();
    assert_ne!(explained["managed"]["is_late"], true);
}

const RENEWAL: &str = "vitrine_site_certificate_renewal_seconds";

fn take_out(seen: &mut Value) {
    let fields = seen.as_object_mut().expect("an object");
    fields.retain(|field, _| !["checked", "served", "wrong"].contains(&field.as_str()));
}

/// Sites without what was seen of them from outside, which comes when somebody has looked.
fn unseen(mut sites: Value) -> Value {
    let all = sites.as_array_mut().expect("a list").iter_mut();
    for host in all.flat_map(|site| site["hosts"].as_array_mut().expect("a list")) {
        let certificates = host["certificates"].as_array_mut().expect("a list");
        certificates.iter_mut().for_each(take_out);
        take_out(host);
    }
    sites
}
