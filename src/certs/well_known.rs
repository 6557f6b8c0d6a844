//! The files below `well-known/<host>/` in the drop folder, which the edge shows to everybody.
//!
//! Who may write one host's folder must not be able to show another file of the machine: every path is resolved by the kernel
//! beneath this folder (openat2, RESOLVE_BENEATH). A secret that was dropped here by mistake is not shown either.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashSet;
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustls_pki_types::PrivateKeyDer;

use super::flaw::Flaw;
use super::pem::{self, Der};
use super::scan::{LARGEST_FILE, Stamp, WELL_KNOWN};
use crate::live::{WellKnown, WellKnownObject};
use crate::name::HostName;

/// The objects of the folder, read again only when they change.
pub(super) struct Objects {
    drop_folder: PathBuf,
    files: Files,
}

/// What one look found; nothing is replaced before [`Objects::adopt`].
pub(super) struct Look {
    files: Files,
    /// Whether nothing at all could be said: everything stays as it was.
    blind: bool,
    /// Where the look could not go on: what was below stays as it was.
    lost: Vec<PathBuf>,
    /// Files that are not shown.
    pub(super) refused: Vec<(Arc<Path>, Flaw)>,
}

/// By path below `well-known/`.
type Files = BTreeMap<PathBuf, Entry>;

#[derive(Clone)]
struct Entry {
    stamp: Option<Stamp>,
    host: HostName,
    name: Box<str>,
    object: Arc<WellKnownObject>,
}

impl Objects {
    pub(super) fn new(drop_folder: PathBuf) -> Self {
        Self { drop_folder, files: Files::new() }
    }

