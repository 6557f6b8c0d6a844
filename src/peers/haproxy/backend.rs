//! `backend` and `listen`: the servers, and how requests are shared out among them.

use super::Reading;
use super::lines::{Line, Section};
use super::server::Spoken;
use crate::peers::keys::Keys;
use crate::peers::settings::{duration, read_duration};
use crate::peers::upstream;
use crate::peers::upstream::Upstream;

/// The servers of a section.
#[derive(Clone, Debug, Default)]
pub(super) struct Backend {
    pub(super) servers: Vec<Upstream>,
    /// What a site says of its servers.
    pub(super) group: Keys,
    /// What the site's or the route's own upstreams are told.
    pub(super) own: Keys,
}

impl Reading<'_> {
    /// Takes the servers of a section under its name; `above`: the `defaults` that hold for it.
    pub(super) fn backend(&mut self, section: &Section, above: &[Line]) {
        let mut backend = Backend::default();
        let lines = || section.lines.iter().chain(above);
        let usual: Vec<String> = lines()
            .filter(|line| line.word(0) == "default-server")
            .flat_map(|line| line.words.iter().skip(1).cloned())
            .collect();
        let mut spoken: Vec<Spoken> = Vec::new();
        for line in &section.lines {
            match line.word(0) {
                "server" => {
                    if let Some((server, how)) = self.server_line(line, &usual) {
                        backend.servers.push(server);
                        spoken.push(how);
                    }
                }
                "server-template" | "use-server" | "dispatch" => self.unknown(line),
                _ if is_shared_out(line) => {}
                // A frontend's, in a section that is both.
                _ if section.kind() == "listen" => {}
                "http-request" | "http-response" if is_own(line) => {}
                _ if self.common(line) => {}
                _ => self.unknown(line),
            }
        }
        // What the section says itself comes first, and the first counts.
        let said =
            |line: &&Line| lines().find(|first| first.word(0) == line.word(0)).is_some_and(|first| first == *line);
        for line in lines().filter(said) {
            self.shared_out(line, &mut backend.group);
        }
        self.asked(lines(), &spoken, &mut backend.group);
        self.spoken(section, &spoken, &mut backend);
        self.backends.insert(section.name().to_owned(), backend);
    }

    /// `balance` and `cookie`.
    fn shared_out(&mut self, line: &Line, group: &mut Keys) {
        match (line.word(0), line.word(1)) {
            ("balance", "leastconn") => group.text("balance", "method", "least-requests"),
            ("balance", "source") => group.text("balance", "method", "client"),
            ("balance", "roundrobin" | "static-rr" | "random" | "first" | "") => {}
            ("balance", how) => {
                let text = format!("balance {how} ties a visitor to a server, which is not carried over");
                self.plan.left_out(&line.place, text, "see site.balance.method");
            }
            ("cookie", name) => {
                let words: Vec<&str> = line.words.iter().skip(2).map(String::as_str).collect();
                let is_known = |word: &&str| {
                    let known =
                        ["insert", "indirect", "nocache", "httponly", "secure", "postonly", "attr", "SameSite=Lax"];
                    known.contains(word)
                };
                let at = words.iter().position(|word| *word == "maxlife");
                let age = at.and_then(|at| words.get(at + 1)).and_then(|age| read_duration(age, 1000));
                let rest =
                    words.iter().enumerate().filter(|(place, _)| at.is_none_or(|at| *place != at && *place != at + 1));
                if !words.contains(&"insert") || !upstream::is_cookie(name) || !rest.map(|(_, word)| word).all(is_known)
                {
                    return self.unknown(line);
                }
                group.text("balance", "sticky", name);
                if let Some(age) = age.filter(|age| (1000..=400 * 86_400_000).contains(age)) {
                    group.set("balance", "sticky_max_age", duration(age));
                }
            }
            _ => {}
        }
    }

    /// `option httpchk` with `check`: what the edge asks by itself.
    fn asked<'a>(&mut self, lines: impl Iterator<Item = &'a Line> + Clone, spoken: &[Spoken], group: &mut Keys) {
        let first =
            |wanted: [&str; 2]| lines.clone().find(|line| line.word(0) == wanted[0] && line.word(1) == wanted[1]);
        let is_checked = spoken.iter().any(|how| how.is_checked);
        let Some(question) = first(["option", "httpchk"]).filter(|_| is_checked) else { return };
        let send = first(["http-check", "send"]);
        let method = send.and_then(|send| send.after("meth")).unwrap_or(match question.word(3) {
            "" => "OPTIONS",
            _ => question.word(2),
        });
        let path = send.and_then(|send| send.after("uri")).unwrap_or(match question.word(3) {
            "" => question.word(2),
            path => path,
        });
        let method = if question.word(2).starts_with('/') && question.word(3).is_empty() { "OPTIONS" } else { method };
        let is_plain = path.starts_with('/') && path.bytes().all(|octet| octet.is_ascii_graphic());
        if !is_plain || !matches!(method, "GET" | "HEAD") {
            let text = format!(
                "{:?} asks in a way that is not carried over: the edge asks for a path with GET",
                question.shown()
            );
            self.plan.note(&question.place, text, "see [site.health]");
            return;
        }
        let expected =
            lines.clone().find(|line| line.word(0) == "http-check" && line.words.iter().any(|word| word == "expect"));
        if let Some(expected) = expected {
            let is_statuses = |text: &str| text.split('-').all(|part| part.len() == 3 && part.parse::<u16>().is_ok());
            match expected
                .after("status")
                .filter(|statuses| is_statuses(statuses) && !expected.words.iter().any(|word| word == "!"))
            {
                Some(statuses) => group.text("health", "statuses", statuses),
                None => {
                    return self.plan.note(
                        &expected.place,
                        "what is expected of an answer is not carried over",
                        "see [site.health]",
                    );
                }
            }
        }
        group.text("health", "path", path);
        let host = send.and_then(|send| send.after("Host").or_else(|| send.after("host")));
        if let Some(host) =
            host.filter(|host| host.bytes().all(|octet| octet.is_ascii_graphic()) && !host.contains('%'))
        {
            group.text("health", "host", host);
        }
        let limit = lines.clone().find(|line| line.word(0) == "timeout" && line.word(1) == "check");
        let Some(how) = spoken.iter().find(|how| how.is_checked) else { return };
        let interval = how.interval.unwrap_or(INTERVAL).clamp(100, 300_000);
        group.set("health", "interval", duration(interval));
        let patience = limit.and_then(|limit| read_duration(limit.word(2), 1)).unwrap_or(interval).clamp(100, 300_000);
        group.set("health", "timeout", duration(patience));
        group.set("health", "healthy_after", how.rise.unwrap_or(RISE).to_string());
        group.set("health", "unhealthy_after", how.fall.unwrap_or(FALL).to_string());
    }

    /// What all servers have alike.
    fn spoken(&mut self, section: &Section, spoken: &[Spoken], backend: &mut Backend) {
        let Some(first) = spoken.first() else { return };
        let place = &section.head.place;
        if spoken.iter().any(|how| how.announces != first.announces) {
            let text = format!("some servers of {:?} expect the PROXY protocol and some do not", section.name());
            self.plan.left_out(place, text, "see site.send_proxy_protocol");
            backend.servers.clear();
        } else if let Some(version) = first.announces {
            backend.own.text("", "send_proxy_protocol", version);
        }
        if spoken.iter().any(|how| how.known_by != first.known_by) {
            let text =
                format!("the servers of {:?} are known over TLS in several ways, and here in one", section.name());
            self.plan.left_out(
                place,
                text,
                "see [site.upstream_tls]; until then they must prove the names they are addressed by",
            );
        } else {
            backend.group.join(&first.known_by);
        }
        for (what, values) in [
            ("maxconn", spoken.iter().map(|how| how.most).collect::<Vec<_>>()),
            ("slowstart", spoken.iter().map(|how| how.slow_start).collect()),
        ] {
            let Some(Some(value)) = values.first().copied().filter(|first| values.iter().all(|value| value == first))
            else {
                if values.iter().any(Option::is_some) {
                    let text = format!("{what} is not one value for all servers of {:?}", section.name());
                    self.plan.left_out(place, text, "see site.balance.connections and site.health.slow_start");
                }
                continue;
            };
            match what {
                "maxconn" => backend.group.set("balance", "connections", value.to_string()),
                _ => backend.group.set("health", "slow_start", duration(value)),
            }
        }
        let waits = section.lines.iter().find(|line| line.word(0) == "timeout" && line.word(1) == "queue");
        let patience =
            waits.and_then(|line| read_duration(line.word(2), 1)).filter(|time| (1..=300_000).contains(time));
        if let Some(patience) = patience.filter(|_| backend.group.has("balance", "connections")) {
            backend.group.set("balance", "queue_timeout", duration(patience));
        }
    }
}

/// Whether it says who gets a request, or how servers are asked, which [`Reading::backend`] looks at.
pub(super) fn is_shared_out(line: &Line) -> bool {
    match (line.word(0), line.word(1)) {
        ("balance" | "cookie" | "http-check" | "default-server", _) | ("option", "httpchk") => true,
        ("timeout", which) => matches!(which, "check" | "queue"),
        _ => false,
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

/// HAProxy's own `inter`, in milliseconds, `rise` and `fall`.
const INTERVAL: u64 = 2000;
const RISE: u64 = 2;
const FALL: u64 = 3;
