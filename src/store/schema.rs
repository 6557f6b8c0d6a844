//! Which layout the state folder has, `schema.json`, and the way from one to the next.

use serde::{Deserialize, Serialize};

use super::backup::back_up_beside;
use super::folder::Folder;
use super::{Expected, Key, Storage, StoreError, Trouble};

/// A step from one layout to the next. A kill may come at any moment of it: it must be fit to be done again from its beginning.
type Step = fn(&Folder) -> Result<(), StoreError>;

/// The step from layout 1 to 2 stands first. Whoever changes what lies where adds one.
const STEPS: &[Step] = &[];

/// Brings a folder to the layout of this version, and refuses one that a later version wrote. Gives whether it is new.
pub(super) fn bring_up(folder: &Folder) -> Result<bool, StoreError> {
    bring_up_by(folder, STEPS)
}

/// Refuses a layout that is none of ours. Gives which it is; in a new state, where it is none yet, nothing.
pub(super) fn check(storage: &dyn Storage) -> Result<Option<u64>, StoreError> {
    check_up_to(storage, highest(STEPS))
}

fn bring_up_by(folder: &Folder, steps: &[Step]) -> Result<bool, StoreError> {
    let highest = highest(steps);
    let Some(found) = check_up_to(folder, highest)? else {
        return write(folder, highest).map(|()| true);
    };
    if found == highest {
        return Ok(false);
    }
    // The way back. One that is there already was made before the first try of a step, which is how far back it has to go.
    let copy = back_up_beside(folder.root(), &format!(".before-layout-{highest}.tar"))?;
    let done = usize::try_from(found - 1).unwrap_or(usize::MAX);
    for (step, layout) in steps.iter().skip(done).zip(found + 1..) {
        step(folder)?;
        write(folder, layout)?;
    }
    let copy = copy.display();
    tracing::warn!(
        "the state folder has the layout {highest} now; an older version needs the one before, of which {copy} is a backup: delete it \
         once nobody goes back"
    );
    Ok(false)
}

fn check_up_to(storage: &dyn Storage, highest: u64) -> Result<Option<u64>, StoreError> {
    let Some(content) = storage.read(&key())? else { return Ok(None) };
    let wrong = |trouble| StoreError::new(format!("use {} of the state folder", key()), trouble);
    match serde_json::from_slice::<Schema>(&content) {
        Ok(Schema { version }) if (1..=highest).contains(&version) => Ok(Some(version)),
        Ok(Schema { version }) => Err(wrong(Trouble::TooNew(version, highest))),
        Err(_) => Err(wrong(Trouble::Damaged("it does not say which layout the folder has"))),
    }
}

fn write(storage: &dyn Storage, version: u64) -> Result<(), StoreError> {
    let content = serde_json::to_vec(&Schema { version }).unwrap_or_default();
    storage.put(&key(), &content, Expected::Anything)
}

fn highest(steps: &[Step]) -> u64 {
    u64::try_from(steps.len()).map_or(u64::MAX, |steps| steps + 1)
}

fn key() -> Key {
    Key::known(&["schema.json"])
}

#[derive(Serialize, Deserialize)]
struct Schema {
    version: u64,
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::store::{Store, restore};

    const LATER: &[Step] = &[
        |folder| {
            // Done again after a kill, it finds nothing to do.
            if let Some(content) = folder.read(&Key::known(&["old.json"]))? {
                folder.put(&Key::known(&["new.json"]), &content, Expected::Anything)?;
                folder.delete(&Key::known(&["old.json"]))?;
            }
            Ok(())
        },
        |folder| folder.put(&Key::known(&["third.json"]), b"3", Expected::Anything),
    ];

    const CUT_OFF: &[Step] = &[
        |folder| folder.put(&Key::known(&["new.json"]), b"half", Expected::Anything),
        |_| Err(StoreError::new("go on", Trouble::Full)),
    ];

    fn opened(root: &Path) -> Folder {
        Folder::open(root).expect("a folder")
    }

    fn layout(root: &Path) -> String {
        fs::read_to_string(root.join("schema.json")).expect("there")
    }

    fn names(root: &Path) -> Vec<String> {
        let files = crate::store::tree::files(root).expect("listed");
        files.iter().map(ToString::to_string).filter(|name| name != "schema.json").collect()
    }

    fn old(root: &Path) {
        let store = Store::open(root).expect("a store");
        store.put(&Key::known(&["old.json"]), b"content", Expected::Nothing).expect("written");
    }

    #[test]
    fn an_older_layout_is_brought_up_and_its_copy_leads_the_way_back() {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().join("state");
        old(&root);
        assert!(!bring_up_by(&opened(&root), LATER).expect("brought up"));
        assert_eq!(
            (layout(&root).as_str(), names(&root)),
            (r#"{"version":3}"#, vec!["new.json".into(), "third.json".into()])
        );
        // This version does not know it, and takes the copy.
        let refused = Store::open(&root).expect_err("a later layout");
        assert!(matches!(refused.trouble, Trouble::TooNew(3, 1)), "{refused}");
        let back = place.path().join("back");
        restore(&root.join(".before-layout-3.tar"), &back).expect("restored");
        assert_eq!((layout(&back).as_str(), names(&back)), (r#"{"version":1}"#, vec!["old.json".into()]));
        Store::open(&back).expect("a store");
        // Done once, nothing is done again.
        fs::remove_file(root.join(".before-layout-3.tar")).expect("removed");
        assert!(!bring_up_by(&opened(&root), LATER).expect("as it is"));
        assert!(!root.join(".before-layout-3.tar").exists());
    }

    #[test]
    fn a_step_that_was_cut_off_goes_on_and_the_copy_is_that_from_before() {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().join("state");
        old(&root);
        bring_up_by(&opened(&root), CUT_OFF).expect_err("cut off");
        assert_eq!(layout(&root), r#"{"version":2}"#);
        bring_up_by(&opened(&root), CUT_OFF).expect_err("cut off again");
        let back = place.path().join("back");
        restore(&root.join(".before-layout-3.tar"), &back).expect("restored");
        assert_eq!((layout(&back).as_str(), names(&back)), (r#"{"version":1}"#, vec!["old.json".into()]));
        bring_up_by(&opened(&root), LATER).expect("brought up");
        assert_eq!(layout(&root), r#"{"version":3}"#);
    }

    #[test]
    fn without_room_for_the_way_back_no_step_is_done() {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().join("state");
        old(&root);
        // As somebody else's backup under way keeps it from being made.
        let folder = opened(&root);
        let held = crate::store::snapshot::Snapshot::take(&root).expect("a picture");
        bring_up_by(&folder, LATER).expect_err("no copy");
        drop(held);
        assert_eq!((layout(&root).as_str(), names(&root)), (r#"{"version":1}"#, vec!["old.json".into()]));
    }

    #[test]
    fn a_new_folder_has_the_layout_of_its_version_at_once() {
        let place = tempfile::tempdir().expect("a folder");
        assert!(bring_up_by(&opened(place.path()), LATER).expect("new"));
        assert_eq!((layout(place.path()).as_str(), names(place.path())), (r#"{"version":3}"#, Vec::new()));
    }
}
