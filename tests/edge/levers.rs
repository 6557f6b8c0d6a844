//! What the operator wants otherwise than configured while the edge runs, for how long, and what outlasts a start.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::command::{done, refused, tool, vitrine};
use crate::support::managed::{orders_in, site_text};
use crate::support::pebble::Pebble;
use crate::support::{
    DEADLINE, Edge, Origin, Setup, Stream, Talk, authority, drop_file, eventually, is_timeout, message, site,
};

fn in_seconds(seconds: u64) -> String {
    let time = OffsetDateTime::from(SystemTime::now() + Duration::from_secs(seconds));
    time.replace_nanosecond(0).expect("whole").format(&Rfc3339).expect("a time")
}

fn levers(edge: &Edge) -> String {
    done(vitrine(edge, "levers"))
}

/// Two shops that say their names.
fn two_shops() -> (Origin, Origin, Setup) {
    let (one, other) = (Origin::saying("one"), Origin::saying("other"));
    let mut setup = Setup::new();
    setup.site(&["one.example"], &[&one]).site(&["other.example"], &[&other]);
    setup.certificate("shops", &authority().issue(&["one.example", "other.example"]));
    (one, other, setup)
}

#[test]
fn a_site_is_taken_out_and_let_in_without_the_file() {
    let (_one, _other, setup) = two_shops();
    let edge = setup.start();
    let set = |state: &str| done(vitrine(&edge, &format!("sites maintenance one.example {state}")));
    let mut client = edge.open("one.example");
    assert_eq!(client.get("one.example", "/").text(), "one");
    assert!(set("on").contains("maintenance  one.example  on"), "{}", levers(&edge));
    // It is in force when the command has ended.
    let response = client.get("one.example", "/");
    assert_eq!((response.status, response.field("retry-after")), (503, Some("300")));
    assert_eq!(edge.get("other.example", "/").text(), "other");
    // A reload forgets nothing.
    edge.setup.write();
    edge.signal(Signal::HUP);
    edge.logged("the configuration holds and is what serves already");
    assert_eq!(client.get("one.example", "/").status, 503);
    assert_eq!(set("configured"), "all is as configured\n");
    assert_eq!(client.get("one.example", "/").text(), "one");

    // What is configured is taken back as well, with all else that it says.
    let mut edge = edge;
    edge.setup.forget_sites();
    let (url, lines) = (_one.url(), "[site.maintenance]\non = true\nretry_after = \"90s\"\n");
    edge.setup.raw_site(&format!("{}{lines}", site(&["one.example"], &[url])));
    edge.reload();
    assert_eq!(edge.get("one.example", "/").field("retry-after"), Some("90"));
    done(vitrine(&edge, "sites maintenance one.example off"));
    assert_eq!(edge.get("one.example", "/").text(), "one");
    let unknown = refused(vitrine(&edge, "sites maintenance nobody.example on"));
    assert!(unknown.contains("there is no site \"nobody.example\""), "{unknown}");
    assert!(done(vitrine(&edge, "audit list")).contains("sites/one.example/maintenance"));
}

#[test]
fn what_is_kept_outlasts_a_start_and_the_rest_does_not() {
    let (one, other, setup) = two_shops();
    let edge = setup.start();
    let name = |origin: &Origin| origin.url().trim_start_matches("http://").to_owned();
    done(vitrine(&edge, &format!("upstreams set {} maintenance --keep", name(&one))));
    done(vitrine(&edge, &format!("upstreams set {} maintenance", name(&other))));
    done(vitrine(&edge, "deny 192.0.2.0/24 --keep --for 30d --reason scans"));
    assert!(levers(&edge).contains("the edge stops"), "{}", levers(&edge));
    let edge = edge.end(Signal::KILL).start();
    assert_ne!(edge.get("one.example", "/").status, 200);
    assert_eq!(edge.get("other.example", "/").text(), "other");
    let told = levers(&edge);
    assert!(told.contains(&name(&one)) && told.contains("192.0.2.0/24") && !told.contains(&name(&other)), "{told}");
    edge.logged("what the operator wanted otherwise than configured still holds; `vitrine levers` shows it");
    done(vitrine(&edge, &format!("upstreams set {} ready", name(&one))));
    assert_eq!(edge.get("one.example", "/").text(), "one");
    let edge = edge.end(Signal::TERM).start();
    assert_eq!(edge.get("one.example", "/").text(), "one");
}

