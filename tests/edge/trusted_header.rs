//! Single sign-on: a proxy that says who somebody is, and those who say it without being the proxy.

use std::fs;

use serde_json::{Value, json};

use crate::support::command::said;
use crate::support::{Edge, Origin, PASSWORD, Response, Setup, Talk, dial, dial_from, drop_file, eventually, run};

const SECRET: &str = "6f1d4c5e9b3a47d2a8e07c1b5d9f3e68";

/// Two shops, with a proxy at 127.0.0.2.
fn start(origin: &Origin) -> Edge {
    let mut setup = Setup::shop(origin);
    setup.site(&["other.example"], &[origin]);
    drop_file(&setup.folder.path().join("proxy.secret"), SECRET);
    setup
        .set("admin.trusted_header", "header = \"X-Remote-User\"")
        .set("admin.trusted_header", "secret_file = \"proxy.secret\"")
        .set("admin.trusted_header", "networks = [\"127.0.0.2/32\"]");
    setup.start()
}

fn add(edge: &Edge, order: &Value) -> String {
    let made = edge.order_api("POST", "/api/v1/users", order);
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_str().expect("an id").to_owned()
}

fn named(name: &str) -> String {
    format!("x-remote-user: {name}\r\nx-vitrine-secret: {SECRET}\r\n")
}

/// Asks as the proxy does, in the name of the edge's address.
fn by_proxy(edge: &Edge, line: &str, fields: &str, content: &str) -> Response {
    let length = content.len();
    Talk::on(dial_from("127.0.0.2", edge.admin))
        .ask(format!("{line} HTTP/1.1\r\nhost: {}\r\n{fields}content-length: {length}\r\n\r\n{content}", edge.admin))
}

#[test]
fn who_is_named_by_the_proxy_does_as_much_as_his_role_says_and_no_password_is_asked_for() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    // Of him there is but a password for one time, which nobody ever used.
    add(&edge, &json!({ "name": "otto", "role": "operate" }));
    let rita = add(&edge, &json!({ "name": "rita", "role": "read", "password": PASSWORD }));
    let status = |line: &str, name: &str| by_proxy(&edge, line, &named(name), "").status;
    assert_eq!((status("GET /api/v1/sites", "Otto"), status("GET /api/v1/sites", "rita")), (200, 200));
    assert_eq!(status("GET /api/v1/users", "otto"), 403);
    let page = by_proxy(&edge, "GET /sites", &format!("accept: text/html\r\n{}", named("otto")), "");
    let text = page.text();
    assert!(page.status == 200 && text.contains("shop.example") && text.contains("otto"), "{text}");
    assert!(!text.contains("/sign-out") && !text.contains("/account\""), "there is no session: {text}");
    assert_eq!(page.field("set-cookie"), None);

    // Who is removed is nobody from then on.
    assert_eq!(edge.ask_api("DELETE", &format!("/api/v1/users/{rita}")).status, 200);
    assert_eq!(status("GET /api/v1/sites", "rita"), 401);
    // Whoever has not signed in at the proxy signs in here.
    let anonymous = by_proxy(&edge, "GET /sites", &format!("accept: text/html\r\nx-vitrine-secret: {SECRET}\r\n"), "");
    assert_eq!((anonymous.status, anonymous.field("location")), (303, Some("/sign-in?back=%2Fsites")));
}

#[test]
fn nobody_else_is_believed_and_it_is_told() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    add(&edge, &json!({ "name": "anna", "role": "admin", "password": PASSWORD }));
    let name = "x-remote-user: anna\r\n";
    let secret = format!("x-vitrine-secret: {SECRET}\r\n");
    let token = format!("authorization: Bearer {}\r\n", edge.token("ci", "read"));
    let ask = |talk: &mut Talk, fields: &str| {
        talk.ask(format!("GET /api/v1/sites HTTP/1.1\r\nhost: {}\r\n{fields}\r\n", edge.admin)).status
    };
    for fields in [
        name.to_owned(),
        format!("{name}x-vitrine-secret: {}\r\n", SECRET.to_uppercase()),
        format!("{name}x-vitrine-secret: \r\n"),
        format!("{name}{secret}{secret}"),
        format!("{name}{name}{secret}"),
        named("nobody"),
        named("anna, anna"),
        // Nor does a token beside it count.
        format!("{name}{token}"),
    ] {
        assert_eq!(ask(&mut Talk::on(dial_from("127.0.0.2", edge.admin)), &fields), 401, "{fields}");
    }
    assert_eq!(ask(&mut Talk::on(dial(edge.admin)), &named("anna")), 401, "from an address that is not listed");
    // Somewhere else without the name the token counts as ever.
    assert_eq!(ask(&mut Talk::on(dial(edge.admin)), &token), 200);
    // Through the socket everybody would be the owner.
    let mut socket = Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock");
    assert_eq!(ask(&mut socket, &named("anna")), 401);

    let line = edge.logged("is not believed");
    assert_eq!((&line["peer"], &line["header"]), (&json!("127.0.0.2"), &json!("x-remote-user")));
    let refused = eventually("a line of the trail", || {
        edge.api("audit").into_iter().find(|line| line["action"] == "admin.trusted_header")
    });
    assert_eq!(
        ["who", "door", "result", "detail"].map(|name| refused[name].as_str().expect("text")),
        ["nobody", "127.0.0.2", "refused", "the secret is missing"]
    );
    assert_eq!(refused["why"], json!({ "code": "not-believed", "details": "no-secret" }));
    let trail = fs::read_to_string(edge.setup.state().join("audit.jsonl")).expect("a trail");
    for told in [trail, edge.log().iter().map(Value::to_string).collect()] {
        assert!(!told.contains(SECRET) && !told.contains(&SECRET.to_uppercase()), "{told}");
    }
}

