//! Others' programs that take mails and posts, and tell what they took.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::python::python;
use super::{Lines, Setup, authority, eventually};

/// A mail server, or a receiver of posts. Ended when dropped.
pub(crate) struct Receiver {
    child: Child,
    folder: TempDir,
    pub(crate) port: u16,
    lines: Arc<Lines>,
}

impl Receiver {
    /// A mail server: `plain`, `tls` or `starttls`; on this port, or on one that the system chooses.
    pub(crate) fn mail(mode: &str, port: u16) -> Self {
        Self::start(&["smtp"], &[mode, &port.to_string()])
    }

    /// A receiver of posts that are signed with `secret`.
    pub(crate) fn posts(secret: &str) -> Self {
        let receiver = Self::start(&["hook"], &["0"]);
        fs::write(receiver.folder.path().join("secret"), secret).expect("written");
        receiver
    }

    fn start(before: &[&str], after: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let own = authority().issue(&["localhost"]);
        fs::write(folder.path().join("cert.pem"), own.chain).expect("written");
        fs::write(folder.path().join("key.pem"), own.key).expect("written");
        let mut command = python("receive_mail.py");
        command.args(before).arg(folder.path()).args(after).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python is there");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut port = String::new();
        output.read_line(&mut port).expect("a port");
        let port = port.trim().parse().unwrap_or_else(|_| panic!("{port:?} is no port"));
        let lines = Arc::<Lines>::default();
        lines.follow(output);
        Self { child, folder, port, lines }
    }

    /// Says how a recipient, or whoever posts (`status`), is answered from now on.
    pub(crate) fn answers(&self, answers: &Value) {
        super::replace_file(&self.folder.path().join("answers.json"), answers.to_string());
    }

    /// Has it wait at a step from now on.
    pub(crate) fn hold(&self, step: &str) {
        super::replace_file(&self.folder.path().join("hold"), step);
    }

    /// Lets it go on.
    pub(crate) fn release(&self) {
        fs::remove_file(self.folder.path().join("hold")).expect("held");
    }

    /// Waits until it is at a step, behind the first `after` lines.
    pub(crate) fn reached(&self, after: usize, step: &str) {
        self.lines.wait(step, after, |line| line["step"] == step);
    }

    /// How much it has said.
    pub(crate) fn said(&self) -> usize {
        self.lines.all().len()
    }

    /// What it took so far.
    pub(crate) fn taken(&self) -> Vec<Value> {
        self.lines.all().into_iter().filter(|line| line["mail"].is_string() || line["post"].is_string()).collect()
    }

    /// Waits for something it takes.
    pub(crate) fn taking(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || self.taken().into_iter().find(|one| wanted(one)))
    }

    /// Has an edge use it: as its mail server, with a password if it wants one.
    pub(crate) fn used_by(&self, setup: &mut Setup, security: &str) {
        setup.set("mail", &format!("server = \"localhost:{}\"", self.port));
        setup.set("mail", &format!("security = \"{security}\""));
        setup.set("mail", "from = \"Edge Köln <edge@shop.example>\"");
        if security != "none" {
            let folder = setup.folder.path();
            fs::write(folder.join("root.pem"), &authority().root_pem).expect("written");
            secret_file(setup, "mail.password", "correct horse\n");
            setup.set("mail", "user = \"edge\"").set("mail", "password_file = \"mail.password\"");
            setup.set("certificates", "trusted_roots = [\"root.pem\"]");
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file that nobody else may read, in the edge's folder.
pub(crate) fn secret_file(setup: &Setup, name: &str, content: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = setup.folder.path().join(name);
    fs::write(&path, content).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
}
