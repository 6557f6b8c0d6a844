//! From certbot: its certificates serve on, and its account orders the next ones where its key can.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::command::{done, vitrine};
use crate::support::pebble::Pebble;
use crate::support::peer::{ECDSA, accepted, curl, fingerprint, import, untouched};
use crate::support::{Edge, Origin, Setup, authority, drop_file};

/// certbot makes RSA keys for accounts, and uses others that it finds: this makes one on P-256 for it to find.
const ELLIPTIC: &str = "
import sys, josepy
from cryptography.hazmat.primitives.asymmetric import ec
from certbot._internal import client, main
client.jose.JWKRSA = lambda key: josepy.JWKEC(key=ec.generate_private_key(ec.SECP256R1()))
sys.exit(main.main(sys.argv[1:]))
";

/// Runs certbot in a folder of its own.
fn certbot(pebble: &Pebble, folder: &Path, program: &mut Command, words: &[&str]) {
    drop_file(&folder.join("root.pem"), &authority().root_pem);
    program.args(words).args(["--non-interactive", "--server", &pebble.directory()]);
    for name in ["config", "work", "logs"] {
        program.arg(format!("--{name}-dir")).arg(folder.join(name));
    }
    accepted(program.env("REQUESTS_CA_BUNDLE", folder.join("root.pem")));
}

/// Has a certificate issued for two names.
fn issue(pebble: &Pebble, folder: &Path, key_type: &str) {
    let (_, http) = pebble.looks_at();
    let (ip, port) = (http.ip().to_string(), http.port().to_string());
    let words = ["certonly", "--standalone", "--http-01-address", &ip, "--http-01-port", &port, "--agree-tos"];
    let names = ["-m", "ops@shop.example", "-d", "shop.example", "-d", "www.shop.example", "--key-type", key_type];
    certbot(pebble, folder, &mut Command::new("certbot"), &[&words[..], &names].concat());
}

/// Imports certbot's folder into where an edge is to be started, which Pebble can look at.
fn moved(setup: &mut Setup, pebble: &Pebble, folder: &Path, origin: &Origin) -> (i32, String) {
    let config = folder.join("config");
    let source = untouched(&config);
    let ended = import(setup, &["certbot", &config.display().to_string(), "--upstream", &origin.url()]);
    assert_eq!(untouched(&config), source);
    // certbot says neither where to listen nor which roots its authority is known by.
    let (https, http) = pebble.looks_at();
    let text = pebble.seen_alike(&fs::read_to_string(setup.config()).expect("a configuration"));
    let root = folder.join("root.pem").display().to_string();
    setup.written(&format!("{text}ca_file = {root:?}\n\n[edge]\nhttps = [\"{https}\"]\nhttp = [\"{http}\"]\n"));
    ended
}

fn account(edge: &Edge) -> Option<Value> {
    let folder = fs::read_dir(edge.setup.state().join("acme")).ok()?;
    let mut files = folder.map(|entry| entry.expect("an entry").path().join("account.json"));
    let file = files.find(|file| file.exists())?;
    let account: Value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON");
    Some(account["credentials"]["id"].clone())
}

#[test]
fn certificates_and_the_account_go_on_after_certbot() {
    let origin = Origin::saying("shop");
    let pebble = Pebble::lenient();
    let mut setup = Setup::new();
    let folder = setup.folder.path().join("certbot");
    fs::create_dir(&folder).expect("a folder");
    // The system's own Python, which certbot's package is made for.
    let mut python = Command::new("/usr/bin/python3");
    certbot(&pebble, &folder, python.args(["-c", ELLIPTIC]), &["register", "--agree-tos", "-m", "ops@shop.example"]);
    issue(&pebble, &folder, "ecdsa");
    let (code, told) = moved(&mut setup, &pebble, &folder, &origin);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("carried over: sites: 1, certificates: 1, accounts: 1; left out: 0, notes: 0"), "{told}");
    let edge = setup.start();
    let chain = folder.join("config/live/shop.example/fullchain.pem");
    let issued =
        accepted(Command::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(chain));
    let (https, _) = pebble.looks_at();
    for name in ["shop.example", "www.shop.example"] {
        assert_eq!(fingerprint(https, name, ECDSA), issued);
        assert_eq!(curl(https, &format!("https://{name}/")), "shop 200");
    }
    let before = account(&edge).expect("an account");
    done(vitrine(&edge, "sites renew shop.example"));
    edge.logged("a certificate is issued");
    assert_ne!(fingerprint(https, "shop.example", ECDSA), issued);
    assert_eq!(account(&edge), Some(before));
    assert!(edge.log().iter().all(|line| line["message"] != "opened an account"));
}

#[test]
fn an_account_with_an_rsa_key_stays_behind_and_a_new_one_orders() {
    let origin = Origin::saying("shop");
    let pebble = Pebble::lenient();
    let mut setup = Setup::new();
    let folder = setup.folder.path().join("certbot");
    fs::create_dir(&folder).expect("a folder");
    issue(&pebble, &folder, "ecdsa");
    let (code, told) = moved(&mut setup, &pebble, &folder, &origin);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("the account's key is RSA, and orders are signed with ECDSA on P-256"), "{told}");
    assert!(told.contains("carried over: sites: 1, certificates: 1, accounts: 0; left out: 1"), "{told}");
    let edge = setup.start();
    let (https, _) = pebble.looks_at();
    assert_eq!((curl(https, "https://shop.example/"), account(&edge)), ("shop 200".into(), None));
    done(vitrine(&edge, "sites renew shop.example"));
    edge.logged("a certificate is issued");
    assert!(account(&edge).is_some());
}

#[test]
fn a_site_without_upstream_is_left_for_the_operator_to_finish() {
    let pebble = Pebble::lenient();
    let mut setup = Setup::new();
    let folder = setup.folder.path().join("certbot");
    fs::create_dir(&folder).expect("a folder");
    issue(&pebble, &folder, "rsa");
    let (code, told) = import(&mut setup, &["certbot", &folder.join("config").display().to_string()]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("has no upstream, which certbot knows nothing about; finish its site file"), "{told}");
    let site = fs::read_to_string(setup.folder.path().join("sites.d/shop.example.toml")).expect("a file");
    assert!(site.lines().all(|line| line.starts_with('#')), "{site}");
    assert!(
        site.contains(
            "#hosts = [\"shop.example\", \"www.shop.example\"]\n#certificate = \"managed\"\n#key_types = [\"rsa\"]\n"
        ),
        "{site}"
    );
}
