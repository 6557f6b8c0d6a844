//! What happens when the clock of a running edge is moved: its certificates serve on, and nobody is asked for more than is due.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;
use rustls::SignatureScheme;
use rustls::version::TLS13;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::orders::{issued, managed, standing};
use crate::support::command::{done, vitrine};
use crate::support::pebble::Pebble;
use crate::support::{
    ClientTls, DEADLINE, Edge, KeyKind, Origin, Setup, authority, eventually, message, replace_file, shown, within,
};

/// The wall clock of an edge, which can be moved while it runs; what measures time goes on as ever.
pub(crate) struct Clock(PathBuf);

impl Clock {
    pub(crate) fn of(setup: &mut Setup) -> Self {
        let clock = Self(setup.folder.path().join("clock"));
        replace_file(&clock.0, "+0");
        setup.environment("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1");
        setup.environment("FAKETIME_TIMESTAMP_FILE", clock.0.to_str().expect("a path"));
        for name in ["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"] {
            setup.environment(name, "1");
        }
        clock
    }

    /// Moves it so many hours away from where it would be.
    pub(crate) fn set(&self, hours: i64) {
        replace_file(&self.0, format!("{hours:+}h"));
    }

    /// The same, and has the edge look at its sites.
    pub(crate) fn moved(&self, edge: &Edge, hours: i64) {
        self.set(hours);
        let before = edge.log().len();
        edge.signal(Signal::HUP);
        let line = edge.log_line_after(before, "a reload", |line| {
            message(line) == "the configuration holds and is what serves already"
        });
        let told = OffsetDateTime::parse(line["timestamp"].as_str().expect("a time"), &Rfc3339).expect("a time");
        let off = told - OffsetDateTime::now_utc() - time::Duration::hours(hours);
        assert!(off.abs() < time::Duration::minutes(5), "the clock of the edge is not moved: {line}");
    }
}

/// From when until when what a client is shown is valid, seconds since the Unix epoch.
fn served(edge: &Edge, name: &str) -> (i64, i64) {
    let client = ClientTls::trusting(&[&TLS13], vec![SignatureScheme::ECDSA_NISTP256_SHA256]).alpn(&["http/1.1"]);
    let mut talk = client.open(edge.https, name);
    let leaf = shown(talk.session());
    assert_eq!(talk.get(name, "/").status, 200);
    let (_, parsed) = X509Certificate::from_der(&leaf).expect("a certificate");
    let names = parsed.subject_alternative_name().expect("one").expect("names");
    assert!(format!("{:?}", names.value).contains(name), "{:?}", names.value);
    (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp())
}

/// Waits until nothing is under way for the site: an order takes no time by a clock that is moved.
fn rested(edge: &Edge, name: &str) {
    eventually("an end", || {
        let state = standing(edge, name)["state"].clone();
        (state == "ISSUED" || state == "FAILED" || state == "WAITING").then_some(())
    });
}

/// The manager of orders has looked at everything since the clock was moved: what is wished for after it is issued.
fn looked(edge: &Edge, pebble: &Pebble, name: &str) {
    let (before, made) = (edge.log().len(), pebble.said(MADE));
    done(vitrine(edge, &format!("sites renew {name}")));
    edge.log_line_after(before, "an issue", |line| message(line) == "a certificate is issued" && line["site"] == name);
    assert_eq!(pebble.said(MADE), made + 1);
}

