//! State in memory: keeps the trait honest and tests quick, and holds a backup that is looked at.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use super::{Expected, Key, NewFolder, Storage, StoreError, Trouble};

#[derive(Default)]
pub(super) struct Memory(Mutex<BTreeMap<String, Zeroizing<Vec<u8>>>>);

type Files = BTreeMap<String, Zeroizing<Vec<u8>>>;

impl Memory {
    fn with<T>(&self, look: impl FnOnce(&mut Files) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every file there is, in order.
    pub(super) fn files(&self) -> Vec<Key> {
        self.with(|files| files.keys().filter_map(|path| Key::parse(path)).collect())
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn changed(key: &Key) -> StoreError {
    StoreError::new(format!("write {key}"), Trouble::Changed)
}

impl Storage for Memory {
    fn read(&self, key: &Key) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        Ok(self.with(|files| files.get(key.as_str()).cloned()))
    }

    fn names(&self, folder: &Key) -> Result<Vec<String>, StoreError> {
        self.with(|files| {
            let below = files.keys().filter(|path| is_below(path, folder.as_str()));
            let mut names: Vec<String> = below
                .filter_map(|path| path[folder.as_str().len() + 1..].split('/').next().map(str::to_owned))
                .collect();
            names.dedup();
            Ok(names)
        })
    }

    fn put(&self, key: &Key, content: &[u8], expected: Expected) -> Result<(), StoreError> {
        self.with(|files| {
            if !expected.admits(files.get(key.as_str()).map(|content| &content[..])) {
                return Err(changed(key));
            }
            files.insert(key.to_string(), content.to_vec().into());
            Ok(())
        })
    }

    fn put_folders(&self, folders: &[&NewFolder]) -> Vec<Result<(), StoreError>> {
        let put = |folder: &NewFolder| {
            self.with(|files| {
                if files.keys().any(|path| is_below(path, folder.key.as_str())) {
                    return Err(changed(&folder.key));
                }
                files.extend(
                    folder.files.iter().map(|(name, content)| (format!("{}/{name}", folder.key), content.clone())),
                );
                Ok(())
            })
        };
        folders.iter().copied().map(put).collect()
    }

    fn append(&self, key: &Key, content: &[u8]) -> Result<(), StoreError> {
        self.with(|files| files.entry(key.to_string()).or_default().extend_from_slice(content));
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.with(|files| {
            let before = files.len();
            files.retain(|path, _| path != key.as_str() && !is_below(path, key.as_str()));
            Ok(files.len() < before)
        })
    }
}