/// A connection of a client at this address; `None`: the edge did not want it.
fn from(client: [u8; 4], edge: &Edge) -> Option<Talk> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::from(client), 0)).into()).expect("an address of this machine");
    socket.connect(&edge.http().into()).expect("connected");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let mut talk = Talk::over(Stream::Tcp(stream));
    // Closed at once, or after what was sent: either is no answer.
    talk.try_send("GET / HTTP/1.1\r\nhost: one.example\r\n\r\n").ok()?;
    match talk.try_response() {
        Ok(response) => Some(response.status).filter(|status| *status == 308).map(|_| talk),
        Err(error) => {
            assert!(!is_timeout(&error), "{error}");
            None
        }
    }
}

#[test]
fn clients_are_turned_away_until_they_are_let_in_or_it_is_over() {
    let (_one, _other, mut setup) = two_shops();
    setup.set("edge", "trusted_proxies = [\"127.0.0.9/32\"]");
    let edge = setup.start();
    let mut early = from([127, 0, 0, 7], &edge).expect("a connection");
    done(vitrine(&edge, "deny 127.0.0.7 --reason guessing"));
    assert_eq!(early.get("one.example", "/").status, 403);
    assert!(from([127, 0, 0, 7], &edge).is_none());
    assert!(from([127, 0, 0, 8], &edge).is_some());
    edge.counted(1.0, "vitrine_connections_shed_total", &[("reason", "denied")]);
    // Whom a trusted proxy asks for is a client, too.
    let mut proxy = from([127, 0, 0, 9], &edge).expect("a connection");
    let mut asks_for = |client: &str| {
        proxy.ask(format!("GET / HTTP/1.1\r\nhost: one.example\r\nx-forwarded-for: {client}\r\n\r\n")).status
    };
    assert_eq!([asks_for("127.0.0.7"), asks_for("203.0.113.1")], [403, 308]);
    done(vitrine(&edge, "admit 127.0.0.7"));
    assert!(from([127, 0, 0, 7], &edge).is_some());
    assert!(refused(vitrine(&edge, "admit 127.0.0.7")).contains("is not turned away by itself"));

    let order = json!({ "network": "127.0.0.7", "expires": in_seconds(2) });
    assert_eq!(edge.order_api("POST", "/api/v1/denied", &order).status, 200);
    assert!(from([127, 0, 0, 7], &edge).is_none());
    eventually("the end", || from([127, 0, 0, 7], &edge));
    assert_eq!(levers(&edge), "all is as configured\n");
    for wrong in ["deny 1.2.3", "deny shop.example", "deny 10.0.0.0/40"] {
        assert!(refused(vitrine(&edge, wrong)).contains("expected an address or a network"), "{wrong}");
    }
    // Nobody locks the operator out.
    done(vitrine(&edge, "deny 127.0.0.0/8"));
    assert_eq!(Talk::plain(edge.admin).get("localhost", "/livez").status, 200);
    done(vitrine(&edge, "admit 127.0.0.0/8"));
}

