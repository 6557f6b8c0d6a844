//! Certificates come, change and go as files do; what is served never goes by accident.

mod formats;
mod garbage;
mod passwords;
mod upheaval;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::Value;

use crate::support::{
    Edge, Issued, KeyKind, Origin, Setup, authority, drop_file, eventually, replace_file, shop_client, shown,
};

#[test]
fn a_certificate_serves_as_soon_as_its_halves_are_there_in_any_order() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["a.example", "b.example"]);
    let (a, b) = (authority().issue(&["a.example"]), authority().issue(&["b.example"]));
    fs::create_dir_all(certs(&edge, "deep/er")).expect("a folder");
    drop_file(&certs(&edge, "deep/er/anything.crt"), &a.chain);
    drop_file(&certs(&edge, "other name.key"), &b.key);
    let waiting = |file: &str, code: &str| {
        let entry = rejected(&edge, file);
        assert_eq!((&entry["state"], &entry["code"]), (&"waiting".into(), &code.into()), "{entry}");
    };
    waiting("certs/deep/er/anything.crt", "waiting-for-key");
    waiting("certs/other name.key", "waiting-for-certificate");
    edge.counted(2.0, "vitrine_certificates_waiting", &[]);
    assert!(shop_client().try_open(edge.https, "a.example").is_err());
    drop_file(&certs(&edge, "key-of-a.pem"), &a.key);
    drop_file(&certs(&edge, "b.cer"), &b.chain);
    serves(&edge, "a.example", &a);
    serves(&edge, "b.example", &b);
    eventually("an empty list", || edge.api("rejected").is_empty().then_some(()));
    edge.counted(2.0, "vitrine_certificate_loads_total", &[("result", "accepted")]);
}

#[test]
fn what_clients_have_against_a_certificate_is_in_the_list() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["shop.example"]);
    let issued = authority().issue(&["shop.example", "mail.example"]);
    drop_file(&certs(&edge, "shop.pem"), issued.both());
    serves(&edge, "shop.example", &issued);
    let judged = || {
        let certificate = edge.api("certificates").remove(0);
        let warnings = certificate["warnings"].as_array().expect("a list");
        let codes: Vec<String> = warnings.iter().map(|warning| shown_as_text(&warning["code"])).collect();
        (shown_as_text(&certificate["verdict"]), codes)
    };
    assert_eq!(
        judged(),
        ("accepted with warnings".to_owned(), vec!["chain-incomplete".to_owned(), "names-unused".to_owned()])
    );
    drop_file(&certs(&edge, "root.pem"), &authority().root_pem);
    let whole = authority().issue(&["shop.example"]);
    replace_file(&certs(&edge, "shop.pem"), whole.both());
    serves(&edge, "shop.example", &whole);
    let nearly = ("accepted with warnings".to_owned(), vec!["untrusted-root".to_owned()]);
    eventually("a certificate of which only the root is unknown", || (judged() == nearly).then_some(()));
}

fn shown_as_text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[test]
fn a_replaced_certificate_serves_at_once_and_no_connection_is_lost() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    let first = shown(client.session());
    for _ in 0..5 {
        let next = authority().issue(&["shop.example"]);
        replace_file(&certs(&edge, "shop.pem"), next.both());
        serves(&edge, "shop.example", &next);
        assert_eq!(client.get("shop.example", "/").text(), "hello");
    }
    assert_eq!(shown(client.session()), first);
    assert_eq!(edge.api("certificates").len(), 1, "the old ones are gone");
    assert_eq!(edge.scrape().series("x509_cert_not_after", &[]).len(), 1);
}

#[test]
fn no_request_fails_while_certificates_change_under_load() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let (stop, address) = (Arc::new(AtomicBool::new(false)), edge.https);
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut served = 0_usize;
                let mut kept = shop_client().open(address, "shop.example");
                while !stop.load(Ordering::SeqCst) {
                    assert_eq!(kept.get("shop.example", "/").status, 200);
                    let mut fresh = shop_client().open(address, "shop.example");
                    assert_eq!(fresh.get("shop.example", "/").status, 200);
                    served += 2;
                }
                served
            })
        })
        .collect();
    for _ in 0..20 {
        let next = authority().issue(&["shop.example"]);
        replace_file(&certs(&edge, "shop.pem"), next.both());
        serves(&edge, "shop.example", &next);
    }
    stop.store(true, Ordering::SeqCst);
    assert!(clients.into_iter().all(|client| client.join().expect("no failure") > 0));
}

