//! URLs that others serve and an organisation owns: there for its users and contacts, and for no others.

use std::time::Duration;

use serde_json::{Value, json};

use crate::elsewhere::here;
use crate::reports::{Mails, text};
use crate::support::command::{done, refused, vitrine};
use crate::support::{Browser, Edge, KeyKind, Origin, PASSWORD, Setup, authority, within};

#[test]
fn a_url_of_an_organisation_is_there_for_nobody_else() {
    let (origin, mails) = (Origin::saying("the shop"), Mails::start());
    let server = here(&authority().issue_for(&["localhost"], KeyKind::Ecdsa, -200 * 24, -24));
    let mut setup = Setup::shop(&origin);
    setup.set("reports", "networks = [\"127.0.0.0/8\"]");
    setup.set("reports", "daily = \"off\"").set("reports", "monthly = \"off\"");
    setup.set("mail", &format!("server = \"127.0.0.1:{}\"", mails.server.port));
    setup.set("mail", "security = \"none\"").set("mail", "from = \"Vitrine <edge@shop.example>\"");
    let edge = setup.start();
    let [ours, theirs] = ["ours", "theirs"].map(|name| organised(&edge, name));
    let url = format!("https://localhost:{}", server.address.port());
    let name = url.strip_prefix("https://").expect("a scheme").to_owned();

    // By the command line for an organisation there is, and taken back and given again.
    let wrong = refused(vitrine(&edge, &format!("elsewhere add {url} --reason why --organisation 0a")));
    assert!(wrong.contains("expected ids as GET /api/v1/organisations lists them, found \"0a\""), "{wrong}");
    done(vitrine(&edge, &format!("elsewhere add {url} --reason customers --organisation {theirs}")));
    assert_eq!(done(vitrine(&edge, &format!("elsewhere give {url}"))), format!("{url}: belongs to the edge\n"));
    let given = done(vitrine(&edge, &format!("elsewhere give {url} --organisation {ours}")));
    assert_eq!(given, format!("{url}: belongs to the organisation {ours}\n"));
    done(vitrine(&edge, &format!("elsewhere look {url}")));

    let [mut owner, mut reader, mut stranger] =
        [("owner", &ours, "operate"), ("reader", &ours, "read"), ("stranger", &theirs, "operate")]
            .map(|(name, organisation, role)| user(&edge, name, organisation, role));
    for (who, theirs) in [(&mut owner, true), (&mut reader, true), (&mut stranger, false)] {
        let list = |path: &str, browser: &mut Browser| browser.get(path).json().as_array().expect("a list").clone();
        let urls: Vec<String> = list("/api/v1/elsewhere", who).iter().map(|one| text(&one["url"])).collect();
        assert_eq!(urls, if theirs { vec![url.clone()] } else { Vec::new() });
        let alerts = list("/api/v1/alerts", who);
        assert_eq!(
            alerts.iter().any(|alert| alert["subject"] == url && alert["code"] == "expired"),
            theirs,
            "{alerts:?}"
        );
        let coming = list("/api/v1/timeline?days=100", who);
        assert_eq!(coming.iter().any(|one| one["type"] == "end-elsewhere"), theirs, "{coming:?}");
        let report = who.get("/api/v1/reports/next-daily");
        let listed = |line: &Value| line["url"] == url;
        let lines = report.json()["lines"].as_array().cloned().unwrap_or_default();
        assert_eq!(lines.iter().any(listed), theirs, "{}", report.text());
        for page in ["/elsewhere", "/alerts", "/timeline"] {
            assert_eq!(who.open(page).text().contains(&name), theirs, "{page}");
        }
    }
    // Each route: not there for a stranger, to be looked at by a reader, and the owner's but for whose it is.
    let (because, watched) = (json!({ "organisation": theirs }), json!({ "watched": true }));
    let routes = [
        ("GET", "", None, 200, 200),
        ("POST", "/look", None, 403, 200),
        ("POST", "/watched", Some(&watched), 403, 200),
        ("POST", "/organisation", Some(&because), 403, 403),
        ("DELETE", "?reason=gone", None, 403, 200),
    ];
    for (method, below, order, for_reader, for_owner) in routes {
        let path = format!("/api/v1/elsewhere/{name}{below}");
        for (who, expected) in [(&mut stranger, 404), (&mut reader, for_reader), (&mut owner, for_owner)] {
            let answer = who.ask(method, &path, order);
            assert_eq!(answer.status, expected, "{method} {path}: {}", answer.text());
        }
        let (foreign, none) = (stranger.ask(method, &path, order), path.replace(&name, "none.example"));
        assert_eq!(foreign.text(), stranger.ask(method, &none, order).text(), "{method} {path}");
    }
    // What is new is theirs without a word, and cannot be another's.
    let order = |organisation: Option<&str>| json!({ "url": url, "reason": "again", "organisation": organisation });
    let [foreign, unknown] = [theirs.as_str(), "0a0a0a0a0a0a"].map(|id| {
        let answer = owner.ask("POST", "/api/v1/elsewhere", Some(&order(Some(id))));
        (answer.status, answer.text().replace(id, "ID"))
    });
    assert_eq!((foreign.0, &foreign.1), (400, &unknown.1));
    assert_eq!(reader.ask("POST", "/api/v1/elsewhere", Some(&order(None))).status, 403);
    let made = owner.ask("POST", "/api/v1/elsewhere", Some(&order(None)));
    assert_eq!((made.status, made.json()["organisation"].as_str()), (201, Some(ours.as_str())), "{}", made.text());
    assert_eq!(owner.ask("POST", &format!("/api/v1/elsewhere/{name}/look"), None).status, 200);

    // Whom an organisation names hears of its own.
    let mail = within(Duration::from_secs(120), "the mail", || mails.taken().first().cloned());
    assert_eq!(mail["to"], json!(["it@ours.example"]));
    assert!(text(&mail["text"]).contains(&format!("- {url}: ")), "{mail}");
    // And the form of the panel gives a new one to whom the visitor may give it.
    let page = owner.open("/elsewhere").text();
    assert!(page.contains(&format!("<option value=\"{ours}\">ours</option>")) && !page.contains(&theirs), "{page}");
    assert!(!reader.open("/elsewhere").text().contains("action=\"/elsewhere"));
}

