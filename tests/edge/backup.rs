//! `vitrine backup` and `vitrine restore`: the state of an edge that goes on working, and the same edge elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Edge, Origin, Setup, authority, drop_file, eventually, replace_file, run};

#[test]
fn a_backup_under_writes_serves_the_same_certificates_elsewhere() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["*.shop.example"], &[&origin]);
    for number in 0..8 {
        setup.certificate(&number.to_string(), &authority().issue(&[&format!("{number}.shop.example")]));
    }
    let edge = setup.start();
    let state = edge.setup.state();
    eventually("all versions", || (kept(&state).len() == 8).then_some(()));
    let (done, backups) = (AtomicBool::new(false), 12);
    std::thread::scope(|scope| {
        // Each name gets one certificate after the other, and tokens come and go.
        scope.spawn(|| {
            for round in 0.. {
                let number = round % 8;
                let issued = authority().issue(&[&format!("{number}.shop.example")]);
                replace_file(&edge.setup.certs().join(format!("{number}.pem")), issued.both());
                let order = json!({ "name": format!("t{round}"), "role": "read" });
                let made = edge.order_api("POST", "/api/v1/tokens", &order).json();
                let token = format!("/api/v1/tokens/{}", made["id"].as_str().expect("a token"));
                assert!((200..300).contains(&edge.ask_api("DELETE", &token).status));
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for number in 0..backups {
            let name = format!("{number}.tar");
            succeeded(&run(&["backup", "--config", "vitrine.toml", "--to", &name], &edge.setup));
            let checked = succeeded(&run(&["restore", &name, "--check"], &edge.setup));
            assert!(checked.contains("; others: 0"), "{checked}");
        }
        done.store(true, Ordering::Relaxed);
    });
    // What the last rounds brought is taken up; then everything is there.
    let served = eventually("the last certificates", || {
        let served = fingerprints(&edge);
        (settled(&edge) && current(&state) == beginnings(&served)).then_some(served)
    });
    let output = run(&["backup", "--config", "vitrine.toml", "--to", "last.tar"], &edge.setup);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    succeeded(&output);
    assert!(said.contains("private keys and other secrets in it are not encrypted ("), "{said}");
    assert!(said.contains("the configuration and the drop folder are not in it"), "{said}");
    let backup = edge.setup.folder.path().join("last.tar");
    assert_eq!(fs::metadata(&backup).expect("there").permissions().mode() & 0o777, 0o600);

    let mut elsewhere = Setup::new();
    elsewhere.site(&["*.shop.example"], &[&origin]);
    let file = backup.display().to_string();
    succeeded(&run(&["restore", &file, "--to", "state"], &elsewhere));
    assert_eq!(kept(&elsewhere.state()), kept(&state));
    let restored = elsewhere.start();
    assert_eq!(fingerprints(&restored), served);
    assert_eq!(restored.get("0.shop.example", "/").text(), "hello");
}

#[test]
fn a_backup_needs_no_edge_and_overwrites_nothing() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    eventually("a version", || (kept(&edge.setup.state()).len() == 1).then_some(()));
    let setup = edge.end(Signal::TERM);
    let back_up = |to: &str| run(&["backup", "--config", "vitrine.toml", "--to", to], &setup);
    succeeded(&back_up("b.tar"));
    let before = fs::read(setup.folder.path().join("b.tar")).expect("there");
    assert!(refused(&back_up("b.tar"), 1).contains("there is a file of this name already; choose another name"));
    assert_eq!(fs::read(setup.folder.path().join("b.tar")).expect("there"), before);
    assert!(refused(&back_up("state/b.tar"), 1).contains("it would become a part of the state"));
    assert!(refused(&back_up("nowhere/b.tar"), 1).contains("cannot write the backup nowhere/b.tar: "));
    let piped = run(&["backup", "--state-directory", "state", "--to", "-"], &setup);
    assert!(piped.status.success());
    fs::write(setup.folder.path().join("piped.tar"), piped.stdout).expect("written");
    succeeded(&run(&["restore", "piped.tar", "--check", "--to", "elsewhere"], &setup));
    assert!(!setup.folder.path().join("elsewhere").exists());

    // A restore leaves a state that lives alone, whether an edge has it or not.
    let files = kept(&setup.state());
    for arguments in [&["restore", "b.tar", "--to", "state"][..], &["restore", "b.tar", "--check", "--to", "state"]] {
        assert!(refused(&run(arguments, &setup), 1).contains("nothing is overwritten"));
    }
    let edge = setup.start();
    assert!(refused(&run(&["restore", "b.tar", "--to", "state"], &edge.setup), 1).contains("another process uses"));
    assert_eq!(kept(&edge.setup.state()), files);
}

#[test]
fn a_backup_that_was_changed_is_told_and_makes_no_state() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    eventually("a version", || (kept(&edge.setup.state()).len() == 1).then_some(()));
    let setup = edge.end(Signal::TERM);
    succeeded(&run(&["backup", "--config", "vitrine.toml", "--to", "b.tar"], &setup));
    let whole = fs::read(setup.folder.path().join("b.tar")).expect("there");
    let key = whole.windows(11).position(|octets| octets == b"PRIVATE KEY").expect("a key");
    let mut changed = whole.clone();
    changed[key + 40] ^= 1;
    for (content, said) in [(&changed[..], "is not what was written"), (&whole[..whole.len() / 2], "cut off")] {
        drop_file(&setup.folder.path().join("x.tar"), content);
        for arguments in [&["restore", "x.tar", "--check"][..], &["restore", "x.tar", "--to", "new"]] {
            let text = refused(&run(arguments, &setup), 1);
            assert!(text.contains(said), "{text}");
        }
        assert!(!setup.folder.path().join("new").exists());
    }
    // A key that belongs to another certificate is whole, and found all the same.
    let version = eventually("a version", || {
        let certificate = fs::read_dir(setup.state().join("certificates")).ok()?.next()?.expect("an entry").path();
        let mut entries = fs::read_dir(certificate).ok()?.map(|entry| entry.expect("an entry").path());
        entries.find(|path| path.is_dir())
    });
    replace_file(&version.join("key.pem"), authority().issue(&["shop.example"]).key);
    succeeded(&run(&["backup", "--config", "vitrine.toml", "--to", "mixed.tar"], &setup));
    let text = refused(&run(&["restore", "mixed.tar", "--check"], &setup), 1);
    assert!(text.contains("key and certificate do not belong together"), "{text}");
}

