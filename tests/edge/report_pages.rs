//! Reports as people read them: at the panel, each organisation its own part, and by terms that are changed while the edge runs.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clocks::Clock;
use crate::panel::journey;
use crate::reports::{Mails, ask, shops, text};
use crate::support::{Browser, Edge, Origin, PASSWORD, eventually, message, replace_file, within};

#[test]
fn reports_are_read_switched_and_made_at_the_panel_without_a_script() {
    let (origin, mails) = (Origin::saying("the shop"), Mails::start());
    let edge = shops(&origin, &mails).start();
    eventually("all certificates", || (edge.api("certificates").len() >= 4).then_some(()));
    let told = journey(&edge, "reports", &json!({ "host": "old.example" }));
    let listed = |name: &str| text(&told[name]);
    assert!(listed("before").contains("3 of 5") && listed("after").contains("2 of 5"), "{told}");
    let made = &told["made"];
    for part in ["lines", "mail"] {
        let page = text(&made[part]);
        assert!(page.contains("https://none.example") && !page.contains("https://old.example"), "{part}: {page}");
    }
    let document: Value = serde_json::from_str(&text(&told["downloads"]["json"])).expect("JSON");
    assert_eq!(format!("/reports/{}", text(&document["id"])), text(&made["url"]));
    let table = text(&told["downloads"]["csv"]);
    assert!(table.starts_with("url,state,") && table.lines().count() == 3, "{table}");
    // Whom it went to, and that it arrived.
    let path = format!("/api/v1{}", text(&made["url"]));
    let delivery = within(Duration::from_secs(90), "the mail", || {
        let report = edge.ask_api("GET", &path).json();
        (report["told"] == 1).then(|| report["deliveries"][0].clone())
    });
    assert_eq!((&delivery["to"], &delivery["state"]), (&json!("ops@shop.example"), &json!("told")));
    assert_eq!(mails.taken().len(), 1);
    let deeds: Vec<Value> = edge.api("audit").into_iter().filter(|deed| deed["result"] == "done").collect();
    let told: Vec<(&Value, &Value)> = deeds.iter().map(|deed| (&deed["action"], &deed["detail"])).collect();
    let reason = json!("not watched: moved to <b>another</b> provider");
    assert_eq!(
        told,
        [
            (&json!("POST watched/{host}"), &reason),
            (&json!("POST reports"), &json!("")),
            (&json!("POST watched/{host}"), &json!("watched")),
        ]
    );
}

#[test]
fn each_organisation_gets_a_report_of_its_own_sites_and_whoever_is_there_twice_one_mail() {
    let (origin, mails) = (Origin::saying("the shop"), Mails::start());
    let edge = shops(&origin, &mails).start();
    eventually("all certificates", || (edge.api("certificates").len() >= 4).then_some(()));
    let books = organisation(&edge, "Books", &["old.example"], &["anna@books.example", "ops@shop.example"]);
    organisation(&edge, "Toys", &["soon.example", "fine.example"], &["otto@toys.example"]);
    let id = text(&ask(&edge, "daily")["id"]);
    let by_address: BTreeMap<String, String> = within(Duration::from_secs(90), "three mails", || {
        let all = mails.taken();
        let reports = all.iter().filter(|mail| text(&mail["subject"]).contains("certificate report"));
        let taken: Vec<_> = reports.map(|mail| (text(&mail["to"][0]), text(&mail["text"]))).collect();
        (taken.len() >= 3).then(|| taken.into_iter().collect())
    });
    let urls = ["https://none.example", "https://old.example", "https://soon.example"];
    let listed = |address: &str| urls.map(|url| by_address[address].contains(url));
    assert_eq!(listed("ops@shop.example"), [true, true, true]);
    assert_eq!(listed("anna@books.example"), [false, true, false], "{by_address:?}");
    assert_eq!(listed("otto@toys.example"), [false, false, true], "{by_address:?}");
    for (address, foreign) in [("anna@books.example", ["soon", "fine"]), ("otto@toys.example", ["old", "none"])] {
        assert!(!foreign.iter().any(|word| by_address[address].contains(word)), "{}", by_address[address]);
    }
    assert!(
        by_address["anna@books.example"].contains("of 1 URL,") && by_address["otto@toys.example"].contains("of 2 URLs")
    );

    // What else happens to their sites they are told, too.
    let told = within(Duration::from_secs(120), "the notice", || {
        let mails = mails.taken();
        let to_anna = |mail: &&Value| mail["to"][0] == "anna@books.example";
        mails.iter().filter(to_anna).find(|mail| text(&mail["subject"]).contains("old.example")).cloned()
    });
    assert!(!told["text"].to_string().contains("none.example"), "{told}");

    // And that is what they see at the panel and in the API.
    let order = json!({ "name": "anna", "organisations": { &books: "operate" }, "password": PASSWORD });
    assert_eq!(edge.order_api("POST", "/api/v1/users", &order).status, 201);
    let mut anna = Browser::signed_in(&edge, "anna", PASSWORD);
    for path in [format!("/api/v1/reports/{id}"), "/api/v1/reports/next-daily".to_owned()] {
        let part = anna.get(&path).json();
        assert_eq!(
            (&part["urls"], &part["listed"], &part["lines"][0]["url"]),
            (&json!(1), &json!(1), &json!("https://old.example"))
        );
    }
    for path in [
        "/api/v1/reports".to_owned(),
        "/api/v1/reports/terms".to_owned(),
        "/api/v1/watched".to_owned(),
        format!("/api/v1/reports/{id}"),
        format!("/api/v1/reports/{id}/csv"),
        format!("/api/v1/reports/{id}/mail"),
        "/reports".to_owned(),
        "/reports/watched".to_owned(),
        format!("/reports/{id}"),
        format!("/reports/{id}/json"),
    ] {
        let answer = if path.starts_with("/api") { anna.get(&path) } else { anna.open(&path) };
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        for foreign in ["soon.example", "none.example", "otto", "toys", "ops@shop.example"] {
            assert!(!answer.text().contains(foreign), "{foreign}: {path}: {}", answer.text());
        }
    }
    let off = json!({ "watched": false, "reason": "closed" });
    assert_eq!(anna.ask("POST", "/api/v1/watched/old.example", Some(&off)).status, 200);
    assert_eq!(anna.ask("POST", "/api/v1/watched/soon.example", Some(&off)).status, 404);
    assert_eq!(anna.get("/api/v1/reports/next-daily").json()["listed"], 0);
}

