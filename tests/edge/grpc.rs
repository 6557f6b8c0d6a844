//! gRPC through the edge, with Google's own client and server.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::peer::accepted;
use crate::support::{Setup, authority, drop_file, eventually};

/// A server, which says `gone` when a client has given a call up. Ended when dropped.
struct Server {
    child: Child,
    port: u16,
    gone: std::sync::mpsc::Receiver<()>,
}

impl Server {
    fn start() -> Self {
        let mut child = python().arg("serve").stdout(Stdio::piped()).spawn().expect("Python is there");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let port = lines.next().expect("a port").expect("a line").parse().expect("a number");
        let (tell, gone) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line == "gone" {
                    // The test may have ended.
                    let _ = tell.send(());
                }
            }
        });
        Self { child, port, gone }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn python() -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(here.join("target/venv/bin/python"));
    command.arg(here.join("tests/edge/support/speak_grpc.py")).stdin(Stdio::null());
    command
}

#[test]
fn calls_stream_both_ways_and_end_with_their_status() {
    let server = Server::start();
    let mut setup = Setup::new();
    let upstream = format!("h2c://127.0.0.1:{}", server.port);
    setup.raw_site(&format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{upstream:?}]\n"));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1");
    let root = setup.folder.path().join("root.pem");
    drop_file(&root, &authority().root_pem);
    let edge = setup.start();
    let said = accepted(python().args(["ask", &edge.https.port().to_string()]).arg(&root));
    assert_eq!(said.trim(), "asked");
    eventually("the server's word", || server.gone.try_recv().ok());
    assert_eq!(edge.scrape().sum("vitrine_upstream_connects_total", &[]), 1.0);
    assert_eq!(edge.scrape().sum("vitrine_upstream_failures_total", &[]), 0.0);
}