/// The fingerprint of every version in a state folder.
fn kept(state: &Path) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    let below = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for certificate in below(&state.join("certificates")) {
        for version in below(&certificate) {
            let Ok(content) = fs::read(version.join("meta.json")) else { continue };
            let meta: Value = serde_json::from_slice(&content).expect("JSON");
            kept.insert(meta["fingerprint"].as_str().expect("a fingerprint").to_owned());
        }
    }
    kept
}

/// How the fingerprints of the versions begin that a state folder has serve. Of those that were issued in one second the folder has
/// to say which: that is written after the version.
fn current(state: &Path) -> BTreeSet<String> {
    let certificates = fs::read_dir(state.join("certificates")).expect("listed").map(|entry| entry.expect("an entry"));
    let current = certificates.map(|certificate| {
        let decision = fs::read(certificate.path().join("meta.json")).ok().map(|content| {
            let decision: Value = serde_json::from_slice(&content).expect("JSON");
            decision["current"].as_str().expect("a version").to_owned()
        });
        let versions = fs::read_dir(certificate.path()).expect("listed").map(|entry| entry.expect("an entry"));
        let newest = versions.map(|version| version.file_name().into_string().expect("text")).max();
        let current = decision.or(newest).expect("a version");
        current.rsplit('-').next().unwrap_or_default().to_owned()
    });
    current.collect()
}

/// As many of their digits as names of versions have.
fn beginnings(fingerprints: &BTreeSet<String>) -> BTreeSet<String> {
    fingerprints.iter().map(|fingerprint| fingerprint[..32].to_owned()).collect()
}

/// What an edge serves.
fn fingerprints(edge: &Edge) -> BTreeSet<String> {
    let all = edge.api("certificates");
    all.iter().map(|one| one["fingerprint"].as_str().expect("a fingerprint").to_owned()).collect()
}

/// Whether it serves one certificate for each name, those in the folder.
fn settled(edge: &Edge) -> bool {
    let served = fingerprints(edge);
    let dropped: BTreeSet<String> = fs::read_dir(edge.setup.certs())
        .expect("listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pem"))
        .map(|path| fingerprint(&path))
        .collect();
    served == dropped
}

fn fingerprint(file: &Path) -> String {
    let output = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(file)
        .output()
        .expect("openssl runs");
    let text = String::from_utf8(output.stdout).expect("text");
    text.trim().rsplit('=').next().unwrap_or_default().replace(':', "").to_lowercase()
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}
