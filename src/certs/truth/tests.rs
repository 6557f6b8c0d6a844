//! The checker against listeners that really speak TLS, and serve what they should or something else.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::certs::{KeyKind, LocalCa, valid_for};
use crate::limits::Limits;
use crate::live::{SiteSpec, table};
use crate::shutdown::lifecycle;

type Shows = Box<dyn Fn(&ClientHello<'_>) -> Option<Arc<CertifiedKey>> + Send + Sync>;

/// Serves what it is told to, whatever is published.
struct Listener {
    address: SocketAddr,
    shows: Arc<Mutex<Shows>>,
}

impl Listener {
    async fn start(own: Live<OwnCheck>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shows: Arc<Mutex<Shows>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let resolver = Arc::new(Resolver(Arc::clone(&shows)));
        let config = config.expect("versions").with_no_client_auth().with_cert_resolver(resolver);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((tcp, peer)) = listener.accept().await {
                assert!(own.load().is(peer), "the workers do not know {peer}");
                let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
                let _ = tls.read_to_end(&mut Vec::new()).await;
                let _ = tls.shutdown().await;
            }
        });
        Self { address, shows }
    }

    fn shows(&self, shows: impl Fn(&ClientHello<'_>) -> Option<Arc<CertifiedKey>> + Send + Sync + 'static) {
        *self.shows.lock().expect("no panic") = Box::new(shows);
    }

    fn shows_alone(&self, served: &ServedCert) {
        let certified = served.certified.ready().expect("a key");
        self.shows(move |_| Some(Arc::clone(&certified)));
    }
}

