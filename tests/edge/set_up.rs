//! The first user, and the way back in.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::{Browser, Edge, Origin, PASSWORD, Setup, Talk, run};

fn token(edge: &Edge) -> String {
    let line = edge.logged("nobody can sign in yet");
    let file = line["file"].as_str().expect("a path");
    let path = edge.setup.folder.path().join(file);
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    fs::read_to_string(path).expect("the token").trim().to_owned()
}

#[test]
fn whoever_reads_the_token_makes_the_first_user_and_nobody_makes_another() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let token = token(&edge);
    let mut browser = Browser::at(&edge);
    assert!(browser.get("/api/v1/setup").json()["until"].is_string());
    let order = |token: &str, password: &str| json!({ "token": token, "name": "Anna", "password": password });
    let mut ask = |token: &str, password: &str| {
        let answer = browser.ask("POST", "/api/v1/setup", Some(&order(token, password)));
        assert!(!answer.text().contains(&token[..8]) && !answer.text().contains(password), "{}", answer.text());
        answer.status
    };
    assert_eq!(ask(&"0".repeat(64), PASSWORD), 401);
    assert_eq!(ask(&token, "hunter2"), 400);
    assert_eq!(ask(&token, PASSWORD), 201);
    assert_eq!(browser.get("/api/v1/users").json()[0]["role"], "admin");
    // It is over.
    let mut other = Browser::at(&edge);
    assert_eq!(other.get("/api/v1/setup").status, 404);
    assert_eq!(other.ask("POST", "/api/v1/setup", Some(&order(&token, PASSWORD))).status, 404);
    assert!(!edge.setup.state().join("setup.token").exists());
    let told = edge.api("audit");
    assert!(told.iter().all(|line| !line.to_string().contains(&token[..8])));
    assert_eq!(told.last().expect("a line")["detail"], "\"anna\", role admin, the first");
    assert!(edge.log().iter().all(|line| !line.to_string().contains(&token)));
}

#[test]
fn a_user_who_is_added_closes_the_way_in_and_the_next_start_opens_none() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let first = token(&edge);
    edge.user("anna", "admin");
    assert!(!edge.setup.state().join("setup.token").exists());
    let order = json!({ "token": first, "name": "eve", "password": PASSWORD });
    assert_eq!(Browser::at(&edge).ask("POST", "/api/v1/setup", Some(&order)).status, 404);
    edge.signal(rustix::process::Signal::KILL);
    edge.wait();
    // What a kill may have left is taken away.
    fs::write(edge.setup.state().join("setup.token"), &first).expect("written");
    let mut next = Setup::shop(&origin);
    next.set("certificates", &format!("state_directory = {:?}", edge.setup.state()));
    let next = next.start();
    assert!(!edge.setup.state().join("setup.token").exists());
    assert_eq!(Browser::at(&next).ask("POST", "/api/v1/setup", Some(&order)).status, 404);
    assert!(next.log().iter().all(|line| !line.to_string().contains("nobody can sign in yet")));
}

#[test]
fn another_start_without_a_user_has_another_token() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let first = token(&edge);
    edge.signal(rustix::process::Signal::KILL);
    edge.wait();
    let mut next = Setup::shop(&origin);
    next.set("certificates", &format!("state_directory = {:?}", edge.setup.state()));
    let next = next.start();
    let second = token(&next);
    assert_ne!(first, second);
    let ask = |token: &str| {
        let order = json!({ "token": token, "name": "anna", "password": PASSWORD });
        Browser::at(&next).ask("POST", "/api/v1/setup", Some(&order)).status
    };
    assert_eq!((ask(&first), ask(&second)), (401, 201));
}

#[test]
fn the_command_adds_lists_resets_and_removes_users() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let vitrine = |arguments: &[&str]| {
        let output = run(&[arguments, &["--config", "vitrine.toml"]].concat(), &edge.setup);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).trim_end().to_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, one_time, advice) = vitrine(&["user", "add", "anna", "--role", "admin"]);
    assert_eq!(code, Some(0), "{advice}");
    assert!(one_time.len() == 24 && advice.contains("not shown again"), "{one_time} {advice}");
    let mut anna = Browser::signed_in(&edge, "anna", &one_time);
    let change = json!({ "current": one_time, "new": PASSWORD });
    assert_eq!(anna.ask("POST", "/api/v1/session/password", Some(&change)).status, 200);

    fs::write(edge.setup.folder.path().join("password"), format!("{PASSWORD}\n")).expect("written");
    let (code, added, _) = vitrine(&["user", "add", "ben", "--role", "read", "--password-file", "password"]);
    assert_eq!((code, &*added), (Some(0), "added: ben"));
    let mut ben = Browser::signed_in(&edge, "ben", PASSWORD);
    let (code, _, twice) = vitrine(&["user", "add", "Ben", "--role", "read"]);
    assert!(code == Some(1) && twice.contains("there is a user of the name"), "{twice}");
    assert_eq!(vitrine(&["user", "role", "ben", "operate"]).1, "ben may operate now");
    assert_eq!(ben.get("/api/v1/sites").status, 401);
    let (_, list, _) = vitrine(&["user", "list"]);
    assert!(list.contains("anna") && list.contains("operate"), "{list}");

    // The way back in, for the last admin too.
    assert_eq!(vitrine(&["user", "sign-out", "anna"]).1, "sessions ended: 1");
    let (code, again, _) = vitrine(&["user", "reset", "anna"]);
    assert_eq!((code, Browser::at(&edge).sign_in("anna", PASSWORD).status), (Some(0), 401));
    assert_eq!(Browser::at(&edge).sign_in("anna", &again).status, 201);
    assert_eq!(vitrine(&["user", "remove", "anna"]).1, "removed: anna, who might admin");
    let (code, _, unknown) = vitrine(&["user", "reset", "anna"]);
    assert!(code == Some(1) && unknown.contains("there is no user \"anna\""), "{unknown}");
    assert!(edge.log().iter().all(|line| !line.to_string().contains(&again)));
}

#[test]
fn through_the_socket_the_token_is_not_asked_for() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let order = json!({ "token": token(&edge), "name": "anna", "password": PASSWORD });
    let refused = edge.order_api("POST", "/api/v1/setup", &order);
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("conflict")));
    let mut talk = Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock");
    assert_eq!(talk.get("localhost", "/api/v1/setup").status, 200);
}
