//! Shops that are spoken to in HTTP/2.

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::Frame;

use crate::support::{
    Edge, Http2, Http2Shop, LARGE, Origin, Setup, TlsFront, authority, drop_file, empty, eventually, frames,
};

/// One worker, since each has connections of its own.
fn shop(upstream: &str, lines: &str) -> Edge {
    let mut setup = Setup::new();
    setup.raw_site(&format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{upstream:?}]\n{lines}\n"));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1");
    drop_file(&setup.folder.path().join("root.pem"), &authority().root_pem);
    setup.start()
}

fn h2c(shop: &Http2Shop) -> String {
    format!("h2c://{}", shop.address)
}

fn failures(edge: &Edge, reason: &str) -> f64 {
    edge.scrape().sum("vitrine_upstream_failures_total", &[("reason", reason)])
}

#[test]
fn requests_share_a_connection_and_say_what_they_say_in_http1() {
    let origin = Http2Shop::new(100);
    let edge = shop(&h2c(&origin), "");
    let mut client = edge.open("shop.example");
    let request = "POST /a?b=1 HTTP/1.1\r\nhost: shop.example\r\nconnection: te, x-own\r\nte: trailers\r\nx-own: 1\r\n\
                   cookie: a=1\r\nx-kept: 2\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n";
    for _ in 0..3 {
        let answer = client.ask(request);
        assert_eq!((answer.status, answer.text().as_str(), answer.field("x-shop")), (200, "hello", Some("h2")));
        // Nothing of HTTP/2 is in the way of trailers, both ways.
        let mut trailers = answer.content.trailers.clone();
        trailers.sort();
        assert_eq!(trailers, [("x-end".into(), "told".into()), ("x-sum".into(), "7".into())]);
    }
    let asked = origin.asked();
    assert!(asked.iter().all(|asked| asked.connection == 0));
    let head = &asked[0].head;
    assert_eq!(head.uri().to_string(), "http://shop.example/a?b=1");
    let fields =
        |name: &str| head.headers().get_all(name).iter().map(|value| value.to_str().expect("text")).collect::<Vec<_>>();
    assert_eq!([fields("te"), fields("cookie"), fields("x-kept")], [["trailers"], ["a=1"], ["2"]]);
    assert_eq!(
        [fields("x-own"), fields("connection"), fields("host"), fields("transfer-encoding")],
        [const { Vec::<&str>::new() }; 4]
    );
    assert_eq!(fields("x-forwarded-for"), ["127.0.0.1"]);
    for (request, status) in [("HEAD /bare", 200), ("GET /bare", 200), ("GET /cached", 304)] {
        client.send(format!("{request} HTTP/1.1\r\nhost: shop.example\r\n\r\n"));
        let answer = if request.starts_with("HEAD") { client.response_to_head() } else { client.response() };
        assert_eq!((answer.status, answer.text().as_str()), (status, ""), "{request}");
    }
    let scrape = edge.scrape();
    assert_eq!(scrape.sum("vitrine_upstream_connects_total", &[]), 1.0);
    assert_eq!(scrape.sum("vitrine_upstream_reuses_total", &[]), 5.0);
    assert_eq!(edge.api("upstreams")[0]["upstream"], h2c(&origin).as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_in_http2_goes_in_http2_with_its_trailers() {
    let origin = Http2Shop::new(100);
    let edge = shop(&h2c(&origin), "");
    let mut client = Http2::open(edge.https, "shop.example").await;
    let mut trailers = HeaderMap::new();
    trailers.insert(HeaderName::from_static("x-sum"), HeaderValue::from_static("7"));
    let body = frames([Frame::data(Bytes::from("a".repeat(300_000))), Frame::trailers(trailers)]);
    let request = http::Request::post("https://shop.example/x").header("te", "trailers").body(body).expect("a request");
    let answer = client.send(request).await.expect("an answer").into_body().collect().await.expect("a body");
    let trailers = answer.trailers().cloned().expect("trailers");
    assert_eq!(
        (&trailers["x-sum"], &trailers["x-end"]),
        (&HeaderValue::from_static("7"), &HeaderValue::from_static("told"))
    );
    assert_eq!(answer.to_bytes().len(), 300_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_full_gets_another_beside_it() {
    let origin = Http2Shop::new(2);
    let edge = shop(&h2c(&origin), "");
    let client = Http2::open(edge.https, "shop.example").await;
    let hanging: Vec<_> = (0..4)
        .map(|_| {
            let mut client = client.another();
            tokio::spawn(async move {
                let request = http::Request::get("https://shop.example/hang").body(empty()).expect("a request");
                client.send(request).await.map(drop)
            })
        })
        .collect();
    eventually("four that hang", || (origin.asked().len() == 4).then_some(()));
    assert_eq!(client.another().get("shop.example", "/x").await.0, 200);
    assert_eq!(origin.connections(), 3);
    // Who goes away takes the shop's work along.
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
    eventually("four resets", || {
        (origin.asked().iter().filter(|asked| asked.reset == Some(Reason::CANCEL)).count() == 4).then_some(())
    });
    assert_eq!(client.another().get("shop.example", "/x").await.0, 200);
    assert_eq!(origin.connections(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_nothing_holds_up_nobody_else() {
    let origin = Http2Shop::new(100);
    let edge = shop(&h2c(&origin), "");
    let client = Http2::open(edge.https, "shop.example").await;
    let mut held = Vec::new();
    for _ in 0..20 {
        let request = http::Request::get("https://shop.example/large").body(empty()).expect("a request");
        held.push(client.another().send(request).await.expect("a head"));
    }
    let mut other = Http2::open(edge.https, "shop.example").await;
    for _ in 0..3 {
        let (status, body) = other.get("shop.example", "/large").await;
        assert_eq!((status, body.len()), (200, LARGE));
    }
    assert_eq!(origin.connections(), 1);
    // All together: what one of them holds of their connection's window, the others lack.
    let held = held.into_iter().map(|answer| tokio::spawn(answer.into_body().collect()));
    for answer in held.collect::<Vec<_>>() {
        let body = answer.await.expect("no panic").expect("a body");
        assert_eq!(body.to_bytes().len(), LARGE);
    }
}

#[test]
fn what_was_not_looked_at_is_sent_again() {
    let origin = Http2Shop::new(100);
    let edge = shop(&h2c(&origin), "retries = 0");
    let mut client = edge.open("shop.example");
    let post = |path: &str| format!("POST {path} HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 0\r\n\r\n");
    // The connection says farewell behind its first answer; the next request finds another.
    assert_eq!(client.ask(post("/leave")).status, 200);
    for _ in 0..3 {
        assert_eq!(client.ask(post("/x")).status, 200);
    }
    assert_eq!(origin.connections(), 2);
    // One that refuses everything is not asked for ever, and says nothing of itself to the client.
    assert_eq!(client.ask(post("/never")).status, 502);
    assert_eq!(origin.asked().iter().filter(|asked| asked.head.uri().path() == "/never").count(), 4);
    assert_eq!(client.ask(post("/broken")).status, 502);
    assert_eq!(origin.asked().iter().filter(|asked| asked.head.uri().path() == "/broken").count(), 1);
    assert_eq!(client.ask(post("/x")).status, 200);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn http2_is_agreed_in_the_handshake_or_not_spoken() {
    let origin = Http2Shop::new(100);
    let issued = authority().issue(&["localhost"]);
    let roots = "upstream_tls = { roots = [\"root.pem\"] }";
    for (protocols, status) in [(&["h2", "http/1.1"][..], 200), (&["http/1.1"], 502), (&[], 502)] {
        let front = TlsFront::with(&issued, origin.address, false, protocols);
        let edge = shop(&format!("h2://localhost:{}", front.address.port()), roots);
        assert_eq!(edge.get("shop.example", "/x").status, status, "{protocols:?}");
        assert_eq!(origin.asked().last().map(|asked| asked.head.uri().scheme_str() == Some("https")), Some(true));
    }
    // Nor with a shop that speaks HTTP/1.1 alone.
    let origin = Origin::saying("in HTTP/1.1");
    let edge = shop(&format!("h2c://{}", origin.address), "");
    assert_eq!(edge.get("shop.example", "/").status, 502);
    assert_eq!(failures(&edge, "no_http2"), 1.0);
}

#[test]
fn the_edge_asks_in_http2_by_itself() {
    let origin = Http2Shop::new(100);
    let edge = shop(&h2c(&origin), "health = { path = \"/bare\", interval = \"100ms\", host = \"shop.example\" }");
    eventually("a question", || origin.asked().iter().any(|asked| asked.head.uri().path() == "/bare").then_some(()));
    assert_eq!(edge.api("upstreams")[0]["state"], "ready");
    let down = shop(&h2c(&origin), "health = { path = \"/never\", interval = \"100ms\" }");
    eventually("its word", || (down.api("upstreams")[0]["state"] == "down").then_some(()));
}
