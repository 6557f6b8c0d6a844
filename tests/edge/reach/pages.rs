//! What the edge's own answers say, status by status: what to do, and nothing of the edge, its files or what stands behind it.

use std::io::Read;

use http::Request;
use http_body_util::BodyExt;

use crate::support::{Edge, Http2, Origin, Response, Setup, Talk, Then, authority, empty};

/// That an answer was made by the edge and tells a stranger nothing.
pub(super) fn says_nothing_of_the_edge(edge: &Edge, response: &Response, what: &str) {
    for (name, _) in &response.head.fields {
        assert!(FIELDS.contains(&name.as_str()), "{what}: {name} is said too");
    }
    let text = response.text().to_lowercase();
    let own =
        [edge.admin.to_string(), edge.setup.folder.path().display().to_string(), env!("CARGO_PKG_VERSION").into()];
    for word in WORDS.iter().copied().chain(own.iter().map(String::as_str)) {
        assert!(!text.contains(word), "{what}: {word:?} in {text}");
    }
}

/// All that may stand above a page of the edge's.
const FIELDS: [&str; 9] = [
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "location",
    "retry-after",
    "x-content-type-options",
];

/// Whoever reads one of these knows more than what to do.
const WORDS: [&str; 14] = [
    "vitrine",
    "hyper",
    "rustls",
    "tokio",
    "h2",
    "panic",
    "src/",
    ".rs:",
    "os error",
    "127.0.0.1",
    "upstream",
    "certs/",
    "state/",
    "private key",
];

