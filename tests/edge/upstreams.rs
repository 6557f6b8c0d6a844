//! Several upstreams behind one route: what one of them does to requests, and for how long.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::command::{done, refused, vitrine};
use crate::support::{Edge, Origin, Setup, Then, authority, eventually, shop_client};

/// A site with these upstreams, and more lines of its configuration.
fn shop(origins: &[&Origin], lines: &str) -> Setup {
    let mut setup = Setup::new();
    let urls: Vec<String> = origins.iter().map(|origin| format!("{:?}", origin.url())).collect();
    setup.raw_site(&format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{}]\n{lines}\n", urls.join(", ")));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1");
    setup
}

/// An upstream that says its name, as long as it is not told to misbehave.
fn moody(name: &'static str, mood: &Arc<AtomicU8>) -> Origin {
    let mood = Arc::clone(mood);
    Origin::new(move |exchange| {
        exchange.body()?;
        match mood.load(Ordering::Relaxed) {
            CLOSES => Ok(Then::Close),
            HANGS => {
                // Until the edge gives up.
                exchange.reader.read_to_end(&mut Vec::new())?;
                Ok(Then::Close)
            }
            FAILS => exchange.answer("500 Internal Server Error", &[], b"broken"),
            BABBLES => {
                exchange.write(b"HTTP/1.1 2OO OK\r\n\r\n")?;
                Ok(Then::Close)
            }
            _ => exchange.answer("200 OK", &[], name.as_bytes()),
        }
    })
}

const WELL: u8 = 0;
const CLOSES: u8 = 1;
const HANGS: u8 = 2;
const FAILS: u8 = 3;
const BABBLES: u8 = 4;

fn total(edge: &Edge, name: &str) -> f64 {
    edge.scrape().sum(name, &[])
}

#[test]
fn who_keeps_failing_is_left_alone_and_comes_back() {
    for way in [CLOSES, FAILS, BABBLES] {
        let mood = Arc::new(AtomicU8::new(way));
        let (bad, good) = (moody("bad", &mood), Origin::saying("good"));
        let lines = "retries = 1\nhealth = { eject_after = 3, eject_for = \"300ms\", failure_statuses = [500] }";
        let edge = shop(&[&bad, &good], lines).start();
        for _ in 0..50 {
            let answer = edge.get("shop.example", "/");
            assert_eq!((answer.status, answer.text().as_str()), (200, "good"), "{way}");
        }
        // Three that ejected it, and one that tried each time a rest was over.
        let asked = bad.requests().len();
        assert!((3..10).contains(&asked), "{way}: {asked}");
        assert!(total(&edge, "vitrine_upstream_ejections_total") >= 1.0);
        assert_eq!(total(&edge, "vitrine_upstream_retries_total"), asked as f64);
        edge.logged("an upstream keeps failing, and is left alone for a while");
        mood.store(WELL, Ordering::Relaxed);
        let begun = Instant::now();
        while edge.get("shop.example", "/").text() != "bad" {
            assert!(begun.elapsed() < Duration::from_secs(20), "it never comes back");
        }
        let turns: Vec<String> = (0..10).map(|_| edge.get("shop.example", "/").text()).collect();
        assert_eq!(turns.iter().filter(|text| *text == "bad").count(), 5, "{turns:?}");
    }
}

#[test]
fn the_last_one_is_never_left_alone() {
    let mood = Arc::new(AtomicU8::new(FAILS));
    let (one, other) = (moody("one", &mood), moody("other", &mood));
    let edge =
        shop(&[&one, &other], "health = { eject_after = 1, eject_for = \"5m\", failure_statuses = [500] }").start();
    for _ in 0..10 {
        // With nobody better, its own answer is the answer.
        assert_eq!(edge.get("shop.example", "/").status, 500);
    }
    assert_eq!(total(&edge, "vitrine_upstream_ejections_total"), 1.0);
    mood.store(WELL, Ordering::Relaxed);
    assert_eq!(edge.get("shop.example", "/").status, 200);
}

#[test]
fn what_may_not_be_sent_twice_is_not() {
    let mood = Arc::new(AtomicU8::new(CLOSES));
    let (bad, good) = (moody("bad", &mood), Origin::saying("good"));
    let edge = shop(&[&bad, &good], "retries = 10\nhealth = { eject_after = 0 }").start();
    let statuses: Vec<u16> = (0..10)
        .map(|_| {
            let mut client = edge.open("shop.example");
            client.send("POST /order HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 3\r\n\r\none");
            client.response().status
        })
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 5, "{statuses:?}");
    assert_eq!((bad.requests().len(), good.requests().len()), (5, 5));
    assert_eq!(total(&edge, "vitrine_upstream_retries_total"), 0.0);
    // Nor is anything where the operator does not want it.
    let edge = shop(&[&bad, &good], "retries = 0\nhealth = { eject_after = 0 }").start();
    let statuses: Vec<u16> = (0..10).map(|_| edge.get("shop.example", "/").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 5, "{statuses:?}");
}

#[test]
fn no_more_than_a_tenth_is_sent_again() {
    let mood = Arc::new(AtomicU8::new(CLOSES));
    let (bad, good) = (moody("bad", &mood), Origin::saying("good"));
    let edge = shop(&[&bad, &good], "health = { eject_after = 0 }").start();
    let mut client = shop_client().open(edge.https, "shop.example");
    let lost = (0..400).filter(|_| client.get("shop.example", "/").status == 502).count();
    // Twenty at once, and forty more.
    assert!((59.0..=60.0).contains(&total(&edge, "vitrine_upstream_retries_total")));
    assert_eq!(lost as f64, bad.requests().len() as f64 - total(&edge, "vitrine_upstream_retries_total"));
}

