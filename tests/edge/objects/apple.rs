//! Apple Pay's certificates that were requested elsewhere: kept, watched, and never offered in a handshake.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use super::{done, vitrine};
use crate::support::{Edge, Origin, Setup, eventually, run, shop_client};

const PROCESSING: &str = "merchant.shop-payment-processing";
const IDENTITY: &str = "merchant.shop-merchant-identity";

#[test]
fn a_certificate_out_of_any_form_is_kept_and_watched_and_never_serves() {
    let origin = Origin::saying("the shop");
    let edge = bare(&origin);
    let apple = Apple::beside(&edge);
    apple.processing("payment", 60);
    apple.identity("identity", 90);
    let told = done(vitrine(&edge, "objects add payment.cer --type apple-pay-certificate"));
    let serial = apple.openssl("x509 -in payment.pem -noout -serial").trim().replace("serial=", "").to_lowercase();
    let expected = format!(
        "{PROCESSING}: apple-pay-certificate, version 1\n  payment-processing of merchant.shop\n  \
         Apple Pay Payment Processing:merchant.shop, by Test Developer Relations\n  serial {serial}\n  fingerprint "
    );
    // The edge tells the octets of the number, of which the first may be its sign alone; openssl leaves that out.
    assert!(told.replacen("serial 00", "serial ", 1).starts_with(&expected), "{told}");
    done(vitrine(&edge, "objects add identity-chain.pem --type apple-pay-certificate"));
    let whole = |edge: &Edge| {
        let objects = edge.api("objects");
        let told = |object: &Value| {
            let own = &object["certificate"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&object["id"]), text(&own["purpose"]), text(&own["chain"]).matches("BEGIN").count())
        };
        assert_eq!(objects[0]["not_after"], objects[0]["certificate"]["not_after"]);
        assert_eq!((&objects[0]["not_after_from"], &objects[0]["state"]), (&"itself".into(), &"valid".into()));
        objects.iter().map(told).collect::<Vec<_>>()
    };
    let expected = [
        (IDENTITY.to_owned(), "merchant-identity".to_owned(), 2),
        (PROCESSING.to_owned(), "payment-processing".to_owned(), 1),
    ];
    assert_eq!(whole(&edge), expected);
    // With the shop's name in it, it would serve if it could.
    assert!(shop_client().try_open(edge.https, "shop.example").is_err());
    assert_eq!((edge.api("certificates"), edge.scrape().sum("vitrine_certificates_served", &[])), (Vec::new(), 0.0));
    let ends = |edge: &Edge, id: &str| {
        let file = format!("state/objects/{id}/0001/content");
        edge.scrape().sum("x509_cert_not_after", &[("filepath", &file), ("issuer_CN", "Test Developer Relations")])
    };
    let before = [PROCESSING, IDENTITY].map(|id| ends(&edge, id));
    assert!(before[0] > 0.0 && before[1] > before[0] + 29.0 * 86_400.0, "{before:?}");

    let edge = edge.end(Signal::KILL).start();
    assert_eq!((whole(&edge), [PROCESSING, IDENTITY].map(|id| ends(&edge, id))), (expected.to_vec(), before));
    // openssl follows the chain that was kept up to Apple's root.
    let kept = edge.setup.state().join("objects").join(IDENTITY).join("0001/content");
    let kept = kept.to_str().expect("a path");
    let verified = apple.openssl(&format!("verify -CAfile root.pem -untrusted {kept} {kept}"));
    assert!(verified.trim_end().ends_with(": OK"), "{verified}");
}

