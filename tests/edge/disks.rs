//! Disks as they are in the worst hour: full, or read-only. What serves goes on, what cannot be kept is told with the mend.
//! Each test runs itself again where all of it lies on a small disk of its own.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::support::command::{refused, vitrine};
use crate::support::{Edge, Issued, Origin, Setup, authority, drop_file, eventually, message, run, shop_client, shown};

#[test]
fn on_a_full_disk_renewals_serve_and_what_could_not_be_kept_is_kept_when_there_is_room() {
    let Some(disk) =
        on_a_small_disk("disks::on_a_full_disk_renewals_serve_and_what_could_not_be_kept_is_kept_when_there_is_room")
    else {
        return;
    };
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    kept(&edge, 1);
    let (next, other) = (authority().issue(&["shop.example"]), authority().issue(&["shop.example"]));
    drop_file(&edge.setup.certs().join(".next.pem"), next.both());
    drop_file(&edge.setup.folder.path().join("other.pem"), other.both());
    let full = fill(&disk);

    fs::rename(edge.setup.certs().join(".next.pem"), edge.setup.certs().join("shop.pem")).expect("renamed");
    serves(&edge, &next);
    told(&edge, "the disk is full; make room");
    // What is brought is not taken in: nobody could promise that it lasts.
    let said = refused(vitrine(&edge, "certs import other.pem"));
    assert!(said.contains("the disk is full; make room, what was there before is untouched"), "{said}");
    serves(&edge, &next);
    assert_eq!(edge.get("shop.example", "/").text(), "hello");

    fs::remove_file(full).expect("removed");
    edge.logged("the state folder can be written again");
    kept(&edge, 2);
    let setup = edge.end(Signal::KILL);
    fs::remove_dir_all(setup.certs()).expect("removed");
    serves(&setup.start(), &next);
}

#[test]
fn on_a_read_only_disk_an_edge_goes_on_and_none_starts() {
    let Some(_) = on_a_small_disk("disks::on_a_read_only_disk_an_edge_goes_on_and_none_starts") else { return };
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    kept(&edge, 1);
    let (next, other) = (authority().issue(&["shop.example"]), authority().issue(&["shop.example"]));
    drop_file(&edge.setup.folder.path().join("other.pem"), other.both());
    // As the system does it by itself after an error of the disk (errors=remount-ro).
    let state = edge.setup.state();
    mount(&["--bind"], &[&state, &state]);
    mount(&["-o", "remount,bind,ro"], &[&state]);
    drop_file(&edge.setup.certs().join("shop.pem"), next.both());
    serves(&edge, &next);
    told(&edge, "the file system is read-only; mount it writable");
    let said = refused(vitrine(&edge, "certs import other.pem"));
    assert!(said.contains("the file system is read-only; mount it writable, or name another folder"), "{said}");
    serves(&edge, &next);

    let setup = edge.end(Signal::TERM);
    let output = run(&["run", "--config", "vitrine.toml"], &setup);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(
        said.contains("certificates.state_directory: ")
            && said.contains("the file system is read-only; mount it writable, or name another folder"),
        "{said}"
    );
    mount(&["-o", "remount,bind,rw"], &[&state]);
    let edge = setup.start();
    serves(&edge, &next);
    kept(&edge, 2);
}

/// Waits for the alarm, and for the one line of the log that says the same.
fn told(edge: &Edge, mend: &str) {
    let alarm = eventually("an alarm", || edge.api("alarms").into_iter().find(|alarm| alarm["code"] == NOT_KEPT));
    assert!(alarm["message"].as_str().is_some_and(|text| text.contains(mend)), "{alarm}");
    edge.counted(1.0, "vitrine_certificate_alarms", &[("code", NOT_KEPT)]);
    let line = edge.log_line("the alarm", |line| line["code"] == NOT_KEPT);
    assert!(line["level"] == "ERROR" && message(&line).contains(mend), "{line}");
}

fn serves(edge: &Edge, issued: &Issued) {
    eventually("the certificate", || {
        let talk = shop_client().try_open(edge.https, "shop.example").ok()?;
        (shown(talk.session()) == issued.der).then_some(())
    });
}

/// Waits until so many versions are on the disk.
fn kept(edge: &Edge, count: usize) {
    let below = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path()).collect()
    };
    eventually("the versions", || {
        let certificates = below(&edge.setup.state().join("certificates"));
        let versions = certificates.iter().flat_map(|certificate| below(certificate));
        (versions.filter(|version| version.join("meta.json").exists()).count() == count).then_some(())
    });
}

/// Takes the last octet. Gives the file to remove.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("filler");
    let mut filler = OpenOptions::new().create(true).append(true).open(&path).expect("a file");
    for size in [4096, 1] {
        while filler.write_all(&vec![0; size]).is_ok() {}
    }
    path
}

fn mount(options: &[&str], places: &[&PathBuf]) {
    let done = Command::new("mount").args(options).args(places).status().expect("mount runs");
    assert!(done.success(), "{options:?}");
}

/// In the test, runs it again in a place of its own, where temporary folders are on a disk of eight megabytes, and gives nothing;
/// there, gives the disk.
fn on_a_small_disk(test: &str) -> Option<PathBuf> {
    if let Some(disk) = std::env::var_os(DISK) {
        return Some(disk.into());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let is_root = rustix::process::geteuid().is_root();
    let output = Command::new("unshare")
        .args(if is_root { &["--mount"][..] } else { &["--mount", "--map-root-user"] })
        .args(["sh", "-c", "mount -t tmpfs -o size=8m none \"$0\" && exec \"$@\""])
        .arg(folder.path())
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(DISK, folder.path())
        .env("TMPDIR", folder.path())
        .output()
        .expect("unshare runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    None
}

const NOT_KEPT: &str = "state-not-written";
const DISK: &str = "VITRINE_TEST_DISK";