/// Every status that the edge makes by itself, each by what brings it about.
const MADE: &[(u16, &str)] = &[
    (308, "GET / HTTP/1.1\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
    (302, "GET /moved HTTP/1.1\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nhost: shop.example\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nhost: shop.example\r\nx: a\0b\r\nACCEPT\r\n\r\n"),
    (403, "GET /closed HTTP/1.1\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
    (404, "GET / HTTP/1.1\r\nhost: unknown.shop.example\r\nACCEPT\r\n\r\n"),
    (405, "TRACE / HTTP/1.1\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
    (405, "DELETE /.well-known/a.txt HTTP/1.1\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
    (408, "GET / HTTP/1.1\r\nhost: shop.exa"),
    (408, "POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 10\r\nACCEPT\r\n\r\nhalf"),
    (413, "POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 5000\r\nACCEPT\r\n\r\n"),
    (414, "GET /LONG HTTP/1.1\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
    (417, "POST / HTTP/1.1\r\nhost: shop.example\r\nexpect: more\r\ncontent-length: 0\r\nACCEPT\r\n\r\n"),
    (421, "GET / HTTP/1.1\r\nhost: other.example\r\nACCEPT\r\n\r\n"),
    (429, "GET /often HTTP/1.1\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
    (431, "GET / HTTP/1.1\r\nhost: shop.example\r\nMANYACCEPT\r\n\r\n"),
    (502, "GET /refused HTTP/1.1\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
    (502, "GET /broken HTTP/1.1\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
    (503, "GET / HTTP/1.1\r\nhost: works.shop.example\r\nACCEPT\r\n\r\n"),
    (504, "GET /silent HTTP/1.1\r\nhost: shop.example\r\nACCEPT\r\n\r\n"),
];

fn start(origin: &Origin) -> Edge {
    let mut setup = Setup::new();
    let url = origin.url();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"{url}\"]\nhealth = {{ eject_after = 0 }}\n\
         [[site.redirect]]\npath = \"/moved\"\nto = \"/new\"\nstatus = 302\n\
         [[site.route]]\npath = \"/closed\"\nupstreams = [\"{url}\"]\ndeny = [\"0.0.0.0/0\"]\n\
         [[site.route]]\npath = \"/often\"\nupstreams = [\"{url}\"]\nrate_limit = {{ rate = \"1/h\", burst = 1 }}\n\
         [[site.route]]\npath = \"/silent\"\nupstreams = [\"{url}\"]\nlimits = {{ upstream_response_timeout = \"2s\" }}\n\
         [[site.route]]\npath = \"/refused\"\nupstreams = [\"http://127.0.0.1:1\"]\n\
         [[site]]\nhosts = [\"works.shop.example\"]\nupstreams = [\"{url}\"]\n[site.maintenance]\non = true\n\
         [[site]]\nhosts = [\"other.example\"]\nupstreams = [\"{url}\"]\n"
    ));
    setup.certificate("shop", &authority().issue(&["shop.example", "*.shop.example"]));
    for limit in
        ["header_timeout = \"2s\"", "body_idle_timeout = \"2s\"", "uri_length = \"1KiB\"", "body_size = \"1KiB\""]
    {
        setup.set("limits", limit);
    }
    let folder = setup.certs().join("well-known/shop.example");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("a.txt"), "object").expect("written");
    setup.start()
}

fn misbehaving() -> Origin {
    Origin::new(|exchange| match exchange.asked().1 {
        "/broken" => {
            exchange.write(b"HTTP/1.1 2OO OK\r\nx-powered-by: upstream\r\n\r\n")?;
            Ok(Then::Close)
        }
        "/silent" => {
            // Until the edge gives up.
            exchange.reader.read_to_end(&mut Vec::new())?;
            Ok(Then::Close)
        }
        _ => {
            exchange.body()?;
            exchange.answer("200 OK", &[], b"hello")
        }
    })
}

#[test]
fn every_answer_of_the_edges_own_says_what_to_do_and_no_more() {
    let origin = misbehaving();
    let edge = start(&origin);
    assert_eq!(edge.get("shop.example", "/often").status, 200);
    // At once, as some wait for their time to be over.
    std::thread::scope(|scope| {
        for &(status, request) in MADE {
            for accept in ["text/html", "application/json"] {
                let edge = &edge;
                scope.spawn(move || is_made(edge, status, request, accept));
            }
        }
    });
}

fn is_made(edge: &Edge, status: u16, request: &str, accept: &str) {
    let is_unread = !request.contains("ACCEPT") || request.contains('\0') || request.contains("MANY");
    let whole = request
        .replace("LONG", &"a".repeat(2000))
        .replace("MANY", &"x: y\r\n".repeat(101))
        .replace("ACCEPT", &format!("accept: {accept}"));
    let mut client = if status == 308 { Talk::plain(edge.http()) } else { edge.open("shop.example") };
    client.send(&whole);
    let answer = client.response();
    assert_eq!(answer.status, status, "{request}");
    says_nothing_of_the_edge(edge, &answer, request);
    match answer.field("content-type") {
        Some("application/problem+json") if accept == "application/json" => {
            let problem = answer.json();
            let keys: Vec<&String> = problem.as_object().expect("an object").keys().collect();
            assert_eq!(keys, ["detail", "request_id", "status", "title", "type"], "{request}");
        }
        // Who does not come to say what it would like to read, or cannot be understood, gets a page.
        Some("text/html; charset=utf-8") if accept == "text/html" || is_unread => {
            let title = answer.head.start.splitn(3, ' ').nth(2).expect("a reason");
            assert!(answer.text().contains(&format!("<h1>{title}</h1>")), "{request}: {}", answer.text());
        }
        other => panic!("{request}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_more_said_over_http_2() {
    let origin = misbehaving();
    let edge = start(&origin);
    let mut client = Http2::open(edge.https, "shop.example").await;
    assert_eq!(client.get("shop.example", "/often").await.0, 200);
    for (status, url) in [
        (302, "https://shop.example/moved"),
        (400, "https://shop.example:99999/"),
        (403, "https://shop.example/closed"),
        (404, "https://unknown.shop.example/"),
        (421, "https://other.example/"),
        (429, "https://shop.example/often"),
        (502, "https://shop.example/refused"),
        (502, "https://shop.example/broken"),
        (503, "https://works.shop.example/"),
        (504, "https://shop.example/silent"),
    ] {
        let request = Request::get(url).body(empty()).expect("a request");
        let (head, body) = client.send(request).await.expect("a response").into_parts();
        let answer = Response::of(&head, &body.collect().await.expect("an orderly end").to_bytes());
        assert_eq!(answer.status, status, "{url}");
        says_nothing_of_the_edge(&edge, &answer, url);
    }
}
