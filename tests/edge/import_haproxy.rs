//! From HAProxy: what it accepts, serves and passes on, Vitrine serves and passes on after an import.

use std::fs;
use std::process::Command;

use crate::support::peer::{ECDSA, Peer, RSA, accepted, curl, fingerprint, import, own_addresses, untouched};
use crate::support::{KeyKind, Origin, Setup, authority, drop_file, run};

#[test]
fn names_certificates_and_ways_are_the_same_after_haproxy() {
    let (shop, api, blog) = (Origin::saying("shop"), Origin::saying("api"), Origin::saying("blog"));
    let (https, http) = own_addresses();
    let mut setup = Setup::new();
    let folder = setup.folder.path().join("haproxy");
    fs::create_dir_all(folder.join("certs")).expect("a folder");
    let names = ["shop.example", "www.shop.example"];
    drop_file(&folder.join("certs/shop.pem"), authority().issue(&names).both());
    drop_file(&folder.join("certs/rsa.pem"), authority().issue_for(&names, KeyKind::Rsa, -1, 90 * 24).both());
    // A key beside its certificate, and a list that names both.
    let blog_pair = authority().issue(&["blog.example"]);
    drop_file(&folder.join("blog.pem"), &blog_pair.chain);
    drop_file(&folder.join("blog.pem.key"), &blog_pair.key);
    drop_file(
        &folder.join("list"),
        format!("# the blog\n{} [alpn h2,http/1.1] blog.example\n", folder.join("blog.pem").display()),
    );
    let text = format!(
        "global
  crt-base {base}
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend plain
  bind {http}
  http-request redirect scheme https code 301
frontend web
  bind {https} ssl crt certs crt-list {base}/list alpn h2,http/1.1 strict-sni
  option forwardfor
  acl shop hdr(host),field(1,:) -i shop.example www.shop.example
  acl api path_beg /api/
  use_backend api if shop api
  use_backend blog if {{ hdr(host),field(1,:) -i blog.example }}
  http-response set-header X-Edge haproxy if {{ path_beg /api/ }}
  default_backend shop
backend shop
  balance roundrobin
  server s1 {shop} check
backend api
  server s1 {api}
backend blog
  server s1 {blog}
",
        base = folder.display(),
        shop = shop.address,
        api = api.address,
        blog = blog.address,
    );
    let main = folder.join("haproxy.cfg");
    drop_file(&main, text);
    accepted(Command::new("haproxy").args(["-c", "-f"]).arg(&main));
    let look = || {
        let sites = [("shop.example", ECDSA), ("www.shop.example", RSA), ("blog.example", ECDSA)];
        let shown = sites.map(|(name, signatures)| fingerprint(https, name, signatures));
        let ways = ["shop.example/", "www.shop.example/api/x", "blog.example/x"];
        (shown, ways.map(|way| curl(https, &format!("https://{way}"))))
    };
    let peer = Peer::start(Command::new("haproxy").args(["-db", "-f"]).arg(&main), setup.folder.path(), https);
    let before = look();
    assert_eq!(before.1, ["shop 200", "api 200", "blog 200"]);
    drop(peer);

    let source = untouched(&folder);
    let (code, told) = import(&mut setup, &["haproxy", &main.display().to_string()]);
    assert_eq!(code, 1, "{told}");
    let left_out = told.lines().filter(|line| line.starts_with("left out: ")).collect::<Vec<_>>();
    assert_eq!(left_out.len(), 1, "{told}");
    assert!(
        left_out[0].contains("haproxy.cfg:18: \"http-response set-header X-Edge …\" is not carried over"),
        "{told}"
    );
    assert!(told.contains("nothing is wrong (sites: 2, certificates: 3)"), "{told}");
    assert_eq!(untouched(&folder), source);

    let edge = setup.start();
    assert_eq!((edge.https, edge.http), (https, Some(http)));
    assert_eq!(look(), before);
}

/// The syntax of `acme` sections is HAProxy 3.2's, which is not everywhere: what is read of it is looked at, and nothing started.
#[test]
fn who_answered_authorities_at_haproxy_is_told_to_be_kept_or_replaced() {
    let setup = Setup::new();
    let folder = setup.folder.path().join("haproxy");
    fs::create_dir_all(&folder).expect("a folder");
    for name in ["auto", "own"] {
        drop_file(&folder.join(format!("{name}.pem")), authority().issue(&[&format!("{name}.example")]).both());
    }
    let text = "acme le
  directory https://acme.example/directory
frontend plain
  bind 127.0.0.1:8080
  use_backend certbot if { path_beg /.well-known/acme-challenge/ }
  http-request redirect scheme https code 301 unless { path_beg /.well-known/acme-challenge/ }
frontend web
  bind 127.0.0.1:8443 ssl crt own.pem strict-sni
  ssl-f-use crt auto.pem acme le domains auto.example
  use_backend shop if { hdr(host) -i auto.example own.example }
backend shop
  server s1 127.0.0.1:1
backend certbot
  server s1 127.0.0.1:2
";
    drop_file(&folder.join("haproxy.cfg"), text);
    let output = run(&["import", "haproxy", "haproxy/haproxy.cfg", "--into", "new"], &setup);
    let told = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    for expected in [
        "haproxy/haproxy.cfg:5: the edge orders the certificates of auto.example and answers their authority itself: \"certbot\" is \
         replaced; stop what renewed them there, such as certbot's timer",
        "haproxy/haproxy.cfg:5: \"certbot\" is kept: it goes on answering the authority of own.example, whose certificates the edge \
         does not order; make their sites \"managed\"",
    ] {
        assert!(told.lines().any(|line| line.starts_with("note: ") && line.contains(expected)), "{expected}: {told}");
    }
    let site = |name: &str| {
        let file = setup.folder.path().join(format!("new/sites.d/{name}.example.toml"));
        fs::read_to_string(file).expect("a site")
    };
    let (own, auto) = (site("own"), site("auto"));
    assert!(own.contains("path = \"/.well-known/acme-challenge/\"") && own.contains("http://127.0.0.1:2"), "{own}");
    assert!(auto.contains("\"managed\"") && !auto.contains("acme-challenge"), "{auto}");
}
