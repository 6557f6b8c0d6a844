//! The drop folder from end to end, with real files, on a clock that the tests move.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, mkfifoat};
use tokio::time::Instant;

use super::ledger::NoticeState;
use super::scan::Scanner;
use super::shelf::{Moment, Shelf};
use super::testing::{Chain, Leaf};
use crate::live::CertIndex;

static CHAIN: LazyLock<Chain> = LazyLock::new(Chain::new);

/// A drop folder and what would be served from it.
struct Shop {
    home: tempfile::TempDir,
    scanner: Scanner,
    shelf: Shelf,
    index: CertIndex,
    now: Moment,
    published: usize,
}

impl Shop {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("certs");
        fs::create_dir(&folder).expect("created");
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
        Self {
            home,
            scanner: Scanner::new(folder.clone()),
            shelf: Shelf::new(folder),
            index: CertIndex::default(),
            now: Moment { steady: Instant::now(), unix: i64::try_from(unix).expect("this century") },
            published: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("certs").join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().expect("a parent")).expect("created");
        fs::write(self.path(name), content).expect("written");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("closed");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("removed");
    }

    fn look(&mut self) {
        let scan = self.scanner.scan();
        if let Some(index) = self.shelf.step(&scan, Vec::new(), self.now) {
            self.index = index;
            self.published += 1;
        }
    }

    fn after(&mut self, time: Duration) {
        self.now.steady += time;
        self.now.unix += i64::try_from(time.as_secs()).expect("short");
        self.look();
    }

    /// Looks, and looks again when all has come to rest.
    fn settle(&mut self) {
        self.look();
        self.after(Duration::from_millis(600));
    }

    /// The fingerprint of what serves a name.
    fn serving(&self, name: &str) -> Option<String> {
        self.index.find(name)?.iter().next().map(|served| served.facts.fingerprint.to_string())
    }

    fn listed(&self) -> Vec<(String, NoticeState, &'static str)> {
        let folder = format!("{}/", self.path("").display()).replace("//", "/");
        let notices = self.shelf.ledger().rejected;
        notices.into_iter().map(|notice| (notice.file.replace(&folder, ""), notice.state, notice.code)).collect()
    }

    fn alarms(&self) -> Vec<&'static str> {
        self.shelf.ledger().alarms.iter().map(|alarm| alarm.code).collect()
    }
}

fn fingerprint(leaf: &Leaf) -> Option<String> {
    let served = super::Bundle::parse(leaf.both().as_bytes()).expect("a bundle").served(std::path::Path::new(""), true);
    Some(served.facts.fingerprint.to_string())
}

fn rejected(file: &str, code: &'static str) -> (String, NoticeState, &'static str) {
    (file.to_owned(), NoticeState::Rejected, code)
}

fn waiting(file: &str, code: &'static str) -> (String, NoticeState, &'static str) {
    (file.to_owned(), NoticeState::Waiting, code)
}

#[test]
fn key_and_certificate_come_in_either_order() {
    for order in [["a.key", "a.crt"], ["a.crt", "a.key"]] {
        let (mut shop, leaf) = (Shop::new(), CHAIN.leaf(&["a.example"]));
        let content = |name: &str| if name == "a.key" { leaf.key.clone() } else { leaf.certificate.clone() };
        shop.write(order[0], content(order[0]));
        shop.look();
        assert_eq!(shop.listed(), [], "too early");
        shop.after(Duration::from_millis(600));
        let code = if order[0] == "a.key" { "waiting-for-certificate" } else { "waiting-for-key" };
        assert_eq!(shop.listed(), [waiting(order[0], code)]);
        assert_eq!(shop.serving("a.example"), None);
        shop.write(order[1], content(order[1]));
        shop.look();
        assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
        assert_eq!(shop.listed(), []);
        assert_eq!(shop.shelf.ledger().loads.waiting, 1);
    }
}

#[test]
fn one_file_may_hold_everything_in_any_order() {
    let leaf = CHAIN.leaf(&["a.example"]);
    let parts = [&leaf.key, &leaf.certificate, &CHAIN.intermediate, &CHAIN.root].map(String::as_str);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 0, 3, 1]] {
        let mut shop = Shop::new();
        shop.write("deep/er/all.PEM", order.map(|part| parts[part]).concat());
        shop.settle();
        assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
        let choice = shop.index.find("a.example").expect("served");
        let served = choice.iter().next().expect("a certificate");
        assert_eq!(served.certified.cert.len(), 2, "leaf and intermediate, no root");
        assert!(served.facts.embedded_key);
        assert_eq!((shop.listed(), shop.alarms()), (vec![], vec![]));
    }
}

