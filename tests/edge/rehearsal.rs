//! A move from HAProxy, as docs/moving.md tells it, with many shops and under load: what is imported serves each name with the same
//! certificate and from the same backend, and no request fails while one takes over from the other.
//!
//! `REHEARSAL_SHOPS=3000` makes it as large as a hosting platform.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use rustls::SignatureScheme;
use rustls::version::TLS13;

use crate::support::peer::{Peer, accepted, import, own_addresses, untouched};
use crate::support::{ClientTls, Issued, KeyKind, Origin, Setup, authority, drop_file, eventually, run, shown};

#[test]
fn many_shops_move_from_haproxy_without_a_failed_request() {
    let shops: usize = std::env::var("REHEARSAL_SHOPS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let backends: [Origin; 4] = ["one", "two", "three", "four"].map(Origin::saying);
    let (old_https, http) = own_addresses();
    let mut setup = Setup::new();
    let folder = setup.folder.path().join("haproxy");
    let names = lay_out(&folder, shops, &backends, (old_https, http));
    let main = folder.join("haproxy.cfg");
    accepted(Command::new("haproxy").args(["-c", "-f"]).arg(&main));
    let began = Instant::now();
    let peer = Peer::start(Command::new("haproxy").args(["-db", "-f"]).arg(&main), setup.folder.path(), old_https);
    let before = look(old_https, &names);
    println!("haproxy: {} names in {:.1} s", names.len(), began.elapsed().as_secs_f64());

    let source = untouched(&folder);
    let began = Instant::now();
    let (code, told) = import(&mut setup, &["haproxy", &main.display().to_string()]);
    println!("import: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(untouched(&folder), source);
    // What is not carried over is named, with what to do.
    let left_out: Vec<&str> = told.lines().filter(|line| line.starts_with("left out: ")).collect();
    assert_eq!((code, left_out.len()), (1, 1), "{told}");
    assert!(left_out[0].contains("http-response set-header X-Edge") && left_out[0].contains(';'), "{told}");
    assert!(told.contains("nothing is wrong"), "{told}");
    let began = Instant::now();
    let checked = run(&["check", "--config", "vitrine.toml"], &setup);
    println!("check: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));

    // Beside the old one on other ports, as step 2 has it.
    let text = fs::read_to_string(setup.config()).expect("the configuration");
    let new_https = SocketAddr::new(old_https.ip(), old_https.port() + 1);
    let new_http = SocketAddr::new(http.ip(), http.port() + 1);
    let text =
        text.replace(&old_https.to_string(), &new_https.to_string()).replace(&http.to_string(), &new_http.to_string());
    setup.written(&text);
    let began = Instant::now();
    let edge = setup.start();
    println!("start: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(edge.https, new_https);

    // Visitors come all the time, to the old one and from a moment on to the new one.
    let (is_over, is_moved) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (good, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let visitors: Vec<_> = (0..4)
        .map(|visitor| {
            let (names, is_over, is_moved) = (names.clone(), Arc::clone(&is_over), Arc::clone(&is_moved));
            let (good, failed) = (Arc::clone(&good), Arc::clone(&failed));
            std::thread::spawn(move || {
                let mut next = visitor;
                while !is_over.load(Ordering::Relaxed) {
                    let address = if is_moved.load(Ordering::Relaxed) { new_https } else { old_https };
                    next = (next + 7) % names.len();
                    let counter = if visit(address, &names[next].0).is_some() { &good } else { &failed };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let enough = |more: usize| {
        let until = good.load(Ordering::Relaxed) + more;
        eventually("visitors", || {
            (good.load(Ordering::Relaxed) >= until || failed.load(Ordering::Relaxed) > 0).then_some(())
        });
    };
    enough(40);
    is_moved.store(true, Ordering::Relaxed);
    enough(40);
    drop(peer);
    enough(40);
    let began = Instant::now();
    let after = look(new_https, &names);
    println!("vitrine: {} names in {:.1} s", names.len(), began.elapsed().as_secs_f64());
    is_over.store(true, Ordering::Relaxed);
    visitors.into_iter().for_each(|visitor| visitor.join().expect("a visitor"));
    println!("requests: {} good, {} failed", good.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    let differ: Vec<_> = before.iter().filter(|(name, seen)| after.get(*name) != Some(*seen)).take(5).collect();
    assert!(differ.is_empty() && before.len() == after.len(), "{differ:?}");
    assert_eq!(before.len(), names.len());
}

/// What a name shows: its certificate, and what its backend says.
type Seen = BTreeMap<String, (Vec<u8>, String)>;

fn look(address: SocketAddr, names: &[(String, usize)]) -> Seen {
    names.iter().filter_map(|(name, _)| Some((name.clone(), visit(address, name)?))).collect()
}

/// One visit: the certificate that is shown, whoever stands behind it, and the answer.
fn visit(address: SocketAddr, name: &str) -> Option<(Vec<u8>, String)> {
    // Some have ended, and are shown all the same.
    let schemes = vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256];
    let client = ClientTls::trusting(&[&TLS13], schemes).alpn(&["http/1.1"]);
    let mut talk = client.try_open(address, name).ok()?;
    let certificate = shown(talk.session()).to_vec();
    talk.try_send(format!("GET /x HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n")).ok()?;
    let answer = talk.try_response().ok()?;
    (answer.status == 200).then(|| (certificate, answer.text()))
}

/// Writes what HAProxy needs for so many shops, and gives their names with the number of the backend.
fn lay_out(
    folder: &std::path::Path,
    shops: usize,
    backends: &[Origin; 4],
    (https, http): (SocketAddr, SocketAddr),
) -> Vec<(String, usize)> {
    fs::create_dir_all(folder.join("certs")).expect("a folder");
    let (mut names, mut map) = (Vec::new(), String::from("# host backend\n"));
    let mut name = |host: String, backend: usize, map: &mut String| {
        map.push_str(&format!("{host} b{backend}\n"));
        names.push((host, backend));
    };
    let keep = |file: String, issued: &Issued| drop_file(&folder.join("certs").join(file), issued.both());
    for shop in 0..shops {
        let (domain, backend) = (format!("shop-{shop}.example"), shop % backends.len());
        let issued = match shop % 10 {
            // Behind a wildcard, with two more names in one certificate, ended, or on an RSA key.
            0 => authority().issue(&[&format!("*.{domain}"), &domain]),
            1 => authority().issue(&[&domain, &format!("www.{domain}"), &format!("m.{domain}")]),
            2 if shop == 2 => authority().issue_for(&[&domain], KeyKind::Ecdsa, -48, -24),
            3 if shop == 3 => authority().issue_for(&[&domain], KeyKind::Rsa, -1, 90 * 24),
            _ => authority().issue(&[&domain]),
        };
        keep(format!("{shop:05}.pem"), &issued);
        name(domain.clone(), backend, &mut map);
        match shop % 10 {
            0 => name(format!("pay.{domain}"), backend, &mut map),
            1 => ["www", "m"].into_iter().for_each(|part| name(format!("{part}.{domain}"), backend, &mut map)),
            _ => {}
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
  http-request redirect scheme https code 301
frontend web
  bind {https} ssl crt {certs} alpn h2,http/1.1 strict-sni
  option forwardfor
  http-response set-header X-Edge haproxy if {{ path_beg /api/ }}
  use_backend %[req.hdr(host),field(1,:),lower,map({map})]
",
        certs = folder.join("certs").display(),
        map = folder.join("hosts.map").display(),
    );
    for (number, backend) in backends.iter().enumerate() {
        text.push_str(&format!(
            "backend b{number}\n  balance roundrobin\n  option httpchk GET /health\n  server s1 {} check\n",
            backend.address
        ));
    }
    drop_file(&folder.join("haproxy.cfg"), text);
    names
}
