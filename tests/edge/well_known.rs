//! Objects below `/.well-known/`, kept in files.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Edge, Origin, Setup, authority, drop_file, eventually, replace_file};

#[test]
fn an_object_goes_before_every_route_and_takes_get_and_head() {
    let origin = Origin::saying("the shop");
    let edge = shop_with(&origin, &[("a.txt", b"object"), ("pki-validation/x.txt", b"nested")]);
    let mut client = edge.open("shop.example");
    let response = client.get("shop.example", "/.well-known/a.txt?v=1");
    assert_eq!((response.status, response.text().as_str()), (200, "object"));
    assert_eq!(response.field("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(response.field("x-content-type-options"), Some("nosniff"));
    assert_eq!(client.get("shop.example", "/.well-known/pki-validation/x.txt").text(), "nested");
    client.send("HEAD /.well-known/a.txt HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status, head.field("content-length")), (200, Some("6")));
    let response = client.ask("DELETE /.well-known/a.txt HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    assert_eq!((response.status, response.field("allow")), (405, Some("GET, HEAD")));
    assert_eq!(origin.requests(), []);
    assert_eq!(client.get("shop.example", "/.well-known/other").text(), "the shop");
}

#[test]
fn apple_pay_finds_its_file_with_and_without_its_ending() {
    let origin = Origin::saying("the shop");
    for dropped in
        ["apple-developer-merchantid-domain-association", "apple-developer-merchantid-domain-association.txt"]
    {
        let edge = shop_with(&origin, &[(dropped, b"7B227073")]);
        for asked in ["", ".txt"] {
            let target = format!("/.well-known/apple-developer-merchantid-domain-association{asked}");
            let response = edge.get("shop.example", &target);
            assert_eq!((response.status, response.text().as_str()), (200, "7B227073"), "{dropped} {asked}");
        }
    }
}

#[test]
fn only_the_exact_names_are_known() {
    let origin = Origin::saying("the shop");
    let edge = shop_with(&origin, &[("a.txt", b"object")]);
    let mut client = edge.open("shop.example");
    for target in [
        "/.well-known/",
        "/.well-known/A.txt",
        "/.well-known/a.txt/",
        "/.well-known/./a.txt",
        "/.well-known/x/../a.txt",
        "/.well-known/%61.txt",
        "/.well-known/..%2f..%2fshop.pem",
        "/.well-known/../../shop.pem",
        "/.well-known//a.txt",
    ] {
        assert_eq!(client.get("shop.example", target).text(), "the shop", "{target}");
    }
}

#[test]
fn an_object_belongs_to_its_host_alone() {
    let origin = Origin::saying("the shop");
    let mut setup = Setup::new();
    setup.site(&["shop.example", "www.shop.example"], &[&origin]);
    setup.certificate("shop", &authority().issue(&["shop.example", "www.shop.example"]));
    let folder = setup.certs().join("well-known/SHOP.Example");
    fs::create_dir_all(&folder).expect("a folder");
    drop_file(&folder.join("a.txt"), "object");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/.well-known/a.txt").text(), "object");
    assert_eq!(client.get("www.shop.example", "/.well-known/a.txt").text(), "the shop");
}

#[test]
fn objects_come_change_and_go_while_the_edge_runs() {
    let origin = Origin::saying("the shop");
    let edge = shop_with(&origin, &[]);
    let file = edge.setup.certs().join("well-known/shop.example/new.txt");
    for content in ["one", "two"] {
        replace_file(&file, content);
        eventually(content, || (edge.get("shop.example", "/.well-known/new.txt").text() == content).then_some(()));
    }
    fs::remove_file(&file).expect("removed");
    eventually("its end", || (edge.get("shop.example", "/.well-known/new.txt").text() == "the shop").then_some(()));
}

#[test]
fn secrets_and_what_is_not_for_everybody_are_refused_with_a_reason() {
    let origin = Origin::saying("the shop");
    let key = authority().issue(&["shop.example"]).key;
    let secret = tempfile::tempdir().expect("a folder");
    fs::write(secret.path().join("secret.txt"), "hunter-two").expect("written");
    let large = vec![b'x'; (1 << 20) + 1];
    let edge = shop_with(
        &origin,
        &[
            ("key.txt", key.as_bytes()),
            ("shop.pfx.password", b"hunter-two"),
            ("acme-challenge/token", b"token"),
            ("large.txt", &large),
            ("good.txt", b"good"),
        ],
    );
    let folder = edge.setup.certs().join("well-known/shop.example");
    symlink(secret.path().join("secret.txt"), folder.join("link.txt")).expect("a link");
    let refused = |name: &str| {
        let entry = eventually(name, || {
            edge.api("rejected")
                .into_iter()
                .find(|entry| entry["file"].as_str().is_some_and(|file| file.ends_with(name)))
        });
        for told in ["reason", "mend"] {
            assert!(!entry[told].as_str().expect("text").is_empty(), "{entry}");
        }
        assert_eq!(entry["state"], "rejected", "{entry}");
        assert_eq!(edge.get("shop.example", &format!("/.well-known/{name}")).text(), "the shop", "{name}");
    };
    for name in ["key.txt", "shop.pfx.password", "acme-challenge/token", "large.txt", "link.txt"] {
        refused(name);
    }
    assert_eq!(edge.get("shop.example", "/.well-known/good.txt").text(), "good");
    let listed = edge.ask_api("GET", "/api/v1/rejected").text();
    assert!(!listed.contains("PRIVATE KEY") && !listed.contains("hunter-two"), "{listed}");
}

/// A shop with these files below its `.well-known`.
fn shop_with(origin: &Origin, files: &[(&str, &[u8])]) -> Edge {
    let setup = Setup::shop(origin);
    let folder = setup.certs().join("well-known/shop.example");
    fs::create_dir_all(&folder).expect("a folder");
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        drop_file(&path, content);
    }
    setup.start()
}