#[test]
fn the_certificate_that_replaces_it_is_a_version_until_it_is_gone_back_from() {
    let origin = Origin::saying("the shop");
    let edge = bare(&origin);
    let apple = Apple::beside(&edge);
    for (name, days) in [("one", 20), ("two", 400)] {
        apple.processing(name, days);
        done(vitrine(&edge, &format!("objects add {name}.cer --type apple-pay-certificate")));
    }
    // Brought once more, it is the same version.
    let told = done(vitrine(&edge, "objects add two.pem --type apple-pay-certificate"));
    assert!(told.starts_with(&format!("{PROCESSING}: apple-pay-certificate, version 2\n")), "{told}");
    let fingerprint = |edge: &Edge| {
        let object = edge.ask_api("GET", &format!("/api/v1/objects/{PROCESSING}")).json();
        object["certificate"]["fingerprint"].as_str().expect("text").to_owned()
    };
    assert_eq!(fingerprint(&edge), apple.fingerprint("two"));
    done(vitrine(&edge, &format!("objects rollback {PROCESSING} --to 1")));
    assert_eq!(fingerprint(&edge), apple.fingerprint("one"));
    let series = |edge: &Edge| {
        let series = edge.scrape().series("x509_cert_not_after", &[("filename", "content")]);
        series.into_iter().map(|(labels, _)| labels).collect::<Vec<_>>()
    };
    let shown = series(&edge);
    assert!(shown.len() == 1 && shown[0].contains(&format!("{PROCESSING}/0001/content")), "{shown:?}");
    let history = done(vitrine(&edge, &format!("objects history {PROCESSING}")));
    let holds: Vec<&str> = history.lines().filter(|line| line.contains("holds")).collect();
    assert!(history.lines().count() == 3 && holds.len() == 1 && holds[0].trim_start().starts_with('1'), "{history}");
    done(vitrine(&edge, &format!("objects remove {PROCESSING}")));
    assert_eq!((edge.api("objects"), series(&edge)), (Vec::new(), Vec::new()));
    assert!(!edge.setup.state().join("objects").join(PROCESSING).exists());
    let audit = edge.api("audit");
    let done = audit.iter().filter(|deed| deed["object"] == format!("objects/{PROCESSING}"));
    assert_eq!(done.count(), 5, "{audit:?}");
}

#[test]
fn an_end_that_is_near_is_an_alarm_until_something_takes_its_place() {
    let origin = Origin::saying("the shop");
    let edge = bare(&origin);
    let apple = Apple::beside(&edge);
    let alarms = |edge: &Edge| {
        let objects = |alarm: &Value| alarm["code"].as_str().is_some_and(|code| code.starts_with("object-"));
        let told = |alarm: &Value| format!("{}: {}", alarm["code"], alarm["message"]).replace('"', "");
        edge.api("alarms").iter().filter(|alarm| objects(alarm)).map(told).collect::<Vec<_>>()
    };
    let one = |begin: &str| {
        let is_it = |all: &Vec<String>| all.len() == 1 && all[0].starts_with(begin);
        eventually(begin, || Some(alarms(&edge)).filter(is_it));
    };
    for (days, code) in
        [(40, "object-expires-soon: these end within 45 days"), (5, "object-expires-now: these end within 10 days")]
    {
        apple.processing("payment", days);
        done(vitrine(&edge, "objects add payment.cer --type apple-pay-certificate"));
        one(&format!("{code}{}: {PROCESSING} (until ", if days == 5 { ", or have ended" } else { "" }));
    }
    edge.counted(1.0, "vitrine_certificate_alarms", &[("code", "object-expires-now")]);
    let edge = edge.end(Signal::TERM).start();
    edge.counted(1.0, "vitrine_certificate_alarms", &[("code", "object-expires-now")]);
    apple.processing("payment", 400);
    done(vitrine(&edge, "objects add payment.cer --type apple-pay-certificate"));
    eventually("no alarm", || alarms(&edge).is_empty().then_some(()));
    // A proof that holds as long as a certificate has no end of its own; one with an end has.
    fs::write(edge.setup.folder.path().join("proof"), "7B227073704964").expect("written");
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site shop.example"));
    edge.counted(0.0, "vitrine_certificate_alarms", &[("code", "object-expires-soon")]);
    let day = (time::OffsetDateTime::now_utc() + time::Duration::days(20)).date();
    done(vitrine(
        &edge,
        &format!("objects add proof --type apple-pay-identity-proof --site shop.example --expires {day}"),
    ));
    let expected = format!("object-expires-soon: these end within 45 days: shop.example (until {day}); ");
    eventually("the proof's alarm", || alarms(&edge).iter().any(|told| told.starts_with(&expected)).then_some(()));
}

