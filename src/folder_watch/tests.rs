//! Real folders, changed under a real watch.

use std::fs;
use std::os::unix::fs::symlink;

use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_written_file_is_a_change_and_reading_it_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut watch = FolderWatch::new(vec![folder.path().to_owned()]);
    fs::write(folder.path().join("a.pem"), "a").expect("written");
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
    fs::read(folder.path().join("a.pem")).expect("read");
    fs::read_dir(folder.path()).expect("listed").for_each(drop);
    assert!(timeout(Duration::from_millis(300), watch.changed()).await.is_err());
}

#[tokio::test]
async fn a_file_in_a_new_subfolder_is_a_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut watch = FolderWatch::new(vec![folder.path().to_owned()]);
    fs::create_dir(folder.path().join("sub")).expect("created");
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
    fs::write(folder.path().join("sub/a.pem"), "a").expect("written");
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
}

#[tokio::test]
async fn what_happens_beside_the_folder_is_no_change() {
    let parent = tempfile::tempdir().expect("a folder");
    fs::create_dir(parent.path().join("certs")).expect("created");
    let mut watch = FolderWatch::new(vec![parent.path().join("certs")]);
    fs::write(parent.path().join("access.log"), "a").expect("written");
    assert!(timeout(Duration::from_millis(300), watch.changed()).await.is_err());
}

#[tokio::test]
async fn a_folder_that_comes_later_and_again_is_watched_each_time() {
    let parent = tempfile::tempdir().expect("a folder");
    let root = parent.path().join("certs");
    let mut watch = FolderWatch::new(vec![root.clone()]);
    for _ in 0..3 {
        fs::create_dir(&root).expect("created");
        assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
        fs::write(root.join("a.pem"), "a").expect("written");
        assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
        fs::remove_dir_all(&root).expect("removed");
        assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
    }
}

#[tokio::test]
async fn a_swapped_link_is_followed() {
    let parent = tempfile::tempdir().expect("a folder");
    let root = parent.path().join("certs");
    for name in ["one", "two"] {
        fs::create_dir(parent.path().join(name)).expect("created");
    }
    symlink("one", &root).expect("linked");
    let mut watch = FolderWatch::new(vec![root.clone()]);
    symlink("two", parent.path().join("next")).expect("linked");
    fs::rename(parent.path().join("next"), &root).expect("renamed");
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
    fs::write(parent.path().join("two/a.pem"), "a").expect("written");
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
}

#[tokio::test]
async fn a_single_file_is_watched_through_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vitrine.toml");
    fs::write(&file, "a").expect("written");
    let mut watch = FolderWatch::new(vec![file.clone()]);
    fs::write(folder.path().join("new"), "b").expect("written");
    fs::rename(folder.path().join("new"), &file).expect("renamed");
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
    fs::write(folder.path().join("other"), "c").expect("written");
    assert!(timeout(Duration::from_millis(300), watch.changed()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_quiet_folder_is_looked_at_each_minute_and_a_missing_one_each_two_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = Instant::now();
    let mut watch = FolderWatch::new(vec![folder.path().to_owned()]);
    assert_eq!(watch.changed().await, Why::Poll);
    assert!(start.elapsed() >= POLL && start.elapsed() < POLL + SOON, "{:?}", start.elapsed());
    let start = Instant::now();
    let mut watch = FolderWatch::new(vec![folder.path().join("missing")]);
    assert_eq!(watch.changed().await, Why::Poll);
    assert!(start.elapsed() >= SHORT_POLL && start.elapsed() < SHORT_POLL + SOON, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_full_queue_and_errors_are_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut watch = FolderWatch::new(vec![folder.path().to_owned()]);
    let full = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
    watch.signal.note(Ok(full));
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Overflow));
    watch.signal.note(Err(notify::Error::generic("broken")));
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Overflow));
    assert!(!watch.is_degraded());
    watch.signal.note(Err(notify::Error::new(ErrorKind::MaxFilesWatch)));
    watch.collect();
    assert!(watch.is_degraded());
    // There is room again, and the watches are set on the way.
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Overflow));
    assert!(!watch.is_degraded());
}

