//! gRPC through the edge, with Google's own client and server.

use crate::support::peer::accepted;
use crate::support::python::{Speaker, python};
use crate::support::{Setup, authority, drop_file, eventually};

#[test]
fn calls_stream_both_ways_and_end_with_their_status() {
    let server = Speaker::start(SCRIPT);
    let mut setup = Setup::new();
    let upstream = format!("h2c://127.0.0.1:{}", server.port);
    setup.raw_site(&format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{upstream:?}]\n"));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1");
    let root = setup.folder.path().join("root.pem");
    drop_file(&root, &authority().root_pem);
    let edge = setup.start();
    let said = accepted(python(SCRIPT).args(["ask", &edge.https.port().to_string()]).arg(&root));
    assert_eq!(said.trim(), "asked");
    // A client has given a call up.
    eventually("the server's word", || server.has_said("gone").then_some(()));
    assert_eq!(edge.scrape().sum("vitrine_upstream_connects_total", &[]), 1.0);
    assert_eq!(edge.scrape().sum("vitrine_upstream_failures_total", &[]), 0.0);
}

const SCRIPT: &str = "speak_grpc.py";
