//! HAProxy: what its frontends choose by host and path becomes sites and routes.

mod backend;
mod certificates;
mod challenges;
mod choice;
mod directory;
mod frontend;
mod lines;
mod map;
mod rules;
mod server;
mod well_known;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use self::backend::Backend;
use self::challenges::Challenges;
use self::lines::{Line, Section};
use self::well_known::Returned;
use super::files::Files;
use super::plan::Plan;
use super::settings::{Settings, read_duration};

/// Reads HAProxy's configuration, a file or a folder of them.
///
/// # Errors
/// When a file cannot be read, or is not in HAProxy's grammar.
pub fn haproxy(path: &Path, files: &Files) -> Result<Plan, String> {
    let mut sections = Vec::new();
    if files.is_folder(path) {
        // As `haproxy -f FOLDER` does.
        let found = files.list(path);
        for file in found.iter().filter(|file| file.extension().is_some_and(|extension| extension == "cfg")) {
            sections.extend(lines::read(file, &files.main(file)?)?);
        }
    } else {
        sections = lines::read(path, &files.main(path)?)?;
    }
    let mut reading = Reading::new(path.parent().unwrap_or(Path::new("")), files);
    reading.whole(&sections);
    let Reading { mut plan, settings, .. } = reading;
    settings.settle(&mut plan);
    if plan.sites.is_empty() && plan.remarks.is_empty() {
        return Err(format!("{}: no frontend speaks TLS in it; name HAProxy's configuration", path.display()));
    }
    Ok(plan)
}

/// What is known so far.
struct Reading<'a> {
    plan: Plan,
    settings: Settings,
    files: &'a Files,
    /// Where the configuration lies.
    folder: PathBuf,
    /// Where certificates with relative names lie.
    crt_base: PathBuf,
    key_base: PathBuf,
    /// Certificates of `crt-store` by the name that `bind` has for them.
    stored: HashMap<String, certificates::Stored>,
    /// Listeners that say nothing else speak TLS 1.3 alone.
    only_v1_3: bool,
    /// Servers by the names of their sections.
    backends: HashMap<String, Backend>,
    /// Who answers authorities over plain HTTP.
    challenges: Challenges,
    /// What frontends answer by themselves.
    returned: Vec<Returned>,
}

impl<'a> Reading<'a> {
    fn new(folder: &Path, files: &'a Files) -> Self {
        Self {
            plan: Plan::default(),
            settings: Settings::default(),
            files,
            folder: folder.to_owned(),
            crt_base: folder.to_owned(),
            key_base: folder.to_owned(),
            stored: HashMap::new(),
            only_v1_3: false,
            backends: HashMap::new(),
            challenges: Challenges::default(),
            returned: Vec::new(),
        }
    }

    fn whole(&mut self, sections: &[Section]) {
        let of = |kind: &'static str| sections.iter().filter(move |section| section.kind() == kind);
        for section in of("global") {
            section.lines.iter().for_each(|line| self.global(line));
        }
        for section in of("acme") {
            self.acme(section);
        }
        self.key_types(sections);
        for section in of("crt-store") {
            self.store(section, sections);
        }
        for section in of("defaults") {
            section.lines.iter().for_each(|line| {
                self.common(line);
            });
        }
        let mut above: &[Line] = &[];
        for section in sections {
            match section.kind() {
                // Each holds for what follows, up to the next.
                "defaults" => above = &section.lines,
                "backend" | "listen" => self.backend(section, above),
                _ => {}
            }
        }
        let doors = || sections.iter().filter(|section| matches!(section.kind(), "frontend" | "listen"));
        doors().for_each(|section| self.challenges.see_plain(section));
        doors().for_each(|section| self.frontend(section));
        self.place_returned();
    }

    fn global(&mut self, line: &Line) {
        let value = line.word(1);
        match line.word(0) {
            "crt-base" => self.crt_base = value.into(),
            "key-base" => self.key_base = value.into(),
            "maxconn" => {
                if let Ok(most) = value.parse() {
                    self.settings.limit("connections", most, &line.place);
                }
            }
            "ssl-default-bind-options" => self.only_v1_3 = self.versions(line),
            "lua-load" | "lua-load-per-thread" | "51degrees-data-file" | "wurfl-data-file" => {
                self.plan.left_out(&line.place, format!("{:?} is not carried over", line.shown()), SHOP);
            }
            // How the process runs, and what the edge has defaults of its own for.
            _ => {}
        }
    }

