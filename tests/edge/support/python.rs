//! Other people's libraries, behind scripts that lie beside this file.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A script that serves. Ended when dropped.
pub(crate) struct Speaker {
    child: Child,
    /// What it said first.
    pub(crate) port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Speaker {
    /// Starts a script's `serve` and waits until it listens.
    pub(crate) fn start(script: &str) -> Self {
        let mut child = python(script).arg("serve").stdout(Stdio::piped()).spawn().expect("Python is there");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let port = lines.next().expect("a port").expect("a line").parse().expect("a number");
        let said = Arc::<Mutex<Vec<String>>>::default();
        let mine = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                mine.lock().expect("lines").push(line);
            }
        });
        Self { child, port, lines: said }
    }

    /// What it has said since.
    pub(crate) fn said(&self) -> Vec<String> {
        self.lines.lock().expect("lines").clone()
    }

    /// Whether it has said so.
    pub(crate) fn has_said(&self, line: &str) -> bool {
        self.lines.lock().expect("lines").iter().any(|said| said == line)
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A script, to be given its arguments.
pub(crate) fn python(script: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(here.join("target/venv/bin/python"));
    command.arg(here.join("tests/edge/support").join(script)).stdin(Stdio::null());
    command
}
