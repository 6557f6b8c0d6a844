//! The pages about people, as a browser without a script sees them.

use std::fs;

use crate::support::{Browser, Edge, Origin, PASSWORD, Setup};

/// Where an answer leads.
fn leads(answer: &crate::support::Response) -> (u16, &str) {
    (answer.status, answer.field("location").unwrap_or_default())
}

#[test]
fn from_an_edge_without_users_to_an_account() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut browser = Browser::at(&edge);
    assert_eq!(leads(&browser.open("/rejected?x=1")), (303, "/setup"));
    let page = browser.open("/setup");
    assert!(page.status == 200 && page.text().contains("<h1>The first user</h1>"), "{}", page.text());
    let token = fs::read_to_string(edge.setup.state().join("setup.token")).expect("a token");
    let fields = |repeated: &'static str| {
        [("csrf", ""), ("token", token.trim()), ("user", "Anna"), ("password", PASSWORD), ("repeated", repeated)]
    };
    let differ = browser.submit("/setup", &fields("another"));
    assert!(differ.status == 400 && differ.text().contains("was not the same twice"), "{}", differ.text());
    assert!(differ.text().contains("value=\"Anna\"") && !differ.text().contains(PASSWORD));
    assert_eq!(leads(&browser.submit("/setup", &fields(PASSWORD))), (303, "/sites"));

    let account = browser.open("/account");
    assert!(account.text().contains("You are anna, with the role admin."), "{}", account.text());
    assert!(account.text().contains("test/1") && account.text().contains("action=\"/sign-out\""));
    let mut other = Browser::signed_in(&edge, "anna", PASSWORD);
    let csrf = browser.csrf.clone();
    let new = "staple staple staple";
    let change = |csrf: &str, current: &str| {
        [("csrf", csrf.to_owned()), ("current", current.to_owned()), ("new", new.into()), ("repeated", new.into())]
    };
    let mut change = |csrf: &str, current: &str| {
        let fields = change(csrf, current);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.submit("/account/password", &fields)
    };
    assert_eq!(change("", PASSWORD).status, 403);
    let wrong = change(&csrf, "wrong horse battery");
    assert!(wrong.status == 409 && wrong.text().contains("role=\"alert\""), "{}", wrong.text());
    assert_eq!(leads(&change(&csrf, PASSWORD)), (303, "/account?done=password"));
    assert_eq!(other.get("/api/v1/sites").status, 401);

    browser.open("/account?done=password");
    let csrf = browser.csrf.clone();
    assert_eq!(leads(&browser.submit("/sign-out", &[("csrf", &csrf)])), (303, "/sign-in"));
    assert_eq!(leads(&browser.open("/rejected?x=1")), (303, "/sign-in?back=%2Frejected%3Fx%3D1"));
}

#[test]
fn who_signs_in_comes_to_where_he_wanted_and_nowhere_else() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    edge.user("anna", "admin");
    let sign_in = |password: &str, back: &str| {
        let mut browser = Browser::at(&edge);
        browser.submit("/sign-in", &[("csrf", ""), ("user", "anna"), ("password", password), ("back", back)])
    };
    let page = Browser::at(&edge).open("/sign-in?back=%2Faudit");
    assert!(page.text().contains("value=\"/audit\""), "{}", page.text());
    assert!(!page.text().contains("<nav") && !page.text().contains("shop.example"), "{}", page.text());
    let wrong = sign_in("wrong horse <b>battery</b>", "/audit");
    assert_eq!(wrong.status, 401);
    let text = wrong.text();
    assert!(text.contains("is wrong") && text.contains("value=\"anna\"") && !text.contains("horse"), "{text}");
    assert_eq!(leads(&sign_in(PASSWORD, "/audit")), (303, "/audit"));
    for back in ["https://evil.example/", "//evil.example", "/\t/evil.example", "/\\evil.example", ""] {
        assert_eq!(leads(&sign_in(PASSWORD, back)), (303, "/sites"), "{back}");
    }
    assert_eq!(leads(&Browser::at(&edge).open("/setup")), (404, ""));
}

#[test]
fn a_password_for_one_time_leads_to_the_choice_of_another() {
    let origin = Origin::saying("hello");
    let edge: Edge = Setup::shop(&origin).start();
    let order = serde_json::json!({ "name": "ben", "role": "read" });
    let made = edge.order_api("POST", "/api/v1/users", &order).json();
    let one_time = made["one_time_password"].as_str().expect("a password");
    let mut ben = Browser::at(&edge);
    let answer = ben.submit("/sign-in", &[("user", "ben"), ("password", one_time), ("back", "/audit")]);
    assert_eq!(leads(&answer), (303, "/account"));
    assert!(ben.open("/account").text().contains("Choose one of your own first"));
    assert_eq!(ben.open("/audit").status, 403);
}
