//! Forms that are refused: each form of each page, filled in with what does not fit, says in the reader's language what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::{Browser, Edge, KeyKind, Origin, Response, Setup, Walk, authority, eventually};

#[test]
fn no_refused_form_speaks_english_to_who_reads_german() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.site(&["new.example"], &[&origin]);
    setup.certificate("more", &authority().issue_for(&["more.example"], KeyKind::Rsa, -1, 2000));
    let edge = setup.start();
    eventually("both certificates", || (edge.api("certificates").len() == 2).then_some(()));
    furnished(&edge);
    let mut anna = edge.user("anna", "admin");
    let pages = Walk::of(&mut anna);
    let forms: BTreeMap<String, BTreeSet<String>> = pages.0.values().flat_map(|page| forms_of(&page.text())).collect();
    assert!(forms.len() > 30, "{:?}", forms.keys());
    // What there is not, whatever is sent along.
    let gone = [
        "/users/0a/role",
        "/organisations/0a",
        "/contacts/0a/remove",
        "/links/0a/revoke",
        "/elsewhere/none.example/look",
    ];
    let gone = gone.map(|place| (place.to_owned(), BTreeSet::from(["csrf".to_owned()])));
    let (mut refused, mut english) = (BTreeSet::new(), Vec::new());
    for (place, names) in forms.into_iter().chain(gone) {
        // What ends one's own session, and what is no order.
        if ["/language", "/account/end"].contains(&&*place)
            || ["/reset", "/sign-out"].iter().any(|end| place.ends_with(end))
        {
            continue;
        }
        // With nothing in it, and with what fits nowhere.
        for wrong in [false, true] {
            let filled: Vec<(&str, &str)> = names
                .iter()
                .map(|name| match &**name {
                    "csrf" => ("csrf", anna.csrf.as_str()),
                    name => (name, if wrong { misfit(name) } else { "" }),
                })
                .collect();
            let [in_english, in_german] = ["en", "de"].map(|language| submitted(&anna, &place, &filled, language));
            if in_english.status < 400 || in_german.status < 400 {
                continue;
            }
            refused.insert(place.clone());
            let troubles = [in_english, in_german].map(|page| troubles_of(&page.text()));
            let [said, gesagt] = &troubles;
            assert!(!said.is_empty() && said.len() == gesagt.len(), "{place}: {troubles:?}");
            // Neither the same sentence, nor that sentence as a quotation.
            let is_english = |text: &String| said.iter().any(|said| text.contains(said.as_str()));
            english.extend(gesagt.iter().filter(|text| is_english(text)).map(|text| format!("{place}: {text}")));
        }
    }
    assert_eq!(english, Vec::<String>::new());
    for place in
        ["/users", "/organisations", "/contacts", "/elsewhere", "/links", "/certificates/add", "/account/password"]
    {
        assert!(refused.contains(place), "{place}: {refused:?}");
    }
    println!("refused, and told in German: {refused:?}");
}

/// Something of every kind, so that every form is there.
fn furnished(edge: &Edge) {
    let made = |path: &str, order: &serde_json::Value| {
        let made = edge.order_api("POST", path, order);
        assert_eq!(made.status, 201, "{path}: {}", made.text());
    };
    made("/api/v1/requests", &json!({ "request": { "sites": ["new.example"] } }));
    made("/api/v1/contacts", &json!({ "name": "Otto", "mail": "otto@shop.example" }));
    made("/api/v1/organisations", &json!({ "name": "Otto & Co", "sites": ["new.example"] }));
    made("/api/v1/elsewhere", &json!({ "url": "https://elsewhere.example", "reason": "customers" }));
    made("/api/v1/links", &json!({ "sites": ["new.example"] }));
    made("/api/v1/users", &json!({ "name": "otto", "role": "read" }));
}

/// What does not fit into a field.
fn misfit(name: &str) -> &'static str {
    match name {
        "name" | "reason" => "\u{7}",
        "country" => "Germany",
        "site" | "sites" => "none.example",
        "url" => "ftp://none",
        "grant" => "none:none",
        _ => "not this",
    }
}

fn submitted(browser: &Browser, place: &str, fields: &[(&str, &str)], language: &str) -> Response {
    let part = |(name, value): &(&str, &str)| {
        format!("--limit\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let content = fields.iter().map(part).collect::<String>() + "--limit--\r\n";
    let cookie = browser.cookie.as_deref().expect("signed in");
    let head = format!(
        "accept: text/html\r\naccept-language: {language}\r\ncookie: {cookie}\r\ncontent-type: multipart/form-data; boundary=limit\r\n"
    );
    browser.send(&format!("POST {place}"), &head, &content)
}

/// Where each form of a page goes that orders something, with the names of its fields.
fn forms_of(page: &str) -> Vec<(String, BTreeSet<String>)> {
    let forms = page.split("<form method=\"post\" action=\"").skip(1);
    let read = |form: &str| {
        let form = form.split("</form>").next().unwrap_or_default();
        let place = form.split('"').next().unwrap_or_default().to_owned();
        let names = form.split(" name=\"").skip(1).filter_map(|rest| rest.split('"').next());
        (place, names.map(str::to_owned).collect())
    };
    forms.map(read).collect()
}

/// What a page says went wrong: the text of what is marked as trouble.
fn troubles_of(page: &str) -> Vec<String> {
    let mut troubles = Vec::new();
    for tag in ["p", "div"] {
        for block in page.split(&format!("<{tag} class=\"trouble\"")).skip(1) {
            let block = block.split(&format!("</{tag}>")).next().unwrap_or_default();
            let inner = block.split_once('>').map_or("", |(_, inner)| inner);
            let text: String =
                inner.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, rest)| rest)).collect();
            troubles.push(text.trim().to_owned());
        }
    }
    troubles
}
