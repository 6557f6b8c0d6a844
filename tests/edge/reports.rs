//! Reports at regular times, mailed through a real mail server while the clock of the edge is moved.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clocks::Clock;
use crate::support::command::{done, refused, vitrine};
use crate::support::python::Speaker;
use crate::support::{Edge, KeyKind, Origin, Setup, authority, eventually, within};

#[test]
fn each_report_that_falls_due_is_mailed_once_however_long_the_edge_was_away() {
    let (origin, mails) = (Origin::saying("the shop"), Mails::start());
    let mut setup = shops(&origin, &mails);
    let clock = Clock::of(&mut setup);
    let edge = setup.start();
    eventually("the first look", || edge.setup.state().join("reports/begun.json").exists().then_some(()));
    assert_eq!(mails.taken(), Vec::<Value>::new());

    clock.moved(&edge, 24);
    let mail = within(Duration::from_secs(90), "the mail of the day", || mails.taken().first().cloned());
    let text = mail["text"].as_str().expect("a text");
    assert_eq!(mail["to"], json!(["ops@shop.example"]));
    let subject = mail["subject"].as_str().expect("a subject");
    assert!(subject.starts_with("Daily certificate report 20"), "{subject}");
    assert!(subject.ends_with(" 1 expired, 1 expiring, 1 without a certificate"), "{subject}");
    for url in ["https://soon.example", "https://old.example", "https://none.example"] {
        assert!(text.contains(url) && mail["html"].as_str().expect("a page").contains(url), "{url}: {text}");
    }
    for other in ["https://fine.example", "https://staging.test"] {
        assert!(!text.contains(other), "{other}: {text}");
    }
    // It is told before it is kept.
    eventually("the report of that mail", || (made_ids(&edge).len() == 1).then_some(()));
    assert_eq!(mails.taken().len(), 1);

    // Four days away, then started twice: each of them comes, and comes once.
    let setup = edge.end(Signal::TERM);
    clock.set(24 + 4 * 24);
    let edge = setup.start();
    let daily = || made_ids(&edge).iter().filter(|id| id.starts_with("daily-")).count();
    within(Duration::from_secs(90), "four more reports", || (daily() == 5).then_some(()));
    let all = made_ids(&edge).len();
    within(Duration::from_secs(90), "their mails", || (mails.taken().len() == all).then_some(()));
    // What was handed over and not yet crossed off would be handed over again after a kill: mail knows no better.
    eventually("nothing that waits", || edge.api("notices").is_empty().then_some(()));
    let edge = edge.end(Signal::KILL).start();
    // One that is asked for comes behind whatever else would.
    let told = done(vitrine(&edge, "reports make monthly"));
    assert!(told.starts_with("asked-monthly-") && told.contains(": made, and on its way\n"), "{told}");
    within(Duration::from_secs(90), "that mail", || (mails.taken().len() > all).then_some(()));
    assert_eq!((mails.taken().len(), made_ids(&edge).len()), (all + 1, all + 1));
    let subjects: std::collections::BTreeSet<String> =
        mails.taken().iter().map(|mail| mail["subject"].to_string()).collect();
    assert_eq!(subjects.len(), all + 1, "{subjects:?}");
}