    /// `ssl-min-ver` and its kin; gives whether TLS 1.3 alone is spoken.
    fn versions(&mut self, line: &Line) -> bool {
        let least = line.after("ssl-min-ver");
        let only = least == Some("TLSv1.3") || line.words.iter().any(|word| word == "no-tlsv12");
        if matches!(least, Some("SSLv3" | "TLSv1.0" | "TLSv1.1")) {
            self.plan.note(&line.place, "TLS 1.0 and 1.1 are not spoken here; 1.2 is the oldest", "");
        }
        only
    }

    /// What may stand in `defaults` and in every kind of proxy. Gives whether it was known.
    fn common(&mut self, line: &Line) -> bool {
        let place = &line.place;
        match (line.word(0), line.word(1)) {
            ("timeout", which) => {
                let key = TIMES.iter().find(|(name, _)| *name == which).map(|(_, key)| *key);
                match (key, read_duration(line.word(2), 1)) {
                    (Some(key), Some(milliseconds)) => self.settings.limit(key, milliseconds, place),
                    (Some(_), None) => self.plan.left_out(place, format!("{:?} is no duration", line.shown()), ""),
                    (None, _) => self.plan.note(place, format!("timeout {which} is not carried over"), ""),
                }
            }
            ("mode", "http") => {}
            ("mode", mode) => {
                let text = format!("mode {mode} passes connections on as they are, and Vitrine serves HTTP alone");
                self.plan.left_out(place, text, "keep HAProxy for it, on ports of its own");
            }
            ("option", option) => match option {
                "forwardfor"
                | "http-server-close"
                | "http-keep-alive"
                | "httpclose"
                | "httplog"
                | "dontlognull"
                | "redispatch"
                | "http-buffer-request"
                | "tcplog"
                | "contstats"
                | "logasap"
                | "splice-auto"
                | "forceclose"
                | "dontlog-normal"
                | "tcpka"
                | "clitcpka"
                | "srvtcpka"
                | "log-health-checks"
                | "prefer-last-server"
                | "http-use-htx"
                | "http-no-delay" => {}
                // Where it is for a backend, that looks at it.
                "httpchk" => {}
                "tcp-check" | "ssl-hello-chk" => {
                    let text = "upstreams are asked over HTTP alone whether they are well: one that keeps failing is left alone for a while";
                    self.plan.note(place, text, "see [site.health]");
                }
                _ => self.plan.note(place, format!("option {option} is not carried over"), ""),
            },
            ("errorfile", _) => self.plan.note(place, "error pages are Vitrine's own", "see site.error_pages"),
            ("compression", _) => {
                self.plan.note(place, format!("{:?} is not carried over", line.shown()), "see [site.compression]");
            }
            ("no" | "log" | "log-format" | "log-tag" | "retries" | "maxconn" | "fullconn", _) => {}
            ("stats" | "description" | "id" | "monitor-uri" | "email-alert" | "hash-type", _) => {
                self.plan.note(place, format!("{:?} is not carried over", line.shown()), "");
            }
            (
                "balance"
                | "default-server"
                | "http-reuse"
                | "http-check"
                | "unique-id-format"
                | "unique-id-header"
                | "load-server-state-from-file",
                _,
            ) => {}
            _ => return false,
        }
        true
    }

    /// What nobody knew.
    fn unknown(&mut self, line: &Line) {
        let text = format!("{:?} is not carried over", line.shown());
        let mend = match line.word(0) {
            "redirect" => "see [[site.redirect]]",
            "http-request" | "http-response" | "http-after-response" => {
                "see [[site.redirect]], [site.request_headers] and [site.response_headers], or have the shop do it"
            }
            "tcp-request" | "tcp-response" | "stick-table" | "stick" => "see [site.rate_limit] and [site.connections]",
            "cookie" | "appsession" => "see site.balance.sticky, and site.balance.method with a cookie of the shop's",
            "acl" => "have the shop decide",
            _ => SHOP,
        };
        self.plan.left_out(&line.place, text, mend);
    }
}

/// `timeout …` that are a key of `[limits]`.
const TIMES: [(&str, &str); 5] = [
    ("connect", "upstream_connect_timeout"),
    ("server", "upstream_response_timeout"),
    ("http-request", "header_timeout"),
    ("http-keep-alive", "idle_timeout"),
    ("client", "body_idle_timeout"),
];
const SHOP: &str = "see what it does for the shop, and have the shop do it";
