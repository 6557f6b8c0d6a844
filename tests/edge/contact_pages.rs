//! Who is told, changed at the panel.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::command::{done, vitrine};
use crate::support::{Edge, Origin, PASSWORD, Setup, journey, page_in};

#[test]
fn a_contact_is_changed_without_a_script_and_a_slip_is_told_beside_the_form() {
    let edge = start();
    let id = make(&edge, &json!({ "name": "Anna", "mail": "anna@shop.example", "language": "en" }));
    edge.user("otto", "operate");
    let told = json!({
        "who": { "user": "otto", "password": PASSWORD }, "name": "Anna", "renamed": "Anna <i>B.</i>",
        "wrong": "nobody", "mail": "anna.b@shop.example",
    });
    let told = journey("contacts.mjs", &edge.over_network(), "change", &told);
    assert_eq!((&told["found"], &told["language"]), (&json!([]), &json!("en")));
    assert!(told["trouble"].as_str().expect("text").contains("mail"), "{told}");
    let row = told["row"].as_str().expect("text");
    assert!(row.starts_with("Anna <i>B.</i> anna.b@shop.example "), "{row}");
    // In words, as a reader of the page has them.
    assert!(row.contains("a certificate has ended") && row.contains("clients are shown another certificate"), "{row}");
    let changed = contact(&edge, &id);
    assert_eq!(
        (&changed["mail"], &changed["language"], &changed["events"]),
        (&json!("anna.b@shop.example"), &json!("de"), &json!(["expired", "mismatch"]))
    );
    let lines: Vec<_> = edge.api("audit").into_iter().filter(|line| line["action"] == "PATCH contacts/{id}").collect();
    assert_eq!(lines.iter().filter(|line| line["result"] == "done").count(), 1, "{lines:?}");
    assert!(lines[0]["who"].as_str().expect("text").contains("otto"), "{lines:?}");
}

#[test]
fn what_is_left_empty_of_a_webhook_stays_and_its_secret_is_never_shown() {
    let edge = start();
    let url = "https://hooks.example/services/T0SECRET";
    let hook = json!({ "url": url, "format": "json", "secret": "quite-unguessable-4711" });
    let id = make(&edge, &json!({ "name": "chat", "webhook": hook, "events": ["expired"] }));
    let mut user = edge.user("otto", "operate");
    let place = format!("/contacts/{id}");
    let page = user.open(&place);
    assert_eq!(page.status, 200, "{}", page.text());
    for secret in ["T0SECRET", "quite-unguessable"] {
        assert!(!page.text().contains(secret), "{}", page.text());
    }
    let token = user.csrf.clone();
    let form =
        [("csrf", &*token), ("name", "chat"), ("url", ""), ("format", "slack"), ("secret", ""), ("language", "de")];
    let answer = user.submit(&place, &form);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let expected = json!({ "address": "https://hooks.example", "format": "slack", "signed": true });
    let changed = contact(&edge, &id);
    // No event that is chosen asks for all.
    assert_eq!((&changed["webhook"], &changed["events"]), (&expected, &Value::Null));
    // Without the token nothing is changed.
    let forged = [("name", "forged"), ("format", "json"), ("language", "de")];
    assert_eq!(user.submit(&place, &forged).status, 403);
    assert_eq!(contact(&edge, &id)["name"], "chat");
}

#[test]
fn what_stands_in_the_configuration_is_changed_there_and_readers_change_nothing() {
    let edge = start();
    let id = make(&edge, &json!({ "name": "Anna", "mail": "anna@shop.example" }));
    let mut operator = edge.user("otto", "operate");
    assert_eq!(operator.open("/contacts/config:ops").status, 409);
    assert_eq!(operator.open("/contacts/nobody").status, 404);
    let list = operator.open("/contacts").text();
    assert!(list.contains(&format!("href=\"/contacts/{id}\"")) && !list.contains("href=\"/contacts/config"), "{list}");
    let mut reader = edge.user("rita", "read");
    assert_eq!(reader.open(&format!("/contacts/{id}")).status, 403);
    assert!(!reader.open("/contacts").text().contains(&format!("href=\"/contacts/{id}\"")));
}

