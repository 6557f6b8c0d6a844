//! The corpus of malformed and ambiguous requests, judged by what arrives behind the edge.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::support::{Setup, authority, site};

#[test]
fn the_whole_corpus_passes() {
    // The port is free again when the corpus' own origin takes it.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let mut setup = Setup::new();
    setup.raw_site(&site(&["shop.example"], &[format!("http://127.0.0.1:{port}")]));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    let edge = setup.start();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge/desync");
    let output = Command::new("python3")
        .arg(corpus.join("desync_run.py"))
        .args(["-q", "--sni", "shop.example", "--proxy", &edge.https.to_string()])
        .args(["--origin-port", &port.to_string(), "--cases"])
        .arg(corpus.join("cases.json"))
        .output()
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("151 passed, 0 failed"), "{said}");
}
