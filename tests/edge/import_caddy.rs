//! From Caddy: the certificates that it was issued serve on, and its account orders the next ones.

use std::fs;
use std::process::Command;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::command::{done, vitrine};
use crate::support::managed::{managed_site, orders_in, renewed};
use crate::support::pebble::Pebble;
use crate::support::peer::{ECDSA, Peer, accepted, curl, fingerprint, import, untouched};
use crate::support::{Edge, Origin, Setup, authority, drop_file, eventually};

#[test]
fn certificates_and_the_account_go_on_after_caddy() {
    let (shop, api) = (Origin::saying("shop"), Origin::saying("api"));
    let pebble = Pebble::start();
    let mut setup = Setup::new();
    let folder = setup.folder.path().join("caddy");
    fs::create_dir(&folder).expect("a folder");
    let (https, http) = pebble.looks_at();
    drop_file(&folder.join("root.pem"), &authority().root_pem);
    let own = authority().issue(&["own.example"]);
    drop_file(&folder.join("own.crt"), &own.chain);
    drop_file(&folder.join("own.key"), &own.key);
    let text = format!(
        "{{
  email ops@shop.example
  acme_ca {directory}
  acme_ca_root {base}/root.pem
  http_port {http_port}
  https_port {https_port}
  default_bind {ip}
  admin off
  storage file_system {base}/data
}}
(shop) {{
  reverse_proxy {shop}
}}
shop.example, www.shop.example {{
  import shop
  handle /api/* {{
    reverse_proxy {api}
  }}
}}
own.example {{
  tls {base}/own.crt {base}/own.key
  reverse_proxy {api}
  encode gzip
}}
",
        directory = pebble.directory(),
        base = folder.display(),
        http_port = http.port(),
        https_port = https.port(),
        ip = https.ip(),
        shop = shop.address,
        api = api.address,
    );
    let main = folder.join("Caddyfile");
    drop_file(&main, text);
    let caddy = |verb: &str| {
        let mut command = Command::new("caddy");
        command.args([verb, "--adapter", "caddyfile", "--config"]).arg(&main);
        command.env("HOME", &folder).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
        command
    };
    accepted(&mut caddy("validate"));
    let names = ["shop.example", "www.shop.example", "own.example"];
    let look = || {
        let shown = names.map(|name| fingerprint(https, name, ECDSA));
        let ways = ["shop.example/", "www.shop.example/api/x", "own.example/"];
        (shown, ways.map(|way| curl(https, &format!("https://{way}"))))
    };
    let peer = Peer::start(&mut caddy("run"), setup.folder.path(), https);
    for name in &names[..2] {
        eventually("a certificate of Caddy's", || {
            peer.said()
                .lines()
                .find(|line| {
                    line.contains("certificate obtained successfully") && line.contains(&format!("\"{name}\""))
                })
                .map(drop)
        });
    }
    let before = look();
    assert_eq!(before.1, ["shop 200", "api 200", "api 200"]);
    drop(peer);

    let source = untouched(&folder);
    let (code, told) = import(&mut setup, &["caddy", &main.display().to_string()]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("http://") && told.contains(", with compression; sites.d/own.example.toml"), "{told}");
    assert!(told.contains("carried over: sites: 2, certificates: 3, accounts: 1; left out: 0, notes: 0"), "{told}");
    assert_eq!(untouched(&folder), source);

    let text = fs::read_to_string(setup.config()).expect("a configuration");
    setup.written(&pebble.seen_alike(&text));
    let edge = setup.start();
    assert_eq!((edge.https, edge.http), (https, Some(http)));
    assert_eq!(look(), before);
    let key = account(&edge)["key_pkcs8"].clone();
    done(vitrine(&edge, "sites renew shop.example"));
    edge.logged("a certificate is issued");
    assert_ne!(fingerprint(https, "shop.example", ECDSA), before.0[0]);
    // Nobody opened another account.
    assert_eq!(account(&edge)["key_pkcs8"], key);
    assert!(edge.log().iter().all(|line| line["message"] != "opened an account"));
}

#[test]
fn an_account_that_caddy_wrote_down_with_the_key_of_another_is_found_by_the_key() {
    let (shop, pebble) = (Origin::saying("shop"), Pebble::start());
    let other = managed_site(&pebble, &shop, "other.example", "").start();
    orders_in(&other, "other.example", "ISSUED");
    let anothers = account(&other);
    let setup = other.end(Signal::TERM);
    fs::remove_file(setup.state().join("acme/pebble/account.json")).expect("an account");
    let other = setup.start();
    renewed(&other, "other.example");
    let own = account(&other);
    drop(other);
    assert_ne!(own["id"], anothers["id"]);

    let mut setup = Setup::new();
    let folder = setup.folder.path().join("caddy");
    let directory = pebble.directory();
    let kept = directory.replacen("https://", "", 1).replace([':', '/'], "-");
    let users = folder.join(format!("data/acme/{kept}/users/ops@shop.example"));
    fs::create_dir_all(&users).expect("a folder");
    drop_file(&folder.join("root.pem"), &authority().root_pem);
    drop_file(&users.join("ops.json"), json!({ "status": "valid", "location": anothers["id"] }).to_string());
    let der = Base64UrlUnpadded::decode_vec(own["key_pkcs8"].as_str().expect("a key")).expect("base64url");
    let key = Base64::encode_string(&der);
    drop_file(&users.join("ops.key"), format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n"));
    let (https, http) = pebble.looks_at();
    let base = folder.display();
    let main = folder.join("Caddyfile");
    let text = format!(
        "{{
  email ops@shop.example
  acme_ca {directory}
  acme_ca_root {base}/root.pem
  http_port {}
  https_port {}
  default_bind {}
  storage file_system {base}/data
}}
shop.example {{
  reverse_proxy {}
}}
",
        http.port(),
        https.port(),
        https.ip(),
        shop.address,
    );
    drop_file(&main, text);
    let (code, told) = import(&mut setup, &["caddy", &main.display().to_string()]);
    assert!(told.contains("accounts: 1"), "{code}: {told}");
    let text = fs::read_to_string(setup.config()).expect("a configuration");
    setup.written(&pebble.seen_alike(&text));
    let edge = setup.start();
    orders_in(&edge, "shop.example", "ISSUED");
    let said = edge.logged("the account that was carried over does not have the key that came with it");
    assert_eq!((&said["before"], &said["account"]), (&anothers["id"], &own["id"]));
    assert_eq!((&account(&edge)["id"], &account(&edge)["key_pkcs8"]), (&own["id"], &own["key_pkcs8"]));
}

/// Which account orders.
fn account(edge: &Edge) -> Value {
    let folder = fs::read_dir(edge.setup.state().join("acme")).expect("a folder");
    let files = folder.map(|entry| entry.expect("an entry").path().join("account.json"));
    let file = files.into_iter().find(|file| file.exists()).expect("an account");
    let account: Value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON");
    account["credentials"].clone()
}