#[test]
fn half_a_file_changes_nothing() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    let old = authority().issue(&["shop.example"]);
    setup.site(&["shop.example"], &[&origin]).certificate("shop", &old);
    let edge = setup.start();
    let next = authority().issue(&["shop.example"]);
    let whole = next.both();
    // Cut within the certificate, between the two, within the key, and before everything.
    for cut in [whole.len() - 100, next.key.len(), next.key.len() / 2, 0] {
        drop_file(&certs(&edge, "shop.pem"), &whole[..cut]);
        rejected(&edge, "certs/shop.pem");
        serves(&edge, "shop.example", &old);
    }
    drop_file(&certs(&edge, "shop.pem"), &whole);
    serves(&edge, "shop.example", &next);
    eventually("an empty list", || edge.api("rejected").is_empty().then_some(()));
}

#[test]
fn a_key_that_does_not_match_keeps_the_old_pair() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]);
    let (old, next) = (authority().issue(&["shop.example"]), authority().issue(&["shop.example"]));
    drop_file(&setup.certs().join("shop.crt"), &old.chain);
    drop_file(&setup.certs().join("shop.key"), &old.key);
    let edge = setup.start();
    serves(&edge, "shop.example", &old);
    replace_file(&certs(&edge, "shop.key"), &next.key);
    assert_eq!(rejected(&edge, "certs/shop.key")["state"], "rejected");
    serves(&edge, "shop.example", &old);
    edge.counted(1.0, "x509_cert_error", &[("filename", "shop.key")]);
    replace_file(&certs(&edge, "shop.crt"), &next.chain);
    serves(&edge, "shop.example", &next);
    eventually("an empty list", || edge.api("rejected").is_empty().then_some(()));
    edge.counted(0.0, "x509_cert_error", &[]);
}

#[test]
fn a_key_and_a_certificate_of_different_pairs_in_one_file_are_rejected() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["shop.example"]);
    let (one, two) = (authority().issue(&["shop.example"]), authority().issue(&["shop.example"]));
    drop_file(&certs(&edge, "shop.pem"), format!("{}{}", one.key, two.chain));
    let entry = rejected(&edge, "certs/shop.pem");
    assert_eq!((&entry["state"], &entry["code"]), (&"rejected".into(), &"key-mismatch".into()), "{entry}");
    for told in ["reason", "mend", "since"] {
        assert!(!entry[told].as_str().expect("text").is_empty(), "{entry}");
    }
    edge.log_line("the rejection", |line| line["code"] == "key-mismatch");
    let lines: Vec<_> = edge.log().into_iter().filter(|line| line["code"] == "key-mismatch").collect();
    assert_eq!((lines.len(), &lines[0]["file"]), (1, &"certs/shop.pem".into()), "told once, on one line");
}

#[test]
fn files_that_are_none_are_told_and_hinder_nothing() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["shop.example"]);
    drop_file(&certs(&edge, "garbage.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    drop_file(&certs(&edge, "large.pem"), vec![b'x'; (1 << 20) + 1]);
    symlink("nowhere", certs(&edge, "dangling.pem")).expect("a link");
    symlink("/dev/zero", certs(&edge, "zero.pem")).expect("a link");
    symlink("loop.pem", certs(&edge, "loop.pem")).expect("a link");
    assert!(Command::new("mkfifo").arg(certs(&edge, "pipe.pem")).status().expect("mkfifo runs").success());
    fs::create_dir(certs(&edge, "folder.pem")).expect("a folder");
    let shop = authority().issue(&["shop.example"]);
    drop_file(&certs(&edge, "folder.pem/shop.pem"), shop.both());
    serves(&edge, "shop.example", &shop);
    for (file, code) in [
        ("garbage.pem", "certificate-malformed"),
        ("large.pem", "too-large"),
        ("dangling.pem", "dangling-link"),
        ("zero.pem", "not-a-file"),
        ("loop.pem", "dangling-link"),
        ("pipe.pem", "not-a-file"),
    ] {
        assert_eq!(rejected(&edge, &format!("certs/{file}"))["code"], code, "{file}");
    }
    edge.counted(6.0, "vitrine_certificates_rejected", &[]);
}

#[test]
fn no_secret_is_ever_repeated() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.set("log", "level = \"debug\"").site(&["shop.example"], &[&origin]);
    let edge = setup.start();
    let shop = authority().issue(&["shop.example"]);
    let secret = shop.key.lines().nth(1).expect("a line of the key").to_owned();
    drop_file(&certs(&edge, "cut.pem"), shop.key.replace("-----END PRIVATE KEY-----", ""));
    drop_file(&certs(&edge, "odd.pem"), shop.key.replace("PRIVATE KEY", "STRANGE KEY"));
    symlink("/etc/shadow", certs(&edge, "shadow.pem")).expect("a link");
    drop_file(&certs(&edge, "shop.pem"), shop.both());
    serves(&edge, "shop.example", &shop);
    rejected(&edge, "certs/cut.pem");
    let told = format!("{:?}{:?}{:?}", edge.log(), edge.api("rejected"), edge.scrape());
    assert!(!told.contains(&secret) && !told.contains("root:"), "{told}");
}

