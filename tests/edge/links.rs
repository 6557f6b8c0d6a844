//! One-time links: a customer without an account hands in one certificate, and nothing else comes of it.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::support::command::{done, refused, said, vitrine};
use crate::support::{
    self, Browser, Edge, Issued, Origin, PASSWORD, Response, Setup, Talk, authority, eventually, shop_client, shown,
};

/// Two shops, of which the first has no certificate yet.
pub(crate) fn start(origin: &Origin) -> Edge {
    let mut setup = Setup::new();
    setup.site(&["shop.example", "www.shop.example"], &[origin]).site(&["secret.example"], &[origin]);
    setup.start()
}

/// A new link, and its secret.
pub(crate) fn link(edge: &Edge, order: &Value) -> (String, String) {
    let made = edge.order_api("POST", "/api/v1/links", order);
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let secret = made["path"].as_str().and_then(|path| path.strip_prefix("/hand-in/")).expect("a path").to_owned();
    (made["id"].as_str().expect("an id").to_owned(), secret)
}

/// Hands something in, as a program would.
pub(crate) fn hand_in(edge: SocketAddr, secret: &str, file: &str, query: &str) -> Response {
    let part = |name: &str, value: &str| {
        format!("--limit\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"a.pem\"\r\n\r\n{value}\r\n")
    };
    let content = part("link", secret) + &part("file", file) + "--limit--\r\n";
    let fields = "host: localhost\r\ncontent-type: multipart/form-data; boundary=limit";
    Talk::plain(edge).ask(format!(
        "POST /api/v1/hand-in{query} HTTP/1.1\r\n{fields}\r\ncontent-length: {}\r\n\r\n{content}",
        content.len()
    ))
}

fn state(edge: &Edge, id: &str) -> Value {
    let links = edge.api("links");
    links.into_iter().find(|link| link["id"] == id).expect("the link")
}

#[track_caller]
fn shows(edge: &Edge, host: &str, expected: &CertificateDer<'_>) {
    eventually("the certificate", || {
        let talk = shop_client().try_open(edge.https, host).ok()?;
        (shown(talk.session()) == *expected).then_some(())
    });
}

pub(crate) fn shop() -> Issued {
    authority().issue(&["shop.example", "www.shop.example"])
}

#[test]
fn somebody_without_an_account_hands_in_a_pfx_and_the_operator_takes_it() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let (id, secret) = link(&edge, &json!({ "sites": ["shop.example"], "note": "Anna" }));
    edge.user("anna", "admin");
    let issued = shop();
    let folder = edge.setup.folder.path();
    fs::write(folder.join("a.crt"), &issued.chain).expect("written");
    fs::write(folder.join("a.key"), &issued.key).expect("written");
    let pfx =
        ["pkcs12", "-export", "-in", "a.crt", "-inkey", "a.key", "-out", "shop.pfx", "-passout", "pass:open sesame"];
    let output = Command::new("openssl").args(pfx).current_dir(folder).output().expect("openssl");
    assert!(output.status.success(), "{}", said(&output.stderr));

    let path = format!("/hand-in/{secret}");
    let key = issued.key.lines().nth(1).expect("a line").to_owned();
    let told = journey(
        &edge.admin.to_string(),
        "handIn",
        &json!({ "path": path, "file": folder.join("shop.pfx"), "password": "open sesame", "wrong": "sesame",
                 "secrets": [key], "foreign": ["secret.example", "anna"] }),
    );
    assert_eq!((&told["found"], &told["refused"]), (&json!([]), &json!([])));
    let text = |name: &str| told[name].as_str().expect("text").to_owned();
    assert!(text("thanks").contains("waits until somebody takes it"), "{told}");
    assert!(text("again").contains("handed in already"), "{told}");

    // It waits, as a secret, and serves nobody.
    let waiting = state(&edge, &id);
    assert_eq!((&waiting["state"], &waiting["wrong"]), (&json!("waiting"), &json!(1)));
    assert_eq!(waiting["found"]["names"], json!(["shop.example", "www.shop.example"]));
    assert!(edge.api("certificates").is_empty());
    let waits = || edge.scrape().sum("vitrine_handed_in_waiting", &[]);
    assert_eq!(waits(), 1.0);
    let told = journey(
        edge.setup.state().join("admin.sock").to_str().expect("a path"),
        "operate",
        &json!({ "site": "shop.example", "note": "Ben" }),
    );
    assert_eq!(told["states"], json!(["taken"]));
    assert_eq!((waits(), edge.scrape().sum("vitrine_handed_in_oldest_seconds", &[])), (0.0, 0.0));
    shows(&edge, "www.shop.example", &issued.der);
    assert!(!edge.setup.state().join(format!("links/{id}-secret.txt")).exists());
    let german = journey(&edge.admin.to_string(), "german", &json!({ "path": told["path"] }));
    assert!(german["text"].as_str().is_some_and(|text| text.contains("Ein Zertifikat abgeben")), "{german}");

    let lines: Vec<_> = edge
        .api("audit")
        .iter()
        .filter(|line| line["object"].as_str().is_some_and(|object| object.contains("hand-in") || object.contains(&id)))
        .map(|line| ["who", "action", "result"].map(|name| line[name].as_str().expect("text").to_owned()))
        .collect();
    let customer = format!("one-time link \"Anna\" ({id})");
    let owner = lines[0][0].clone();
    let expected = [
        [&*owner, "POST links", "done"],
        [&customer, "POST hand-in/open", "done"],
        [&customer, "POST hand-in", "refused"],
        [&customer, "POST hand-in", "done"],
        [&owner, "POST links/{id}/accept", "done"],
    ];
    let found: Vec<[&str; 3]> = lines.iter().map(|line| [&*line[0], &*line[1], &*line[2]]).collect();
    assert_eq!(found[..4], expected[..4], "{lines:?}");
    assert_eq!(found.last(), expected.last(), "{lines:?}");
    for told in
        [format!("{:?}", edge.log()), fs::read_to_string(edge.setup.state().join("audit.jsonl")).expect("a trail")]
    {
        assert!(!told.contains(&secret) && !told.contains(&key) && !told.contains("open sesame"), "{told}");
    }
}

