//! A state folder that is only looked at, while an edge may have it: each file is there whole, as it was or as it is.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::folder::{names_in, read_file};
use super::{Expected, Key, NewFolder, Storage, StoreError, Trouble};

/// The folder.
pub(super) struct LookedAt(PathBuf);

impl LookedAt {
    pub(super) fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }
}

impl Storage for LookedAt {
    fn read(&self, key: &Key) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        read_file(&key.under(&self.0)).map_err(|error| StoreError::new(format!("read {key}"), Trouble::of(error)))
    }

    fn names(&self, folder: &Key) -> Result<Vec<String>, StoreError> {
        names_in(&folder.under(&self.0)).map_err(|error| StoreError::new(format!("list {folder}"), Trouble::of(error)))
    }

    fn put(&self, key: &Key, _: &[u8], _: Expected) -> Result<(), StoreError> {
        Err(refused(key))
    }

    fn put_folders(&self, folders: &[&NewFolder]) -> Vec<Result<(), StoreError>> {
        folders.iter().map(|folder| Err(refused(&folder.key))).collect()
    }

    fn append(&self, key: &Key, _: &[u8]) -> Result<(), StoreError> {
        Err(refused(key))
    }

    fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        Err(refused(key))
    }
}

fn refused(key: &Key) -> StoreError {
    StoreError::new(format!("write {key}"), Trouble::Refused("the folder is only looked at"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Store;
    use super::*;

    #[test]
    fn what_another_process_has_is_read_and_not_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Store::look(folder.path()).expect("looked").is_none());
        let key = Key::known(&["sites", "shop.json"]);
        let owner = Store::open(folder.path()).expect("opened");
        owner.put(&key, b"{}", Expected::Nothing).expect("written");

        let looked = Store::look(folder.path()).expect("looked").expect("a state folder");
        assert_eq!(looked.names(&Key::known(&["sites"])).expect("listed"), ["shop.json"]);
        assert_eq!(&**looked.read(&key).expect("read").expect("there").content, b"{}");
        assert!(matches!(
            looked.put(&key, b"[]", Expected::Anything).expect_err("refused").trouble,
            Trouble::Refused(_)
        ));
        assert!(matches!(looked.delete(&key).expect_err("refused").trouble, Trouble::Refused(_)));
        assert_eq!(&**owner.read(&key).expect("read").expect("there").content, b"{}");

        fs::write(folder.path().join("schema.json"), br#"{"version":99}"#).expect("written");
        let trouble = Store::look(folder.path()).expect_err("a later version's").trouble;
        assert!(matches!(trouble, Trouble::TooNew(99, _)), "{trouble:?}");
    }
}
