//! Shops that are spoken to over TLS, and what they must prove.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::command::{done, vitrine};
use crate::support::peer::{Peer, own_addresses};
use crate::support::{Edge, Issued, KeyKind, Origin, Setup, TlsFront, authority, drop_file, eventually, message, run};

/// A site with these upstreams, whose configuration goes on with `lines`; the tests' root is in `root.pem`.
fn shop(upstreams: &[String], lines: &str) -> Setup {
    let mut setup = Setup::new();
    setup.raw_site(&format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = {upstreams:?}\n{lines}\n"));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1");
    drop_file(&setup.folder.path().join("root.pem"), &authority().root_pem);
    setup
}

fn url(front: &TlsFront) -> String {
    format!("https://localhost:{}", front.address.port())
}

fn failures(edge: &Edge, reason: &str) -> f64 {
    edge.scrape().sum("vitrine_upstream_failures_total", &[("reason", reason)])
}

const ROOTS: &str = "upstream_tls = { roots = [\"root.pem\"] }";

#[test]
fn a_shop_that_proves_its_name_is_served_and_its_connection_kept() {
    let origin = Origin::new(|exchange| {
        let content = exchange.body()?;
        exchange.answer("200 OK", &[], &content.bytes)
    });
    let front = TlsFront::new(&authority().issue(&["localhost"]), origin.address);
    let lines = "upstream_tls = { roots = [\"root.pem\"] }\nhealth = { path = \"/healthz\", interval = \"100ms\" }";
    let edge = shop(&[url(&front)], lines).start();
    let mut client = edge.open("shop.example");
    let large = "x".repeat(1 << 20);
    for body in ["hello", large.as_str(), "again"] {
        let head = format!("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: {}\r\n\r\n", body.len());
        let answer = client.ask(head + body);
        assert_eq!((answer.status, answer.text() == body), (200, true));
    }
    let orders = origin.requests().into_iter().filter(|request| request.head.start.starts_with("POST"));
    let connections: Vec<usize> = orders.map(|request| request.connection).collect();
    assert!(connections.iter().all(|connection| *connection == connections[0]), "{connections:?}");
    let handshakes = front.handshakes();
    assert!(handshakes.iter().all(|handshake| handshake.sni.as_deref() == Some("localhost")), "{handshakes:?}");
    // The edge's own questions are asked over TLS, and of whom it believes.
    eventually("a question of the edge", || {
        origin.requests().iter().any(|request| request.head.start.starts_with("GET /healthz")).then_some(())
    });
    let name = url(&front);
    assert_eq!(edge.api("upstreams")[0]["upstream"], name.as_str());
    assert!(done(vitrine(&edge, &format!("upstreams set {name} draining"))).contains("draining"));
}

#[test]
fn a_session_is_gone_on_with() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        exchange.answer("200 OK", &[("connection", "close")], b"")?;
        Ok(crate::support::Then::Close)
    });
    let front = TlsFront::new(&authority().issue(&["localhost"]), origin.address);
    let edge = shop(&[url(&front)], ROOTS).start();
    for _ in 0..4 {
        assert_eq!(edge.get("shop.example", "/").status, 200);
    }
    let resumed: Vec<bool> = front.handshakes().iter().map(|handshake| handshake.resumed).collect();
    assert_eq!(resumed, [false, true, true, true]);
}

