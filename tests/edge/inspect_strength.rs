//! `vitrine inspect` on keys that are too short for anybody to believe in.

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::PROGRAM;

#[test]
fn a_short_rsa_key_is_rejected_and_named_for_what_it_is() {
    let place = tempfile::tempdir().expect("a folder");
    openssl(
        &place,
        "req -x509 -newkey rsa:1024 -nodes -subj /CN=shop.example -keyout short.key -out short.crt \
         -addext subjectAltName=DNS:shop.example -addext basicConstraints=critical,CA:FALSE",
    );
    openssl(&place, "rsa -in short.key -traditional -out traditional.key");
    openssl(&place, "pkcs12 -export -inkey short.key -in short.crt -passout pass: -out short.pfx");
    for file in ["short.key", "traditional.key", "short.crt", "short.pfx"] {
        let output = inspect(&place, &[file]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        // A certificate alone waits for its key in vain: that is said at once.
        let remark = &report["remarks"][0];
        assert_eq!((&remark["verdict"], &remark["code"]), (&"rejected".into(), &"weak-key".into()), "{file}: {report}");
        assert_eq!(output.status.code(), Some(1), "{file}");
    }
}

#[test]
fn a_weak_authority_in_the_chain_is_warned_of() {
    let place = tempfile::tempdir().expect("a folder");
    for (name, strength, by) in [("root", "2048", "root"), ("weak", "1024", "root")] {
        let by = if by == name { String::new() } else { format!(" -CA {by}.crt -CAkey {by}.key") };
        openssl(
            &place,
            &format!("req -x509 -newkey rsa:{strength} -nodes -subj /CN={name} -keyout {name}.key -out {name}.crt{by}"),
        );
    }
    openssl(
        &place,
        "req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=shop.example -keyout shop.key -out shop.crt \
         -addext subjectAltName=DNS:shop.example -addext basicConstraints=critical,CA:FALSE -CA weak.crt -CAkey weak.key",
    );
    let output = inspect(&place, &["shop.key", "shop.crt", "weak.crt", "root.crt"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let warnings = report["certificates"][0]["warnings"].as_array().expect("a list");
    assert!(warnings.iter().any(|warning| warning["code"] == "weak-key"), "{report}");
    assert_eq!(output.status.code(), Some(0));
}

fn openssl(place: &TempDir, command: &str) {
    let output = Command::new("openssl").args(command.split_whitespace()).current_dir(place).output();
    let output = output.expect("openssl runs");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

fn inspect(place: &TempDir, files: &[&str]) -> Output {
    Command::new(PROGRAM).arg("inspect").args(files).arg("--json").current_dir(place).output().expect("it runs")
}
