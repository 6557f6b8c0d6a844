//! Who may ask from elsewhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::{Origin, Setup, Talk, run};

#[test]
fn a_token_opens_as_much_as_its_role_says() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let (read, operate, export) =
        (edge.token("look", "read"), edge.token("work", "operate"), edge.token("take", "export"));
    let confirm = "/api/v1/certificates/confirm-withdrawal";
    for (method, path, statuses) in [
        ("GET", "/api/v1/certificates", [200, 200, 200]),
        ("HEAD", "/api/v1/sites", [200, 200, 200]),
        ("GET", "/api/v1/openapi.json", [200, 200, 200]),
        ("GET", "/api/v1/nonsense", [404, 404, 404]),
        // Nothing is held back; who may confirm is told so.
        ("POST", confirm, [403, 409, 403]),
        ("GET", "/api/v1/tokens", [403, 403, 403]),
        ("DELETE", "/api/v1/tokens/x", [403, 403, 403]),
    ] {
        let asked = [&read, &operate, &export].map(|token| {
            let fields = format!("host: localhost\r\nauthorization: bearer {token}\r\ncontent-length: 0");
            let mut talk = Talk::plain(edge.admin);
            talk.send(format!("{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n"));
            if method == "HEAD" { talk.response_to_head().status } else { talk.response().status }
        });
        assert_eq!(asked, statuses, "{method} {path}");
    }
    let refused = edge.ask_with(&read, "POST", confirm).json();
    let detail = refused["detail"].as_str().expect("a detail");
    assert!(detail.contains("a token with the role operate") && detail.contains("\"look\""), "{detail}");
}

#[test]
fn nobody_is_let_in_without_a_token_that_holds() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let token = edge.token("ci", "operate");
    let ask = |fields: &str| {
        Talk::plain(edge.admin).ask(format!("GET /api/v1/sites HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n"))
    };
    let held = format!("authorization: Bearer {token}\r\n");
    assert_eq!(ask(&held).status, 200);
    for fields in [
        String::new(),
        held.replace("vit_", "vit-"),
        held.replace("Bearer", "Basic"),
        format!("{held}{held}"),
        format!("authorization: {token}\r\n"),
        format!("cookie: token={token}\r\n"),
    ] {
        let refused = ask(&fields);
        assert_eq!((refused.status, refused.field("www-authenticate")), (401, Some("Bearer realm=\"vitrine\"")));
        assert!(!refused.text().contains(&token[4..]), "{}", refused.text());
    }
    // A page elsewhere has no use of one either.
    let foreign = ask(&format!("{held}origin: https://evil.example\r\n"));
    assert_eq!((foreign.status, &foreign.json()["code"]), (403, &json!("foreign-request")));
    // Not even through the socket does a wrong one pass for none.
    let mut talk = Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock");
    let refused = talk.ask("GET /api/v1/sites HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer vit_0\r\n\r\n");
    assert_eq!(refused.status, 401);
}

#[test]
fn wrong_tokens_are_slowed_down_and_the_right_one_is_not() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let token = edge.token("ci", "read");
    let statuses: Vec<_> = (0..11).map(|_| edge.ask_with("vit_wrong", "GET", "/api/v1/sites")).collect();
    assert!(statuses[..10].iter().all(|refused| refused.status == 401));
    let last = &statuses[10];
    assert_eq!((last.status, &last.json()["code"]), (429, &json!("too-many-failures")));
    let wait: u64 = last.field("retry-after").and_then(|wait| wait.parse().ok()).expect("a time");
    assert!((1..=7).contains(&wait), "{wait}");
    assert_eq!(edge.ask_with(&token, "GET", "/api/v1/sites").status, 200);
    edge.logged("a token was refused at the admin listener");
}

#[test]
fn the_command_makes_lists_and_revokes_tokens() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let vitrine = |arguments: &[&str]| {
        let output = run(&[arguments, &["--config", "vitrine.toml"]].concat(), &edge.setup);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).trim_end().to_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, token, advice) = vitrine(&["token", "new", "--name", "ci", "--role", "read", "--expires", "90d"]);
    assert_eq!(code, Some(0), "{advice}");
    assert!(token.starts_with("vit_") && advice.contains("not shown again"), "{advice}");
    assert_eq!(edge.ask_with(&token, "GET", "/api/v1/sites").status, 200);

    let (code, _, twice) = vitrine(&["token", "new", "--name", "ci", "--role", "read"]);
    assert!(code == Some(1) && twice.contains("there is a token of the name \"ci\""), "{twice}");
    let (code, _, usage) = vitrine(&["token", "new", "--name", "x", "--role", "admin"]);
    assert!(code == Some(64) && usage.contains("export"), "{usage}");

    let (_, list, _) = vitrine(&["token", "list"]);
    assert!(list.contains("ci") && list.contains("read") && !list.contains(&token[4..]), "{list}");
    let file = fs::read_dir(edge.setup.state().join("tokens")).expect("a folder").next().expect("one").expect("one");
    assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    assert!(!fs::read_to_string(file.path()).expect("a file").contains(&token[4..]));

    let (code, revoked, _) = vitrine(&["token", "revoke", "ci"]);
    assert!(code == Some(0) && revoked.starts_with("revoked: ci ("), "{revoked}");
    assert_eq!(edge.ask_with(&token, "GET", "/api/v1/sites").status, 401);
    assert!(!file.path().exists());
    let (code, _, unknown) = vitrine(&["token", "revoke", "ci"]);
    assert!(code == Some(1) && unknown.contains("there is no token \"ci\""), "{unknown}");
    assert!(edge.log().iter().all(|line| !line.to_string().contains(&token[4..])));
}

#[test]
fn a_token_holds_across_a_restart_and_ends_with_its_time() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let token = edge.token("ci", "read");
    edge.signal(rustix::process::Signal::KILL);
    edge.wait();
    let mut next = Setup::shop(&origin);
    next.set("certificates", &format!("state_directory = {:?}", edge.setup.state()));
    let next = next.start();
    assert_eq!(next.ask_with(&token, "GET", "/api/v1/sites").status, 200);
    for expires in ["2020-01-01T00:00:00Z", "tomorrow", ""] {
        let order = json!({ "name": "brief", "role": "read", "expires": expires });
        let socket = Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock");
        let (order, mut socket) = (order.to_string(), socket);
        let refused = socket.ask(format!(
            "POST /api/v1/tokens HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{order}",
            order.len()
        ));
        assert_eq!(refused.status, 400, "{expires}");
    }
}