#[test]
fn every_form_of_key_is_read() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let leaf = CHAIN.leaf(&["a.example"]);
    drop(key);
    let pkcs8 = rustls_pki_types::pem::PemObject::from_pem_slice(leaf.key.as_bytes());
    let pkcs8: rustls_pki_types::PrivatePkcs8KeyDer<'static> = pkcs8.expect("PKCS#8");
    // The SEC1 key is the OCTET STRING inside of the PKCS#8 one.
    let der = pkcs8.secret_pkcs8_der();
    let at = der.windows(2).position(|pair| pair == [0x04, 0x6D]).expect("an octet string") + 2;
    let sec1 = pem_of("EC PRIVATE KEY", &der[at..at + 0x6D]);
    let mut shop = Shop::new();
    shop.write("a.crt", &leaf.certificate);
    shop.write("a.key", sec1);
    shop.settle();
    assert_eq!((shop.serving("a.example"), shop.listed()), (fingerprint(&leaf), vec![]));

    let authority = super::LocalCa::new("Test").expect("an authority");
    let name = crate::name::HostPattern::parse("rsa.example").expect("a name");
    let rsa = authority.issue(&[name], super::valid_for(1), super::KeyKind::Rsa).expect("issued");
    let pkcs8 = rustls_pki_types::pem::PemObject::from_pem_slice(rsa.key.as_bytes());
    let pkcs8: rustls_pki_types::PrivatePkcs8KeyDer<'static> = pkcs8.expect("PKCS#8");
    let der = pkcs8.secret_pkcs8_der();
    let at = der.windows(2).skip(1).position(|pair| pair == [0x30, 0x82]).expect("a sequence") + 1;
    shop.write("rsa.pem", format!("{}{}", pem_of("RSA PRIVATE KEY", &der[at..]), rsa.chain));
    shop.settle();
    assert_eq!((shop.serving("rsa.example").is_some(), shop.listed()), (true, vec![]));
}

fn pem_of(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let bits = three.iter().chain(&[0, 0]).take(3).fold(0_usize, |bits, octet| bits << 8 | usize::from(*octet));
        for at in 0..4 {
            let letter = char::from(ALPHABET[bits >> (18 - 6 * at) & 63]);
            text.push(if at <= three.len() { letter } else { '=' });
        }
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[test]
fn a_half_written_file_leaves_the_last_good_pair() {
    let mut shop = Shop::new();
    let (old, new) = (CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["a.example"]));
    shop.write("a.pem", old.both());
    shop.settle();
    let text = new.both();
    for end in (0..text.len()).step_by(97) {
        shop.write("a.pem", &text[..end]);
        shop.after(Duration::from_millis(100));
        assert_eq!(shop.serving("a.example"), fingerprint(&old), "{end}");
        assert_eq!(shop.listed(), [], "{end}: no word before it rests");
    }
    shop.after(Duration::from_millis(600));
    assert_eq!(shop.listed(), [rejected("a.pem", "truncated")]);
    shop.write("a.pem", text);
    shop.look();
    assert_eq!((shop.serving("a.example"), shop.listed()), (fingerprint(&new), vec![]));
    assert_eq!(shop.index.certificates().len(), 1, "the old one has gone at once");
}

#[test]
fn a_mismatched_key_or_certificate_leaves_the_last_good_pair() {
    let (good, other) = (CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["b.example"]));
    for (file, wrong) in [("a.key", &other.key), ("a.crt", &other.certificate)] {
        let mut shop = Shop::new();
        shop.write("a.crt", &good.certificate);
        shop.write("a.key", &good.key);
        shop.settle();
        shop.write(file, wrong);
        shop.settle();
        assert_eq!(shop.serving("a.example"), fingerprint(&good));
        assert_eq!(shop.listed(), [rejected(file, "pair-broken")]);
        shop.after(Duration::from_secs(3600));
        assert_eq!(shop.serving("a.example"), fingerprint(&good), "as long as it lies there");
        let right = if file == "a.key" { &good.key } else { &good.certificate };
        shop.write(file, right);
        shop.settle();
        assert_eq!((shop.serving("a.example"), shop.listed()), (fingerprint(&good), vec![]));
    }
    let mut shop = Shop::new();
    shop.write("a.pem", good.both());
    shop.settle();
    shop.write("a.pem", format!("{}{}", good.key, other.certificate));
    shop.settle();
    assert_eq!(shop.serving("a.example"), fingerprint(&good));
    assert_eq!(shop.listed(), [rejected("a.pem", "key-mismatch")]);
    shop.remove("a.pem");
    shop.look();
    shop.after(Duration::from_secs(61));
    assert_eq!(shop.serving("a.example"), None, "deleted after all");
}

