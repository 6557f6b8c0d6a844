//! Where a site's certificates come from: the best, certain ones, or the edge's own authority; live and reversible.

use std::fs;
use std::process::{Command, Output};

use rustix::process::Signal;

use crate::support::command::{done, refused, said, vitrine};
use crate::support::{Edge, KeyKind, Origin, Setup, authority, drop_file, eventually, run};

/// The fingerprint and the rule of what serves the first host.
fn serving(edge: &Edge) -> (String, String) {
    let sites = edge.api("sites");
    let served = &sites[0]["hosts"][0]["certificates"][0];
    let text = |key: &str| served[key].as_str().unwrap_or_default().to_owned();
    (text("fingerprint"), text("rule"))
}

/// What curl says of the shop when it trusts the given root alone.
fn curl(edge: &Edge, root: &str, host: &str) -> Output {
    let (url, resolve) =
        (format!("https://{host}:{}/", edge.https.port()), format!("{host}:{}:127.0.0.1", edge.https.port()));
    Command::new("curl")
        .args(["-sS", "--cacert", root, "--resolve", &resolve, &url])
        .current_dir(edge.setup.folder.path())
        .output()
        .expect("curl")
}

#[test]
fn a_self_signed_site_serves_at_once_and_clients_with_the_root_believe_it() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    let site = format!(
        "[[site]]\nname = \"staging\"\nhosts = [\"shop.test\", \"*.shop.test\"]\ncertificate = \"self-signed\"\nupstreams = [{:?}]\n",
        origin.url()
    );
    setup.raw_site(&site);
    let edge = setup.start();
    fs::write(edge.setup.folder.path().join("root.pem"), done(vitrine(&edge, "sites root"))).expect("written");
    for host in ["shop.test", "any.shop.test"] {
        assert_eq!(said(&curl(&edge, "root.pem", host).stdout), "hello");
    }
    assert_eq!(serving(&edge).1, "self-signed by choice");
    let text = Command::new("openssl")
        .args(["x509", "-in", "root.pem", "-noout", "-text"])
        .current_dir(edge.setup.folder.path())
        .output()
        .expect("openssl");
    let text = said(&text.stdout);
    for part in [
        "X509v3 Name Constraints: critical",
        "Permitted:\n                  DNS:test\n                  DNS:localhost\n                  DNS:internal\n",
        "IP:0.0.0.0/0.0.0.0",
        "CA:TRUE, pathlen:0",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    // What is trusted is the root, and it is the same after a start.
    let edge = edge.end(Signal::KILL).start();
    assert_eq!(said(&curl(&edge, "root.pem", "shop.test").stdout), "hello");
    let key = edge.setup.state().join("local-ca/key.pem");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(key).expect("a key").permissions()) & 0o777,
        0o600
    );
}

#[test]
fn a_site_is_switched_while_it_serves_and_back_and_the_difference_is_shown() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    let uploaded = authority().issue(&["shop.test"]);
    setup.site(&["shop.test"], &[&origin]).certificate("shop", &uploaded);
    drop_file(&setup.folder.path().join("uploaded-root.pem"), &authority().root_pem);
    let edge = setup.start();
    let before = serving(&edge);
    assert!(done(vitrine(&edge, "sites diff")).starts_with("nothing was decided otherwise"));
    assert_eq!(done(vitrine(&edge, "sites use shop.test self-signed")), "shop.test: self-signed\n");
    assert_eq!(serving(&edge).1, "self-signed by choice");
    let series =
        |source: &str| edge.scrape().sum("vitrine_site_certificate_not_after_seconds", &[("source", source)]) > 0.0;
    assert_eq!((series("self-signed"), series("uploaded")), (true, false));
    assert!(!curl(&edge, "uploaded-root.pem", "shop.test").status.success());
    let diff = done(vitrine(&edge, "sites diff"));
    assert!(diff.contains("shop.test  uploaded    self-signed  user "), "{diff}");
    // It outranks the configuration over a start.
    let edge = edge.end(Signal::TERM).start();
    assert_eq!(serving(&edge).1, "self-signed by choice");
    assert_eq!(done(vitrine(&edge, "sites use shop.test configured")), "shop.test: uploaded\n");
    assert_eq!(serving(&edge), before);
    assert_eq!(said(&curl(&edge, "uploaded-root.pem", "shop.test").stdout), "hello");
    assert!(refused(vitrine(&edge, "sites use nobody.test uploaded")).contains("there is no site"));
}

#[test]
fn a_pinned_certificate_serves_whatever_else_comes_until_it_is_gone() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let (pinned, _) = serving(&edge);
    let newer = authority().issue_for(&["shop.example"], KeyKind::Ecdsa, 0, 24 * 60);
    assert_eq!(
        done(vitrine(&edge, &format!("sites use shop.example uploaded --pin {pinned}"))),
        format!("shop.example: uploaded, pinned {pinned}\n")
    );
    drop_file(&edge.setup.certs().join("newer.pem"), newer.both());
    eventually("both are there", || (edge.api("certificates").len() == 2).then_some(()));
    assert_eq!(serving(&edge), (pinned.clone(), "pinned by the operator".into()));
    fs::rename(edge.setup.certs().join("newer.pem"), edge.setup.certs().join("shop.pem")).expect("replaced");
    eventually("the other serves", || (serving(&edge).0 != pinned).then_some(()));
    let alarm = eventually("an alarm", || edge.api("alarms").into_iter().find(|alarm| alarm["code"] == "pin-ignored"));
    assert!(alarm["message"].as_str().expect("words").contains("shop.example"), "{alarm}");
    done(vitrine(&edge, "sites use shop.example configured"));
    eventually("no alarm", || edge.api("alarms").iter().all(|alarm| alarm["code"] != "pin-ignored").then_some(()));
    let told = refused(vitrine(&edge, &format!("sites use shop.example uploaded --pin {pinned}")));
    assert!(told.contains("no certificate in service has the fingerprint"), "{told}");
}

#[test]
fn the_own_authority_issues_for_nobodys_names_alone() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let told = refused(vitrine(&edge, "sites use shop.example self-signed"));
    assert!(told.contains("the edge's own authority does not issue for \"shop.example\""), "{told}");
    let site =
        "[[site]]\nhosts = [\"shop.example\"]\ncertificate = \"self-signed\"\nupstreams = [\"http://127.0.0.1:1\"]\n";
    drop_file(&edge.setup.folder.path().join("wrong.toml"), site);
    let output = run(&["check", "--config", "wrong.toml"], &edge.setup);
    assert_eq!(output.status.code(), Some(78));
    let told = said(&output.stdout) + &said(&output.stderr);
    assert!(
        told.contains("wrong.toml:3: site.certificate: \"self-signed\" is for names that end with .test, "),
        "{told}"
    );
}
