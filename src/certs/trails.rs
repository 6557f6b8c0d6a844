//! Where the links of the drop folder lead through: what changes there changes the folder, and nobody who watches the folder alone
//! is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

/// The places that were passed on one walk: links on the way to other links, the files and folders at the end.
#[derive(Default)]
pub(super) struct Trails {
    places: BTreeSet<PathBuf>,
    /// Parents of links, resolved: mostly many links lie in one folder.
    parents: HashMap<PathBuf, Option<PathBuf>>,
}

impl Trails {
    /// Notes every step of a link.
    pub(super) fn follow(&mut self, link: &Path) {
        let mut at = link.to_owned();
        for _ in 0..MOST_STEPS {
            let Some(place) = self.resolve_parent(&at) else { return };
            let next = fs::read_link(&place).ok().and_then(|target| Some(place.parent()?.join(target)));
            self.note(place);
            let Some(next) = next else { return };
            at = next;
        }
    }

    /// Notes a folder that was reached through a link, by its own path.
    pub(super) fn enter(&mut self, folder: PathBuf) {
        self.note(folder);
    }

    /// Those outside of the folder that is watched anyway.
    pub(super) fn outside(mut self, root: &Path) -> BTreeSet<PathBuf> {
        let root = root.canonicalize();
        self.places.retain(|place| !root.as_ref().is_ok_and(|root| place.starts_with(root)));
        self.places
    }

    fn note(&mut self, place: PathBuf) {
        if self.places.len() < MOST_PLACES {
            self.places.insert(place);
        }
    }

    /// The same path with all links resolved but the last.
    fn resolve_parent(&mut self, path: &Path) -> Option<PathBuf> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return path.canonicalize().ok() };
        let parent = match self.parents.get(parent) {
            Some(known) => known.clone(),
            None => {
                let resolved = parent.canonicalize().ok();
                self.parents.insert(parent.to_owned(), resolved.clone());
                resolved
            }
        };
        parent.map(|parent| parent.join(name))
    }
}

/// As far as the kernel follows a link (path_resolution(7)).
const MOST_STEPS: usize = 40;
/// Each costs a watch. Changes of what is beyond are found by the poll.
const MOST_PLACES: usize = 4096;
