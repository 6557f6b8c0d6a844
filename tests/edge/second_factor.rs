//! A second factor, with codes that oathtool computes.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Browser, Origin, PASSWORD, Setup, eventually};

/// The code that a telephone shows now, or did so many seconds ago.
fn code(secret: &str, shift: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
    let now = i64::try_from(now).expect("a time") + shift;
    let output = Command::new("oathtool").args(["--totp", "--base32", "--now", &format!("@{now}"), secret]).output();
    let output = output.expect("oathtool, of scripts/test packages");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn sign_in(browser: &mut Browser, code: Option<&str>) -> (u16, Value) {
    let order = json!({ "user": "anna", "password": PASSWORD, "code": code });
    let answer = browser.ask("POST", "/api/v1/session", Some(&order));
    (answer.status, answer.json())
}

#[test]
fn who_has_a_second_factor_signs_in_with_a_code_that_counts_once() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    std::fs::write(setup.folder.path().join("state.key"), "0a".repeat(32)).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(setup.folder.path().join("state.key"), mode).expect("private");
    setup.set("certificates", "state_key_file = \"state.key\"");
    let edge = setup.start();
    let mut anna = edge.user("anna", "admin");
    let mut other = Browser::signed_in(&edge, "anna", PASSWORD);
    let factor = "/api/v1/session/second-factor";
    let begun = anna.ask("POST", factor, None);
    assert_eq!(begun.status, 201, "{}", begun.text());
    let begun = begun.json();
    let secret = begun["secret"].as_str().expect("a secret").to_owned();
    assert!(begun["uri"].as_str().expect("a URI").contains(&secret), "{begun}");
    assert!(begun["picture"].as_str().expect("a picture").starts_with("<svg "), "{begun}");
    // It counts from the first code on.
    assert_eq!(sign_in(&mut Browser::at(&edge), None).0, 201);
    let confirm = format!("{factor}/confirm");
    assert_eq!(anna.ask("POST", &confirm, Some(&json!({ "code": "000 00x" }))).status, 409);
    // The clock may step on between its reading and ours.
    let (first, codes) = eventually("a code of now", || {
        let first = code(&secret, 0);
        let confirmed = anna.ask("POST", &confirm, Some(&json!({ "code": first })));
        (confirmed.status == 200).then(|| (first, confirmed.json()["recovery_codes"].clone()))
    });
    assert_eq!(codes.as_array().map(Vec::len), Some(10));
    assert_eq!(other.get("/api/v1/sites").status, 401);
    assert_eq!(anna.get("/api/v1/session").json()["user"]["second_factor"], true);

    let mut door = Browser::at(&edge);
    let (status, needed) = sign_in(&mut door, None);
    assert!(
        status == 401 && needed["detail"].as_str().expect("a detail").starts_with("code: the password is right"),
        "{needed}"
    );
    assert_eq!(sign_in(&mut door, Some(&first)).0, 401, "a code that was used");
    assert_eq!(sign_in(&mut door, Some("123")).0, 401);
    // The next step's is taken too, and what came before it no more.
    let next = eventually("the next code", || {
        let next = code(&secret, 30);
        (sign_in(&mut Browser::at(&edge), Some(&next)).0 == 201).then_some(next)
    });
    assert_eq!(sign_in(&mut door, Some(&next)).0, 401);
    let recovery = codes[0].as_str().expect("a code");
    assert_eq!(sign_in(&mut Browser::at(&edge), Some(recovery)).0, 201);
    assert_eq!(sign_in(&mut door, Some(recovery)).0, 401);

    // Sealed where the state has a key, and told nowhere.
    let file = std::fs::read_dir(edge.setup.state().join("second-factors"))
        .expect("a folder")
        .next()
        .expect("one")
        .expect("one");
    assert!(std::fs::read_to_string(file.path()).expect("text").starts_with("-----BEGIN VITRINE SEALED FILE-----"));
    let told: String = edge.api("audit").iter().chain(&edge.log()).map(Value::to_string).collect();
    assert!(!told.contains(&secret) && !told.contains(recovery) && told.contains("a second factor is on"), "{told}");

    let id = anna.get("/api/v1/session").json()["user"]["id"].as_str().expect("an id").to_owned();
    let reset = edge.ask_api("POST", &format!("/api/v1/users/{id}/reset")).json();
    let one_time = reset["one_time_password"].as_str().expect("a password");
    assert_eq!(Browser::at(&edge).sign_in("anna", one_time).status, 201, "a reset takes it away");
}

#[test]
fn it_is_set_up_and_taken_away_on_pages() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut anna = edge.user("anna", "read");
    assert!(anna.open("/account").text().contains("action=\"/account/second-factor\""));
    let csrf = anna.csrf.clone();
    let begun = anna.submit("/account/second-factor", &[("csrf", &csrf)]);
    let text = begun.text();
    let secret = text.split("<code class=\"mono\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a secret");
    assert!(begun.status == 200 && text.contains("<svg "), "{text}");
    let on = eventually("a code of now", || {
        let answer = anna.submit("/account/second-factor/confirm", &[("csrf", &csrf), ("code", &code(secret, 0))]);
        (answer.status == 200).then_some(answer)
    });
    let text = on.text();
    assert_eq!(text.matches("<li>").count() - text.matches("<li><a").count(), 10, "{text}");
    let recovery = text.split("<li>").filter_map(|rest| rest.split("</li>").next()).find(|code| code.len() == 20);
    let fields = [("csrf", ""), ("user", "anna"), ("password", PASSWORD), ("code", ""), ("back", "/audit")];
    let refused = Browser::at(&edge).submit("/sign-in", &fields);
    assert!(
        refused.status == 401 && refused.text().contains("a code of the second factor is needed"),
        "{}",
        refused.text()
    );
    let off = anna.submit("/account/second-factor/remove", &[("csrf", &csrf), ("code", recovery.expect("a code"))]);
    assert_eq!((off.status, off.field("location")), (303, Some("/account")));
    assert_eq!(Browser::at(&edge).submit("/sign-in", &fields).status, 303);
}
