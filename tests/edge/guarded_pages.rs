//! What keeps strangers from having somebody's browser do something: every form of the panel, found in its own source.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Browser, Edge, Origin, PASSWORD, Setup};

/// Where forms of the panel are sent to, as the pages' source says.
fn places() -> Vec<String> {
    let (mut files, mut folders) = (Vec::new(), vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin/panel")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path)
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(path)
            }
        }
    }
    let texts = files.iter().map(|file| fs::read_to_string(file).expect("text"));
    let mut places: Vec<String> = texts
        .flat_map(|text| {
            let named =
                text.split("Page::post(").skip(1).map(|rest| rest.split('"').nth(1).unwrap_or_default().to_owned());
            named.collect::<Vec<_>>()
        })
        .filter(|place| !place.is_empty())
        .collect();
    places.sort();
    places.dedup();
    assert!(places.len() > 30 && places.iter().any(|place| place == "users/{id}/reset"), "{places:?}");
    places
}

/// A place with something in it that there is not.
fn path(place: &str) -> String {
    let segments = place.split('/').map(|segment| if segment.starts_with('{') { "0a" } else { segment });
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

const OPEN: [&str; 5] = ["sign-in", "setup", "hand-in/{link}", "hand-in/{link}/confirm", "language"];

#[test]
fn no_form_is_taken_that_is_not_of_our_pages() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut anna = edge.user("anna", "admin");
    anna.open("/account");
    let cookie = format!("cookie: {}\r\n", anna.cookie.as_deref().expect("a cookie"));
    let csrf = anna.csrf.clone();
    let before = edge.api("audit").len();
    let form = |token: &str| {
        format!("--limit\r\ncontent-disposition: form-data; name=\"csrf\"\r\n\r\n{token}\r\n--limit--\r\n")
    };
    let head = "accept: text/html\r\ncontent-type: multipart/form-data; boundary=limit\r\n";
    for place in places() {
        let line = format!("POST {}", path(&place));
        // Without the token, with another's, and with the right one from a page elsewhere.
        for token in ["", "0a"] {
            let status = anna.send(&line, &format!("{cookie}{head}"), &form(token)).status;
            assert_eq!(status, 403, "{place} {token:?}");
        }
        for foreign in
            ["sec-fetch-site: cross-site\r\n", "sec-fetch-site: same-site\r\n", "origin: http://evil.example\r\n"]
        {
            let status = anna.send(&line, &format!("{cookie}{head}{foreign}"), &form(&csrf)).status;
            assert_eq!(status, 403, "{place} {foreign}");
        }
        // Somebody who is nobody gets nowhere either.
        if !OPEN.contains(&&*place) {
            let status = anna.send(&line, head, &form(&csrf)).status;
            assert_eq!(status, 401, "{place}");
        }
    }
    assert_eq!(edge.api("audit").len(), before, "nothing was done, nor tried");
    // The same form from the page itself is taken: it ends at what there is not, or at what is missing in it.
    for place in places().iter().filter(|place| !place.starts_with("account") && *place != "sign-out") {
        let status = anna.send(&format!("POST {}", path(place)), &format!("{cookie}{head}"), &form(&csrf)).status;
        assert_ne!(status, 403, "{place}");
        assert!(status < 500, "{place}: {status}");
    }
}

#[test]
fn nothing_is_changed_by_looking_and_no_page_is_framed_or_kept() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut anna = edge.user("anna", "admin");
    let before = edge.api("audit").len();
    for place in places() {
        // To look at what only takes forms is no order.
        let answer = anna.open(&path(&place));
        assert!([200, 303, 403, 404, 405, 409].contains(&answer.status), "{place}: {}", answer.status);
        if answer.field("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            let policy = answer.field("content-security-policy").expect("a policy");
            assert!(
                policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{place}: {policy}"
            );
            assert!(!policy.contains("unsafe"), "{place}: {policy}");
        }
        assert_eq!(answer.field("cache-control"), Some("no-store"), "{place}");
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"), "{place}");
    }
    assert_eq!(edge.api("audit").len(), before);
}

#[test]
fn signing_in_begins_another_session_and_signing_out_ends_it() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    edge.user("anna", "admin");
    // A secret that somebody else has put into the browser is no session, before and after.
    let planted = "0a".repeat(32);
    let mut browser = Browser::at(&edge);
    browser.cookie = Some(format!("vitrine={planted}"));
    let status = |edge: &Edge, cookie: &str| {
        Browser::at(edge).send("GET /api/v1/sites", &format!("cookie: {cookie}\r\n"), "").status
    };
    assert_eq!(browser.sign_in("anna", PASSWORD).status, 201);
    let first = browser.cookie.clone().expect("a cookie");
    assert!(!first.contains(&planted));
    assert_eq!((status(&edge, &format!("vitrine={planted}")), status(&edge, &first)), (401, 200));
    // Who signs in once more in the same browser has one session, and it is a new one.
    assert_eq!(browser.sign_in("anna", PASSWORD).status, 201);
    let second = browser.cookie.clone().expect("a cookie");
    assert_ne!(first, second);
    assert_eq!((status(&edge, &first), status(&edge, &second)), (401, 200));
    browser.open("/account");
    let csrf = browser.csrf.clone();
    assert_eq!(browser.submit("/sign-out", &[("csrf", &csrf)]).status, 303);
    assert_eq!(status(&edge, &second), 401);
    assert_eq!(browser.cookie, None);
}

#[test]
fn who_is_no_user_is_answered_as_who_is_one_and_has_another_password() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    edge.user("anna", "admin");
    let page = |user: &str| {
        let fields = [("csrf", ""), ("user", user), ("password", "wrong horse battery"), ("back", "")];
        let answer = Browser::at(&edge).submit("/sign-in", &fields);
        (answer.status, answer.text().replace(user, "somebody"))
    };
    assert_eq!(page("anna"), page("nobody"));
    let api = |user: &str| {
        let order = json!({ "user": user, "password": "wrong horse battery" });
        let answer = Browser::at(&edge).ask("POST", "/api/v1/session", Some(&order));
        (answer.status, answer.text())
    };
    assert_eq!(api("anna"), api("nobody"));
    // Nor do links tell whether there is one.
    let hand_in = |secret: &str| {
        let answer = Browser::at(&edge).open(&format!("/hand-in/{}", secret.repeat(32)));
        (answer.status, answer.text())
    };
    assert_eq!(hand_in("0a"), hand_in("0b"));
}
