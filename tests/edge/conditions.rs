//! Orders that hold only as long as nothing has changed.

use crate::support::{Edge, Origin, Setup, Talk};

#[test]
fn an_order_for_what_was_changed_meanwhile_is_refused() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let token = edge.token("ci", "read");
    let path = format!("/api/v1/tokens/{}", edge.api("tokens")[0]["id"].as_str().expect("an id"));
    let seen = edge.ask_api("GET", &path).field("etag").expect("a tag").to_owned();
    // It was used, which its owner may want to know before revoking it.
    assert_eq!(edge.ask_with(&token, "GET", "/api/v1/sites").status, 200);
    let refused = ask(&edge, "DELETE", &path, &format!("if-match: {seen}\r\n"));
    assert_eq!((refused.0, refused.1["code"].as_str()), (412, Some("changed-meanwhile")));
    assert_eq!(edge.ask_with(&token, "GET", "/api/v1/sites").status, 200);
    let seen = edge.ask_api("GET", &path).field("etag").expect("a tag").to_owned();
    assert_eq!(ask(&edge, "DELETE", &path, &format!("if-match: W/{seen}\r\n")).0, 412);
    assert_eq!(ask(&edge, "DELETE", &path, &format!("if-match: \"x\", {seen}\r\n")).0, 200);
    assert_eq!(edge.ask_with(&token, "GET", "/api/v1/sites").status, 401);
    // What is gone has no tag.
    assert_eq!(ask(&edge, "DELETE", &path, "if-match: *\r\n").0, 404);
    let confirm = "/api/v1/certificates/confirm-withdrawal";
    assert_eq!(ask(&edge, "POST", confirm, &format!("if-match: {seen}\r\n")).0, 412);
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let list = edge.ask_api("GET", "/api/v1/tokens");
    let seen = list.field("etag").expect("a tag").to_owned();
    let again = || {
        let mut talk = Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock");
        talk.ask(format!("GET /api/v1/tokens HTTP/1.1\r\nhost: localhost\r\nif-none-match: {seen}\r\n\r\n"))
    };
    let known = again();
    assert_eq!((known.status, known.field("etag"), known.text()), (304, Some(&*seen), String::new()));
    edge.token("ci", "read");
    let changed = again();
    assert_eq!((changed.status, changed.field("etag") == Some(&*seen)), (200, false));
}

/// The status and the document.
fn ask(edge: &Edge, method: &str, path: &str, fields: &str) -> (u16, serde_json::Value) {
    let mut talk = Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock");
    let answer = talk.ask(format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{fields}content-length: 0\r\n\r\n"));
    (answer.status, answer.json())
}
