//! Backups: what they hold, what is found wrong with one, and what comes back.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::*;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(key: Option<StateKey>) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        let store = Store::open_with(&place.state(), key).expect("a store");
        let files = vec![("chain.pem", b"chain".to_vec().into()), ("key.pem", b"secret".to_vec().into())];
        store.put_folder(&NewFolder { key: Key::known(&["certificates", "shop", "1"]), files }).expect("written");
        store
            .put(
                &Key::of(&["sites", &format!("{}\\x.json", "n".repeat(150))]).expect("a key"),
                b"{}",
                Expected::Nothing,
            )
            .expect("written");
        store.append(&Key::known(&["audit.jsonl"]), b"one\n").expect("written");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    fn back_up(&self) -> PathBuf {
        let file = self.path("b.tar");
        back_up_to_file(&self.state(), &file).expect("backed up");
        file
    }

    fn is_wrong(&self, file: &Path) -> String {
        let checked = check_backup(file, None).err().expect("wrong").to_string();
        let refused = restore(file, &self.path("elsewhere")).expect_err("wrong").to_string();
        assert_eq!(checked, refused);
        assert!(!self.path("elsewhere").exists());
        checked
    }
}

fn contents(root: &Path) -> Vec<(Key, Vec<u8>)> {
    let files = tree::files(root).expect("listed");
    files.into_iter().map(|key| (key.clone(), fs::read(key.under(root)).expect("there"))).collect()
}

fn key(octet: u8) -> StateKey {
    StateKey::of(&[octet; 32]).expect("a key")
}

#[test]
fn what_was_backed_up_comes_back_elsewhere() {
    let place = Place::new(None);
    let file = place.back_up();
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    let backup = check_backup(&file, None).expect("whole");
    assert_eq!((backup.files, backup.secrets, backup.key), (5, 1, None));
    let there = place.path("new/state");
    restore(&file, &there).expect("restored");
    assert_eq!(contents(&there), contents(&place.state()));
    let store = Store::open(&there).expect("a store");
    assert_eq!(store.names(&Key::known(&["certificates", "shop"])).expect("listed"), ["1"]);
    // And nobody has left anything behind.
    let mut left: Vec<_> =
        fs::read_dir(place.folder.path()).expect("listed").map(|entry| entry.expect("an entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["b.tar", "new", "state"]);
    assert!(!place.state().join(".backup").exists());
}

#[test]
fn tar_and_sha256sum_read_a_backup_too() {
    let place = Place::new(None);
    let file = place.back_up();
    let there = place.path("by hand");
    fs::create_dir(&there).expect("made");
    let done = Command::new("tar").arg("xf").arg(&file).current_dir(&there).status().expect("tar runs");
    assert!(done.success());
    let sums = Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&there)
        .output()
        .expect("sha256sum runs");
    assert!(sums.status.success(), "{}", String::from_utf8_lossy(&sums.stderr));
    assert_eq!(String::from_utf8_lossy(&sums.stdout).lines().count(), 6);
    assert_eq!(contents(&there.join("state")), contents(&place.state()));
}

#[test]
fn sealed_secrets_stay_sealed_and_open_with_their_key() {
    let place = Place::new(Some(key(1)));
    let file = place.path("b.tar");
    let backed_up = back_up_to_file(&place.state(), &file).expect("backed up");
    assert_eq!((backed_up.plain_secrets, backed_up.key), (0, Some(key(1).id())));
    assert!(!fs::read(&file).expect("there").windows(6).any(|octets| octets == b"secret"));
    assert_eq!(check_backup(&file, None).expect("whole").key, Some(key(1).id()));
    let backup = check_backup(&file, Some(key(1))).expect("it opens");
    let place_of_key = Key::known(&["certificates", "shop", "1", "key.pem"]);
    assert_eq!(backup.state.read(&place_of_key).expect("opened").expect("there").content[..], *b"secret");
    let refused = check_backup(&file, Some(key(2))).err().expect("another key");
    assert!(matches!(refused.trouble, Trouble::OtherKey(..)), "{refused}");
    restore(&file, &place.path("new")).expect("restored");
    Store::open(&place.path("new")).expect_err("it is sealed");
    Store::open_with(&place.path("new"), Some(key(1))).expect("a store");
}

#[test]
fn nothing_is_overwritten() {
    let place = Place::new(None);
    let file = place.back_up();
    let before = fs::read(&file).expect("there");
    let again = back_up_to_file(&place.state(), &file).expect_err("refused").to_string();
    assert!(again.contains("there is a file of this name already"), "{again}");
    assert_eq!(fs::read(&file).expect("there"), before);
    let inside = back_up_to_file(&place.state(), &place.state().join("b.tar")).expect_err("refused").to_string();
    assert!(inside.contains("a part of the state"), "{inside}");
    let living = contents(&place.state());
    let refused = restore(&file, &place.state()).expect_err("refused").to_string();
    assert!(refused.contains("name a folder that is empty or missing"), "{refused}");
    let _open = Store::open(&place.state()).expect("a store");
    let refused = restore(&file, &place.state()).expect_err("refused");
    assert!(matches!(refused.trouble, Trouble::InUse), "{refused}");
    assert_eq!(contents(&place.state()), living);
}

#[test]
fn a_backup_that_was_changed_or_cut_off_anywhere_is_found_out() {
    let place = Place::new(None);
    let file = place.back_up();
    let whole = fs::read(&file).expect("there");
    let changed = place.path("changed.tar");
    // The two empty blocks at the end are nobody's.
    for length in (0..whole.len() - 1024).step_by(511) {
        fs::write(&changed, &whole[..length]).expect("written");
        place.is_wrong(&changed);
    }
    for index in (0..whole.len() - 1024).step_by(97) {
        let mut octets = whole.clone();
        octets[index] ^= 1;
        fs::write(&changed, &octets).expect("written");
        // Padding and the clock in a header are no content: whatever is taken is what was written.
        if let Ok(backup) = check_backup(&changed, None) {
            let place_of_key = Key::known(&["certificates", "shop", "1", "key.pem"]);
            assert_eq!(
                backup.state.read(&place_of_key).expect("read").expect("there").content[..],
                *b"secret",
                "octet {index}"
            );
            assert_eq!(backup.files, 5);
        }
    }
}

#[test]
fn what_no_backup_has_is_refused_and_leads_nowhere() {
    let place = Place::new(None);
    let evil = place.path("evil.tar");
    let with = |path: &str, kind: tar::EntryType| {
        let mut builder = tar::Builder::new(File::create(&evil).expect("a file"));
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().expect("GNU").name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(if kind.is_file() { 1 } else { 0 });
        header.set_mode(0o4777);
        header.set_cksum();
        builder.append(&header, &b"x"[..if kind.is_file() { 1 } else { 0 }]).expect("written");
        builder.finish().expect("written");
    };
    for path in ["state/../x", "/etc/x", "state/.lock", "x", "state//x", "state/"] {
        with(path, tar::EntryType::Regular);
        let wrong = place.is_wrong(&evil);
        assert!(wrong.contains("no backup has") || wrong.contains("no regular file"), "{path}: {wrong}");
    }
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Fifo] {
        with("state/a", kind);
        let wrong = place.is_wrong(&evil);
        assert!(wrong.contains("is no regular file"), "{wrong}");
    }
    fs::write(&evil, [b'x'; 4096]).expect("written");
    place.is_wrong(&evil);
    fs::write(&evil, "").expect("written");
    assert!(place.is_wrong(&evil).contains("no SHA256SUMS at its end"));
    assert!(place.is_wrong(&place.path("none")).contains("No such file"));
}

