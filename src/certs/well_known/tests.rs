//! The well-known folder with real files and links.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use rustix::fs::{Mode, OFlags};

use super::beneath::without_links;
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
        Objects::new(&self.0.path().into(), self.0.path().to_owned())
    }
}

impl Objects {
    fn tabled(&mut self, look: Look, keep: bool) -> Option<WellKnown> {
        self.adopt(look, keep).then(|| {
            let mut table = WellKnown::default();
            self.put_into(&mut table);
            table
        })
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
    let table = objects.tabled(look, false).expect("a table");
    assert_eq!(
        shown(&table),
        ["other.example/a=o", "shop.example/pki-validation/x.txt=x", "shop.example/security.txt=s"]
    );
    assert!(objects.tabled(objects.look(), false).is_none(), "nothing changed");
    folder.write("other.example/a", "p");
    let table = objects.tabled(objects.look(), false).expect("a table");
    assert_eq!(table.find("other.example", "/.well-known/a").map(|object| &object.content[..]), Some(&b"p"[..]));
    fs::remove_dir_all(folder.path("other.example")).expect("removed");
    assert_eq!(shown(&objects.tabled(objects.look(), false).expect("a table")).len(), 2);
}

#[test]
fn apple_pay_is_shown_with_and_without_ending() {
    let folder = Folder::new();
    folder.write(&format!("a.example/{APPLE_PAY}"), "a");
    folder.write(&format!("b.example/{APPLE_PAY_TXT}"), "b");
    folder.write(&format!("c.example/{APPLE_PAY}"), "c");
    folder.write(&format!("c.example/{APPLE_PAY_TXT}"), "d");
    let mut objects = folder.objects();
    let table = objects.tabled(objects.look(), false).expect("a table");
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
    let table = objects.tabled(look, false).expect("a table");
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
    let table = objects.tabled(look, false).expect("a table");
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
        without_links(root.as_fd(), Path::new(path), OFlags::RDONLY).map(|file| file.metadata().map(|m| m.len()).ok())
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
    objects.tabled(objects.look(), false).expect("a table");
    fs::rename(folder.0.path().join("well-known"), folder.0.path().join("gone")).expect("renamed");
    assert!(objects.tabled(objects.look(), true).is_none(), "held back");
    assert_eq!(shown(&objects.tabled(objects.look(), false).expect("a table")), Vec::<String>::new());
    let nowhere = Objects::new(&folder.0.path().into(), folder.path("nowhere"));
    assert!(nowhere.look().blind);
}

#[test]
fn what_comes_from_elsewhere_is_shown_before_a_file_of_the_same_name() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("well-known/shop.example/pki-validation");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("a.txt"), "of a file").expect("written");
    let mut objects = AllObjects::new(
        &home.path().into(),
        KeptObjects::open(crate::store::Store::in_memory(), Path::new("state")).expect("none"),
    );
    let said = |table: &WellKnown, name: &str| {
        let found = table.find("shop.example", &format!("/.well-known/pki-validation/{name}"));
        found.map(|object| String::from_utf8(object.content.to_vec()).expect("text"))
    };
    let other = |name: &str| {
        let host = HostName::parse("shop.example").expect("a name");
        let object = WellKnownObject { content: Bytes::from_static(b"from elsewhere") };
        (host, format!("pki-validation/{name}").into(), Arc::new(object))
    };
    objects.adopt(objects.look(), &[], |_| false).expect("a table");
    objects.show_also(vec![other("a.txt"), other("b.txt")]);
    let table = objects.adopt(objects.look(), &[], |_| false).expect("another table");
    assert_eq!(
        ["a.txt", "b.txt"].map(|name| said(&table, name)),
        ["from elsewhere", "from elsewhere"].map(|text| Some(text.into()))
    );
    objects.show_also(vec![other("a.txt"), other("b.txt")]);
    assert!(objects.adopt(objects.look(), &[], |_| false).is_none(), "nothing changed");
    objects.show_also(Vec::new());
    let table = objects.adopt(objects.look(), &[], |_| false).expect("another table");
    assert_eq!(["a.txt", "b.txt"].map(|name| said(&table, name)), [Some("of a file".into()), None]);
}
