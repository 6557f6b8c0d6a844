//! Who is told what: by a real mail server, and by posts whose signatures somebody else checks.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::command::{done, refused, vitrine};
use crate::support::receiver::{Receiver, secret_file};
use crate::support::{Edge, KeyKind, Origin, Setup, authority, replace_file, within};
use crate::truth::Impostor;

/// From a fault to the mail of it: what is owed.
const OWED: Duration = Duration::from_secs(120);

fn with_operators(setup: &mut Setup) {
    setup.raw_site("[[notices.contact]]\nname = \"operators\"\nmail = \"ops@shop.example\"\n");
}

pub(crate) fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    let headers = mail["headers"].as_array().expect("headers");
    let found: Vec<_> = headers.iter().filter(|header| header[0] == name).collect();
    assert_eq!(found.len(), 1, "{name}: {mail}");
    found[0][1].as_str().expect("a value")
}

fn told(receiver: &Receiver, begun: Instant, subject: &str) -> Value {
    let mail =
        within(OWED, subject, || receiver.taken().into_iter().find(|mail| header(mail, "Subject").contains(subject)));
    println!("{subject}: told after {:.1} s", begun.elapsed().as_secs_f64());
    mail
}

#[test]
fn a_test_tells_whether_mails_arrive_over_tls_and_after_starttls() {
    for (mode, security) in [("tls", "tls"), ("starttls", "starttls")] {
        let (origin, server) = (Origin::saying("hello"), Receiver::mail(mode, 0));
        let mut setup = Setup::shop(&origin);
        server.used_by(&mut setup, security);
        with_operators(&mut setup);
        let edge = setup.start();
        let said = done(vitrine(&edge, "contacts test operators"));
        assert_eq!(said, "told: the other side took it, and operators should have it soon\n");
        let mail = server.taking("a mail", |_| true);
        assert_eq!(
            (&mail["encrypted"], &mail["user"], &mail["sender"]),
            (&true.into(), &"edge".into(), &"edge@shop.example".into())
        );
        assert_eq!(mail["to"], json!(["ops@shop.example"]));
        for (name, value) in [
            ("From", "Edge Köln <edge@shop.example>"),
            ("To", "ops@shop.example"),
            ("Subject", "A test from Vitrine"),
            ("Auto-Submitted", "auto-generated"),
            ("List-Id", "<test.vitrine.shop.example>"),
            ("MIME-Version", "1.0"),
        ] {
            assert_eq!(header(&mail, name), value);
        }
        assert!(header(&mail, "Message-ID").ends_with(".vitrine@shop.example>"), "{mail}");
        let text =
            "This is a test for the contact operators. Nothing has happened: notices for this contact arrive here.";
        assert_eq!((&mail["text"], &mail["html"]), (&format!("{text}\n").into(), &format!("<p>{text}</p>\n").into()));

        // The password is read whenever a connection is made.
        secret_file(&edge.setup, "mail.password", "wrong hunter2\n");
        let said = refused(vitrine(&edge, "contacts test operators"));
        let place = format!("the mail server localhost:{}", server.port);
        let expected =
            format!("not told: {place}: refuses the user \"edge\" (535); see mail.user and mail.password_file");
        assert!(said.contains(&expected), "{said}");
        assert!(!edge.log().iter().any(|line| line.to_string().contains("hunter2")));
        assert_eq!(server.taken().len(), 1);
    }
}

#[test]
fn a_mail_server_that_nobody_vouches_for_is_told_nothing() {
    let (origin, server) = (Origin::saying("hello"), Receiver::mail("tls", 0));
    let mut setup = Setup::shop(&origin);
    server.used_by(&mut setup, "tls");
    setup.forget("certificates", "trusted_roots");
    with_operators(&mut setup);
    let edge = setup.start();
    let said = refused(vitrine(&edge, "contacts test operators"));
    assert!(said.contains("no TLS connection") && said.contains("certificates.trusted_roots"), "{said}");
    assert_eq!(server.said(), 0);
}