/// One of three is killed, hangs, and answers 500 in turn, with five hundred requests a second.
#[test]
fn one_of_three_costs_no_page_however_it_ends() {
    let mood = Arc::new(AtomicU8::new(WELL));
    let (one, other, third) = (Origin::saying("one"), Origin::saying("other"), moody("third", &mood));
    let lines = "health = { eject_after = 3, eject_for = \"200ms\", failure_statuses = [500] }";
    let mut setup = shop(&[&one, &other, &third], lines);
    setup.set("limits", "upstream_response_timeout = \"1s\"");
    let edge = setup.start();
    let is_over = AtomicBool::new(false);
    let asking = || {
        let mut answered = 0_usize;
        let mut client = shop_client().open(edge.https, "shop.example");
        while !is_over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let answer = client.get("shop.example", "/");
            assert_eq!(answer.status, 200, "{}", answer.text());
            answered += 1;
            thread::sleep(Duration::from_millis(20).saturating_sub(begun.elapsed()));
        }
        answered
    };
    let (answered, took) = thread::scope(|scope| {
        let begun = Instant::now();
        let clients: Vec<_> = (0..10).map(|_| scope.spawn(asking)).collect();
        for way in [CLOSES, HANGS, FAILS, BABBLES] {
            let before = total(&edge, "vitrine_upstream_ejections_total");
            mood.store(way, Ordering::Relaxed);
            eventually("an ejection", || {
                (total(&edge, "vitrine_upstream_ejections_total") > before + 1.0).then_some(())
            });
            mood.store(WELL, Ordering::Relaxed);
            eventually("its return", || (edge.get("shop.example", "/").text() == "third").then_some(()));
        }
        is_over.store(true, Ordering::Relaxed);
        let answered: usize = clients.into_iter().map(|client| client.join().expect("every answer was good")).sum();
        (answered, begun.elapsed())
    });
    println!("{answered} requests in {took:?}, none failed");
}

fn state_of(edge: &Edge, origin: &Origin) -> String {
    let url = origin.url();
    let list = edge.api("upstreams");
    let own = list.iter().find(|entry| entry["upstream"] == url.trim_start_matches("http://")).expect("the upstream");
    assert_eq!(own["sites"][0], "shop.example");
    own["state"].as_str().expect("a word").to_owned()
}

#[test]
fn the_edge_asks_by_itself_and_sends_nothing_to_who_is_down() {
    let mood = Arc::new(AtomicU8::new(FAILS));
    let (bad, good) = (moody("bad", &mood), Origin::saying("good"));
    let lines = "retries = 0\nhealth = { eject_after = 0, path = \"/healthz?from=edge\", host = \"shop.example\", \
                 interval = \"100ms\", statuses = \"200\", healthy_after = 2, unhealthy_after = 2 }";
    let edge = shop(&[&bad, &good], lines).start();
    eventually("the edge's word", || (state_of(&edge, &bad) == "down").then_some(()));
    let asked = &bad.requests()[0];
    assert_eq!(asked.head.start, "GET /healthz?from=edge HTTP/1.1");
    assert_eq!(asked.field("host"), Some("shop.example"));
    edge.logged("an upstream is down");
    let list = done(vitrine(&edge, "upstreams list"));
    assert!(list.contains("it answers 500 for /healthz?from=edge") && list.contains("ready"), "{list}");
    let name = bad.url().trim_start_matches("http://").to_owned();
    assert_eq!(edge.scrape().sum("vitrine_upstream_ready", &[("upstream", &name)]), 0.0);
    for _ in 0..10 {
        assert_eq!(edge.get("shop.example", "/").text(), "good");
    }
    mood.store(WELL, Ordering::Relaxed);
    eventually("its return", || (state_of(&edge, &bad) == "ready").then_some(()));
    edge.logged("an upstream is there again");
    let texts: Vec<String> = (0..2).map(|_| edge.get("shop.example", "/").text()).collect();
    assert!(texts.contains(&"bad".to_owned()), "{texts:?}");
}

#[test]
fn the_operator_takes_one_out_and_back_in() {
    let (one, other) = (Origin::saying("one"), Origin::saying("other"));
    let edge = shop(&[&one, &other], "").start();
    let set = |origin: &Origin, state: &str| {
        let name = origin.url().trim_start_matches("http://").to_owned();
        done(vitrine(&edge, &format!("upstreams set {name} {state}")))
    };
    let texts = || (0..6).map(|_| edge.get("shop.example", "/").text()).collect::<Vec<_>>();
    assert!(set(&one, "draining").contains("draining"));
    assert!(texts().iter().all(|text| text == "other"));
    // A reload forgets nothing; with nobody else, who drains is better than nobody.
    edge.setup.write();
    edge.signal(Signal::HUP);
    edge.logged("the configuration holds and is what serves already");
    set(&other, "maintenance");
    assert!(texts().iter().all(|text| text == "one"));
    set(&one, "maintenance");
    let answer = edge.get("shop.example", "/");
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("300")));
    assert!(answer.text().contains("The shop is being worked on"), "{}", answer.text());
    set(&one, "ready");
    set(&other, "ready");
    let texts = texts();
    assert!(texts.contains(&"one".to_owned()) && texts.contains(&"other".to_owned()), "{texts:?}");
    assert!(refused(vitrine(&edge, "upstreams set 10.9.9.9:1 ready")).contains("no site has the upstream"));
    let audit = done(vitrine(&edge, "audit list"));
    assert!(audit.contains("state maintenance"), "{audit}");
}
