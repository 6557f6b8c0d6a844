//! The trail after kills, on a disk that fails, and under somebody's hand.

use super::*;
use crate::store::{Revision, Store};

fn deed(action: &str) -> Deed {
    Deed {
        who: "user 0".into(),
        door: "admin.sock".into(),
        action: action.into(),
        object: "tokens/0a".into(),
        result: Outcome::Done,
        detail: String::new(),
        why: None,
    }
}

fn written(actions: &[&str]) -> (Store, Audit) {
    let store = Store::in_memory();
    let audit = Audit::open(store.clone());
    for action in actions {
        audit.record(deed(action)).expect("written");
    }
    (store, audit)
}

fn content(store: &Store) -> String {
    String::from_utf8(read(store).expect("read").to_vec()).expect("UTF-8")
}

fn broken(text: &str) -> Option<(u64, String)> {
    verify(text.as_bytes()).broken.map(|broken| (broken.line, broken.reason))
}

#[test]
fn lines_are_chained_numbered_and_listed_across_restarts() {
    let (store, audit) = written(&["one", "two \"\n\u{1b}"]);
    drop(audit);
    let audit = Audit::open(store.clone());
    audit.record(deed("three")).expect("written");
    let lines = audit.lines(Some(0), 10).expect("lines");
    let told: Vec<_> = lines.iter().map(|line| (line.number, line.action.as_str())).collect();
    assert_eq!(told, [(1, "one"), (2, "two \"\n\u{1b}"), (3, "three")]);
    assert_eq!(lines[0].previous, "0".repeat(64));
    assert_eq!((&lines[1].previous, &lines[2].previous), (&lines[0].hash, &lines[1].hash));
    assert_eq!(audit.lines(Some(1), 1).expect("lines"), lines[1..2]);
    assert_eq!(audit.lines(Some(3), 1).expect("lines"), []);
    assert_eq!(audit.lines(None, 2).expect("lines"), lines[1..]);
    let verified = audit.verify().expect("read");
    assert_eq!(verified, Verified { lines: 3, last: lines[2].hash.clone(), broken: None });
    assert_eq!(content(&store).lines().count(), 3);
}

#[test]
fn whatever_is_changed_taken_out_or_put_in_is_found() {
    let (store, _) = written(&["one", "two", "three"]);
    let text = content(&store);
    let lines: Vec<&str> = text.lines().collect();
    let changed = |line: u64| Some((line, "the line was changed: its hash is another".to_owned()));
    assert_eq!(broken(&text), None);
    assert_eq!(broken(""), None);
    assert_eq!(broken(&text.replace("\"two\"", "\"2wo\"")), changed(2));
    assert_eq!(broken(&text.replace("\"result\":\"done\"", "\"result\": \"done\"")), changed(1));
    let without = format!("{}\n{}\n", lines[0], lines[2]);
    assert_eq!(broken(&without), Some((2, "the line has the number 3, expected 2".into())));
    let renumbered = without.replace("\"number\":3", "\"number\":2");
    assert_eq!(broken(&renumbered), Some((2, "it does not follow the line before".into())));
    assert_eq!(broken(&format!("{text}\n")), Some((4, "no line of an audit trail".into())));
    assert_eq!(broken(text.trim_end()), Some((3, "half a line".into())));
}

#[test]
fn what_was_written_before_there_were_codes_stays_what_it_is() {
    let (number, time, nothing) = (1, "2026-11-29T00:00:00Z", "0".repeat(64));
    let sealed = format!(
        r#"{{"number":{number},"time":"{time}","who":"user 0","door":"admin.sock","action":"DELETE users/{{id}}","object":"users/0a","result":"refused","detail":"no","previous":"{nothing}""#
    );
    let line = format!("{sealed},\"hash\":\"{}\"}}\n", Revision::of(sealed.as_bytes()));
    let store = Store::in_memory();
    store.put(&key(), line.as_bytes(), Expected::Nothing).expect("put");
    let audit = Audit::open(store.clone());
    let why = serde_json::json!({ "code": "no-such", "details": ["user", "0b"] });
    audit.record(Deed { why: Some(why.clone()), ..deed("two") }).expect("written");
    let text = content(&store);
    assert!(text.starts_with(&line), "{text}");
    assert_eq!(verify(text.as_bytes()).broken, None);
    let lines = audit.lines(Some(0), 9).expect("lines");
    assert_eq!(lines.iter().map(|line| line.why.clone()).collect::<Vec<_>>(), [None, Some(why)]);
    // The same text again, octet by octet.
    assert_eq!(
        lines.into_iter().map(|line| chain::sealed(&Line { hash: String::new(), ..line }).0).collect::<String>(),
        text
    );
    // The code is hashed with the rest.
    assert!(broken(&text.replace("no-such", "no-such-")).is_some_and(|(line, _)| line == 2));
}