#[test]
fn what_ends_is_missing_or_shown_by_somebody_else_is_told_within_two_minutes() {
    let (origin, server) = (Origin::saying("hello"), Receiver::mail("plain", 0));
    let mut setup = Setup::new();
    // The system gives an impostor some of the connections: of so many it gets one.
    let names: Vec<String> = (0..24).map(|number| format!("shop-{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    setup.site(&names, &[&origin]).certificate("shop", &authority().issue_for(&names, KeyKind::Ecdsa, -2, 90 * 24));
    server.used_by(&mut setup, "none");
    setup.set("admin", "public_url = \"https://edge.shop.example/\"");
    with_operators(&mut setup);
    let edge = setup.start();

    let begun = Instant::now();
    let impostor = Impostor::join(edge.https, &authority().issue(&names));
    let next = authority().issue_for(&names, KeyKind::Ecdsa, -1, 60 * 24);
    replace_file(&edge.setup.certs().join("shop.pem"), next.both());
    let mail = told(&server, begun, "shop-0.example is served another certificate than the published one");
    let text = mail["text"].as_str().expect("a text");
    assert!(text.contains("\nServed otherwise than published\n") || text.starts_with("Served otherwise"), "{text}");
    assert!(text.contains("https://edge.shop.example/sites/shop-0.example\n"), "{text}");
    assert!(
        mail["html"]
            .as_str()
            .is_some_and(|html| html.contains("href=\"https://edge.shop.example/sites/shop-0.example\""))
    );
    drop(impostor);

    let begun = Instant::now();
    fs::rename(edge.setup.certs(), edge.setup.folder.path().join("away")).expect("moved");
    let mail = told(&server, begun, "The edge needs a hand: folder-missing");
    assert_eq!(header(&mail, "List-Id"), "<notices.vitrine.shop.example>");

    let begun = Instant::now();
    fs::create_dir(edge.setup.certs()).expect("a folder");
    told(&server, begun, "withdrawal-held");
    assert_eq!(edge.scrape().sum("vitrine_notices_total", &[("channel", "mail"), ("result", "told")]), 3.0);
    assert_eq!(edge.api("notices"), Vec::<Value>::new());
}

#[test]
fn one_who_is_refused_keeps_nothing_from_the_others_of_the_same_event() {
    let (origin, server) = (Origin::saying("hello"), Receiver::mail("plain", 0));
    let mut setup = Setup::shop(&origin);
    server.used_by(&mut setup, "none");
    for name in ["gone", "busy", "there"] {
        setup.raw_site(&format!(
            "[[notices.contact]]\nname = \"{name}\"\nmail = \"{name}@shop.example\"\nevents = [\"rejected\"]\n"
        ));
    }
    server.answers(
        &json!({ "gone@shop.example": "550 5.1.1 no such user", "busy@shop.example": "451 4.7.1 greylisted" }),
    );
    let edge = setup.start();
    fs::write(edge.setup.certs().join("bad.pem"), "garbage").expect("written");
    let first = within(OWED, "a mail", || server.taken().into_iter().next());
    assert_eq!(
        (&first["to"], header(&first, "Subject")),
        (&json!(["there@shop.example"]), "The file certs/bad.pem was rejected")
    );
    let waiting = within(OWED, "two that wait", || {
        let waiting = edge.api("notices");
        (waiting.len() == 2 && waiting.iter().all(|one| one["attempts"] == 1)).then_some(waiting)
    });
    let error = |name: &str| {
        let one = waiting.iter().find(|one| one["to"] == name).expect("it waits");
        one["last_error"].as_str().expect("an error").to_owned()
    };
    assert_eq!(error("gone"), "gone@shop.example: 550 5.1.1 no such user");
    assert_eq!(error("busy"), "busy@shop.example: 451 4.7.1 greylisted");
    server.answers(&json!({}));
    assert_eq!(done(vitrine(&edge, "contacts retry")), "2 are tried at once\n");
    within(OWED, "the others", || (server.taken().len() == 3).then_some(()));
    assert_eq!(done(vitrine(&edge, "contacts waiting")), "everything was told\n");
}

#[test]
fn posts_are_signed_stay_outside_and_follow_nothing() {
    let (origin, hook) = (Origin::saying("hello"), Receiver::posts("correct horse battery"));
    let mut setup = Setup::shop(&origin);
    setup.set("notices", "webhook_networks = [\"127.0.0.0/8\"]");
    secret_file(&setup, "chat.url", &format!("http://127.0.0.1:{}/hook/hunter2\n", hook.port));
    secret_file(&setup, "chat.secret", "correct horse battery\n");
    let edge = setup.start();
    let add = "contacts add chat --webhook-file chat.url --secret-file chat.secret --event rejected";
    let said = done(vitrine(&edge, add));
    assert!(
        said.starts_with(&format!("made: chat, told by http://127.0.0.1:{} (json, signed) of everything", hook.port)),
        "{said}"
    );
    fs::write(edge.setup.certs().join("bad.pem"), "garbage").expect("written");
    let post = within(OWED, "a post", || hook.taken().into_iter().next());
    assert_eq!((&post["signed"], &post["path"]), (&true.into(), &"/hook/hunter2".into()));
    let event = &post["body"]["data"]["events"][0];
    assert_eq!(
        (&event["kind"], &event["subject"], &event["state"]),
        (&"rejected".into(), &"certs/bad.pem".into(), &"began".into())
    );
    assert_eq!(post["body"]["delivery"], post["post"]);

    hook.answers(&json!({ "status": 302 }));
    let said = refused(vitrine(&edge, "contacts test chat"));
    assert!(said.contains("answers 302 Found with another address, which is not followed"), "{said}");
    assert_eq!(hook.taken().len(), 2);
    // Nothing of what is secret is told anywhere.
    let contacts = edge.ask_api("GET", "/api/v1/contacts").text();
    let audit = edge.ask_api("GET", "/api/v1/audit").text();
    let log: String = edge.log().iter().map(Value::to_string).collect();
    for text in [contacts, audit, log, edge.scrape().0] {
        assert!(!text.contains("hunter2") && !text.contains("battery"), "{text}");
    }
    let mut edge = closed(edge);
    let said = refused(vitrine(&edge, "contacts test chat"));
    assert!(said.contains("which is inside a network of one's own") && !said.contains("hunter2"), "{said}");
    assert_eq!(hook.taken().len(), 2);
    edge.setup.set("notices", "language = \"de\"");
    edge.reload();
    assert_eq!(edge.api("contacts")[0]["language"], "en");
}

#[test]
fn an_organisation_hears_of_its_own_sites_alone() {
    let (origin, server) = (Origin::saying("hello"), Receiver::mail("plain", 0));
    let mut setup = Setup::shop(&origin);
    setup.site(&["other.example"], &[&origin]);
    server.used_by(&mut setup, "none");
    let edge = setup.start();
    let order = json!({ "name": "Acme", "sites": ["shop.example"] });
    let made = edge.order_api("POST", "/api/v1/organisations", &order);
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let contact =
        |organisation: &str| json!({ "name": organisation, "mail": "it@acme.example", "organisation": organisation });
    let unknown = edge.order_api("POST", "/api/v1/contacts", &contact("nobody"));
    assert!(
        unknown.status == 400 && unknown.text().contains("organisation: there is none of the id"),
        "{}",
        unknown.text()
    );
    let made = edge.order_api("POST", "/api/v1/contacts", &contact(&id));
    assert_eq!(made.status, 201, "{}", made.text());
    // Both end within the week.
    for name in ["other.example", "shop.example"] {
        let brief = authority().issue_for(&[name], KeyKind::Ecdsa, -1, 5 * 24);
        replace_file(&edge.setup.certs().join(format!("{}.pem", name.trim_end_matches(".example"))), brief.both());
    }
    let mail = told(&server, Instant::now(), "The certificate of shop.example ends within 7 days");
    assert_eq!(mail["to"], json!(["it@acme.example"]));
    assert!(!mail["text"].to_string().contains("other.example"), "{mail}");
}

/// The same edge, which may not post to its own network any more.
fn closed(mut edge: Edge) -> Edge {
    edge.setup.set("notices", "webhook_networks = []");
    edge.reload();
    edge
}
