//! One of three upstreams goes, in every way, under five hundred requests a second: what may be asked twice costs nobody anything, and of the
//! rest only that fails which it had.

use std::collections::HashSet;
use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Edge, Origin, Setup, Then, authority, eventually, shop_client};

const WELL: u8 = 0;
const HANGS: u8 = 1;
const FAILS: u8 = 2;

/// Says its name, unless it is told to misbehave.
fn upstream(listener: TcpListener, name: &'static str, mood: &Arc<AtomicU8>) -> Origin {
    let mood = Arc::clone(mood);
    Origin::listening(listener, move |exchange| {
        exchange.body()?;
        match mood.load(Ordering::Relaxed) {
            HANGS => {
                // Until the edge gives up.
                exchange.reader.read_to_end(&mut Vec::new())?;
                Ok(Then::Close)
            }
            FAILS => exchange.answer("500 Internal Server Error", &[], b"broken"),
            _ => exchange.answer("200 OK", &[], name.as_bytes()),
        }
    })
}

fn port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

/// What clients that keep asking got.
#[derive(Default)]
struct Asked {
    requests: AtomicU64,
    is_over: AtomicBool,
}

impl Asked {
    /// Asks ten times a second, and gives the numbers of what was not answered as it should be.
    fn keep_asking(&self, edge: &Edge, method: &str, first: u64) -> HashSet<u64> {
        let (mut failed, mut number) = (HashSet::new(), first);
        let mut client = shop_client().open(edge.https, "shop.example");
        // Not all at once.
        let mut next = Instant::now() + PAUSE.mul_f64((first >> 32) as f64 / 100.0 % 1.0);
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            next += PAUSE; // who had to wait catches up
            let request = format!("{method} /{number} HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 0\r\n\r\n");
            if client.ask(request).status != 200 {
                failed.insert(number);
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            number += 1;
        }
        failed
    }
}

#[test]
fn at_most_what_it_had_fails_and_that_only_if_it_may_not_be_asked_twice() {
    let (well, mood) = (Arc::default(), Arc::new(AtomicU8::new(WELL)));
    let (one, other) = (upstream(port(), "one", &well), upstream(port(), "other", &well));
    let mut third = upstream(port(), "third", &mood);
    let address = third.address;
    let urls: Vec<String> = [&one, &other, &third].map(Origin::url).to_vec();
    let mut setup = Setup::new();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\nupstreams = {urls:?}\n\
         health = {{ eject_after = 3, eject_for = \"300ms\", failure_statuses = [500] }}\n"
    ));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1").set("limits", "upstream_response_timeout = \"5s\"");
    let edge = setup.start();
    let ejections = || edge.scrape().sum("vitrine_upstream_ejections_total", &[]);
    let returns = || {
        eventually("its return", || (edge.get("shop.example", "/").text() == "third").then_some(()));
    };
    let asked = Asked::default();
    let mut had = HashSet::new();
    let (again, once, took) = thread::scope(|scope| {
        let (edge, asked) = (&edge, &asked);
        let begun = Instant::now();
        let ask = |method: &'static str, kind: u64| {
            let first = move |client: u64| (kind * 100 + client) << 32;
            (0..EACH)
                .map(|client| scope.spawn(move || asked.keep_asking(edge, method, first(client))))
                .collect::<Vec<_>>()
        };
        let (gets, posts) = (ask("GET", 0), ask("POST", 1));
        for way in [HANGS, FAILS] {
            let before = ejections();
            mood.store(way, Ordering::Relaxed);
            eventually("an ejection", || (ejections() > before).then_some(()));
            mood.store(WELL, Ordering::Relaxed);
            returns();
        }
        // Killed: its connections break, and nobody listens until it is started anew.
        for _ in 0..KILLS {
            let before = ejections();
            had.extend(numbers(&third));
            drop(std::mem::replace(&mut third, upstream(port(), "nobody", &well)));
            eventually("an ejection", || (ejections() > before).then_some(()));
            let listener = eventually("its port", || TcpListener::bind(address).ok());
            third = upstream(listener, "third", &mood);
            returns();
        }
        asked.is_over.store(true, Ordering::Relaxed);
        let all = |clients: Vec<thread::ScopedJoinHandle<'_, HashSet<u64>>>| -> HashSet<u64> {
            clients.into_iter().flat_map(|client| client.join().expect("a client that comes to its end")).collect()
        };
        (all(gets), all(posts), begun.elapsed())
    });
    had.extend(numbers(&third));
    let requests = asked.requests.load(Ordering::Relaxed);
    println!("{requests} requests in {took:?}, {} that may not be asked twice failed", once.len());
    assert_eq!(again, HashSet::new(), "what may be asked twice");
    let others: Vec<u64> = once.difference(&had).copied().collect();
    assert!(
        others.len() as u64 <= KILLS * EACH,
        "{} failed that it never had: more than were on their way to it",
        others.len()
    );
}

/// The requests that it was asked.
fn numbers(origin: &Origin) -> Vec<u64> {
    let paths = origin.requests().into_iter().map(|request| request.head.start);
    paths.filter_map(|start| start.split(['/', ' ']).nth(2)?.parse().ok()).collect()
}

/// Clients that ask what may be asked twice, and as many that ask what may not: five hundred requests a second.
const EACH: u64 = 25;
const PAUSE: Duration = Duration::from_millis(100);
const KILLS: u64 = 3;