#[test]
fn a_renewal_in_two_writes_swaps_when_both_are_there() {
    let mut shop = Shop::new();
    let (old, new) = (CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["a.example"]));
    shop.write("a.crt", &old.certificate);
    shop.write("a.key", &old.key);
    shop.settle();
    shop.write("a.key", &new.key);
    shop.after(Duration::from_secs(10));
    assert_eq!(shop.serving("a.example"), fingerprint(&old));
    shop.write("a.crt", &new.certificate);
    shop.look();
    assert_eq!((shop.serving("a.example"), shop.listed()), (fingerprint(&new), vec![]));
    assert_eq!(shop.index.certificates().len(), 1);
    assert_eq!(shop.shelf.ledger().loads.accepted, 2);
}

#[test]
fn an_expired_certificate_does_not_replace_a_valid_one() {
    let mut shop = Shop::new();
    let (good, expired) = (CHAIN.timed(&["a.example"], -5, 30), CHAIN.timed(&["a.example"], -3, -1));
    shop.write("a.pem", good.both());
    shop.settle();
    shop.write("a.pem", expired.both());
    shop.settle();
    assert_eq!(shop.serving("a.example"), fingerprint(&good));
    assert_eq!((shop.listed(), shop.alarms()), (vec![rejected("a.pem", "expired")], vec![]));
    // After a restart there is nothing better, and an expired certificate is better than none.
    let mut restarted = Shop::new();
    restarted.write("a.pem", expired.both());
    restarted.settle();
    assert_eq!(restarted.serving("a.example"), fingerprint(&expired));
    assert_eq!(restarted.alarms(), ["expired-serving"]);
    restarted.write("b.pem", good.both());
    restarted.settle();
    assert_eq!((restarted.serving("a.example"), restarted.alarms()), (fingerprint(&good), vec![]));
}

#[test]
fn a_certificate_takes_over_when_it_becomes_valid() {
    let mut shop = Shop::new();
    let (now, tomorrow) = (CHAIN.timed(&["a.example"], -5, 30), CHAIN.timed(&["a.example"], 1, 30));
    shop.write("a.pem", now.both());
    shop.write("b.pem", tomorrow.both());
    shop.settle();
    assert_eq!(shop.serving("a.example"), fingerprint(&now));
    assert!(shop.shelf.next_look().is_some(), "the boundary is on the clock");
    shop.after(Duration::from_secs(86_401));
    assert_eq!(shop.serving("a.example"), fingerprint(&tomorrow));
}

#[test]
fn a_deleted_file_serves_a_minute_more_below_any_valid_one() {
    let mut shop = Shop::new();
    let (newer, older) = (CHAIN.timed(&["a.example"], -1, 30), CHAIN.timed(&["a.example"], -2, 30));
    shop.write("newer.pem", newer.both());
    shop.settle();
    shop.remove("newer.pem");
    shop.look();
    assert_eq!(shop.serving("a.example"), fingerprint(&newer));
    assert!(shop.index.certificates()[0].facts.in_grace);
    shop.write("older.pem", older.both());
    shop.look();
    assert_eq!(shop.serving("a.example"), fingerprint(&older));
    shop.remove("older.pem");
    shop.after(Duration::from_secs(59));
    assert_eq!(shop.serving("a.example"), fingerprint(&newer));
    shop.after(Duration::from_secs(1));
    assert_eq!(shop.serving("a.example"), fingerprint(&older));
    shop.after(Duration::from_secs(58));
    assert_eq!(shop.serving("a.example"), fingerprint(&older));
    shop.after(Duration::from_secs(1));
    assert_eq!(shop.serving("a.example"), None);
    assert_eq!((shop.index.certificates().len(), shop.shelf.ledger().loads.withdrawn), (0, 2));
}

