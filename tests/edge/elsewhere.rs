//! URLs that others serve: looked at where real TLS servers listen, and told of everywhere.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::panel::journey;
use crate::probe::Server;
use crate::reports::{Mails, text};
use crate::support::command::{done, refused, vitrine};
use crate::support::{Edge, Issued, KeyKind, Origin, Setup, authority, eventually, page_in, within};

#[test]
fn what_others_serve_is_looked_at_and_told_of_everywhere() {
    let (origin, mails) = (Origin::saying("the shop"), Mails::start());
    let issued = |name: &str, days: i64| authority().issue_for(&[name], KeyKind::Ecdsa, -200 * 24, days * 24);
    let [good, soon, old, other] = [("localhost", 90), ("localhost", 2), ("localhost", -1), ("other.example", 90)]
        .map(|(name, days)| here(&issued(name, days)));
    let gone = {
        let server = here(&issued("localhost", 90));
        server.address.port()
    };
    let mut setup = Setup::shop(&origin);
    std::fs::write(setup.folder.path().join("root.pem"), &authority().root_pem).expect("written");
    setup.set("certificates", "trusted_roots = [\"root.pem\"]");
    setup
        .set("reports", "networks = [\"127.0.0.0/8\"]")
        .set("reports", "daily = \"off\"")
        .set("reports", "monthly = \"off\"");
    setup.set("mail", &format!("server = \"127.0.0.1:{}\"", mails.server.port));
    setup.set("mail", "security = \"none\"").set("mail", "from = \"Vitrine <edge@shop.example>\"");
    setup.raw_site("[[notices.contact]]\nname = \"operators\"\nmail = \"ops@shop.example\"\nevents = [\"expired\", \"mismatch\", \"expiring\", \"unusable\"]\n");
    let edge = setup.start();
    let ports = [good.address.port(), soon.address.port(), old.address.port(), other.address.port(), gone];
    let url = |place: usize| format!("https://localhost:{}", ports[place]);
    for place in 0..5 {
        let told = done(vitrine(&edge, &format!("elsewhere add {} --reason customers", url(place))));
        assert!(told.starts_with(&url(place)), "{told}");
    }
    assert!(refused(vitrine(&edge, &format!("elsewhere add {} --reason again", url(0)))).contains("watched already"));
    assert!(
        refused(vitrine(&edge, "elsewhere add shop.example --reason own")).contains("a host of the site shop.example")
    );
    // Asked for, and not only once a day.
    for place in [0, 1, 2, 3, 4, 4, 4] {
        done(vitrine(&edge, &format!("elsewhere look {}", url(place))));
    }
    let state = |place: usize| {
        let all = edge.api("elsewhere");
        let found = all.iter().find(|one| one["url"] == url(place)).expect("it is there").clone();
        text(&found["state"])
    };
    assert_eq!([0, 1, 2, 3, 4].map(state), ["well", "expiring", "expired", "wrong", "unreachable"]);
    let page = page_in(&edge, "de", "/elsewhere").text();
    for german in [
        "Das Zertifikat dort, oder eines seiner Kette, ist abgelaufen: <q lang=\"en\">",
        "Das Zertifikat dort ist für andere Namen: <q lang=\"en\">its certificate is for other.example",
        "Dort ist niemand zu erreichen: <q lang=\"en\">",
    ] {
        assert!(page.contains(german), "{german}: {page}");
    }

    let alerts: Vec<(String, String)> = edge
        .api("alerts")
        .iter()
        .filter(|one| one["mend"] == "urls")
        .map(|one| (text(&one["code"]), text(&one["subject"])))
        .collect();
    let expected = [("expired", 2), ("served-otherwise", 3), ("expires-now", 1), ("unreachable", 4)];
    assert_eq!(alerts, expected.map(|(code, place)| (code.to_owned(), url(place))));
    let page = edge.scrape();
    for state in ["well", "expiring", "expired", "wrong", "unreachable"] {
        assert_eq!(page.sum("vitrine_elsewhere_urls", &[("state", state)]), 1.0, "{state}");
    }
    let report = edge.ask_api("GET", "/api/v1/reports/next-daily").json();
    let mut lines: Vec<(String, String)> = report["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .filter(|line| line["source"] == "elsewhere")
        .map(|line| (text(&line["url"]), text(&line["state"])))
        .collect();
    lines.sort();
    let mut listed = [(url(1), "expiring"), (url(2), "expired"), (url(3), "missing"), (url(4), "missing")]
        .map(|(url, state)| (url, state.to_owned()));
    listed.sort();
    assert_eq!(lines, listed);
    let coming = edge.ask_api("GET", "/api/v1/timeline?days=100").json();
    let ends = coming.as_array().expect("a list").iter().filter(|one| one["type"] == "end-elsewhere").count();
    assert_eq!(ends, 4, "{coming}");
    within(Duration::from_secs(120), "a mail that names them", || {
        let all: String = mails.taken().iter().map(|mail| text(&mail["text"])).collect();
        [1, 2, 3, 4].iter().all(|place| all.contains(&format!("{}:", url(*place)))).then_some(())
    });
    assert!(mails.taken().iter().all(|mail| !text(&mail["text"]).contains(&url(0))));
    // The command that looks from outside has them too.
    let looked = vitrine(&edge, &format!("probe --all --port {} --ca-file root.pem --format json", edge.https.port()));
    let looked: Value = serde_json::from_slice(&looked.stdout).expect("JSON");
    assert!(looked.to_string().contains(&format!("localhost:{}", ports[2])), "{looked}");

    // What nobody wants to hear of is told of nowhere, and why is on record.
    done(vitrine(&edge, &format!("elsewhere unwatch {} --reason closed", url(2))));
    done(vitrine(&edge, &format!("elsewhere remove {} --reason moved", url(3))));
    assert_eq!(state(2), "unwatched");
    let codes = || edge.api("alerts").iter().filter(|one| one["mend"] == "urls").count();
    assert_eq!((codes(), edge.api("elsewhere").len()), (2, 4));
    let deeds = edge.api("audit");
    let told = |action: &str, place: usize, detail: &str| {
        let object = format!("elsewhere/localhost:{}", ports[place]);
        deeds.iter().any(|deed| {
            deed["result"] == "done" && deed["action"] == action && deed["object"] == object && deed["detail"] == detail
        })
    };
    assert!(told("POST elsewhere", 0, "customers"), "{deeds:?}");
    assert!(told("POST elsewhere/{url}/watched", 2, "not watched: closed"), "{deeds:?}");
    assert!(told("DELETE elsewhere/{url}", 3, "moved"), "{deeds:?}");

    // At the panel the same, without a script.
    let page = journey(&edge, "elsewhere", &json!({ "url": url(3), "own": "https://shop.example" }));
    assert_eq!(page["state"], "refused by clients");
    // And it outlasts a start.
    let edge = edge.end(rustix::process::Signal::TERM).start();
    let states = eventually("what was seen", || Some(states(&edge)).filter(|states| states.len() == 4));
    assert_eq!(states.iter().filter(|state| *state == "well").count(), 1, "{states:?}");
}

#[test]
fn a_name_that_leads_inside_ones_own_network_is_not_gone_to() {
    let origin = Origin::saying("the shop");
    let server = here(&authority().issue(&["localhost"]));
    let edge = Setup::shop(&origin).start();
    let url = format!("https://localhost:{}", server.address.port());
    done(vitrine(&edge, &format!("elsewhere add {url} --reason curious")));
    let told = done(vitrine(&edge, &format!("elsewhere look {url}")));
    assert!(
        told.contains("it leads to 127.0.0.1, inside a network of one's own; allow that with reports.networks"),
        "{told}"
    );
    let found = &edge.api("elsewhere")[0];
    assert_eq!((&found["seen"]["fault"], &found["seen"]["fingerprint"]), (&json!("inside"), &Value::Null));
}

/// A server where `localhost` leads.
pub(crate) fn here(issued: &Issued) -> Server {
    Server::on(SocketAddr::from(([127, 0, 0, 1], 0)), issued)
}

fn states(edge: &Edge) -> Vec<String> {
    edge.api("elsewhere").iter().map(|one| text(&one["state"])).collect()
}