#[test]
fn what_he_changes_is_of_our_pages_and_in_his_name() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let id = add(&edge, &json!({ "name": "anna", "role": "admin", "password": PASSWORD }));
    add(&edge, &json!({ "name": "ben", "role": "admin", "password": PASSWORD }));
    let token_of = |name: &str| {
        let page = by_proxy(&edge, "GET /contacts", &format!("accept: text/html\r\n{}", named(name)), "").text();
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a token");
        rest.split('"').next().expect("a token").to_owned()
    };
    let (own, other) = (token_of("anna"), token_of("ben"));
    let submit = |token: &str, fields: &str| {
        let part = |name: &str, value: &str| {
            format!("--limit\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let content = part("csrf", token) + &part("name", "ops") + &part("mail", "ops@shop.example") + "--limit--\r\n";
        let fields = format!("content-type: multipart/form-data; boundary=limit\r\n{fields}{}", named("anna"));
        by_proxy(&edge, "POST /contacts", &fields, &content).status
    };
    assert_eq!((submit("", ""), submit(&other, "")), (403, 403));
    assert_eq!(submit(&own, "origin: https://evil.example\r\n"), 403);
    assert_eq!(
        submit(&own, "sec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n"),
        403
    );
    assert!(edge.api("contacts").is_empty());
    assert_eq!(submit(&own, &format!("origin: http://{}\r\n", edge.admin)), 303);
    assert_eq!(edge.api("contacts").len(), 1);
    let last = edge.api("audit").pop().expect("a line");
    assert_eq!(last["who"], format!("user \"anna\" ({id}) by admin.trusted_header"));
    // A program shows the same.
    let order = json!({ "name": "more", "mail": "more@shop.example" }).to_string();
    let fields = format!("content-type: application/json\r\n{}", named("anna"));
    assert_eq!(by_proxy(&edge, "POST /api/v1/contacts", &fields, &order).status, 403);
    let fields = format!("{fields}x-csrf-token: {own}\r\n");
    assert_eq!(by_proxy(&edge, "POST /api/v1/contacts", &fields, &order).status, 201);
    // The way back from whoever signs people in is a link of another site.
    let link =
        "accept: text/html\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n";
    assert_eq!(by_proxy(&edge, "GET /sites", &format!("{link}{}", named("anna")), "").status, 200);
    assert_eq!(by_proxy(&edge, "GET /api/v1/sites", &format!("{link}{}", named("anna")), "").status, 403);
}

#[test]
fn an_organisations_people_see_their_sites_alone() {
    let origin = Origin::saying("hello");
    let edge = start(&origin);
    let made = edge.order_api("POST", "/api/v1/organisations", &json!({ "name": "Shop", "sites": ["shop.example"] }));
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    add(&edge, &json!({ "name": "rita", "organisations": { id: "read" }, "password": PASSWORD }));
    let ask = |path: &str| by_proxy(&edge, &format!("GET /api/v1/{path}"), &named("rita"), "");
    let names: Vec<_> =
        ask("sites").json().as_array().expect("a list").iter().map(|site| site["name"].clone()).collect();
    assert_eq!(names, ["shop.example"]);
    assert_eq!(
        (ask("sites/shop.example").status, ask("sites/other.example").status, ask("audit").status),
        (200, 404, 403)
    );
}

#[test]
fn a_secret_that_cannot_be_used_is_told_before_a_start() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup
        .set("admin.trusted_header", "header = \"X-Remote-User\"")
        .set("admin.trusted_header", "secret_file = \"proxy.secret\"")
        .set("admin.trusted_header", "networks = [\"127.0.0.2/32\"]");
    setup.write();
    let check = || {
        let output = run(&["check", "--config", "vitrine.toml"], &setup);
        (output.status.code(), said(&output.stderr))
    };
    let (code, told) = check();
    assert!(code == Some(78) && told.contains("admin.trusted_header.secret_file: proxy.secret: "), "{told}");
    drop_file(&setup.folder.path().join("proxy.secret"), "hunter2");
    let (code, told) = check();
    assert!(code == Some(78) && told.contains("32 characters at least") && !told.contains("hunter2"), "{told}");
    drop_file(&setup.folder.path().join("proxy.secret"), SECRET);
    assert_eq!(check().0, Some(0));
}
