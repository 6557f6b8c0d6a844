//! nginx.

use std::path::Path;

use super::{keys, left_out, notes, settings, sites};
use crate::peers::{Files, Plan, nginx};

fn plan(text: &str) -> Plan {
    nginx(Path::new("/etc/nginx/nginx.conf"), &Files::only(text)).expect("a plan")
}

#[test]
fn servers_and_locations_become_sites_and_routes() {
    let plan = plan(
        "user www-data;
events { worker_connections 100; }
http {
  client_max_body_size 20m;
  upstream shop { server 10.0.0.1:8080; server unix:/run/shop.sock; server 10.0.0.2:8080 weight=3; server 10.0.0.3 backup; keepalive 8; }
  server { listen 80; listen [::]:80; server_name shop.example www.shop.example; return 301 https://$host$request_uri; }
  server {
    listen 443 ssl http2 default_server; listen [::]:443 ssl http2 default_server;
    server_name shop.example .shop.example;
    ssl_certificate shop.crt; ssl_certificate_key shop.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    proxy_set_header Host $host;
    proxy_read_timeout 2m;
    location / { proxy_pass http://shop; }
    location ^~ /api/ { proxy_pass http://unix:/run/api.sock:/api/; proxy_set_header Host $host; proxy_read_timeout 30s; }
    location /.well-known/acme-challenge/ { root /var/www; }
  }
}",
    );
    let shop = "http://10.0.0.1:8080,unix:/run/shop.sock,http://10.0.0.2:8080 (weight 3),http://10.0.0.3 (weight 0)";
    assert_eq!(sites(&plan), [format!("shop.example,*.shop.example uploaded {shop} /api/=unix:/run/api.sock")]);
    let unanswered =
        "16: nobody answers the authority of shop.example any more, whose certificates the edge does not order either";
    assert_eq!(left_out(&plan), [unanswered]);
    assert_eq!(notes(&plan), ["9: \".shop.example\" covers one label here, where nginx has it cover any number",]);
    let timeouts = ["limits.upstream_response_timeout = \"2m\"", "/api/ limits.upstream_response_timeout = \"30s\""];
    assert_eq!(keys(&plan), timeouts);
    assert_eq!(
        settings(&plan),
        [
            "tls.unknown_name = \"default\"",
            "tls.default_site = \"shop.example\"",
            "limits.body_size = \"20MiB\"",
            "edge.https = [\"[::]:443\"]",
            "edge.http = [\"[::]:80\"]",
        ]
    );
    let certificate = &plan.certificates[0];
    assert_eq!(certificate.files, ["/etc/nginx/shop.crt", "/etc/nginx/shop.key"].map(std::path::PathBuf::from));
}

#[test]
fn what_has_no_counterpart_is_told_with_its_line() {
    let plan = plan(
        "stream { server { listen 1; } }
http { server { listen 443 ssl; server_name a.example ~^b\\d.example$ c.*;
  ssl_certificate $ssl_server_name.crt; ssl_certificate_key a.key;
  add_header X-A b;
  location / { proxy_pass ftp://10.0.0.1; }
  location = /x { proxy_pass http://10.0.0.1; }
  location ~ \\.php$ { fastcgi_pass unix:/run/php; }
  location /y/ { proxy_pass http://10.0.0.1/z/; }
  location /files/ { alias /srv; }
  location /ok { proxy_pass http://10.0.0.1; proxy_set_header X-Real-IP $remote_addr; }
} 
server { listen 80; server_name plain.example; location / { proxy_pass http://10.0.0.1; } }
server { listen 443 ssl; server_name a.example; ssl_certificate a; ssl_certificate_key b; location / { proxy_pass http://10.0.0.1; } }
}",
    );
    assert_eq!(sites(&plan), ["a.example uploaded  /ok=http://10.0.0.1"]);
    assert_eq!(
        left_out(&plan),
        [
            "1: stream is not HTTP, and Vitrine serves HTTP alone",
            "2: the name \"~^b\\\\d.example$\" is a pattern, and hosts here are names or *.name",
            "2: the name \"c.*\" is a pattern, and hosts here are names or *.name",
            "3: \"ssl_certificate $ssl_server_name.crt\" is found out per handshake",
            "5: \"ftp://10.0.0.1\" is no address that upstreams have",
            "6: /x alone goes elsewhere, and routes here are for a path and all below it",
            "7: location ~ \\.php$ chooses by a pattern, and routes here are path prefixes",
            "8: \"http://10.0.0.1/z/\" puts /z/ in the place of /y/, and paths here stay as they are",
            "9: \"alias /srv\" is not carried over",
            "10: X-Real-IP is not set: X-Forwarded-For and Forwarded tell the visitor's address",
            "13: a.example is served at /etc/nginx/nginx.conf:2 already, and a host has one site",
            "12: plain.example is served over plain HTTP, where the edge only redirects to HTTPS",
        ]
    );
}

#[test]
fn how_requests_are_shared_out_is_carried_over() {
    let plan = plan(
        "http {
  upstream least { least_conn; server 10.0.0.1 max_conns=8 max_fails=3 fail_timeout=20s; server 10.0.0.2 max_conns=8 max_fails=3 fail_timeout=20s; }
  upstream sticky { sticky cookie SRV expires=1h path=/ httponly; server 10.0.0.1; server 10.0.0.2; }
  upstream keyed { hash $cookie_cart consistent; server 10.0.0.1; server 10.0.0.2; }
  upstream odd { hash $request_uri; server 10.0.0.1 max_conns=8; server 10.0.0.2; }
  server { listen 443 ssl; server_name a.example; ssl_certificate a; ssl_certificate_key b; proxy_set_header Host $host;
    location / { proxy_pass http://least; } }
  server { listen 443 ssl; server_name b.example; ssl_certificate a; ssl_certificate_key b; proxy_set_header Host $host;
    location / { proxy_pass http://sticky; } location /api/ { proxy_pass http://10.0.0.9; } }
  server { listen 443 ssl; server_name c.example; ssl_certificate a; ssl_certificate_key b; proxy_set_header Host $host;
    location / { proxy_pass http://keyed; } location /api/ { proxy_pass http://least; } }
}",
    );
    assert_eq!(
        keys(&plan),
        [
            "balance.connections = 8",
            "balance.method = \"least-requests\"",
            "balance.queue = 0",
            "health.eject_after = 3",
            "health.eject_for = \"20s\"",
            "balance.sticky = \"SRV\"",
            "balance.sticky_max_age = \"60m\"",
            "health.eject_after = 3",
            "health.eject_for = \"20s\"",
        ]
    );
    assert_eq!(
        left_out(&plan),
        [
            "5: \"hash $request_uri\" ties a visitor to a server in a way that is not carried over",
            "5: max_conns is not one value for all servers that balance.connections could have",
            "10: its upstreams differ in what [site.balance] says, which a site has once for all of them",
        ]
    );
}

#[test]
fn shops_over_tls_and_in_http2_are_known_as_they_were() {
    let plan = plan(
        "http {
  upstream shop { server 10.0.0.1:8443; server 10.0.0.2:443; }
  server { listen 443 ssl; server_name a.example; ssl_certificate a; ssl_certificate_key b; proxy_set_header Host $host;
    proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem; proxy_ssl_name shop.internal;
    proxy_ssl_certificate edge.crt; proxy_ssl_certificate_key edge.key;
    location / { proxy_pass https://shop; } }
  server { listen 443 ssl; server_name b.example; ssl_certificate a; ssl_certificate_key b; proxy_set_header Host $host;
    location / { grpc_pass grpc://10.0.0.3:50051; } location /tls/ { grpc_pass grpcs://10.0.0.4; } }
}",
    );
    assert_eq!(
        sites(&plan),
        [
            "a.example uploaded https://10.0.0.1:8443,https://10.0.0.2",
            "b.example uploaded h2c://10.0.0.3:50051 /tls/=h2://10.0.0.4",
        ]
    );
    assert_eq!(
        keys(&plan),
        [
            "upstream_tls.certificate = \"/etc/nginx/edge.crt\"",
            "upstream_tls.key = \"/etc/nginx/edge.key\"",
            "upstream_tls.roots = [\"/etc/nginx/ca.pem\"]",
            "upstream_tls.server_name = \"shop.internal\"",
            "upstream_tls.verify = false",
        ]
    );
    assert_eq!(left_out(&plan), Vec::<String>::new());
    let unproven = "8: the shop need not prove who it is, as it had not to before";
    assert!(notes(&plan).iter().any(|note| note == unproven), "{:?}", notes(&plan));
}

#[test]
fn what_a_site_does_besides_is_carried_over_as_nginx_inherits_it() {
    let plan = plan(
        "http {
  gzip on; gzip_types text/css application/json;
  limit_req_zone $binary_remote_addr zone=slow:10m rate=10r/s;
  limit_req_zone $server_name zone=other:10m rate=10r/s;
  limit_conn_zone $binary_remote_addr zone=few:10m;
  set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;
  server { listen 443 ssl; server_name a.example; ssl_certificate a; ssl_certificate_key b;
    ssl_protocols TLSv1.3; ssl_verify_client on; ssl_client_certificate ca.pem; ssl_crl crl.pem;
    add_header Strict-Transport-Security \"max-age=63072000; includeSubDomains\" always;
    add_header X-Frame-Options DENY always;
    proxy_set_header Host $host; proxy_set_header X-Env live; proxy_set_header Accept-Encoding \"\";
    proxy_hide_header X-Powered-By;
    limit_req zone=slow burst=20 nodelay; limit_conn few 5; client_max_body_size 8m;
    location / { proxy_pass http://10.0.0.1; allow 10.0.0.0/8; deny all; }
    location /open/ { proxy_pass http://10.0.0.1; }
    location /few/ { proxy_pass http://10.0.0.1; deny 10.0.0.1; limit_req zone=other; proxy_connect_timeout 7s; }
    location /old/ { return 301 https://b.example/new/; }
    rewrite ^/very/old/(.*)$ /old/$1 permanent; }
  server { listen 443 ssl; server_name b.example; ssl_certificate a; ssl_certificate_key b; gzip off;
    location / { proxy_pass http://10.0.0.1; proxy_set_header Host $host; add_header X-A b always; } }
  server { listen 443 ssl; server_name www.b.example; ssl_certificate a; ssl_certificate_key b;
    return 302 https://b.example$request_uri; }
}",
    );
    assert_eq!(
        keys(&plan),
        [
            "allow = [\"10.0.0.0/8\"]",
            "compression.algorithms = [\"gzip\"]",
            "compression.min_size = \"20B\"",
            "compression.on = true",
            "compression.types = [\"text/html\", \"text/css\", \"application/json\"]",
            "connections.ipv6_prefix = 128",
            "connections.per_client = 5",
            "hsts.include_subdomains = true",
            "hsts.max_age = \"63072000s\"",
            "limits.body_size = \"8MiB\"",
            "rate_limit.burst = 21",
            "rate_limit.ipv6_prefix = 128",
            "rate_limit.rate = \"10/s\"",
            "request_headers.remove = [\"Accept-Encoding\"]",
            "request_headers.set = [\"X-Env: live\"]",
            "response_headers.add = [\"X-Frame-Options: DENY\"]",
            "response_headers.remove = [\"X-Powered-By\"]",
            "tls.client_ca = [\"/etc/nginx/ca.pem\"]",
            "tls.client_certificates = \"required\"",
            "tls.client_crl = [\"/etc/nginx/crl.pem\"]",
            "tls.min_version = \"1.3\"",
            "/old/ 301 https://b.example/new/",
            "/very/old/ 301 /old/ and the rest",
            "/open/ allow = [\"0.0.0.0/0\", \"::/0\"]",
            "/few/ deny = [\"10.0.0.1/32\"]",
            "/few/ limits.upstream_connect_timeout = \"7s\"",
            "response_headers.add = [\"X-A: b\"]",
            "www.b.example/ 302 https://b.example and the rest",
        ]
    );
    assert_eq!(sites(&plan)[1], "b.example,www.b.example uploaded http://10.0.0.1");
    assert_eq!(left_out(&plan), ["16: \"limit_req …\" is not carried over"]);
    let trusted = "edge.trusted_proxies = [\"10.0.0.0/8\"]";
    assert!(settings(&plan).iter().any(|line| line == trusted), "{:?}", settings(&plan));
}

#[test]
fn what_lets_fewer_in_than_it_seems_is_left_out() {
    let plan = plan(
        "http { server { listen 443 ssl proxy_protocol; server_name a.example; ssl_certificate a; ssl_certificate_key b;
  proxy_set_header Host $host; set_real_ip_from 10.0.0.9; real_ip_header proxy_protocol;
  ssl_verify_client optional_no_ca; satisfy any; allow 10.0.0.0/8; deny all; auth_basic x;
  proxy_set_header X-Api-Key hunter2; add_header X-A $host; rewrite ^/a/(\\d+)$ /b/$1 permanent;
  location / { proxy_pass http://10.0.0.1; return 301 /; }
  location /private/ { deny all; }
} server { listen 443 ssl; server_name b.example; ssl_certificate a; ssl_certificate_key b; proxy_set_header Host $host;
  location /a/ { deny 10.0.0.1; proxy_pass http://10.0.0.1; location /a/b/ { proxy_pass http://10.0.0.2; } } } }",
    );
    // What lies within is closed to whom what is around it is closed to.
    assert_eq!(keys(&plan), ["/a/b/ deny = [\"10.0.0.1/32\"]", "/a/ deny = [\"10.0.0.1/32\"]"]);
    assert!(left_out(&plan).contains(&"6: \"deny all\" is not carried over".to_owned()), "{:?}", left_out(&plan));
    assert!(settings(&plan).contains(&"edge.proxy_protocol = [\"10.0.0.9/32\"]".to_owned()), "{:?}", settings(&plan));
    let lines = left_out(&plan);
    for what in ["allow", "deny", "ssl_verify_client", "add_header", "auth_basic", "rewrite", "return"] {
        assert!(lines.iter().any(|line| line.contains(&format!("\"{what}"))), "{what}: {lines:?}");
    }
    assert!(lines.iter().any(|line| line.contains("the field \"x-api-key\" is not set")), "{lines:?}");
}

/// What an nginx says that serves `shop.example` with certbot's certificate, of which this is known.
pub(super) fn beside_certbot(folder: &Path, renewal: &str) -> Plan {
    let root = folder.join("letsencrypt");
    std::fs::create_dir_all(root.join("renewal")).expect("a folder");
    let renewal = format!("[renewalparams]\nserver = https://acme.example/directory\n{renewal}");
    std::fs::write(root.join("renewal/shop.example.conf"), renewal).expect("written");
    let live = root.join("live/shop.example").display().to_string();
    let text = format!(
        "http {{ server {{ listen 443 ssl; server_name shop.example; ssl_certificate {live}/fullchain.pem;
  ssl_certificate_key {live}/privkey.pem; location / {{ proxy_pass http://10.0.0.1; proxy_set_header Host $host; }} }} }}"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).expect("written");
    nginx(&file, &Files::of_the_disk()).expect("a plan")
}

#[test]
fn what_certbot_had_issued_is_managed() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = beside_certbot(folder.path(), "account = x\nauthenticator = nginx\n");
    assert_eq!(sites(&plan), ["shop.example managed http://10.0.0.1"]);
    let account = folder.path().join("letsencrypt/accounts/acme.example/directory/x").display().to_string();
    assert_eq!(left_out(&plan), [format!("0: the account of \"shop.example\" is not in {account}")]);
    assert_eq!(plan.authorities[0].directory, "https://acme.example/directory");
}
