//! Which folders to watch, and which of their events concern us.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::RecursiveMode;

/// What is to be watched.
#[derive(Clone)]
pub(super) struct Targets {
    pub(super) paths: Vec<PathBuf>,
    /// Links, files and folders elsewhere, each by its own path.
    pub(super) places: Arc<BTreeSet<PathBuf>>,
}

/// Which events concern us.
#[derive(Default)]
pub(super) struct Scopes {
    paths: Vec<Scope>,
    places: Arc<BTreeSet<PathBuf>>,
    beside_places: BTreeSet<PathBuf>,
}

impl Scopes {
    pub(super) fn of(targets: &Targets) -> Self {
        Self {
            paths: targets.paths.iter().map(|path| Scope::of(path)).collect(),
            places: Arc::clone(&targets.places),
            beside_places: targets.places.iter().filter_map(|place| place.parent()).map(Path::to_owned).collect(),
        }
    }

    pub(super) fn hold(&self, changed: &Path) -> bool {
        let parent_is_in = |places: &BTreeSet<PathBuf>| changed.parent().is_some_and(|parent| places.contains(parent));
        self.paths.iter().any(|scope| scope.holds(changed))
            || self.places.contains(changed)
            || parent_is_in(&self.places)
            || is_swapped_by_kubernetes(changed) && parent_is_in(&self.beside_places)
    }
}

/// Every folder to watch: what is named, with all below it, the parents, so that a swap of the name itself is seen, and the
/// places elsewhere.
pub(super) fn watches(scopes: &Scopes) -> BTreeMap<PathBuf, RecursiveMode> {
    let mut watches = BTreeMap::new();
    for scope in &scopes.paths {
        for path in [Some(&scope.named), scope.real.as_ref()].into_iter().flatten() {
            if let Some(parent) = path.parent() {
                watches.entry(parent.to_owned()).or_insert(RecursiveMode::NonRecursive);
            }
        }
        if let Some(real) = scope.real.as_ref().filter(|real| real.is_dir()) {
            watches.insert(real.clone(), RecursiveMode::Recursive);
        }
    }
    for place in scopes.places.iter().chain(&scopes.beside_places) {
        // A second watch below a recursive one would take its place, and new folders there would be missed.
        if !scopes.paths.iter().filter_map(|scope| scope.real.as_ref()).any(|real| place.starts_with(real)) {
            watches.entry(place.clone()).or_insert(RecursiveMode::NonRecursive);
        }
    }
    watches.retain(|path, _| path.is_dir());
    watches
}

/// Which events concern one watched path. Its parent is watched too, and much may happen there that does not.
struct Scope {
    /// The path as given, its parent resolved.
    named: PathBuf,
    /// The path with all links resolved; `None` while there is nothing.
    real: Option<PathBuf>,
}

impl Scope {
    fn of(path: &Path) -> Self {
        let parent = parent_of(path);
        let parent = parent.canonicalize().unwrap_or(parent);
        let named = path.file_name().map_or_else(|| parent.clone(), |name| parent.join(name));
        Self { named, real: path.canonicalize().ok() }
    }

    fn holds(&self, changed: &Path) -> bool {
        if changed == self.named || self.real.as_ref().is_some_and(|real| changed.starts_with(real)) {
            return true;
        }
        changed.parent() == self.named.parent() && is_swapped_by_kubernetes(changed)
    }
}

/// Kubernetes swaps the link `..data` beside the links that lead through it.
fn is_swapped_by_kubernetes(changed: &Path) -> bool {
    changed.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
}

pub(super) fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) => PathBuf::from("."),
        None => path.to_owned(),
    }
}
