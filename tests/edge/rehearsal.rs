//! A move from HAProxy, as docs/moving.md tells it, with many shops and under load: what is imported serves each name with the same
//! certificate and from the same backend, shows Apple Pay's file and answers authorities alike, turns away alike who asks for a name
//! that nobody has, and no request fails while one takes over from the other. What the import could not carry over is mended as it says.
//!
//! The suite runs it with 300 shops (390 names). As large as a hosting platform, by hand:
//! `REHEARSAL_SHOPS=3000 cargo test --release --test edge rehearsal -- --nocapture`, which tells how long each step took.

mod old_house;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use rustls::version::TLS13;
use rustls::{AlertDescription, SignatureScheme};

use self::old_house::{BARE, Behind, SHOWN, SPOILT, lay_out, pem, spoil};
use crate::support::peer::{Peer, accepted, import, own_addresses, untouched};
use crate::support::{ClientTls, Edge, Setup, Talk, drop_file, eventually, run, shown};

#[test]
fn many_shops_move_from_haproxy_without_a_failed_request() {
    let shops: usize = std::env::var("REHEARSAL_SHOPS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let behind = Behind::new();
    let (old_https, old_http) = own_addresses();
    let mut setup = Setup::new();
    let folder = setup.folder.path().join("haproxy");
    let (names, spoilt) = lay_out(&folder, shops, &behind, (old_https, old_http));
    let main = folder.join("haproxy.cfg");
    accepted(Command::new("haproxy").args(["-c", "-f"]).arg(&main));
    let began = Instant::now();
    let peer = Peer::start(Command::new("haproxy").args(["-db", "-f"]).arg(&main), setup.folder.path(), old_https);
    let before = look(old_https, &names);
    println!("haproxy: {} names in {:.1} s", names.len(), began.elapsed().as_secs_f64());
    spoil(&folder, &spoilt);

    let source = untouched(&folder);
    let began = Instant::now();
    let (code, told) = import(&mut setup, &["haproxy", &main.display().to_string()]);
    println!("import: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(untouched(&folder), source);
    // What is not carried over is named, with what to do.
    let of = |kind: &str| told.lines().filter(|line| line.starts_with(kind)).collect::<Vec<_>>();
    let (left_out, notes) = (of("left out: "), of("note: "));
    let spoilt_name = format!("shop-{SPOILT}.example");
    let expected: [&[&str]; 3] = [
        &[
            &pem(&folder, SPOILT).display().to_string(),
            &spoilt_name,
            "does not belong to the certificate",
            "drop folder",
        ],
        &["http-response set-header X-Edge"],
        &[BARE, &spoilt_name, "no certificate", "\"managed\""],
    ];
    assert_eq!((code, left_out.len()), (1, expected.len()), "{told}");
    for parts in expected {
        let is_it = |line: &&&str| parts.iter().all(|part| line.contains(part)) && line.contains(';');
        assert_eq!(left_out.iter().filter(is_it).count(), 1, "{parts:?}: {told}");
    }
    assert_eq!(notes.len(), 1, "{told}");
    assert!(notes[0].contains("\"certbot\" is kept") && notes[0].contains("\"managed\""), "{told}");
    assert!(told.contains("nothing is wrong"), "{told}");
    let began = Instant::now();
    let checked = run(&["check", "--config", "vitrine.toml"], &setup);
    println!("check: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));

    // Beside the old one on other ports, as step 2 has it.
    let text = fs::read_to_string(setup.config()).expect("the configuration");
    let [new_https, new_http] = [old_https, old_http].map(|address| SocketAddr::new(address.ip(), address.port() + 1));
    let moved = [(old_https, new_https), (old_http, new_http)];
    setup.written(&moved.iter().fold(text, |text, (old, new)| text.replace(&old.to_string(), &new.to_string())));
    let began = Instant::now();
    let edge = setup.start();
    println!("start: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!((edge.https, edge.http()), (new_https, new_http));
    mend(&edge, &spoilt_name, &spoilt.both());

    // Visitors come all the time, to the old one and from a moment on to the new one.
    let visitors = Visitors::come(&names, old_https, new_https);
    visitors.more(40);
    // Names that nobody has a certificate for are turned away on both sides, and who asks for a file finds the same.
    for name in [BARE, "nobody.example", "deep.pay.shop-0.example"] {
        let answers = [old_https, new_https].map(|address| alert(address, name));
        assert_eq!(answers, [AlertDescription::UnrecognisedName; 2], "{name}");
    }
    let files = |address: SocketAddr| {
        let shops = [0, SHOWN[0], SHOWN[1], 7].map(|shop| format!("shop-{shop}.example"));
        let paths = [APPLE_PAY.to_owned(), format!("{APPLE_PAY}.txt"), format!("{ACME}token")];
        let all = shops.iter().flat_map(|name| paths.iter().map(move |path| (name, path)));
        all.map(|(name, path)| ask(address, name, path).expect("an answer").1).collect::<Vec<_>>()
    };
    let (found, before_it) = (files(new_https), files(old_https));
    assert_eq!(found, before_it);
    let shown = "the file of shop 5";
    let expected = ["apple's file", "apple's file", "token.thumbprint", shown, shown, "token.thumbprint"];
    assert_eq!(found[..6], expected);
    // An authority asks over plain HTTP, and follows.
    let path = format!("{ACME}token");
    let over_plain = Talk::plain(old_http).get("shop-7.example", &path);
    assert_eq!((over_plain.status, over_plain.text().as_str()), (200, "token.thumbprint"));
    let led = Talk::plain(new_http).get("shop-7.example", &path);
    let to = format!("https://shop-7.example:{}{path}", new_https.port());
    assert_eq!((led.status, led.field("location")), (308, Some(to.as_str())));

    visitors.move_on();
    visitors.more(40);
    drop(peer);
    visitors.more(40);
    let began = Instant::now();
    let after = look(new_https, &names);
    println!("vitrine: {} names in {:.1} s", names.len(), began.elapsed().as_secs_f64());
    let (good, failed) = visitors.leave();
    println!("requests: {good} good, {failed} failed");
    assert_eq!(failed, 0);
    let differ: Vec<_> = before.iter().filter(|(name, seen)| after.get(*name) != Some(*seen)).take(5).collect();
    assert!(differ.is_empty() && before.len() == after.len(), "{differ:?}");
    assert_eq!(before.len(), names.len());
}

/// Does what the import said: puts the certificate and its key into the drop folder.
fn mend(edge: &Edge, name: &str, pair: &str) {
    assert_eq!(alert(edge.https, name), AlertDescription::UnrecognisedName);
    drop_file(&edge.setup.certs().join("mended.pem"), pair);
    eventually("the mended name", || ask(edge.https, name, "/x"));
}

/// Those who come all the time.
struct Visitors {
    shared: Arc<Shared>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    is_moved: AtomicBool,
    good: AtomicUsize,
    failed: AtomicUsize,
}

impl Visitors {
    fn come(names: &[String], old: SocketAddr, new: SocketAddr) -> Self {
        let shared = Arc::<Shared>::default();
        let visit = |visitor: usize| {
            let (names, shared) = (names.to_vec(), Arc::clone(&shared));
            std::thread::spawn(move || {
                let (mut next, mut visits) = (visitor, 0);
                let paths = ["/x".to_owned(), APPLE_PAY.to_owned(), format!("{ACME}token")];
                while !shared.is_over.load(Ordering::Relaxed) {
                    let address = if shared.is_moved.load(Ordering::Relaxed) { new } else { old };
                    (next, visits) = ((next + 7) % names.len(), visits + 1);
                    let answer = ask(address, &names[next], &paths[visits % paths.len()]);
                    let counter = if answer.is_some() { &shared.good } else { &shared.failed };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let threads = (0..4).map(visit).collect();
        Self { shared, threads }
    }

    /// Waits until so many more have been served.
    fn more(&self, more: usize) {
        let (good, failed) = (&self.shared.good, &self.shared.failed);
        let until = good.load(Ordering::Relaxed) + more;
        eventually("visitors", || {
            (good.load(Ordering::Relaxed) >= until || failed.load(Ordering::Relaxed) > 0).then_some(())
        });
    }

    fn move_on(&self) {
        self.shared.is_moved.store(true, Ordering::Relaxed);
    }

    /// How many were served, and how many not.
    fn leave(self) -> (usize, usize) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|visitor| visitor.join().expect("a visitor"));
        (self.shared.good.load(Ordering::Relaxed), self.shared.failed.load(Ordering::Relaxed))
    }
}

/// What a name shows: its certificate, and what its backend says.
type Seen = BTreeMap<String, (Vec<u8>, String)>;

fn look(address: SocketAddr, names: &[String]) -> Seen {
    names.iter().filter_map(|name| Some((name.clone(), ask(address, name, "/x")?))).collect()
}

/// One visit: the certificate that is shown, whoever stands behind it, and the answer.
fn ask(address: SocketAddr, name: &str, path: &str) -> Option<(Vec<u8>, String)> {
    let mut talk = client().try_open(address, name).ok()?;
    let certificate = shown(talk.session()).to_vec();
    talk.try_send(format!("GET {path} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n")).ok()?;
    let answer = talk.try_response().ok()?;
    (answer.status == 200).then(|| (certificate, answer.text()))
}

/// How somebody is turned away.
fn alert(address: SocketAddr, name: &str) -> AlertDescription {
    let error = client().try_open(address, name).err().unwrap_or_else(|| panic!("{name} is served at {address}"));
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        _ => panic!("{name} at {address}: {error}"),
    }
}

/// Some certificates have ended, and are shown all the same.
fn client() -> ClientTls {
    let schemes = vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256];
    ClientTls::trusting(&[&TLS13], schemes).alpn(&["http/1.1"])
}

const APPLE_PAY: &str = "/.well-known/apple-developer-merchantid-domain-association";
const ACME: &str = "/.well-known/acme-challenge/";