    /// Looks at the whole folder.
    pub(super) fn look(&self) -> Look {
        let mut look = Look { files: Files::new(), blind: false, lost: Vec::new(), refused: Vec::new() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(drop_folder) = rustix::fs::open(&self.drop_folder, flags, Mode::empty()) else {
            return Look { blind: true, ..look };
        };
        let folder = match beneath(drop_folder.as_fd(), Path::new(WELL_KNOWN), OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(folder) => OwnedFd::from(folder),
            Err(Errno::NOENT) => return look,
            Err(error) => {
                look.refused.push((self.path(Path::new("")), flaw_of(error)));
                return Look { blind: error != Errno::XDEV, ..look };
            }
        };
        let mut seen = HashSet::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(relative) = folders.pop() {
            if let Err(error) = self.folder(&folder, &relative, &mut folders, &mut seen, &mut look)
                && error != Errno::NOENT
            {
                look.refuse(self.path(&relative), flaw_of(error));
                look.lost.push(relative);
            }
        }
        look
    }

    /// Makes a look the state; gives the new table when it is another one. With `keep`, nothing goes.
    pub(super) fn adopt(&mut self, mut look: Look, keep: bool) -> Option<WellKnown> {
        for (path, entry) in &self.files {
            if keep || look.blind || look.lost.iter().any(|lost| path.starts_with(lost)) {
                look.files.entry(path.clone()).or_insert_with(|| entry.clone());
            }
        }
        let same = self.files.len() == look.files.len()
            && self
                .files
                .iter()
                .zip(&look.files)
                .all(|((one, old), (other, new))| one == other && old.object == new.object);
        self.files = look.files;
        (!same).then(|| self.table())
    }

    fn table(&self) -> WellKnown {
        let mut table = WellKnown::default();
        for entry in self.files.values() {
            // Apple asks for the name without ending, and has asked for it with one: a file under either name serves both.
            let twin = match &*entry.name {
                APPLE_PAY => Some(APPLE_PAY_TXT),
                APPLE_PAY_TXT => Some(APPLE_PAY),
                _ => None,
            };
            if let Some(twin) = twin
                && !self.files.values().any(|other| other.host == entry.host && &*other.name == twin)
            {
                table.insert(&entry.host, twin, Arc::clone(&entry.object));
            }
            table.insert(&entry.host, &entry.name, Arc::clone(&entry.object));
        }
        table
    }

    fn folder(
        &self,
        root: &OwnedFd,
        relative: &Path,
        folders: &mut Vec<PathBuf>,
        seen: &mut HashSet<(u64, u64)>,
        look: &mut Look,
    ) -> Result<(), Errno> {
        let here = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let folder = beneath(root.as_fd(), here, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let metadata = folder.metadata().map_err(|_| Errno::IO)?;
        if !seen.insert((metadata.dev(), metadata.ino())) || relative.components().count() > DEEPEST {
            return Ok(());
        }
        for entry in Dir::read_from(&folder)? {
            let name = entry?.file_name().to_owned();
            if name.to_bytes().starts_with(b".") {
                continue;
            }
            let path = relative.join(std::ffi::OsStr::from_bytes(name.to_bytes()));
            match self.entry(root, &path) {
                Ok(Some(Kind::Folder)) => folders.push(path),
                Ok(Some(Kind::Object(entry))) if look.files.len() < MOST_OBJECTS => {
                    look.files.insert(path, entry);
                }
                Ok(Some(Kind::Object(_))) => look.refuse(self.path(&path), too_many()),
                Ok(None) => {}
                Err(Refusal::Final(flaw)) => look.refuse(self.path(&path), flaw),
                Err(Refusal::Lost(error)) => {
                    look.refuse(self.path(&path), flaw_of(error));
                    look.lost.push(path);
                }
            }
        }
        Ok(())
    }

    fn entry(&self, root: &OwnedFd, path: &Path) -> Result<Option<Kind>, Refusal> {
        // O_PATH neither waits for a pipe's other end nor wakes a device.
        let found = beneath(root.as_fd(), path, OFlags::PATH)?;
        let metadata = found.metadata().map_err(|_| Errno::IO)?;
        if metadata.is_dir() {
            return Ok(Some(Kind::Folder));
        }
        let Some((host, name)) = address(path)? else { return Ok(None) };
        if !metadata.is_file() {
            return Err(Refusal::Final(not_a_file()));
        }
        if metadata.len() > LARGEST_FILE {
            return Err(Refusal::Final(too_large(metadata.len())));
        }
        let stamp = Stamp::of(&metadata);
        if let Some(known) = self.files.get(path).filter(|known| known.stamp == Some(stamp)) {
            return Ok(Some(Kind::Object(known.clone())));
        }
        let mut file = beneath(root.as_fd(), path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let opened = file.metadata().map_err(|_| Errno::IO)?;
        if !opened.is_file() {
            return Err(Refusal::Final(not_a_file()));
        }
        let mut content = Vec::new();
        file.by_ref().take(LARGEST_FILE + 1).read_to_end(&mut content).map_err(|_| Errno::IO)?;
        if content.len() as u64 > LARGEST_FILE {
            return Err(Refusal::Final(too_large(content.len() as u64)));
        }
        if holds_secret(&content) {
            return Err(Refusal::Final(secret()));
        }
        let stable = !stamp.is_fresh() && file.metadata().is_ok_and(|after| Stamp::of(&after) == stamp);
        let object = Arc::new(WellKnownObject { content: Bytes::from(content) });
        Ok(Some(Kind::Object(Entry { stamp: stable.then_some(stamp), host, name, object })))
    }

    fn path(&self, relative: &Path) -> Arc<Path> {
        self.drop_folder.join(WELL_KNOWN).join(relative).into()
    }
}

impl Look {
    fn refuse(&mut self, path: Arc<Path>, flaw: Flaw) {
        self.refused.push((path, flaw));
    }
}

enum Kind {
    Folder,
    Object(Entry),
}

enum Refusal {
    /// The file itself is at fault, and is not shown any more.
    Final(Flaw),
    /// It could not be read: what was read before stays.
    Lost(Errno),
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        match error {
            Errno::XDEV | Errno::LOOP => Self::Final(flaw_of(error)),
            error => Self::Lost(error),
        }
    }
}

impl From<Flaw> for Refusal {
    fn from(flaw: Flaw) -> Self {
        Self::Final(flaw)
    }
}

/// Opens a path that does not lead out of `folder`, whatever links there are on the way.
fn beneath(folder: std::os::fd::BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<File, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(folder, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Ok(opened) => return Ok(File::from(opened)),
            // A rename somewhere on the machine kept the kernel from being sure (openat2(2)).
            Err(Errno::AGAIN) => {}
            Err(Errno::NOSYS | Errno::PERM) => return without_links(folder, path, flags),
            Err(error) => return Err(error),
        }
    }
    Err(Errno::AGAIN)
}

/// The same where openat2 is missing (before Linux 5.6) or forbidden: no link is followed at all.
fn without_links(folder: std::os::fd::BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<File, Errno> {
    let mut parts = path.components().filter(|part| *part != Component::CurDir).peekable();
    if parts.peek().is_none() {
        return rustix::fs::openat(folder, ".", flags | OFlags::CLOEXEC, Mode::empty()).map(File::from);
    }
    let mut here: Option<OwnedFd> = None;
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(Errno::XDEV) };
        let through = OFlags::PATH | OFlags::DIRECTORY;
        let flags = if parts.peek().is_some() { through } else { flags } | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let at = here.as_ref().map_or(folder, OwnedFd::as_fd);
        here = Some(rustix::fs::openat(at, name, flags, Mode::empty())?);
    }
    here.map(File::from).ok_or(Errno::NOENT)
}

