//! kill -9 at any moment: everything is the old or the new. Each test runs itself again as the process that is killed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_lc_rs::rand;

use super::super::*;

#[test]
fn a_store_that_is_killed_while_it_writes_has_all_that_it_confirmed_and_nothing_by_halves() {
    if let Some(root) = victim() {
        return write_forever(&root);
    }
    for is_sealed in [false, true] {
        let folder = place();
        let open = || Store::open_with(folder.path(), is_sealed.then(|| key(1))).expect("a store");
        // So that all files are there and none is plain.
        drop(open());
        let mut confirmed = 0;
        for _ in 0..KILLS / 2 {
            let lines = killed(NAME_OF_WRITER, folder.path(), 40);
            confirmed = lines.last().map_or(confirmed, |line| line.parse().expect("a number"));
            check(folder.path(), &open(), confirmed);
        }
        assert!(confirmed >= KILLS / 2, "it wrote {confirmed} rounds only");
    }
}

#[test]
fn a_change_of_the_key_that_is_killed_is_ended_by_the_next() {
    if let Some(root) = victim() {
        for round in 0.. {
            let (old, new) = if round % 2 == 0 { (1, 2) } else { (2, 1) };
            // Whichever was last: what is sealed with the new one already is not done again.
            rekey(&root, Some(&key(old)), Some(&key(new))).expect("another key");
            confirm(round);
        }
    }
    let folder = place();
    filled(folder.path(), Some(key(1)));
    let (mut halves, mut kills) = (0, 0);
    // On a busy machine it takes more until one falls into a change.
    while kills < KILLS / 4 || halves == 0 {
        kills += 1;
        assert!(kills < KILLS * 10, "no change was ever cut off");
        killed(NAME_OF_REKEYER, folder.path(), 150);
        let state = Store::open_with(folder.path(), Some(key(1)));
        let (old, new) = (key(1), key(2));
        halves += usize::from(matches!(state, Err(StoreError { trouble: Trouble::HalfRekeyed, .. })));
        drop(state);
        for place in tree::files(folder.path()).expect("listed").iter().filter(|place| place.is_secret()) {
            let content = fs::read(place.under(folder.path())).expect("there");
            let opened = [&old, &new].into_iter().find_map(|key| seal::open(key, place, &content).ok());
            let round = place.to_string().split('/').nth(1).and_then(|name| name.parse().ok()).expect("a number");
            assert_eq!(opened.expect("it opens with one of them")[..], secret(round)[..], "{place}");
        }
    }
    let rekeyed = rekey(folder.path(), Some(&key(1)), Some(&key(2))).expect("ended");
    assert_eq!(rekeyed.secrets, 300);
    let store = Store::open_with(folder.path(), Some(key(2))).expect("a store");
    for round in 0..300 {
        let place = folder_of(round).key.below("key.pem").expect("a key");
        assert_eq!(store.read(&place).expect("read").expect("there").content[..], secret(round)[..]);
    }
}

#[test]
fn a_restore_that_is_killed_leaves_the_whole_state_or_none() {
    if let Some(root) = victim() {
        let place = root.join("new");
        restore(&root.join("b.tar"), &place).expect("restored");
        confirm(1);
        std::thread::sleep(Duration::from_secs(60));
    }
    let folder = place();
    let state = folder.path().join("state");
    filled(&state, None);
    back_up_to_file(&state, &folder.path().join("b.tar")).expect("backed up");
    let (new, mut cut_off, mut kills) = (folder.path().join("new"), 0, 0);
    while kills < KILLS / 4 || cut_off == 0 {
        kills += 1;
        assert!(kills < KILLS * 10, "no restore was ever cut off");
        let confirmed = killed_from_the_start(NAME_OF_RESTORER, folder.path(), 30);
        let is_under_way = new.join(".restoring").exists();
        if is_under_way {
            cut_off += 1;
            let refused = Store::open(&new).expect_err("no state");
            assert!(matches!(refused.trouble, Trouble::HalfRestored), "{refused}");
        } else if new.join("versions").exists() {
            assert_eq!(tree::files(&new).expect("listed"), tree::files(&state).expect("listed"));
        }
        assert!(confirmed.is_empty() || !is_under_way && new.join("versions").exists());
        let _ = fs::remove_dir_all(&new);
    }
}

/// Writes round after round and confirms each.
fn write_forever(root: &Path) {
    let is_sealed = root.join("encryption.json").exists();
    let store = Store::open_with(root, is_sealed.then(|| key(1))).expect("a store");
    for round in current(&store).map_or(1, |last| last + 1).. {
        // A part of it may be there already, if it was cut off.
        let done =
            |put: Result<(), StoreError>| put.or_else(|error| if error.is_conflict() { Ok(()) } else { Err(error) });
        done(store.put_folder(&folder_of(round))).expect("written");
        let several: Vec<_> = (0..3).map(|part| NewFolder { key: batch_of(round, part), ..folder_of(round) }).collect();
        store.put_folders(&several).into_iter().for_each(|put| done(put).expect("written"));
        let content = round.to_string();
        store.append(&Key::known(&["audit.jsonl"]), format!("{content}\n").as_bytes()).expect("written");
        store.put(&Key::known(&["current.json"]), content.as_bytes(), Expected::Anything).expect("written");
        if let Some(old) = round.checked_sub(KEPT) {
            store.delete(&folder_of(old).key).expect("deleted");
            for part in 0..3 {
                store.delete(&batch_of(old, part)).expect("deleted");
            }
        }
        confirm(round);
    }
}

