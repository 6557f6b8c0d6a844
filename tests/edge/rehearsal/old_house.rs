//! What stands before the move: HAProxy with many shops, as a hosting platform has it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::{ACME, APPLE_PAY};
use crate::support::{Issued, KeyKind, Origin, authority, drop_file};

/// What is behind HAProxy.
pub(super) struct Behind {
    /// Where the shops are.
    pub(super) backends: [Origin; 4],
    /// Who shows Apple Pay's file for most of them.
    pub(super) apple: Origin,
    /// An ACME client.
    pub(super) certbot: Origin,
}

/// A name that HAProxy has a backend for and no certificate.
pub(super) const BARE: &str = "bare.example";
/// The shop whose certificate does not go with the key any more.
pub(super) const SPOILT: usize = 4;
/// Whose file for Apple Pay HAProxy shows by itself.
pub(super) const SHOWN: [usize; 2] = [5, 6];

impl Behind {
    pub(super) fn new() -> Self {
        Self {
            backends: ["one", "two", "three", "four"].map(Origin::saying),
            apple: Origin::saying("apple's file"),
            certbot: Origin::saying("token.thumbprint"),
        }
    }
}

/// Writes what HAProxy needs for so many shops, and gives their names; the last is what [`SPOILT`] was issued.
pub(super) fn lay_out(
    folder: &Path,
    shops: usize,
    behind: &Behind,
    (https, http): (SocketAddr, SocketAddr),
) -> (Vec<String>, Issued) {
    fs::create_dir_all(folder.join("certs")).expect("a folder");
    let (mut names, mut map) = (Vec::new(), format!("# host backend\n{BARE} b0\n"));
    let mut spoilt = None;
    for shop in 0..shops {
        let domain = format!("shop-{shop}.example");
        let issued = match shop % 10 {
            // Behind a wildcard, with two more names in one certificate, ended, or on an RSA key.
            0 => authority().issue(&[&format!("*.{domain}"), &domain]),
            1 => authority().issue(&[&domain, &format!("www.{domain}"), &format!("m.{domain}")]),
            2 if shop == 2 => authority().issue_for(&[&domain], KeyKind::Ecdsa, -48, -24),
            3 if shop == 3 => authority().issue_for(&[&domain], KeyKind::Rsa, -1, 90 * 24),
            _ => authority().issue(&[&domain]),
        };
        drop_file(&pem(folder, shop), issued.both());
        let parts: &[&str] = match shop % 10 {
            0 => &["pay."],
            1 => &["www.", "m."],
            _ => &[],
        };
        for part in [""].iter().chain(parts) {
            map.push_str(&format!("{part}{domain} b{}\n", shop % behind.backends.len()));
            names.push(format!("{part}{domain}"));
        }
        if shop == SPOILT {
            spoilt = Some(issued);
        }
    }
    drop_file(&folder.join("hosts.map"), map);
    let mut text = format!(
        "global
  maxconn 2000
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend plain
  bind {http}
  acl is_acme path_beg {ACME}
  http-request redirect scheme https code 301 unless is_acme
  use_backend certbot if is_acme
frontend web
  bind {https} ssl crt {certs} alpn h2,http/1.1 strict-sni
  option forwardfor
  acl is_acme path_beg {ACME}
  http-response set-header X-Edge haproxy if {{ path_beg /api/ }}
",
        certs = folder.join("certs").display(),
    );
    for shop in SHOWN {
        let file = folder.join(format!("apple-{shop}"));
        drop_file(&file, format!("the file of shop {shop}"));
        text.push_str(&format!(
            "  http-request return status 200 content-type text/plain file {} if {{ hdr(host),field(1,:) -i shop-{shop}.example }} \
             {{ path_beg {APPLE_PAY} }}\n",
            file.display()
        ));
    }
    text.push_str(&format!(
        "  use_backend certbot if is_acme
  use_backend apple if {{ path_beg {APPLE_PAY} }}
  use_backend %[req.hdr(host),field(1,:),lower,map({map})]
backend certbot
  server local {certbot}
backend apple
  server s1 {apple}
",
        map = folder.join("hosts.map").display(),
        certbot = behind.certbot.address,
        apple = behind.apple.address,
    ));
    for (number, backend) in behind.backends.iter().enumerate() {
        text.push_str(&format!(
            "backend b{number}\n  balance roundrobin\n  option httpchk GET /health\n  server s1 {} check\n",
            backend.address
        ));
    }
    drop_file(&folder.join("haproxy.cfg"), text);
    (names, spoilt.expect("a shop"))
}

/// A renewal went wrong half way: the certificate is new and the key is not. HAProxy has not read it since.
pub(super) fn spoil(folder: &Path, issued: &Issued) {
    let renewed = authority().issue(&[&format!("shop-{SPOILT}.example")]);
    drop_file(&pem(folder, SPOILT), format!("{}{}", renewed.chain, issued.key));
}

/// The file of a shop's certificate.
pub(super) fn pem(folder: &Path, shop: usize) -> std::path::PathBuf {
    folder.join("certs").join(format!("{shop:05}.pem"))
}
