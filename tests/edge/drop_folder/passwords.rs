//! Keys behind a password that lies beside their file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::Signal;

use super::formats::{File, openssl, put};
use super::{bare, certs, rejected, serves};
use crate::support::command::{done, said, vitrine};
use crate::support::{Edge, Issued, KeyKind, Origin, Setup, authority, drop_file, eventually, message, replace_file};

#[test]
fn every_form_of_pkcs12_is_read() {
    let origin = Origin::saying("hello");
    let forms = [
        ("default.example", "geheim", ""),
        ("legacy.example", "geheim", "-legacy"),
        ("windows-aes.example", "geheim", "-keypbe AES-256-CBC -certpbe AES-256-CBC -macalg sha256 -iter 2000"),
        ("windows-3des.example", "geheim", "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -iter 2000"),
        ("aes-128.example", "geheim", "-keypbe AES-128-CBC -certpbe AES-128-CBC -macalg sha512"),
        ("utf-8.example", "Schl\u{fc}ssel\u{20ac}\u{df}", ""),
        ("no-mac.example", "geheim", "-nomac"),
        ("open.example", "", "-keypbe NONE -certpbe NONE -nomac"),
        ("empty.example", "", ""),
    ];
    let edge = bare(&origin, &forms.map(|(host, ..)| host));
    for (host, password, options) in forms {
        let issued = authority().issue(&[host]);
        let pfx = pkcs12(&issued, password, options);
        // The name says nothing.
        let name = format!("{host}.{}", if options.is_empty() { "pem" } else { "pfx" });
        if !password.is_empty() {
            drop_file(&certs(&edge, &format!("{name}.password")), password);
        }
        drop_file(&certs(&edge, &name), pfx);
        serves(&edge, host, &issued);
    }
    assert_eq!(edge.api("rejected"), Vec::<serde_json::Value>::new());
    let said = format!("{:?}", edge.log());
    assert!(!said.contains("geheim") && !said.contains("Schl"), "a password in the log: {said}");
}

#[test]
fn every_form_of_an_encrypted_key_is_read() {
    let origin = Origin::saying("hello");
    let forms = [
        ("pkcs8.example", KeyKind::Ecdsa, "pkcs8 -topk8 -passout pass:geheim"),
        ("pkcs8-der.example", KeyKind::Ecdsa, "pkcs8 -topk8 -outform DER -passout pass:geheim"),
        ("pkcs8-rsa.example", KeyKind::Rsa, "pkcs8 -topk8 -passout pass:geheim"),
        ("pkcs8-sha1.example", KeyKind::Ecdsa, "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA1 -passout pass:geheim"),
        ("pkcs8-3des.example", KeyKind::Ecdsa, "pkcs8 -topk8 -v2 des3 -passout pass:geheim"),
        ("pkcs8-v1.example", KeyKind::Ecdsa, "pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout pass:geheim"),
        ("ec-128.example", KeyKind::Ecdsa, "ec -aes128 -passout pass:geheim"),
        ("ec-192.example", KeyKind::Ecdsa, "ec -aes192 -passout pass:geheim"),
        ("ec-256.example", KeyKind::Ecdsa, "ec -aes256 -passout pass:geheim"),
        ("rsa-3des.example", KeyKind::Rsa, "rsa -traditional -des3 -passout pass:geheim"),
    ];
    let edge = bare(&origin, &forms.map(|(host, ..)| host));
    for (host, kind, command) in forms {
        let issued = authority().issue_for(&[host], kind, -1, 24);
        let key = openssl(command, &issued.key);
        drop_file(&certs(&edge, &format!("{host}.key.password")), "geheim\n");
        drop_file(&certs(&edge, &format!("{host}.key")), key);
        drop_file(&certs(&edge, &format!("{host}.crt")), &issued.chain);
        serves(&edge, host, &issued);
    }
    assert_eq!(edge.api("rejected"), Vec::<serde_json::Value>::new());
}

