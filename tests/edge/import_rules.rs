//! From nginx, HAProxy and Caddy: what they do with requests besides passing them on, Vitrine does after an import.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::support::peer::{Peer, accepted, import, own_addresses};
use crate::support::{Origin, Setup, TlsFront, authority, drop_file};

/// A shop that says what it was told, with a page that is worth compressing.
fn shop(name: &'static str) -> Origin {
    Origin::new(move |exchange| {
        exchange.body()?;
        let told = exchange.head.field("x-env").unwrap_or("nothing").to_owned();
        let page = format!("{name} was told {told}\n{}", "a page of a shop ".repeat(200));
        let fields = [("content-type", "text/html"), ("server", "shopd"), ("x-powered-by", "shop")];
        exchange.answer("200 OK", &fields, page.as_bytes())
    })
}

/// Status, what of the head matters, and the first line of the content.
fn seen(address: SocketAddr, url: &str, arguments: &[&str]) -> Vec<String> {
    let host = url.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next()).expect("a host");
    let resolve = format!("{host}:{}:{}", address.port(), address.ip());
    let target = url.replacen(host, &format!("{host}:{}", address.port()), 1);
    let mut client = Command::new("curl");
    client.args(["-sSki", "--http1.1", "--max-time", "60", "--resolve", &resolve]).args(arguments).arg(target);
    let output = client.output().expect("curl runs");
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let status = head.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or("none").to_owned();
    let mut fields: Vec<String> = head.lines().skip(1).map(str::to_lowercase).filter(|line| matters(line)).collect();
    fields.sort();
    let compressed = fields.iter().any(|line| line.starts_with("content-encoding"));
    let first = if compressed || !status.starts_with('2') { "" } else { body.lines().next().unwrap_or_default() };
    std::iter::once(status).chain(fields).chain([first.to_owned()]).collect()
}

fn matters(line: &str) -> bool {
    ["location:", "x-frame-options:", "strict-transport-security:", "content-encoding:", "x-powered-by:"]
        .iter()
        .any(|name| line.starts_with(name))
}

/// Starts a peer, looks, imports, starts the edge and looks again; gives what was seen, and what the import said.
fn moved(
    mut setup: Setup,
    peer: &mut Command,
    (https, source): (SocketAddr, &[&str]),
    look: impl Fn(SocketAddr) -> Vec<Vec<String>>,
) -> (Vec<Vec<String>>, String) {
    let before = {
        let _peer = Peer::start(peer, setup.folder.path(), https);
        look(https)
    };
    let (code, told) = import(&mut setup, source);
    assert!(code <= 1, "{told}");
    let edge = setup.start();
    assert_eq!(look(edge.https), before, "{told}");
    assert_eq!(seen(edge.https, "https://closed.example/", &[])[0], "none", "{told}");
    (before, told)
}

fn pair(folder: &Path, name: &str, names: &[&str]) {
    let issued = authority().issue(names);
    drop_file(&folder.join(format!("{name}.crt")), &issued.chain);
    drop_file(&folder.join(format!("{name}.key")), &issued.key);
    drop_file(&folder.join(format!("{name}.pem")), issued.both());
    // So that the edge may read it.
    for end in ["key", "pem"] {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(folder.join(format!("{name}.{end}")), private).expect("closed");
    }
}

const NAMES: [&str; 3] = ["shop.example", "www.shop.example", "closed.example"];

/// What all three do with the same rules, and that nothing was left out.
fn is_as_said((before, told): &(Vec<Vec<String>>, String), statuses: &[&str]) {
    assert_eq!(before.iter().map(|one| &*one[0]).collect::<Vec<_>>(), statuses);
    let hsts = "strict-transport-security: max-age=300";
    assert_eq!(before[0], ["200", hsts, "x-frame-options: deny", "plain was told live"]);
    assert!(before[1].contains(&"content-encoding: gzip".to_owned()), "{before:?}");
    assert_eq!(before[2].last().map(String::as_str), Some("inner was told live"));
    assert_eq!(told.lines().find(|line| line.starts_with("left out: ")), None, "{told}");
}

#[test]
fn what_nginx_does_besides_is_done_after_it() {
    let (plain, inner) = (shop("plain"), shop("inner"));
    let front = TlsFront::new(&authority().issue(&["inner.example"]), inner.address);
    let (https, http) = own_addresses();
    let setup = Setup::new();
    let folder = setup.folder.path().join("nginx");
    fs::create_dir(&folder).expect("a folder");
    pair(&folder, "shop", &NAMES);
    drop_file(&folder.join("root.pem"), &authority().root_pem);
    let text = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{}}
