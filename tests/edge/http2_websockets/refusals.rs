//! WebSockets over HTTP/2 that do not come about, and what is said of it.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_shop_says_other_than_yes_is_its_answer_and_a_yes_without_a_switch_is_none() {
    let origin = Origin::new(|exchange| match exchange.asked().1 {
        "/refuses" => exchange.answer("403 Forbidden", &[("x-why", "no reason")], b"no"),
        "/moves" => exchange.answer("307 Temporary Redirect", &[("location", "/else")], b""),
        "/pages" => exchange.answer("200 OK", &[], b"a page"),
        "/early" => {
            exchange.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")?;
            exchange.answer("404 Not Found", &[], b"none")
        }
        "/lies" => {
            exchange.write(SWITCHING_FOR_ANOTHER)?;
            Ok(Then::Close)
        }
        _ => Ok(Then::Close),
    });
    let edge = Setup::shop(&origin).start();
    let mut client = open(&edge, &client::Builder::new()).await;
    for (path, status, octets) in [
        ("/refuses", 403, Some("no")),
        ("/moves", 307, Some("")),
        ("/early", 404, Some("none")),
        ("/pages", 502, None),
        ("/lies", 502, None),
        ("/closes", 502, None),
    ] {
        let (response, mut stream) = ask(&mut client, path);
        // None of it is ever a request at the shop.
        let _ = stream.send_data("GET /smuggled HTTP/1.1\r\nhost: shop.example\r\n\r\n".into(), false);
        let response = response.await.expect("a response");
        assert_eq!(response.status(), status, "{path}");
        let mut body = response.into_body();
        let said = rest(&mut body).await.expect("a body");
        assert!(octets.is_none_or(|octets| said == octets), "{path}: {said}");
    }
    let asked: Vec<_> = origin.requests().iter().map(|one| one.head.start.clone()).collect();
    assert!(asked.iter().all(|start| start.starts_with("GET /") && !start.contains("smuggled")), "{asked:?}");
    let request = &origin.requests()[0];
    for (name, value) in [("upgrade", "websocket"), ("connection", "upgrade"), ("host", "shop.example"), ("x-own", "1")]
    {
        assert_eq!(request.head.all(name), [value], "{name}");
    }
    assert!(request.field("content-length").is_none() && request.field("transfer-encoding").is_none());
    edge.counted(1.0, "vitrine_upstream_failures_total", &[("reason", "no_websocket")]);
    edge.counted(1.0, "vitrine_upstream_failures_total", &[("reason", "unasked_upgrade")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_of_http2_that_takes_no_websocket_is_not_asked_and_not_blamed() {
    let origin = Http2Shop::new(100);
    let edge = before(&format!("h2c://{}", origin.address), "health = { eject_after = 1, eject_for = \"5m\" }").start();
    let mut client = open(&edge, &client::Builder::new()).await;
    let (response, _stream) = ask(&mut client, "/");
    assert_eq!(response.await.expect("a response").status(), 502);
    let mut other = edge.open("shop.example");
    assert_eq!(other.ask(HANDSHAKE).status, 502);
    edge.counted(2.0, "vitrine_upstream_failures_total", &[("reason", "no_websocket")]);
    assert!(origin.asked().is_empty());
    edge.counted(0.0, "vitrine_upstream_ejections_total", &[]);
    assert_eq!(edge.get("shop.example", "/x").status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_site_asks_of_requests_holds_for_websockets() {
    let origin = Origin::new(|exchange| {
        switch(exchange)?;
        let _ = exchange.reader.read_to_end(&mut Vec::new());
        Ok(Then::Close)
    });
    let lines = "rate_limit = { rate = \"3/h\" }\n\
                 connections = { per_client = 1 }\n\
                 [[site.route]]\npath = \"/closed/\"\ndeny = [\"127.0.0.0/8\"]\nupstreams = [\"http://127.0.0.1:1\"]\n";
    let edge = before(&origin.url(), lines).start();
    let mut client = open(&edge, &client::Builder::new()).await;
    let status = async |client: &mut Client, path: &str| {
        let (response, stream) = ask(client, path);
        let response = response.await.expect("a response");
        (response.status().as_u16(), response.headers().get("retry-after").is_some(), response.into_body(), stream)
    };
    assert_eq!(status(&mut client, "/closed/").await.0, 403);
    let (first, _, body, mut stream) = status(&mut client, "/").await;
    assert_eq!(first, 200);
    // It is counted as long as it is open.
    let (second, later, ..) = status(&mut client, "/").await;
    assert_eq!((second, later), (429, true));
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "crowded")]);
    stream.send_data(Bytes::new(), true).expect("sent");
    drop(body);
    edge.counted(0.0, "vitrine_connections_open", &[("protocol", "tunnel")]);
    assert_eq!(status(&mut client, "/").await.0, 200);
    let (last, later, ..) = status(&mut client, "/").await;
    assert_eq!((last, later), (429, true));
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "rate_limited")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_connects_are_told_what_they_are() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = open(&edge, &client::Builder::new()).await;
    let websocket = || Some(Protocol::from_static("websocket"));
    for (protocol, length, ends, status, rule) in [
        (Some(Protocol::from_static("connect-udp")), false, false, 501, "protocol"),
        (Some(Protocol::from_static("h2c")), false, true, 501, "protocol"),
        (None, false, false, 405, "method"),
        (websocket(), true, false, 400, "upgrade_body"),
        (websocket(), false, true, 400, "upgrade_body"),
    ] {
        let before = edge.scrape().sum("vitrine_requests_refused_total", &[("rule", rule)]);
        let uri = if protocol.is_some() { "https://shop.example/" } else { "shop.example" };
        let mut request = Request::connect(uri);
        if length {
            request = request.header("content-length", "0");
        }
        let mut request = request.body(()).expect("a request");
        if let Some(protocol) = protocol {
            request.extensions_mut().insert(protocol);
        }
        let (response, _stream) = client.sender.send_request(request, ends).expect("sent");
        assert_eq!(response.await.expect("a response").status(), status, "{rule}");
        edge.counted(before + 1.0, "vitrine_requests_refused_total", &[("rule", rule)]);
    }
    assert!(origin.requests().is_empty());
}
