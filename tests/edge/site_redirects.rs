//! A site that is elsewhere: between a name and its www, at other hosts, at other paths.

use crate::support::{Http2, Origin, Setup, Talk, authority, drop_file, empty};

/// `shop.example` with its `www`, and more of the site below.
fn shop(origin: &Origin, rest: &str) -> Setup {
    let mut setup = Setup::new();
    setup.site(&["shop.example", "www.shop.example", "old.example"], &[origin]).raw_site(rest);
    setup.certificate("shop", &authority().issue(&["shop.example", "www.shop.example", "old.example"]));
    setup
}

#[test]
fn www_leads_to_the_bare_name_with_path_and_query() {
    let origin = Origin::saying("hello");
    let edge = shop(&origin, "www = \"remove\"").start();
    let port = edge.https.port();
    let mut client = edge.open("www.shop.example");
    for (target, location) in [
        ("/", format!("https://shop.example:{port}/")),
        ("/a/b?c=d", format!("https://shop.example:{port}/a/b?c=d")),
        ("//evil.example/", format!("https://shop.example:{port}//evil.example/")),
    ] {
        let response = client.get("www.shop.example", target);
        assert_eq!((response.status, response.field("location")), (308, Some(&*location)), "{target}");
    }
    let asterisk = client.ask("OPTIONS * HTTP/1.1\r\nhost: www.shop.example\r\n\r\n");
    assert_eq!((asterisk.status, asterisk.field("location")), (200, None));
    assert_eq!(edge.get("shop.example", "/").text(), "hello");
    edge.counted(3.0, "vitrine_local_answers_total", &[("reason", "moved")]);
}

#[test]
fn the_bare_name_leads_to_www_where_there_is_one() {
    let origin = Origin::saying("hello");
    let edge = shop(&origin, "www = \"add\"").start();
    let location = format!("https://www.shop.example:{}/x", edge.https.port());
    assert_eq!(edge.get("shop.example", "/x").field("location"), Some(&*location));
    assert_eq!(edge.get("old.example", "/x").text(), "hello");
    assert_eq!(edge.get("www.shop.example", "/x").text(), "hello");
}

#[test]
fn the_first_rule_that_applies_is_followed_with_its_status() {
    let origin = Origin::saying("hello");
    let rules = "
        [[site.redirect]]
        path = \"/sale\"
        to = \"/offers\"
        status = 302
        [[site.redirect]]
        path = \"/press\"
        to = \"https://press.example/archive\"
        status = 301
        keep_path = false
        keep_query = false
        [[site.redirect]]
        hosts = [\"old.example\"]
        to = \"https://shop.example\"
        status = 307\n";
    let edge = shop(&origin, rules).start();
    let port = edge.https.port();
    for (host, target, status, location) in [
        ("shop.example", "/sale", 302, format!("https://shop.example:{port}/offers")),
        ("shop.example", "/sale/shoes?size=42", 302, format!("https://shop.example:{port}/offers/shoes?size=42")),
        ("old.example", "/sale", 302, format!("https://old.example:{port}/offers")),
        ("shop.example", "/press/2020?page=2", 301, "https://press.example/archive".into()),
        ("old.example", "/cart?x", 307, "https://shop.example/cart?x".into()),
    ] {
        let response = edge.get(host, target);
        assert_eq!((response.status, response.field("location")), (status, Some(&*location)), "{host} {target}");
        assert_eq!(response.field("cache-control"), None, "the status says how long it holds");
    }
    for (host, target) in [("shop.example", "/sales"), ("shop.example", "/"), ("www.shop.example", "/presses")] {
        assert_eq!(edge.get(host, target).text(), "hello", "{host} {target}");
    }
}

#[test]
fn a_target_that_is_a_host_of_the_site_takes_all_others() {
    let origin = Origin::saying("hello");
    let edge = shop(&origin, "[[site.redirect]]\nto = \"https://shop.example\"\n").start();
    for host in ["old.example", "www.shop.example"] {
        assert_eq!(edge.get(host, "/a").field("location"), Some("https://shop.example/a"), "{host}");
    }
    assert_eq!(edge.get("shop.example", "/a").text(), "hello");
}

#[test]
fn plain_http_leads_to_https_of_the_same_host_first() {
    let origin = Origin::saying("hello");
    let edge = shop(&origin, "www = \"remove\"\n[[site.redirect]]\nto = \"https://other.example\"\n").start();
    let response = Talk::plain(edge.http()).get("www.shop.example", "/x");
    let location = format!("https://www.shop.example:{}/x", edge.https.port());
    assert_eq!((response.status, response.field("location")), (308, Some(&*location)));
}

#[test]
fn well_known_objects_are_served_all_the_same() {
    let origin = Origin::saying("hello");
    let setup = shop(&origin, "[[site.redirect]]\nto = \"https://other.example\"\n");
    let folder = setup.certs().join("well-known/shop.example");
    std::fs::create_dir_all(&folder).expect("a folder");
    drop_file(&folder.join("security.txt"), "Contact: mailto:it@shop.example\n");
    let edge = setup.start();
    assert_eq!(edge.get("shop.example", "/.well-known/security.txt").status, 200);
    assert_eq!(edge.get("shop.example", "/.well-known/other").status, 308);
}

#[test]
fn a_body_that_nobody_reads_ends_the_connection() {
    let origin = Origin::saying("hello");
    let edge = shop(&origin, "www = \"remove\"").start();
    let mut client = edge.open("www.shop.example");
    client.send("POST /cart HTTP/1.1\r\nhost: www.shop.example\r\ncontent-length: 1000\r\n\r\nhalf");
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (308, Some("close")));
    client.until_closed();
    assert_eq!(origin.requests(), []);
}

#[test]
fn head_is_answered_like_get_without_the_page() {
    let origin = Origin::saying("hello");
    let edge = shop(&origin, "www = \"remove\"").start();
    let mut client = edge.open("www.shop.example");
    client.send("HEAD / HTTP/1.1\r\nhost: www.shop.example\r\n\r\n");
    let head = client.response_to_head();
    let get = client.get("www.shop.example", "/");
    assert_eq!((head.status, head.field("location")), (get.status, get.field("location")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_is_redirected_alike() {
    let origin = Origin::saying("hello");
    let edge = shop(&origin, "www = \"remove\"").start();
    let mut client = Http2::open(edge.https, "www.shop.example").await;
    let request = http::Request::get("https://www.shop.example/a?b").body(empty()).expect("a request");
    let response = client.send(request).await.expect("a response");
    let location = format!("https://shop.example:{}/a?b", edge.https.port());
    assert_eq!((response.status().as_u16(), response.headers()["location"].to_str().ok()), (308, Some(&*location)));
}