http {{ access_log off; gzip on; gzip_types text/css; client_max_body_size 1m;
  ssl_certificate shop.crt; ssl_certificate_key shop.key; proxy_set_header Host $host;
  upstream shop {{ least_conn; server {plain} weight=2 max_fails=3 fail_timeout=5s; }}
  server {{ listen {http}; server_name shop.example www.shop.example; return 301 https://$host$request_uri; }}
  server {{ listen {https} ssl; server_name www.shop.example; return 301 https://shop.example$request_uri; }}
  server {{ listen {https} ssl; server_name closed.example; ssl_verify_client on; ssl_client_certificate root.pem;
    location / {{ proxy_pass http://shop; }} }}
  server {{ listen {https} ssl; server_name shop.example;
    add_header Strict-Transport-Security \"max-age=300\" always; add_header X-Frame-Options DENY always;
    proxy_set_header Host $host; proxy_set_header X-Env live; proxy_hide_header X-Powered-By; client_max_body_size 1k;
    location / {{ proxy_pass http://shop; }}
    location /inner/ {{ proxy_pass https://{front}; proxy_ssl_verify on; proxy_ssl_trusted_certificate root.pem;
      proxy_ssl_name inner.example; proxy_ssl_server_name on; }}
    location /office/ {{ proxy_pass http://shop; allow 192.0.2.0/24; deny all; }}
    location /large/ {{ proxy_pass http://shop; client_max_body_size 1m; deny 192.0.2.1; }}
    location /old/ {{ return 302 https://shop.example/new; }} }} }}
",
        plain = plain.address,
        front = front.address,
    );
    let main = folder.join("nginx.conf");
    drop_file(&main, text);
    let nginx = || {
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-p"]).arg(&folder).arg("-c").arg(&main);
        command
    };
    accepted(nginx().arg("-t"));
    let large = "x".repeat(2000);
    let look = |address| {
        vec![
            seen(address, "https://shop.example/", &[]),
            seen(address, "https://shop.example/", &["-H", "accept-encoding: gzip", "-o", "-"]),
            seen(address, "https://shop.example/inner/x", &[]),
            // What an edge answers itself has no fields of the shop's.
            seen(address, "https://shop.example/office/x", &[])[..1].to_vec(),
            seen(address, "https://shop.example/old/x", &[])[..2].to_vec(),
            seen(address, "https://www.shop.example/a?b=c", &[])[..2].to_vec(),
            seen(address, "https://shop.example/x", &["-d", &large])[..1].to_vec(),
            seen(address, "https://shop.example/large/x", &["-d", &large])[..1].to_vec(),
        ]
    };
    let source = ["nginx", &main.display().to_string()].map(str::to_owned);
    is_as_said(
        &moved(setup, &mut nginx(), (https, &source.each_ref().map(String::as_str)), look),
        &["200", "200", "200", "403", "302", "301", "413", "200"],
    );
}

#[test]
fn what_haproxy_does_besides_is_done_after_it() {
    let (plain, inner) = (shop("plain"), shop("inner"));
    let front = TlsFront::new(&authority().issue(&["inner.example"]), inner.address);
    let (https, http) = own_addresses();
    let setup = Setup::new();
    let folder = setup.folder.path().join("haproxy");
    fs::create_dir(&folder).expect("a folder");
    pair(&folder, "shop", &NAMES);
    drop_file(&folder.join("root.pem"), &authority().root_pem);
    let closed = SocketAddr::new(https.ip(), 8444);
    let text = format!(
        "global
  crt-base {base}
  ca-base {base}
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend plain
  bind {http}
  http-request redirect scheme https code 301
frontend web
  bind {https} ssl crt shop.pem strict-sni
  option forwardfor
  acl bad src 192.0.2.0/24
  http-request deny if bad
  http-request set-header X-Env live
  http-response set-header X-Frame-Options DENY
  http-response set-header Strict-Transport-Security max-age=300
  http-response del-header X-Powered-By
  http-request redirect prefix https://shop.example code 301 if {{ hdr(host),field(1,:) -i www.shop.example }}
  http-request redirect location https://shop.example/new code 302 if {{ hdr(host),field(1,:) -i shop.example }} {{ path_beg /old/ }}
  compression algo gzip
  compression type text/html
  use_backend inner if {{ hdr(host),field(1,:) -i shop.example }} {{ path_beg /inner/ }}
  use_backend shop if {{ hdr(host),field(1,:) -i shop.example }}
frontend closed
  bind {closed} ssl crt shop.pem strict-sni verify required ca-file {base}/root.pem
  use_backend shop if {{ hdr(host),field(1,:) -i closed.example }}
backend shop
  balance leastconn
  cookie SRV insert indirect nocache httponly secure
  option httpchk
  http-check send meth GET uri /up
  server s1 {plain} weight 2 check inter 1s rise 1 fall 2 cookie s1
backend inner
  server s1 {front} ssl verify required ca-file {base}/root.pem sni str(inner.example) verifyhost inner.example
",
        base = folder.display(),
        plain = plain.address,
        front = front.address,
    );
    let main = folder.join("haproxy.cfg");
    drop_file(&main, text);
    accepted(Command::new("haproxy").args(["-c", "-f"]).arg(&main));
    let look = |address| {
        vec![
            seen(address, "https://shop.example/", &[]),
            seen(address, "https://shop.example/", &["-H", "accept-encoding: gzip", "-o", "-"]),
            seen(address, "https://shop.example/inner/x", &[]),
            seen(address, "https://shop.example/old/x", &[])[..2].to_vec(),
            seen(address, "https://www.shop.example/a?b=c", &[])[..2].to_vec(),
        ]
    };
    let source = ["haproxy", &main.display().to_string()].map(str::to_owned);
    let mut peer = Command::new("haproxy");
    peer.args(["-db", "-f"]).arg(&main);
    is_as_said(
        &moved(setup, &mut peer, (https, &source.each_ref().map(String::as_str)), look),
        &["200", "200", "200", "302", "301"],
    );
}

#[test]
fn what_caddy_does_besides_is_done_after_it() {
    let (plain, inner) = (shop("plain"), shop("inner"));
    let front = TlsFront::new(&authority().issue(&["inner.example"]), inner.address);
    let (https, http) = own_addresses();
    let setup = Setup::new();
    let folder = setup.folder.path().join("caddy");
    fs::create_dir(&folder).expect("a folder");
    pair(&folder, "shop", &NAMES);
    drop_file(&folder.join("root.pem"), &authority().root_pem);
    let text = format!(
        "{{
  http_port {http_port}
  https_port {https_port}
  default_bind {ip}
  admin off
  storage file_system {base}/data
}}
shop.example {{
  tls {base}/shop.crt {base}/shop.key
  encode gzip
  header X-Frame-Options DENY
  header Strict-Transport-Security max-age=300
  request_body {{
    max_size 1KiB
  }}
  redir /old/* https://shop.example/new 302
  reverse_proxy {plain} {{
    lb_policy least_conn
    health_uri /up
    health_interval 1s
    header_up X-Env live
    header_down -X-Powered-By
  }}
  reverse_proxy /inner/* https://{front} {{
    header_up X-Env live
    header_down -X-Powered-By
    transport http {{
      tls_server_name inner.example
      tls_trusted_ca_certs {base}/root.pem
    }}
  }}
}}
www.shop.example {{
  tls {base}/shop.crt {base}/shop.key
  redir https://shop.example{{uri}} permanent
}}
closed.example {{
  tls {base}/shop.crt {base}/shop.key {{
    client_auth {{
      mode require_and_verify
      trusted_ca_cert_file {base}/root.pem
    }}
  }}
  reverse_proxy {plain}
}}
",
        base = folder.display(),
        http_port = http.port(),
        https_port = https.port(),
        ip = https.ip(),
        plain = plain.address,
        front = front.address,
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
    let look = |address| {
        vec![
            seen(address, "https://shop.example/", &[]),
            seen(address, "https://shop.example/", &["-H", "accept-encoding: gzip", "-o", "-"]),
            seen(address, "https://shop.example/inner/x", &[]),
            seen(address, "https://www.shop.example/a?b=c", &[])[..2].to_vec(),
            seen(address, "https://shop.example/old/x", &[])[..2].to_vec(),
        ]
    };
    let source = ["caddy", &main.display().to_string()].map(str::to_owned);
    is_as_said(
        &moved(setup, &mut caddy("run"), (https, &source.each_ref().map(String::as_str)), look),
        &["200", "200", "200", "301", "302"],
    );
}