#[test]
fn what_nobody_wants_to_hear_of_is_left_out_with_a_reason_that_is_on_record() {
    let (origin, mails) = (Origin::saying("the shop"), Mails::start());
    let edge = shops(&origin, &mails).start();
    let report = ask(&edge, "daily");
    assert_eq!(lines(&report), ["https://none.example", "https://old.example", "https://soon.example"]);
    assert_eq!((&report["urls"], &report["unwatched"]), (&json!(5), &json!(0)));
    // Why is needed.
    let order = json!({ "watched": false });
    let answer = edge.order_api("POST", "/api/v1/watched/old.example", &order);
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(
        answer.text().contains("reason: is needed: why somebody wants to hear of this URL, or nobody any more"),
        "{}",
        answer.text()
    );
    let told = done(vitrine(&edge, "reports unwatch old.example --reason moved"));
    assert_eq!(told.trim(), "old.example: left out of reports from now on");
    assert!(refused(vitrine(&edge, "reports unwatch other.example --reason moved")).contains("no site has the host"));
    let report = ask(&edge, "daily");
    assert_eq!(lines(&report), ["https://none.example", "https://soon.example"]);
    assert_eq!(report["unwatched"], 1);
    let list = done(vitrine(&edge, "reports watched"));
    assert!(list.lines().any(|line| line.starts_with("old.example") && line.ends_with("moved")), "{list}");
    let record =
        edge.api("audit").into_iter().find(|deed| deed["object"] == "watched/old.example" && deed["result"] == "done");
    assert_eq!(record.expect("a record")["detail"], "not watched: moved");

    // It outlasts a start, and is taken back.
    let edge = edge.end(Signal::TERM).start();
    assert_eq!(lines(&ask(&edge, "daily")).len(), 2);
    done(vitrine(&edge, "reports watch old.example"));
    let report = ask(&edge, "daily");
    assert_eq!(lines(&report).len(), 3);
    let path = format!("/api/v1/reports/{}", report["id"].as_str().expect("an id"));
    let kept = edge.ask_api("GET", &path).json();
    // What it says stays; what has become of its mail goes on.
    for stays in ["id", "kind", "due", "made", "urls", "unwatched", "lines"] {
        assert_eq!((&kept[stays], kept.get(stays).is_some()), (&report[stays], true), "{stays}");
    }
    eventually("the mail that is told", || {
        let kept = edge.ask_api("GET", &path).json();
        (kept["told"] == 1 && kept["waiting"] == 0 && kept["deliveries"][0]["state"] == "told").then_some(())
    });
    let table = edge.ask_api("GET", &format!("{path}/csv"));
    assert_eq!(table.field("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let table = table.text();
    let table: Vec<&str> = table.lines().collect();
    assert_eq!((table.len(), table[0]), (4, "url,state,not_after,days_left,source,late,site"));
    assert!(table[1].starts_with("https://none.example,missing,,,uploaded,false,"), "{}", table[1]);
    let heads = edge.api("reports");
    assert_eq!((heads[0]["listed"].clone(), heads[0].get("lines")), (json!(3), None));
    for id in ["begun", "daily-1999-01-01", "unwatched"] {
        assert_eq!(edge.ask_api("GET", &format!("/api/v1/reports/{id}")).status, 404, "{id}");
    }
}

/// One URL that ends within days, one that has ended, one without anything, one that is well, and one that renews itself.
pub(crate) fn shops(origin: &Origin, mails: &Mails) -> Setup {
    let mut setup = Setup::new();
    setup.site(&["soon.example"], &[origin]).site(&["old.example"], &[origin]).site(&["none.example"], &[origin]);
    setup.site(&["fine.example"], &[origin]);
    setup.raw_site(&(crate::support::site(&["staging.test"], &[origin.url()]) + "certificate = \"self-signed\"\n"));
    for (name, from, until) in [("soon", -1, 60), ("old", -100, -1), ("fine", -1, 90 * 24)] {
        let issued = authority().issue_for(&[&format!("{name}.example")], KeyKind::Ecdsa, from, until);
        setup.certificate(name, &issued);
    }
    setup.set("mail", &format!("server = \"127.0.0.1:{}\"", mails.server.port));
    setup.set("mail", "security = \"none\"").set("mail", "from = \"Vitrine <edge@shop.example>\"");
    setup.set("reports", "recipients = [\"ops@shop.example\"]").set("reports", "monthly = \"off\"");
    setup
}

/// A report that is made now.
pub(crate) fn ask(edge: &Edge, kind: &str) -> Value {
    // Names are taken from the second.
    let known = made_ids(edge);
    eventually("a report of its own", || {
        let answer = edge.order_api("POST", "/api/v1/reports", &json!({ "kind": kind }));
        assert_eq!(answer.status, 201, "{}", answer.text());
        let report = answer.json();
        (!known.iter().any(|id| report["id"] == **id)).then_some(report)
    })
}

fn lines(report: &Value) -> Vec<String> {
    let mut urls: Vec<String> =
        report["lines"].as_array().expect("lines").iter().map(|line| text(&line["url"])).collect();
    urls.sort();
    urls
}

fn made_ids(edge: &Edge) -> Vec<String> {
    edge.api("reports").iter().map(|report| text(&report["id"])).collect()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A real mail server.
pub(crate) struct Mails {
    pub(crate) server: Speaker,
}

impl Mails {
    pub(crate) fn start() -> Self {
        Self { server: Speaker::start("take_mail.py") }
    }

    pub(crate) fn taken(&self) -> Vec<Value> {
        self.server.said().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}