#[tokio::test]
async fn where_links_lead_to_is_watched_and_nothing_beside_it() {
    let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let elsewhere = elsewhere.path().canonicalize().expect("a path");
    fs::create_dir(elsewhere.join("whole")).expect("created");
    let mut watch = FolderWatch::new(vec![folder.path().to_owned()]);
    watch.watch_also(BTreeSet::from([elsewhere.join("a.pem"), elsewhere.join("whole")])).await;
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event), "it may have changed before");
    for file in ["a.pem", "whole/any.pem", "..data"] {
        fs::write(elsewhere.join(file), "a").expect("written");
        assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event), "{file}");
    }
    fs::write(elsewhere.join("log"), "a").expect("written");
    assert!(timeout(Duration::from_millis(300), watch.changed()).await.is_err());
    // The folder itself is watched as before, with new folders in it; the places are given up with their links.
    watch.watch_also(BTreeSet::new()).await;
    fs::write(elsewhere.join("a.pem"), "b").expect("written");
    assert!(timeout(Duration::from_millis(300), watch.changed()).await.is_err());
    fs::create_dir(folder.path().join("sub")).expect("created");
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
}

#[tokio::test]
async fn after_lost_events_what_is_unwatched_is_watched() {
    let folder = tempfile::tempdir().expect("a folder");
    let sub = folder.path().canonicalize().expect("a path").join("sub");
    fs::create_dir(&sub).expect("created");
    let mut watch = FolderWatch::new(vec![folder.path().to_owned()]);
    // As if the event that told of the subfolder had been lost.
    watch.watcher.as_ref().expect("a watcher").lock().expect("free").unwatch(&sub).expect("unwatched");
    watch.signal.note(Ok(Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)));
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Overflow));
    fs::write(sub.join("a.pem"), "a").expect("written");
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_was_raised_ends_the_polling() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut watch = FolderWatch::new(vec![folder.path().to_owned()]);
    watch.degrade("on purpose");
    assert_eq!(watch.changed().await, Why::Poll);
    assert!(!watch.is_degraded());
}

#[tokio::test]
async fn what_changed_is_named_unless_too_much_did() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut watch = FolderWatch::new(vec![folder.path().to_owned()]);
    assert_eq!(watch.named(), None, "nothing is known of what was there before the watch");
    for name in ["a.pem", "b.pem"] {
        fs::write(folder.path().join(name), name).expect("written");
    }
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
    let real = folder.path().canonicalize().expect("there");
    assert_eq!(watch.named(), Some(["a.pem", "b.pem"].map(|name| real.join(name)).into()));
    assert_eq!(watch.named(), Some(BTreeSet::new()));
    for number in 0..=MOST_NAMED {
        fs::write(folder.path().join(format!("{number}.pem")), "").expect("written");
    }
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
    assert_eq!(watch.named(), None);
}

#[tokio::test]
async fn what_changes_while_all_is_read_is_a_change_when_that_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let files: Vec<PathBuf> = (0..300).map(|number| folder.path().join(format!("{number}.pem"))).collect();
    files.iter().for_each(|file| fs::write(file, "a").expect("written"));
    let mut watch = FolderWatch::new(vec![folder.path().to_owned()]);
    assert_eq!(watch.named(), None);
    let reading = watch.reading();
    for file in &files {
        fs::read(file).expect("read");
    }
    fs::write(&files[150], "b").expect("written");
    for file in &files {
        fs::read(file).expect("read");
    }
    drop(reading);
    assert_eq!(timeout(SOON, watch.changed()).await, Ok(Why::Event));
    let real = folder.path().canonicalize().expect("there");
    assert_eq!(watch.named(), Some(BTreeSet::from([real.join("150.pem")])));
}
