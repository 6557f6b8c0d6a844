//! `vitrine inspect`: what files are and what would become of them, said before anything goes live.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{KeyKind, PROGRAM, authority, drop_file};

#[test]
fn a_certificate_is_told_with_its_judgement() {
    let place = Place::new();
    // Not for whole days: what is left of them changes in the second in which one ends.
    let issued = authority().issue_for(&["shop.example", "www.shop.example"], KeyKind::Ecdsa, -1, 90 * 24 + 12);
    place.put("all.pem", format!("{}{}", issued.both(), authority().root_pem));
    place.openssl("pkcs12 -export -in all.pem -out shop.pfx -passout pass:geheim");
    place.put("word", "geheim\n");
    let output = place.inspect(&["--password-file", "word", "shop.pfx"]);
    assert_eq!((output.status.code(), said(&output.stderr).as_str()), (Some(0), ""));
    let text = said(&output.stdout);
    for part in [
        "FILE      CERTIFICATES  KEYS\nshop.pfx             2     1\n",
        "\naccepted with warnings: shop.example www.shop.example\n  key          ecdsa\n  issued by    Test Root\n  valid        2",
        " days left\n  fingerprint  ",
        "\n  file         shop.pfx\n  warning      no chain of valid certificates leads from it to a root that browsers trust: ",
        "\nauthority: Test Root, issued by Test Root, valid to ",
    ] {
        assert!(text.contains(part), "{part:?} in:\n{text}");
    }
    // Beside the file the password is found by itself.
    drop_file(&place.path("shop.pfx.password"), "geheim");
    assert_eq!(said(&place.inspect(&["shop.pfx"]).stdout), text);
    drop_file(&place.path("shop.pfx.password"), "falsch");
    let output = place.inspect(&["shop.pfx"]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output.stdout);
    assert!(text.contains("\nrejected: shop.pfx: its password does not open the file (password-wrong); "), "{text}");
    assert!(!text.contains("falsch") && !text.contains("geheim"), "{text}");
}

#[test]
fn everything_that_clients_will_have_against_a_certificate_is_said() {
    let place = Place::new();
    place.openssl(
        "req -x509 -newkey rsa:2048 -sha1 -nodes -days 3000 -subj /CN=shop.example -keyout bad.key -out bad.crt \
         -addext subjectAltName=DNS:shop.example -addext tlsfeature=status_request -addext certificatePolicies=2.23.140.1.1",
    );
    let report = place.report(&["bad.crt", "bad.key"]);
    let certificate = &report["certificates"][0];
    assert_eq!((&certificate["verdict"], &certificate["level"]), (&json!("accepted with warnings"), &json!("ev")));
    assert_eq!(codes(&certificate["warnings"]), ["self-signed", "weak-signature", "authority-as-leaf", "must-staple"]);

    // A public authority may not issue for so long; without its certificate the chain is not whole.
    let old = authority().issue_for(&["old.example"], KeyKind::Ecdsa, -24 * 300, 24 * 300);
    place.put("old.pem", old.both());
    assert_eq!(
        codes(&place.report(&["old.pem"])["certificates"][0]["warnings"]),
        ["chain-incomplete", "validity-too-long"]
    );
    let late = authority().issue_for(&["late.example"], KeyKind::Ecdsa, -48, -24);
    place.put("late.pem", format!("{}{}", late.both(), authority().root_pem));
    assert_eq!(codes(&place.report(&["late.pem"])["certificates"][0]["warnings"]), ["expired", "untrusted-root"]);
}

#[test]
fn an_authority_that_stands_behind_nothing_is_stray() {
    let place = Place::new();
    place.openssl("req -x509 -newkey rsa:2048 -nodes -subj /CN=Other -keyout other.key -out other.pem");
    place.put("shop.pem", format!("{}{}", authority().issue(&["shop.example"]).both(), authority().root_pem));
    let report = place.report(&["shop.pem", "other.pem"]);
    let authorities = report["authorities"].as_array().expect("a list");
    let found: Vec<_> = authorities.iter().map(|authority| (&authority["subject"], &authority["stray"])).collect();
    assert_eq!(found, [(&json!("Test Root"), &json!(false)), (&json!("Other"), &json!(true))]);
    let text = said(&place.inspect(&["shop.pem", "other.pem"]).stdout);
    assert!(text.contains("authority: Other, issued by Other, valid to 2") && text.contains(", stray: "), "{text}");
}

#[test]
fn the_words_in_a_certificate_make_no_lines_of_their_own() {
    let place = Place::new();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Evil\naccepted: everything\x1b[2J");
    let certificate = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
    place.put("evil.pem", certificate.pem());
    let text = said(&place.inspect(&["evil.pem"]).stdout);
    assert!(text.contains("authority: Evil\\naccepted: everything\\u{1b}[2J, issued by "), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("accepted")) && !text.contains('\x1b'), "{text}");
}

#[test]
fn what_would_not_serve_is_told_with_the_reason() {
    let place = Place::new();
    let (one, other) = (authority().issue(&["one.example"]), authority().issue(&["other.example"]));
    place.put("mixed.pem", format!("{}{}", one.chain, other.key));
    place.put("alone.crt", &one.chain);
    place.put("alone.key", &other.key);
    place.put("garbage.pem", "hello");
    fs::create_dir(place.path("folder.pem")).expect("created");
    let paths = ["mixed.pem", "alone.crt", "alone.key", "garbage.pem", "folder.pem", "nowhere.pem"];
    let report = place.report(&paths);
    let remarks: Vec<_> = report["remarks"].as_array().expect("a list").iter().map(remark).collect();
    assert_eq!(
        remarks,
        [
            ("alone.crt", "waiting", "waiting-for-key"),
            ("alone.key", "waiting", "waiting-for-certificate"),
            ("folder.pem", "rejected", "not-a-file"),
            ("garbage.pem", "rejected", "nothing"),
            ("mixed.pem", "rejected", "key-mismatch"),
            ("nowhere.pem", "rejected", "unreadable"),
        ]
    );
    assert_eq!(place.inspect(&paths).status.code(), Some(1));
    // Halves are nothing wrong.
    assert_eq!(place.inspect(&["alone.crt"]).status.code(), Some(0));
    assert_eq!(place.inspect(&[]).status.code(), Some(64));
}

fn remark(remark: &Value) -> (&str, &str, &str) {
    let text = |key: &str| remark[key].as_str().expect("a text");
    (text("file"), text("verdict"), text("code"))
}

fn codes(warnings: &Value) -> Vec<&str> {
    warnings.as_array().expect("a list").iter().map(|warning| warning["code"].as_str().expect("a code")).collect()
}

fn said(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// A folder of files to look at.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        drop_file(&self.path(name), content);
    }

    fn openssl(&self, command: &str) {
        let output = Command::new("openssl").args(command.split_whitespace()).current_dir(&self.0).output();
        let output = output.expect("openssl runs");
        assert!(output.status.success(), "{command}: {}", said(&output.stderr));
    }

    fn inspect(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM).arg("inspect").args(arguments).current_dir(&self.0).output().expect("it runs")
    }

    fn report(&self, files: &[&str]) -> Value {
        let output = self.inspect(&[files, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}
