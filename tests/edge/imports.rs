//! Certificates brought to a running edge, and the versions of them: by the command line, by curl, over the network.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::command::{done, refused, said, vitrine};
use crate::support::{Edge, Issued, KeyKind, Origin, Setup, authority, drop_file, shop_client, shown};

/// An edge with a site and no certificate, which trusts the tests' authority.
fn bare(origin: &Origin) -> Edge {
    let mut setup = Setup::new();
    drop_file(&setup.folder.path().join("root.pem"), &authority().root_pem);
    setup.site(&["shop.example"], &[origin]).set("certificates", "trusted_roots = [\"root.pem\"]");
    setup.start()
}

fn put(edge: &Edge, name: &str, content: impl AsRef<[u8]>) {
    drop_file(&edge.setup.folder.path().join(name), content);
}

fn openssl(folder: &Path, line: &str) {
    let output = Command::new("openssl").args(line.split_whitespace()).current_dir(folder).output().expect("openssl");
    assert!(output.status.success(), "{line}: {}", said(&output.stderr));
}

/// The fingerprint of what serves the shop; empty when nothing does.
fn serving(edge: &Edge) -> String {
    let sites = edge.api("sites");
    sites[0]["hosts"][0]["certificates"][0]["fingerprint"].as_str().unwrap_or_default().to_owned()
}

/// Of the same name, each issued an hour after the one before.
fn renewals() -> [Issued; 3] {
    [-3, -2, -1].map(|from| authority().issue_for(&["shop.example"], KeyKind::Ecdsa, from, 24 * 60))
}

fn fingerprint(issued: &Issued) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &issued.der);
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn what_is_imported_serves_at_once_without_a_connection_lost_and_after_a_start() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let [first, second, _] = renewals();
    put(&edge, "shop.crt", format!("{}{}", first.chain, authority().root_pem));
    put(&edge, "shop.key", &first.key);
    let told = done(vitrine(&edge, "certs import shop.crt shop.key --dry-run"));
    assert!(told.starts_with("accepted: shop.example\n  would serve shop.example\n"), "{told}");
    assert_eq!(serving(&edge), "");
    let told = done(vitrine(&edge, "certs import shop.crt shop.key"));
    assert!(told.starts_with("accepted: shop.example\n  serves shop.example\n"), "{told}");
    let mut kept = edge.open("shop.example");
    assert_eq!(kept.get("shop.example", "/").text(), "hello");
    assert_eq!(shown(kept.session()), first.der);

    put(&edge, "next.pem", second.both());
    done(vitrine(&edge, "certs import next.pem"));
    assert_eq!(shown(edge.open("shop.example").session()), second.der);
    assert_eq!(kept.get("shop.example", "/").text(), "hello");
    let edge = edge.end(Signal::KILL).start();
    assert_eq!(shown(shop_client().open(edge.https, "shop.example").session()), second.der);
}

#[test]
fn an_older_version_is_gone_back_to_and_the_history_says_so() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let all = renewals();
    for (at, issued) in all.iter().take(2).enumerate() {
        put(&edge, &format!("{at}.pem"), issued.both());
        done(vitrine(&edge, &format!("certs import {at}.pem")));
    }
    let [first, second, third] = all.each_ref().map(fingerprint);
    let states = |edge: &Edge| -> Vec<(String, String)> {
        let table = done(vitrine(edge, "certs history shop.example"));
        let rows = table.lines().skip(1).map(|row| {
            let cells: Vec<&str> = row.split("  ").filter(|cell| !cell.is_empty()).collect();
            (cells[0].to_owned(), cells[5].to_owned())
        });
        rows.collect()
    };
    let row = |fingerprint: &str, state: &str| (fingerprint.to_owned(), state.to_owned());
    assert_eq!(states(&edge), [row(&second, "current"), row(&first, "older")]);
    let told = done(vitrine(&edge, "certs rollback shop.example"));
    assert!(told.contains("\n  serves shop.example\n") && told.contains(&first), "{told}");
    assert_eq!(
        (serving(&edge), states(&edge)),
        (first.clone(), vec![row(&second, "rolled back"), row(&first, "current")])
    );

    let edge = edge.end(Signal::TERM).start();
    assert_eq!(serving(&edge), first);
    let told = refused(vitrine(&edge, "certs rollback shop.example"));
    assert!(told.contains("no valid version before the current one"), "{told}");
    done(vitrine(&edge, &format!("certs rollback shop.example --to {}", &second[..12])));
    assert_eq!(serving(&edge), second);
    put(&edge, "2.pem", all[2].both());
    done(vitrine(&edge, "certs import 2.pem"));
    assert_eq!(serving(&edge), third);
    let shown = done(vitrine(&edge, "certs show shop.example"));
    assert!(shown.contains("verdict      accepted") && shown.contains(&third), "{shown}");
}

