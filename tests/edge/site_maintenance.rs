//! A site that is being worked on, and pages of its own for what the edge answers.

use std::fs;
use std::net::TcpListener;

use crate::support::{Http2, Origin, Setup, Talk, authority, drop_file, eventually, replace_file, site};

const ON: &str = "[site.maintenance]\non = true\nretry_after = \"90s\"\n";

/// Files of a folder `pages`.
fn pages(setup: &Setup, files: &[(&str, &str)]) {
    let folder = setup.folder.path().join("pages");
    fs::create_dir(&folder).expect("a folder");
    files.iter().for_each(|(name, content)| drop_file(&folder.join(name), content));
}

#[test]
fn visitors_are_told_when_to_come_back_and_the_shop_is_left_alone() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(&format!("[[site.redirect]]\npath = \"/old\"\nto = \"/new\"\n{ON}"));
    let folder = setup.certs().join("well-known/shop.example");
    fs::create_dir_all(&folder).expect("a folder");
    drop_file(&folder.join("security.txt"), "Contact: mailto:it@shop.example\n");
    let edge = setup.start();
    let response = edge.get("shop.example", "/");
    let fields = ["retry-after", "cache-control", "content-type"].map(|name| response.field(name));
    assert_eq!((response.status, fields), (503, [Some("90"), Some("no-store"), Some("text/html; charset=utf-8")]));
    assert!(response.text().contains("being worked on"), "{}", response.text());
    for (target, status) in [("/old", 308), ("/.well-known/security.txt", 200)] {
        assert_eq!(edge.get("shop.example", target).status, status, "{target}");
    }
    assert_eq!(Talk::plain(edge.http()).get("shop.example", "/").status, 308);
    assert_eq!(origin.requests(), []);
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "maintenance")]);
}

#[test]
fn it_is_switched_while_a_connection_stays() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").status, 200);
    let before = edge.setup.text();
    edge.setup.raw_site(ON);
    edge.setup.write();
    eventually("maintenance", || (client.get("shop.example", "/").status == 503).then_some(()));
    replace_file(&edge.setup.config(), before);
    eventually("the shop", || (client.get("shop.example", "/").text() == "hello").then_some(()));
}

#[test]
fn who_works_on_it_comes_through() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(&format!("{ON}allow = [\"127.0.0.0/8\"]\n"));
    assert_eq!(setup.start().get("shop.example", "/").text(), "hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(&format!("{ON}allow = [\"10.0.0.0/8\"]\n"));
    assert_eq!(setup.start().get("shop.example", "/").status, 503);
}

#[test]
fn a_site_shows_pages_of_its_own() {
    let gone =
        TcpListener::bind("127.0.0.1:0").map(|listener| listener.local_addr()).expect("a port").expect("an address");
    let mut setup = Setup::new();
    setup.raw_site(&site(&["shop.example"], &[format!("http://{gone}")]));
    setup.raw_site("error_pages = \"pages\"\ndeny = [\"10.0.0.0/8\"]\n[site.maintenance]\n");
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    pages(&setup, &[("502.html", "<h1>our own</h1>"), ("README.html", "x"), ("200.html", "x"), ("502.txt", "x")]);
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    let own = client.get("shop.example", "/");
    assert_eq!(
        (own.status, own.text().as_str(), own.field("content-type")),
        (502, "<h1>our own</h1>", Some("text/html; charset=utf-8"))
    );
    let json = client.ask("GET / HTTP/1.1\r\nhost: shop.example\r\naccept: application/json\r\n\r\n");
    assert_eq!((json.status, &json.json()["status"]), (502, &502.into()));
    client.send("HEAD / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status, head.field("content-length")), (502, Some("16")));
    let refused = edge.open("shop.example").ask("TRACE / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    assert_eq!(refused.status, 405, "the gate's own words: no site was looked for yet");

    // What lies in the folder is read again, and never on the way of a request.
    replace_file(&edge.setup.folder.path().join("pages/502.html"), "<h1>changed</h1>");
    eventually("the new page", || (client.get("shop.example", "/").text() == "<h1>changed</h1>").then_some(()));
    fs::remove_dir_all(edge.setup.folder.path().join("pages")).expect("removed");
    edge.logged("the configuration was not reloaded");
    assert_eq!(client.get("shop.example", "/").text(), "<h1>changed</h1>");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_has_a_page_of_its_own_over_http_2_too() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(&format!("error_pages = \"pages\"\n{ON}"));
    pages(&setup, &[("503.html", "too many"), ("maintenance.html", "back soon")]);
    let edge = setup.start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let (status, page) = client.get("shop.example", "/").await;
    assert_eq!((status, &*page), (503, &b"back soon"[..]));
}

#[test]
fn a_page_that_answers_from_the_shop_is_never_replaced() {
    let origin = Origin::new(|exchange| exchange.answer("404 Not Found", &[], b"the shop's own"));
    let mut setup = Setup::shop(&origin);
    setup.raw_site("error_pages = \"pages\"\n");
    pages(&setup, &[("404.html", "the edge's")]);
    assert_eq!(setup.start().get("shop.example", "/").text(), "the shop's own");
}
