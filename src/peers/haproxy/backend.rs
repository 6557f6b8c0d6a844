//! `backend` and `listen`: the servers.

use super::Reading;
use super::lines::{Line, Section};
use crate::peers::upstream;

impl Reading<'_> {
    /// Takes the servers of a section under its name.
    pub(super) fn backend(&mut self, section: &Section) {
        let mut servers = Vec::new();
        for line in &section.lines {
            match line.word(0) {
                "server" => servers.extend(self.server_line(line)),
                "server-template" | "use-server" | "dispatch" => self.unknown(line),
                // A frontend's, in a section that is both.
                _ if section.kind() == "listen" => {}
                "http-request" | "http-response" if is_own(line) => {}
                _ if self.common(line) => {}
                _ => self.unknown(line),
            }
        }
        self.backends.insert(section.name().to_owned(), servers);
    }

    fn server_line(&mut self, line: &Line) -> Option<String> {
        let (address, place) = (line.word(2), &line.place);
        let flag = |flag: &str| line.words.iter().skip(3).any(|word| word == flag);
        if flag("backup") || flag("disabled") {
            let text =
                format!("the server {:?} is no first choice, and is left out: upstreams here take turns", line.word(1));
            self.plan.note(place, text, "add it to the site when it is needed");
            return None;
        }
        if flag("ssl") {
            let text = format!(
                "the server {:?} is spoken to over TLS, and upstreams are spoken to in plain HTTP",
                line.word(1)
            );
            self.plan.left_out(place, text, upstream::MEND);
            return None;
        }
        if flag("send-proxy") || flag("send-proxy-v2") {
            let text = format!("the server {:?} expects the PROXY protocol, which is not sent", line.word(1));
            self.plan.left_out(place, text, "have it read X-Forwarded-For instead");
        }
        if line.after("proto") == Some("h2") {
            let text = format!(
                "the server {:?} is spoken to in HTTP/2, and upstreams are spoken to in HTTP/1.1",
                line.word(1)
            );
            self.plan.left_out(place, text, "see that it speaks HTTP/1.1 at that port too");
        }
        if line.after("weight").is_some_and(|weight| weight != "1") {
            self.plan.note(place, "a weight is not carried over: upstreams take turns evenly", "");
        }
        let address = FAMILIES.iter().find_map(|family| address.strip_prefix(family)).unwrap_or(address);
        match upstream::url(address, 80) {
            Ok(url) => Some(url),
            Err(why) => {
                self.plan.left_out(place, why, upstream::MEND);
                None
            }
        }
    }
}

/// Fields that the edge sets by itself, and what it does of its own accord.
pub(super) fn is_own(line: &Line) -> bool {
    let field = line.word(2).to_ascii_lowercase();
    let forwarded =
        matches!(&*field, "x-forwarded-proto" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-port");
    match (line.word(0), line.word(1)) {
        ("http-request", "set-header" | "add-header") => forwarded,
        ("http-request", "del-header") => forwarded || matches!(&*field, "proxy" | "x-real-ip"),
        // What an authority asks, the edge answers by itself.
        ("http-request", "return") => line.words.iter().any(|word| word.starts_with("/.well-known/acme-challenge")),
        ("http-request", "redirect") => line.word(2) == "scheme" && line.word(3) == "https",
        ("redirect", "scheme") => line.word(2) == "https",
        _ => false,
    }
}

/// How HAProxy may begin an address.
const FAMILIES: [&str; 3] = ["ipv4@", "ipv6@", "unix@"];