#[test]
fn of_what_a_contact_is_told_is_changed_wherever_it_is() {
    let edge = start();
    let made = edge.order_api("POST", "/api/v1/organisations", &json!({ "name": "Otto & Co" }));
    let organisation = made.json()["id"].as_str().expect("an id").to_owned();
    let id = make(&edge, &json!({ "name": "Anna", "mail": "anna@shop.example" }));
    let told_of = |expected: (&Value, &Value)| {
        let contact = contact(&edge, &id);
        assert_eq!((&contact["site"], &contact["organisation"]), expected, "{contact}");
    };
    let [none, site, owner] = [Value::Null, json!("shop.example"), json!(organisation)];
    // At its page: of a site, of an organisation, and of everything again.
    let mut user = edge.user("otto", "operate");
    let place = format!("/contacts/{id}");
    let page = user.open(&place).text();
    assert!(page.contains(&format!("<option value=\"{organisation}\">Otto &#38; Co</option>")), "{page}");
    let mut submit = |site: &str, organisation: &str| {
        let token = user.csrf.clone();
        let form = [
            ("csrf", &*token),
            ("name", "Anna"),
            ("site", site),
            ("organisation", organisation),
            ("mail", "anna@shop.example"),
            ("language", "en"),
        ];
        user.submit(&place, &form)
    };
    for (fields, expected) in [
        (("shop.example", ""), (&site, &none)),
        (("", organisation.as_str()), (&none, &owner)),
        (("", ""), (&none, &none)),
    ] {
        let answer = submit(fields.0, fields.1);
        assert_eq!(answer.status, 303, "{}", answer.text());
        told_of(expected);
    }
    for (site, organisation, trouble) in [
        ("shop.example", organisation.as_str(), "expected a site or an organisation, found both"),
        ("none.example", "", "there is no site"),
        ("", "0a0a0a0a0a0a", "there is none of the id"),
    ] {
        let answer = submit(site, organisation);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(trouble), "{trouble}: {}", answer.text());
        told_of((&none, &none));
    }
    // By the command line.
    assert_eq!(done(vitrine(&edge, "contacts scope Anna --site shop.example")), "Anna: told of site shop.example\n");
    told_of((&site, &none));
    let given = done(vitrine(&edge, &format!("contacts scope Anna --organisation {organisation}")));
    assert_eq!(given, format!("Anna: told of organisation {organisation}\n"));
    told_of((&none, &owner));
    // By the API: what is left out stays, null takes away its own, and what is named takes the other's place.
    for (order, expected) in [
        (json!({ "name": "Anna" }), (&none, &owner)),
        (json!({ "site": null }), (&none, &owner)),
        (json!({ "site": "shop.example" }), (&site, &none)),
        (json!({ "organisation": null }), (&site, &none)),
        (json!({ "site": null }), (&none, &none)),
        (json!({ "organisation": organisation }), (&none, &owner)),
    ] {
        let answer = user.ask("PATCH", &format!("/api/v1/contacts/{id}"), Some(&order));
        assert_eq!(answer.status, 200, "{order}: {}", answer.text());
        told_of(expected);
    }
    // Its organisation stays as long as it is told of it, whoever takes it away.
    let remove = format!("/api/v1/organisations/{organisation}");
    let kept = edge.ask_api("DELETE", &remove);
    assert_eq!((kept.status, kept.json()["code"].as_str()), (409, Some("conflict")), "{}", kept.text());
    assert!(kept.text().contains("these contacts are told of its sites: Anna; remove them"), "{}", kept.text());
    let refused = edge.api("audit").pop().expect("a line");
    assert_eq!(
        (&refused["object"], &refused["result"], &refused["why"]),
        (
            &json!(format!("organisations/{organisation}")),
            &json!("refused"),
            &json!({ "code": "contacts-told", "details": "Anna" })
        )
    );
    let page = page_in(&edge, "de", "/audit").text();
    assert!(page.contains("Diese Kontakte werden zu ihren Sites benachrichtigt: Anna;"), "{page}");
    assert_eq!(edge.api("organisations").len(), 1);
    // The page of one whose organisation is gone all the same does not make more of it by the way.
    let setup = edge.end(Signal::TERM);
    std::fs::remove_file(setup.state().join(format!("organisations/{organisation}.json"))).expect("there");
    let edge = setup.start();
    let page = page_in(&edge, "en", &place).text();
    assert!(page.contains(&format!("<option value=\"{organisation}\" selected>{organisation}</option>")), "{page}");
}

fn start() -> Edge {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("reports", "daily = \"off\"");
    setup.raw_site("[[notices.contact]]\nname = \"ops\"\nmail = \"ops@shop.example\"\nevents = [\"issued\"]\n");
    setup.start()
}

fn make(edge: &Edge, order: &Value) -> String {
    let made = edge.order_api("POST", "/api/v1/contacts", order);
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_str().expect("an id").to_owned()
}

fn contact(edge: &Edge, id: &str) -> Value {
    edge.ask_api("GET", &format!("/api/v1/contacts/{id}")).json()
}
