//! Sites that nobody but their builders visits: any certificate at hand will do there, and nowhere else.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Edge, Origin, Setup, eventually, run};

#[test]
fn what_openssl_makes_by_itself_is_without_fault_where_all_sites_are_for_staging() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.raw_site(&site("a.example", &origin, "true")).raw_site(&site("b.example", &origin, "true"));
    openssl(
        &setup,
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=a.example -addext subjectAltName=DNS:a.example,DNS:b.example \
         -keyout certs/own.key -out certs/own.crt",
    );
    let mut edge = setup.start();
    assert_eq!(judged(&edge), (json!("accepted"), vec![]));
    assert_eq!(edge.api("sites")[1]["hosts"][0]["state"], "served");

    let own = vec!["self-signed".to_owned(), "authority-as-leaf".to_owned()];
    edge.setup.forget_sites();
    edge.setup.raw_site(&site("a.example", &origin, "true")).raw_site(&site("b.example", &origin, "false"));
    edge.reload();
    eventually("the warnings", || (judged(&edge) == (json!("accepted with warnings"), own.clone())).then_some(()));
}

#[test]
fn inspect_judges_by_the_sites_of_a_configuration() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.raw_site(&site("a.example", &origin, "true")).raw_site(&site("b.example", &origin, "true"));
    setup.raw_site(&format!("{}minimum_validation = \"ov\"\n", site("c.example", &origin, "true")));
    setup.write();
    openssl(
        &setup,
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=a.example -keyout own.key -out own.crt \
         -addext subjectAltName=DNS:a.example,DNS:mail.example",
    );
    openssl(
        &setup,
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=c.example -keyout c.key -out c.crt \
         -addext subjectAltName=DNS:c.example -addext certificatePolicies=2.23.140.1.2.1",
    );
    let codes = |setup: &Setup, arguments: &[&str]| {
        let output = run(&[&["inspect", "--json"], arguments].concat(), setup);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        of(&report["certificates"][0]["warnings"])
    };
    assert_eq!(codes(&setup, &["own.crt", "own.key"]), ["self-signed", "authority-as-leaf"]);
    assert_eq!(codes(&setup, &["--config", "vitrine.toml", "own.crt", "own.key"]), ["names-unused"]);
    assert_eq!(codes(&setup, &["--config", "vitrine.toml", "c.crt", "c.key"]), ["validation-too-low"]);

    // Roots that the configuration names are trusted; what is wrong with it is said.
    setup.set("certificates", "trusted_roots = [\"own.crt\"]");
    setup.write();
    assert_eq!(codes(&setup, &["--config", "vitrine.toml", "own.crt", "own.key"]), ["names-unused"]);
    let output = run(&["inspect", "--config", "missing.toml", "own.crt"], &setup);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}

fn site(host: &str, origin: &Origin, staging: &str) -> String {
    format!("[[site]]\nhosts = [{host:?}]\nupstreams = [{:?}]\nstaging = {staging}\n", origin.url())
}

fn judged(edge: &Edge) -> (Value, Vec<String>) {
    let certificate = edge.api("certificates").remove(0);
    (certificate["verdict"].clone(), of(&certificate["warnings"]))
}

fn of(warnings: &Value) -> Vec<String> {
    let codes = warnings.as_array().expect("a list").iter().map(|warning| warning["code"].as_str().expect("a code"));
    codes.map(str::to_owned).collect()
}

fn openssl(setup: &Setup, command: &str) {
    let output = Command::new("openssl").args(command.split_whitespace()).current_dir(setup.folder.path()).output();
    let output = output.expect("openssl runs");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}
