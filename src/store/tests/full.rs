//! A disk that is full, and one that cannot be written: what was there stays as it was, and the operator hears of the mend.
//! Each test runs itself again in a place of its own, where a small disk can be had.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::*;

#[test]
fn on_a_full_disk_nothing_is_lost_or_cut_short() {
    let Some(disk) = on_a_small_disk("on_a_full_disk_nothing_is_lost_or_cut_short") else { return };
    let state = disk.join("state");
    let store = Store::open(&state).expect("a store");
    let (site, audit) = (Key::known(&["sites", "a.json"]), Key::known(&["audit.jsonl"]));
    store.put(&site, &[b'o'; 5000], Expected::Nothing).expect("written");
    store.append(&audit, b"one\n").expect("written");
    let number = (0..)
        .find(|number| store.put_folder(&version(*number)).map_err(|error| is_full(&error)).is_err())
        .expect("an end");
    assert!(number > 2, "{number}");
    fill(&disk);
    let full = [
        store.put(&site, &[b'n'; 50_000], Expected::Anything).map(drop),
        store.put(&Key::known(&["sites", "b.json"]), &[b'n'; 50_000], Expected::Nothing).map(drop),
        store.append(&audit, &[b'x'; 50_000]),
        store.put_folder(&version(number)),
    ];
    full.into_iter().for_each(|done| is_full(&done.expect_err("full")));
    store
        .put_folders(&[version(number), version(number + 1)])
        .into_iter()
        .for_each(|done| is_full(&done.expect_err("full")));

    // All that was there is as it was, and nothing else is.
    let read = |key: &Key| store.read(key).expect("readable").map(|item| item.content.to_vec());
    assert_eq!(read(&site), Some(vec![b'o'; 5000]));
    assert_eq!(read(&Key::known(&["sites", "b.json"])), None);
    assert_eq!(read(&audit).as_deref(), Some(&b"one\n"[..]));
    assert_eq!(store.names(&Key::known(&["versions"])).expect("listed").len(), number);
    for whole in (0..number).map(version) {
        for (name, content) in &whole.files {
            assert_eq!(read(&whole.key.below(name).expect("a key")).as_ref(), Some(&**content));
        }
    }
    assert_eq!(fs::read_dir(state.join(".staging")).expect("listed").count(), 0);

    // A backup has no room there, and leaves nothing; a restore neither.
    is_full(&back_up_to_file(&state, &disk.join("b.tar")).expect_err("full"));
    let elsewhere = tempfile::tempdir().expect("another disk");
    back_up_to_file(&state, &elsewhere.path().join("b.tar")).expect("backed up");
    is_full(&restore(&elsewhere.path().join("b.tar"), &disk.join("new")).expect_err("full"));
    let left = fs::read_dir(&disk)
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
    assert_eq!(left.collect::<std::collections::BTreeSet<_>>(), ["filler", "state"].map(str::to_owned).into());

    // What goes makes room.
    assert!(store.delete(&version(0).key).expect("deleted"));
    store.append(&audit, b"two\n").expect("written");
    assert_eq!(read(&audit).as_deref(), Some(&b"one\ntwo\n"[..]));

    // A change of the key that finds no room ends once there is some.
    drop(store);
    let key = StateKey::of(&[1; 32]).expect("a key");
    fill(&disk);
    is_full(&rekey(&state, None, Some(&key)).expect_err("full"));
    fs::remove_dir_all(version(1).key.under(&state)).expect("removed");
    fs::remove_dir_all(version(2).key.under(&state)).expect("removed");
    assert_eq!(rekey(&state, None, Some(&key)).expect("ended").secrets, number - 3);
    Store::open_with(&state, Some(key)).expect("a store");
}

#[test]
fn what_cannot_be_written_is_read_and_told() {
    let Some(disk) = on_a_small_disk("what_cannot_be_written_is_read_and_told") else { return };
    let state = disk.join("state");
    let store = Store::open(&state).expect("a store");
    store.put_folder(&version(0)).expect("written");
    let audit = Key::known(&["audit.jsonl"]);
    store.append(&audit, b"one\n").expect("written");
    // Files that are open to be written would keep it from becoming read-only.
    let mounted = |options: &str| {
        let done = Command::new("mount").args(["-o", options]).arg(&disk).status().expect("mount runs");
        assert!(done.success(), "{options}");
    };
    drop(store);
    mounted("remount,ro");
    let refused = Store::open(&state).expect_err("read-only").to_string();
    assert!(refused.ends_with("the file system is read-only; mount it writable, or name another folder"), "{refused}");
    let refused = rekey(&state, None, None).expect_err("read-only").to_string();
    assert!(refused.contains("the file system is read-only"), "{refused}");
    mounted("remount,rw");
    let store = Store::open(&state).expect("a store");
    assert_eq!(store.read(&audit).expect("readable").expect("there").content[..], *b"one\n");
}

/// In the test, runs it again on a disk of one megabyte and gives nothing; there, gives the disk.
fn on_a_small_disk(test: &str) -> Option<PathBuf> {
    if let Some(disk) = std::env::var_os(DISK) {
        return Some(disk.into());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let root = rustix::process::geteuid().is_root();
    let output = Command::new("unshare")
        .args(if root { &["--mount"][..] } else { &["--mount", "--map-root-user"] })
        .args(["sh", "-c", "mount -t tmpfs -o size=1m none \"$0\" && exec \"$@\""])
        .arg(folder.path())
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", &format!("store::tests::full::{test}"), "--nocapture"])
        .env(DISK, folder.path())
        .output()
        .expect("unshare runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    None
}

fn is_full(error: &StoreError) {
    assert!(matches!(error.trouble, Trouble::Full), "{error}");
    assert!(error.to_string().ends_with("the disk is full; make room, what was there before is untouched"), "{error}");
}

/// Takes the last octet.
fn fill(disk: &Path) {
    let filler = fs::OpenOptions::new().create(true).append(true).open(disk.join("filler")).expect("a file");
    while std::io::Write::write(&mut &filler, &[0; 4096]).is_ok() {}
}

fn version(number: usize) -> NewFolder {
    let files = vec![("chain.pem", vec![b'c'; 60_000].into()), ("key.pem", vec![b'k'; 3000].into())];
    NewFolder { key: Key::of(&["versions", &number.to_string()]).expect("a key"), files }
}

const DISK: &str = "VITRINE_TEST_DISK";