fn check(root: &Path, store: &Store, confirmed: usize) {
    assert_eq!(fs::read_dir(root.join(".staging")).expect("a folder").count(), 0);
    let now = current(store).unwrap_or(0);
    assert!(now == confirmed || now == confirmed + 1, "confirmed {confirmed}, found {now}");
    let is_whole = |folder: &Key, round: usize| {
        for (file, content) in folder_of(round).files {
            let found = store.read(&folder.below(file).expect("a key")).expect("readable");
            assert!(found.is_some_and(|found| found.content == content), "{folder}/{file}");
        }
    };
    for name in ["versions", "batches"] {
        for found in store.names(&Key::known(&[name])).expect("listed") {
            let round = found.split('-').next().and_then(|round| round.parse().ok()).expect("a number");
            is_whole(&Key::of(&[name, &found]).expect("a key"), round);
        }
    }
    // The one that was cut off may have deleted its own third before it.
    for round in (confirmed + 2).saturating_sub(KEPT).max(1)..=confirmed {
        is_whole(&folder_of(round).key, round);
        (0..3).for_each(|part| is_whole(&batch_of(round, part), round));
    }
    let audit = store.read(&Key::known(&["audit.jsonl"])).expect("readable");
    let audit = audit.map(|item| String::from_utf8(item.content.to_vec()).expect("text")).unwrap_or_default();
    let lines: Vec<_> = audit.lines().collect();
    assert!((1..=confirmed).all(|round| lines.contains(&&*round.to_string())), "{lines:?}");
}

fn current(store: &Store) -> Option<usize> {
    let item = store.read(&Key::known(&["current.json"])).expect("readable")?;
    Some(std::str::from_utf8(&item.content).expect("text").parse().expect("a number"))
}

fn folder_of(round: usize) -> NewFolder {
    let chain = round.to_string().repeat(4000).into_bytes();
    let files =
        vec![("chain.pem", chain.into()), ("key.pem", secret(round).into()), ("meta.json", b"{}".to_vec().into())];
    NewFolder { key: Key::of(&["versions", &round.to_string()]).expect("a key"), files }
}

fn batch_of(round: usize, part: usize) -> Key {
    Key::of(&["batches", &format!("{round}-{part}")]).expect("a key")
}

/// A state with three hundred secrets.
fn filled(root: &Path, key: Option<StateKey>) {
    let store = Store::open_with(root, key).expect("a store");
    let folders: Vec<_> = (0..300).map(folder_of).collect();
    store.put_folders(&folders).into_iter().for_each(|put| put.expect("written"));
}

fn secret(round: usize) -> Vec<u8> {
    format!("-----BEGIN PRIVATE KEY-----\n{}", round.to_string().repeat(300)).into_bytes()
}

fn key(octet: u8) -> StateKey {
    StateKey::of(&[octet; 32]).expect("a key")
}

/// In memory where there is such a place: a kill loses nothing that was written, and other disks are slow while others write.
fn place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// The folder to work in, in the process that is to be killed.
fn victim() -> Option<PathBuf> {
    std::env::var_os(VICTIM).map(PathBuf::from)
}

fn confirm(round: usize) {
    let mut out = std::io::stdout().lock();
    // The harness begins the line with the name of the test.
    writeln!(out, "\nconfirmed {round}").and_then(|()| out.flush()).expect("the parent listens");
}

/// Starts a test as a process of its own, kills it some moment after its first word, and gives what it confirmed.
fn killed(test: &str, root: &Path, within: u64) -> Vec<String> {
    kill(test, root, within, true)
}

/// The same with a moment after its start.
fn killed_from_the_start(test: &str, root: &Path, within: u64) -> Vec<String> {
    kill(test, root, within, false)
}

fn kill(test: &str, root: &Path, within: u64, after_a_word: bool) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &format!("store::tests::kills::{test}"), "--nocapture", "--test-threads=1"])
        .env(VICTIM, root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let mut lines =
        output.lines().map_while(Result::ok).filter_map(|line| Some(line.strip_prefix("confirmed ")?.to_owned()));
    let mut confirmed: Vec<String> = if after_a_word { lines.next().into_iter().collect() } else { Vec::new() };
    assert_eq!(confirmed.len(), usize::from(after_a_word), "it did not begin");
    let mut moment = [0; 8];
    rand::fill(&mut moment).expect("random");
    std::thread::sleep(Duration::from_micros(u64::from_ne_bytes(moment) % (within * 1000)));
    child.kill().expect("killed");
    child.wait().expect("gone");
    confirmed.extend(lines);
    confirmed
}

const KILLS: usize = 100;
/// Older rounds are deleted.
const KEPT: usize = 3;
const VICTIM: &str = "VITRINE_TEST_VICTIM";
const NAME_OF_WRITER: &str = "a_store_that_is_killed_while_it_writes_has_all_that_it_confirmed_and_nothing_by_halves";
const NAME_OF_REKEYER: &str = "a_change_of_the_key_that_is_killed_is_ended_by_the_next";
const NAME_OF_RESTORER: &str = "a_restore_that_is_killed_leaves_the_whole_state_or_none";