#[test]
fn a_file_waits_for_its_password_and_a_wrong_one_is_told_from_a_damaged_file() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["shop.example", "key.example", "old.example"]);
    let (issued, keyed, old) = (
        authority().issue(&["shop.example"]),
        authority().issue(&["key.example"]),
        authority().issue(&["old.example"]),
    );
    let pfx = pkcs12(&issued, "geheim", "");
    let encrypted = openssl("pkcs8 -topk8 -passout pass:geheim", &keyed.key);
    let traditional = openssl("ec -aes256 -passout pass:geheim", &old.key);
    put(
        &edge,
        vec![
            ("a.pfx", pfx.clone()),
            ("b.key", encrypted),
            ("b.crt", keyed.chain.clone().into_bytes()),
            ("c.pem", [traditional, old.chain.clone().into_bytes()].concat()),
        ],
    );
    let files = ["a.pfx", "b.key", "c.pem"];
    let told = |file: &str, state: &str, code: &str| {
        let entry = eventually(&format!("{file} as {code}"), || {
            let entry = rejected(&edge, &format!("certs/{file}"));
            (entry["code"] == code).then_some(entry)
        });
        assert_eq!(entry["state"], state, "{entry}");
    };
    files.iter().for_each(|file| told(file, "waiting", "waiting-for-password"));

    let password = |file: &str| certs(&edge, &format!("{file}.password"));
    files.iter().for_each(|file| replace_file(&password(file), "falsch"));
    files.iter().for_each(|file| told(file, "rejected", "password-wrong"));
    files.iter().for_each(|file| replace_file(&password(file), "ge\nheim"));
    files.iter().for_each(|file| told(file, "rejected", "password-malformed"));

    // The right one, where others may read it, is none.
    let exposed = |file: &str| {
        let beside = certs(&edge, ".new");
        drop_file(&beside, "geheim");
        fs::set_permissions(&beside, Permissions::from_mode(0o640)).expect("set");
        fs::rename(beside, password(file)).expect("renamed");
    };
    files.iter().for_each(|file| exposed(file));
    files.iter().for_each(|file| told(file, "rejected", "password-exposed"));
    for file in files {
        fs::set_permissions(password(file), Permissions::from_mode(0o600)).expect("set");
    }
    serves(&edge, "shop.example", &issued);
    serves(&edge, "key.example", &keyed);
    serves(&edge, "old.example", &old);
    eventually("an empty list", || edge.api("rejected").is_empty().then_some(()));

    // A damaged file is none with a wrong password, and what was good serves on.
    let mut damaged = pfx.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    replace_file(&certs(&edge, "a.pfx"), damaged);
    told("a.pfx", "rejected", "malformed");
    replace_file(&certs(&edge, "a.pfx"), &pfx[..pfx.len() - 9]);
    told("a.pfx", "rejected", "truncated");
    serves(&edge, "shop.example", &issued);
    // So it does when the password goes, as the operator may want.
    replace_file(&certs(&edge, "a.pfx"), &pfx);
    eventually("an empty list", || edge.api("rejected").is_empty().then_some(()));
    fs::remove_file(password("a.pfx")).expect("removed");
    told("a.pfx", "waiting", "waiting-for-password");
    serves(&edge, "shop.example", &issued);
    let said = format!("{:?}", edge.log());
    assert!(!said.contains("geheim") && !said.contains("falsch"), "a password in the log: {said}");
}

#[test]
fn who_imports_what_lies_in_the_folder_may_delete_it_and_its_password() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example", "other.example"], &[&origin]);
    let (issued, other) = (authority().issue(&["shop.example"]), authority().issue(&["other.example"]));
    drop_file(&setup.certs().join("a.pfx.password"), "geheim");
    drop_file(&setup.certs().join("a.pfx"), pkcs12(&issued, "geheim", ""));
    let edge = setup.start();
    serves(&edge, "shop.example", &issued);
    let line = edge.logged("then delete the file and the password");
    assert_eq!((&line["level"], &line["file"]), (&"INFO".into(), &"certs/a.pfx".into()));
    assert!(message(&line).contains("vitrine certs import certs/a.pfx,"), "{line}");

    let output = vitrine(&edge, "certs import certs/a.pfx");
    assert!(said(&output.stderr).contains("the files, and the password file, may be deleted here"), "{output:?}");
    assert!(done(output).contains("serves shop.example"));
    for name in ["a.pfx", "a.pfx.password"] {
        fs::remove_file(certs(&edge, name)).expect("removed");
    }
    // Whoever sees this one has seen that the others went.
    drop_file(&certs(&edge, "other.pem"), other.both());
    serves(&edge, "other.example", &other);
    let states = |edge: &Edge| -> Vec<(bool, bool)> {
        let certificates = edge.api("certificates");
        let of = |certificate: &serde_json::Value| (certificate["in_grace"] == true, certificate["held"] == true);
        certificates.iter().map(of).collect()
    };
    assert_eq!(states(&edge), [(false, false); 2]);
    serves(&edge, "shop.example", &issued);
    let edge = edge.end(Signal::KILL).start();
    serves(&edge, "shop.example", &issued);
    assert_eq!((states(&edge), edge.api("rejected")), (vec![(false, false); 2], vec![]));
    let log = format!("{:?}", edge.log());
    assert!(!log.contains("then delete the file and the password") && !log.contains("geheim"), "{log}");
}