struct Resolver(Arc<Mutex<Shows>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.lock().expect("no panic")(&hello)
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

/// A checker of one site, and what it checks against.
struct Stage {
    checker: Checker,
    certificates: Arc<Mutex<Publisher<CertIndex>>>,
    own: Live<OwnCheck>,
    _routes: Publisher<RouteTable>,
}

impl Stage {
    async fn new(published: &[&Arc<ServedCert>]) -> (Self, Listener) {
        let (own_publisher, own) = table(OwnCheck::default());
        let listener = Listener::start(own.clone()).await;
        let hosts = ["shop.example", "*.shop.example"].map(|host| HostPattern::parse(host).expect("a pattern"));
        let site = SiteSpec {
            name: "the shop".into(),
            hosts: hosts.to_vec(),
            routes: Vec::new(),
            minimum_validation: None,
            staging: false,
            provision: Default::default(),
            on_demand: Default::default(),
            orders: Default::default(),
            policy: Default::default(),
        };
        let (routes_publisher, routes) =
            table(RouteTable::new(vec![site], Limits::default(), Vec::new(), listener.address.port()));
        let (publisher, certificates) = table(index(published));
        let check =
            Sources { listeners: vec![listener.address], certificates, routes, default_host: Box::new(|| None) };
        let sockets = OwnSockets { listeners: vec![listener.address], inodes: Default::default() };
        let mut checker = Checker::new(check, sockets, Callers::new(own_publisher), Truth::default()).expect("clients");
        checker.client = checker.client.with_patience(PATIENCE);
        let certificates = Arc::new(Mutex::new(publisher));
        (Self { checker, certificates, own, _routes: routes_publisher }, listener)
    }

    /// The results of one check of the shop's name, with the reasons of what is wrong.
    async fn check(&self) -> Vec<(Offer, TruthResult, String)> {
        let listener = self.checker.check.listeners[0];
        let findings = self.checker.check(listener, "shop.example").await.expect("an answer");
        assert!(!self.own.load().is(listener), "the check is over");
        let told = |wrong: Option<Instead>| wrong.map(|wrong| wrong.to_string()).unwrap_or_default();
        findings.into_iter().map(|finding| (finding.offer, finding.result, told(finding.wrong))).collect()
    }

    /// Checks whatever is due now.
    async fn step(&mut self) {
        assert!(self.checker.look().await);
        loop {
            match self.checker.plan.next(Instant::now()) {
                Next::Check(errand) => return self.checker.run_errand(errand).await,
                Next::Rest(until) => sleep_until(until).await,
            }
        }
    }
}

fn index(published: &[&Arc<ServedCert>]) -> CertIndex {
    CertIndex::ranked(published.iter().map(|served| Arc::clone(served)))
}

fn certificate(kind: KeyKind) -> Arc<ServedCert> {
    let names = ["shop.example", "*.shop.example"].map(|name| HostPattern::parse(name).expect("a name"));
    let authority = LocalCa::new("Any").expect("an authority");
    authority.issue(&names, valid_for(9), kind).expect("issued").served().expect("served")
}

fn right(offer: Offer) -> (Offer, TruthResult, String) {
    (offer, TruthResult::Match, String::new())
}

#[tokio::test]
async fn each_type_of_key_is_asked_for_and_compared_by_itself() {
    let (ecdsa, rsa, old) = (certificate(KeyKind::Ecdsa), certificate(KeyKind::Rsa), certificate(KeyKind::Rsa));
    let (stage, listener) = Stage::new(&[&ecdsa, &rsa]).await;
    let serve = |rsa: &Arc<ServedCert>| {
        let shown = index(&[&ecdsa, rsa]);
        listener.shows(move |hello| {
            let choice = shown.find(hello.server_name()?)?;
            choice.pick(hello.signature_schemes())?.certified.ready()
        });
    };
    serve(&rsa);
    assert_eq!(stage.check().await, [right(Offer::Ecdsa), right(Offer::Rsa)]);
    serve(&old);
    let found = stage.check().await;
    assert_eq!((&found[0], found[1].0, found[1].1), (&right(Offer::Ecdsa), Offer::Rsa, TruthResult::Mismatch));
    for part in [&old.facts.fingerprint[..16], &rsa.facts.fingerprint[..16], "(in memory)", "the rsa certificate"] {
        assert!(found[1].2.contains(part), "{part}: {}", found[1].2);
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_is_not_served() {
    let (published, other) = (certificate(KeyKind::Ecdsa), certificate(KeyKind::Ecdsa));
    let (stage, listener) = Stage::new(&[&published]).await;
    let (own, others) = (published.certified.ready().expect("a key"), other.certified.ready().expect("a key"));
    let stolen = Arc::new(CertifiedKey::new(own.cert.clone(), Arc::clone(&others.key)));
    listener.shows(move |_| Some(Arc::clone(&stolen)));
    let found = stage.check().await;
    assert_eq!((found.len(), found[0].1), (1, TruthResult::Invalid), "{found:?}");
}

#[tokio::test]
async fn what_is_published_during_a_handshake_makes_no_mismatch() {
    let (before, after) = (certificate(KeyKind::Ecdsa), certificate(KeyKind::Ecdsa));
    let (stage, listener) = Stage::new(&[&before]).await;
    let (publisher, shown) = (Arc::clone(&stage.certificates), Arc::clone(&after));
    let asked = Arc::new(AtomicUsize::new(0));
    let hellos = Arc::clone(&asked);
    listener.shows(move |_| {
        if hellos.fetch_add(1, Ordering::SeqCst) == 0 {
            publisher.lock().expect("no panic").publish(index(&[&shown]));
        }
        shown.certified.ready()
    });
    assert_eq!(stage.check().await, [right(Offer::Ecdsa)]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_name_without_a_certificate_is_refused_and_one_with_a_certificate_is_not() {
    let published = certificate(KeyKind::Ecdsa);
    let (stage, listener) = Stage::new(&[]).await;
    assert_eq!(stage.check().await, [right(Offer::Any)]);
    listener.shows_alone(&published);
    let found = stage.check().await;
    assert_eq!((found[0].0, found[0].1), (Offer::Any, TruthResult::Mismatch));
    assert!(found[0].2.ends_with("and none is published"), "{}", found[0].2);
    stage.certificates.lock().expect("no panic").publish(index(&[&published]));
    listener.shows(|_| None);
    let found = stage.check().await;
    assert_eq!((found[0].0, found[0].1), (Offer::Ecdsa, TruthResult::Refused), "{found:?}");
}

#[tokio::test]
async fn a_name_that_is_nobodys_is_expected_to_get_the_default() {
    let (default, other) = (certificate(KeyKind::Ecdsa), certificate(KeyKind::Ecdsa));
    let (mut stage, listener) = Stage::new(&[&default]).await;
    let host = HostName::parse("shop.example").expect("a name");
    stage.checker.check.default_host = Box::new(move || Some(host.clone()));
    listener.shows_alone(&default);
    let address = listener.address;
    let result = async || stage.checker.check(address, "nobody.example").await.expect("an answer")[0].result;
    assert_eq!(result().await, TruthResult::Match);
    listener.shows_alone(&other);
    assert_eq!(result().await, TruthResult::Mismatch);
}

#[tokio::test]
async fn who_is_silent_gone_or_speaks_something_else_is_told_apart() {
    let published = certificate(KeyKind::Ecdsa);
    let (mut stage, _listener) = Stage::new(&[&published]).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let babbling = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let babble = babbling.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = babbling.accept().await {
            let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let mut found = Vec::new();
    for address in [silent.local_addr().expect("an address"), gone, babble] {
        stage.checker.check.listeners = vec![address];
        found.push(stage.check().await.remove(0).1);
    }
    assert_eq!(found, [TruthResult::NoAnswer, TruthResult::NoAnswer, TruthResult::Invalid]);
}

#[tokio::test]
async fn what_is_wrong_is_kept_until_it_has_been_right_for_long_enough() {
    let (published, other) = (certificate(KeyKind::Ecdsa), certificate(KeyKind::Ecdsa));
    let (mut stage, listener) = Stage::new(&[&published]).await;
    let truth = stage.checker.truth.clone();
    listener.shows_alone(&other);
    stage.step().await;
    stage.step().await;
    let host = HostPattern::parse("*.shop.example").expect("a pattern");
    assert_eq!(truth.contradicted_sites().into_iter().collect::<Vec<_>>(), ["shop.example"]);
    let messages: Vec<_> = truth.contradictions().into_iter().map(|contradiction| contradiction.message).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].starts_with("shop.example: 127.0.0.1:"), "{messages:?}");
    let of_wildcard = || truth.of_certificate(&host, published.key_type, &published.facts.fingerprint);
    assert!(of_wildcard().is_some_and(|checked| checked.fault.is_some()));
    assert_eq!(truth.of_certificate(&host, published.key_type, &other.facts.fingerprint), None);

    listener.shows_alone(&published);
    tokio::time::pause();
    let begun = Instant::now();
    while !truth.contradictions().is_empty() {
        stage.step().await;
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", truth.contradictions());
    }
    assert!(begun.elapsed() >= AGAIN * (GOOD_IN_A_ROW - 2), "{:?}", begun.elapsed());
    assert!(of_wildcard().is_some_and(|checked| checked.fault.is_none()));
    assert_eq!(truth.contradicted_sites().len(), 0);
}

#[tokio::test]
async fn only_names_whose_choice_has_changed_are_checked_after_a_publish() {
    let names = |names: &[&str]| names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect::<Vec<_>>();
    let authority = LocalCa::new("Any").expect("an authority");
    let issue = |of: &[&str]| {
        authority.issue(&names(of), valid_for(9), KeyKind::Ecdsa).expect("issued").served().expect("served")
    };
    let (exact, wildcard, newer) = (issue(&["shop.example"]), issue(&["*.shop.example"]), issue(&["shop.example"]));
    let (mut stage, listener) = Stage::new(&[&exact, &wildcard]).await;
    let shown = index(&[&exact, &wildcard]);
    listener.shows(move |hello| {
        let choice = shown.find(hello.server_name()?)?;
        choice.iter().next()?.certified.ready()
    });
    stage.step().await;
    stage.step().await;
    assert!(matches!(stage.checker.plan.next(Instant::now() + AGAIN), Next::Rest(_)), "both were right");

    stage.certificates.lock().expect("no panic").publish(index(&[&newer, &exact, &wildcard]));
    assert!(stage.checker.look().await);
    let later = Instant::now() + AGAIN;
    let Next::Check(errand) = stage.checker.plan.next(later) else { panic!("no check of what has changed") };
    assert_eq!(stage.checker.plan.host(errand).1.to_string(), "shop.example");
    assert!(matches!(stage.checker.plan.next(later + AGAIN), Next::Rest(_)), "the other has not changed");
}

#[tokio::test]
async fn a_listener_that_is_not_ours_any_more_is_met_within_half_a_minute_without_a_change() {
    let (published, other) = (certificate(KeyKind::Ecdsa), certificate(KeyKind::Ecdsa));
    let (mut stage, listener) = Stage::new(&[&published]).await;
    listener.shows_alone(&published);
    stage.step().await;
    stage.step().await;
    let truth = stage.checker.truth.clone();
    let checks = || truth.checks().iter().map(|(_, count)| count).sum::<u64>();
    let before = checks();
    let now = Instant::now();
    // What is right is not told: it says nothing of any other name.
    stage.checker.glance(now + Duration::from_secs(30)).await;
    assert_eq!((truth.contradictions().len(), checks()), (0, before));

    listener.shows_alone(&other);
    stage.checker.glance(now + Duration::from_secs(59)).await;
    assert_eq!(truth.contradictions().len(), 0, "it is not due");
    stage.checker.glance(now + Duration::from_secs(60)).await;
    assert_eq!(truth.contradicted_sites().into_iter().collect::<Vec<_>>(), ["shop.example"]);
    assert!(matches!(stage.checker.plan.next(Instant::now() + AGAIN), Next::Check(_)), "it is looked at again soon");
}

#[tokio::test]
async fn checks_end_when_the_edge_drains() {
    let (own, _) = table(OwnCheck::default());
    let (_, certificates) = table(CertIndex::default());
    let (_, routes) = table(RouteTable::new(Vec::new(), Limits::default(), Vec::new(), 443));
    let check = TruthCheck {
        listeners: Vec::new(),
        own_sockets: Vec::new(),
        plain: Vec::new(),
        well_known: table(WellKnown::default()).1,
        certificates,
        routes,
        default_host: Box::new(|| None),
        own,
    };
    let (conductor, lifecycle) = lifecycle();
    let checks = tokio::spawn(check.run(Truth::default(), lifecycle));
    conductor.ready();
    tokio::task::yield_now().await;
    assert!(!checks.is_finished());
    conductor.drain(Duration::from_secs(60));
    tokio::time::timeout(Duration::from_secs(20), checks).await.expect("an end").expect("no panic");
}

/// Long for a handshake within a process, short for who waits for silence.
const PATIENCE: Duration = Duration::from_secs(2);
