//! What holds for state wherever it lies, and what holds for the folder.

mod backup;
mod full;
mod kills;
mod rekey;

use std::os::unix::fs::PermissionsExt;

use super::*;

fn key(parts: &[&str]) -> Key {
    Key::of(parts).expect("a key")
}

fn version(name: &str, content: &str) -> NewFolder {
    let files = vec![("chain.pem", content.as_bytes().to_vec().into()), ("key.pem", b"secret".to_vec().into())];
    NewFolder { key: key(&["certificates", "shop", name]), files }
}

fn text(store: &Store, parts: &[&str]) -> Option<String> {
    store.read(&key(parts)).expect("readable").map(|item| String::from_utf8(item.content.to_vec()).expect("text"))
}

/// Runs a test on both implementations.
fn everywhere(test: impl Fn(&Store)) {
    test(&Store::in_memory());
    let folder = tempfile::tempdir().expect("a folder");
    test(&Store::open(folder.path()).expect("a store"));
}

#[test]
fn what_was_written_is_read_again() {
    everywhere(|store| {
        let site = key(&["sites", "a.json"]);
        assert_eq!(text(store, &["sites", "a.json"]), None);
        let revision = store.put(&site, b"one", Expected::Nothing).expect("written");
        let item = store.read(&site).expect("readable").expect("there");
        assert_eq!((&item.content[..], item.revision), (&b"one"[..], revision));
        assert_eq!(store.names(&key(&["sites"])).expect("listed"), ["a.json"]);
        assert!(store.delete(&site).expect("deleted"));
        assert!(!store.delete(&site).expect("nothing there"));
        assert_eq!(store.names(&key(&["sites"])).expect("listed"), [""; 0]);
    });
}

#[test]
fn a_change_made_meanwhile_is_not_overwritten() {
    everywhere(|store| {
        let site = key(&["sites", "a.json"]);
        let first = store.put(&site, b"one", Expected::Nothing).expect("written");
        let second = store.put(&site, b"two", Expected::Still(first)).expect("written");
        for expected in [Expected::Nothing, Expected::Still(first)] {
            assert!(store.put(&site, b"three", expected).expect_err("changed").is_conflict());
        }
        assert_eq!(text(store, &["sites", "a.json"]).as_deref(), Some("two"));
        store.delete(&site).expect("deleted");
        assert!(store.put(&site, b"three", Expected::Still(second)).expect_err("gone").is_conflict());
        store.put(&site, b"four", Expected::Anything).expect("written");
    });
}

#[test]
fn a_folder_comes_whole_once_and_goes_whole() {
    everywhere(|store| {
        store.put_folder(&version("1", "chain")).expect("written");
        assert!(store.put_folder(&version("1", "other")).expect_err("there is one").is_conflict());
        let several = [version("2", "two"), version("1", "again"), version("3", "three")];
        let put: Vec<bool> = store.put_folders(&several).iter().map(Result::is_ok).collect();
        assert_eq!(put, [true, false, true]);
        assert_eq!(store.names(&key(&["certificates"])).expect("listed"), ["shop"]);
        assert_eq!(store.names(&key(&["certificates", "shop"])).expect("listed"), ["1", "2", "3"]);
        assert_eq!(text(store, &["certificates", "shop", "1", "chain.pem"]).as_deref(), Some("chain"));
        store.delete(&key(&["certificates", "shop", "2"])).expect("deleted");
        assert_eq!(text(store, &["certificates", "shop", "2", "chain.pem"]), None);
        assert_eq!(store.names(&key(&["certificates", "shop"])).expect("listed"), ["1", "3"]);
    });
}

#[test]
fn lines_are_added_at_the_end() {
    everywhere(|store| {
        let audit = key(&["audit.jsonl"]);
        for line in ["one\n", "two\n"] {
            store.append(&audit, line.as_bytes()).expect("written");
        }
        assert_eq!(text(store, &["audit.jsonl"]).as_deref(), Some("one\ntwo\n"));
    });
}

#[test]
fn nobody_else_can_read_what_lies_there_whatever_the_umask_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("state");
    let store = Store::open(&root).expect("a store");
    store.put_folder(&version("1", "chain")).expect("written");
    store.put(&key(&["sites", "a.json"]), b"{}", Expected::Anything).expect("written");
    store.append(&key(&["audit.jsonl"]), b"{}\n").expect("written");
    let (mut folders, mut seen) = (vec![root], 0);
    while let Some(folder) = folders.pop() {
        assert_eq!(std::fs::metadata(&folder).expect("there").permissions().mode() & 0o777, 0o700, "{folder:?}");
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                seen += 1;
                assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600, "{path:?}");
            }
        }
    }
    // Two of the version, a site, the trail, the layout, and four to lock.
    assert_eq!(seen, 9);
}

#[test]
fn what_a_kill_left_half_written_is_gone_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Store::open(folder.path()).expect("a store"));
    let staging = folder.path().join(".staging");
    std::fs::create_dir(staging.join("7")).expect("made");
    std::fs::write(staging.join("7/key.pem"), "half").expect("written");
    let store = Store::open(folder.path()).expect("a store");
    store.put_folder(&version("1", "chain")).expect("written");
    assert_eq!(std::fs::read_dir(&staging).expect("a folder").count(), 0);
}

#[test]
fn one_process_has_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Store::open(folder.path()).expect("a store");
    let refused = Store::open(folder.path()).expect_err("it is in use");
    assert!(matches!(refused.trouble, Trouble::InUse));
    drop(first);
    Store::open(folder.path()).expect("it is free");
}

#[test]
fn a_folder_of_a_later_version_is_refused_and_untouched() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Store::open(folder.path()).expect("a store"));
    let schema = folder.path().join("schema.json");
    assert_eq!(std::fs::read_to_string(&schema).expect("written"), r#"{"version":1}"#);
    for (content, said) in [
        (r#"{"version":2}"#, "it has the layout 2 of a later version, and this one knows up to 1"),
        ("{", "it does not say which layout the folder has"),
        (r#"{"version":0}"#, "it has the layout 0"),
    ] {
        std::fs::write(&schema, content).expect("written");
        let refused = Store::open(folder.path()).expect_err("refused").to_string();
        assert!(
            refused.starts_with("cannot use schema.json of the state folder: ") && refused.contains(said),
            "{refused}"
        );
        assert_eq!(std::fs::read_to_string(&schema).expect("there"), content);
    }
}

#[test]
fn nothing_that_somebody_put_in_the_place_of_a_file_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("a store");
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).expect("linked");
    store.read(&key(&["link"])).expect_err("not followed");
    store.append(&key(&["link"]), b"x").expect_err("not followed");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("made");
    store.read(&key(&["pipe"])).expect_err("no regular file");
    store.put(&key(&["link"]), b"ours", Expected::Anything).expect("replaced, not followed");
    assert_eq!(text(&store, &["link"]).as_deref(), Some("ours"));
}
