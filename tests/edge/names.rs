//! Which host may be asked for on which connection.

use crate::support::{Http2, Origin, Setup, authority};

#[test]
fn a_host_the_certificate_does_not_cover_is_misdirected() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.site(&["other.example"], &[&origin]).certificate("other", &authority().issue(&["other.example"]));
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("other.example", "/").status, 421);
    // A connection that was asked for the wrong host still serves the right one.
    assert_eq!(client.get("shop.example", "/").status, 200);
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "misdirected")]);
    assert_eq!(origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_the_certificate_does_not_cover_is_misdirected_over_http_2() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.site(&["other.example"], &[&origin]).certificate("other", &authority().issue(&["other.example"]));
    let edge = setup.start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    assert_eq!(client.get("other.example", "/").await.0, 421);
    assert_eq!(client.get("shop.example", "/").await.0, 200);
}

#[test]
fn a_host_that_is_covered_and_not_configured_is_not_found() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["www.shop.example"], &[&origin]).certificate("shop", &authority().issue(&["*.shop.example"]));
    let edge = setup.start();
    let mut client = edge.open("www.shop.example");
    assert_eq!(client.get("blog.shop.example", "/").status, 404);
    assert_eq!(client.get("www.shop.example", "/").status, 200);
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "unknown_host")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_coalesces_hosts_of_one_certificate_is_served_each() {
    let (shop, media) = (Origin::saying("shop"), Origin::saying("media"));
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&shop]).site(&["media.example"], &[&media]);
    setup.certificate("both", &authority().issue(&["shop.example", "media.example"]));
    let edge = setup.start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    assert_eq!(client.get("shop.example", "/").await, (200, "shop".into()));
    assert_eq!(client.get("media.example", "/").await, (200, "media".into()));
    assert_eq!(edge.open("shop.example").get("media.example", "/").text(), "media");
}

#[test]
fn a_host_is_the_same_host_however_it_is_written() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    let spellings = ["shop.example", "SHOP.example", "shop.example.", "shop.example:443", "Shop.Example.:8443"];
    for host in spellings {
        assert_eq!(client.get(host, "/").status, 200, "{host}");
    }
    let passed: Vec<_> = origin.requests().iter().map(|request| request.field("host").map(str::to_owned)).collect();
    assert_eq!(passed, spellings.map(|host| Some(host.to_owned())));
}

#[test]
fn a_site_among_very_many_is_found_however_it_is_written() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    for number in 0..500 {
        setup.site(&[&format!("Shop-{number}.Many.Example")], &[&origin]);
    }
    setup.certificate("all", &authority().issue(&["*.many.example"]));
    let edge = setup.start();
    let mut client = edge.open("shop-1.many.example");
    for host in ["shop-0.many.example", "SHOP-99.many.example", "shop-100.MANY.EXAMPLE.", "Shop-499.many.example:443"] {
        assert_eq!(client.get(host, "/").status, 200, "{host}");
    }
    assert_eq!(client.get("shop-500.many.example", "/").status, 404);
}
