//! Header fields that a site adds, sets and removes, both ways.

use crate::support::{Http2, Origin, Setup, empty};

const REQUESTS: &str = "[site.request_headers]\nset = [\"X-Shop: one\", \"Authorization: Basic edge\"]\nadd = [\"X-Tag: edge\"]\n\
                        remove = [\"X-Debug\", \"Cookie\"]\n";
const RESPONSES: &str = "[site.response_headers]\nset = [\"X-Frame-Options: DENY\"]\nadd = [\"Vary: Cookie\"]\n\
                         remove = [\"Server\", \"X-Powered-By\"]\n";

#[test]
fn the_shop_sees_what_the_site_says_and_not_what_it_takes_out() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(REQUESTS);
    let edge = setup.start();
    edge.open("shop.example").ask(
        "GET / HTTP/1.1\r\nhost: shop.example\r\nx-shop: mine\r\nX-SHOP: mine too\r\nauthorization: Basic mine\r\nx-tag: mine\r\n\
         x-debug: 1\r\ncookie: a=b\r\nconnection: x-shop\r\nx-kept: 1\r\n\r\n",
    );
    let request = origin.request();
    for (name, values) in [
        ("x-shop", &["one"][..]),
        ("authorization", &["Basic edge"]),
        ("x-tag", &["mine", "edge"]),
        ("x-debug", &[]),
        ("cookie", &[]),
        ("x-kept", &["1"]),
        ("host", &["shop.example"]),
    ] {
        assert_eq!(request.head.all(name), values, "{name}");
    }
}

#[test]
fn what_is_taken_out_does_not_come_in_as_a_trailer() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(REQUESTS);
    let edge = setup.start();
    let response = edge.open("shop.example").ask(
        "POST / HTTP/1.1\r\nhost: shop.example\r\ntransfer-encoding: chunked\r\n\r\n\
         1\r\na\r\n0\r\nx-debug: 1\r\nx-shop: mine\r\nx-sum: 5\r\n\r\n",
    );
    assert_eq!(response.status, 200);
    assert_eq!(origin.request().content.trailers, [("x-sum".to_owned(), "5".to_owned())]);
}

#[test]
fn the_client_sees_what_the_site_says_and_not_what_it_takes_out() {
    let origin = Origin::new(|exchange| {
        let fields = [
            ("server", "shop/1.0"),
            ("x-powered-by", "PHP"),
            ("x-frame-options", "ALLOWALL"),
            ("vary", "Accept"),
            ("set-cookie", "a=1"),
        ];
        exchange.answer("200 OK", &fields, b"hello")
    });
    let mut setup = Setup::shop(&origin);
    setup.raw_site(RESPONSES);
    let edge = setup.start();
    let response = edge.get("shop.example", "/");
    for (name, values) in [
        ("server", &[][..]),
        ("x-powered-by", &[]),
        ("x-frame-options", &["DENY"]),
        ("vary", &["Accept", "Cookie"]),
        ("set-cookie", &["a=1"]),
        ("content-length", &["5"]),
    ] {
        assert_eq!(response.head.all(name), values, "{name}");
    }
    assert_eq!(response.text(), "hello");
}

#[test]
fn the_edges_own_answers_have_none_of_it() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(&format!("[[site.redirect]]\npath = \"/old\"\nto = \"/new\"\n{RESPONSES}"));
    let edge = setup.start();
    assert_eq!(edge.get("shop.example", "/old").field("x-frame-options"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_is_treated_alike_with_its_crumbs_of_cookies() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(&format!("{REQUESTS}{RESPONSES}"));
    let edge = setup.start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let mut request = http::Request::get("https://shop.example/").header("x-first", "1");
    for (name, value) in [("cookie", "a=b"), ("cookie", "c=d"), ("x-last", "2")] {
        request = request.header(name, value);
    }
    let response = client.send(request.body(empty()).expect("a request")).await.expect("a response");
    assert_eq!(response.headers()["x-frame-options"].to_str().ok(), Some("DENY"));
    let request = origin.request();
    assert_eq!(
        (request.field("cookie"), request.field("x-first"), request.field("x-last")),
        (None, Some("1"), Some("2"))
    );
}