#[test]
fn what_is_not_asked_for_is_not_taken_and_the_link_stays() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let (id, secret) = link(&edge, &json!({ "sites": ["shop.example"], "goes_live": true }));
    let ask = |file: &str| {
        let answer = hand_in(edge.admin, &secret, file, "");
        (answer.status, answer.json()["detail"].as_str().unwrap_or_default().to_owned())
    };
    for (names, status) in [
        (&["secret.example"][..], 422),
        (&["shop.example", "secret.example"], 422),
        (&["nowhere.example"], 422),
        (&["*.shop.example", "secret.example"], 422),
    ] {
        let (found, detail) = ask(&authority().issue(names).both());
        assert_eq!(found, status, "{names:?}: {detail}");
        assert!(detail.contains("what this link is for"), "{detail}");
    }
    // A certificate without its key, two at once, and garbage.
    assert_eq!(ask(&shop().chain).0, 422);
    assert_eq!(ask(&(shop().both() + &authority().issue(&["www.shop.example"]).both())).0, 422);
    assert_eq!(ask("garbage").0, 422);
    assert_eq!(state(&edge, &id)["wrong"], 7);
    assert!(edge.api("certificates").is_empty());
    // More than a form may be is not even looked at.
    assert_eq!(hand_in(edge.admin, &secret, &"x".repeat(3 << 20), "").status, 413);
    // Looking at it first leaves the link as it is; then it serves at once.
    let issued = shop();
    let seen = hand_in(edge.admin, &secret, &issued.both(), "?dry_run=true").json();
    assert_eq!((&seen["state"], &seen["certificate"]["subject"]), (&json!("open"), &json!("shop.example")));
    assert_eq!(state(&edge, &id)["state"], "open");
    assert_eq!(ask(&issued.both()).0, 200);
    shows(&edge, "shop.example", &issued.der);
    let (status, detail) = ask(&issued.both());
    assert_eq!((status, detail.starts_with("used: ")), (409, true), "{detail}");
}

#[test]
fn a_link_that_is_over_revoked_or_guessed_takes_nothing() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let file = shop().both();
    let (id, secret) = link(&edge, &json!({ "sites": ["shop.example"] }));
    // Too many wrong files close it.
    let statuses: Vec<u16> = (0..11).map(|_| hand_in(edge.admin, &secret, "garbage", "").status).collect();
    assert_eq!((statuses[..10].iter().all(|status| *status == 422), statuses[10]), (true, 409), "{statuses:?}");
    assert_eq!(state(&edge, &id)["state"], "spoiled");

    let (id, secret) = link(&edge, &json!({ "sites": ["shop.example"] }));
    assert_eq!(edge.ask_api("DELETE", &format!("/api/v1/links/{id}")).status, 200);
    assert_eq!(hand_in(edge.admin, &secret, &file, "").status, 409);
    assert_eq!(edge.ask_api("DELETE", &format!("/api/v1/links/{id}")).status, 409);

    // One whose time is over, as it lies in the state.
    let (id, secret) = link(&edge, &json!({ "sites": ["shop.example"], "hours": 1 }));
    let setup = edge.end(rustix::process::Signal::TERM);
    let kept = setup.state().join(format!("links/{id}.json"));
    let mut record: Value = serde_json::from_slice(&fs::read(&kept).expect("the link")).expect("JSON");
    assert!(!record.to_string().contains(&secret));
    record["expires"] = json!(1);
    fs::write(&kept, record.to_string()).expect("written");
    let edge = setup.start();
    let over = hand_in(edge.admin, &secret, &file, "");
    assert_eq!((over.status, state(&edge, &id)["state"].clone()), (409, json!("expired")));
    let page = Browser::at(&edge).open(&format!("/hand-in/{secret}"));
    assert!(page.status == 409 && page.text().contains("time of this address is over"), "{}", page.text());
    assert!(!page.text().contains("shop.example"), "{}", page.text());

    // Guesses are slowed down, and leave nothing in the trail.
    let before = edge.api("audit").len();
    let guesses: Vec<u16> = (0..40).map(|_| hand_in(edge.admin, &"0a".repeat(32), &file, "").status).collect();
    assert_eq!((guesses[0], guesses.contains(&429)), (404, true), "{guesses:?}");
    assert_eq!(edge.api("audit").len(), before);
}

