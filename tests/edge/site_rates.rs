//! How often one client network may ask a site.

use crate::support::{Edge, Http2, Origin, Setup, Talk, dial_from, drop_file, eventually, shop_client};

/// Three at once, and one more each hour.
const LIMIT: &str = "[site.rate_limit]\nrate = \"1/h\"\nburst = 3\n";

fn from(edge: &Edge, address: &str) -> Talk {
    shop_client().over(dial_from(address, edge.https), "shop.example").expect("a handshake")
}

#[test]
fn a_burst_passes_and_more_is_told_when_to_come_back() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(LIMIT);
    let edge = setup.start();
    // Each on a connection of its own: the workers count together.
    for _ in 0..3 {
        assert_eq!(edge.get("shop.example", "/").status, 200);
    }
    let mut client = edge.open("shop.example");
    let refusal = client.get("shop.example", "/");
    assert_eq!((refusal.status, refusal.field("cache-control")), (429, Some("no-store")));
    let seconds: u64 = refusal.field("retry-after").expect("a time").parse().expect("seconds");
    assert!((3500..=3600).contains(&seconds), "{seconds}");
    assert!(client.is_open(), "who asks too often keeps the connection");
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "rate_limited")]);
    assert_eq!(origin.requests().len(), 3);
}

#[test]
fn tokens_come_back_with_time() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site("[site.rate_limit]\nrate = \"1/s\"\nburst = 1\n");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").status, 200);
    let mut refused = 0;
    eventually("a token", || {
        let status = client.get("shop.example", "/").status;
        refused += u32::from(status == 429);
        (status == 200).then_some(())
    });
    assert!(refused > 0, "there was one at once");
}

#[test]
fn networks_and_sites_are_counted_apart() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site("[site.rate_limit]\nrate = \"1/h\"\nburst = 1\nipv4_prefix = 24\n");
    setup.site(&["other.example"], &[&origin]);
    setup.certificate("other", &crate::support::authority().issue(&["other.example"]));
    let edge = setup.start();
    for (address, status) in [("127.0.1.1", 200), ("127.0.1.2", 429), ("127.0.2.1", 200), ("127.0.2.1", 429)] {
        assert_eq!(from(&edge, address).get("shop.example", "/").status, status, "{address}");
    }
    let mut other = edge.open("other.example");
    for _ in 0..5 {
        assert_eq!(other.get("other.example", "/").status, 200);
    }
}

#[test]
fn what_the_edge_answers_before_costs_nothing() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(&format!("deny = [\"127.0.9.0/24\"]\n[[site.redirect]]\npath = \"/old\"\nto = \"/new\"\n{LIMIT}"));
    let folder = setup.certs().join("well-known/shop.example");
    std::fs::create_dir_all(&folder).expect("a folder");
    drop_file(&folder.join("security.txt"), "Contact: mailto:it@shop.example\n");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    for _ in 0..5 {
        assert_eq!(client.get("shop.example", "/old").status, 308);
        assert_eq!(client.get("shop.example", "/.well-known/security.txt").status, 200);
        assert_eq!(Talk::plain(edge.http()).get("shop.example", "/").status, 308);
    }
    let statuses: Vec<_> = (0..4).map(|_| client.get("shop.example", "/").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(client.get("shop.example", "/.well-known/security.txt").status, 200);
}

#[test]
fn behind_a_trusted_proxy_its_clients_are_counted() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup
        .set("edge", "trusted_proxies = [\"127.0.0.1/32\"]")
        .raw_site("[site.rate_limit]\nrate = \"1/h\"\nburst = 1\n");
    let edge = setup.start();
    let mut proxy = edge.open("shop.example");
    for (client, status) in
        [("203.0.113.7", 200), ("203.0.113.8", 200), ("203.0.113.7", 429), ("6.6.6.6, 203.0.113.8", 429)]
    {
        let request = format!("GET / HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: {client}\r\n\r\n");
        assert_eq!(proxy.ask(request).status, status, "{client}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_http_2_are_counted_one_by_one() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.raw_site(LIMIT);
    let edge = setup.start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(client.get("shop.example", "/").await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}

#[test]
fn a_route_is_counted_by_itself() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    let route = format!("[[site.route]]\npath = \"/login\"\nupstreams = [{:?}]\n", origin.url());
    setup.raw_site(&format!("{LIMIT}{route}[site.route.rate_limit]\nrate = \"1/h\"\nburst = 1\n"));
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    for (target, status) in [("/login", 200), ("/login/x", 429), ("/", 200), ("/", 200), ("/", 200), ("/", 429)] {
        assert_eq!(client.get("shop.example", target).status, status, "{target}");
    }
}
