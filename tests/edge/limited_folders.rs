//! Drop folders of shops that bring their own certificates: each for its own names.

use std::fs;
use std::process::Command;

use crate::support::{Edge, Issued, Origin, Setup, authority, drop_file, eventually, run, shop_client, shown};

#[test]
fn who_writes_one_shops_folder_takes_no_name_from_another() {
    let origin = Origin::saying("hello");
    let mut setup = shops(&origin);
    let (a, b) = (authority().issue(&["a.example"]), authority().issue(&["b.example"]));
    drop_file(&setup.folder.path().join("shop-a/a.pem"), a.both());
    setup.certificate("b", &b);
    // Newer, and for a name that is not the shop's.
    let stolen = authority().issue_for(&["a.example", "b.example"], crate::support::KeyKind::Ecdsa, 0, 90 * 24);
    drop_file(&setup.folder.path().join("shop-a/stolen.pem"), stolen.both());
    let edge = setup.start();
    serves(&edge, "a.example", &a);
    serves(&edge, "b.example", &b);
    let rejected = eventually("the rejection", || edge.api("rejected").pop());
    assert_eq!((&rejected["file"], &rejected["code"]), (&"shop-a/stolen.pem".into(), &"name-not-allowed".into()));
    assert!(rejected["reason"].as_str().expect("a text").ends_with("these names: b.example"), "{rejected}");

    // What lies there is watched, replaced and shown like anything else.
    let renewed = authority().issue(&["a.example"]);
    drop_file(&edge.setup.folder.path().join("shop-a/.a.pem"), renewed.both());
    fs::rename(edge.setup.folder.path().join("shop-a/.a.pem"), edge.setup.folder.path().join("shop-a/a.pem"))
        .expect("renamed");
    serves(&edge, "a.example", &renewed);
    for host in ["a.example", "b.example"] {
        let folder = edge.setup.folder.path().join("shop-a/well-known").join(host);
        fs::create_dir_all(&folder).expect("created");
        fs::write(folder.join("security.txt"), "a's word").expect("written");
    }
    eventually("the file", || (edge.get("a.example", "/.well-known/security.txt").text() == "a's word").then_some(()));
    eventually("the refusal", || {
        edge.api("rejected")
            .iter()
            .any(|entry| entry["file"] == "shop-a/well-known/b.example/security.txt")
            .then_some(())
    });
    assert_eq!(edge.get("b.example", "/.well-known/security.txt").text(), "hello");
}

#[test]
fn a_password_opens_everything_in_its_folder_and_nothing_elsewhere() {
    let origin = Origin::saying("hello");
    let setup = shops(&origin);
    let issued = authority().issue(&["a.example"]);
    let place = setup.folder.path().to_owned();
    fs::write(place.join("a.pem"), issued.both()).expect("written");
    let openssl = ["pkcs12", "-export", "-in", "a.pem", "-out", "shop-a/a.pfx", "-passout", "pass:geheim"];
    let output = Command::new("openssl").args(openssl).current_dir(&place).output().expect("openssl runs");
    assert!(output.status.success(), "{output:?}");
    fs::copy(place.join("shop-a/a.pfx"), place.join("certs/a.pfx")).expect("copied");
    drop_file(&place.join("shop-a.password"), "geheim\n");
    let edge = setup.start();
    serves(&edge, "a.example", &issued);
    let waiting = eventually("the file that waits", || edge.api("rejected").pop());
    assert_eq!((&waiting["file"], &waiting["code"]), (&"certs/a.pfx".into(), &"waiting-for-password".into()));
    assert!(edge.log().iter().all(|line| !line.to_string().contains("geheim")));
}

#[test]
fn a_password_that_others_may_read_is_a_mistake() {
    use std::os::unix::fs::PermissionsExt;
    let origin = Origin::saying("hello");
    let setup = shops(&origin);
    let file = setup.folder.path().join("shop-a.password");
    drop_file(&file, "geheim\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("opened");
    setup.write();
    let output = run(&["check", "--config", "vitrine.toml"], &setup);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{text}");
    assert!(
        text.contains("certificates.drop.password_file: shop-a.password: may be read or written by others"),
        "{text}"
    );
    assert!(!text.contains("geheim"), "{text}");
}

/// Two shops; the first has a folder of its own.
fn shops(origin: &Origin) -> Setup {
    let mut setup = Setup::new();
    setup.site(&["a.example"], &[origin]).site(&["b.example"], &[origin]);
    fs::create_dir(setup.folder.path().join("shop-a")).expect("created");
    setup.raw_site(
        "[[certificates.drop]]\ndirectory = \"shop-a\"\nhosts = [\"a.example\"]\npassword_file = \"shop-a.password\"\n",
    );
    setup
}

fn serves(edge: &Edge, name: &str, issued: &Issued) {
    eventually(name, || {
        let talk = shop_client().try_open(edge.https, name).ok()?;
        (shown(talk.session()) == issued.der).then_some(())
    });
}
