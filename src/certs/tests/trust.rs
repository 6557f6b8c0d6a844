//! What clients believe of a chain, with authorities as openssl makes them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::certs::certificate::Certificate;
use crate::certs::parts::Parts;
use crate::certs::password::Password;
use crate::certs::roots::Roots;

#[test]
fn an_authority_stands_behind_the_names_and_uses_alone_that_it_is_limited_to() {
    let home = Home::new();
    home.root("root", P256, "");
    let trusts = |extensions: &str, name: &str| {
        home.signed("middle", "root", P256, &format!("{AUTHORITY}\n{extensions}"), "");
        home.signed("leaf", "middle", P256, &format!("subjectAltName=DNS:{name}"), "");
        home.trusts("root", "leaf", &["middle"])
    };
    for (extensions, name, is_trusted) in [
        ("", "a.shop.example", true),
        ("nameConstraints=critical,permitted;DNS:shop.example", "a.shop.example", true),
        ("nameConstraints=critical,permitted;DNS:shop.example", "a.other.example", false),
        ("nameConstraints=permitted;DNS:shop.example", "a.other.example", false),
        ("nameConstraints=critical,excluded;DNS:shop.example", "a.shop.example", false),
        ("extendedKeyUsage=serverAuth,clientAuth", "a.shop.example", true),
        ("extendedKeyUsage=clientAuth", "a.shop.example", false),
    ] {
        assert_eq!(trusts(extensions, name), is_trusted, "{extensions} {name}");
    }
}

#[test]
fn what_one_leaf_was_believed_by_is_looked_at_again_for_another_where_names_are_limited() {
    for (root, upper) in [("", "nameConstraints=permitted;DNS:shop.example"), ("permitted;DNS:shop.example", "")] {
        let home = Home::new();
        home.root("root", P256, root);
        home.signed("upper", "root", P256, &format!("{AUTHORITY}\n{upper}"), "");
        home.signed("lower", "upper", P256, AUTHORITY, "");
        let roots = home.roots("root");
        let chain: Vec<_> = ["lower", "upper"].into_iter().map(|name| home.certificate(name)).collect();
        for (name, is_trusted) in [("a.shop.example", true), ("b.shop.example", true), ("a.other.example", false)] {
            home.signed("leaf", "lower", P256, &format!("subjectAltName=DNS:{name}"), "");
            assert_eq!(roots.trust(&home.certificate("leaf"), &chain, now()), is_trusted, "{root}{upper}: {name}");
        }
    }
}

#[test]
fn every_way_of_signing_that_clients_believe_leads_to_a_root_and_no_other() {
    let home = Home::new();
    for (key, digest, is_found, is_trusted) in [
        (P256, "-sha256", true, true),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "-sha384", true, true),
        ("ec -pkeyopt ec_paramgen_curve:P-521", "-sha512", true, true),
        ("ed25519", "", true, true),
        ("rsa:2048", "-sha256", true, true),
        ("rsa:2048", "-sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1", true, true),
        // Its issuer is found, so that it can be said what is too weak about it.
        ("rsa:2048", "-sha1", true, false),
        ("rsa:1024", "-sha256", false, false),
    ] {
        home.root("root", key, "");
        home.signed("middle", "root", key, AUTHORITY, digest);
        home.signed("leaf", "middle", P256, "subjectAltName=DNS:shop.example", digest);
        assert_eq!(home.trusts("root", "leaf", &["middle"]), is_trusted, "{key} {digest}");
        let found = home.certificate("leaf").is_signed_by(&home.certificate("middle"));
        assert_eq!(found, is_found, "{key} {digest}");
    }
}

#[test]
fn who_is_no_authority_stands_behind_nobody() {
    let home = Home::new();
    home.root("root", P256, "");
    home.signed("shop", "root", P256, "subjectAltName=DNS:shop.example\nbasicConstraints=CA:FALSE", "");
    home.signed("leaf", "shop", P256, "subjectAltName=DNS:other.example", "");
    assert!(home.trusts("root", "shop", &[]) && !home.trusts("root", "leaf", &["shop"]));
}

#[test]
fn of_a_leaf_out_of_its_time_it_is_said_whether_it_was_or_will_be_believed() {
    let (chain, other) = (Chain::new(), Chain::new());
    let roots = Roots::of_the_web_and([(Path::new("root.pem"), chain.root.as_bytes())]).expect("roots");
    let trusts = |leaf: &Leaf| roots.trust(&read(&leaf.certificate), &[read(&chain.intermediate)], now());
    for (from, until) in [(-60, -30), (-1, 30), (30, 60)] {
        assert!(trusts(&chain.timed(&["shop.example"], from, until)), "{from} {until}");
        assert!(!trusts(&other.timed(&["shop.example"], from, until)), "{from} {until}");
    }
}

/// A folder in which openssl makes certificates, each beside its key.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A root that limits names so, or not at all.
    fn root(&self, name: &str, key: &str, names: &str) {
        let limits = if names.is_empty() { String::new() } else { format!(" -addext nameConstraints={names}") };
        self.openssl(&format!(
            "req -x509 -nodes -newkey {key} -keyout {name}.key -subj /CN={name} -days 30 -out {name}.pem{limits}"
        ));
    }

    fn signed(&self, name: &str, issuer: &str, key: &str, extensions: &str, digest: &str) {
        fs::write(self.0.path().join("extensions"), format!("{extensions}\n")).expect("written");
        self.openssl(&format!("req -new -nodes -newkey {key} -keyout {name}.key -subj /CN={name} -out {name}.csr"));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 20 -extfile extensions \
             {digest} -out {name}.pem"
        ));
    }

    fn openssl(&self, line: &str) {
        let output = Command::new("openssl").args(line.split_whitespace()).current_dir(self.0.path()).output();
        let output = output.expect("openssl runs");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(format!("{name}.pem"))).expect("made before")
    }

    fn certificate(&self, name: &str) -> Arc<Certificate> {
        read(&self.text(name))
    }

    fn roots(&self, root: &str) -> Roots {
        Roots::of_the_web_and([(Path::new("root.pem"), self.text(root).as_bytes())]).expect("roots")
    }

    fn trusts(&self, root: &str, leaf: &str, chain: &[&str]) -> bool {
        let chain: Vec<_> = chain.iter().map(|name| self.certificate(name)).collect();
        self.roots(root).trust(&self.certificate(leaf), &chain, now())
    }
}

fn read(pem: &str) -> Arc<Certificate> {
    let parts = Parts::read(pem.as_bytes(), &Password::Absent, &Default::default()).expect("certificates");
    Arc::clone(&parts.certificates[0])
}

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

const P256: &str = "ec -pkeyopt ec_paramgen_curve:P-256";
const AUTHORITY: &str = "basicConstraints=critical,CA:TRUE";
