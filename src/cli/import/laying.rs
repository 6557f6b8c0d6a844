//! Where an import writes, and how: every file whole or not at all, nothing over what is there unless that is wanted.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, lchown};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::super::{check, output};
use super::carrying::{Adopted, Carried, left_out};
use super::text::Texts;
use crate::acme;
use crate::config::Config;
use crate::name::HostName;
use crate::store::{StateKey, Store};

/// The folder that is written to.
pub(super) struct Ground {
    pub(super) folder: PathBuf,
    pub(super) drop_directory: PathBuf,
    pub(super) state_directory: PathBuf,
    /// There is a main file already.
    pub(super) has_main: bool,
    /// What that one calls the authorities, by their directories.
    issuers: Vec<(String, String)>,
    state_key_file: Option<PathBuf>,
}

impl Ground {
    /// Looks at the folder, which need not be there.
    pub(super) fn at(folder: &Path) -> Result<Self, String> {
        let mut ground = Self {
            folder: folder.to_owned(),
            drop_directory: folder.join("certs"),
            state_directory: folder.join("state"),
            has_main: false,
            issuers: Vec::new(),
            state_key_file: None,
        };
        if ground.main().exists() {
            let loaded = Config::load(&ground.main()).map_err(|mistakes| mistakes.to_string())?;
            let certificates = loaded.config.certificates;
            ground.has_main = true;
            ground.drop_directory = super::absolute(&certificates.drop_directory);
            ground.state_directory = super::absolute(&certificates.state_directory);
            ground.state_key_file = certificates.state_key_file;
            let issuers = loaded.config.acme.issuers.into_iter();
            ground.issuers = issuers.map(|issuer| (issuer.directory, issuer.name)).collect();
        }
        Ok(ground)
    }

    pub(super) fn main(&self) -> PathBuf {
        self.folder.join("vitrine.toml")
    }

    /// Where the files lie that a host shows below `/.well-known/`.
    pub(super) fn shown_at(&self, host: &HostName) -> PathBuf {
        self.drop_directory.join("well-known").join(host.as_str())
    }

    /// What the main file calls the authority with this directory.
    pub(super) fn issuer_at(&self, directory: &str) -> Option<String> {
        self.issuers.iter().find(|(known, _)| known == directory).map(|(_, name)| name.clone())
    }

    /// Checks what lies there as `vitrine check` does, and that the main file includes what was written.
    pub(super) fn check(&self, texts: &Texts) -> bool {
        let is_sound = check::look(&self.main());
        let Ok(loaded) = Config::load(&self.main()) else { return false };
        let is_read = |file: &PathBuf| loaded.sources.contains(file);
        let missing = texts.sites.iter().map(|(file, _)| self.folder.join(file)).find(|file| !is_read(file));
        if let Some(file) = &missing {
            let (main, file) = (self.main(), file.display());
            output::complain(&format!(
                "{}: {file} is not included; add include = [\"sites.d/*.toml\"]",
                main.display()
            ));
        }
        is_sound && missing.is_none()
    }

    fn store(&self) -> Result<Store, String> {
        let key = self.state_key_file.as_deref().map(StateKey::read).transpose().map_err(|error| error.to_string())?;
        Store::open_with(&self.state_directory, key).map_err(|error| error.to_string())
    }
}

/// A file to write.
struct Sheet<'a> {
    path: PathBuf,
    content: &'a [u8],
    mode: u32,
}

