//! The whole path at an ACME server that is not Pebble: acme2certifier, with real challenges of both kinds.

use crate::orders::issued;
use crate::support::acme2certifier::Acme2certifier;
use crate::support::command::{done, tool};
use crate::support::managed::renewed;
use crate::support::{Edge, Origin, Setup, drop_file};

/// What a client that trusts the server's authority alone is told.
fn trusted(edge: &Edge) -> String {
    let (port, address) = (edge.https.port(), edge.https.ip());
    let line =
        format!("curl -sS --cacert issuer.pem --resolve shop.example:{port}:{address} https://shop.example:{port}/");
    done(tool(edge, &line))
}

#[test]
fn a_second_server_issues_and_renews_in_both_ways() {
    let origin = Origin::saying("hello");
    for way in ["tls-alpn-01", "http-01"] {
        let server = Acme2certifier::start();
        let mut setup = Setup::new();
        server.used_by(&mut setup);
        setup.set("acme", &format!("challenges = [\"{way}\"]"));
        setup.raw_site(&format!(
            "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"{}\"]\ncertificate = \"managed\"\n",
            origin.url()
        ));
        let edge = setup.start();
        let told = issued(&edge, "shop.example");
        assert_eq!((&told["issuer"], &told["failures"]), (&"second".into(), &0.into()));
        drop_file(&edge.setup.folder.path().join("issuer.pem"), server.root());
        assert_eq!(trusted(&edge), "hello");
        assert!(edge.setup.state().join("acme/second/account.json").exists());
        renewed(&edge, "shop.example");
        assert_eq!(trusted(&edge), "hello");
        assert!(!edge.setup.state().join("acme/orders/shop.example").exists());
    }
}
