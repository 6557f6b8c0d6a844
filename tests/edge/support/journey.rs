//! Journeys through the panel, in a real browser.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::command::said;
use super::edge::Edge;

/// Goes on a journey, which is a function in a script below `panel/`, and gives what it tells at its end.
pub(crate) fn journey(script: &str, place: &str, name: &str, told: &Value) -> Value {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("node")
        .arg(here.join("tests/edge/panel").join(script))
        .args([name, place, &told.to_string()])
        .env("NODE_PACKAGES", here.join("target/npm"))
        .output()
        .expect("node is there; scripts/test packages installs it");
    assert!(output.status.success(), "{name}: {}", said(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {}", said(&output.stdout)))
}

impl Edge {
    /// Where journeys of who comes through the socket begin.
    pub(crate) fn at_socket(&self) -> String {
        self.setup.state().join("admin.sock").to_str().expect("a path").to_owned()
    }

    /// Where journeys of who signs in begin.
    pub(crate) fn over_network(&self) -> String {
        format!("http://{}", self.admin)
    }
}