#[test]
fn while_it_is_frozen_nothing_changes_and_traffic_flows() {
    let (_one, other, setup) = two_shops();
    let edge = setup.start();
    let fingerprints =
        |edge: &Edge| edge.api("certificates").iter().map(|one| one["fingerprint"].to_string()).collect::<Vec<_>>();
    let before = fingerprints(&edge);
    assert!(done(vitrine(&edge, "freeze --reason sale")).contains("frozen"));
    let mut edge = edge;
    // A certificate in the folder, an import, a site in the file, a site through the API, an answer to a request.
    edge.setup.certificate("late", &authority().issue(&["late.example"]));
    edge.setup.site(&["late.example"], &[&other]);
    edge.setup.write();
    edge.signal(Signal::HUP);
    edge.logged("the edge is frozen: nothing is reloaded before `vitrine freeze off`");
    let frozen = refused(vitrine(&edge, "certs import certs/late.pem"));
    assert!(frozen.contains("the edge is frozen by") && frozen.contains("(sale)"), "{frozen}");
    let add = format!("sites add --host new.example --upstream {}", other.url());
    assert!(refused(vitrine(&edge, &add)).contains("`vitrine freeze off`"));
    assert_eq!(edge.get("one.example", "/").text(), "one");
    // Levers may be pulled: it is what one has them for.
    done(vitrine(&edge, "sites maintenance one.example on"));
    assert_eq!(edge.get("one.example", "/").status, 503);
    done(vitrine(&edge, "sites maintenance one.example configured"));
    edge.signal(Signal::HUP);
    let refusals = || edge.log().iter().filter(|line| message(line).starts_with("the edge is frozen")).count();
    eventually("a second refusal", || (refusals() > 1).then_some(()));
    assert_eq!((fingerprints(&edge), edge.scrape().sum("vitrine_frozen", &[])), (before, 1.0));
    done(vitrine(&edge, "freeze off"));
    eventually("what came meanwhile", || (edge.api("certificates").len() == 2).then_some(()));
    eventually("the site of the file", || {
        edge.api("sites").iter().any(|site| site["name"] == "late.example").then_some(())
    });
    eventually("its certificate", || {
        let line =
            format!("openssl s_client -connect {} -servername late.example -verify_hostname late.example", edge.https);
        String::from_utf8_lossy(&tool(&edge, &line).stdout).contains("late.example").then_some(())
    });
    assert_eq!(edge.get("late.example", "/").text(), "other");
    done(vitrine(&edge, &add));
    assert_eq!(edge.scrape().sum("vitrine_frozen", &[]), 0.0);
}

#[test]
fn a_frozen_edge_orders_nothing_and_goes_on_with_it_afterwards() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::lenient());
    let edge = Setup::shop(&origin).start();
    done(vitrine(&edge, "freeze --keep"));
    let mut setup = edge.end(Signal::TERM);
    pebble.used_by(&mut setup);
    setup.raw_site(&site_text(&origin, "managed.example", ""));
    let edge = setup.start();
    assert!(levers(&edge).contains("frozen"), "{}", levers(&edge));
    assert!(refused(vitrine(&edge, "sites renew managed.example")).contains("the edge is frozen"));
    // By the time of several answers the manager had looked, had it been allowed to.
    (0..20).for_each(|_| assert_eq!(edge.get("shop.example", "/").text(), "hello"));
    assert_eq!(pebble.orders(), 0);
    done(vitrine(&edge, "freeze off"));
    orders_in(&edge, "managed.example", "ISSUED");
    assert_eq!(pebble.orders(), 1);
}

#[test]
fn the_log_says_more_for_a_while() {
    let (_one, _other, setup) = two_shops();
    let edge = setup.start();
    // A look at the folder is told of to developers alone.
    let looks = || edge.log().iter().filter(|line| message(line) == "looks at the drop folder").count();
    let drop_and_await = |name: &str| {
        drop_file(&edge.setup.certs().join(name), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let listed = |one: &Value| one["file"].as_str().is_some_and(|file| file.ends_with(name));
        eventually("a rejected file", || edge.api("rejected").iter().any(listed).then_some(()));
        looks()
    };
    assert_eq!(drop_and_await("a.pem"), 0);
    assert!(done(vitrine(&edge, "log-level debug --for 1h")).contains("log-level"), "{}", levers(&edge));
    let seen = drop_and_await("b.pem");
    assert!(seen > 0);
    assert_eq!(done(vitrine(&edge, "log-level configured")), "all is as configured\n");
    let seen = looks();
    assert_eq!(drop_and_await("c.pem"), seen);
    let order = json!({ "level": "debug", "expires": in_seconds(1) });
    assert_eq!(edge.order_api("POST", "/api/v1/log-level", &order).status, 200);
    eventually("the end", || (levers(&edge) == "all is as configured\n").then_some(()));
    let seen = looks();
    assert_eq!(drop_and_await("d.pem"), seen);
    assert_eq!(vitrine(&edge, "log-level loud").status.code(), Some(64));
}