#[test]
fn every_usual_form_of_a_key_is_read() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["ec.example", "rsa.example", "crlf.example"]);
    for (name, kind) in [("ec.example", KeyKind::Ecdsa), ("rsa.example", KeyKind::Rsa)] {
        let issued = authority().issue_for(&[name], kind, -1, 24);
        let pkcs8 = edge.setup.folder.path().join(format!("{name}.pkcs8"));
        drop_file(&pkcs8, &issued.key);
        // SEC1 for the one, PKCS#1 for the other.
        let old =
            Command::new("openssl").args(["pkey", "-traditional", "-in"]).arg(&pkcs8).output().expect("openssl runs");
        let old = String::from_utf8(old.stdout).expect("PEM");
        assert!(old.contains("EC PRIVATE KEY") || old.contains("RSA PRIVATE KEY"), "{name}");
        drop_file(&certs(&edge, &format!("{name}.key")), old);
        drop_file(&certs(&edge, &format!("{name}.crt")), &issued.chain);
        let der = issued.der.clone();
        eventually(name, || {
            let schemes = vec![rustls::SignatureScheme::RSA_PSS_SHA256, rustls::SignatureScheme::ECDSA_NISTP256_SHA256];
            let client = crate::support::ClientTls::trusting(&[&rustls::version::TLS13], schemes);
            let talk = client.try_open(edge.https, name).ok()?;
            (shown(talk.session()) == der).then_some(())
        });
    }
    let issued = authority().issue(&["crlf.example"]);
    drop_file(&certs(&edge, "crlf.pem"), format!("\u{feff}Some words\r\n{}", issued.both().replace('\n', "\r\n")));
    serves(&edge, "crlf.example", &issued);
}

#[test]
fn of_several_the_valid_one_serves_and_an_expired_one_only_where_there_is_nothing_else() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["shop.example", "old.example"]);
    let expired = |name: &str| authority().issue_for(&[name], KeyKind::Ecdsa, -48, -24);
    let (valid, old) = (authority().issue(&["shop.example"]), expired("old.example"));
    drop_file(&certs(&edge, "a.pem"), expired("shop.example").both());
    drop_file(&certs(&edge, "b.pem"), valid.both());
    drop_file(&certs(&edge, "c.pem"), authority().issue_for(&["shop.example"], KeyKind::Ecdsa, 24, 48).both());
    drop_file(&certs(&edge, "old.pem"), old.both());
    serves(&edge, "shop.example", &valid);
    // Of two for the same name, which one serves and why.
    let sites = edge.api("sites");
    let serving = &sites[0]["hosts"][0]["certificates"];
    assert_eq!(
        (&serving[0]["rule"], serving.as_array().map(Vec::len)),
        (&"valid now before not valid now".into(), Some(1)),
        "{serving}"
    );
    edge.counted(1.0, "vitrine_certificate_alarms", &[("code", "expired-serving")]);
    edge.counted(2.0, "x509_cert_expired", &[]);
    let client = crate::support::ClientTls::trusting(
        &[&rustls::version::TLS13],
        vec![rustls::SignatureScheme::ECDSA_NISTP256_SHA256],
    );
    assert_eq!(shown(client.open(edge.https, "old.example").session()), old.der);
}