#[test]
fn a_clock_that_jumps_by_a_day_brings_no_orders_but_the_one_that_comes_due_and_no_gap() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::start());
    let names = ["a.example", "b.example", "c.example", "soon.example", "wished.example"];
    let mut setup = managed(&pebble, &origin, &names);
    // Two thirds of its ten days are over within the next day, and not yet.
    setup.certificate("soon", &authority().issue_for(&["soon.example"], KeyKind::Ecdsa, -150, 90));
    let clock = Clock::of(&mut setup);
    let edge = setup.start();
    for name in names {
        issued(&edge, name);
    }
    assert_eq!(pebble.said(MADE), 4);
    clock.moved(&edge, 24);
    eventually("a renewal", || (pebble.said(ISSUED) == 5).then_some(()));
    edge.log_line("an issue", |line| message(line) == "a certificate is issued" && line["site"] == "soon.example");
    looked(&edge, &pebble, "wished.example");
    assert_eq!(pebble.said(MADE), 6);
    let before = names.map(|name| served(&edge, name));
    // What was issued a moment ago begins tomorrow.
    clock.moved(&edge, -24);
    looked(&edge, &pebble, "wished.example");
    let after = names.map(|name| served(&edge, name));
    assert_eq!(after[..3], before[..3]);
    assert_eq!(pebble.said(MADE), 7);
    // A start is no reason to order either, nor is the way back.
    let edge = edge.end(Signal::TERM).start();
    looked(&edge, &pebble, "wished.example");
    assert_eq!(names.map(|name| served(&edge, name))[..3], before[..3]);
    clock.moved(&edge, 0);
    looked(&edge, &pebble, "wished.example");
    assert_eq!(names.map(|name| served(&edge, name))[..3], before[..3]);
    assert_eq!(pebble.said(MADE), 9);
    assert!(edge.log().iter().all(|line| !message(line).starts_with("no certificate")));
    println!("five sites, a day forward, two days back, a start, a day forward: {} orders", pebble.said(MADE));
}

#[test]
fn an_authority_that_is_away_for_three_of_the_last_ten_days_costs_no_gap_and_is_not_stormed() {
    let (origin, mut pebble) = (Origin::saying("hello"), Pebble::prepare());
    pebble.issues_for(30);
    pebble.serve();
    let mut setup = managed(&pebble, &origin, &["shop.example"]);
    let clock = Clock::of(&mut setup);
    let edge = setup.start();
    issued(&edge, "shop.example");
    let (begun, first) = served(&edge, "shop.example");
    assert!((first - begun - 30 * DAY).abs() < 60, "{begun} {first}");
    clock.moved(&edge, 18 * 24);
    // Away from before its renewal is due, in the twentieth day, until the twenty-third is over: the first three of the last ten days.
    let away = Away::instead_of(&mut pebble);
    for hour in 18 * 24..23 * 24 {
        clock.moved(&edge, hour);
        rested(&edge, "shop.example");
        let (_, until) = served(&edge, "shop.example");
        assert!(until == first && until > begun + hour * 3600);
    }
    let failed = edge.scrape().sum("vitrine_acme_orders_total", &[("result", "failed"), ("reason", "unreachable")]);
    let connections = away.end();
    println!("away: {failed} orders came to nothing, {connections} connections in five days");
    assert!((1.0..=12.0).contains(&failed), "{failed}");
    assert!((1..=40).contains(&connections), "{connections}");
    // It has forgotten everything, and its certificates go further: its own clock was not moved.
    pebble.issues_for(60);
    pebble.serve();
    let mut hour = 23 * 24;
    let renewed = loop {
        clock.moved(&edge, hour);
        rested(&edge, "shop.example");
        let (_, until) = served(&edge, "shop.example");
        assert!(until > begun + hour * 3600);
        if until != first {
            break until;
        }
        hour += 1;
        assert!(hour < 26 * 24, "it is back, and not asked within three days");
    };
    println!("back: renewed {} hours later, {} hours before the end", hour - 23 * 24, 30 * 24 - hour);
    assert!((renewed - begun - 60 * DAY).abs() < 10 * 60, "{renewed}");
    within(DEADLINE, "one order", || (pebble.said(MADE) == 1).then_some(()));
}

/// Who listens in the place of an authority, closes every connection and counts them.
struct Away {
    is_over: Arc<AtomicBool>,
    address: std::net::SocketAddr,
    thread: thread::JoinHandle<()>,
    connections: Arc<AtomicUsize>,
}

impl Away {
    fn instead_of(pebble: &mut Pebble) -> Self {
        let listener: TcpListener = pebble.leave();
        let address = listener.local_addr().expect("an address");
        let (is_over, connections) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&connections));
        let thread = thread::spawn(move || {
            for connection in listener.incoming() {
                drop(connection);
                if over.load(Ordering::SeqCst) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { is_over, address, thread, connections }
    }

    fn end(self) -> usize {
        self.is_over.store(true, Ordering::SeqCst);
        drop(std::net::TcpStream::connect(self.address).expect("it listens"));
        self.thread.join().expect("it counted");
        self.connections.load(Ordering::SeqCst)
    }
}

const MADE: &str = "orders in the db";
const ISSUED: &str = "Issued certificate serial";
const DAY: i64 = 86_400;
