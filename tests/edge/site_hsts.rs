//! Strict-Transport-Security: with each answer over TLS, never over plain HTTP.

use crate::support::{Http2, Origin, Setup, Talk, empty};

const HSTS: &str = "[site.hsts]\nmax_age = \"30d\"\ninclude_subdomains = true\n";
const SAID: &str = "max-age=2592000; includeSubDomains";
const FIELD: &str = "strict-transport-security";

#[test]
fn it_replaces_what_the_shop_says() {
    let origin = Origin::new(|exchange| {
        let fields = [("strict-transport-security", "max-age=1"), ("strict-transport-security", "max-age=2")];
        exchange.answer("200 OK", &fields, b"hello")
    });
    let mut setup = Setup::shop(&origin);
    setup.raw_site(HSTS);
    let edge = setup.start();
    assert_eq!(edge.get("shop.example", "/").head.all(FIELD), [SAID]);
}

#[test]
fn it_goes_with_the_edges_own_answers_and_never_over_plain_http() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(&format!("[[site.redirect]]\npath = \"/old\"\nto = \"/new\"\n{HSTS}"));
    let edge = setup.start();
    let redirected = edge.get("shop.example", "/old");
    assert_eq!((redirected.status, redirected.field(FIELD)), (308, Some(SAID)));
    let plain = Talk::plain(edge.http()).get("shop.example", "/");
    assert_eq!((plain.status, plain.field(FIELD)), (308, None));
}

#[test]
fn a_site_that_says_nothing_leaves_it_to_the_shop() {
    let origin =
        Origin::new(|exchange| exchange.answer("200 OK", &[("strict-transport-security", "max-age=1")], b"hello"));
    let edge = Setup::shop(&origin).start();
    assert_eq!(edge.get("shop.example", "/").field(FIELD), Some("max-age=1"));
}

#[test]
fn it_changes_with_the_configuration() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").field(FIELD), None);
    edge.setup.raw_site(HSTS);
    edge.setup.write();
    edge.logged("configuration was reloaded");
    assert_eq!(client.get("shop.example", "/").field(FIELD), Some(SAID));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_is_told_alike() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(HSTS);
    let edge = setup.start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let request = http::Request::get("https://shop.example/").body(empty()).expect("a request");
    let response = client.send(request).await.expect("a response");
    assert_eq!(response.headers()[FIELD].to_str().ok(), Some(SAID));
}
