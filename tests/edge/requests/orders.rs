//! What is noted down of an order, and what the API makes of forms.

use std::fs;

use serde_json::{Value, json};

use super::{attempt, bare, csr, id, one, only};
use crate::support::{Edge, Origin, Response, Talk, eventually};

#[test]
fn the_validation_file_is_served_at_once_without_a_redirect_and_goes_with_the_request() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    fs::write(edge.setup.folder.path().join("fileauth.txt"), "4711\n").expect("written");
    let (_, said) = csr(
        &edge,
        &[
            "new",
            "--name",
            "shop.example",
            "--provider",
            "Some CA",
            "--number",
            "7",
            "--validation-file",
            "fileauth.txt",
        ],
    );
    let get = || Talk::plain(edge.http()).get("shop.example", "/.well-known/pki-validation/fileauth.txt");
    eventually("the file", || Some(get()).filter(|response| response.status == 200 && response.text() == "4711\n"));
    let request = only(&edge);
    assert_eq!(
        (&request["order"]["provider"], &request["order"]["number"]),
        (&"Some CA".into(), &"7".into()),
        "{said}"
    );
    csr(&edge, &["discard", &id(&request), "--yes"]);
    eventually("no file", || Some(get()).filter(|response| response.status != 200));
}

#[test]
fn company_data_is_as_it_was_last_time_and_that_is_said() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    csr(&edge, &["new", "--name", "a.example", "--o", "A GmbH", "--l", "Bonn", "--c", "DE"]);
    let newest = || edge.api("requests").into_iter().find(|one| one["request"]["names"][0] != "a.example");
    let (_, said) = csr(&edge, &["new", "--name", "b.example", "--l", "Berlin"]);
    assert!(said.contains("organisation \"A GmbH\", country \"DE\"; --blank leaves it out"), "{said}");
    let form = &newest().expect("a request")["request"];
    assert_eq!(
        (&form["organisation"], &form["locality"], &form["country"]),
        (&"A GmbH".into(), &"Berlin".into(), &"DE".into())
    );
    let (_, said) = csr(&edge, &["new", "--name", "c.example", "--blank"]);
    assert!(!said.contains("A GmbH"), "{said}");
    let out = edge.setup.folder.path().join("d.csr");
    let (told, _) = csr(&edge, &["new", "--name", "d.example", "--out", out.to_str().expect("a path")]);
    assert!(told.contains("the request is in"), "{told}");
    assert!(fs::read_to_string(out).expect("written").starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
}

#[test]
fn all_mistakes_of_a_form_are_told_at_once_and_nothing_is_made() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let form = json!({ "request": { "country": "GER", "names": ["10.0.0.1"], "organisation": "x".repeat(65) },
                       "order": { "approver": "nobody" } });
    let answer = edge.order_api("POST", "/api/v1/requests", &form);
    assert_eq!(answer.status, 400);
    let problem = answer.json();
    let fields: Vec<&str> =
        problem["mistakes"].as_array().expect("mistakes").iter().filter_map(|one| one["field"].as_str()).collect();
    assert_eq!(fields, ["organisation", "country", "names", "order.approver"]);
    let site = edge.order_api("POST", "/api/v1/requests", &json!({ "request": { "sites": ["other.example"] } }));
    assert_eq!((site.status, site.text().contains("expected names of configured sites")), (400, true));
    assert!(edge.api("requests").is_empty());
    let refused = attempt(&edge, &["new", "--name", "a.example", "--c", "GER"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("country: the two letters of ISO 3166-1 are expected"));
}

#[test]
fn a_change_is_refused_to_whoever_looked_at_something_else() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    csr(&edge, &["new", "--name", "shop.example", "--provider", "Some CA", "--note", "first"]);
    let id = id(&only(&edge));
    let path = format!("/api/v1/requests/{id}");
    let tag = edge.ask_api("GET", &path).field("etag").expect("an ETag").to_owned();
    let change = json!({ "order": { "number": "7", "note": null, "reminder": { "date": "2020-01-31" } } });
    assert_eq!(patch(&edge, &path, None, &change).status, 428);
    let changed = patch(&edge, &path, Some(&tag), &change);
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(
        changed.json()["order"],
        json!({ "provider": "Some CA", "number": "7", "reminder": { "date": "2020-01-31" } })
    );
    assert_eq!(patch(&edge, &path, Some(&tag), &json!({ "order": { "number": "8" } })).status, 412);
    assert_eq!(one(&edge, &id)["order"]["number"], "7");

    // That day is over.
    let alarm =
        eventually("a reminder", || edge.api("alarms").into_iter().find(|one| one["code"] == "request-reminder"));
    assert!(alarm["message"].as_str().expect("words").contains(&id), "{alarm}");
    let (told, _) = csr(&edge, &["note", &id, "--remind", "", "--period", "1 year"]);
    assert!(told.starts_with(&format!("noted for {id}: ")), "{told}");
    eventually("no alarm", || edge.api("alarms").is_empty().then_some(()));
}

#[test]
fn a_token_to_look_makes_no_request_and_sees_no_key() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let (pem, _) = csr(&edge, &["new", "--name", "shop.example"]);
    let id = id(&only(&edge));
    let token = edge.token("looker", "read");
    let file = edge.ask_with(&token, "GET", &format!("/api/v1/requests/{id}/request.pem"));
    assert_eq!((file.status, file.field("content-type")), (200, Some("application/pkcs10")));
    assert_eq!(file.text().trim_end(), pem);
    let whole = edge.ask_with(&token, "GET", &format!("/api/v1/requests/{id}"));
    assert!(!whole.text().contains("PRIVATE KEY"));
    assert_eq!(edge.ask_with(&token, "GET", &format!("/api/v1/requests/{id}/key.pem")).status, 404);
    for (method, path) in [("POST", ""), ("DELETE", "/x?confirm=x"), ("POST", "/x/renew"), ("POST", "/x/complete")] {
        assert_eq!(edge.ask_with(&token, method, &format!("/api/v1/requests{path}")).status, 403, "{method} {path}");
    }
}

fn patch(edge: &Edge, path: &str, tag: Option<&str>, change: &Value) -> Response {
    let mut talk = Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock");
    let tag = tag.map(|tag| format!("if-match: {tag}\r\n")).unwrap_or_default();
    let change = change.to_string();
    let fields = format!("host: localhost\r\ncontent-type: application/json\r\n{tag}content-length: {}", change.len());
    talk.ask(format!("PATCH {path} HTTP/1.1\r\n{fields}\r\n\r\n{change}"))
}