#[test]
fn a_backup_of_a_later_layout_is_refused() {
    let place = Place::new(None);
    fs::write(place.state().join("schema.json"), r#"{"version":2}"#).expect("written");
    let refused = check_backup(&place.back_up(), None).err().expect("refused");
    assert!(matches!(refused.trouble, Trouble::TooNew(2, 1)), "{refused}");
}

#[test]
fn a_restore_that_was_cut_off_is_never_taken_for_a_state() {
    let place = Place::new(None);
    let there = place.path("new");
    fs::create_dir_all(there.join(".restoring/certificates")).expect("made");
    let refused = Store::open(&there).expect_err("refused");
    assert!(matches!(refused.trouble, Trouble::HalfRestored), "{refused}");
    let refused = restore(&place.back_up(), &there).expect_err("refused").to_string();
    assert!(refused.contains("\".restoring\" lies there"), "{refused}");
}

#[test]
fn a_backup_holds_one_moment_of_a_state_that_changes_all_the_time() {
    let place = Place::new(None);
    let store = Store::open(&place.state()).expect("a store");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Each round writes a version, then names it, then removes the one before: what is named is always there.
        scope.spawn(|| {
            let current = Key::known(&["certificates", "shop", "current.json"]);
            for round in 2.. {
                let key = Key::of(&["certificates", "shop", &round.to_string()]).expect("a key");
                let files = vec![
                    ("chain.pem", round.to_string().into_bytes().into()),
                    ("key.pem", round.to_string().into_bytes().into()),
                ];
                store.put_folder(&NewFolder { key, files }).expect("written");
                store.put(&current, round.to_string().as_bytes(), Expected::Anything).expect("written");
                store.append(&Key::known(&["audit.jsonl"]), format!("{round}\n").as_bytes()).expect("written");
                store
                    .delete(&Key::of(&["certificates", "shop", &(round - 1).to_string()]).expect("a key"))
                    .expect("deleted");
                if done.load(Ordering::Relaxed) && round > 20 {
                    break;
                }
            }
        });
        for number in 0..20 {
            let file = place.path(&format!("{number}.tar"));
            back_up_to_file(&place.state(), &file).expect("backed up");
            let backup = check_backup(&file, None).expect("whole");
            let read = |parts: &[&str]| backup.state.read(&Key::of(parts).expect("a key")).expect("readable");
            let Some(current) = read(&["certificates", "shop", "current.json"]) else { continue };
            let current = String::from_utf8(current.content.to_vec()).expect("text");
            for name in ["chain.pem", "key.pem"] {
                let named = read(&["certificates", "shop", &current, name]).expect("what is named is there");
                assert_eq!(named.content[..], *current.as_bytes());
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn one_backup_at_a_time_and_the_links_of_one_that_was_killed_go_at_the_next_start() {
    let place = Place::new(None);
    let first = snapshot::Snapshot::take(&place.state()).expect("a picture");
    let second = back_up_to_file(&place.state(), &place.path("b.tar")).expect_err("refused").to_string();
    assert!(second.contains("another backup is under way"), "{second}");
    drop(Store::open(&place.state()).expect("an edge may start meanwhile"));
    assert!(first.files().all(|(_, path)| path.exists()));
    drop(first);
    // As a kill leaves it.
    fs::create_dir_all(place.state().join(".backup/certificates")).expect("made");
    drop(Store::open(&place.state()).expect("a store"));
    assert!(!place.state().join(".backup").exists());
}