#[test]
fn a_file_that_comes_back_in_time_was_never_gone() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("a.pem", leaf.both());
    shop.settle();
    shop.remove("a.pem");
    shop.after(Duration::from_secs(30));
    shop.write("other/name.pem", leaf.both());
    shop.after(Duration::from_secs(10));
    shop.after(Duration::from_secs(120));
    assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
    assert!(!shop.index.certificates()[0].facts.in_grace);
    assert_eq!(shop.shelf.ledger().loads.withdrawn, 0);
}

#[test]
fn many_names_gone_at_once_are_held_until_confirmed_or_back() {
    let mut shop = Shop::new();
    let leaves: Vec<Leaf> = (0..7).map(|number| CHAIN.leaf(&[&format!("s{number}.example")])).collect();
    let put =
        |shop: &Shop| leaves.iter().enumerate().for_each(|(at, leaf)| shop.write(&format!("{at}.pem"), leaf.both()));
    put(&shop);
    shop.settle();
    (0..6).for_each(|at| shop.remove(&format!("{at}.pem")));
    shop.look();
    shop.after(Duration::from_secs(3600));
    assert_eq!(shop.serving("s0.example"), fingerprint(&leaves[0]));
    assert!(!shop.index.certificates().iter().any(|served| served.facts.in_grace));
    assert_eq!(shop.alarms(), ["withdrawal-held"]);
    put(&shop);
    shop.settle();
    assert_eq!(shop.alarms(), [] as [&str; 0]);

    (0..6).for_each(|at| shop.remove(&format!("{at}.pem")));
    shop.after(Duration::from_secs(120));
    assert_eq!(shop.alarms(), ["withdrawal-held"]);
    assert_eq!(shop.shelf.confirm(), 6);
    shop.after(Duration::from_secs(60));
    assert_eq!((shop.serving("s0.example"), shop.serving("s6.example")), (None, fingerprint(&leaves[6])));
    assert_eq!((shop.alarms(), shop.shelf.ledger().loads.withdrawn), (vec![], 6));
}

#[test]
fn five_names_may_go_at_once_but_not_in_slices_of_a_sweep() {
    let mut shop = Shop::new();
    for number in 0..10 {
        shop.write(&format!("{number}.pem"), CHAIN.leaf(&[&format!("s{number}.example")]).both());
    }
    shop.settle();
    (0..5).for_each(|at| shop.remove(&format!("{at}.pem")));
    shop.look();
    assert_eq!(shop.alarms(), [] as [&str; 0]);
    shop.after(Duration::from_secs(60));
    assert_eq!(shop.serving("s0.example"), None);
    for at in 5..10 {
        shop.remove(&format!("{at}.pem"));
        shop.after(Duration::from_millis(300));
    }
    assert_eq!(shop.alarms(), [] as [&str; 0], "five of five, and yet not more than five");

    let mut shop = Shop::new();
    for number in 0..10 {
        shop.write(&format!("{number}.pem"), CHAIN.leaf(&[&format!("s{number}.example")]).both());
    }
    shop.settle();
    for at in 0..10 {
        shop.remove(&format!("{at}.pem"));
        shop.after(Duration::from_millis(150));
    }
    shop.after(Duration::from_secs(120));
    assert_eq!(shop.alarms(), ["withdrawal-held"]);
    assert_eq!(shop.index.certificates().len(), 10, "all of the sweep are held");
}

#[test]
fn a_replaced_and_poorer_folder_withdraws_nothing() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("a.pem", leaf.both());
    shop.settle();
    fs::rename(shop.path(""), shop.home.path().join("old")).expect("renamed");
    shop.after(Duration::from_secs(120));
    assert_eq!((shop.serving("a.example"), shop.alarms()), (fingerprint(&leaf), vec!["folder-missing"]));
    fs::create_dir(shop.path("")).expect("created");
    shop.after(Duration::from_secs(120));
    shop.after(Duration::from_secs(120));
    assert_eq!((shop.serving("a.example"), shop.alarms()), (fingerprint(&leaf), vec!["withdrawal-held"]));
    shop.write("b.pem", leaf.both());
    shop.settle();
    assert_eq!((shop.serving("a.example"), shop.alarms()), (fingerprint(&leaf), vec![]));
    // The new folder is now the folder: a deletion in it is one.
    shop.remove("b.pem");
    shop.look();
    shop.after(Duration::from_secs(60));
    assert_eq!(shop.serving("a.example"), None);
}

