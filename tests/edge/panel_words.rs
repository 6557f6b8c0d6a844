//! Pages in German: what the API says by codes and in English is said in German there.

use std::fs;

use serde_json::{Value, json};

use crate::support::managed::{orders_in, site_text};
use crate::support::{Browser, KeyKind, Origin, Setup, Walk, authority, eventually, page_in};

#[test]
fn no_german_page_says_what_the_api_says_in_english() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["late.example"], &[&origin]).site(&["half.example", "www.half.example"], &[&origin]);
    setup.site(&["new.example"], &[&origin]).site(&["soon.example"], &[&origin]);
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"strict.example\"]\nminimum_validation = \"ev\"\nupstreams = [\"{}\"]\n",
        origin.url()
    ));
    let issued = |names: &[&str], from: i64, until: i64| authority().issue_for(names, KeyKind::Ecdsa, from, until);
    // Ordered from nobody.
    setup.set("acme", "terms_of_service_agreed = true").set("acme", "preflight = \"off\"");
    setup.raw_site("[[acme.issuer]]\nname = \"nobody\"\ndirectory = \"https://127.0.0.1:9/dir\"\n");
    setup.raw_site(&site_text(&origin, "auto.example", ""));
    setup.certificate("late", &issued(&["late.example"], -100, -1));
    setup.certificate("half", &issued(&["half.example", "unused.example"], -1, 2000));
    setup.certificate("soon", &issued(&["soon.example"], -1, 100));
    setup.certificate("strict", &issued(&["strict.example"], -1, 2000));
    let file = |name: &str, content: &str| fs::write(setup.certs().join(name), content).expect("written");
    file("garbage.pem", "garbage");
    file("empty.crt", "");
    file("alone.key", &issued(&["alone.example"], -1, 100).key);
    file("alone.crt", &issued(&["waits.example"], -1, 100).chain);
    let edge = setup.start();
    eventually("all files", || (edge.api("rejected").len() == 4).then_some(()));
    eventually("all certificates", || (edge.api("certificates").len() == 4).then_some(()));
    orders_in(&edge, "auto.example", "FAILED");
    let made = edge.order_api("POST", "/api/v1/requests", &json!({ "request": { "sites": ["new.example"] } }));
    assert_eq!(made.status, 201, "{}", made.text());

    let mut english: Vec<String> = Vec::new();
    for list in ["certificates", "rejected", "alerts", "alarms", "requests", "sites", "audit"] {
        edge.api(list).iter().for_each(|one| gather(one, &mut english));
    }
    gather(&edge.ask_api("GET", "/api/v1/sites/auto.example").json(), &mut english);
    for expected in
        ["the certificate is expired", "accepted with warnings", "the file is empty", "asks for EV", "onnect"]
    {
        assert!(english.iter().any(|text| text.contains(expected)), "{expected}: {english:?}");
    }
    let pages = Walk::in_language(&edge, "de").0;
    for kind in ["/certificates/", "/requests/", "/sites/late.example", "/rejected", "/alerts"] {
        assert!(pages.keys().any(|place| place.starts_with(kind)), "{kind}: {:?}", pages.keys());
    }
    let mut shown = String::new();
    for (place, page) in &pages {
        assert!(page.status == 200 || page.status == 303, "{place}: {}", page.text());
        let text = without_quotes(&page.text());
        for sentence in &english {
            assert!(!text.contains(sentence.as_str()), "{place} says {sentence:?}");
        }
        shown += &text;
    }
    for german in [
        "Das Zertifikat ist abgelaufen",
        "angenommen mit Warnungen",
        "Keine Site hat diese Namen des Zertifikats: unused.example",
        "Kein Zertifikat deckt diese Namen der Site half.example ab: www.half.example",
        "Die Site strict.example verlangt EV",
        "Der private Schlüssel wartet auf sein Zertifikat",
        "Kein Zertifikat deckt www.half.example ab",
        "Die Zertifizierungsstelle war nicht zu erreichen",
    ] {
        assert!(shown.contains(german), "{german}");
    }
    // The same in English is there to be found: the walk would see it.
    let pages = Walk::in_language(&edge, "en").0;
    let all: String = pages.values().map(|page| without_quotes(&page.text())).collect();
    assert!(all.contains("the certificate is expired: browsers show a warning instead of the shop"));
}

