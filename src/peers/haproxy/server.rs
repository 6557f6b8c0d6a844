//! `server` lines: where one is, and how it is spoken to.

use super::Reading;
use super::lines::Line;
use crate::name::HostName;
use crate::peers::keys::Keys;
use crate::peers::settings::read_duration;
use crate::peers::upstream::Upstream;
use crate::peers::upstream::{self, Speech};

/// How a server is spoken to, as far as others may be spoken to otherwise.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoken {
    pub(super) announces: Option<&'static str>,
    /// Over TLS.
    pub(super) known_by: Keys,
    pub(super) is_checked: bool,
    /// In milliseconds.
    pub(super) interval: Option<u64>,
    pub(super) rise: Option<u64>,
    pub(super) fall: Option<u64>,
    /// Requests at a time.
    pub(super) most: Option<u64>,
    /// In milliseconds.
    pub(super) slow_start: Option<u64>,
}

impl Reading<'_> {
    /// Takes a server; `usual` is what `default-server` says of all.
    pub(super) fn server_line(&mut self, line: &Line, usual: &[String]) -> Option<(Upstream, Spoken)> {
        let (name, place) = (line.word(1), &line.place);
        // The server's own words come first, and the first of a kind counts.
        let words: Vec<&str> = line.words.iter().skip(3).chain(usual).map(String::as_str).collect();
        let flag = |flag: &str| words.contains(&flag);
        let after =
            |word: &str| words.iter().position(|known| *known == word).and_then(|at| words.get(at + 1).copied());
        if flag("disabled") || after("weight") == Some("0") {
            let text = format!("the server {name:?} gets no requests, and is left out");
            self.plan.note(place, text, "add it to the site when it is needed");
            return None;
        }
        let is_http2 = after("proto") == Some("h2") || after("alpn") == Some("h2");
        let speech = Speech { is_secure: flag("ssl"), is_http2 };
        let weight = match after("weight").map(str::parse) {
            // One that gets requests when nobody else is there.
            _ if flag("backup") => 0,
            None => 1,
            Some(Ok(weight)) if weight <= upstream::MOST_WEIGHT => weight,
            Some(_) => {
                self.plan.left_out(
                    place,
                    format!("the weight of {name:?} is no number, and is taken for 1"),
                    "see site.upstreams",
                );
                1
            }
        };
        let address = FAMILIES.iter().find_map(|family| line.word(2).strip_prefix(family)).unwrap_or(line.word(2));
        let url = upstream::url(address, if speech.is_secure { 443 } else { 80 });
        let server = match url.and_then(|url| Upstream { url, weight }.spoken(speech)) {
            Ok(server) => server,
            Err(why) => {
                self.plan.left_out(place, why, upstream::MEND);
                return None;
            }
        };
        let number = |word: &str| after(word).and_then(|number| number.parse::<u64>().ok());
        let time = |word: &str| after(word).and_then(|time| read_duration(time, 1)).filter(|time| *time > 0);
        let announces = match (flag("send-proxy"), words.iter().any(|word| word.starts_with("send-proxy-v2"))) {
            (_, true) => Some("v2"),
            (true, false) => Some("v1"),
            (false, false) => None,
        };
        let known_by = if speech.is_secure { self.known_by(line, &words) } else { Keys::default() };
        Some((
            server,
            Spoken {
                announces,
                known_by,
                is_checked: flag("check"),
                interval: time("inter"),
                rise: number("rise").filter(|number| (1..=1000).contains(number)),
                fall: number("fall").filter(|number| (1..=1000).contains(number)),
                most: number("maxconn").filter(|number| (1..=1_000_000).contains(number)),
                slow_start: time("slowstart").filter(|time| *time <= 3_600_000),
            },
        ))
    }

    /// How a server over TLS is known, and who the edge is to it.
    fn known_by(&mut self, line: &Line, words: &[&str]) -> Keys {
        let mut keys = Keys::default();
        let after =
            |word: &str| words.iter().position(|known| *known == word).and_then(|at| words.get(at + 1).copied());
        let path = |file: &str, base: &std::path::Path| base.join(file).to_string_lossy().into_owned();
        // HAProxy asks for a proof unless it is told not to.
        if after("verify") == Some("none") {
            keys.set("upstream_tls", "verify", "false");
            let text = format!("the server {:?} need not prove who it is, as it had not to before", line.word(1));
            self.plan.note(&line.place, text, "name its root in site.upstream_tls.roots, and take verify out");
        } else if let Some(file) = after("ca-file").filter(|file| !file.starts_with('@')) {
            keys.push("upstream_tls", "roots", path(file, &self.folder));
        }
        let fixed = after("sni").map(|sni| sni.strip_prefix("str(").and_then(|name| name.strip_suffix(')')));
        let name = match (after("verifyhost"), fixed) {
            (Some(name), _) | (None, Some(Some(name))) => Some(name),
            (None, Some(None)) => {
                let text = format!("the name that the server {:?} is asked for is found out per request", line.word(1));
                self.plan.left_out(&line.place, text, "see site.upstream_tls.server_name");
                None
            }
            (None, None) => None,
        };
        if let Some(name) = name.filter(|name| HostName::parse(name).is_ok()) {
            keys.text("upstream_tls", "server_name", name);
        }
        if let Some(file) = after("crt") {
            let file = path(file, &self.crt_base);
            keys.text("upstream_tls", "certificate", &file);
            keys.text("upstream_tls", "key", &file);
        }
        keys
    }
}

/// How HAProxy may begin an address.
const FAMILIES: [&str; 3] = ["ipv4@", "ipv6@", "unix@"];