#[test]
fn bad_files_are_named_and_disturb_nobody() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("a.pem", leaf.both());
    shop.write("garbage.pem", "hello");
    shop.write("empty.crt", "");
    shop.write("large.pem", vec![b'a'; 10 * 1024 * 1024]);
    shop.write("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    shop.write("bundle.pfx", "x");
    shop.write("bundle.p7b", "x");
    shop.write("a.der", "x");
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
        rejected("bundle.p7b", "pkcs7"),
        rejected("bundle.pfx", "pkcs12"),
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
    if rustix::process::geteuid().is_root() {
        // Nothing is unreadable for root; a link that leads nowhere takes the same way.
        let mut shop = Shop::new();
        let leaf = CHAIN.leaf(&["a.example"]);
        shop.write("..data/a.pem", leaf.both());
        symlink("..data/a.pem", shop.path("a.pem")).expect("linked");
        symlink("..data", shop.path("folder")).expect("linked");
        shop.settle();
        fs::rename(shop.path("..data"), shop.path("..gone")).expect("renamed");
        shop.settle();
        shop.after(Duration::from_secs(120));
        assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
        assert_eq!(shop.listed(), [rejected("a.pem", "dangling-link"), rejected("folder", "dangling-link")]);
        return;
    }
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("sub/a.pem", leaf.both());
    shop.settle();
    for (path, mode, code) in [("sub/a.pem", 0o000, "unreadable"), ("sub", 0o000, "folder-unreadable")] {
        fs::set_permissions(shop.path(path), fs::Permissions::from_mode(mode)).expect("closed");
        shop.settle();
        shop.after(Duration::from_secs(120));
        assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
        assert_eq!(shop.listed(), [rejected(path, code)]);
        fs::set_permissions(shop.path(path), fs::Permissions::from_mode(0o700)).expect("opened");
    }
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
    shop.write("a.crt", &leaf.certificate);
    shop.write("a.key", &leaf.key);
    for (file, mode, alarms) in [
        ("a.crt", 0o644, vec![]),
        ("a.key", 0o644, vec!["key-readable"]),
        ("a.key", 0o640, vec!["key-group-readable"]),
        ("a.key", 0o600, vec![]),
    ] {
        fs::set_permissions(shop.path(file), fs::Permissions::from_mode(mode)).expect("set");
        shop.settle();
        assert_eq!(shop.alarms(), alarms, "{file} {mode:o}");
    }
    assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
}

#[test]
fn duplicates_are_decided_alike_whatever_comes_first() {
    let leaves: Vec<Leaf> = (0..4).map(|_| CHAIN.leaf(&["a.example"])).collect();
    let mut chosen = Vec::new();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let mut shop = Shop::new();
        for (at, leaf) in order.iter().enumerate() {
            shop.write(&format!("{at}.pem"), leaves[*leaf].both());
            shop.settle();
        }
        chosen.push(shop.serving("a.example"));
        assert_eq!(shop.index.certificates().len(), 4);
    }
    assert!(chosen.windows(2).all(|pair| pair[0] == pair[1]), "{chosen:?}");
}

#[test]
fn a_file_replaced_by_one_for_other_names_leaves_like_a_deleted_one() {
    let mut shop = Shop::new();
    let (both, one) = (CHAIN.leaf(&["a.example", "b.example"]), CHAIN.leaf(&["a.example"]));
    shop.write("a.pem", both.both());
    shop.settle();
    shop.write("a.pem", one.both());
    shop.look();
    assert_eq!((shop.serving("a.example"), shop.serving("b.example")), (fingerprint(&one), fingerprint(&both)));
    shop.after(Duration::from_secs(60));
    assert_eq!((shop.serving("a.example"), shop.serving("b.example")), (fingerprint(&one), None));
}

#[test]
fn a_look_without_a_change_publishes_nothing() {
    let mut shop = Shop::new();
    shop.write("a.pem", CHAIN.leaf(&["a.example"]).both());
    shop.settle();
    for _ in 0..10 {
        shop.after(Duration::from_secs(60));
    }
    assert_eq!(shop.published, 1);
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
    fs::set_permissions(shop.path("c.key"), fs::Permissions::from_mode(0o644)).expect("opened");
    shop.settle();
    assert_eq!(shop.listed().len(), 3);
    let told = serde_json::to_string(&shop.shelf.ledger()).expect("JSON");
    assert!(!told.contains(&secret), "{told}");
}
