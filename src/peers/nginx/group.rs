//! `upstream` blocks: servers, and how requests are shared out among them.

use super::Reading;
use super::grammar::Directive;
use crate::peers::keys::Keys;
use crate::peers::settings::{duration, read_duration};
use crate::peers::upstream;
use crate::peers::upstream::Upstream;

/// An `upstream` block.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) servers: Vec<Upstream>,
    pub(super) keys: Keys,
}

impl Reading<'_> {
    pub(super) fn group(&mut self, block: &Directive) -> Group {
        let mut group = Group::default();
        let mut flags: Vec<&[String]> = Vec::new();
        for directive in block.block.iter().flatten() {
            match directive.name.as_str() {
                "server" => {
                    if let Some(server) = self.group_server(directive) {
                        group.servers.push(server);
                        flags.push(&directive.words[1..]);
                    }
                }
                // Connections are kept and pooled without being asked.
                "keepalive" | "keepalive_timeout" | "keepalive_requests" | "keepalive_time" | "zone" => {}
                _ if method(directive, &mut group.keys) => {}
                "ip_hash" | "hash" | "sticky" => {
                    let text =
                        format!("{:?} ties a visitor to a server in a way that is not carried over", directive.shown());
                    self.plan.left_out(&directive.place, text, "see [site.balance]");
                }
                "random" => {
                    let text = "random is not carried over: upstreams take turns";
                    self.plan.note(&directive.place, text, "see site.balance.method");
                }
                _ => self.remark_on(directive),
            }
        }
        for (flag, table, key) in FLAGS {
            let values: Vec<Option<&str>> = flags.iter().map(|flags| value(flags, flag)).collect();
            let Some(Some(first)) = values.iter().find(|value| value.is_some()) else { continue };
            let written = match *key {
                "eject_after" | "connections" => first.parse::<u64>().ok().map(|number| number.to_string()),
                _ => read_duration(first, 1000).filter(|time| (100..=300_000).contains(time)).map(duration),
            };
            match written.filter(|_| values.iter().all(|value| *value == Some(first))) {
                Some(written) => group.keys.set(table, key, written),
                None => {
                    let text = format!("{flag} is not one value for all servers that {table}.{key} could have");
                    self.plan.left_out(&block.place, text, format!("see site.{table}.{key}"));
                }
            }
        }
        // Who finds all of them full is sent away there.
        if group.keys.has("balance", "connections") {
            group.keys.set("balance", "queue", "0");
        }
        group
    }

    fn group_server(&mut self, directive: &Directive) -> Option<Upstream> {
        let (place, flags) = (&directive.place, directive.words.get(1..).unwrap_or_default());
        if flags.iter().any(|flag| flag == "down") {
            let text = format!("{} is down, and is left out", directive.first());
            self.plan.note(place, text, "add it to the site when it is needed");
            return None;
        }
        let weight = match value(flags, "weight").map(str::parse::<u32>) {
            // One that gets requests when nobody else is there.
            _ if flags.iter().any(|flag| flag == "backup") => 0,
            None => 1,
            Some(Ok(weight @ 1..=upstream::MOST_WEIGHT)) => weight,
            Some(_) => {
                let text = format!("the weight of {} is none of 1 to 1000, and is taken for 1", directive.first());
                self.plan.left_out(place, text, "see site.upstreams");
                1
            }
        };
        match upstream::url(directive.first(), 80) {
            Ok(url) => Some(Upstream { url, weight }),
            Err(why) => {
                self.plan.left_out(place, why, upstream::MEND);
                None
            }
        }
    }
}

/// Takes what says which server gets a request; gives whether a site can say that.
fn method(directive: &Directive, keys: &mut Keys) -> bool {
    let words: Vec<&str> = directive.words.iter().map(String::as_str).collect();
    match (directive.name.as_str(), &words[..]) {
        ("least_conn", _) | ("random", ["two", "least_conn"]) => keys.text("balance", "method", "least-requests"),
        ("ip_hash", _) | ("hash", ["$remote_addr" | "$binary_remote_addr", ..]) => {
            keys.text("balance", "method", "client");
        }
        ("hash", [key, ..]) => {
            let Some(cookie) = key.strip_prefix("$cookie_").filter(|name| upstream::is_cookie(name)) else {
                return false;
            };
            keys.text("balance", "method", "cookie");
            keys.text("balance", "cookie", cookie);
        }
        ("sticky", ["cookie", name, rest @ ..]) if upstream::is_cookie(name) => {
            let is_known = |word: &&str| {
                let word = word.split('=').next().unwrap_or_default();
                matches!(word, "expires" | "path" | "httponly" | "secure" | "samesite")
            };
            if !rest.iter().all(is_known) {
                return false;
            }
            keys.text("balance", "sticky", name);
            let age = rest.iter().find_map(|word| read_duration(word.strip_prefix("expires=")?, 1000));
            if let Some(age) = age.filter(|age| (1000..=400 * 86_400_000).contains(age)) {
                keys.set("balance", "sticky_max_age", duration(age));
            }
        }
        _ => return false,
    }
    true
}

/// `name=value`
fn value<'a>(flags: &'a [String], name: &str) -> Option<&'a str> {
    flags.iter().find_map(|flag| flag.strip_prefix(name)?.strip_prefix('='))
}

/// What servers say that a site says for all of its own.
const FLAGS: &[(&str, &str, &str)] = &[
    ("max_conns", "balance", "connections"),
    ("max_fails", "health", "eject_after"),
    ("fail_timeout", "health", "eject_for"),
    ("slow_start", "health", "slow_start"),
];
