//! From Caddy: the certificates that it was issued serve on, and its account orders the next ones.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::command::{done, vitrine};
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
    let account = account(&edge);
    done(vitrine(&edge, "sites renew shop.example"));
    edge.logged("a certificate is issued");
    assert_ne!(fingerprint(https, "shop.example", ECDSA), before.0[0]);
    // Nobody opened another account.
    assert_eq!(self::account(&edge), account);
    assert!(edge.log().iter().all(|line| line["message"] != "opened an account"));
}

/// Which account orders.
fn account(edge: &Edge) -> Value {
    let folder = fs::read_dir(edge.setup.state().join("acme")).expect("a folder");
    let files = folder.map(|entry| entry.expect("an entry").path().join("account.json"));
    let file = files.into_iter().find(|file| file.exists()).expect("an account");
    let account: Value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON");
    account["credentials"]["id"].clone()
}