#[test]
fn a_url_is_given_at_its_page_and_goes_back_to_the_edge_when_its_organisation_goes() {
    let edge = Setup::shop(&Origin::saying("the shop")).start();
    let [ours, theirs] = ["ours", "theirs"].map(|name| organised(&edge, name));
    let name = "pay.example";
    done(vitrine(&edge, &format!("elsewhere add https://{name} --reason customers --organisation {theirs}")));
    let owner = || edge.ask_api("GET", &format!("/api/v1/elsewhere/{name}")).json()["organisation"].clone();
    let mut anna = edge.user("anna", "operate");
    let place = format!("/elsewhere/{name}/organisation");
    let page = anna.open("/elsewhere").text();
    assert!(page.contains(&format!("action=\"{place}\"")), "{page}");
    assert!(page.contains(&format!("<option value=\"{theirs}\" selected>theirs</option>")), "{page}");
    for (to, expected) in [("", Value::Null), (ours.as_str(), json!(ours))] {
        let token = anna.csrf.clone();
        let answer = anna.submit(&place, &[("csrf", &token), ("organisation", to)]);
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(owner(), expected);
    }
    // To nobody there is not, and by nobody whose role is for an organisation: there it is not offered either.
    let token = anna.csrf.clone();
    let answer = anna.submit(&place, &[("csrf", &token), ("organisation", "0a")]);
    assert_eq!(answer.status, 400, "{}", answer.text());
    let mut user = user(&edge, "owner", &ours, "operate");
    let page = user.open("/elsewhere").text();
    assert!(page.contains(name) && !page.contains(&place), "{page}");
    let token = user.csrf.clone();
    assert_eq!(user.submit(&place, &[("csrf", &token), ("organisation", &theirs)]).status, 403);
    assert_eq!(owner(), json!(ours));

    for (organisation, expected) in [(&theirs, json!(ours)), (&ours, Value::Null)] {
        let answer = edge.ask_api("DELETE", &format!("/api/v1/organisations/{organisation}"));
        assert_eq!((answer.status, owner()), (200, expected), "{}", answer.text());
    }
    let lines = edge.api("audit");
    let details: Vec<_> = lines.iter().filter(|line| line["action"] == "DELETE organisations/{id}").collect();
    let details: Vec<_> = details.iter().map(|line| text(&line["detail"])).collect();
    assert_eq!(details, ["\"theirs\": ", "\"ours\": ; now the edge's: pay.example"]);
}

fn organised(edge: &Edge, name: &str) -> String {
    let contact = json!([{ "name": "IT", "mail": format!("it@{name}.example"), "phone": "" }]);
    let made = edge.order_api("POST", "/api/v1/organisations", &json!({ "name": name, "contacts": contact }));
    assert_eq!(made.status, 201, "{}", made.text());
    text(&made.json()["id"])
}

fn user(edge: &Edge, name: &str, organisation: &str, role: &str) -> Browser {
    let order = json!({ "name": name, "organisations": { organisation: role }, "password": PASSWORD });
    let made = edge.order_api("POST", "/api/v1/users", &order);
    assert_eq!(made.status, 201, "{}", made.text());
    Browser::signed_in(edge, name, PASSWORD)
}