#[test]
fn an_encrypted_key_may_be_read_by_everybody_and_an_open_one_not() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["shop.example", "open.example"]);
    let [shut, open] = ["shop.example", "open.example"].map(|host| authority().issue(&[host]));
    let exposed = |name: &str, content: Vec<u8>| {
        drop_file(&certs(&edge, ".new"), content);
        fs::set_permissions(certs(&edge, ".new"), Permissions::from_mode(0o644)).expect("set");
        fs::rename(certs(&edge, ".new"), certs(&edge, name)).expect("renamed");
    };
    drop_file(&certs(&edge, "a.pfx.password"), "geheim");
    exposed("a.pfx", pkcs12(&shut, "geheim", ""));
    exposed("b.pfx", pkcs12(&open, "", ""));
    serves(&edge, "shop.example", &shut);
    serves(&edge, "open.example", &open);
    let alarm = eventually("an alarm", || edge.api("alarms").into_iter().find(|alarm| alarm["code"] == "key-readable"));
    let message = alarm["message"].as_str().expect("a text");
    assert!(message.contains("b.pfx") && !message.contains("a.pfx"), "{message}");
}

#[test]
fn what_nobody_should_use_any_more_is_named_with_the_line_that_converts_it() {
    let origin = Origin::saying("hello");
    let edge = bare(&origin, &["rc2.example", "ber.example", "md5.example"]);
    let [rc2, ber, md5] = ["rc2.example", "ber.example", "md5.example"].map(|host| authority().issue(&[host]));
    let forms: [(&str, File, &str); 3] = [
        (
            "rc2.example",
            ("a.pfx", pkcs12(&rc2, "geheim", "-legacy -keypbe PBE-SHA1-RC2-128 -certpbe PBE-SHA1-RC4-128")),
            "pkcs12",
        ),
        ("ber.example", ("b.p12", indefinite(&pkcs12(&ber, "geheim", "-nomac"))), "pkcs12"),
        (
            "md5.example",
            (
                "c.key",
                openssl(
                    "pkcs8 -topk8 -v1 PBE-MD5-DES -provider legacy -provider default -passout pass:geheim",
                    &md5.key,
                ),
            ),
            "encrypted-key",
        ),
    ];
    put(&edge, vec![("c.crt", md5.chain.clone().into_bytes())]);
    for ((host, (name, content), code), issued) in forms.into_iter().zip([&rc2, &ber, &md5]) {
        drop_file(&certs(&edge, &format!("{name}.password")), "geheim");
        drop_file(&certs(&edge, name), content);
        let entry = rejected(&edge, &format!("certs/{name}"));
        assert_eq!(entry["code"], code, "{entry}");
        // The line that is shown does what it says.
        let mend = entry["mend"].as_str().expect("a mend");
        let line = mend.split_once("with: ").expect("a line").1;
        let line = line.replace("OLD", &shell(&edge, name)).replace("NEW", &shell(&edge, &format!("{name}-new")));
        let done = Command::new("sh").args(["-c", &format!("{line} -passin pass:geheim")]).output().expect("sh runs");
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        let converted = if code == "pkcs12" { format!("{name}-new.pem") } else { format!("{name}-new") };
        fs::rename(certs(&edge, &converted), certs(&edge, &format!("{name}-new.key"))).expect("renamed");
        serves(&edge, host, issued);
    }
}

fn shell(edge: &Edge, name: &str) -> String {
    format!("'{}'", certs(edge, name).display())
}

/// The key with its certificate and root.
fn pkcs12(issued: &Issued, password: &str, options: &str) -> Vec<u8> {
    let all = format!("{}{}", issued.both(), authority().root_pem);
    openssl(format!("pkcs12 -export -passout pass:{password} {options}").trim_end(), &all)
}

/// The same value with an end instead of a length, as old Java and macOS write it.
fn indefinite(der: &[u8]) -> Vec<u8> {
    assert_eq!(der[..2], [0x30, 0x82]);
    [&[0x30, 0x80], &der[4..], &[0, 0]].concat()
}
