//! Secrets of the state that only the holder of a key can read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use rustix::process::Signal;

use crate::support::{Origin, Setup, authority, drop_file, eventually, run};

const SEALED: &str = "-----BEGIN VITRINE SEALED FILE-----\n";
const PLAIN: &str = "-----BEGIN PRIVATE KEY-----\n";

#[test]
fn keys_in_the_state_are_sealed_and_serve_after_a_start() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    drop_file(&setup.folder.path().join("state.key"), "5a".repeat(32));
    setup.set("certificates", "state_key_file = \"state.key\"");
    let edge = setup.start();
    let key = eventually("a key", || keys(&edge.setup).pop());
    assert!(fs::read_to_string(&key).expect("text").starts_with(SEALED));
    assert!(
        fs::read_to_string(key.with_file_name("chain.pem")).expect("text").starts_with("-----BEGIN CERTIFICATE-----")
    );
    let setup = edge.end(Signal::KILL);
    fs::remove_dir_all(setup.certs()).expect("removed");
    let edge = setup.start();
    assert_eq!(edge.get("shop.example", "/").text(), "hello");
    assert!(!edge.log().iter().any(|line| line["level"] == "WARN" && line.to_string().contains("unencrypted")));

    // Nobody takes the folder without the key, and the edge says so before it serves.
    let mut setup = edge.end(Signal::TERM);
    drop_file(&setup.folder.path().join("other.key"), "a5".repeat(32));
    for (line, said) in [
        ("state_key_file = \"other.key\"", "name the right one in certificates.state_key_file"),
        ("state_key_file = \"\\u0024CREDENTIALS_DIRECTORY/key\"", "put LoadCredential= into its unit"),
        ("state_key_file = \"missing.key\"", "the key file missing.key: No such file"),
        (
            "state_directory = \"state\"",
            "and no key is given; name the file that holds it in certificates.state_key_file",
        ),
    ] {
        setup.forget("certificates", "state_key_file").set("certificates", line).write();
        let text = refused(&run(&["run", "--config", "vitrine.toml"], &setup), 78);
        assert!(text.contains("certificates.state_") && text.contains(said), "{text}");
        assert!(!text.contains("5a5a") && !text.contains("a5a5"), "{text}");
    }
    fs::set_permissions(setup.folder.path().join("state.key"), Permissions::from_mode(0o644)).expect("set");
    setup.set("certificates", "state_key_file = \"state.key\"").write();
    for command in ["run", "check"] {
        let text = refused(&run(&[command, "--config", "vitrine.toml"], &setup), 78);
        assert!(text.contains("others may read or change it (mode 0644)"), "{text}");
    }
}

#[test]
fn a_key_comes_as_a_credential_of_systemd() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    let credentials = setup.folder.path().join("credentials");
    fs::create_dir(&credentials).expect("made");
    drop_file(&credentials.join("state-key"), "5a".repeat(32));
    // As the mask of the ACL shows by which systemd opens it to the user of the unit.
    fs::set_permissions(credentials.join("state-key"), Permissions::from_mode(0o440)).expect("set");
    setup.set("certificates", "state_key_file = '$CREDENTIALS_DIRECTORY/state-key'");
    setup.environment("CREDENTIALS_DIRECTORY", &credentials.display().to_string());
    let edge = setup.start();
    eventually("a sealed key", || beginnings(&edge.setup, SEALED).pop());
    // A command by hand has no credentials, and needs none to find the edge.
    succeeded(&run(&["certs", "list", "--config", "vitrine.toml"], &edge.setup));
    let output = run(&["check", "--config", "vitrine.toml"], &edge.setup);
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("warning: certificates.state_key_file: it is not looked at here")
    );
    succeeded(&output);
}

#[test]
fn a_key_comes_later_changes_and_goes_again() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    eventually("a key", || keys(&edge.setup).pop());
    let mut setup = edge.end(Signal::TERM);
    for (name, digits) in [("one.key", "5a"), ("two.key", "a5")] {
        drop_file(&setup.folder.path().join(name), digits.repeat(32));
    }
    // Set over plain secrets: they are read, new ones are sealed, and the operator is told.
    setup.set("certificates", "state_key_file = \"one.key\"");
    setup.site(&["other.example"], &[&origin]).certificate("other", &authority().issue(&["other.example"]));
    let edge = setup.start();
    edge.logged("lie there unencrypted; stop the edge and run vitrine state rekey");
    eventually("a second key", || (keys(&edge.setup).len() == 2).then_some(()));
    assert_eq!(beginnings(&edge.setup, PLAIN).len() + beginnings(&edge.setup, SEALED).len(), 2);
    assert_eq!(beginnings(&edge.setup, SEALED).len(), 1);
    let rekey = ["state", "rekey", "--config", "vitrine.toml"];
    let text = refused(&run(&rekey, &edge.setup), 1);
    assert!(text.contains("another process uses the state folder; stop it"), "{text}");
    let mut setup = edge.end(Signal::TERM);

    // The third is what sticky cookies are signed with, and is as old as the first.
    let told = succeeded(&run(&rekey, &setup));
    assert!(told.contains("secrets: 3, changed: 2; all are encrypted with the key "), "{told}");
    assert_eq!(beginnings(&setup, SEALED).len(), 2);

    setup.set("certificates", "state_key_file = \"two.key\"").write();
    let text = refused(&run(&rekey, &setup), 1);
    assert!(text.contains("name the file that holds it with --old-key-file"), "{text}");
    succeeded(&run(&[&rekey[..], &["--old-key-file", "one.key"]].concat(), &setup));
    fs::rename(setup.certs(), setup.folder.path().join("gone")).expect("moved");
    let edge = setup.start();
    assert_eq!(edge.get("other.example", "/").text(), "hello");
    let mut setup = edge.end(Signal::TERM);

    succeeded(&run(&[&rekey[..], &["--old-key-file", "two.key", "--plain"]].concat(), &setup));
    setup.forget("certificates", "state_key_file");
    assert_eq!(beginnings(&setup, PLAIN).len(), 2);
    let edge = setup.start();
    assert_eq!(edge.get("shop.example", "/").text(), "hello");
}

fn keys(setup: &Setup) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![setup.state().join("certificates")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.ends_with("key.pem") => found.push(path),
                _ => {}
            }
        }
    }
    found
}

fn beginnings(setup: &Setup, with: &str) -> Vec<PathBuf> {
    let begins = |file: &PathBuf| fs::read_to_string(file).expect("text").starts_with(with);
    keys(setup).into_iter().filter(begins).collect()
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}
