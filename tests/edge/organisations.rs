//! Whoever has a role for an organisation sees and changes what is that organisation's, on every route, and nothing else.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Browser, Edge, Issued, Origin, PASSWORD, Setup, authority, eventually};

/// An edge with a site of ours, one of theirs and one of nobody's.
struct Houses {
    edge: Edge,
    ours: String,
    theirs: String,
}

impl Houses {
    fn start() -> Self {
        let origin = Origin::saying("hello");
        let mut setup = Setup::new();
        let names = ["ours.example", "theirs.example", "nobodys.example"];
        for name in names {
            setup.site(&[name], &[&origin]).certificate(name, &authority().issue(&[name]));
        }
        let both: Issued = authority().issue(&["ours.example", "theirs.example"]);
        setup.certificate("both", &both);
        let edge = setup.start();
        eventually("all certificates", || (edge.api("certificates").len() == 4).then_some(()));
        let organise = |name: &str, site: &str| {
            let company = json!({ "organisation": "Ours GmbH", "locality": "Berlin", "country": "de" });
            let contacts = json!([{ "name": "Anna", "mail": "anna@ours.example", "phone": "+49 30 1" }]);
            let order = json!({ "name": name, "company": company, "contacts": contacts, "sites": [site] });
            let made = edge.order_api("POST", "/api/v1/organisations", &order);
            assert_eq!(made.status, 201, "{}", made.text());
            made.json()["id"].as_str().expect("an id").to_owned()
        };
        let (ours, theirs) = (organise("Ours", "ours.example"), organise("Theirs", "theirs.example"));
        Self { edge, ours, theirs }
    }

    fn user(&self, name: &str, role: &str) -> Browser {
        let order = json!({ "name": name, "organisations": { &self.ours: role }, "password": PASSWORD });
        let made = self.edge.order_api("POST", "/api/v1/users", &order);
        assert_eq!(made.status, 201, "{}", made.text());
        Browser::signed_in(&self.edge, name, PASSWORD)
    }

    /// The fingerprint of the certificate with these names.
    fn certificate(&self, names: &[&str]) -> String {
        let list = self.edge.api("certificates");
        let found = list.iter().find(|one| one["names"] == json!(names)).expect("a certificate");
        found["fingerprint"].as_str().expect("a fingerprint").to_owned()
    }

    fn request(&self, site: &str) -> String {
        let made = self.edge.order_api("POST", "/api/v1/requests", &json!({ "request": { "sites": [site] } }));
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["id"].as_str().expect("an id").to_owned()
    }
}

#[test]
fn what_is_foreign_is_not_there_on_any_route() {
    let houses = Houses::start();
    let mut otto = houses.user("otto", "operate");
    let (foreign, request) = (houses.certificate(&["theirs.example"]), houses.request("theirs.example"));
    let document = houses.edge.ask_api("GET", "/api/v1/openapi.json").json();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let realm = operation["x-vitrine-realm"].as_str().expect("a realm");
            *seen.entry(realm.to_owned()).or_default() += 1;
            let value = |name: &str| match (realm, name) {
                ("site" | "host", _) => "theirs.example",
                ("certificate", _) => &foreign,
                ("request", _) => &request,
                ("organisation", _) => &houses.theirs,
                _ => "x",
            };
            let named =
                path.split('/').map(|part| match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => value(name).to_owned(),
                    None => part.to_owned(),
                });
            let target = format!("/api/v1{}", named.collect::<Vec<_>>().join("/"));
            let method = method.to_ascii_uppercase();
            if realm == "open" || realm == "sent" {
                continue;
            }
            let answer = otto.ask(&method, &target, None);
            let place = format!("{method} {target}: {} {}", answer.status, answer.text());
            match realm {
                "edge" => assert_eq!(answer.status, 403, "{place}"),
                "list" => {
                    assert_eq!(answer.status, 200, "{place}");
                    for other in [&*foreign, &*request, &*houses.theirs, "nobodys"] {
                        assert!(!answer.text().contains(other), "{other}: {place}");
                    }
                }
                "part" => {
                    assert!(matches!(answer.status, 200 | 404), "{place}");
                    for other in ["theirs", &*houses.theirs, "nobodys"] {
                        assert!(!answer.text().contains(other), "{other}: {place}");
                    }
                }
                "explanation" => {
                    let ask = |host: &str| format!("{target}?url=https://{host}/");
                    let answers = ["ours.example", "theirs.example", "nowhere.example"];
                    assert_eq!(answers.map(|host| otto.get(&ask(host)).status), [200, 404, 404], "{place}");
                }
                _ => assert_eq!(answer.status, 404, "{place}"),
            }
            // What there is not is answered alike.
            if let Some(real) =
                [&*foreign, &*request, "theirs.example", &*houses.theirs].iter().find(|id| target.contains(**id))
            {
                let other = otto.ask(&method, &target.replace(real, &"0".repeat(real.len())), None);
                assert_eq!((other.status, other.text()), (answer.status, answer.text()), "{place}");
            }
        }
    }
    for realm in
        ["edge", "site", "certificate", "request", "object", "organisation", "hidden", "host", "part", "list", "sent"]
    {
        assert!(seen.contains_key(realm), "{realm}: {seen:?}");
    }
}

