//! Port 80: to HTTPS, and nowhere else.

use crate::support::{Origin, Setup, Talk, drop_file};

#[test]
fn a_configured_host_is_sent_to_https_with_path_query_and_port() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = Talk::plain(edge.http());
    let port = edge.https.port();
    for (host, target, location) in [
        ("shop.example", "/", format!("https://shop.example:{port}/")),
        ("shop.example", "/a/b?c=d&e=%2F", format!("https://shop.example:{port}/a/b?c=d&e=%2F")),
        ("SHOP.example.:80", "/", format!("https://shop.example:{port}/")),
        ("shop.example", "//evil.example/", format!("https://shop.example:{port}//evil.example/")),
        ("shop.example", "/\\evil.example", format!("https://shop.example:{port}/\\evil.example")),
        ("shop.example", "/@evil.example", format!("https://shop.example:{port}/@evil.example")),
        ("shop.example", "http://shop.example/x", format!("https://shop.example:{port}/x")),
    ] {
        let response = client.get(host, target);
        assert_eq!((response.status, response.field("location")), (308, Some(&*location)), "{host} {target}");
    }
    assert_eq!(origin.requests(), []);
}

#[test]
fn a_host_nobody_configured_is_not_found_and_never_redirected() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for request in [
        "GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: shop.example.evil.example\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\n\r\n",
    ] {
        let response = Talk::plain(edge.http()).ask(request);
        assert_eq!((response.status, response.field("location")), (404, None), "{request:?}");
    }
    for request in [
        "GET / HTTP/1.1\r\nhost: shop.example@evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: shop.example/evil.example\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nhost: shop.example\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        let response = Talk::plain(edge.http()).ask(request);
        assert_eq!((response.status, response.field("location")), (400, None), "{request:?}");
    }
}

#[test]
fn a_post_is_redirected_without_its_body_being_read() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = Talk::plain(edge.http());
    client.send("POST /cart HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 1000\r\n\r\nhalf");
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (308, Some("close")));
    client.until_closed();
}

#[test]
fn well_known_objects_are_served_without_a_redirect() {
    let origin = Origin::saying("hello");
    let setup = Setup::shop(&origin);
    let folder = setup.certs().join("well-known/shop.example");
    std::fs::create_dir_all(&folder).expect("a folder");
    drop_file(&folder.join("security.txt"), "Contact: mailto:it@shop.example\n");
    let edge = setup.start();
    let response = Talk::plain(edge.http()).get("shop.example", "/.well-known/security.txt");
    assert_eq!((response.status, response.text().as_str()), (200, "Contact: mailto:it@shop.example\n"));
    assert_eq!(Talk::plain(edge.http()).get("shop.example", "/.well-known/other").status, 308);
}

#[test]
fn plain_http_can_be_turned_off() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "http = []");
    let edge = setup.start();
    assert_eq!(edge.http, None);
    assert_eq!(edge.get("shop.example", "/").status, 200);
}