#[test]
fn the_last_good_certificate_is_deleted_only_when_that_is_meant() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let [first, ..] = renewals();
    put(&edge, "a.pem", first.both());
    done(vitrine(&edge, "certs import a.pem"));
    let delete = format!("certs delete {}", fingerprint(&first));
    let told = refused(vitrine(&edge, &delete));
    assert!(told.contains("409") && told.contains("nothing valid would serve shop.example any more"), "{told}");
    done(vitrine(&edge, &format!("{delete} --last-good")));
    assert_eq!(serving(&edge), "");
    assert_eq!(fs::read_dir(edge.setup.state().join("certificates")).map(Iterator::count).unwrap_or_default(), 0);
    assert!(refused(vitrine(&edge, &delete)).contains("404"));
    drop_file(&edge.setup.certs().join("b.pem"), first.both());
    crate::support::eventually("it serves", || (serving(&edge) == fingerprint(&first)).then_some(()));
    assert!(refused(vitrine(&edge, &delete)).contains("it lies in the drop folder, which is yours alone"));
}

#[test]
fn a_wrong_password_and_a_damaged_file_are_told_apart_and_neither_is_quoted() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let [first, ..] = renewals();
    put(&edge, "all.pem", first.both());
    openssl(edge.setup.folder.path(), "pkcs12 -export -in all.pem -out shop.pfx -passout pass:geheim");
    put(&edge, "wrong", "falsch\n");
    let told = refused(vitrine(&edge, "certs import shop.pfx --password-file wrong"));
    assert!(told.contains("422") && told.contains("password-wrong") && !told.contains("falsch"), "{told}");
    let told = refused(vitrine(&edge, "certs import shop.pfx"));
    assert!(told.contains("password-missing"), "{told}");
    let mut damaged = fs::read(edge.setup.folder.path().join("shop.pfx")).expect("a file");
    let middle = damaged.len() / 2;
    damaged.truncate(middle);
    put(&edge, "damaged.pfx", &damaged);
    put(&edge, "right", "geheim\n");
    let told = refused(vitrine(&edge, "certs import damaged.pfx --password-file right"));
    assert!(told.contains("422") && !told.contains("password-wrong") && !told.contains("geheim"), "{told}");
    done(vitrine(&edge, "certs import shop.pfx --password-file right"));
    assert_eq!(serving(&edge), fingerprint(&first));
    fs::set_permissions(edge.setup.folder.path().join("right"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .expect("opened");
    let told = refused(vitrine(&edge, "certs import shop.pfx --password-file right"));
    assert!(told.contains("others may read the password (mode 0644)"), "{told}");
    let log = format!("{:?}", edge.log());
    assert!(!log.contains("geheim") && !log.contains("falsch"), "{log}");
}

#[test]
fn what_cannot_be_served_says_what_is_missing_and_changes_nothing() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let [first, second, _] = renewals();
    put(&edge, "good.pem", first.both());
    done(vitrine(&edge, "certs import good.pem"));
    for (name, content, code) in [
        ("alone.crt", second.chain.clone(), "key-missing"),
        ("alone.key", second.key.clone(), "certificate-missing"),
        ("others.pem", format!("{}{}", second.chain, first.key), "key-mismatch"),
        ("root.pem", authority().root_pem.clone(), "authorities-alone"),
        ("empty.pem", String::new(), "empty"),
    ] {
        put(&edge, name, content);
        let told = refused(vitrine(&edge, &format!("certs import {name}")));
        assert!(told.contains(name) && told.contains(code) && !told.contains("PRIVATE"), "{name}: {told}");
        assert_eq!(serving(&edge), fingerprint(&first));
    }
    let kept = edge.api(&format!("certificates/{}/history", fingerprint(&first)));
    assert_eq!(kept.len(), 1);
}

#[test]
fn curl_uploads_over_the_network_with_a_token_of_the_right_role() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin);
    let [first, ..] = renewals();
    put(&edge, "a.pem", first.both());
    let token = |role: &str| done(vitrine(&edge, &format!("token new --name {role} --role {role}"))).trim().to_owned();
    let (read, operate) = (token("read"), token("operate"));
    let upload = |token: &str, file: &str| -> (String, Value) {
        let url = format!("http://{}/api/v1/certificates", edge.admin);
        let output = Command::new("curl")
            .args(["-sS", "-w", "\n%{http_code}", "-H", &format!("Authorization: Bearer {token}"), "-F"])
            .args([&format!("file=@{file}"), &url])
            .current_dir(edge.setup.folder.path())
            .output()
            .expect("curl");
        assert!(output.status.success(), "{}", said(&output.stderr));
        let text = said(&output.stdout);
        let (body, status) = text.rsplit_once('\n').expect("a status");
        (status.to_owned(), serde_json::from_str(body).expect("JSON"))
    };
    assert_eq!(upload("vit_0", "a.pem").0, "401");
    assert_eq!(upload(&read, "a.pem").0, "403");
    let (status, answer) = upload(&operate, "a.pem");
    assert_eq!((status.as_str(), &answer["certificates"][0]["serves"][0]), ("200", &"shop.example".into()), "{answer}");
    assert_eq!(serving(&edge), fingerprint(&first));
    put(&edge, "b.pem", &first.chain);
    let (status, answer) = upload(&operate, "b.pem");
    assert_eq!((status.as_str(), &answer["code"]), ("422", &"rejected".into()));
    assert_eq!((&answer["flaws"][0]["file"], &answer["flaws"][0]["code"]), (&"b.pem".into(), &"key-missing".into()));
    let big = fs::File::create(edge.setup.folder.path().join("big.pem")).expect("a file");
    big.set_len(50 * 1024 * 1024).expect("grown");
    let (status, answer) = upload(&operate, "big.pem");
    assert_eq!((status.as_str(), &answer["code"]), ("413", &"content-too-large".into()));
}
