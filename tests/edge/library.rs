//! What was accepted once serves after every start, and can be gone back to.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::support::{Origin, Setup, authority, eventually};

#[test]
fn a_start_without_the_drop_folder_serves_what_was_accepted_before() {
    let origin = Origin::saying("hello");
    for signal in [Signal::TERM, Signal::KILL] {
        let edge = Setup::shop(&origin).start();
        assert_eq!(edge.get("shop.example", "/").text(), "hello");
        let kept = edge.setup.state().join("certificates");
        eventually("a version in the state folder", || {
            let certificate = fs::read_dir(&kept).ok()?.next()?.expect("an entry").path();
            fs::read_dir(certificate).ok()?.next().map(drop)
        });
        let setup = edge.end(signal);
        fs::remove_dir_all(setup.certs()).expect("removed");
        let edge = setup.start();
        assert_eq!(edge.get("shop.example", "/").text(), "hello");
        let certificate = &edge.api("certificates")[0];
        assert_eq!(certificate["state"], "valid");
        edge.logged("certificates from the state folder serve again");
    }
}

#[test]
fn a_version_lies_in_the_state_folder_as_files_that_openssl_reads_and_nobody_else() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let certificates = edge.setup.state().join("certificates");
    let entry =
        |folder: &std::path::Path| fs::read_dir(folder).ok()?.next().map(|entry| entry.expect("an entry").path());
    let version = eventually("a version", || entry(&entry(&certificates)?));
    for (file, mode) in [("chain.pem", 0o600), ("key.pem", 0o600), ("meta.json", 0o600), ("", 0o700)] {
        let found = fs::metadata(version.join(file)).expect("there").permissions().mode();
        assert_eq!(found & 0o777, mode, "{file}");
    }
    let public = |arguments: &[&str]| {
        let output =
            std::process::Command::new("openssl").args(arguments).current_dir(&version).output().expect("openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let of_key = public(&["pkey", "-in", "key.pem", "-pubout"]);
    assert_eq!(of_key, public(&["x509", "-in", "chain.pem", "-noout", "-pubkey"]));
    let meta: serde_json::Value =
        serde_json::from_slice(&fs::read(version.join("meta.json")).expect("there")).expect("JSON");
    assert_eq!((&meta["source"], &meta["names"][0]), (&"dropped".into(), &"shop.example".into()));
}

#[test]
fn a_state_folder_that_cannot_be_written_costs_no_certificate_and_alarms() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    // Root writes through any mode: something lies in the way instead.
    let mut setup = edge.end(Signal::TERM);
    let _ = fs::remove_dir_all(setup.state().join("certificates"));
    fs::write(setup.state().join("certificates"), "in the way").expect("written");
    setup.site(&["other.example"], &[&origin]).certificate("other", &authority().issue(&["other.example"]));
    let edge = setup.start();
    assert_eq!(edge.get("other.example", "/").text(), "hello");
    let alarm =
        eventually("an alarm", || edge.api("alarms").into_iter().find(|alarm| alarm["code"] == "state-not-written"));
    assert!(alarm["message"].as_str().expect("words").contains("cannot write certificates/"), "{alarm}");
    fs::remove_file(edge.setup.state().join("certificates")).expect("removed");
    edge.logged("the state folder can be written again");
    let is_on = || edge.api("alarms").iter().any(|alarm| alarm["code"] == "state-not-written");
    eventually("the end of the alarm", || (!is_on()).then_some(()));
}
