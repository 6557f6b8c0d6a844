//! `[site.upstream_tls]`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use super::super::*;
use super::{good, warnings, wrong};
use crate::live::TlsTerms;

fn site(upstream: &str, lines: &str) -> String {
    format!("[[site]]\nhosts = [\"a.example\"]\nupstreams = [\"{upstream}\"]\n{lines}")
}

fn terms(loaded: &Loaded, site: usize) -> Arc<TlsTerms> {
    let upstream = &loaded.config.sites[site].routes[0].1.upstreams[0].upstream;
    Arc::clone(&upstream.tls.as_ref().expect("over TLS").terms)
}

#[test]
fn upstreams_over_tls_are_verified_unless_it_is_said_otherwise() {
    let plain = good(&site("HTTPS://shop", ""));
    assert_eq!(*terms(&plain, 0), TlsTerms::default());
    assert_eq!(plain.config.sites[0].routes[0].1.upstreams[0].upstream.to_string(), "https://shop:443");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, mode| {
        let path = folder.path().join(name);
        std::fs::write(&path, name).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        path
    };
    let (root, certificate, key) = (file("root", 0o644), file("certificate", 0o644), file("key", 0o600));
    let lines = format!(
        "[site.upstream_tls]\nserver_name = \"Shop.internal\"\nroots = [{root:?}]\ncertificate = {certificate:?}\nkey = {key:?}\n\
         [[site]]\nhosts = [\"b.example\"]\nlike = \"a.example\"\nupstream_tls = {{ server_name = \"b.internal\" }}"
    );
    let loaded = good(&site("https://shop:8443", &lines));
    let first = terms(&loaded, 0);
    assert_eq!(first.server_name.as_ref().map(|name| name.as_str()), Some("shop.internal"));
    assert_eq!(first.files().map(|file| &file.path).collect::<Vec<_>>(), [&root, &certificate, &key]);
    assert!([&root, &certificate, &key].iter().all(|file| loaded.sources.contains(file)));
    assert!(!format!("{:?}", loaded.config).contains(&format!("{:?}", b"key")), "a key's content is shown");
    let second = TlsTerms { server_name: Some(HostName::parse("b.internal").expect("a name")), ..(*first).clone() };
    assert_eq!(*terms(&loaded, 1), second);

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    let told = wrong(&site("https://shop:8443", &lines));
    assert!(told.starts_with("v.toml:8: site.upstream_tls.key: "), "{told}");
    assert!(told.contains("may be read or written by others than its owner; chmod 0600"), "{told}");
}

#[test]
fn what_goes_wrong_with_them_is_told_with_the_mend() {
    let table = |lines: &str| site("https://shop", &format!("[site.upstream_tls]\n{lines}"));
    for (lines, mistake) in [
        ("roots = [\"/nowhere/root.pem\"]", "5: site.upstream_tls.roots: /nowhere/root.pem: "),
        (
            "verify = false\nroots = [\"Cargo.toml\"]",
            "6: site.upstream_tls.roots: has no effect with verify = false; take one of them out",
        ),
        ("certificate = \"Cargo.toml\"", "4: site.upstream_tls.certificate: needs site.upstream_tls.key"),
        ("key = \"Cargo.toml\"", "4: site.upstream_tls.key: needs site.upstream_tls.certificate"),
        ("server_name = \"*.a\"", "5: site.upstream_tls.server_name: "),
    ] {
        let told = wrong(&table(lines));
        assert!(told.contains(mistake), "{told}");
    }
    assert!(
        warnings(&good(&table("verify = false")))
            .contains("v.toml:5: site.upstream_tls.verify: believes whoever answers")
    );
    assert_eq!(
        warnings(&good(&site("http://shop", "[site.upstream_tls]\nverify = true"))),
        "v.toml:4: site.upstream_tls: has no effect without an upstream that begins with \"https://\""
    );
    assert!(Path::new("Cargo.toml").exists());
}