/// Under which host and name a file is shown; `None` for what is not meant to be.
fn address(path: &Path) -> Result<Option<(HostName, Box<str>)>, Flaw> {
    let mut parts = path.iter();
    let host = parts.next().unwrap_or_default();
    let name: PathBuf = parts.collect();
    if name.as_os_str().is_empty() {
        if host.eq_ignore_ascii_case("README.md") {
            return Ok(None);
        }
        return Err(Flaw::new(
            "no-host",
            "the file lies beside the hosts' folders, not in one",
            "move it to well-known/<host>/<name>",
        ));
    }
    let Some(Ok(host)) = host.to_str().map(HostName::parse) else {
        return Err(Flaw::new(
            "no-host",
            "the folder is not named like a host",
            "name it like the host that shows the file: well-known/shop.example/<name>",
        ));
    };
    let plain = |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte));
    let Some(name) = name.to_str().filter(plain) else {
        return Err(Flaw::new(
            "bad-name",
            "the name has characters that a URL would have to encode",
            "use letters, digits, '-', '.', '_' and '~' only",
        ));
    };
    let lower = name.to_ascii_lowercase();
    if lower == "acme-challenge" || lower.starts_with("acme-challenge/") {
        return Err(Flaw::new(
            "acme-challenge",
            "answers to an authority's questions are given by vitrine itself, never from a file",
            "take the file away",
        ));
    }
    if [".password", ".key", ".pfx", ".p12"].iter().any(|ending| lower.ends_with(ending)) {
        return Err(secret());
    }
    Ok(Some((host, name.into())))
}

/// Whether the content is a private key or a PKCS#12 file, in any of the forms that they come in.
fn holds_secret(content: &[u8]) -> bool {
    // UTF-16 is ASCII with a zero octet in each pair.
    let text: Vec<u8> = content.iter().copied().filter(|byte| *byte != 0).collect();
    if pem::contains(&text, b"PRIVATE KEY-----") || pem::contains(&text, b"-----BEGIN PKCS12") {
        return true;
    }
    match Der::of(content) {
        Some(Der::Pkcs12) => true,
        Some(Der::Other) => PrivateKeyDer::try_from(content).is_ok() || is_encrypted_key(content),
        Some(Der::Pkcs7) | None => false,
    }
}

/// EncryptedPrivateKeyInfo (RFC 5958 §3) begins with the algorithm of its encryption, PKCS#5 or PKCS#12.
fn is_encrypted_key(content: &[u8]) -> bool {
    let head = &content[..content.len().min(24)];
    pem::contains(head, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05])
        || pem::contains(head, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x01])
}

fn secret() -> Flaw {
    Flaw::new(
        "secret",
        "the file is, or is named like, a private key, a PKCS#12 file or a password, and everything here is public",
        "move it out of well-known/ at once; if others could have read it, replace the key",
    )
}

fn not_a_file() -> Flaw {
    Flaw::new(
        "not-a-file",
        "it is a pipe, a socket, a device or a link that may not be followed, and a regular file is expected",
        "put a regular file here",
    )
}

fn too_large(size: u64) -> Flaw {
    Flaw::new(
        "too-large",
        format!("it has {size} octets, and well-known files have {LARGEST_FILE} at most"),
        "serve larger files from the shop itself",
    )
}

fn too_many() -> Flaw {
    Flaw::new(
        "too-many",
        format!("there are more than {MOST_OBJECTS} well-known files, and all are held in memory"),
        "take away what is not needed, or serve it from the shop itself",
    )
}

fn flaw_of(error: Errno) -> Flaw {
    match error {
        Errno::XDEV => Flaw::new(
            "outside",
            "it leads out of the well-known folder, and everything here is public",
            "put the file itself here instead of a link",
        ),
        Errno::LOOP => Flaw::new("link-loop", "the link leads to itself", "put the file itself here"),
        Errno::NOENT => Flaw::new("dangling-link", "the link leads nowhere", "point it to a file, or take it away"),
        error => {
            let error = io::Error::from(error).to_string();
            let words = error.split(" (os error").next().unwrap_or_default().to_lowercase();
            Flaw::new(
                "unreadable",
                format!("it cannot be read: {words}; what was shown before is shown on"),
                "let the user that runs vitrine read it (chmod, chown)",
            )
        }
    }
}

