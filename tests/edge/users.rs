//! Users: added, changed, reset and removed.

use serde_json::json;

use crate::support::{Browser, Origin, PASSWORD, Setup};

#[test]
fn a_password_for_one_time_opens_nothing_but_the_choice_of_another() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let made = edge.order_api("POST", "/api/v1/users", &json!({ "name": "anna", "role": "admin" })).json();
    assert_eq!((&made["name"], &made["must_choose_password"]), (&json!("anna"), &json!(true)));
    let one_time = made["one_time_password"].as_str().expect("a password");
    let mut anna = Browser::signed_in(&edge, "anna", one_time);
    for (method, path) in [("GET", "/api/v1/sites"), ("GET", "/api/v1/users"), ("POST", "/api/v1/levers/freeze")] {
        let refused = anna.ask(method, path, None);
        assert!([403, 404].contains(&refused.status), "{method} {path}: {}", refused.status);
    }
    let refused = anna.get("/api/v1/sites").json();
    assert!(refused["detail"].as_str().expect("a detail").contains("choose one of your own first"), "{refused}");
    let change = json!({ "current": one_time, "new": PASSWORD });
    let changed = anna.ask("POST", "/api/v1/session/password", Some(&change));
    assert_eq!((changed.status, &changed.json()["user"]["must_choose_password"]), (200, &json!(false)));
    assert_eq!(anna.get("/api/v1/users").status, 200);
    assert_eq!(Browser::at(&edge).sign_in("anna", one_time).status, 401);
}

#[test]
fn whose_role_changes_signs_in_anew_and_the_last_admin_stays() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let (mut anna, mut ben) = (edge.user("anna", "admin"), edge.user("ben", "read"));
    let id =
        |browser: &mut Browser| browser.get("/api/v1/session").json()["user"]["id"].as_str().expect("an id").to_owned();
    let (annas, bens) = (format!("/api/v1/users/{}", id(&mut anna)), format!("/api/v1/users/{}", id(&mut ben)));
    let taken = anna.ask("POST", "/api/v1/users", Some(&json!({ "name": "Ben", "role": "read" })));
    assert_eq!((taken.status, &taken.json()["code"]), (409, &json!("conflict")));
    for (method, order) in [("PATCH", Some(json!({ "role": "read" }))), ("DELETE", None)] {
        assert_eq!(anna.ask(method, &annas, order.as_ref()).status, 409, "{method}");
    }
    assert_eq!(anna.ask("PATCH", &bens, Some(&json!({ "role": "admin" }))).status, 200);
    assert_eq!(ben.get("/api/v1/sites").status, 401);
    assert_eq!(ben.sign_in("ben", PASSWORD).status, 201);
    assert_eq!(ben.ask("PATCH", &annas, Some(&json!({ "role": "read" }))).status, 200);
    assert_eq!(anna.sign_in("anna", PASSWORD).status, 201);
    assert_eq!(anna.get("/api/v1/users").status, 403);

    let reset = ben.ask("POST", &format!("{annas}/reset"), None);
    let one_time = reset.json()["one_time_password"].as_str().expect("a password").to_owned();
    assert_eq!(anna.get("/api/v1/session").status, 401);
    assert_eq!(anna.sign_in("anna", PASSWORD).status, 401);
    assert_eq!(anna.sign_in("anna", &one_time).status, 201);
    assert_eq!(ben.ask("DELETE", &format!("{annas}/sessions"), None).json(), json!({ "ended": 1 }));
    assert_eq!(ben.ask("DELETE", &annas, None).status, 200);
    assert_eq!(anna.sign_in("anna", &one_time).status, 401);
}
