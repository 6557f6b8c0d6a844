//! What is sent to the operator's door: too much of it, and in the wrong form.

use crate::support::{Origin, Setup, Talk};

#[test]
fn a_huge_upload_gets_its_answer_and_takes_no_memory() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let (token, before) = (edge.token("ci", "operate"), edge.resident());
    let chunk = "x".repeat(1_000_000);
    for (over_network, fields, status) in [
        (false, String::new(), 413),
        (true, format!("authorization: Bearer {token}\r\n"), 403),
        (true, String::new(), 401),
    ] {
        let mut talk = if over_network {
            Talk::plain(edge.admin)
        } else {
            Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock")
        };
        talk.send(format!("POST /api/v1/tokens HTTP/1.1\r\nhost: localhost\r\n{fields}{JSON}"));
        for _ in 0..50 {
            talk.send(&chunk);
        }
        let answer = talk.response();
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        let detail = answer.json()["detail"].as_str().expect("a detail").to_owned();
        assert!(
            status != 413 || detail.ends_with("octets, found more; send what belongs together, and nothing else"),
            "{detail}"
        );
    }
    let grown = edge.resident().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB");
}

#[test]
fn a_client_that_asks_first_is_answered_before_it_sends() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut talk = Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock");
    talk.send(format!("POST /api/v1/tokens HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n{JSON}"));
    assert_eq!(talk.any_response().status, 413);
}

#[test]
fn what_is_in_no_form_that_is_read_is_told() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for (media_type, content, status, code) in [
        ("", "{}", 415, "unsupported-media-type"),
        ("content-type: text/plain\r\n", "{}", 415, "unsupported-media-type"),
        ("content-type: multipart/form-data; boundary=x\r\n", "--x--", 415, "unsupported-media-type"),
        ("content-type: application/json\r\n", "{", 400, "malformed-request"),
        ("content-type: application/json; charset=utf-8\r\n", "{\"name\":\"hunter2\"}", 400, "malformed-request"),
        ("", "", 400, "malformed-request"),
    ] {
        let mut talk = Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock");
        let length = content.len();
        let head = format!("POST /api/v1/tokens HTTP/1.1\r\nhost: localhost\r\n{media_type}content-length: {length}");
        let answer = talk.ask(format!("{head}\r\n\r\n{content}"));
        assert_eq!((answer.status, &answer.json()["code"]), (status, &code.into()), "{}", answer.text());
        assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    }
}

const JSON: &str = "content-type: application/json\r\ncontent-length: 50000000\r\n\r\n";
