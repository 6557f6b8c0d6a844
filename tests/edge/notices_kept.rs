//! What is told is neither lost nor doubled: over kills at every step, and over days without a mail server.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::clocks::Clock;
use crate::support::receiver::Receiver;
use crate::support::{KeyKind, Origin, Setup, authority, within};

const PATIENCE: Duration = Duration::from_secs(120);

fn setup(origin: &Origin, server: &Receiver) -> Setup {
    let mut setup = Setup::shop(origin);
    server.used_by(&mut setup, "none");
    let events = "events = [\"rejected\"]";
    setup.raw_site(&format!("[[notices.contact]]\nname = \"operators\"\nmail = \"ops@shop.example\"\n{events}\n"));
    setup
}

fn subject(mail: &Value) -> String {
    let headers = mail["headers"].as_array().expect("headers");
    let found = headers.iter().find(|header| header[0] == "Subject").expect("a subject");
    found[1].as_str().expect("text").to_owned()
}

#[test]
fn a_kill_at_any_step_loses_no_mail_and_doubles_none_that_was_not_on_its_way() {
    let (origin, server) = (Origin::saying("hello"), Receiver::mail("plain", 0));
    let mut edge = setup(&origin, &server).start();
    let steps = ["connect", "mail", "rcpt", "data", "taken"];
    for step in steps {
        let before = server.said();
        server.hold(step);
        fs::write(edge.setup.certs().join(format!("{step}.pem")), "garbage").expect("written");
        within(PATIENCE, "something that waits", || edge.api("notices").into_iter().next());
        server.reached(before, step);
        let setup = edge.end(Signal::KILL);
        server.release();
        edge = setup.start();
        within(PATIENCE, "an end of the queue", || {
            let told = server.taken().iter().any(|mail| subject(mail).contains(&format!("certs/{step}.pem")));
            (told && edge.api("notices").is_empty()).then_some(())
        });
    }
    let mut taken: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for mail in server.taken() {
        taken.entry(subject(&mail)).or_default().push(mail["mail"].clone());
    }
    assert_eq!(taken.len(), steps.len(), "{taken:?}");
    for step in steps {
        let names = &taken[&format!("The file certs/{step}.pem was rejected")];
        // What the server has taken, and could not say so, comes again under the same name.
        let most = if matches!(step, "data" | "taken") { 2 } else { 1 };
        assert!((1..=most).contains(&names.len()) && names.iter().all(|name| *name == names[0]), "{step}: {names:?}");
    }
}

#[test]
fn a_week_without_a_mail_server_and_with_starts_in_between_brings_every_mail_once() {
    let origin = Origin::saying("hello");
    let place = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = place.local_addr().expect("an address").port();
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]);
    // It ends in nine days.
    setup.certificate("shop", &authority().issue_for(&["shop.example"], KeyKind::Ecdsa, -24, 9 * 24));
    setup.set("mail", &format!("server = \"127.0.0.1:{port}\"")).set("mail", "security = \"none\"");
    setup.set("mail", "from = \"edge@shop.example\"");
    let events = "events = [\"expiring\", \"expired\"]";
    setup.raw_site(&format!("[[notices.contact]]\nname = \"operators\"\nmail = \"ops@shop.example\"\n{events}\n"));
    setup.set("reports", "daily = \"off\"").set("reports", "monthly = \"off\"");
    let clock = Clock::of(&mut setup);
    // Nobody accepts, and the system refuses once its queue is given back.
    drop(place);
    let mut edge = setup.start();
    for (day, waiting) in [(0, 1), (1, 1), (3, 2), (5, 2), (7, 3), (8, 3), (10, 5)] {
        clock.moved(&edge, day * 24);
        within(PATIENCE, "what is due", || (edge.api("notices").len() >= waiting.min(4)).then_some(()));
        let signal = if day % 2 == 0 { Signal::KILL } else { Signal::TERM };
        edge = edge.end(signal).start();
    }
    let due = within(PATIENCE, "all that is due", || {
        let due: Vec<String> =
            edge.api("notices").iter().map(|one| one["subject"].as_str().expect("text").to_owned()).collect();
        due.last().is_some_and(|last| last.contains("expired")).then_some(due)
    });
    let server = Receiver::mail("plain", port);
    within(PATIENCE, "an empty queue", || edge.api("notices").is_empty().then_some(()));
    let mut edge = edge.end(Signal::KILL).start();
    clock.moved(&edge, 10 * 24);
    edge = edge.end(Signal::TERM).start();
    assert!(edge.api("notices").is_empty());
    let mut taken: Vec<String> = server.taken().iter().map(subject).collect();
    let mut due = due;
    taken.sort_unstable();
    due.sort_unstable();
    assert_eq!(taken, due);
    let within_days =
        |days: &str| taken.iter().filter(|subject| subject.contains(&format!("ends within {days}"))).count();
    assert_eq!([within_days("10 days"), within_days("7 days"), within_days("3 days")], [1, 1, 1], "{taken:?}");
    println!("ten days away, eight starts: {} mails, each once", taken.len());
}