#[test]
fn what_a_later_edge_writes_besides_breaks_nothing() {
    let (store, _) = written(&["one"]);
    let text = content(&store);
    let (head, _) = text.split_once(",\"hash\"").expect("a hash");
    let sealed = head.replace("\"detail\":\"\"", "\"detail\":\"\",\"later\":[{\"hash\":1}],\"why\":7");
    let line = format!("{sealed},\"hash\":\"{}\"}}\n", Revision::of(sealed.as_bytes()));
    store.put(&key(), line.as_bytes(), Expected::Anything).expect("put");
    let audit = Audit::open(store.clone());
    audit.record(deed("two")).expect("written");
    assert_eq!(verify(content(&store).as_bytes()), audit.verify().expect("read"));
    assert_eq!((audit.verify().expect("read").broken, audit.lines(None, 9).expect("lines").len()), (None, 2));
    // Taken out again, it is missed.
    assert!(broken(&content(&store).replace(",\"why\":7", "")).is_some_and(|(line, _)| line == 1));
}

#[test]
fn an_end_that_was_cut_off_is_found_by_the_process_that_wrote_it() {
    let (store, audit) = written(&["one", "two"]);
    let first = content(&store).lines().next().expect("a line").to_owned() + "\n";
    store.put(&key(), first.as_bytes(), Expected::Anything).expect("cut");
    let broken = audit.verify().expect("read").broken.expect("found");
    assert_eq!((broken.line, &*broken.reason), (2, "the trail had 2 lines, and ends with line 1 now"));
}

#[test]
fn whatever_octet_a_kill_comes_at_the_trail_goes_on_and_nothing_is_lost() {
    let (store, _) = written(&["one", "two"]);
    let text = content(&store);
    let first = text.find('\n').expect("a line") + 1;
    for end in first..text.len() {
        let store = Store::in_memory();
        store.put(&key(), &text.as_bytes()[..end], Expected::Nothing).expect("put");
        let audit = Audit::open(store.clone());
        audit.record(deed("three")).expect("written");
        let lines = audit.lines(Some(0), 10).expect("lines");
        let actions: Vec<_> = lines.iter().map(|line| line.action.as_str()).collect();
        assert_eq!(actions, ["one", "three"], "{end}");
        assert_eq!(audit.verify().expect("read").broken, None, "{end}");
        let torn = store.read(&Key::known(&["audit.jsonl.torn"])).expect("read");
        let torn = torn.map(|item| String::from_utf8(item.content.to_vec()).expect("UTF-8"));
        assert_eq!(torn.unwrap_or_default().trim_end_matches('\n'), &text[first..end], "{end}");
    }
}

#[test]
fn a_trail_that_somebody_changed_goes_on_and_stays_broken_where_it_is() {
    let (store, _) = written(&["one", "two"]);
    let changed = content(&store).replace("\"one\"", "\"won\"");
    store.put(&key(), changed.as_bytes(), Expected::Anything).expect("put");
    let audit = Audit::open(store);
    audit.record(deed("three")).expect("written");
    assert_eq!(audit.lines(Some(2), 9).expect("lines")[0].number, 3);
    assert_eq!(audit.verify().expect("read").broken.map(|broken| broken.line), Some(1));
}

#[test]
fn what_cannot_be_written_is_an_alarm_until_it_can() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("open");
    let audit = Audit::open(store);
    audit.record(deed("one")).expect("written");
    let (file, aside) = (folder.path().join("audit.jsonl"), folder.path().join("aside"));
    std::fs::rename(&file, &aside).expect("moved");
    std::fs::create_dir(&file).expect("in the way");
    audit.record(deed("lost")).expect_err("unwritten");
    assert!(audit.trouble().is_some_and(|trouble| trouble.text.contains("audit.jsonl")));
    std::fs::remove_dir(&file).expect("removed");
    // A part of a line, as a full disk leaves it.
    let half = std::fs::read_to_string(&aside).expect("the file") + "{\"number\":2,\"ti";
    std::fs::write(&file, half).expect("written");
    audit.record(deed("two")).expect("written");
    assert_eq!(audit.trouble(), None);
    let actions: Vec<_> = audit.lines(Some(0), 9).expect("lines").into_iter().map(|line| line.action).collect();
    assert_eq!(actions, ["one", "two"]);
    assert_eq!(audit.verify().expect("read").broken, None);
}

#[test]
fn a_trail_that_cannot_be_read_is_an_alarm_and_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("open");
    let file = folder.path().join("audit.jsonl");
    std::fs::create_dir(&file).expect("in the way");
    let audit = Audit::open(store);
    assert!(audit.trouble().is_some_and(|trouble| trouble.text.contains("audit.jsonl")));
    audit.record(deed("lost")).expect_err("unwritten");
    std::fs::remove_dir(&file).expect("removed");
    audit.record(deed("one")).expect("written");
    assert_eq!((audit.trouble(), audit.verify().expect("read").lines), (None, 1));
}

#[test]
fn a_long_word_is_cut_and_a_long_list_left_out() {
    let (_, audit) = written(&[&"ü".repeat(9999)]);
    assert_eq!(audit.lines(Some(0), 1).expect("lines")[0].action.chars().count(), 501);
    let why = |names: usize| Some(serde_json::json!({ "code": "last-good", "details": vec!["a.example"; names] }));
    for (names, expected) in [(9, why(9)), (9999, Some(serde_json::json!({ "code": "last-good" })))] {
        audit.record(Deed { why: why(names), ..deed("two") }).expect("written");
        assert_eq!(audit.lines(None, 1).expect("lines")[0].why, expected, "{names}");
    }
}
