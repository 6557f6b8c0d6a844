//! What sites ask of their certificates: a level of validation, and that all their names have one.

use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair};
use serde_json::{Value, json};

use crate::support::{Edge, Origin, Setup, drop_file, eventually, run};

#[test]
fn a_certificate_below_the_minimum_serves_only_where_nothing_else_could() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.raw_site(&site(&origin, &["shop.example"], "minimum_validation = \"ev\""));
    setup.raw_site(&site(&origin, &["other.example"], ""));
    setup.set("certificates", "trusted_roots = [\"certs/ev.crt\", \"certs/dv.crt\"]");
    // The shop's best is the older one; elsewhere the newest serves.
    issue(&setup, "ev", EXTENDED, 9);
    issue(&setup, "dv", DOMAIN, 1);
    let edge = setup.start();
    let expected = json!([["ev", "validation that the site asks for before less"], ["dv", "issued later"]]);
    eventually("the choice", || (chosen(&edge) == expected).then_some(()));
    assert_eq!(codes(&edge, "certs/dv.crt"), ["validation-too-low"]);
    assert_eq!(codes(&edge, "certs/ev.crt"), [""; 0]);

    // Without the other a name that is served goes on being served.
    for file in ["ev.crt", "ev.key"] {
        std::fs::rename(edge.setup.certs().join(file), edge.setup.folder.path().join(file)).expect("moved");
    }
    let withdrawn =
        json!([["ev", "validation that the site asks for before less"], ["dv", "in place before withdrawn"]]);
    eventually("the withdrawal", || (chosen(&edge) == withdrawn).then_some(()));
}

#[test]
fn names_of_a_site_that_nothing_covers_are_said_of_what_covers_the_others() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.raw_site(&site(&origin, &["shop.example", "late.example", "other.example"], "staging = true"));
    issue(&setup, "own", DOMAIN, 1);
    let edge = setup.start();
    assert_eq!(codes(&edge, "certs/own.crt"), ["site-names-uncovered"]);
    let reason = edge.api("certificates")[0]["warnings"][0]["reason"].clone();
    assert_eq!(reason, "no certificate covers these names of the site shop.example: late.example");
    let output = run(&["check", "--config", "vitrine.toml"], &edge.setup);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.matches("no certificate covers").count(), 1, "{text}");
}

/// The file of what serves each site's first host, and why.
pub(crate) fn chosen(edge: &Edge) -> Value {
    let certificates = edge.api("certificates");
    let serving = |site: &Value| {
        let serving = &site["hosts"][0]["certificates"][0];
        let is_it = |certificate: &&Value| certificate["fingerprint"] == serving["fingerprint"];
        let file = certificates.iter().find(is_it).map_or("", |found| found["file"].as_str().expect("a text"));
        json!([file.trim_start_matches("certs/").trim_end_matches(".crt"), serving["rule"]])
    };
    edge.api("sites").iter().map(serving).collect()
}

pub(crate) fn codes(edge: &Edge, file: &str) -> Vec<String> {
    let certificates = edge.api("certificates");
    let found = certificates.iter().find(|certificate| certificate["file"] == file).expect("the certificate");
    let warnings = found["warnings"].as_array().expect("a list").iter();
    warnings.map(|warning| warning["code"].as_str().expect("a code").to_owned()).collect()
}

pub(crate) fn site(origin: &Origin, hosts: &[&str], more: &str) -> String {
    format!("[[site]]\nhosts = {hosts:?}\nupstreams = [{:?}]\n{more}\n", origin.url())
}

/// A certificate of its own with this policy, valid from so many days ago.
pub(crate) fn issue(setup: &Setup, name: &str, policy: &[u8], days: i64) {
    let mut params =
        CertificateParams::new(vec!["shop.example".to_owned(), "other.example".to_owned()]).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = time::OffsetDateTime::now_utc() - time::Duration::days(days);
    params.not_after = params.not_before + time::Duration::days(days + 30);
    let identifier = [&[0x06, policy.len() as u8], policy].concat();
    let information = [&[0x30, identifier.len() as u8], &identifier[..]].concat();
    let policies = [&[0x30, information.len() as u8], &information[..]].concat();
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 32], policies)];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    drop_file(&setup.certs().join(format!("{name}.crt")), certificate.pem());
    drop_file(&setup.certs().join(format!("{name}.key")), key.serialize_pem());
}

/// 2.23.140.1.1
pub(crate) const EXTENDED: &[u8] = &[0x67, 0x81, 0x0C, 0x01, 0x01];
/// 2.23.140.1.2.1
pub(crate) const DOMAIN: &[u8] = &[0x67, 0x81, 0x0C, 0x01, 0x02, 0x01];