#[test]
fn changed_terms_hold_from_the_next_report_without_a_restart() {
    let (origin, mails) = (Origin::saying("the shop"), Mails::start());
    let mut setup = shops(&origin, &mails);
    setup.set("reports", "daily = \"off\"");
    let clock = Clock::of(&mut setup);
    let edge = setup.start();
    let file = edge.setup.folder.path().join("vitrine.toml");
    let change = |from: &str, to: &str| {
        let before = fs::read_to_string(&file).expect("the configuration");
        assert!(before.contains(from), "{before}");
        replace_file(&file, before.replace(from, to));
        let known = edge.log().len();
        edge.signal(Signal::HUP);
        edge.log_line_after(known, "a reload", |line| message(line) == "the configuration was reloaded");
    };
    change("daily = \"off\"", "daily = \"10:00-10:30\"\ndaily_days = \"0-100\"\ntime_zone = \"Europe/Berlin\"");
    change("ops@shop.example", "night@shop.example");
    let terms = edge.ask_api("GET", "/api/v1/reports/terms").json();
    assert_eq!(
        (&terms["time_zone"], &terms["recipients"][0]["to"]),
        (&json!("Europe/Berlin"), &json!("night@shop.example"))
    );
    eventually("the beginning of the daily one", || {
        let begun = fs::read_to_string(edge.setup.state().join("reports/begun.json")).ok()?;
        begun.contains("daily").then_some(())
    });
    clock.moved(&edge, 24);
    let mail = within(Duration::from_secs(90), "the mail of the day", || mails.taken().first().cloned());
    assert_eq!(mail["to"], json!(["night@shop.example"]));
    assert!(text(&mail["text"]).contains("within 100 days") && text(&mail["text"]).contains("Europe/Berlin"), "{mail}");
    // The same day at another time is the same day.
    change("10:00-10:30", "09:00-09:30");
    let made = eventually("the reports", || Some(edge.api("reports").len()).filter(|made| *made > 0));
    let asked = text(&ask(&edge, "daily")["id"]);
    within(Duration::from_secs(90), "that mail", || (mails.taken().len() > made).then_some(()));
    let ids: Vec<String> = edge.api("reports").iter().map(|report| text(&report["id"])).collect();
    assert!(ids.contains(&asked) && ids.len() == made + 1, "{ids:?}");
}

/// An organisation that owns sites and names people.
fn organisation(edge: &Edge, name: &str, sites: &[&str], mails: &[&str]) -> String {
    let contacts: Vec<Value> = mails.iter().map(|mail| json!({ "name": mail, "mail": mail })).collect();
    let made =
        edge.order_api("POST", "/api/v1/organisations", &json!({ "name": name, "sites": sites, "contacts": contacts }));
    assert_eq!(made.status, 201, "{}", made.text());
    text(&made.json()["id"])
}