const APPLE_PAY: &str = "apple-developer-merchantid-domain-association";
const APPLE_PAY_TXT: &str = "apple-developer-merchantid-domain-association.txt";
/// All of them are in memory, a MiB each at worst.
const MOST_OBJECTS: usize = 10_000;
/// `well-known/<host>/` and six more.
const DEEPEST: usize = 8;
/// openat2 asks to be called again when a rename interferes.
const ATTEMPTS: usize = 16;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::certs::testing::Chain;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().expect("a folder"));
            fs::create_dir(folder.0.path().join("well-known")).expect("created");
            folder
        }

        fn path(&self, relative: &str) -> PathBuf {
            self.0.path().join("well-known").join(relative)
        }

        fn write(&self, relative: &str, content: impl AsRef<[u8]>) {
            fs::create_dir_all(self.path(relative).parent().expect("a parent")).expect("created");
            fs::write(self.path(relative), content).expect("written");
        }

        fn objects(&self) -> Objects {
            Objects::new(self.0.path().to_owned())
        }
    }

    fn shown(table: &WellKnown) -> Vec<String> {
        let mut shown: Vec<String> = table
            .iter()
            .map(|(host, name, object)| format!("{host}/{name}={}", String::from_utf8_lossy(&object.content)))
            .collect();
        shown.sort();
        shown
    }

    fn codes(look: &Look) -> Vec<(String, &'static str)> {
        let name = |path: &Path| {
            let path = path.display().to_string();
            path.split_once("well-known/").map(|(_, rest)| rest.to_owned()).unwrap_or(path)
        };
        let mut codes: Vec<_> = look.refused.iter().map(|(path, flaw)| (name(path), flaw.code)).collect();
        codes.sort();
        codes
    }

    #[test]
    fn files_are_shown_under_their_host_and_name() {
        let folder = Folder::new();
        folder.write("Shop.example/security.txt", "s");
        folder.write("shop.example/pki-validation/x.txt", "x");
        folder.write("other.example/a", "o");
        folder.write("shop.example/.hidden", "h");
        folder.write("README.md", "r");
        let mut objects = folder.objects();
        let look = objects.look();
        assert_eq!(codes(&look), []);
        let table = objects.adopt(look, false).expect("a table");
        assert_eq!(
            shown(&table),
            ["other.example/a=o", "shop.example/pki-validation/x.txt=x", "shop.example/security.txt=s"]
        );
        assert!(objects.adopt(objects.look(), false).is_none(), "nothing changed");
        folder.write("other.example/a", "p");
        let table = objects.adopt(objects.look(), false).expect("a table");
        assert_eq!(table.find("other.example", "/.well-known/a").map(|object| &object.content[..]), Some(&b"p"[..]));
        fs::remove_dir_all(folder.path("other.example")).expect("removed");
        assert_eq!(shown(&objects.adopt(objects.look(), false).expect("a table")).len(), 2);
    }

    #[test]
    fn apple_pay_is_shown_with_and_without_ending() {
        let folder = Folder::new();
        folder.write(&format!("a.example/{APPLE_PAY}"), "a");
        folder.write(&format!("b.example/{APPLE_PAY_TXT}"), "b");
        folder.write(&format!("c.example/{APPLE_PAY}"), "c");
        folder.write(&format!("c.example/{APPLE_PAY_TXT}"), "d");
        let mut objects = folder.objects();
        let table = objects.adopt(objects.look(), false).expect("a table");
        let found = |host: &str, name: &str| {
            let object = table.find(host, &format!("/.well-known/{name}")).expect("an object");
            String::from_utf8_lossy(&object.content).into_owned()
        };
        assert_eq!((found("a.example", APPLE_PAY), found("a.example", APPLE_PAY_TXT)), ("a".into(), "a".into()));
        assert_eq!((found("b.example", APPLE_PAY), found("b.example", APPLE_PAY_TXT)), ("b".into(), "b".into()));
        assert_eq!((found("c.example", APPLE_PAY), found("c.example", APPLE_PAY_TXT)), ("c".into(), "d".into()));
    }

    #[test]
    fn secrets_and_what_is_not_a_plain_file_are_refused() {
        let folder = Folder::new();
        let leaf = Chain::new().leaf(&["shop.example"]);
        let der = rcgen::KeyPair::from_pem(&leaf.key).expect("a key").serialize_der();
        let wide: Vec<u8> = leaf.key.bytes().flat_map(|byte| [byte, 0]).collect();
        folder.write("a.example/key.txt", format!("hello\n{}", leaf.key));
        folder.write("a.example/wide", wide);
        folder.write("a.example/der", der);
        folder.write("a.example/p12", [0x30, 0x06, 0x02, 0x01, 0x03, 0x30, 0x01, 0x00]);
        folder.write("a.example/x.pfx.password", "geheim");
        folder.write("a.example/x.key", "k");
        folder.write("a.example/acme-challenge/token", "t");
        folder.write("a.example/a b", "t");
        folder.write("not_a_host!/x", "t");
        folder.write("10.0.0.1/x", "t");
        folder.write("stray.txt", "t");
        folder.write("a.example/large", vec![b'a'; 1024 * 1024 + 1]);
        folder.write("a.example/certificate.pem", &leaf.certificate);
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.path("a.example/pipe"), Mode::RUSR | Mode::WUSR).expect("a pipe");
        let mut objects = folder.objects();
        let look = objects.look();
        let expected = [
            ("10.0.0.1/x", "no-host"),
            ("a.example/a b", "bad-name"),
            ("a.example/acme-challenge/token", "acme-challenge"),
            ("a.example/der", "secret"),
            ("a.example/key.txt", "secret"),
            ("a.example/large", "too-large"),
            ("a.example/p12", "secret"),
            ("a.example/pipe", "not-a-file"),
            ("a.example/wide", "secret"),
            ("a.example/x.key", "secret"),
            ("a.example/x.pfx.password", "secret"),
            ("not_a_host!/x", "no-host"),
            ("stray.txt", "no-host"),
        ];
        assert_eq!(codes(&look), expected.map(|(path, code)| (path.to_owned(), code)));
        let table = objects.adopt(look, false).expect("a table");
        assert_eq!(
            table.iter().map(|(host, name, _)| (host, name)).collect::<Vec<_>>(),
            [("a.example", "certificate.pem")]
        );
    }

    #[test]
    fn nothing_outside_of_the_folder_is_shown() {
        let folder = Folder::new();
        fs::write(folder.0.path().join("secret.txt"), "outside").expect("written");
        folder.write("a.example/real", "inside");
        symlink("../../secret.txt", folder.path("a.example/relative")).expect("linked");
        symlink(folder.0.path().join("secret.txt"), folder.path("a.example/absolute")).expect("linked");
        symlink("/proc/self/root/etc/hostname", folder.path("a.example/magic")).expect("linked");
        symlink("../..", folder.path("a.example/up")).expect("linked");
        symlink("/", folder.path("b.example")).expect("linked");
        symlink("loop", folder.path("a.example/loop")).expect("linked");
        symlink(".", folder.path("a.example/self")).expect("linked");
        symlink("real", folder.path("a.example/inside")).expect("linked");
        let mut objects = folder.objects();
        let look = objects.look();
        let expected = [
            ("a.example/absolute", "outside"),
            ("a.example/loop", "link-loop"),
            ("a.example/magic", "outside"),
            ("a.example/relative", "outside"),
            ("a.example/up", "outside"),
            ("b.example", "outside"),
        ];
        assert_eq!(codes(&look), expected.map(|(path, code)| (path.to_owned(), code)));
        let table = objects.adopt(look, false).expect("a table");
        assert_eq!(shown(&table), ["a.example/inside=inside", "a.example/real=inside"]);
    }

    #[test]
    fn without_openat2_no_link_is_followed() {
        let folder = Folder::new();
        folder.write("a.example/real", "inside");
        symlink("real", folder.path("a.example/link")).expect("linked");
        symlink("a.example", folder.path("b.example")).expect("linked");
        let root = File::open(folder.path("")).expect("opened");
        let open = |path: &str| {
            without_links(root.as_fd(), Path::new(path), OFlags::RDONLY)
                .map(|file| file.metadata().map(|m| m.len()).ok())
        };
        assert_eq!(open("a.example/real"), Ok(Some(6)));
        assert_eq!(open("a.example/link"), Err(Errno::LOOP));
        assert_eq!(open("b.example/real"), Err(Errno::NOTDIR));
        assert_eq!(open("../secret"), Err(Errno::XDEV));
        assert!(open(".").is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_shown_on() {
        let folder = Folder::new();
        folder.write("a.example/x", "x");
        let mut objects = folder.objects();
        objects.adopt(objects.look(), false).expect("a table");
        fs::rename(folder.0.path().join("well-known"), folder.0.path().join("gone")).expect("renamed");
        assert!(objects.adopt(objects.look(), true).is_none(), "held back");
        assert_eq!(shown(&objects.adopt(objects.look(), false).expect("a table")), Vec::<String>::new());
        let nowhere = Objects { drop_folder: folder.path("nowhere"), files: Files::new() };
        assert!(nowhere.look().blind);
    }
}
