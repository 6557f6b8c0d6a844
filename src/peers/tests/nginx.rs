//! nginx.

use std::path::Path;

use super::{left_out, notes, settings, sites};
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
    let shop = "http://10.0.0.1:8080,unix:/run/shop.sock,http://10.0.0.2:8080";
    assert_eq!(sites(&plan), [format!("shop.example,*.shop.example uploaded {shop} /api/=unix:/run/api.sock")]);
    assert_eq!(left_out(&plan), Vec::<String>::new());
    assert_eq!(
        notes(&plan),
        [
            "5: weight=3 is not carried over: upstreams take turns evenly",
            "5: 10.0.0.3 is backup, and is left out: upstreams here take turns",
            "9: \".shop.example\" covers one label here, where nginx has it cover any number",
            "13: limits.upstream_response_timeout is one value for all sites; this one, the most generous of several, holds",
        ]
    );
    assert_eq!(
        settings(&plan),
        [
            "tls.unknown_name = \"default\"",
            "tls.default_site = \"shop.example\"",
            "limits.body_size = \"20MiB\"",
            "limits.upstream_response_timeout = \"2m\"",
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
  location / { proxy_pass https://10.0.0.1; }
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
            "5: \"https://10.0.0.1\" is no plain HTTP, which is what upstreams are spoken to in",
            "6: /x alone goes elsewhere, and routes here are for a path and all below it",
            "7: location ~ \\.php$ chooses by a pattern, and routes here are path prefixes",
            "8: \"http://10.0.0.1/z/\" puts /z/ in the place of /y/, and paths here stay as they are",
            "9: \"alias /srv\" is not carried over",
            "10: X-Real-IP is not set: X-Forwarded-For and Forwarded tell the visitor's address",
            "4: \"add_header X-A …\" is not carried over",
            "13: a.example is served at /etc/nginx/nginx.conf:2 already, and a host has one site",
            "12: plain.example is served over plain HTTP, where the edge only redirects to HTTPS",
        ]
    );
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
