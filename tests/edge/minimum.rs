//! What a site asks of its certificates' authorities, as the operator changes it while the edge runs.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::site_demands::{DOMAIN, EXTENDED, chosen, codes, issue, site};
use crate::support::command::{done, refused, vitrine};
use crate::support::{Browser, Edge, Origin, PASSWORD, Setup, eventually, journey, run};

#[test]
fn what_is_asked_for_is_looked_at_first_and_then_holds_over_a_reload_and_a_restart() {
    let origin = Origin::saying("hello");
    let mut edge = start(&origin);
    let newest = json!([["dv", "issued later"], ["dv", "issued later"]]);
    assert_eq!(chosen(&edge), newest);

    // A look changes nothing.
    let told = done(vitrine(&edge, "sites minimum shop.example ev --dry-run"));
    assert!(told.starts_with("shop.example would ask for ev\n"), "{told}");
    assert!(told.contains("dv)") && told.contains("ev)") && told.contains("\nbelow: "), "{told}");
    let ahead = effect(&edge, "?level=ev");
    assert_eq!(levels(&ahead), json!([["shop.example", ["dv"], ["ev"]]]));
    assert_eq!((&ahead["effective"], &ahead["decided_by"]), (&json!("ev"), &Value::Null));
    assert_eq!((chosen(&edge), edge.api("audit")), (newest.clone(), Vec::new()));

    // Of what is asked for as much is said as if it were configured.
    let told = done(vitrine(&edge, "sites minimum shop.example ev"));
    assert!(told.starts_with("shop.example asks for ev\n"), "{told}");
    let asked = json!([["ev", "validation that the site asks for before less"], ["dv", "issued later"]]);
    assert_eq!(chosen(&edge), asked);
    assert_eq!(codes(&edge, "certs/dv.crt"), ["validation-too-low"]);
    let explained = edge.ask_api("GET", "/api/v1/explain?url=shop.example").json();
    assert_eq!(explained["certificate"]["certificates"][0]["rule"], asked[0][1]);
    let diff = done(vitrine(&edge, "sites diff"));
    assert!(diff.contains("shop.example  minimum none  minimum ev  user "), "{diff}");
    let line = edge.api("audit").pop().expect("a line");
    assert_eq!(
        (&line["action"], &line["object"], &line["detail"]),
        (&json!("POST sites/{site}/minimum"), &json!("sites/shop.example"), &json!("minimum validation ev"))
    );

    edge.setup.raw_site(&site(&origin, &["more.example"], ""));
    edge.reload();
    eventually("the site", || (edge.api("sites").len() == 3).then_some(()));
    assert_eq!((chosen(&edge)[0].clone(), asks(&edge)), (asked[0].clone(), json!(["ev", null])));
    let edge = edge.end(Signal::KILL).start();
    eventually("the choice", || (chosen(&edge)[0] == asked[0]).then_some(()));
    assert_eq!(asks(&edge), json!(["ev", null]));

    // Taken back, the configuration holds.
    let told = done(vitrine(&edge, "sites minimum shop.example configured"));
    assert!(told.starts_with("shop.example asks for nothing\n"), "{told}");
    assert_eq!((chosen(&edge)[0].clone(), codes(&edge, "certs/dv.crt")), (newest[0].clone(), Vec::new()));
    assert!(done(vitrine(&edge, "sites diff")).starts_with("nothing was decided otherwise"));
    assert!(!edge.setup.state().join("sites/shop.example.json").exists());
}

#[test]
fn nothing_can_be_asked_for_in_place_of_what_is_configured() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.raw_site(&site(&origin, &["shop.example"], "minimum_validation = \"ev\""));
    trusted(&mut setup);
    let edge = setup.start();
    let asked = json!([["ev", "validation that the site asks for before less"]]);
    eventually("the choice", || (chosen(&edge) == asked).then_some(()));
    done(vitrine(&edge, "sites minimum shop.example none"));
    assert_eq!(chosen(&edge), json!([["dv", "issued later"]]));
    assert_eq!(asks(&edge), json!([null, "ev"]));
    // Where the mode is decided too, each is kept by itself.
    done(vitrine(&edge, "sites use shop.example uploaded"));
    done(vitrine(&edge, "sites use shop.example configured"));
    assert_eq!(asks(&edge), json!([null, "ev"]));
    for (method, order) in [("POST", json!({ "level": "iv" })), ("POST", json!({})), ("POST", json!({ "level": 7 }))] {
        let answer = edge.order_api(method, "/api/v1/sites/shop.example/minimum", &order);
        assert_eq!(answer.status, 400, "{order}: {}", answer.text());
    }
    assert_eq!(edge.ask_api("GET", "/api/v1/sites/shop.example/minimum?level=iv").status, 400);
    assert!(refused(vitrine(&edge, "sites minimum nobody.example ov")).contains("there is no site"));
}

