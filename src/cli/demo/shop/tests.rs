//! The shop over real connections.

use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use super::*;

#[tokio::test]
async fn each_host_has_its_own_page_in_any_spelling() {
    let shop = Open::on_a_free_port().await;
    for (host, name) in [
        ("shop.localhost:8443", "<title>Glass &amp; Lamp</title>"),
        ("SHOP.localhost.", "<title>Glass &amp; Lamp</title>"),
        ("cafe.localhost", "<title>Café Vis-à-vis</title>"),
    ] {
        let (status, page) = shop.page("GET", host, "/", &[]).await;
        assert_eq!(status, 200);
        assert!(page.contains(name), "{page}");
        assert!(!page.contains("{{"), "{page}");
    }
    let (_, page) = shop.page("GET", "shop.localhost:8443", "/", &[]).await;
    assert!(page.contains("<a href=\"//cafe.localhost:8443/\">Next door"), "{page}");
}

#[tokio::test]
async fn a_page_shows_what_the_edge_said_and_runs_none_of_it() {
    let shop = Open::on_a_free_port().await;
    let said = [
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "<script>alert('\"&')</script>"),
    ];
    let (_, page) = shop.page("GET", "shop.localhost", "/?a='&b", &said).await;
    for row in [
        "<tr><th scope=\"row\">Request</th><td><code>GET /?a=&#39;&amp;b HTTP/1.1</code></td></tr>",
        "<tr><th scope=\"row\">X-Forwarded-For</th><td><code>192.0.2.7</code></td></tr>",
        "<tr><th scope=\"row\">X-Forwarded-Proto</th><td><code>https</code></td></tr>",
        "<tr><th scope=\"row\">X-Forwarded-Host</th><td class=\"none\">not sent</td></tr>",
        "<code>&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;</code>",
    ] {
        assert!(page.contains(row), "{row} is missing in {page}");
    }
    assert!(!page.contains("<script>"), "{page}");
}

#[tokio::test]
async fn headers_are_told_as_they_came() {
    let shop = Open::on_a_free_port().await;
    let (status, told) =
        shop.page("POST", "cafe.localhost", "/headers?a=b", &[("x-a", "1"), ("x-b", "2"), ("x-a", "3")]).await;
    assert_eq!(status, 200);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&told).expect("JSON"),
        json!({
            "method": "POST",
            "target": "/headers?a=b",
            "version": "HTTP/1.1",
            "headers": { "host": ["cafe.localhost"], "x-a": ["1", "3"], "x-b": ["2"] },
        })
    );
}

#[tokio::test]
async fn the_download_has_the_length_it_says() {
    let shop = Open::on_a_free_port().await;
    let response = shop.ask("GET", "shop.localhost", "/download", &[]).await;
    assert_eq!(response.headers()["content-length"], download::SIZE.to_string());
    let (mut body, mut length, mut first) = (response.into_body(), 0, None);
    while let Some(frame) = body.frame().await {
        let data = frame.expect("a frame").into_data().expect("data");
        first = first.or_else(|| data.first_chunk::<32>().copied());
        length += data.len() as u64;
    }
    assert_eq!((length, &first), (download::SIZE, &Some(*b"every byte goes past the window\n")));

    let head = shop.ask("HEAD", "shop.localhost", "/download", &[]).await;
    assert_eq!(head.headers()["content-length"], download::SIZE.to_string());
    assert_eq!(head.into_body().collect().await.expect("a body").to_bytes(), "");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_taken_is_said() {
    let shop = Open::on_a_free_port().await;
    let (status, page) = shop.page("GET", "shop.localhost", "/a&b'", &[]).await;
    assert_eq!(status, 404);
    assert!(page.contains("<code>/a&amp;b&#39;</code>"), "{page}");
    assert_eq!(shop.page("GET", "elsewhere.example", "/", &[]).await.0, 404);
    assert_eq!(shop.page("DELETE", "shop.localhost", "/", &[]).await.0, 405);
    assert_eq!(shop.page("GET", "shop.localhost", "/echo", &[]).await.0, 426);
}

#[tokio::test]
async fn a_websocket_says_back_what_it_is_told_until_the_shop_closes() {
    let shop = Open::on_a_free_port().await;
    let request = "ws://shop.localhost/echo".into_client_request().expect("a request");
    // The client checks Sec-WebSocket-Accept.
    let (mut socket, response) =
        tokio_tungstenite::client_async(request, shop.connect().await).await.expect("a WebSocket");
    assert_eq!(response.status(), 101);
    for message in [Message::text("grüß dich"), Message::binary(vec![0, 255, 7]), Message::text("")] {
        socket.send(message.clone()).await.expect("sent");
        assert_eq!(socket.next().await.expect("an answer").expect("a message"), message);
    }

    shop.close().await;
    match socket.next().await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(frame.code, CloseCode::Away),
        other => panic!("expected a goodbye, found {other:?}"),
    }
}

#[tokio::test]
async fn closing_ends_quiet_connections_and_lets_none_in() {
    let shop = Open::on_a_free_port().await;
    let address = shop.address;
    let mut quiet = shop.connect().await;
    quiet.write_all(b"HEAD /style.css HTTP/1.1\r\nhost: shop.localhost\r\n\r\n").await.expect("sent");
    let mut first = [0; 15];
    quiet.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200 OK");

    shop.close().await;
    let mut rest = Vec::new();
    tokio::time::timeout(DEADLINE, quiet.read_to_end(&mut rest)).await.expect("in time").expect("an end in order");
    assert!(rest.ends_with(b"\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    assert!(TcpStream::connect(address).await.is_err());
}

type Client = SendRequest<http_body_util::Empty<Bytes>>;

/// A shop that is open.
struct Open {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Open {
    async fn on_a_free_port() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, async {
            let _ = stopped.await;
        }));
        Self { address, stop, serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    async fn client(&self) -> (Client, JoinHandle<hyper::Result<()>>) {
        let (client, connection) = handshake(TokioIo::new(self.connect().await)).await.expect("a client");
        (client, tokio::spawn(connection))
    }

    async fn ask(&self, method: &str, host: &str, target: &str, fields: &[(&str, &str)]) -> Response<Incoming> {
        let mut request = Request::builder().method(method).uri(target).header("host", host);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(http_body_util::Empty::new()).expect("a request");
        self.client().await.0.send_request(request).await.expect("a response")
    }

    async fn page(&self, method: &str, host: &str, target: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let response = self.ask(method, host, target, fields).await;
        let status = response.status().as_u16();
        let content = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(content.into()).expect("UTF-8"))
    }

    /// Ends with the last connection.
    async fn close(self) {
        self.stop.send(()).expect("a shop");
        tokio::time::timeout(DEADLINE, self.serving).await.expect("in time").expect("the task");
    }
}

const DEADLINE: Duration = Duration::from_secs(10);
