//! What was handed in by a link and waits for a yes or a no: those hear of it who look after the site.

use serde_json::{Value, json};

use crate::links::{hand_in, link, shop};
use crate::support::receiver::Receiver;
use crate::support::{Edge, Origin, Setup, Walk, eventually};

#[test]
fn what_waits_is_told_on_every_page_by_mail_and_by_a_post_until_somebody_decides() {
    let (origin, mails, posts) = (Origin::saying("hello"), Receiver::mail("plain", 0), Receiver::posts(SECRET));
    let mut setup = Setup::new();
    setup.site(&["shop.example", "www.shop.example"], &[&origin]).site(&["other.example"], &[&origin]);
    mails.used_by(&mut setup, "none");
    setup.set("reports", "daily = \"off\"").set("notices", "webhook_networks = [\"127.0.0.0/8\"]");
    let edge = setup.start();
    let contact = |order: Value| assert_eq!(edge.order_api("POST", "/api/v1/contacts", &order).status, 201);
    let events = json!(["handed_in"]);
    contact(
        json!({ "name": "Anna", "mail": "anna@shop.example", "site": "shop.example", "language": "de", "events": events }),
    );
    contact(json!({ "name": "Olga", "mail": "olga@shop.example", "site": "other.example", "events": events }));
    let hook = json!({ "url": format!("http://127.0.0.1:{}/hook", posts.port), "secret": SECRET });
    contact(json!({ "name": "chat", "webhook": hook, "events": events }));

    let (id, secret) = link(&edge, &json!({ "sites": ["shop.example"], "note": "our <b>supplier</b>" }));
    assert_eq!(waiting(&edge), Vec::<Value>::new());
    let answer = hand_in(edge.admin, &secret, &shop().both(), "");
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("waiting")), "{}", answer.text());
    let alert = waiting(&edge).pop().expect("an alert");
    assert_eq!(
        (&alert["subject"], &alert["site"], &alert["mend"], &alert["severity"]),
        (&json!("shop.example"), &json!("shop.example"), &json!("links"), &json!("warning"))
    );
    assert!(!alert["since"].is_null() && alert["text"].as_str().expect("text").contains("supplier"), "{alert}");
    for (language, bar) in
        [("en", "What was handed in by a link waits for a yes or a no: shop.example"), ("de", "Abgegebenes wartet")]
    {
        for (place, page) in Walk::in_language(&edge, language).0 {
            let text = page.text();
            assert!(page.status != 200 || !text.contains("<html") || text.contains(bar), "{place}: {text}");
            assert!(!text.contains("<b>supplier"), "{place}");
        }
    }
    let mail = mails.taking("the mail", |mail| mail["to"] == json!(["anna@shop.example"]));
    let told = mail.to_string();
    assert!(told.contains("Abgegeben") && told.contains("supplier"), "{told}");
    let post = posts.taking("the post", |post| post["body"]["data"]["events"][0]["kind"] == "handed_in");
    assert_eq!(
        (&post["body"]["data"]["events"][0]["subject"], &post["signed"]),
        (&json!("shop.example"), &json!(true))
    );
    assert!(mails.taken().iter().all(|mail| mail["to"] != json!(["olga@shop.example"])));

    let taken = edge.ask_api("POST", &format!("/api/v1/links/{id}/accept"));
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(waiting(&edge), Vec::<Value>::new());
    eventually("the certificate", || edge.api("certificates").pop());
}

fn waiting(edge: &Edge) -> Vec<Value> {
    edge.api("alerts").into_iter().filter(|alert| alert["code"] == "handed-in").collect()
}

const SECRET: &str = "quite-unguessable-4711";
