//! Users and organisations, looked after at the panel and with the command line.

use serde_json::{Value, json};

use crate::support::command::{done, refused, vitrine};
use crate::support::{self, Browser, Edge, Origin, PASSWORD, Setup};

fn start(origin: &Origin) -> Edge {
    let mut setup = Setup::shop(origin);
    setup.site(&["other.example"], &[origin]);
    setup.start()
}

#[test]
fn somebody_with_the_role_admin_looks_after_people_in_a_browser() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    edge.user("anna", "admin");
    let told = journey(&edge, "office", &json!({ "user": "anna", "password": PASSWORD }));
    assert_eq!((&told["found"], &told["refused"]), (&json!([]), &json!([])));
    // With the password that was shown once, Ben chooses his own.
    let mut ben = Browser::signed_in(&edge, "ben", told["oneTime"].as_str().expect("a password"));
    let change = json!({ "current": told["oneTime"], "new": "staple staple staple" });
    assert_eq!(ben.ask("POST", "/api/v1/session/password", Some(&change)).status, 200);
    let names =
        |list: Value| list.as_array().expect("a list").iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(ben.get("/api/v1/sites").json()), ["shop.example"]);
    let ours = &edge.api("organisations")[0];
    assert_eq!((&ours["name"], &ours["company"]["country"]), (&json!("Shop AG"), &json!("CH")));
    assert_eq!(ours["contacts"], json!([{ "name": "Anna", "mail": "anna@shop.example", "phone": "+41 1" }]));
    assert_eq!(names(json!(edge.api("users"))), ["anna", "ben"]);
}

#[test]
fn what_somebody_may_not_do_is_not_offered() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let made = edge.order_api("POST", "/api/v1/organisations", &json!({ "name": "Shop", "sites": ["shop.example"] }));
    let ours = made.json()["id"].as_str().expect("an id").to_owned();
    let foreign =
        edge.order_api("POST", "/api/v1/organisations", &json!({ "name": "Other", "sites": ["other.example"] }));
    let foreign = foreign.json()["id"].as_str().expect("an id").to_owned();
    let order = json!({ "name": "otto", "organisations": { &ours: "operate" }, "password": PASSWORD });
    assert_eq!(edge.order_api("POST", "/api/v1/users", &order).status, 201);
    let mut otto = Browser::signed_in(&edge, "otto", PASSWORD);
    let mut rita = edge.user("rita", "read");
    for browser in [&mut otto, &mut rita] {
        let list = browser.open("/organisations").text();
        assert!(list.contains("Shop") && !list.contains("action=\"/organisations"), "{list}");
        assert!(!list.contains("href=\"/users\""), "{list}");
        let one = browser.open(&format!("/organisations/{ours}"));
        assert!(one.status == 200 && !one.text().contains("action=\"/organisations"), "{}", one.text());
        let csrf = browser.csrf.clone();
        assert_eq!(browser.open("/users").status, 403);
        let form = [("csrf", &*csrf), ("name", "eve"), ("role", "admin"), ("organisation", "")];
        assert_eq!(browser.submit("/users", &form).status, 403);
        assert_eq!(browser.submit(&format!("/organisations/{ours}/remove"), &[("csrf", &csrf)]).status, 403);
    }
    assert!(!otto.open("/organisations").text().contains("Other"));
    assert_eq!(otto.open(&format!("/organisations/{foreign}")).status, 404);
    // Who belongs to several loses none by a form that has room for one.
    let both = json!({ "name": "sven", "organisations": { &ours: "read", &foreign: "operate" }, "password": PASSWORD });
    assert_eq!(edge.order_api("POST", "/api/v1/users", &both).status, 201);
    // The last who may say who may do what stays.
    let mut anna = edge.user("anna", "admin");
    let id = anna.get("/api/v1/session").json()["user"]["id"].as_str().expect("an id").to_owned();
    let users = anna.open("/users").text();
    let sven = edge.api("users").into_iter().find(|user| user["name"] == "sven").expect("a user");
    let form = |user: &str| format!("action=\"/users/{user}/role\"");
    assert!(users.contains(&form(&id)) && !users.contains(&form(sven["id"].as_str().expect("an id"))), "{users}");
    // At the user's own page there is room for all of them.
    let place = format!("/users/{}", sven["id"].as_str().expect("an id"));
    let page = anna.open(&place).text();
    for chosen in [format!("value=\"{ours}:read\" selected"), format!("value=\"{foreign}:operate\" selected")] {
        assert!(page.contains(&chosen), "{chosen}: {page}");
    }
    let csrf = anna.csrf.clone();
    let (one, other) = (format!("{ours}:operate"), format!("{foreign}:operate"));
    let both = [("csrf", &*csrf), ("role", ""), ("grant", &one), ("grant", &other)];
    assert_eq!(anna.submit(&place, &both).status, 303);
    let may = |edge: &Edge| {
        let user = edge.api("users").into_iter().find(|user| user["name"] == "sven").expect("a user");
        (user["role"].clone(), user["organisations"].clone())
    };
    assert_eq!(may(&edge), (json!(null), json!({ &ours: "operate", &foreign: "operate" })));
    // Neither both at once nor nothing at all.
    for form in [&[("csrf", &*csrf), ("role", "read"), ("grant", &one)][..], &[("csrf", &csrf), ("grant", "")]] {
        let told = anna.submit(&place, form);
        assert!(told.status == 400 && told.text().contains("expected a role for the edge"), "{}", told.text());
    }
    let kept = anna.submit(&format!("/users/{id}/remove"), &[("csrf", &csrf)]);
    assert!(kept.status == 409 && kept.text().contains("nobody else has the role admin"), "{}", kept.text());
}

#[test]
fn the_command_line_looks_after_organisations() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    assert!(done(vitrine(&edge, "organisations list")).contains("vitrine organisations add"));
    let added = done(vitrine(
        &edge,
        "organisations add Shop --site shop.example --company Shop_GmbH --country DE --contact Anna;a@b.example",
    ));
    assert!(added.starts_with("added: Shop ("), "{added}");
    assert!(refused(vitrine(&edge, "organisations add Shop")).contains("of that name"));
    assert!(refused(vitrine(&edge, "organisations assign Shop slip.example")).contains("slip.example"));
    let assigned = done(vitrine(&edge, "organisations assign shop other.example"));
    assert!(assigned.contains("sites: other.example, shop.example"), "{assigned}");
    let changed = done(vitrine(&edge, "organisations change Shop --locality Bonn --name Laden"));
    assert!(
        changed.contains("company: Shop_GmbH, Bonn, DE") && changed.contains("contact: Anna; a@b.example"),
        "{changed}"
    );
    assert!(refused(vitrine(&edge, "organisations release Laden slip.example")).contains("slip.example"));
    done(vitrine(&edge, "organisations release Laden other.example"));
    let shown = done(vitrine(&edge, "organisations show Laden"));
    assert!(shown.contains("sites: shop.example"), "{shown}");
    assert!(done(vitrine(&edge, "organisations list")).contains("Laden"));
    assert!(done(vitrine(&edge, "organisations remove Laden")).starts_with("removed: Laden"));
    assert!(refused(vitrine(&edge, "organisations show Laden")).contains("there is no organisation"));
}

/// Goes on a journey of who looks after people.
fn journey(edge: &Edge, name: &str, told: &Value) -> Value {
    support::journey("office.mjs", &edge.admin.to_string(), name, told)
}
