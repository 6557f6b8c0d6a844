//! What the trail has of refusals: as a code for programs, and in German for who reads German.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Browser, Origin, Setup, eventually, page_in, run};

#[test]
fn a_german_record_of_refusals_says_no_english_sentence() {
    let edge = Setup::shop(&Origin::saying("hello")).start();
    eventually("the certificate", || (edge.api("certificates").len() == 1).then_some(()));
    let fingerprint = edge.api("certificates")[0]["fingerprint"].as_str().expect("a fingerprint").to_owned();
    let refused = |method: &str, path: &str, order: Value| {
        let path = format!("/api/v1/{path}");
        let answer = match order.is_null() {
            true => edge.ask_api(method, &path),
            false => edge.order_api(method, &path, &order),
        };
        assert!(answer.status >= 400, "{method} {path}: {}", answer.text());
    };
    edge.user("anna", "admin");
    edge.token("a script", "read");
    refused("POST", "users", json!({ "name": "anna", "role": "read" }));
    refused("DELETE", "users/0a", Value::Null);
    refused("PATCH", "users/0a", json!({ "role": "read" }));
    refused("POST", "tokens", json!({ "name": "a script", "role": "read" }));
    refused("POST", "certificates/confirm-withdrawal", Value::Null);
    refused("POST", &format!("certificates/{fingerprint}/export"), json!({ "plain": true, "format": "pem" }));
    refused("POST", &format!("certificates/{fingerprint}/revoke"), json!({}));
    refused("POST", "acme/accounts/nobody/rollover", Value::Null);
    refused("POST", "sites/none.example/maintenance", json!({ "state": "on" }));
    refused("POST", "upstreams/none.example:80", json!({ "state": "draining" }));
    refused("DELETE", "sites/shop.example", Value::Null);
    refused("POST", "sites", json!({ "hosts": ["new.example"], "upstreams": ["not a url"] }));
    refused("POST", "sites/shop.example/choice", json!({ "certificate": "managed" }));
    refused("POST", "elsewhere", json!({ "url": "https://shop.example", "reason": "ours" }));
    assert_eq!(Browser::at(&edge).sign_in("anna", "another").status, 401);
    fs::write(edge.setup.folder.path().join("garbage.pem"), "garbage").expect("written");
    let import = ["certs", "import", "garbage.pem", "--config", "vitrine.toml"];
    assert_eq!(run(&import, &edge.setup).status.code(), Some(1));
    // What came to nothing, as the system said it.
    fs::write(edge.setup.state().join("organisations"), "in the way").expect("written");
    refused("POST", "organisations", json!({ "name": "Books" }));
    assert_eq!(edge.order_api("POST", "/api/v1/freeze", &json!({ "reason": "it is late" })).status, 200);
    refused("DELETE", "sites/shop.example", Value::Null);

    let lines = edge.api("audit");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let is_refusal = |line: &Value| line["result"] == "refused" || line["result"] == "failed";
    let refusals: Vec<&Value> = lines.iter().filter(|line| is_refusal(line)).collect();
    let told: Vec<(String, Value)> =
        refusals.iter().map(|line| (text(&line["why"]["code"]), line["why"]["details"].clone())).collect();
    let configuration = told[10].1[1].clone();
    let (mistakes, said) = (told[11].1.clone(), told[16].1.clone());
    assert!(text(&configuration).ends_with("vitrine.toml") && text(&mistakes).contains("not a url"), "{told:?}");
    let flaws = json!([{ "file": "garbage.pem", "code": "nothing", "about": [] }]);
    let expected = [
        ("name-taken", json!("user")),
        ("no-such", json!(["user", "0a"])),
        ("if-match-needed", Value::Null),
        ("name-taken", json!("token")),
        ("nothing-held", Value::Null),
        ("export-off", Value::Null),
        ("ordered-elsewhere", Value::Null),
        ("no-such", json!(["issuer", "nobody"])),
        ("no-such", json!(["site", "none.example"])),
        ("no-such", json!(["upstream", "none.example:80"])),
        ("site-written", json!(["shop.example", configuration])),
        ("site-unread", mistakes.clone()),
        ("no-terms", Value::Null),
        ("url-served", json!(["shop.example", "shop.example"])),
        ("wrong-password", json!("anna")),
        ("rejected", flaws),
        ("unwritten", said.clone()),
        ("frozen", json!([refusals[0]["who"], "it is late"])),
    ];
    assert_eq!(told, expected.map(|(code, details)| (code.to_owned(), details)));
    assert!(lines.iter().all(|line| is_refusal(line) != line["why"].is_null()), "{lines:?}");
    // What carries a code is held together as every line is.
    let verified = edge.ask_api("GET", "/api/v1/audit/verification").json();
    assert_eq!((&verified["lines"], &verified["broken"]), (&json!(lines.len()), &Value::Null));
    let listed = run(&["audit", "list", "--config", "vitrine.toml"], &edge.setup);
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    assert!(listed.contains("  ordered-elsewhere  the edge did not order it"), "{listed}");

    let as_shown = |text: &str| text.replace('&', "&#38;").replace('\'', "&#39;").replace('"', "&#34;");
    let [in_english, german] = ["en", "de"].map(|language| page_in(&edge, language, "/audit").text());
    let quotes: Vec<&str> =
        german.split("<q lang=\"en\">").skip(1).filter_map(|rest| rest.split("</q>").next()).collect();
    // What people wrote, and what the system and the reader of the configuration say.
    assert_eq!(quotes, ["it is late", &as_shown(&text(&said)), &as_shown(&text(&mistakes))]);
    for line in &refusals {
        let detail = as_shown(&text(&line["detail"]));
        assert!(in_english.contains(&detail), "{detail}: {in_english}");
        let is_quoted = [&mistakes, &said].contains(&&line["detail"]);
        assert!(is_quoted || !german.contains(&detail), "{detail}: {german}");
    }
    for sentence in [
        "Diesen Namen gibt es unter den Benutzern schon",
        "Den Benutzer „0a“ gibt es nicht",
        "Es fehlt, wovon dabei ausgegangen wird",
        "Nichts wird zurückgehalten",
        "Kein privater Schlüssel darf hinaus",
        "Es wurde nicht hier bestellt",
        "Die Zertifizierungsstelle „nobody“ gibt es nicht",
        "Den Upstream „none.example:80“ gibt es nicht",
        "Die Site „shop.example“ steht in ",
        "Ohne terms_of_service_agreed = true unter [acme]",
        "Was zur Site angegeben ist, passt nicht",
        "shop.example ist ein Host der Site shop.example",
        "falsches Passwort für den Benutzer &#34;anna&#34;",
        "garbage.pem: ",
        "Der Zustandsordner ist nicht zu lesen oder zu schreiben",
        "ändert sich gerade nichts (it is late)",
    ] {
        assert!(german.contains(sentence), "{sentence}: {german}");
    }
}