#[test]
fn nothing_is_sent_to_whom_the_shop_has_to_be_and_does_not_prove_to_be() {
    let hours = |from, until| authority().issue_for(&["localhost"], KeyKind::Ecdsa, from, until);
    let wrong_name = authority().issue(&["other.example"]);
    let cases: [(&str, Issued, &str); 5] = [
        ("certificate_name", wrong_name.clone(), ROOTS),
        (
            "certificate_name",
            authority().issue(&["localhost"]),
            "upstream_tls = { roots = [\"root.pem\"], server_name = \"shop.internal\" }",
        ),
        // The web's authorities do not know it.
        ("certificate_issuer", authority().issue(&["localhost"]), ""),
        ("certificate_expired", hours(-48, -24), ROOTS),
        ("certificate_expired", hours(24, 48), ROOTS),
    ];
    for (reason, issued, lines) in cases {
        let origin = Origin::saying("not to be seen");
        let front = TlsFront::new(&issued, origin.address);
        let edge = shop(&[url(&front)], &format!("{lines}\nretries = 0")).start();
        let answer = edge.get("shop.example", "/");
        assert_eq!(answer.status, 502, "{reason}");
        assert!(!answer.text().contains("certificate"), "{}", answer.text());
        assert_eq!(failures(&edge, reason), 1.0, "{reason}");
        edge.log_line(reason, |line| line["reason"] == reason);
        assert_eq!(origin.requests(), [], "{reason}");
        assert_eq!(origin.connections(), 0, "{reason}");
    }
    // Nor to who speaks no TLS at all.
    let origin = Origin::saying("in plain text");
    let edge = shop(&[format!("https://{}", origin.address)], ROOTS).start();
    assert_eq!(edge.get("shop.example", "/").status, 502);
    assert_eq!(failures(&edge, "tls_handshake"), 1.0);
    assert_eq!(origin.requests(), []);
    // The name may be said, and proof be waived.
    for lines in [
        "upstream_tls = { roots = [\"root.pem\"], server_name = \"Other.example\" }",
        "upstream_tls = { verify = false }",
    ] {
        let origin = Origin::saying("in the end");
        let front = TlsFront::new(&wrong_name, origin.address);
        let edge = shop(&[url(&front)], lines).start();
        assert_eq!(edge.get("shop.example", "/").text(), "in the end", "{lines}");
    }
}

/// `client.pem` and `client.key`, of the tests' authority; the certificate is given back.
fn client(folder: &Path) -> Issued {
    let issued = authority().issue(&["edge.example"]);
    drop_file(&folder.join("client.pem"), &issued.chain);
    drop_file(&folder.join("client.key"), &issued.key);
    issued
}

#[test]
fn the_edge_says_who_it_is_and_takes_a_renewed_certificate() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        exchange.answer("200 OK", &[("connection", "close")], b"for the edge alone")?;
        Ok(crate::support::Then::Close)
    });
    let front = TlsFront::asking(&authority().issue(&["localhost"]), origin.address);
    let refused = shop(&[url(&front)], ROOTS).start();
    assert_eq!(refused.get("shop.example", "/").status, 502);
    drop(refused);

    let lines = "upstream_tls = { roots = [\"root.pem\"], certificate = \"client.pem\", key = \"client.key\" }";
    let setup = shop(&[url(&front)], lines);
    let first = client(setup.folder.path());
    let edge = setup.start();
    let shown = || front.handshakes().last().and_then(|handshake| handshake.client.clone());
    assert_eq!(edge.get("shop.example", "/").text(), "for the edge alone");
    assert_eq!(shown(), Some(first.der));
    let second = client(edge.setup.folder.path());
    edge.signal(Signal::HUP);
    edge.logged("the configuration was reloaded");
    eventually("the renewed certificate", || {
        assert_eq!(edge.get("shop.example", "/").status, 200);
        (shown().as_ref() == Some(&second.der)).then_some(())
    });
}

