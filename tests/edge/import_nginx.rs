//! From nginx: what it accepts, serves and passes on, Vitrine serves and passes on after an import.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::peer::{ECDSA, Peer, RSA, accepted, curl, fingerprint, import, own_addresses, untouched};
use crate::support::{KeyKind, Origin, Setup, authority, drop_file, run};

const SITES: [(&str, &str); 4] =
    [("shop.example", ECDSA), ("shop.example", RSA), ("www.shop.example", ECDSA), ("a.blog.example", ECDSA)];

#[test]
fn names_certificates_and_ways_are_the_same_after_nginx() {
    let (shop, api, blog) = (Origin::saying("shop"), Origin::saying("api"), Origin::saying("blog"));
    let (https, http) = own_addresses();
    let mut setup = Setup::new();
    let folder = setup.folder.path().join("nginx");
    fs::create_dir_all(folder.join("sites-enabled")).expect("a folder");
    let names = ["shop.example", "www.shop.example"];
    let pairs = [
        ("shop", authority().issue(&names)),
        ("shop-rsa", authority().issue_for(&names, KeyKind::Rsa, -1, 90 * 24)),
        ("blog", authority().issue(&["*.blog.example"])),
    ];
    for (name, issued) in &pairs {
        drop_file(&folder.join(format!("{name}.crt")), &issued.chain);
        drop_file(&folder.join(format!("{name}.key")), &issued.key);
    }
    let (shop_at, api_at, blog_at) = (shop.address, api.address, blog.address);
    let main = "daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http { access_log off;
  client_max_body_size 5m;
  include sites-enabled/*;
}";
    let sites = [
        ("plain", format!("server {{ listen {http}; server_name shop.example www.shop.example; return 301 https://$host$request_uri; }}")),
        (
            "shop",
            format!(
                "upstream shop {{ server {shop_at}; }}
server {{
  listen {https} ssl http2; server_name shop.example www.shop.example;
  ssl_certificate shop.crt; ssl_certificate_key shop.key;
  ssl_certificate shop-rsa.crt; ssl_certificate_key shop-rsa.key;
  proxy_set_header Host $host;
  location / {{ proxy_pass http://shop; }}
  location /api/ {{ proxy_pass http://{api_at}; }}
  location = /old {{ return 410; }}
}}"
            ),
        ),
        (
            "zblog",
            format!(
                "server {{ listen {https} ssl; server_name '*.blog.example'; ssl_certificate blog.crt; ssl_certificate_key blog.key;
  location / {{ proxy_pass http://{blog_at}; proxy_set_header Host $host; }} }}"
            ),
        ),
    ];
    drop_file(&folder.join("nginx.conf"), main);
    for (name, text) in &sites {
        drop_file(&folder.join("sites-enabled").join(name), text);
    }
    let main = folder.join("nginx.conf");
    let nginx = || {
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-p"]).arg(&folder).arg("-c").arg(&main);
        command
    };
    accepted(nginx().arg("-t"));
    let look = || {
        let shown = SITES.map(|(name, signatures)| fingerprint(https, name, signatures));
        let ways = ["shop.example/", "www.shop.example/api/x", "a.blog.example/x"];
        (shown, ways.map(|way| curl(https, &format!("https://{way}"))))
    };
    let peer = Peer::start(&mut nginx(), setup.folder.path(), https);
    let before = look();
    assert_eq!(before.1, ["shop 200", "api 200", "blog 200"]);
    drop(peer);

    let source = untouched(&folder);
    let (code, told) = import(&mut setup, &["nginx", &main.display().to_string()]);
    assert_eq!(code, 1, "{told}");
    let left_out = told.lines().filter(|line| line.starts_with("left out: ")).collect::<Vec<_>>();
    assert_eq!(left_out.len(), 1, "{told}");
    assert!(left_out[0].contains("sites-enabled/shop:9: /old alone goes elsewhere"), "{told}");
    assert!(told.contains("nothing is wrong (sites: 2, certificates: 3)"), "{told}");
    assert_eq!(untouched(&folder), source);
    let key = setup.certs().join("shop.example/key.pem");
    assert_eq!(fs::metadata(key).expect("a key").permissions().mode() & 0o777, 0o600);

    let edge = setup.start();
    assert_eq!((edge.https, edge.http), (https, Some(http)));
    assert_eq!(look(), before);
    assert!(curl(http, "http://shop.example/").ends_with(" 308"));
}

#[test]
fn who_answered_authorities_at_nginx_goes_on_for_what_the_edge_does_not_order() {
    let (shop, certbot) = (Origin::saying("shop"), Origin::saying("a token"));
    let (https, http) = own_addresses();
    let mut setup = Setup::new();
    let folder = setup.folder.path().join("nginx");
    fs::create_dir_all(&folder).expect("a folder");
    drop_file(&folder.join("shop.pem"), authority().issue(&["shop.example"]).both());
    let main = folder.join("nginx.conf");
    let text = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{}}
http {{ access_log off; client_max_body_size 5m; proxy_set_header Host $host;
server {{ listen {http}; server_name shop.example;
  location /.well-known/acme-challenge/ {{ proxy_pass http://{}; }}
  location / {{ return 301 https://$host$request_uri; }} }}
server {{ listen {https} ssl; server_name shop.example; ssl_certificate shop.pem; ssl_certificate_key shop.pem;
  location / {{ proxy_pass http://{}; }} }} }}",
        certbot.address, shop.address
    );
    drop_file(&main, text);
    let mut nginx = Command::new("nginx");
    nginx.args(["-e", "stderr", "-p"]).arg(&folder).arg("-c").arg(&main);
    let asked = "shop.example/.well-known/acme-challenge/x";
    let peer = Peer::start(&mut nginx, setup.folder.path(), https);
    assert_eq!(curl(http, &format!("http://{asked}")), "a token 200");
    drop(peer);

    let (code, told) = import(&mut setup, &["nginx", &main.display().to_string()]);
    assert_eq!(code, 0, "{told}");
    let kept = format!(
        "nginx.conf:5: \"proxy_pass http://{}\" is kept: it goes on answering the authority of shop.example, whose certificates the \
         edge does not order; make their sites \"managed\"",
        certbot.address
    );
    assert!(told.lines().any(|line| line.starts_with("note: ") && line.contains(&kept)), "{told}");
    let _edge = setup.start();
    // An authority is led from plain HTTP to HTTPS, and follows.
    assert!(curl(http, &format!("http://{asked}")).ends_with(" 308"));
    assert_eq!(curl(https, &format!("https://{asked}")), "a token 200");
    assert_eq!(curl(https, "https://shop.example/"), "shop 200");
}

#[test]
fn nothing_is_written_that_was_not_asked_for_and_nothing_replaced() {
    let setup = Setup::new();
    let folder = setup.folder.path().join("nginx");
    fs::create_dir(&folder).expect("a folder");
    let issued = authority().issue(&["shop.example"]);
    drop_file(&folder.join("shop.pem"), issued.both());
    let text = "events {} http { server { listen 443 ssl; server_name shop.example; ssl_certificate shop.pem;
      ssl_certificate_key shop.pem; location / { proxy_pass http://127.0.0.1:1; proxy_set_header Host $host; } } }";
    drop_file(&folder.join("nginx.conf"), text);
    let vitrine = |more: &[&str]| {
        let arguments = ["import", "nginx", "nginx/nginx.conf", "--into", "new"];
        let output = run(&[&arguments, more].concat(), &setup);
        let told = [output.stdout, output.stderr].concat();
        (output.status.code().expect("a code"), String::from_utf8(told).expect("text"))
    };
    let new = setup.folder.path().join("new");
    let (code, told) = vitrine(&["--dry-run"]);
    assert_eq!((code, new.exists()), (0, false), "{told}");
    assert!(told.contains("would be carried over: sites: 1, certificates: 1, accounts: 0; left out: 0"), "{told}");
    let (code, told) = vitrine(&[]);
    assert_eq!(code, 0, "{told}");
    let written = untouched(&new);
    // The same again is no change, and the main file is the operator's by then.
    let (code, told) = vitrine(&[]);
    assert_eq!((code, untouched(&new)), (0, written), "{told}");
    assert!(told.contains("vitrine.toml is there already and stays as it is"), "{told}");
    let site = new.join("sites.d/shop.example.toml");
    drop_file(&site, "# mine\n");
    let (code, told) = vitrine(&[]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("sites.d/shop.example.toml\nnothing was written; --force replaces them"), "{told}");
    assert_eq!(fs::read_to_string(&site).expect("a file"), "# mine\n");
    assert_eq!(vitrine(&["--force"]).0, 0);
    assert!(fs::read_to_string(&site).expect("a file").contains("[[site]]"));
}
