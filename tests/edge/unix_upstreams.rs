//! Shops behind a socket in the file system.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use crate::support::command::{done, vitrine};
use crate::support::{HANDSHAKE, Http2Shop, Origin, Received, SWITCHING, Setup, Then, authority, eventually};

/// Carries what comes to a socket at `path` to a shop and back, until the test ends.
fn front(path: &Path, address: SocketAddr) {
    let listener = UnixListener::bind(path).expect("a socket");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { break };
            let Ok(shop) = TcpStream::connect(address) else { break };
            let back = (shop.try_clone().expect("a stream"), stream.try_clone().expect("a stream"));
            thread::spawn(move || pump(stream, shop, |shop| shop.shutdown(Shutdown::Write)));
            thread::spawn(move || pump(back.0, back.1, |stream: &UnixStream| stream.shutdown(Shutdown::Write)));
        }
    });
}

fn pump<W: io::Write>(mut from: impl io::Read, mut to: W, end: impl FnOnce(&W) -> io::Result<()>) {
    // Whoever goes first ends it for both.
    let _ = io::copy(&mut from, &mut to);
    let _ = end(&to);
}

fn shop(upstream: &str, lines: &str) -> Setup {
    let mut setup = Setup::new();
    setup.raw_site(&format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{upstream:?}]\n{lines}\n"));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1");
    setup
}

#[test]
fn a_shop_behind_a_socket_is_served_over_connections_that_are_kept() {
    let origin = Origin::new(|exchange| {
        let content = exchange.body()?;
        exchange.answer("200 OK", &[], &content.bytes)
    });
    let setup = shop("unix:run/shop.sock", "health = { path = \"/healthz\", interval = \"100ms\" }");
    let folder = setup.folder.path().join("run");
    std::fs::create_dir(&folder).expect("a folder");
    front(&folder.join("shop.sock"), origin.address);
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    for _ in 0..3 {
        let answer = client.ask("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 5\r\n\r\nhello");
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    }
    let orders = |requests: Vec<Received>| {
        requests.into_iter().filter(|request| request.head.start.starts_with("POST")).collect::<Vec<_>>()
    };
    let asked = orders(origin.requests());
    assert!(asked.iter().all(|request| request.connection == asked[0].connection), "{asked:#?}");
    assert_eq!(asked[0].field("host"), Some("shop.example"));

    // The edge asks it by itself, too.
    eventually("the edge's own question", || {
        let requests = origin.requests();
        let own = requests.iter().find(|request| request.head.start.starts_with("GET /healthz"))?;
        assert_eq!(own.field("host"), Some("localhost"));
        Some(())
    });
    let name = "unix:run/shop.sock";
    assert_eq!(edge.api("upstreams")[0]["upstream"], name);
    assert_eq!(edge.scrape().sum("vitrine_upstream_ready", &[("upstream", name)]), 1.0);
    let set = done(vitrine(&edge, &format!("upstreams set {name} maintenance")));
    assert!(set.contains(name) && set.contains("maintenance"), "{set}");
    assert_eq!(edge.get("shop.example", "/").status, 503);
}

#[test]
fn http2_is_spoken_through_a_socket() {
    let origin = Http2Shop::new(100);
    let setup = shop("unix+h2c:shop.sock", "health = { path = \"/bare\", interval = \"100ms\" }");
    front(&setup.folder.path().join("shop.sock"), origin.address);
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    for _ in 0..3 {
        let request = "POST /a HTTP/1.1\r\nhost: shop.example\r\nte: trailers\r\nconnection: te\r\ntransfer-encoding: chunked\r\n\r\n\
                       5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n";
        let answer = client.ask(request);
        assert_eq!((answer.status, answer.text().as_str(), answer.field("x-shop")), (200, "hello", Some("h2")));
        assert!(answer.content.trailers.contains(&("x-sum".into(), "7".into())), "{answer:?}");
    }
    let asked =
        |path: &str| origin.asked().into_iter().filter(|asked| asked.head.uri().path() == path).collect::<Vec<_>>();
    let orders = asked("/a");
    assert_eq!(orders[0].head.uri().to_string(), "http://shop.example/a");
    assert!(orders.iter().all(|asked| asked.connection == orders[0].connection), "{orders:#?}");
    eventually("the edge's own question", || asked("/bare").pop());
    let name = "unix+h2c:shop.sock";
    assert_eq!(
        (&edge.api("upstreams")[0]["upstream"], &edge.api("upstreams")[0]["state"]),
        (&name.into(), &"ready".into())
    );
    edge.counted(1.0, "vitrine_upstream_ready", &[("upstream", name)]);
}

#[test]
fn a_websocket_goes_through_a_socket() {
    let origin = Origin::new(|exchange| {
        exchange.write(SWITCHING)?;
        let mut octets = [0; 4];
        io::Read::read_exact(exchange.reader, &mut octets)?;
        exchange.write(&octets)?;
        Ok(Then::Close)
    });
    let setup = shop("unix:shop.sock", "");
    front(&setup.folder.path().join("shop.sock"), origin.address);
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    client.send(HANDSHAKE);
    assert_eq!(client.any_response().status, 101);
    client.send("ping");
    let mut octets = [0; 4];
    io::Read::read_exact(&mut client.reader, &mut octets).expect("an echo");
    assert_eq!(&octets, b"ping");
}

#[test]
fn a_socket_that_nobody_listens_on_is_passed_over() {
    let origin = Origin::saying("here");
    let mut setup = Setup::new();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"unix:nobody.sock\", \"unix:left.sock\", {:?}]\n",
        origin.url()
    ));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    drop(UnixListener::bind(setup.folder.path().join("left.sock")).expect("a socket"));
    let edge = setup.start();
    for _ in 0..6 {
        assert_eq!(edge.get("shop.example", "/").text(), "here");
    }
    assert!(edge.scrape().sum("vitrine_upstream_failures_total", &[("reason", "connect")]) >= 2.0);
    edge.logged("no connection to an upstream; trying another");
}