#[test]
fn a_private_key_that_comes_along_is_told_of_and_not_kept() {
    let origin = Origin::saying("the shop");
    let edge = bare(&origin);
    let apple = Apple::beside(&edge);
    apple.identity("identity", 90);
    apple.openssl("pkcs12 -export -in identity-chain.pem -inkey identity.key -passout pass:secret -out identity.p12");
    let refused = vitrine(&edge, "objects add identity.p12 --type apple-pay-certificate");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("password-missing"), "{said}");
    let password = edge.setup.folder.path().join("identity.p12.password");
    fs::write(&password, "secret\n").expect("written");
    fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("closed");
    let output = vitrine(&edge, "objects add identity.p12 --type apple-pay-certificate");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("not taken: identity.p12 (key-not-kept): there is a private key in it"), "{said}");
    done(output);
    let folder = edge.setup.state().join("objects").join(IDENTITY).join("0001");
    let kept = fs::read_to_string(folder.join("content")).expect("text");
    assert_eq!((kept.matches("BEGIN CERTIFICATE").count(), kept.matches("KEY").count()), (2, 0));
    assert_eq!(fs::read_dir(folder).expect("a folder").count(), 2);
}

#[test]
fn what_is_no_certificate_of_apple_pays_is_refused_with_the_mend() {
    let origin = Origin::saying("the shop");
    let edge = bare(&origin);
    let apple = Apple::beside(&edge);
    apple.issue("server", "/CN=shop.example", "ec", 30, "subjectAltName = DNS:shop.example");
    apple.issue("nobody", "/O=Nobody", "ec", 30, FIELD);
    apple.processing("payment", 30);
    apple.processing("other", 31);
    let both = ["payment.pem", "other.pem"].map(|name| fs::read(edge.setup.folder.path().join(name)).expect("read"));
    fs::write(edge.setup.folder.path().join("both.pem"), both.concat()).expect("written");
    fs::write(edge.setup.folder.path().join("proof"), "7B227073704964").expect("written");
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site shop.example"));
    for (line, words) in [
        ("objects add server.cer --type apple-pay-certificate", "(not-apple-pay); fetch it from developer.apple.com"),
        ("objects add proof --type apple-pay-certificate", "neither certificate nor key"),
        ("objects add both.pem --type apple-pay-certificate", "(several); bring each by itself"),
        ("objects add nobody.cer --type apple-pay-certificate", "id: expected one"),
        ("objects add payment.cer --type apple-pay-certificate --site shop.example", "no site shows it"),
        ("objects add payment.cer --type apple-pay-certificate --expires 2999-12-31", "it says so itself"),
        (
            "objects add payment.cer --type apple-pay-certificate --id shop.example",
            "is of the type apple-pay-identity-proof",
        ),
        ("objects add payment.cer --type apple-pay-certificate --id a/b", "without a slash"),
    ] {
        let output = vitrine(&edge, line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{line}: {said}");
    }
    let unnamed = vitrine(&edge, "objects add proof --type apple-pay-identity-proof");
    assert_eq!(unnamed.status.code(), Some(64), "a proof is for sites");
    assert_eq!(edge.api("objects").len(), 1);
    done(vitrine(&edge, "objects add nobody.cer --type apple-pay-certificate --id a-name"));
    assert_eq!(edge.api("objects")[0]["id"], "a-name");
}

#[test]
fn one_that_nobody_waits_for_says_where_it_belongs() {
    let origin = Origin::saying("the shop");
    let edge = bare(&origin);
    let apple = Apple::beside(&edge);
    apple.processing("payment", 60);
    apple.openssl("pkcs12 -export -in payment-chain.pem -inkey payment.key -passout pass: -out payment.p12");
    let mend = "any other is kept with: vitrine objects add FILE --type apple-pay-certificate";
    for file in ["payment.cer", "payment-chain.pem", "payment.p12"] {
        let output = vitrine(&edge, &format!("certs import {file}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("(not-for-servers)") && said.contains(mend), "{said}");
        fs::copy(edge.setup.folder.path().join(file), edge.setup.certs().join(file)).expect("dropped");
        let listed = eventually("the rejection", || {
            edge.api("rejected").into_iter().find(|one| one["file"] == format!("certs/{file}"))
        });
        assert_eq!((&listed["state"], &listed["code"]), (&"rejected".into(), &"not-for-servers".into()), "{listed}");
        assert!(listed["mend"].as_str().is_some_and(|told| told.ends_with(mend)), "{listed}");
    }
    assert_eq!((edge.api("certificates"), edge.api("objects")), (Vec::new(), Vec::new()));
    assert!(shop_client().try_open(edge.https, "shop.example").is_err());
}

#[test]
fn a_backup_has_it_with_its_versions() {
    let origin = Origin::saying("the shop");
    let edge = bare(&origin);
    let apple = Apple::beside(&edge);
    for (name, days) in [("one", 20), ("two", 400)] {
        apple.processing(name, days);
        done(vitrine(&edge, &format!("objects add {name}.cer --type apple-pay-certificate")));
    }
    let objects = edge.api("objects");
    done(run(&["backup", "--config", "vitrine.toml", "--to", "b.tar"], &edge.setup));
    let mut elsewhere = Setup::new();
    elsewhere.site(&["shop.example"], &[&origin]);
    let file = edge.setup.folder.path().join("b.tar").display().to_string();
    done(run(&["restore", &file, "--to", "state"], &elsewhere));
    assert_eq!(elsewhere.start().api("objects"), objects);
}

/// An edge with a site, and no certificate for it.
fn bare(origin: &Origin) -> Edge {
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[origin]);
    setup.start()
}

/// An authority as Apple has one, made with openssl in the folder of an edge.
struct Apple(PathBuf);

impl Apple {
    fn beside(edge: &Edge) -> Self {
        let apple = Self(edge.setup.folder.path().to_path_buf());
        let ca = "basicConstraints = critical, CA:true\nsubjectKeyIdentifier = hash";
        apple.make("root", "/CN=Test Apple Root", "ec", 3650, ca, None);
        apple.make("wwdr", "/CN=Test Developer Relations/O=Test Apple", "ec", 3650, ca, Some("root"));
        apple
    }

    /// As Apple issues one for a key that payments are encrypted for.
    fn processing(&self, name: &str, days: u32) {
        let subject = "/UID=merchant.shop/CN=Apple Pay Payment Processing:merchant.shop/O=Shop";
        let use_of_key = "keyUsage = critical, keyEncipherment, keyAgreement\nsubjectAltName = DNS:shop.example";
        self.issue(name, subject, "ec", days, &format!("{FIELD}\n{use_of_key}"));
    }

    /// As Apple issues one for a key that a shop shows who it is with.
    fn identity(&self, name: &str, days: u32) {
        let subject = "/UID=merchant.shop/CN=Apple Pay Merchant Identity:merchant.shop/O=Shop";
        let own = "extendedKeyUsage = clientAuth\n1.2.840.113635.100.6.46 = ASN1:NULL";
        self.issue(name, subject, "rsa", days, &format!("{FIELD}\n{own}"));
    }

    /// NAME.pem, NAME.cer in DER, and NAME-chain.pem with the issuers, the root first; NAME.key has the key.
    fn issue(&self, name: &str, subject: &str, key: &str, days: u32, extensions: &str) {
        self.make(name, subject, key, days, extensions, Some("wwdr"));
        self.openssl(&format!("x509 -in {name}.pem -outform DER -out {name}.cer"));
        let read = |name: &str| fs::read_to_string(self.0.join(name)).expect("PEM");
        let chain = ["root.pem", "wwdr.pem", &format!("{name}.pem")].map(read).concat();
        fs::write(self.0.join(format!("{name}-chain.pem")), chain).expect("written");
    }

    fn make(&self, name: &str, subject: &str, key: &str, days: u32, extensions: &str, issuer: Option<&str>) {
        let key = match key {
            "rsa" => "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
            _ => "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        };
        self.openssl(&format!("genpkey {key} -out {name}.key"));
        self.run(&["req", "-new", "-key", &format!("{name}.key"), "-subj", subject, "-out", &format!("{name}.csr")]);
        fs::write(self.0.join("extensions"), extensions).expect("written");
        let signer = match issuer {
            Some(issuer) => format!("-CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial"),
            None => format!("-signkey {name}.key"),
        };
        self.openssl(&format!("x509 -req -in {name}.csr {signer} -days {days} -extfile extensions -out {name}.pem"));
    }

    fn fingerprint(&self, name: &str) -> String {
        let told = self.openssl(&format!("x509 -in {name}.pem -noout -fingerprint -sha256"));
        told.trim().rsplit('=').next().unwrap_or_default().replace(':', "").to_lowercase()
    }

    fn openssl(&self, line: &str) -> String {
        self.run(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn run(&self, arguments: &[&str]) -> String {
        let folder: &Path = &self.0;
        let output = Command::new("openssl").args(arguments).current_dir(folder).output().expect("openssl");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

/// The merchant identifier field, by which Apple's are known.
const FIELD: &str = "1.2.840.113635.100.6.32 = ASN1:UTF8String:6C1F0A3B";
