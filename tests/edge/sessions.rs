//! Who signs in at the admin listener, and what a session is good for.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{Browser, Edge, Origin, PASSWORD, Setup, Talk, eventually};

#[test]
fn a_user_does_as_much_as_his_role_says() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut people = [edge.user("rita", "read"), edge.user("otto", "operate"), edge.user("anna", "admin")];
    let confirm = "/api/v1/certificates/confirm-withdrawal";
    for (method, path, statuses) in [
        ("GET", "/api/v1/certificates", [200, 200, 200]),
        ("GET", "/api/v1/session", [200, 200, 200]),
        ("GET", "/api/v1/sessions", [200, 200, 200]),
        // Nothing is held back; who may confirm is told so.
        ("POST", confirm, [403, 409, 409]),
        ("GET", "/api/v1/users", [403, 403, 200]),
        ("GET", "/api/v1/tokens", [403, 403, 200]),
        ("DELETE", "/api/v1/users/0", [403, 403, 404]),
        ("GET", "/api/v1/nonsense", [404, 404, 404]),
    ] {
        let asked: Vec<_> = people.iter_mut().map(|browser| browser.ask(method, path, None).status).collect();
        assert_eq!(asked, statuses, "{method} {path}");
    }
    let refused = people[0].ask("POST", confirm, None).json();
    let detail = refused["detail"].as_str().expect("a detail");
    assert!(detail.contains("role operate or admin") && detail.contains("rita has role read"), "{detail}");
}

#[test]
fn the_cookie_is_for_no_script_and_no_other_site_and_its_secret_is_nowhere_kept() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut anna = edge.user("anna", "admin");
    let answer = anna.sign_in("Anna", PASSWORD);
    let cookie = answer.field("set-cookie").expect("a cookie");
    let secret = anna.cookie.clone().expect("a cookie").strip_prefix("vitrine=").expect("its name").to_owned();
    assert_eq!(cookie, format!("vitrine={secret}; Path=/; HttpOnly; SameSite=Strict"));
    let shown = answer.json();
    assert_eq!((&shown["user"]["name"], &shown["session"]["agent"]), (&json!("anna"), &json!("test/1")));
    assert_eq!(anna.get("/api/v1/sessions").json().as_array().map(Vec::len), Some(1));

    for folder in ["sessions", "users"] {
        for file in fs::read_dir(edge.setup.state().join(folder)).expect("a folder") {
            let file = file.expect("a file");
            let text = fs::read_to_string(file.path()).expect("text");
            assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
            assert!(!text.contains(&secret) && !text.contains(PASSWORD) && !text.contains(&anna.csrf), "{text}");
        }
    }
    let trail = fs::read_to_string(edge.setup.state().join("audit.jsonl")).expect("a trail");
    for told in [trail, edge.log().iter().map(Value::to_string).collect()] {
        assert!(!told.contains(&secret) && !told.contains(PASSWORD) && !told.contains(&anna.csrf), "{told}");
    }
}

#[test]
fn no_change_is_made_without_the_token_of_the_session() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let (anna, ben) = (edge.user("anna", "admin"), edge.user("ben", "admin"));
    let cookie = format!("cookie: {}\r\n", anna.cookie.as_deref().expect("a cookie"));
    let csrf = |token: &str| format!("x-csrf-token: {token}\r\n");
    let confirm = "POST /api/v1/certificates/confirm-withdrawal";
    let status = |line: &str, fields: &str| anna.send(line, fields, "").status;
    assert_eq!(status(confirm, &format!("{cookie}{}", csrf(&anna.csrf))), 409);
    for fields in [
        String::new(),
        csrf(""),
        csrf(&ben.csrf),
        csrf(&anna.csrf).repeat(2),
        csrf(&anna.csrf[1..]),
        "csrf: x\r\n".into(),
    ] {
        let refused = anna.send(confirm, &format!("{cookie}{fields}"), "");
        assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("foreign-request")), "{fields}");
    }
    // What is asked needs none, and what a page elsewhere asks is refused whatever it shows.
    assert_eq!(status("GET /api/v1/sites", &cookie), 200);
    let foreign = format!("{cookie}{}sec-fetch-site: cross-site\r\n", csrf(&anna.csrf));
    assert_eq!(status(confirm, &foreign), 403);
    // A token beside the cookie is what counts, and goes as far as it goes.
    let token = edge.token("look", "read");
    assert_eq!(status(confirm, &format!("{cookie}authorization: Bearer {token}\r\n")), 403);
}