#[test]
fn commands_that_judge_without_an_edge_go_by_what_was_decided() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let said = |arguments: &[&str]| {
        let output = run(arguments, &edge.setup);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
    };
    let judge = || {
        let inspected = ["inspect", "certs/dv.crt", "certs/dv.key", "--config", "vitrine.toml"];
        [said(&["check", "--config", "vitrine.toml"]), said(&inspected)]
    };
    let asks = "the site shop.example asks for EV (minimum_validation), and the certificate is DV";
    assert!(judge().iter().all(|text| !text.contains(asks) && !text.contains(UNKNOWN)));
    done(vitrine(&edge, "sites minimum shop.example ev"));
    for text in judge() {
        assert!(text.contains(asks) && !text.contains(UNKNOWN), "{text}");
    }
    // What cannot be known is told, and the configuration is gone by.
    for (file, what) in [("sites/shop.example.json", "sites/shop.example.json: "), ("schema.json", "later version")] {
        std::fs::write(edge.setup.state().join(file), "{\"version\": 99, \"minimum\": 1}").expect("written");
        for text in judge() {
            assert!(text.contains(what) && text.contains(UNKNOWN) && !text.contains(asks), "{text}");
        }
    }
}

#[test]
fn whoever_may_not_change_a_site_asks_for_nothing() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let place = "/api/v1/sites/shop.example/minimum";
    let mut reader = edge.user("rita", "read");
    assert_eq!(reader.get(place).status, 200);
    assert_eq!(reader.ask("POST", place, Some(&json!({ "level": "ev" }))).status, 403);
    assert_eq!(reader.ask("DELETE", place, None).status, 403);
    let order = json!({ "name": "Others", "company": {}, "contacts": [], "sites": ["other.example"] });
    let made = edge.order_api("POST", "/api/v1/organisations", &order);
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let order = json!({ "name": "olga", "organisations": { &id: "operate" }, "password": PASSWORD });
    assert_eq!(edge.order_api("POST", "/api/v1/users", &order).status, 201);
    let mut foreign = Browser::signed_in(&edge, "olga", PASSWORD);
    assert_eq!(foreign.get(place).status, 404);
    assert_eq!(foreign.ask("POST", place, Some(&json!({ "level": "ev" }))).status, 404);
    let own = foreign.ask("POST", "/api/v1/sites/other.example/minimum", Some(&json!({ "level": "ov" })));
    assert_eq!((own.status, asks(&edge)), (200, json!([null, null])), "{}", own.text());
}

#[test]
fn it_is_changed_at_the_site_page_after_a_look_ahead_and_taken_back() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let who = json!({ "user": "otto", "password": PASSWORD });
    edge.user("otto", "operate");
    let told = journey("site.mjs", &edge.over_network(), "minimum", &json!({ "who": who, "site": "shop.example" }));
    assert_eq!(told["found"], json!([]));
    assert_eq!(told["asks"], json!(["nothing asked for", "EV: the organisation, thoroughly", "nothing asked for"]));
    let by: Vec<_> = edge.api("audit").into_iter().filter(|line| line["object"] == "sites/shop.example").collect();
    let done: Vec<_> = by.iter().map(|line| (line["action"].clone(), line["detail"].clone())).collect();
    assert_eq!(
        done,
        [
            (json!("POST sites/{site}/minimum"), json!("minimum validation ev")),
            (json!("DELETE sites/{site}/minimum"), json!("minimum validation none, as configured"))
        ]
    );
    assert!(by[0]["who"].as_str().expect("text").contains("otto"), "{by:?}");
}

/// A shop and another site, and two certificates for both.
fn start(origin: &Origin) -> Edge {
    let mut setup = Setup::new();
    setup.raw_site(&site(origin, &["shop.example"], ""));
    setup.raw_site(&site(origin, &["other.example"], ""));
    trusted(&mut setup);
    let edge = setup.start();
    eventually("both certificates", || (edge.api("certificates").len() == 2).then_some(()));
    edge
}

/// The older was checked thoroughly; the newer goes before it where nothing is asked for.
fn trusted(setup: &mut Setup) {
    setup.set("certificates", "trusted_roots = [\"certs/ev.crt\", \"certs/dv.crt\"]");
    issue(setup, "ev", EXTENDED, 9);
    issue(setup, "dv", DOMAIN, 1);
}

fn effect(edge: &Edge, query: &str) -> Value {
    let answer = edge.ask_api("GET", &format!("/api/v1/sites/shop.example/minimum{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// What the shop asks for, and what is configured.
fn asks(edge: &Edge) -> Value {
    let told = effect(edge, "");
    json!([told["effective"], told["configured"]])
}

/// Each host, with the levels of what serves it before and behind.
fn levels(effect: &Value) -> Value {
    let of = |list: &Value| -> Value {
        list.as_array().expect("a list").iter().map(|served| served["level"].clone()).collect()
    };
    let hosts = effect["hosts"].as_array().expect("a list").iter();
    hosts.map(|host| json!([host["host"], of(&host["before"]), of(&host["behind"])])).collect()
}

const UNKNOWN: &str = "what was decided about minimum validations is not known here";
