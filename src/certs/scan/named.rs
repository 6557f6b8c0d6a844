//! A look at the files alone that are said to have changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use hashbrown::HashSet;

use super::{Alone, Scan, Scanner};
use crate::certs::folders::MAIN;
use crate::certs::found::Found;
use crate::certs::ground::{Ground, NotAlone};
use crate::certs::walk::MOST_FILES;

/// Of each folder, what is to be looked at; `None`: all of it.
type Asked = Vec<Option<HashSet<Arc<Path>>>>;

impl Scanner {
    /// Looks at files alone that are said to have changed, and at the whole of folders where that does not tell enough.
    pub(in crate::certs) fn scan_named(&mut self, named: &BTreeSet<PathBuf>) -> Scan {
        let Some(mut asked) = self.asked(named) else { return self.scan() };
        self.look(|scanner, place| scanner.alone(place, &asked[place].take()?))
    }

    /// Where the named files lie. `None` when one lies in none of the folders: links in any of them may lead there.
    fn asked(&self, named: &BTreeSet<PathBuf>) -> Option<Asked> {
        let alone =
            |ground: &Option<Ground>| ground.as_ref().filter(|ground| ground.tells_alone()).map(|_| HashSet::new());
        let mut asked: Asked = self.grounds.iter().map(alone).collect();
        for path in &self.restless {
            if let Some(asked) = &mut asked[self.folders.place(path)] {
                asked.insert(Arc::clone(path));
            }
        }
        for path in named {
            let mut is_placed = false;
            for (place, ground) in self.grounds.iter().enumerate() {
                let Some(ground) = ground.as_ref().filter(|ground| ground.has(path)) else { continue };
                is_placed = true;
                match (ground.place(&self.folders.all()[place].directory, path), &mut asked[place]) {
                    (Err(NotAlone), asked) => *asked = None,
                    (Ok(path), Some(asked)) => asked.extend(path),
                    (Ok(_), None) => {}
                }
            }
            if !is_placed {
                return None;
            }
        }
        Some(asked)
    }

    /// What became of these files of a folder; `None` when more than they may be other than before.
    fn alone(&self, place: usize, paths: &HashSet<Arc<Path>>) -> Option<Alone> {
        let directory = &self.folders.all()[place].directory;
        let confines = (place != MAIN).then(|| Arc::from(directory.as_path()));
        let (mut unread, mut gone) = (Vec::new(), Vec::new());
        for path in paths {
            match fs::symlink_metadata(path) {
                Ok(metadata) if metadata.is_dir() || metadata.is_symlink() => return None,
                Ok(metadata) => {
                    let found = Found::of(Arc::clone(path), &metadata, confines.clone());
                    if !self.files.get(path).is_some_and(|record| record.is_as_in(&found)) {
                        unread.push(found);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => gone.push(Arc::clone(path)),
                Err(_) => return None,
            }
        }
        // In a folder that went meanwhile nothing is found, and nothing was deleted.
        let root = self.grounds[place].as_ref()?.is_still_at(directory)?;
        gone.retain(|path| self.files.contains_key(path));
        (self.files.len() + unread.len() <= MOST_FILES).then_some(Alone { root, unread, gone })
    }
}
