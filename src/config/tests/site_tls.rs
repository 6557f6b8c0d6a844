//! `[site.tls]`: what goes together, and what a file of authorities must hold.

use super::{good, warnings, wrong};

fn site(demands: &str) -> String {
    format!("[[site]]\nhosts = [\"a.example\"]\nupstreams = [\"http://127.0.0.1:1\"]\n[site.tls]\n{demands}\n")
}

#[test]
fn certificates_of_clients_need_an_authority_that_can_be_used() {
    for (demands, mistake) in [
        (
            "client_certificates = \"required\"",
            "v.toml:5: site.tls.client_ca: is needed with client_certificates: the file of the authority that issues them",
        ),
        (
            "client_certificates = \"required\"\nclient_ca = []",
            "v.toml:6: site.tls.client_ca: expected at least one, found an empty list",
        ),
        (
            "client_certificates = \"required\"\nclient_ca = [\"Cargo.toml\"]",
            "v.toml:6: site.tls.client_ca: Cargo.toml: expected PEM with \"-----BEGIN CERTIFICATE-----\", found something else",
        ),
        (
            "client_certificates = \"on\"\nclient_ca = [\"no-such-file.pem\"]",
            "v.toml:5: site.tls.client_certificates: expected \"required\" or \"optional\", found \"on\"\n\
             v.toml:6: site.tls.client_ca: no-such-file.pem: there is no such file",
        ),
        ("min_version = \"1.1\"", "v.toml:5: site.tls.min_version: expected \"1.2\" or \"1.3\", found \"1.1\""),
    ] {
        assert_eq!(wrong(&site(demands)), mistake, "{demands}");
    }
}

#[test]
fn what_is_said_without_asking_for_certificates_is_warned_of() {
    let loaded = good(&site("client_headers = true"));
    let text = "has no effect without client_certificates = \"required\" or \"optional\"";
    assert_eq!(warnings(&loaded), format!("v.toml:4: site.tls.client_headers: {text}"));
}

#[test]
fn the_files_are_watched_and_inherited() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clients.pem");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::default();
    std::fs::write(&file, params.self_signed(&key).expect("a certificate").pem()).expect("written");
    let demands = format!("client_certificates = \"optional\"\nclient_ca = [{file:?}]");
    let like = "[[site]]\nhosts = [\"b.example\"]\nlike = \"a.example\"\n";
    let loaded = good(&(site(&demands) + like));
    assert!(loaded.sources.contains(&file));
    let tls = |index: usize| loaded.config.sites[index].policy.tls.clone();
    assert_eq!(tls(0), tls(1));
    assert!(tls(0).is_some_and(|tls| tls.clients.is_some_and(|clients| !clients.headers)));
}