#[test]
fn nginx_behind_tls_asks_who_the_edge_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, _) = own_addresses();
    let issued = authority().issue(&["localhost", &address.ip().to_string()]);
    let file = |name: &str, content: &str| drop_file(&folder.path().join(name), content);
    file("shop.pem", &issued.chain);
    file("shop.key", &issued.key);
    file("root.pem", &authority().root_pem);
    file(
        "nginx.conf",
        &format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
  server {{ listen {address} ssl; ssl_certificate shop.pem; ssl_certificate_key shop.key; ssl_protocols TLSv1.3;
    ssl_client_certificate root.pem; ssl_verify_client on;
    location / {{ return 200 \"$ssl_client_s_dn $ssl_protocol $ssl_server_name\"; }} }} }}"
        ),
    );
    let root = folder.path().to_str().expect("a path");
    let _nginx = Peer::start(
        Command::new("nginx").args(["-p", root, "-c", "nginx.conf"]).current_dir(folder.path()),
        folder.path(),
        address,
    );
    let upstream = format!("https://{address}");
    let edge = shop(std::slice::from_ref(&upstream), ROOTS).start();
    // nginx says it in HTTP.
    assert_eq!(edge.get("shop.example", "/").status, 400);
    drop(edge);
    let lines = "upstream_tls = { roots = [\"root.pem\"], certificate = \"client.pem\", key = \"client.key\" }";
    let setup = shop(&[upstream], lines);
    client(setup.folder.path());
    let edge = setup.start();
    for _ in 0..3 {
        let answer = edge.get("shop.example", "/");
        assert_eq!((answer.status, answer.text().trim()), (200, "CN=edge.example TLSv1.3"));
    }
    assert_eq!(edge.scrape().sum("vitrine_upstream_reuses_total", &[]), 2.0);
}

/// As any other mistake in an included file.
#[test]
fn a_root_of_no_use_in_an_included_file_leaves_out_its_site_alone() {
    let origin = Origin::saying("hello");
    let front = TlsFront::new(&authority().issue(&["localhost"]), origin.address);
    let site = |host: &str, lines: &str| {
        format!("[[site]]\nhosts = [\"{host}\"]\nupstreams = [{:?}]\n[site.upstream_tls]\n{lines}\n", url(&front))
    };
    for (file, lines) in [
        ("other.pem", "roots = [\"other.pem\"]"),
        ("edge.pem", "roots = [\"root.pem\"]\ncertificate = \"edge.pem\"\nkey = \"edge.pem\""),
    ] {
        let mut setup = shop(&[url(&front)], ROOTS);
        setup.top("include = [\"sites.d/*.toml\"]");
        setup.certificate("more", &authority().issue(&["a.example", "b.example"]));
        let root = setup.folder.path().to_owned();
        std::fs::create_dir(root.join("sites.d")).expect("a folder");
        drop_file(&root.join("sites.d/a.toml"), site("a.example", "roots = [\"root.pem\"]"));
        drop_file(&root.join("sites.d/b.toml"), site("b.example", lines));
        // PEM, with nothing in it that could be a certificate.
        let useless = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        drop_file(&root.join(file), useless);
        let mut edge = setup.start();
        let told = |edge: &Edge, after: usize| {
            edge.log_line_after(after, "the mistake", |line| {
                let text = message(line);
                line["level"] == "ERROR" && text.contains("b.toml:4: site.upstream_tls.") && text.contains(file)
            })
        };
        told(&edge, 0);
        let statuses = |edge: &Edge| ["shop.example", "a.example", "b.example"].map(|host| edge.get(host, "/").status);
        assert_eq!(edge.open("a.example").get("b.example", "/").status, 404, "{file}");

        drop_file(&root.join(file), authority().issue(&["client.example"]).both());
        if file == "other.pem" {
            drop_file(&root.join(file), &authority().root_pem);
        }
        edge.signal(Signal::HUP);
        eventually("the mended site", || (statuses(&edge) == [200, 200, 200]).then_some(()));

        // Of no use again while it serves: the site stays as it was, and all else that is new applies.
        let before = edge.log().len();
        drop_file(&root.join(file), useless);
        edge.setup.set("limits", "uri_length = \"256B\"");
        edge.reload();
        told(&edge, before);
        edge.log_line_after(before, "that it stays", |line| message(line).contains("stays as it was"));
        assert_eq!(statuses(&edge), [200, 200, 200]);
        assert_eq!(edge.get("shop.example", &format!("/{}", "a".repeat(300))).status, 414);
        let checked = run(&["check", "--config", "vitrine.toml"], &edge.setup);
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(told.contains("b.toml:4: site.upstream_tls.") && told.contains("left out"), "{told}");
    }
}