#[test]
fn ones_own_is_seen_and_changed_as_the_role_says() {
    let houses = Houses::start();
    let (mut rita, mut otto) = (houses.user("rita", "read"), houses.user("otto", "operate"));
    let names = |browser: &mut Browser, resource: &str, field: &str| {
        let list = browser.get(&format!("/api/v1/{resource}")).json();
        let list = list.as_array().expect("a list").clone();
        list.iter().map(|one| one[field].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(names(&mut rita, "sites", "name"), ["ours.example"]);
    assert_eq!(names(&mut rita, "organisations", "name"), ["Ours"]);
    let mut own = names(&mut rita, "certificates", "names");
    own.sort_by_key(Value::to_string);
    assert_eq!(own, [json!(["ours.example", "theirs.example"]), json!(["ours.example"])]);
    let part = rita.get("/api/v1/certificates?offset=1&limit=1");
    assert_eq!((part.json().as_array().map(Vec::len), part.field("x-total-count")), (Some(1), Some("2")));

    let (mine, both) = (houses.certificate(&["ours.example"]), houses.certificate(&["ours.example", "theirs.example"]));
    let shared = otto.get(&format!("/api/v1/certificates/{both}"));
    assert_eq!(shared.status, 200);
    assert!(!shared.json()["sites"].to_string().contains("theirs"), "{}", shared.text());
    // What is for others' sites too is changed by the edge's admin alone.
    assert_eq!(otto.ask("DELETE", &format!("/api/v1/certificates/{both}"), None).status, 403);
    assert_eq!(rita.ask("DELETE", &format!("/api/v1/certificates/{mine}"), None).status, 403);
    assert_eq!(otto.ask("POST", &format!("/api/v1/certificates/{mine}/rollback"), None).status, 200);
    assert_eq!(otto.ask("POST", &format!("/api/v1/certificates/{mine}/export"), None).status, 403);

    // Beside one's own nothing else is told of what is wanted otherwise.
    assert_eq!(houses.edge.order_api("POST", "/api/v1/denied", &json!({ "network": "192.0.2.0/24" })).status, 200);
    let on = json!({ "state": "on" });
    assert_eq!(houses.edge.order_api("POST", "/api/v1/sites/theirs.example/maintenance", &on).status, 200);
    let levers = otto.ask("POST", "/api/v1/sites/ours.example/maintenance", Some(&on));
    assert!(levers.status == 200 && levers.text().contains("ours.example"), "{}", levers.text());
    assert!(!levers.text().contains("theirs") && !levers.text().contains("192.0.2"), "{}", levers.text());

    let choose = json!({ "certificate": "uploaded" });
    let choice = "/api/v1/sites/ours.example/choice";
    assert_eq!(rita.ask("POST", choice, Some(&choose)).status, 403);
    assert_eq!(otto.ask("POST", choice, Some(&choose)).status, 200);
    assert_eq!(otto.ask("POST", "/api/v1/sites/theirs.example/choice", Some(&choose)).status, 404);

    let make = |sites: Value| json!({ "request": { "sites": sites } });
    let made = otto.ask("POST", "/api/v1/requests", Some(&make(json!(["ours.example"]))));
    assert_eq!(made.status, 201, "{}", made.text());
    // The company's data stand in it.
    let draft = made.json()["request"].clone();
    assert_eq!((&draft["organisation"], &draft["country"]), (&json!("Ours GmbH"), &json!("DE")));
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    for sites in [json!(["theirs.example"]), json!(["ours.example", "theirs.example"]), json!([])] {
        let refused = otto.ask("POST", "/api/v1/requests", Some(&make(sites)));
        assert!([400, 403].contains(&refused.status), "{}", refused.text());
    }
    let named = json!({ "request": { "sites": ["ours.example"], "names": ["theirs.example"] } });
    assert_eq!(otto.ask("POST", "/api/v1/requests", Some(&named)).status, 403);
    let amended = otto.ask("PATCH", &format!("/api/v1/requests/{id}"), Some(&json!({ "sites": ["theirs.example"] })));
    assert_eq!(amended.status, 403, "{}", amended.text());
    assert_eq!(names(&mut rita, "requests", "id"), [json!(id)]);
}

#[test]
fn a_token_for_an_organisation_brings_certificates_for_its_sites_alone() {
    let houses = Houses::start();
    let order = json!({ "name": "ours", "role": "operate", "organisations": [houses.ours] });
    let made = houses.edge.order_api("POST", "/api/v1/tokens", &order);
    let token = made.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(houses.edge.ask_with(&token, "GET", "/api/v1/sites").json().as_array().map(Vec::len), Some(1));
    assert_eq!(houses.edge.ask_with(&token, "GET", "/api/v1/upstreams").status, 403);
    let upload = |issued: &Issued| {
        let head = "content-disposition: form-data; name=\"file\"; filename=\"a.pem\"";
        let content = format!("--limit\r\n{head}\r\n\r\n{}\r\n--limit--\r\n", issued.both());
        let fields = format!("authorization: Bearer {token}\r\ncontent-type: multipart/form-data; boundary=limit\r\n");
        Browser::at(&houses.edge).send("POST /api/v1/certificates", &fields, &content).status
    };
    assert_eq!(upload(&authority().issue(&["ours.example", "www.ours.example"])), 200);
    for names in [&["theirs.example"][..], &["ours.example", "theirs.example"], &["nowhere.example"]] {
        assert_eq!(upload(&authority().issue(names)), 403, "{names:?}");
    }
    let export = json!({ "name": "out", "role": "export", "organisations": [houses.ours] });
    assert_eq!(houses.edge.order_api("POST", "/api/v1/tokens", &export).status, 400);
}

#[test]
fn a_site_has_one_owner_and_an_organisation_is_changed_by_who_has_a_role_for_the_edge() {
    let houses = Houses::start();
    let path = format!("/api/v1/organisations/{}", houses.ours);
    let mut otto = houses.user("otto", "operate");
    let order = json!({ "sites": ["ours.example", "nobodys.example"] });
    assert_eq!(otto.ask("PATCH", &path, Some(&order)).status, 403);
    let mut anna = houses.edge.user("anna", "admin");
    let taken = anna.ask("PATCH", &path, Some(&json!({ "sites": ["theirs.example"] })));
    assert_eq!(taken.status, 409, "{}", taken.text());
    assert_eq!(anna.ask("PATCH", &path, Some(&json!({ "sites": ["slip.example"] }))).status, 400);
    let changed = anna.ask("PATCH", &path, Some(&order));
    assert_eq!((changed.status, &changed.json()["name"]), (200, &json!("Ours")), "{}", changed.text());
    assert_eq!(otto.get("/api/v1/sites").json().as_array().map(Vec::len), Some(2));
    for (role, organisations) in [
        (json!("read"), json!({ &houses.ours: "read" })),
        (Value::Null, json!({})),
        (Value::Null, json!({ &houses.ours: "admin" })),
        (Value::Null, json!({ "nobody": "read" })),
    ] {
        let order = json!({ "name": "eve", "role": role, "organisations": organisations, "password": PASSWORD });
        let refused = anna.ask("POST", "/api/v1/users", Some(&order));
        assert_eq!(refused.status, 400, "{}", refused.text());
    }
    let order = json!({ "name": "ours", "role": "operate", "organisations": [houses.ours] });
    let made = houses.edge.order_api("POST", "/api/v1/tokens", &order);
    let token = made.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(anna.ask("DELETE", &path, None).status, 200);
    assert_eq!(otto.get("/api/v1/sites").json(), json!([]));
    assert_eq!(houses.edge.ask_with(&token, "GET", "/api/v1/sites").json(), json!([]));
    assert_eq!(houses.edge.ask_with(&token, "GET", "/api/v1/sites/ours.example").status, 404);
}