#[test]
fn who_has_signed_out_or_was_signed_out_is_nobody() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut anna = edge.user("anna", "admin");
    let mut elsewhere = Browser::signed_in(&edge, "anna", PASSWORD);
    let mut third = Browser::signed_in(&edge, "anna", PASSWORD);
    let kept = Kept::of(&anna);
    let answer = anna.ask("DELETE", "/api/v1/session", None);
    assert_eq!((answer.status, answer.json()), (200, json!({ "ended": 1 })));
    assert_eq!(anna.cookie, None);
    assert_eq!(kept.status(&anna), 401);
    assert_eq!(elsewhere.get("/api/v1/sites").status, 200);

    let id = third.get("/api/v1/session").json()["session"]["id"].as_str().expect("an id").to_owned();
    let kept = Kept::of(&third);
    assert_eq!(elsewhere.ask("DELETE", &format!("/api/v1/sessions/{id}"), None).status, 200);
    assert_eq!(kept.status(&third), 401);
    assert_eq!(elsewhere.ask("DELETE", &format!("/api/v1/sessions/{id}"), None).status, 404);

    let mut again = Browser::signed_in(&edge, "anna", PASSWORD);
    let kept = [Kept::of(&again), Kept::of(&elsewhere)];
    assert_eq!(again.ask("DELETE", "/api/v1/sessions", None).json(), json!({ "ended": 2 }));
    assert_eq!(kept.map(|kept| kept.status(&again)), [401, 401]);
}

#[test]
fn a_changed_password_ends_all_other_sessions_and_this_one_goes_on_with_another_cookie() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut anna = edge.user("anna", "operate");
    let other = Kept::of(&Browser::signed_in(&edge, "anna", PASSWORD));
    let before = Kept::of(&anna);
    let change = |anna: &mut Browser, current: &str, new: &str| {
        let answer = anna.ask("POST", "/api/v1/session/password", Some(&json!({ "current": current, "new": new })));
        (answer.status, answer.json()["detail"].as_str().unwrap_or_default().to_owned())
    };
    let new = "staple staple staple";
    for (current, wanted, status) in
        [("wrong horse battery", new, 409), (PASSWORD, "hunter2", 400), (PASSWORD, PASSWORD, 400)]
    {
        let (found, detail) = change(&mut anna, current, wanted);
        assert_eq!(found, status, "{detail}");
        assert!(!detail.contains(current) && !detail.contains(wanted), "{detail}");
    }
    assert_eq!(other.status(&anna), 200);
    assert_eq!(change(&mut anna, PASSWORD, new).0, 200);
    assert_eq!([other.status(&anna), before.status(&anna)], [401, 401]);
    assert_eq!(anna.get("/api/v1/sites").status, 200);
    assert_eq!(anna.ask("DELETE", "/api/v1/session", None).status, 200);
    assert_eq!(anna.sign_in("anna", PASSWORD).status, 401);
    assert_eq!(anna.sign_in("anna", new).status, 201);
}

#[test]
fn a_session_outlasts_a_kill_and_ends_with_its_user() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let kept = Kept::of(&edge.user("anna", "admin"));
    edge.signal(rustix::process::Signal::KILL);
    edge.wait();
    let mut next = Setup::shop(&origin);
    next.set("certificates", &format!("state_directory = {:?}", edge.setup.state()));
    let next = next.start();
    let ask = Browser::at(&next);
    assert_eq!(kept.status(&ask), 200);
    let socket = edge.setup.state().join("admin.sock");
    let id = ask.send("GET /api/v1/session", &kept.0, "").json()["user"]["id"].as_str().expect("an id").to_owned();
    let head = format!("DELETE /api/v1/users/{id} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(Talk::unix(&socket).expect("admin.sock").ask(head).status, 200);
    assert_eq!(kept.status(&ask), 401);
}

