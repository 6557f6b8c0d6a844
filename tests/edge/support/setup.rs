//! The folder an edge is started in: its configuration, its certificates, its state.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::authority::{Issued, authority};
use super::edge::Edge;
use super::origin::Origin;

/// What an edge is to be started with.
pub(crate) struct Setup {
    pub(crate) folder: TempDir,
    top: String,
    sections: BTreeMap<&'static str, Vec<String>>,
    sites: Vec<String>,
    /// In place of all of these.
    whole: Option<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) open_files: Option<u64>,
    pub(super) output_unread: bool,
}

impl Setup {
    /// No sites, no certificates, ports from the system.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["certs", "state"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let mut setup = Self {
            folder,
            top: String::new(),
            sections: BTreeMap::new(),
            sites: Vec::new(),
            whole: None,
            environment: Vec::new(),
            open_files: None,
            output_unread: false,
        };
        setup
            .set("edge", "https = [\"127.0.0.1:0\"]")
            .set("edge", "http = [\"127.0.0.1:0\"]")
            .set("edge", "workers = 2");
        setup.set("admin", "listen = \"127.0.0.1:0\"").set("log", "format = \"json\"");
        setup
    }

    /// `shop.example` with its certificate in front of `origin`.
    pub(crate) fn shop(origin: &Origin) -> Self {
        let mut setup = Self::new();
        setup.site(&["shop.example"], &[origin]).certificate("shop", &authority().issue(&["shop.example"]));
        setup
    }

    /// Puts a line into a section; a key that is there already is replaced.
    pub(crate) fn set(&mut self, section: &'static str, line: &str) -> &mut Self {
        let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let lines = self.sections.entry(section).or_default();
        lines.retain(|known| key(known) != key(line));
        lines.push(line.to_owned());
        self
    }

    /// Takes a key out of a section.
    pub(crate) fn forget(&mut self, section: &'static str, key: &str) -> &mut Self {
        let lines = self.sections.entry(section).or_default();
        lines.retain(|line| line.split('=').next().unwrap_or_default().trim() != key);
        self
    }

    /// Puts a line before all sections.
    pub(crate) fn top(&mut self, line: &str) -> &mut Self {
        self.top.push_str(line);
        self.top.push('\n');
        self
    }

    /// Adds a site.
    pub(crate) fn site(&mut self, hosts: &[&str], upstreams: &[&Origin]) -> &mut Self {
        let urls: Vec<_> = upstreams.iter().map(|origin| origin.url()).collect();
        self.raw_site(&site(hosts, &urls))
    }

    /// Adds text behind everything else.
    pub(crate) fn raw_site(&mut self, text: &str) -> &mut Self {
        self.sites.push(text.to_owned());
        self
    }

    /// Puts certificate and key as one file into the drop folder.
    pub(crate) fn certificate(&mut self, name: &str, issued: &Issued) -> &mut Self {
        drop_file(&self.certs().join(format!("{name}.pem")), issued.both());
        self
    }

    /// Sets a variable of the edge's environment.
    pub(crate) fn environment(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// How many files the edge may have open.
    pub(crate) fn open_files(&mut self, limit: u64) -> &mut Self {
        self.open_files = Some(limit);
        self
    }

    /// Lets what the edge writes to standard output pile up in the pipe.
    pub(crate) fn leave_output_unread(&mut self) -> &mut Self {
        self.output_unread = true;
        self
    }

    /// Takes a configuration that somebody else wrote, with what only tests need behind it.
    pub(crate) fn written(&mut self, text: &str) -> &mut Self {
        self.whole = Some(format!("{text}\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[log]\nformat = \"json\"\n"));
        self
    }

    /// Begins the sites anew.
    pub(crate) fn forget_sites(&mut self) {
        self.sites.clear();
    }

    /// The configuration as a file holds it.
    pub(crate) fn text(&self) -> String {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let mut text = self.top.clone();
        for (section, lines) in &self.sections {
            text.push_str(&format!("[{section}]\n{}\n", lines.join("\n")));
        }
        text + &self.sites.join("\n")
    }

    pub(crate) fn certs(&self) -> PathBuf {
        self.folder.path().join("certs")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("vitrine.toml")
    }

    /// Writes the configuration as it now is.
    pub(crate) fn write(&self) {
        replace_file(&self.config(), self.text());
    }

    /// Starts the edge and waits until it is ready.
    pub(crate) fn start(self) -> Edge {
        Edge::start(self)
    }
}

/// A `[[site]]`.
pub(crate) fn site(hosts: &[&str], urls: &[String]) -> String {
    format!("[[site]]\nhosts = {hosts:?}\nupstreams = {urls:?}\n")
}

/// A file nobody else may read, as keys should be.
pub(crate) fn drop_file(path: &Path, content: impl AsRef<[u8]>) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).expect("a file");
    file.write_all(content.as_ref()).expect("written");
}

/// The same, whole at once.
pub(crate) fn replace_file(path: &Path, content: impl AsRef<[u8]>) {
    let beside = path.with_file_name(format!(".{}", path.file_name().expect("a name").to_string_lossy()));
    drop_file(&beside, content);
    fs::rename(&beside, path).expect("renamed");
}
