//! Files, links and folders as nobody wants them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::*;

#[test]
fn bad_files_are_named_and_disturb_nobody() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("a.pem", leaf.whole());
    shop.write("garbage.pem", "hello");
    shop.write("empty.crt", "");
    shop.write("large.pem", vec![b'a'; 10 * 1024 * 1024]);
    shop.write("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    shop.write("bundle.pfx", [0x30, 0x06, 0x02, 0x01, 0x03, 0x30, 0x01, 0x00]);
    shop.write("bundle.p7b", "x");
    shop.write("a.der", [0x30, 0x02, 0x05, 0x00]);
    shop.write("bundle.pfx.password", "geheim");
    shop.write("README.md", "read me");
    shop.write(".hidden.pem", "hello");
    shop.write("..data/hidden.pem", "hello");
    shop.write("well-known/a.example/x.pem", "hello");
    shop.write("notes.txt", "hello");
    shop.write("folder.pem/inner.pem", "hello");
    mkfifoat(CWD, shop.path("pipe.pem"), Mode::RUSR | Mode::WUSR).expect("a pipe");
    let _socket = std::os::unix::net::UnixListener::bind(shop.path("socket.pem")).expect("a socket");
    symlink("/dev/zero", shop.path("zero.pem")).expect("linked");
    symlink("nowhere", shop.path("nowhere.pem")).expect("linked");
    symlink("loop.pem", shop.path("loop.pem")).expect("linked");
    symlink(".", shop.path("self")).expect("linked");
    symlink("../..", shop.path("folder.pem/up")).expect("linked");
    shop.settle();
    let expected = [
        rejected("a.der", "der"),
        rejected("bundle.p7b", "nothing"),
        rejected("bundle.pfx", "malformed"),
        rejected("empty.crt", "empty"),
        rejected("encrypted.key", "encrypted-key"),
        rejected("folder.pem/inner.pem", "nothing"),
        rejected("garbage.pem", "nothing"),
        rejected("large.pem", "too-large"),
        rejected("loop.pem", "dangling-link"),
        rejected("nowhere.pem", "dangling-link"),
        rejected("pipe.pem", "not-a-file"),
        rejected("socket.pem", "not-a-file"),
        rejected("zero.pem", "not-a-file"),
    ];
    assert_eq!(shop.listed(), expected);
    assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
    let loads = shop.shelf.ledger().loads;
    shop.settle();
    assert_eq!(shop.shelf.ledger().loads, loads, "each is counted once");
}

#[test]
fn a_link_to_the_public_folder_brings_nothing_in() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("well-known/a.example/a.pem", leaf.whole());
    symlink("well-known", shop.path("x")).expect("linked");
    symlink("well-known/a.example", shop.path("y")).expect("linked");
    shop.settle();
    assert_eq!((shop.serving("a.example"), shop.listed(), shop.alarms()), (None, vec![], vec![]));
}

#[test]
fn byte_order_marks_and_windows_line_ends_are_read() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("a.crt", format!("\u{feff}{}", leaf.certificate.replace('\n', "\r\n")));
    shop.write("a.key", format!("\u{feff}{}", leaf.key.replace('\n', "\r\n")));
    shop.settle();
    assert_eq!((shop.serving("a.example"), shop.listed()), (fingerprint(&leaf), vec![]));
}

#[test]
fn an_unreadable_file_or_folder_leaves_what_was_read() {
    if !binding_permissions("certs::tests::oddities::an_unreadable_file_or_folder_leaves_what_was_read") {
        return;
    }
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("..data/a.pem", &leaf.key);
    shop.write("chain.pem", &CHAIN.intermediate);
    shop.write("sub/a.crt", leaf.chain());
    fs::create_dir(shop.path("links")).expect("created");
    symlink("../..data/a.pem", shop.path("links/key.pem")).expect("linked");
    shop.settle();
    for (path, mode, code) in [
        ("sub/a.crt", 0o000, "unreadable"),
        ("sub", 0o000, "folder-unreadable"),
        // It can be listed, and what it lists cannot be looked at.
        ("sub", 0o400, "folder-unreadable"),
        ("links", 0o400, "folder-unreadable"),
    ] {
        fs::set_permissions(shop.path(path), Permissions::from_mode(mode)).expect("closed");
        shop.settle();
        shop.after(Duration::from_secs(120));
        assert_eq!(shop.serving("a.example"), fingerprint(&leaf), "{path} {mode:o}");
        assert_eq!(shop.listed(), [rejected(path, code)], "{path} {mode:o}");
        fs::set_permissions(shop.path(path), Permissions::from_mode(0o700)).expect("opened");
        shop.settle();
    }
    fs::set_permissions(shop.path(""), Permissions::from_mode(0o400)).expect("closed");
    shop.after(Duration::from_secs(120));
    fs::set_permissions(shop.path(""), Permissions::from_mode(0o700)).expect("opened");
    assert_eq!((shop.serving("a.example"), shop.alarms()), (fingerprint(&leaf), vec!["folder-unreadable"]));
    shop.settle();
    assert_eq!((shop.alarms(), shop.listed()), (vec![], vec![]));
}

