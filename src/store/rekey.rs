//! Another key for the secrets of the state: from plain to sealed, from one key to the next, and back to plain.

use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use super::encryption::{self, Encryption, Extent};
use super::folder::Folder;
use super::{Key, StateKey, Storage, StoreError, Trouble, dressed, opened, schema, seal};

/// What a change of the key came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// Secrets there are.
    pub secrets: usize,
    /// Of these, the ones that were written anew.
    pub changed: usize,
}

/// Seals all secrets of a state folder with the key `new`, or writes them plain without one. What is sealed so far opens
/// with `old`, or with `new` already. Nothing is touched unless all of it opens. Killed at any moment, it goes on where it was
/// when it is called again; until then nobody else can open the folder.
///
/// # Errors
/// [`StoreError`] when the folder is in use, a secret does not open, or cannot be written. Each file is the old or the new one.
pub fn rekey(root: &Path, old: Option<&StateKey>, new: Option<&StateKey>) -> Result<Rekeyed, StoreError> {
    let folder = Folder::existing(root)?;
    schema::check(&folder)?;
    let keys = Keys { old, new };
    let files = folder.files()?;
    // All of them before any is changed: a wrong key is found here.
    let mut outdated = Vec::new();
    let mut secrets = 0;
    for place in files.iter().filter(|place| **place != encryption::place()) {
        let Some(content) = folder.read(place)? else { continue };
        let is_sealed = seal::sealed_with(&content).is_some();
        if is_sealed || place.is_secret() {
            secrets += 1;
            keys.open(place, content.clone())?;
            if !keys.is_current(place, &content) {
                outdated.push(place.clone());
            }
        }
    }
    let key = new.map(StateKey::id);
    Encryption { key, extent: Extent::Changing }.write(&folder)?;
    for some in outdated.chunks(AT_ONCE) {
        let mut replacements = Vec::new();
        for place in some {
            if let Some(content) = folder.read(place)? {
                let content = keys.open(place, content)?;
                let content = dressed(place, &content, new).map_err(|trouble| failed(place, trouble))?.into_owned();
                replacements.push((place.clone(), Zeroizing::new(content)));
            }
        }
        folder.replace(&replacements).map_err(|error| StoreError::new(DOING, Trouble::of(error)))?;
    }
    verify(&folder, &keys)?;
    match key {
        Some(_) => Encryption { key, extent: Extent::All }.write(&folder)?,
        None => Encryption::forget(&folder)?,
    }
    Ok(Rekeyed { secrets, changed: outdated.len() })
}

/// Every secret is as it should be, and opens.
fn verify(folder: &Folder, keys: &Keys<'_>) -> Result<(), StoreError> {
    for place in folder.files()?.into_iter().filter(Key::is_secret) {
        let Some(content) = folder.read(&place)? else { continue };
        if !keys.is_current(&place, &content) {
            return Err(failed(
                &place,
                Trouble::System(io::Error::other("it does not have the new key; run it again")),
            ));
        }
        opened(&place, content, keys.new).map_err(|trouble| failed(&place, trouble))?;
    }
    Ok(())
}

/// The key before, and the one that is to be; without it, plain.
struct Keys<'a> {
    old: Option<&'a StateKey>,
    new: Option<&'a StateKey>,
}

impl Keys<'_> {
    /// Whatever of the two it is sealed with.
    fn open(&self, place: &Key, content: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let sealed = seal::sealed_with(&content).transpose().map_err(|trouble| failed(place, trouble))?;
        let Some(id) = sealed else { return Ok(content) };
        let key = [self.new, self.old].into_iter().flatten().find(|key| key.id() == id);
        let key = key.ok_or_else(|| failed(place, Trouble::UnknownKey(id)))?;
        seal::open(key, place, &content).map_err(|trouble| failed(place, trouble))
    }

    /// Whether a file is as it is to be.
    fn is_current(&self, place: &Key, content: &[u8]) -> bool {
        let id = self.new.filter(|_| place.is_secret()).map(StateKey::id);
        match seal::sealed_with(content) {
            Some(Ok(sealed)) => Some(sealed) == id,
            Some(Err(_)) => false,
            None => id.is_none(),
        }
    }
}

fn failed(place: &Key, trouble: Trouble) -> StoreError {
    StoreError::new(format!("give {place} another key"), trouble)
}

const DOING: &str = "give the secrets another key";
/// Two waits for the disk for so many; they are held in memory.
const AT_ONCE: usize = 256;