#[test]
fn of_two_at_the_same_moment_one_is_taken() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let (id, secret) = link(&edge, &json!({ "sites": ["shop.example"], "goes_live": true }));
    let (one, other) = (shop().both(), shop().both());
    let (admin, secret) = (edge.admin, secret.as_str());
    let mut statuses = std::thread::scope(|scope| {
        let asked =
            [&one, &other, &one, &other].map(|file| scope.spawn(move || hand_in(admin, secret, file, "").status));
        asked.map(|thread| thread.join().expect("no panic"))
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    assert_eq!(state(&edge, &id)["state"], "taken");
    assert_eq!(edge.api("certificates").len(), 1);
}

#[test]
fn a_request_is_answered_by_a_link() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let made = edge.order_api("POST", "/api/v1/requests", &json!({ "request": { "sites": ["shop.example"] } })).json();
    let request = made["id"].as_str().expect("an id");
    let (id, secret) = link(&edge, &json!({ "request": request, "goes_live": true }));
    assert_eq!(state(&edge, &id)["sites"], json!(["shop.example"]));
    // One that belongs to no key here is not taken.
    assert_eq!(hand_in(edge.admin, &secret, &shop().chain, "").status, 422);
    let signed = authority().sign(made["pem"].as_str().expect("PEM"), 30);
    let answer = hand_in(edge.admin, &secret, &signed, "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    eventually("the completed request", || {
        edge.api("requests").iter().any(|one| one["id"] == request && one["status"] == "completed").then_some(())
    });
}

#[test]
fn an_organisations_operator_makes_links_for_its_sites_alone() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let ours = edge.order_api("POST", "/api/v1/organisations", &json!({ "name": "Shop", "sites": ["shop.example"] }));
    let ours = ours.json()["id"].as_str().expect("an id").to_owned();
    let user = |name: &str, role: &str| {
        let order = json!({ "name": name, "organisations": { &ours: role }, "password": PASSWORD });
        assert_eq!(edge.order_api("POST", "/api/v1/users", &order).status, 201);
        Browser::signed_in(&edge, name, PASSWORD)
    };
    let (mut otto, mut rita) = (user("otto", "operate"), user("rita", "read"));
    let (foreign, _) = link(&edge, &json!({ "sites": ["secret.example"] }));
    let order = |site: &str| json!({ "sites": [site] });
    assert_eq!(otto.ask("POST", "/api/v1/links", Some(&order("secret.example"))).status, 403);
    assert_eq!(rita.ask("POST", "/api/v1/links", Some(&order("shop.example"))).status, 403);
    let made = otto.ask("POST", "/api/v1/links", Some(&order("shop.example")));
    assert_eq!(made.status, 201, "{}", made.text());
    let own = made.json()["id"].as_str().expect("an id").to_owned();
    let seen: Vec<_> =
        rita.get("/api/v1/links").json().as_array().expect("a list").iter().map(|link| link["id"].clone()).collect();
    assert_eq!(seen, [json!(own)]);
    for path in ["", "/accept", "/decline"] {
        let method = if path.is_empty() { "DELETE" } else { "POST" };
        assert_eq!(otto.ask(method, &format!("/api/v1/links/{foreign}{path}"), None).status, 404, "{path}");
        assert_eq!(rita.ask(method, &format!("/api/v1/links/{own}{path}"), None).status, 403, "{path}");
    }
    assert!(!rita.open("/links").text().contains("action=\"/links"), "what she may not do is not offered");
    assert_eq!(otto.ask("DELETE", &format!("/api/v1/links/{own}"), None).status, 200);
}

#[test]
fn the_command_line_makes_and_looks_after_links() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let path = done(vitrine(&edge, "links make --site shop.example --note Anna"));
    let secret = path.trim().strip_prefix("/hand-in/").expect("a path").to_owned();
    assert_eq!(hand_in(edge.admin, &secret, &shop().both(), "").status, 200);
    let listed = done(vitrine(&edge, "links list"));
    assert!(listed.contains("waiting") && listed.contains("Anna") && !listed.contains(&secret), "{listed}");
    let id = edge.api("links")[0]["id"].as_str().expect("an id").to_owned();
    assert!(refused(vitrine(&edge, "links accept nobody")).contains("no such link"));
    assert_eq!(done(vitrine(&edge, &format!("links decline {id}"))).trim(), format!("declined: {id} (shop.example)"));
    assert!(refused(vitrine(&edge, &format!("links revoke {id}"))).contains("declined"));
    assert!(edge.api("certificates").is_empty());
}

/// Goes on a journey of somebody who has a link.
fn journey(place: &str, name: &str, told: &Value) -> Value {
    support::journey("links.mjs", place, name, told)
}
