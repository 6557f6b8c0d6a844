//! The API keeps to its own description, whatever is thrown at it.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Edge, Origin, Setup, Talk};

#[test]
fn whoever_has_a_token_gets_what_the_document_says() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let token = edge.token("schemathesis", "operate");
    let document = edge.setup.folder.path().join("openapi.json");
    std::fs::write(&document, edge.ask_with(&token, "GET", "/api/v1/openapi.json").content.bytes).expect("written");
    schemathesis(&edge, &document, edge.admin, Some(&token));
}

#[test]
fn nothing_that_the_document_describes_is_done_without_a_token() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let document = edge.ask_api("GET", "/api/v1/openapi.json").json();
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 5, "{paths:?}");
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            let (method, path) = (method.to_ascii_uppercase(), path.replace(['{', '}'], ""));
            if WAYS_IN.contains(&&*format!("{method} {path}")) {
                continue;
            }
            let head = format!("{method} /api/v1{path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
            assert_eq!(Talk::plain(edge.admin).ask(head).status, 401, "{method} {path}");
        }
    }
    assert_eq!(edge.api("audit"), Vec::<serde_json::Value>::new());
}

#[test]
fn the_owner_gets_what_the_document_says() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let (path, mut document) =
        (edge.setup.folder.path().join("openapi.json"), edge.ask_api("GET", "/api/v1/openapi.json").json());
    // Nobody asks the owner for a token.
    document["security"] = serde_json::json!([]);
    std::fs::write(&path, document.to_string()).expect("written");
    schemathesis(&edge, &path, before(edge.setup.state().join("admin.sock")), None);
}

/// Throws what the document allows, and what it does not, at an address.
fn schemathesis(edge: &Edge, document: &Path, address: SocketAddr, token: Option<&str>) {
    let mut command = Command::new(program());
    command
        .arg("run")
        .arg(document)
        .arg(format!("--url=http://{address}/api/v1"))
        // A time to come, a name that is free: not every rule fits into a schema. Of wrong tokens there are soon too many.
        .args(["--checks=all", "--exclude-checks=positive_data_acceptance,ignored_auth"])
        // Each of the two that are let in makes up others.
        .args(["--phases=examples,coverage,fuzzing", "--max-examples=12", "--no-color"])
        .arg(if token.is_some() { "--seed=1" } else { "--seed=2" })
        // How long an answer takes is the machine's business. A frozen edge would refuse all that comes after.
        .args(["--request-timeout=120", "--max-response-time=120", "--exclude-path=/freeze"])
        .args(["--warnings=off", "--generation-database=none"])
        .current_dir(edge.setup.folder.path());
    if let Some(token) = token {
        command.arg(format!("--header=Authorization: Bearer {token}"));
    }
    let output = command.output().expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let panics: Vec<_> = edge.log().into_iter().filter(|line| line["level"] == "ERROR").collect();
    assert!(panics.is_empty(), "{panics:?}\n{said}");
}

/// An address before admin.sock: schemathesis speaks TCP alone.
fn before(socket: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let Ok(edge) = UnixStream::connect(&socket) else { return };
            std::thread::spawn(move || relay(&client, &edge));
        }
    });
    address
}

fn relay(client: &TcpStream, edge: &UnixStream) -> io::Result<()> {
    let (mut from_client, mut to_edge) = (client.try_clone()?, edge.try_clone()?);
    let there = std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_edge);
        let _ = to_edge.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut &*edge, &mut &*client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = there.join();
    Ok(())
}

/// How one becomes somebody.
const WAYS_IN: [&str; 5] = ["POST /session", "GET /setup", "POST /setup", "POST /hand-in", "POST /hand-in/open"];

/// As `scripts/test packages` installs it.
fn program() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_vitrine")).ancestors().nth(2).expect("a target folder");
    let program = target.join("venv/bin/schemathesis");
    assert!(program.exists(), "{} is missing: run ./scripts/test packages", program.display());
    program
}