#[test]
fn a_key_that_others_may_read_warns() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    fs::set_permissions(certs(&edge, "shop.pem"), fs::Permissions::from_mode(0o644)).expect("a mode");
    edge.signal(rustix::process::Signal::HUP);
    let line = edge.logged("the private key can be read by others");
    assert_eq!((&line["level"], &line["file"]), (&"WARN".into(), &"certs/shop.pem".into()));
    edge.counted(1.0, "vitrine_certificate_alarms", &[("code", "key-readable")]);
    assert_eq!(edge.get("shop.example", "/").status, 200);
}

#[test]
fn a_thousand_files_at_once_all_end_in_the_index() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["*.many.example"], &[&origin]);
    let edge = setup.start();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let names: Vec<_> = (0..500).map(|number| format!("n{number}.many.example")).collect();
    let staged = edge.setup.folder.path().join("staged");
    fs::create_dir(&staged).expect("a folder");
    for name in &names {
        // One key for all is allowed, and saves making five hundred.
        let issued = authority().issue_with(&key, &[name], -1, 24);
        drop_file(&staged.join(format!("{name}.crt")), &issued.chain);
        drop_file(&staged.join(format!("{name}.key")), &issued.key);
    }
    for entry in fs::read_dir(&staged).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::rename(entry.path(), certs(&edge, &entry.file_name().to_string_lossy())).expect("moved");
    }
    edge.counted(500.0, "vitrine_certificates_served", &[]);
    for name in [&names[0], &names[250], &names[499]] {
        assert_eq!(edge.get(name, "/").status, 200, "{name}");
    }
    assert_eq!(edge.api("rejected"), Vec::<Value>::new());
    // One changed file among them.
    let next = authority().issue_with(&key, &[&names[77]], -1, 48);
    replace_file(&certs(&edge, &format!("{}.crt", names[77])), &next.chain);
    serves(&edge, &names[77], &next);
}

#[test]
fn dashboards_see_when_each_certificate_ends() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example", "www.shop.example"], &[&origin]);
    setup.certificate("long", &authority().issue_for(&["shop.example"], KeyKind::Ecdsa, -1, 2000));
    setup.certificate("short", &authority().issue_for(&["www.shop.example"], KeyKind::Ecdsa, -1, 100));
    let edge = setup.start();
    let page = edge.scrape();
    let ends = |file: &str| {
        let labels = [("filename", file), ("issuer_CN", "Test Root"), ("issuer_O", "Test"), ("embedded_key", "true")];
        let series = page.series("x509_cert_not_after", &labels);
        assert_eq!(series.len(), 1, "{file}: {}", page.0);
        series[0].1
    };
    assert!(ends("short.pem") < ends("long.pem"));
    let labels = [("site", "shop.example"), ("key_type", "ecdsa")];
    assert_eq!(page.sum("vitrine_site_certificate_not_after_seconds", &labels), ends("short.pem"), "{}", page.0);
    assert_eq!(page.sum("x509_source_up", &[]), 1.0);
}

#[test]
fn a_host_that_lost_its_certificate_shows_in_the_metrics() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["shop.example"]);
    edge.counted(1.0, "vitrine_site_hosts_without_certificate", &[("site", "shop.example")]);
    drop_file(&certs(&edge, "shop.pem"), authority().issue(&["shop.example"]).both());
    edge.counted(0.0, "vitrine_site_hosts_without_certificate", &[("site", "shop.example")]);
}

/// An edge for these hosts that has no certificate yet.
fn bare(origin: &Origin, hosts: &[&str]) -> Edge {
    let mut setup = Setup::new();
    setup.site(hosts, &[origin]);
    setup.start()
}

fn certs(edge: &Edge, name: &str) -> PathBuf {
    edge.setup.certs().join(name)
}

/// Waits until a new client is shown this certificate, and is served.
fn serves(edge: &Edge, name: &str, issued: &Issued) {
    eventually(&format!("the certificate of {name}"), || {
        let mut talk = shop_client().try_open(edge.https, name).ok()?;
        let is_it = shown(talk.session()) == issued.der;
        assert_eq!(talk.get(name, "/").status, 200);
        is_it.then_some(())
    });
}

/// Waits until this file is listed.
fn rejected(edge: &Edge, file: &str) -> Value {
    eventually(file, || edge.api("rejected").into_iter().find(|entry| entry["file"] == file))
}
