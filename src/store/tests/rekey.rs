//! Every way from one key to another.

use std::fs;
use std::path::Path;

use super::super::encryption::{Encryption, Extent};
use super::super::folder::Folder;
use super::super::*;

fn key(octet: u8) -> StateKey {
    StateKey::of(&[octet; 32]).expect("a key")
}

fn id(octet: u8) -> KeyId {
    key(octet).id()
}

/// A state with three secrets and three other files.
fn filled(root: &Path, key: Option<StateKey>) {
    let store = Store::open_with(root, key).expect("a store");
    for version in ["1", "2"] {
        let files = vec![("chain.pem", b"chain".to_vec().into()), ("key.pem", secret(version))];
        let key = Key::of(&["certificates", "shop", version]).expect("a key");
        store.put_folder(&NewFolder { key, files }).expect("written");
    }
    store.put(&Key::known(&["acme", "le", "account.json"]), b"account", Expected::Anything).expect("written");
    store.put(&Key::known(&["sites", "a.json"]), b"{}", Expected::Anything).expect("written");
}

fn secret(version: &str) -> Zeroizing<Vec<u8>> {
    format!("-----BEGIN PRIVATE KEY-----\n{version}\n").into_bytes().into()
}

/// All that was written is read with the key; the files of secrets are sealed with the one given, or plain.
fn assert_whole(root: &Path, octet: Option<u8>) {
    let store = Store::open_with(root, octet.map(key)).expect("a store");
    assert!(!store.has_plain_secrets());
    for version in ["1", "2"] {
        let place = Key::of(&["certificates", "shop", version, "key.pem"]).expect("a key");
        assert_eq!(store.read(&place).expect("readable").expect("there").content, secret(version));
    }
    for place in tree::files(root).expect("listed") {
        let content = fs::read(place.under(root)).expect("there");
        let sealed = seal::sealed_with(&content).map(|id| id.expect("whole"));
        assert_eq!(sealed, octet.map(id).filter(|_| place.is_secret()), "{place}");
    }
}

#[test]
fn plain_secrets_are_sealed_get_another_key_and_are_plain_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    filled(root, None);
    assert_eq!(rekey(root, None, Some(&key(1))).expect("sealed"), Rekeyed { secrets: 3, changed: 3 });
    assert_whole(root, Some(1));
    assert_eq!(rekey(root, None, Some(&key(1))).expect("as it is"), Rekeyed { secrets: 3, changed: 0 });
    assert_eq!(rekey(root, Some(&key(1)), Some(&key(2))).expect("changed"), Rekeyed { secrets: 3, changed: 3 });
    assert_whole(root, Some(2));
    assert_eq!(rekey(root, Some(&key(2)), None).expect("plain"), Rekeyed { secrets: 3, changed: 3 });
    assert_whole(root, None);
    assert!(!root.join("encryption.json").exists());
}

#[test]
fn what_was_plain_before_there_was_a_key_is_read_and_sealed_by_the_change() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(folder.path(), None);
    let store = Store::open_with(folder.path(), Some(key(1))).expect("a store");
    assert!(store.has_plain_secrets());
    let place = Key::known(&["requests", "7", "key.pem"]);
    store.put(&place, b"new", Expected::Nothing).expect("written");
    assert!(!fs::read(place.under(folder.path())).expect("there").windows(3).any(|octets| octets == b"new"));
    assert_eq!(
        store.read(&Key::known(&["acme", "le", "account.json"])).expect("read").expect("there").content[..],
        *b"account"
    );
    drop(store);
    assert_eq!(rekey(folder.path(), None, Some(&key(1))).expect("sealed"), Rekeyed { secrets: 4, changed: 3 });
    assert_whole(folder.path(), Some(1));
}

#[test]
fn with_a_wrong_key_nothing_is_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(folder.path(), Some(key(1)));
    let before: Vec<_> = tree::files(folder.path())
        .expect("listed")
        .iter()
        .map(|place| fs::read(place.under(folder.path())).expect("there"))
        .collect();
    for (old, new) in [(None, Some(2)), (Some(3), Some(2)), (None, None), (Some(3), None)] {
        let refused = rekey(folder.path(), old.map(key).as_ref(), new.map(key).as_ref()).expect_err("refused");
        assert!(matches!(refused.trouble, Trouble::UnknownKey(sealed) if sealed == id(1)), "{refused}");
        let after: Vec<_> = tree::files(folder.path())
            .expect("listed")
            .iter()
            .map(|place| fs::read(place.under(folder.path())).expect("there"))
            .collect();
        assert_eq!(after, before);
    }
    assert_whole(folder.path(), Some(1));
}

#[test]
fn a_state_opens_with_its_own_key_only() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(folder.path(), Some(key(1)));
    let refused = |octet: Option<u8>| Store::open_with(folder.path(), octet.map(key)).expect_err("refused").to_string();
    let none = refused(None);
    assert!(none.contains(&format!("encrypted with the key {}, and no key is given; name the file", id(1))), "{none}");
    let other = refused(Some(2));
    assert!(other.contains(&id(1).to_string()) && other.contains(&id(2).to_string()), "{other}");
    // Even without the file that says so a sealed secret is no plain one.
    fs::remove_file(folder.path().join("encryption.json")).expect("removed");
    let store = Store::open(folder.path()).expect("a store");
    let place = Key::known(&["certificates", "shop", "1", "key.pem"]);
    assert!(matches!(store.read(&place).expect_err("closed").trouble, Trouble::NoKey(sealed) if sealed == id(1)));
}

#[test]
fn a_change_that_was_cut_off_is_ended_by_the_next_try_and_by_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(folder.path(), Some(key(1)));
    // As a kill leaves it: noted, and one file changed.
    let place = Key::known(&["certificates", "shop", "1", "key.pem"]);
    let taken = Folder::existing(folder.path()).expect("taken");
    Encryption { key: Some(id(2)), extent: Extent::Changing }.write(&taken).expect("noted");
    let sealed = seal::seal(&key(2), &place, &secret("1")).expect("sealed");
    taken.replace(&[(place, sealed.into())]).expect("replaced");
    drop(taken);
    for octet in [Some(1), Some(2), None] {
        let refused = Store::open_with(folder.path(), octet.map(key)).expect_err("refused");
        assert!(matches!(refused.trouble, Trouble::HalfRekeyed), "{refused}");
    }
    rekey(folder.path(), None, Some(&key(2))).expect_err("the old key is needed");
    assert_eq!(rekey(folder.path(), Some(&key(1)), Some(&key(2))).expect("ended"), Rekeyed { secrets: 3, changed: 2 });
    assert_whole(folder.path(), Some(2));
}

#[test]
fn a_folder_in_use_and_a_folder_that_is_none_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let none = rekey(folder.path(), None, Some(&key(1))).expect_err("refused").to_string();
    assert!(none.contains("there is no state folder"), "{none}");
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
    let store = Store::open(folder.path()).expect("a store");
    assert!(matches!(rekey(folder.path(), None, Some(&key(1))).expect_err("refused").trouble, Trouble::InUse));
    drop(store);
}
