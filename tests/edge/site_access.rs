//! Who may come to a site: by network, per site and per route.

use crate::support::{Edge, Http2, Origin, Setup, Talk, dial_from, drop_file, shop_client};

/// A connection from another of this machine's addresses.
fn from(edge: &Edge, address: &str) -> Talk {
    shop_client().over(dial_from(address, edge.https), "shop.example").expect("a handshake")
}

fn status(edge: &Edge, address: &str, target: &str) -> u16 {
    from(edge, address).get("shop.example", target).status
}

#[test]
fn the_narrowest_network_decides_over_a_site() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site("allow = [\"127.0.0.0/16\", \"127.0.1.7/32\"]\ndeny = [\"127.0.1.0/24\"]\n");
    let edge = setup.start();
    for (address, expected) in [("127.0.0.1", 200), ("127.0.1.1", 403), ("127.0.1.7", 200), ("127.1.0.1", 403)] {
        assert_eq!(status(&edge, address, "/"), expected, "{address}");
    }
    edge.counted(2.0, "vitrine_local_answers_total", &[("reason", "denied")]);
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn a_route_decides_for_itself_where_it_says_anything() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site("deny = [\"127.0.0.2/32\"]\n");
    for (path, rule) in [("/admin", "allow = [\"127.0.0.2/32\"]"), ("/other", "")] {
        setup.raw_site(&format!("[[site.route]]\npath = {path:?}\nupstreams = [{:?}]\n{rule}\n", origin.url()));
    }
    let edge = setup.start();
    for (address, target, expected) in [
        ("127.0.0.1", "/", 200),
        ("127.0.0.2", "/", 403),
        ("127.0.0.1", "/admin", 403),
        ("127.0.0.1", "/admin/x", 403),
        ("127.0.0.1", "/administration", 200),
        ("127.0.0.2", "/admin", 200),
        ("127.0.0.2", "/other", 403),
    ] {
        assert_eq!(status(&edge, address, target), expected, "{address} {target}");
    }
}

#[test]
fn the_client_is_whom_the_last_trusted_proxy_names() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "trusted_proxies = [\"127.0.0.1/32\", \"10.0.0.0/8\"]");
    setup.raw_site("deny = [\"203.0.113.0/24\"]\n");
    let edge = setup.start();
    for (peer, forwarded, expected) in [
        ("127.0.0.1", "203.0.113.7", 403),
        ("127.0.0.1", "198.51.100.1, 203.0.113.7, 10.0.0.1", 403),
        ("127.0.0.1", "203.0.113.7, 198.51.100.1", 200),
        ("127.0.0.2", "203.0.113.7", 200),
    ] {
        let request = format!("GET / HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: {forwarded}\r\n\r\n");
        assert_eq!(from(&edge, peer).ask(request).status, expected, "{peer} {forwarded}");
    }
}

#[test]
fn well_known_objects_and_redirects_are_for_everybody() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site("allow = []\ndeny = [\"0.0.0.0/0\"]\n[[site.redirect]]\npath = \"/old\"\nto = \"/new\"\n");
    let folder = setup.certs().join("well-known/shop.example");
    std::fs::create_dir_all(&folder).expect("a folder");
    drop_file(&folder.join("security.txt"), "Contact: mailto:it@shop.example\n");
    let edge = setup.start();
    for (target, expected) in [("/", 403), ("/old", 308), ("/new", 403), ("/.well-known/security.txt", 200)] {
        assert_eq!(edge.get("shop.example", target).status, expected, "{target}");
    }
}

#[test]
fn the_refusal_is_told_and_recorded() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("access_log", "to = \"access.log\"").raw_site("deny = [\"127.0.0.0/8\"]\n");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    let refusal = client.ask("GET / HTTP/1.1\r\nhost: shop.example\r\naccept: application/json\r\n\r\n");
    assert_eq!((refusal.status, &refusal.json()["status"]), (403, &403.into()));
    assert_eq!(refusal.field("cache-control"), Some("no-store"));
    let file = edge.setup.folder.path().join("access.log");
    let line = crate::support::eventually("a record", || {
        let text = std::fs::read_to_string(&file).ok()?;
        text.lines().next().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok())
    });
    assert_eq!((&line["status"], &line["outcome"]), (&403.into(), &"denied".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_is_refused_alike() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site("deny = [\"127.0.0.0/8\"]\n");
    let edge = setup.start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    assert_eq!(client.get("shop.example", "/").await.0, 403);
}
