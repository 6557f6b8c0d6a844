//! acme2certifier: a second real ACME server, in Python, which issues with keys of openssl's.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::authority::authority;
use super::pebble::{DNS, Daemon, HTTP, Pebble, SERVER, TLS};
use super::setup::{Setup, drop_file};

/// An ACME server that finds every name where Pebble would. Killed when dropped.
pub(crate) struct Acme2certifier {
    /// Nothing but its address and its DNS.
    names: Pebble,
    folder: TempDir,
    _server: Daemon,
}

impl Acme2certifier {
    pub(crate) fn start() -> Self {
        let (names, folder) = (Pebble::prepare(), tempfile::tempdir().expect("a folder"));
        let issued = authority().issue(&[&names.address.to_string()]);
        drop_file(&folder.path().join("server.crt"), &issued.chain);
        drop_file(&folder.path().join("server.key"), &issued.key);
        std::fs::create_dir(folder.path().join("issued")).expect("a folder");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365"])
            .args(["-subj", "/CN=Second Root", "-keyout", "ca.key", "-out", "ca.pem"])
            .args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"])
            .current_dir(folder.path())
            .output()
            .expect("openssl is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "[DEFAULT]\ndebug: False\ndns_server_list: [\"{}\"]\n\n[Nonce]\nnonce_check_disable: False\n\n\
             [CAhandler]\nhandler_module: acme2certifier.cahandlers.openssl_ca_handler\nissuing_ca_key: {}\n\
             issuing_ca_cert: {}\nissuing_ca_crl: {}\ncert_save_path: {}\ncert_validity_days: 90\nca_cert_chain_list: []\n\n[DBhandler]\n\
             handler_module: acme2certifier.dbhandlers.wsgi_handler\ndbfile: {}\n\n[Order]\ntnauthlist_support: False\n",
            names.address,
            at("ca.key"),
            at("ca.pem"),
            at("ca.crl"),
            at("issued"),
            at("acme.db"),
        );
        drop_file(&folder.path().join("acme_srv.cfg"), config);
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(here.join("target/venv/bin/python"));
        command
            .arg(here.join("tests/edge/support/serve_acme2certifier.py"))
            .args([&names.address.to_string(), &SERVER.to_string(), "server.crt", "server.key"])
            .args([DNS, HTTP, TLS].map(|port| port.to_string()))
            .current_dir(folder.path());
        let _server = Daemon::start(&mut command, "acme2certifier listens");
        Self { names, folder, _server }
    }

    /// Makes it an edge's one issuer, and the edge found by it. Before any site.
    pub(crate) fn used_by(&self, setup: &mut Setup) {
        self.names.used_by(setup);
        setup.forget_sites();
        setup.raw_site(&format!(
            "[[acme.issuer]]\nname = \"second\"\ndirectory = \"https://{}:{SERVER}/directory\"\nca_file = \"pebble-root.pem\"\n",
            self.names.address
        ));
    }

    /// The root of what it issues, PEM.
    pub(crate) fn root(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("ca.pem")).expect("a root")
    }
}