#[test]
fn guesses_are_slowed_down_and_tell_nothing() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    edge.user("anna", "admin");
    let mut browser = Browser::at(&edge);
    let mut guess = |user: &str| browser.sign_in(user, "wrong horse battery");
    let (known, unknown) = (guess("anna"), guess("nobody"));
    assert_eq!(
        (known.status, known.field("www-authenticate"), known.text()),
        (401, Some("Bearer realm=\"vitrine\""), unknown.text())
    );
    let mut looked_at = 2;
    // The right one has to wait too: else the guesses would go on. What a slow machine forgives meanwhile is guessed again.
    eventually("a right password that has to wait", || {
        let last = loop {
            let answer = guess("anna");
            match answer.status {
                401 => looked_at += 1,
                _ => break answer,
            }
        };
        assert_eq!((last.status, &last.json()["code"]), (429, &json!("too-many-failures")));
        let wait: u64 = last.field("retry-after").and_then(|wait| wait.parse().ok()).expect("a time");
        assert!((1..=7).contains(&wait), "{wait}");
        (Browser::at(&edge).sign_in("anna", PASSWORD).status == 429).then_some(())
    });
    assert!(looked_at >= 10, "{looked_at}");
    // Who comes with a token or through the socket does not.
    let token = edge.token("ci", "read");
    assert_eq!(edge.ask_with(&token, "GET", "/api/v1/sites").status, 200);

    let told = trail(&edge);
    let failed: Vec<_> = told.iter().filter(|line| line["result"] == "refused").collect();
    assert_eq!(failed.len(), looked_at, "what was not looked at is not in the trail: {told:?}");
    assert_eq!(
        ["who", "door", "action", "detail"].map(|name| failed[0][name].as_str().expect("text")),
        ["nobody", "127.0.0.1", "POST session", "wrong password for user \"anna\""]
    );
    assert_eq!(failed[1]["detail"], "wrong password for a user that there is not");
}

#[test]
fn whoever_signs_in_and_out_is_in_the_trail() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut anna = edge.user("anna", "admin");
    let made = anna.ask("POST", "/api/v1/users", Some(&json!({ "name": "ben", "role": "read" }))).json();
    let ben = made["id"].as_str().expect("an id").to_owned();
    anna.ask("PATCH", &format!("/api/v1/users/{ben}"), Some(&json!({ "role": "operate" })));
    anna.ask("DELETE", "/api/v1/session", None);
    let told = trail(&edge);
    let id = told[0]["object"].as_str().expect("an object").trim_start_matches("users/").to_owned();
    let who = format!("user \"anna\" ({id})");
    let lines: Vec<_> =
        told.iter().map(|line| ["who", "action", "detail"].map(|name| line[name].as_str().expect("text"))).collect();
    assert_eq!(
        lines[1..],
        [
            [&who, "POST session", ""],
            [&who, "POST users", "\"ben\", role read"],
            [&who, "PATCH users/{id}", "\"ben\", role operate, was role read"],
            [&who, "DELETE session", "sessions ended: 1"],
        ]
    );
    let one_time = made["one_time_password"].as_str().expect("a password");
    assert!(told.iter().all(|line| !line.to_string().contains(one_time)));
}

fn trail(edge: &Edge) -> Vec<Value> {
    edge.api("audit")
}

/// A cookie that somebody has kept.
struct Kept(String);

impl Kept {
    fn of(browser: &Browser) -> Self {
        Self(format!("cookie: {}\r\n", browser.cookie.as_deref().expect("a cookie")))
    }

    /// What a question is answered with it.
    fn status(&self, browser: &Browser) -> u16 {
        browser.send("GET /api/v1/sites", &self.0, "").status
    }
}
