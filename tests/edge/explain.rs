//! `vitrine explain`: what the edge says of a request is what it does with it.

use std::fs;

use serde_json::Value;

use crate::support::command::{done, refused, vitrine};
use crate::support::{Edge, Origin, Setup, Talk, authority, drop_file, eventually, run};

fn explained(edge: &Edge, arguments: &str) -> Value {
    serde_json::from_str(&done(vitrine(edge, &format!("explain {arguments} --json")))).expect("JSON")
}

#[test]
fn what_is_said_of_a_request_is_what_is_done_with_it() {
    let (shop, api) = (Origin::saying("shop"), Origin::saying("api"));
    let mut setup = Setup::new();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\", \"*.shop.example\"]\nupstreams = [{:?}]\ndeny = [\"203.0.113.0/24\"]\n\
         [[site.redirect]]\npath = \"/old\"\nto = \"/new\"\n\
         [[site.route]]\npath = \"/api\"\nupstreams = [{:?}]\n",
        shop.url(),
        api.url()
    ));
    setup.raw_site(
        "[[site]]\nhosts = [\"api.example\"]\nupstreams = [\"http://127.0.0.1:1\"]\n[site.maintenance]\non = true\n",
    );
    setup.certificate("wild", &authority().issue(&["shop.example", "*.shop.example"]));
    setup.certificate("exact", &authority().issue(&["www.shop.example"]));
    let folder = setup.certs().join("well-known/shop.example");
    fs::create_dir_all(&folder).expect("a folder");
    drop_file(&folder.join("security.txt"), "Contact: mailto:it@shop.example\n");
    let edge = setup.start();
    eventually("a look at what is served", || {
        let told = explained(&edge, "shop.example");
        (told["certificate"]["served"] == "as published").then_some(())
    });
    for (url, kind, status) in [
        ("https://shop.example/", "forwarded", 200),
        ("https://www.shop.example/api/x?y=1", "forwarded", 200),
        ("https://shop.example/old/a?b=c", "redirected", 308),
        ("https://shop.example/.well-known/security.txt", "well-known", 200),
        ("https://api.example/", "maintenance", 503),
    ] {
        let told = explained(&edge, url);
        assert_eq!(told["outcome"]["kind"], kind, "{told:#}");
        let (host, rest) = url.trim_start_matches("https://").split_once('/').expect("a path");
        if host != "api.example" {
            let response = edge.get(host, &format!("/{rest}"));
            assert_eq!(response.status, status, "{url}");
            assert_eq!(told["outcome"]["location"].as_str(), response.field("location"), "{url}");
        }
    }
    let plain = explained(&edge, "http://shop.example/a?b=c");
    let response = Talk::plain(edge.http()).get("shop.example", "/a?b=c");
    assert_eq!(plain["outcome"]["location"].as_str(), response.field("location"));
    assert_eq!(explained(&edge, "https://nobody.example/")["outcome"]["kind"], "unknown");
    assert_eq!(explained(&edge, "shop.example --client 203.0.113.7")["outcome"]["kind"], "denied");
    assert_eq!(explained(&edge, "shop.example --client 203.0.114.7")["outcome"]["kind"], "forwarded");

    // The site, the certificate and its rule, the route and how its upstreams are doing.
    let told = explained(&edge, "https://www.shop.example/api/x");
    assert_eq!((&told["site"]["name"], &told["site"]["by"]), (&"shop.example".into(), &"*.shop.example".into()));
    assert_eq!(told["certificate"]["certificates"][0]["rule"], "exact name before wildcard", "{told:#}");
    let name = api.url().trim_start_matches("http://").to_owned();
    assert_eq!(
        (&told["route"]["path"], &told["route"]["upstreams"][0]["upstream"]),
        (&"/api".into(), &name.clone().into())
    );
    done(vitrine(&edge, &format!("upstreams set {name} draining")));
    let text = done(vitrine(&edge, "explain https://www.shop.example/api/x"));
    for part in ["shop.example through *.shop.example", "exact name before wildcard", &format!("{name} draining")] {
        assert!(text.contains(part), "{text}");
    }
    done(vitrine(&edge, "deny 198.51.100.0/24"));
    let told = explained(&edge, "shop.example --client 198.51.100.1");
    assert!(told["outcome"]["why"].as_str().is_some_and(|why| why.contains("`vitrine levers`")), "{told:#}");
    // A configuration that does not apply is a reason, too.
    drop_file(&edge.setup.config(), "[edge");
    let socket = edge.setup.state().join("admin.sock").display().to_string();
    eventually("a mistake", || {
        let told = done(run(&["explain", "shop.example", "--json", "--socket", &socket], &edge.setup));
        let told: Value = serde_json::from_str(&told).expect("JSON");
        told["mistakes"].as_array().filter(|all| !all.is_empty()).map(drop)
    });
}

#[test]
fn what_is_no_address_is_refused() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for wrong in ["ftp://shop.example/", "https://", "https://shop..example/"] {
        let text = refused(vitrine(&edge, &format!("explain {wrong}")));
        assert!(text.contains("expected an address such as https://shop.example/path"), "{text}");
    }
    assert!(refused(vitrine(&edge, "explain shop.example --client me")).contains("expected an IP address"));
}
