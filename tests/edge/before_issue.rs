//! What a managed site shows before its first certificate is issued.

use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};

use crate::support::command::{done, tool, vitrine};
use crate::support::managed::{certificates_of, managed_site, orders_in, read_by_openssl, shown_to_openssl, site_text};
use crate::support::pebble::Pebble;
use crate::support::{ClientTls, Edge, KeyKind, Origin, authority, drop_file, eventually};

const SELF_SIGNED: &str = "before_issue = \"self-signed\"";

fn issuer_shown(edge: &Edge, name: &str) -> Option<String> {
    let pem = shown_to_openssl(edge, name, "ECDSA+SHA256")?;
    Some(read_by_openssl(&pem, "-issuer").trim().to_owned())
}

#[test]
fn nothing_is_shown_before_the_first_certificate_unless_that_is_wanted() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::prepare());
    let mut setup = managed_site(&pebble, &origin, "shop.example", "");
    setup.raw_site(&site_text(&origin, "other.example", SELF_SIGNED));
    let edge = setup.start();
    for site in ["shop.example", "other.example"] {
        orders_in(&edge, site, "FAILED");
    }
    let refused = ClientTls::new(&[&TLS13, &TLS12]).try_open(edge.https, "shop.example").err().expect("a refusal");
    assert!(refused.to_string().contains("UnrecognisedName"), "{refused}");
    assert_eq!(issuer_shown(&edge, "other.example").as_deref(), Some("issuer=CN = other.example"));
    assert_eq!(certificates_of(&edge, "shop.example").len(), 0);
}

#[test]
fn what_stands_in_never_counts_as_good_and_goes_with_the_first_certificate() {
    let (origin, mut pebble) = (Origin::saying("hello"), Pebble::prepare());
    let edge = managed_site(&pebble, &origin, "shop.example", SELF_SIGNED).start();
    // A failed order is no reason to have no certificate, nor is a start.
    orders_in(&edge, "shop.example", "FAILED");
    let edge = edge.end(Signal::KILL).start();
    assert_eq!(issuer_shown(&edge, "shop.example").as_deref(), Some("issuer=CN = shop.example"));
    let shown = certificates_of(&edge, "shop.example");
    let codes: Vec<_> = shown[0]["warnings"].as_array().expect("warnings").iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, ["self-signed"]);
    assert_eq!(shown.len(), 1);
    let address = edge.https;
    let line =
        format!("curl -sSk --resolve shop.example:{0}:{1} https://shop.example:{0}/", address.port(), address.ip());
    assert_eq!(done(tool(&edge, &line)), "hello");
    pebble.serve();
    done(vitrine(&edge, "sites renew shop.example"));
    orders_in(&edge, "shop.example", "ISSUED");
    let issuer = issuer_shown(&edge, "shop.example").expect("a certificate");
    assert!(issuer.starts_with("issuer=CN = Pebble Intermediate CA"), "{issuer}");
    eventually("nothing but what was issued", || (certificates_of(&edge, "shop.example").len() == 1).then_some(()));
}

#[test]
fn under_the_local_suffixes_the_edges_own_authority_stands_in() {
    let (origin, mut pebble) = (Origin::saying("hello"), Pebble::prepare());
    let edge = managed_site(&pebble, &origin, "shop.test", SELF_SIGNED).start();
    orders_in(&edge, "shop.test", "FAILED");
    drop_file(&edge.setup.folder.path().join("local.pem"), done(vitrine(&edge, "sites root")));
    let address = edge.https;
    let line = format!(
        "curl -sS --cacert local.pem --resolve shop.test:{0}:{1} https://shop.test:{0}/",
        address.port(),
        address.ip()
    );
    assert_eq!(done(tool(&edge, &line)), "hello");
    // Somebody may trust it, and still it is not what was ordered.
    pebble.serve();
    done(vitrine(&edge, "sites renew shop.test"));
    orders_in(&edge, "shop.test", "ISSUED");
    assert_ne!(tool(&edge, &line).status.code(), Some(0));
}

#[test]
fn whatever_came_for_a_name_goes_before_what_stands_in() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::prepare());
    let mut setup = managed_site(&pebble, &origin, "shop.example", SELF_SIGNED);
    let expired = authority().issue_for(&["shop.example"], KeyKind::Ecdsa, -200, -20);
    setup.certificate("expired", &expired);
    let edge = setup.start();
    orders_in(&edge, "shop.example", "FAILED");
    let shown = shown_to_openssl(&edge, "shop.example", "ECDSA+SHA256").expect("a certificate");
    assert_eq!(shown.trim(), expired.chain.trim());
    assert_eq!(certificates_of(&edge, "shop.example").len(), 1);
    // Of a managed site alone: who has switched to uploads is not shown anything else.
    done(vitrine(&edge, "sites use shop.example uploaded"));
    std::fs::remove_file(edge.setup.certs().join("expired.pem")).expect("deleted");
    eventually("no managed site", || edge.api("sites")[0]["managed"].is_null().then_some(()));
}