/// Writes everything. On an error what was written before stays: the main file, which makes it count, comes last.
pub(super) fn lay(carried: &mut Carried, texts: &Texts, ground: &Ground, force: bool) -> Result<(), String> {
    let Carried { plan, certificates, accounts, shown } = carried;
    let mut roots = Vec::new();
    for (file, from) in &texts.roots {
        let content = fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
        roots.push((ground.folder.join(file), content));
    }
    let mut sheets = Vec::new();
    for copied in &*certificates {
        let folder = ground.drop_directory.join(&copied.folder);
        let files = copied.files.iter();
        sheets.extend(files.map(|(name, content)| Sheet { path: folder.join(name), content, mode: PRIVATE }));
    }
    for (file, content) in plan.shown.iter().zip(&*shown) {
        let path = |host: &HostName| ground.shown_at(host).join(&file.name);
        sheets.extend(file.hosts.iter().map(|host| Sheet { path: path(host), content, mode: PUBLIC }));
    }
    sheets.extend(roots.iter().map(|(path, content)| Sheet { path: path.clone(), content, mode: PUBLIC }));
    for (file, text) in &texts.sites {
        sheets.push(Sheet { path: ground.folder.join(file), content: text.as_bytes(), mode: PUBLIC });
    }
    if !ground.has_main {
        sheets.push(Sheet { path: ground.main(), content: texts.main.as_bytes(), mode: PUBLIC });
    }
    sheets.retain(|sheet| fs::read(&sheet.path).ok().map(Zeroizing::new).is_none_or(|known| *known != sheet.content));
    let taken: Vec<String> =
        sheets.iter().filter(|sheet| sheet.path.exists()).map(|sheet| sheet.path.display().to_string()).collect();
    if !force && !taken.is_empty() {
        let list = taken.join("\n  ");
        return Err(format!(
            "these are there already, with another content:\n  {list}\nnothing was written; --force replaces them"
        ));
    }
    make_folder(&ground.folder, 0o755).map_err(|error| format!("{}: {error}", ground.folder.display()))?;
    let mut turned_down = Vec::new();
    if !accounts.is_empty() {
        let store = ground.store()?;
        accounts.retain(|account| match keep(account, &store, force) {
            Ok(()) => true,
            Err(why) => {
                turned_down.push(left_out(&account.place, why, "--force replaces what is there"));
                false
            }
        });
    }
    plan.remarks.extend(turned_down);
    let owner = fs::metadata(&ground.folder).ok().filter(|_| rustix::process::geteuid().is_root());
    let owner = owner.map(|facts| (facts.uid(), facts.gid())).filter(|(user, _)| *user != 0);
    for sheet in &sheets {
        put(sheet, &ground.folder, owner, force).map_err(|error| format!("{}: {error}", sheet.path.display()))?;
    }
    Ok(())
}

fn keep(account: &Adopted, store: &Store, force: bool) -> Result<(), String> {
    let Adopted { issuer, directory, url, key, contact, .. } = account;
    if !force && acme::has_account(store, issuer).map_err(|error| error.to_string())? {
        return Err(format!("there is an account of {issuer:?} in the state folder already"));
    }
    acme::adopt(store, issuer, (directory, url.as_deref()), key, contact).map_err(|error| error.to_string())
}

/// Writes a file beside its name and gives it that name.
fn put(sheet: &Sheet<'_>, root: &Path, owner: Option<(u32, u32)>, force: bool) -> io::Result<()> {
    let Sheet { path, content, mode } = sheet;
    let folder = path.parent().unwrap_or(root);
    let made = make_folder(folder, if *mode == PRIVATE { 0o700 } else { 0o755 })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Passed over by the drop folder and by includes for its dot.
    let beside = folder.join(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(*mode).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        if let Some((user, group)) = owner {
            made.iter().chain([&beside]).try_for_each(|path| lchown(path, Some(user), Some(group)))?;
        }
        // A link is refused where there is something: nobody's file is replaced who came meanwhile.
        if force { fs::rename(&beside, path) } else { fs::hard_link(&beside, path) }
    })();
    let _ = fs::remove_file(&beside);
    written?;
    File::open(folder)?.sync_all()
}

/// Makes a folder and those above it; gives those that were made.
fn make_folder(path: &Path, mode: u32) -> io::Result<Vec<PathBuf>> {
    let mut made = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.exists() => make_folder(parent, mode)?,
        _ => Vec::new(),
    };
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => made.push(path.to_owned()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) => return Err(error),
    }
    Ok(made)
}

/// For keys, and for what may hold one.
const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;
