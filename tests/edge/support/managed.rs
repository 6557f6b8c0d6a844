//! Edges with managed sites, and what they tell of them.

use std::process::Command;

use serde_json::Value;

use super::command::{done, vitrine};
use super::pebble::Pebble;
use super::{Edge, Origin, Setup, eventually};

/// An edge with a managed site of this name that says `more` of itself.
pub(crate) fn managed_site(pebble: &Pebble, origin: &Origin, host: &str, more: &str) -> Setup {
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    setup.raw_site(&site_text(origin, host, more));
    setup
}

/// Such a site as the configuration has it.
pub(crate) fn site_text(origin: &Origin, host: &str, more: &str) -> String {
    format!("[[site]]\nhosts = [\"{host}\"]\nupstreams = [\"{}\"]\ncertificate = \"managed\"\n{more}\n", origin.url())
}

/// What is told of the site's orders.
pub(crate) fn orders_of(edge: &Edge, site: &str) -> Value {
    let found = edge.api("sites").into_iter().find(|known| known["name"] == site).expect("the site");
    found["managed"].clone()
}

/// The same once it is in this state.
pub(crate) fn orders_in(edge: &Edge, site: &str, state: &str) -> Value {
    eventually(state, || Some(orders_of(edge, site)).filter(|told| told["state"] == state))
}

/// What is told of one type of key, once it is in this state.
pub(crate) fn key_in(edge: &Edge, site: &str, key_type: &str, state: &str) -> Value {
    eventually(state, || {
        let keys = orders_of(edge, site)["keys"].as_array().cloned().unwrap_or_default();
        keys.into_iter().find(|key| key["key_type"] == key_type && key["state"] == state)
    })
}

/// The certificates in service for this name.
pub(crate) fn certificates_of(edge: &Edge, name: &str) -> Vec<Value> {
    let all = edge.api("certificates").into_iter();
    all.filter(|one| one["names"].as_array().is_some_and(|names| names.iter().any(|known| known == name))).collect()
}

/// Lets a name that was shown before lead elsewhere, so that nothing is issued for it. The edge gets a new account with its next
/// order: one time of a hundred Pebble 2.4 does not ask again for what an account has shown, whatever PEBBLE_AUTHZREUSE says.
pub(crate) fn lead_astray(edge: &Edge, pebble: &Pebble, name: &str) {
    std::fs::remove_dir_all(edge.setup.state().join("acme/pebble")).expect("an account");
    pebble.point(name, "127.0.0.9");
}

/// Orders another certificate, and waits until nothing but that is in service for the name.
pub(crate) fn renewed(edge: &Edge, site: &str) {
    let current = certificates_of(edge, site).remove(0);
    // Of two that are dated alike the fingerprint may speak for the first.
    eventually("a later second", || {
        let now =
            time::OffsetDateTime::now_utc().format(&time::format_description::well_known::Rfc3339).expect("a time");
        (now.get(..19) > current["not_before"].as_str().expect("a time").get(..19)).then_some(())
    });
    let before = current["fingerprint"].clone();
    done(vitrine(edge, &format!("sites renew {site}")));
    replaced(edge, site, &before);
}

/// Waits until nothing but another certificate is in service for the name, and gives it.
pub(crate) fn replaced(edge: &Edge, name: &str, before: &Value) -> Value {
    eventually("another certificate", || {
        let mut now = certificates_of(edge, name);
        (now.len() == 1 && now[0]["fingerprint"] != *before).then(|| now.remove(0))
    })
}

/// The certificate that a client of openssl's is shown which signs off these algorithms alone, PEM; `None`: the handshake failed.
pub(crate) fn shown_to_openssl(edge: &Edge, name: &str, algorithms: &str) -> Option<String> {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &edge.https.to_string(), "-servername", name, "-sigalgs", algorithms])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("openssl is there");
    let text = String::from_utf8_lossy(&output.stdout);
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let at = text.find(begin)?;
    Some(text[at..at + text[at..].find(end)? + end.len()].to_owned())
}

/// What openssl says of a certificate.
pub(crate) fn read_by_openssl(pem: &str, what: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("one.pem");
    std::fs::write(&file, pem).expect("written");
    let output = Command::new("openssl")
        .args(["x509", "-noout", "-in"])
        .arg(file)
        .args(what.split(' '))
        .output()
        .expect("openssl is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