#[test]
fn the_record_of_deeds_says_its_fixed_sentences_in_german_and_quotes_what_people_wrote() {
    let edge = Setup::shop(&Origin::saying("hello")).start();
    eventually("the certificate", || (edge.api("certificates").len() == 1).then_some(()));
    let done = |method: &str, path: &str, order: Value| {
        let path = format!("/api/v1/{path}");
        let answer = match order.is_null() {
            true => edge.ask_api(method, &path),
            false => edge.order_api(method, &path, &order),
        };
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
        answer.json()
    };
    let made = |path: &str, order: Value| done("POST", path, order)["id"].as_str().expect("an id").to_owned();
    let user = made("users", json!({ "name": "otto", "role": "read" }));
    done("POST", &format!("users/{user}/reset"), Value::Null);
    done("DELETE", &format!("users/{user}/sessions"), Value::Null);
    let mut anna = edge.user("anna", "admin");
    let changed = anna.ask("PATCH", &format!("/api/v1/users/{user}"), Some(&json!({ "role": "operate" })));
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(Browser::at(&edge).sign_in("anna", "another").status, 401);
    made("tokens", json!({ "name": "a script", "role": "read" }));
    let organisation = made("organisations", json!({ "name": "Books" }));
    let watched = json!({ "url": "https://pay.example", "reason": "our provider", "organisation": organisation });
    done("POST", "elsewhere", watched);
    done("POST", "elsewhere/pay.example/watched", json!({ "watched": false, "reason": "not now" }));
    done("POST", "elsewhere/pay.example/watched", json!({ "watched": true }));
    done("DELETE", &format!("organisations/{organisation}"), Value::Null);
    let link = made("links", json!({ "sites": ["shop.example"], "note": "for Anna" }));
    done("DELETE", &format!("links/{link}"), Value::Null);
    done("POST", "sites/shop.example/choice", json!({ "certificate": "uploaded" }));
    done("POST", "sites/shop.example/minimum", json!({ "level": "dv" }));
    done("POST", "sites/shop.example/maintenance", json!({ "state": "configured" }));
    done("POST", "freeze", json!({ "reason": "it is late" }));
    done("DELETE", "freeze", Value::Null);
    done("DELETE", "log-level", Value::Null);

    let page = page_in(&edge, "de", "/audit").text();
    let text = without_quotes(&page).replace("&#34;", "\"");
    for german in [
        "\"otto\", Rolle read<",
        "ein Passwort für ein Mal für \"otto\"<",
        "\"otto\", beendete Sitzungen: 0<",
        "\"otto\", Rolle operate, vorher Rolle read<",
        "falsches Passwort für den Benutzer \"anna\"<",
        "\"a script\", Rolle read<",
        "ausgelassen: not now<",
        "wieder aufgeführt<",
        "\"Books\": ; jetzt bei der Edge: pay.example<",
        "\"for Anna\" für shop.example, offen; bis ",
        "\"for Anna\" für shop.example, zurückgenommen<",
        "hochgeladen<",
        "mindestens geprüft: dv<",
        "wie in der Konfiguration<",
        "aufgehoben<",
    ] {
        assert!(text.contains(german), "{german}: {text}");
    }
    let quoted: Vec<&str> =
        page.split("<q lang=\"en\">").skip(1).filter_map(|rest| rest.split("</q>").next()).collect();
    assert_eq!(quoted, ["it is late", "our provider", "&#34;Books&#34;: "]);
    // In English all is as it was written.
    let page = page_in(&edge, "en", "/audit").text();
    assert!(page.contains("<q lang=\"en\">not watched: not now</q>"), "{page}");
}

/// What the API says in words: not names, codes and times.
fn gather(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    // A single word is a code.
                    Value::String(text) if WORDS.contains(&name.as_str()) && text.contains(' ') => {
                        // As pages write it.
                        let text = text.replace('&', "&#38;").replace('\'', "&#39;").replace('"', "&#34;");
                        texts.push(text.replace('<', "&#60;").replace('>', "&#62;"));
                    }
                    value => gather(value, texts),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, texts)),
        _ => {}
    }
}

/// Without what is marked as English, which others wrote.
fn without_quotes(page: &str) -> String {
    let mut parts = page.split("<q lang=\"en\">");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once("</q>").map_or("", |(_, rest)| rest))
}

const WORDS: &[&str] = &["reason", "mend", "text", "message", "verdict", "next", "last_error", "rule", "detail"];
