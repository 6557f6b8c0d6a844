//! What pages offer to whom: nothing that would be refused, and nothing of others'.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Browser, Edge, Origin, PASSWORD, Setup, Walk, authority, eventually};

#[test]
fn a_reader_is_offered_nothing_that_would_be_refused() {
    let edge = start();
    let mut reader = edge.user("rita", "read");
    let pages = Walk::of(&mut reader);
    let seen = forms(&pages);
    for place in ["/sites/ours.example", "/contacts", "/rejected", "/audit", "/requests"] {
        assert_eq!(pages.0.get(place).map(|page| page.status), Some(200), "{place}");
    }
    // Whoever comes all the same is told, and offered no form either.
    for place in ["/certificates/add", "/requests/new", "/sites/ours.example/switch?to=self-signed"] {
        let page = reader.open(place);
        assert_eq!((page.status, own_forms(&page.text())), (403, BTreeSet::new()), "{place}");
    }
    assert_eq!(refused(&mut reader, &seen), Vec::<String>::new());

    // An operator is offered more, and may all of it.
    let mut operator = edge.user("otto", "operate");
    let offered = forms(&Walk::of(&mut operator));
    for form in ["/certificates/add", "/sites/ours.example/unswitch", "/contacts", "/sites/ours.example/proof"] {
        assert!(offered.contains(form), "{form}: {offered:?}");
    }
    assert!(!offered.iter().any(|form| form.ends_with("/export")), "{offered:?}");
    assert!(seen.len() < offered.len(), "{seen:?}");
    assert_eq!(refused(&mut operator, &offered), Vec::<String>::new());
}

#[test]
fn a_user_of_an_organisation_is_offered_what_is_its_own_and_hears_of_nobody_else() {
    let edge = start();
    let company = json!({ "organisation": "Ours GmbH", "locality": "Berlin", "country": "de" });
    let organise = |name: &str, site: &str| {
        let order = json!({ "name": name, "company": company, "contacts": [], "sites": [site] });
        let made = edge.order_api("POST", "/api/v1/organisations", &order);
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["id"].as_str().expect("an id").to_owned()
    };
    let (ours, _) = (organise("Ours", "ours.example"), organise("Theirs", "theirs.example"));
    for role in ["read", "operate"] {
        let order = json!({ "name": role, "organisations": { &ours: role }, "password": PASSWORD });
        let made = edge.order_api("POST", "/api/v1/users", &order);
        assert_eq!(made.status, 201, "{}", made.text());
        let mut user = Browser::signed_in(&edge, role, PASSWORD);
        let pages = Walk::of(&mut user);
        assert!(pages.0.contains_key("/sites/ours.example"), "{:?}", pages.0.keys());
        for (place, page) in &pages.0 {
            // The names in a certificate are there for all to read; what else there is of others is not.
            let text = page.text();
            assert!(page.status == 200 || page.status == 303, "{role}: {place}: {}: {text}", page.status);
            for foreign in ["/sites/theirs.example", "the site theirs.example", "only.theirs.example", "/rejected"] {
                assert!(!text.contains(foreign), "{role}: {place} names {foreign}: {text}");
            }
        }
        let offered = forms(&pages);
        assert_eq!(offered.contains("/certificates/add"), role == "operate", "{offered:?}");
        assert_eq!(offered.contains("/sites/ours.example/proof"), role == "operate", "{offered:?}");
        assert_eq!(refused(&mut user, &offered), Vec::<String>::new(), "{role}");
    }
}

/// An edge with sites of two houses and a certificate that is for both, of whose names one house has one that nothing covers and asks
/// for more than was checked.
fn start() -> Edge {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["ours.example"], &[&origin]);
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"theirs.example\", \"only.theirs.example\"]\nminimum_validation = \"ov\"\nupstreams = [\"{}\"]\n",
        origin.url()
    ));
    setup.certificate("both", &authority().issue(&["ours.example", "theirs.example"]));
    std::fs::write(setup.certs().join("garbage.pem"), "garbage").expect("written");
    let edge = setup.start();
    eventually("the certificate", || edge.api("certificates").pop());
    eventually("the file", || edge.api("rejected").pop());
    let chosen = edge.order_api("POST", "/api/v1/sites/ours.example/choice", &json!({ "certificate": "uploaded" }));
    assert_eq!(chosen.status, 200, "{}", chosen.text());
    let made = edge.order_api("POST", "/api/v1/requests", &json!({ "request": { "sites": ["ours.example"] } }));
    assert_eq!(made.status, 201, "{}", made.text());
    let contact = json!({ "name": "Anna", "mail": "anna@ours.example" });
    assert_eq!(edge.order_api("POST", "/api/v1/contacts", &contact).status, 201);
    edge
}

/// Where the forms of all pages go that order something.
fn forms(pages: &Walk) -> BTreeSet<String> {
    pages.0.values().flat_map(|page| own_forms(&page.text())).collect()
}

fn own_forms(page: &str) -> BTreeSet<String> {
    let posts = page.split("method=\"post\" action=\"").skip(1).filter_map(|rest| rest.split('"').next());
    // To end one's session is always allowed, and the language is no order.
    posts.filter(|place| !["/language", "/sign-out"].contains(place)).map(str::to_owned).collect()
}

/// Sends every form with nothing but its token in it; gives those that are refused for who sends them.
fn refused(user: &mut Browser, forms: &BTreeSet<String>) -> Vec<String> {
    let send = |place: &&String| {
        let token = user.csrf.clone();
        let answer = user.submit(place, &[("csrf", &token)]);
        (answer.status == 403).then(|| format!("{place}: {}", answer.text()))
    };
    forms.iter().collect::<Vec<_>>().iter().filter_map(send).collect()
}