#[test]
fn a_link_that_leads_nowhere_leaves_what_was_there() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("..data/a.pem", leaf.whole());
    symlink("..data/a.pem", shop.path("a.pem")).expect("linked");
    symlink("..data", shop.path("folder")).expect("linked");
    shop.settle();
    fs::rename(shop.path("..data"), shop.path("..gone")).expect("renamed");
    shop.settle();
    shop.after(Duration::from_secs(120));
    assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
    assert_eq!(shop.listed(), [rejected("a.pem", "dangling-link"), rejected("folder", "dangling-link")]);
}

#[test]
fn a_link_that_is_swapped_is_never_mixed() {
    let mut shop = Shop::new();
    let sides = [CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["a.example"])];
    for (side, leaf) in ["..one", "..two"].iter().zip(&sides) {
        shop.write(&format!("{side}/tls.crt"), &leaf.certificate);
        shop.write(&format!("{side}/tls.key"), &leaf.key);
    }
    symlink("..data/tls.crt", shop.path("tls.crt")).expect("linked");
    symlink("..data/tls.key", shop.path("tls.key")).expect("linked");
    let prints: Vec<Option<String>> = sides.iter().map(fingerprint).collect();
    for turn in 0..200 {
        symlink(["..one", "..two"][turn % 2], shop.path("..next")).expect("linked");
        fs::rename(shop.path("..next"), shop.path("..data")).expect("renamed");
        shop.after(Duration::from_millis(100));
        assert_eq!(shop.serving("a.example"), prints[turn % 2], "{turn}");
        assert_eq!(shop.index.certificates().len(), 1, "{turn}");
    }
    assert_eq!(shop.listed(), []);
}

#[test]
fn looks_in_the_midst_of_swaps_never_mix() {
    let mut shop = Shop::new();
    let sides = [CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["a.example"])];
    let prints: Vec<Option<String>> = sides.iter().map(fingerprint).collect();
    shop.write("a.crt", &sides[0].certificate);
    shop.write("a.key", &sides[0].key);
    shop.settle();
    let folder = shop.path("");
    let swapping = std::thread::spawn(move || {
        for turn in 0..200 {
            for (name, content) in [("a.crt", &sides[turn % 2].certificate), ("a.key", &sides[turn % 2].key)] {
                fs::write(folder.join(".new"), content).expect("written");
                fs::rename(folder.join(".new"), folder.join(name)).expect("renamed");
            }
        }
    });
    while !swapping.is_finished() {
        shop.look();
        assert!(prints.contains(&shop.serving("a.example")));
    }
    swapping.join().expect("all turns");
    shop.settle();
    assert_eq!(shop.serving("a.example"), prints[1]);
}

#[test]
fn open_keys_are_an_alarm_until_they_are_closed() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("a.crt", leaf.chain());
    shop.write("a.key", &leaf.key);
    for (file, mode, alarms) in [
        ("a.crt", 0o644, vec![]),
        ("a.key", 0o644, vec!["key-readable"]),
        ("a.key", 0o640, vec!["key-group-readable"]),
        ("a.key", 0o600, vec![]),
    ] {
        fs::set_permissions(shop.path(file), Permissions::from_mode(mode)).expect("set");
        shop.settle();
        assert_eq!(shop.alarms(), alarms, "{file} {mode:o}");
    }
    assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
}

#[test]
fn a_certificate_for_nobody_is_rejected_and_leaves_the_last_good_one() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    let key = rcgen::KeyPair::from_pem(&leaf.key).expect("a key");
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![rcgen::SanType::DnsName("*".try_into().expect("text"))];
    let star = params.self_signed(&key).expect("a certificate").pem();
    shop.write("a.key", &leaf.key);
    shop.write("a.crt", &leaf.certificate);
    shop.settle();
    shop.write("a.crt", star);
    shop.settle();
    assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
    assert_eq!(shop.listed(), [rejected("a.crt", "bad-name")]);
}

#[test]
fn a_thousand_files_at_once_are_all_served() {
    let mut shop = Shop::new();
    let leaves: Vec<Leaf> = (0..500).map(|number| CHAIN.leaf(&[&format!("s{number}.example")])).collect();
    for (number, leaf) in leaves.iter().enumerate() {
        shop.write(&format!("{}/{number}.crt", number % 7), &leaf.certificate);
        shop.write(&format!("{}/{number}.key", number % 5), &leaf.key);
    }
    shop.settle();
    for (number, leaf) in leaves.iter().enumerate() {
        assert_eq!(shop.serving(&format!("s{number}.example")), fingerprint(leaf));
    }
    assert_eq!((shop.listed(), shop.published), (vec![], 1));
}

#[test]
fn no_notice_and_no_alarm_holds_a_key() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    let secret: String = leaf.key.lines().nth(1).expect("a line").into();
    shop.write("a.key", &leaf.key[..leaf.key.len() / 2]);
    shop.write("b.key", leaf.key.replace('\n', " "));
    shop.write("c.key", &leaf.key);
    fs::set_permissions(shop.path("c.key"), Permissions::from_mode(0o644)).expect("opened");
    shop.settle();
    assert_eq!(shop.listed().len(), 3);
    let told = serde_json::to_string(&shop.shelf.ledger()).expect("JSON");
    assert!(!told.contains(&secret), "{told}");
}

/// Whether permissions bind us. Root may read everything, and has somebody else run the test.
fn binding_permissions(test: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        return true;
    }
    const NOBODY: u32 = 65_534;
    let mut again = Command::new("/proc/self/exe");
    let output = again.args(["--exact", test]).current_dir("/").uid(NOBODY).gid(NOBODY).output().expect("run again");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&output.stderr));
    false
}
