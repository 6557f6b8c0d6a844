//! What a frontend does besides choosing a backend: fields, networks, redirects, compression, certificates of clients.

use super::Reading;
use super::choice::{Acls, Choice};
use super::lines::Line;
use crate::name::HostPattern;
use crate::peers::fields::{self, Way};
use crate::peers::keys::Keys;
use crate::peers::networks::Verdicts;
use crate::peers::plan::{Place, Site};
use crate::peers::redirect::{Redirect, is_target};
use crate::peers::upstream::is_route;

/// What is found of a frontend's rules.
#[derive(Default)]
pub(super) struct Rules {
    /// What each of its sites says.
    pub(super) keys: Keys,
    redirects: Vec<(Redirect, Place)>,
    /// Networks that lines name by `acl`.
    named: Vec<(String, Vec<String>)>,
    /// Whether a line has said who may come.
    has_verdicts: bool,
}

impl Rules {
    /// Takes `acl NAME src NETWORK…`.
    pub(super) fn add_acl(&mut self, line: &Line) {
        if line.word(2) == "src" {
            let networks = line.words.iter().skip(3).cloned();
            match self.named.iter_mut().find(|(name, _)| name == line.word(1)) {
                Some((_, known)) => known.extend(networks),
                None => self.named.push((line.word(1).to_owned(), networks.collect())),
            }
        }
    }

    /// The networks that a condition asks for, and whether it holds for those that are not in them.
    fn networks(&self, condition: &[String]) -> Option<(bool, Vec<String>)> {
        let words: Vec<&str> = condition.iter().map(String::as_str).collect();
        let (is_negated, words) = match &words[..] {
            ["unless", rest @ ..] => (true, rest),
            ["if", rest @ ..] => (false, rest),
            _ => return None,
        };
        let (inner, words) = match words {
            [first, rest @ ..] if first.starts_with('!') && *first != "!" => {
                (true, std::iter::once(&first[1..]).chain(rest.iter().copied()).collect::<Vec<_>>())
            }
            ["!", rest @ ..] => (true, rest.to_vec()),
            rest => (false, rest.to_vec()),
        };
        let networks = match &words[..] {
            ["{", "src", networks @ .., "}"] => networks.iter().map(ToString::to_string).collect(),
            [name] => self.named.iter().find(|(known, _)| known == name)?.1.clone(),
            _ => return None,
        };
        Some((is_negated != inner, networks))
    }
}

impl Reading<'_> {
    /// Takes a line of a frontend; gives whether it was a rule that a site can say.
    pub(super) fn rule_line(&mut self, line: &Line, acls: &Acls, rules: &mut Rules) -> bool {
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        let is_fixed = |value: &str| !value.contains('%');
        match &words[..] {
            ["http-request", how @ ("set-header" | "add-header"), name, value] if is_fixed(value) => {
                fields::say(&mut rules.keys, Way::ToShop, verb(how), name, value)
            }
            ["http-response" | "http-after-response", how @ ("set-header" | "add-header"), name, value]
                if is_fixed(value) =>
            {
                fields::say(&mut rules.keys, Way::ToClient, verb(how), name, value)
            }
            ["http-request", "del-header", name] => fields::remove(&mut rules.keys, Way::ToShop, name),
            ["http-response" | "http-after-response", "del-header", name] => {
                fields::remove(&mut rules.keys, Way::ToClient, name)
            }
            ["http-request" | "tcp-request", ..] if matches!(words.get(1), Some(&"deny" | &"connection")) => {
                Self::denied(line, rules)
            }
            ["http-request", "redirect", ..] => self.redirect_line(line, 2, acls, rules),
            ["redirect", ..] => self.redirect_line(line, 1, acls, rules),
            ["http-request", "return", ..] => self.returned_line(line, acls),
            ["compression", what, kinds @ ..] => compressed(&mut rules.keys, what, kinds),
            _ => false,
        }
    }

    /// `http-request deny if { src … }`, `tcp-request connection reject if { src … }`.
    fn denied(line: &Line, rules: &mut Rules) -> bool {
        let mut rest = &line.words[1..];
        rest = match rest.first().map(String::as_str) {
            Some("deny") => &rest[1..],
            Some("connection") if rest.get(1).is_some_and(|word| word == "reject") => &rest[2..],
            _ => return false,
        };
        if rest.first().is_some_and(|word| matches!(word.as_str(), "deny_status" | "status")) {
            rest = rest.get(2..).unwrap_or_default();
        }
        let Some((is_negated, networks)) = rules.networks(rest) else { return false };
        // Of several lines each counts, which one list of networks does not say.
        if rules.has_verdicts {
            return false;
        }
        let mut verdicts = Verdicts::default();
        let is_whole = networks.iter().all(|network| verdicts.add(is_negated, network));
        if !is_whole || verdicts.is_empty() {
            return false;
        }
        if is_negated {
            verdicts.add(false, "all");
        }
        verdicts.write(&mut rules.keys);
        rules.has_verdicts = true;
        true
    }

    /// `redirect prefix|location TO [code N] [if …]`, from the word at `begin`.
    fn redirect_line(&mut self, line: &Line, begin: usize, acls: &Acls, rules: &mut Rules) -> bool {
        let words = &line.words[begin..];
        let at = words.iter().position(|word| matches!(word.as_str(), "if" | "unless")).unwrap_or(words.len());
        let (said, condition) = words.split_at(at);
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        let (keep, to, code) = match said[..] {
            ["prefix", to] => (true, to, "302"),
            ["prefix", to, "code", code] => (true, to, code),
            ["location", to] => (false, to, "302"),
            ["location", to, "code", code] => (false, to, code),
            _ => return false,
        };
        let Some(status) = [301, 302, 307, 308].into_iter().find(|known: &u16| known.to_string() == code) else {
            return false;
        };
        let choices = match condition.split_first() {
            None => Some(vec![Choice::default()]),
            Some((first, rest)) if first == "if" => acls.choices(rest),
            Some(_) => None,
        };
        let Some(choices) = choices.filter(|_| is_target(to) && !to.contains('%')) else { return false };
        let mut found = Vec::new();
        for choice in choices.into_iter().filter(|choice| !choice.is_plain) {
            let hosts = self.plan.hosts(&line.place, choice.hosts.iter().flatten().map(String::as_str));
            for path in choice.paths.unwrap_or_else(|| vec!["/".into()]) {
                // Behind a prefix the whole path goes, and here what is behind the rule's own.
                if (path != "/" && (keep || !is_route(&path)))
                    || (hosts.is_empty() && path == "/")
                    || to.starts_with(&path)
                {
                    return false;
                }
                let to = to.to_owned();
                found.push((Redirect { hosts: hosts.clone(), path, to, status, keep }, line.place.clone()));
            }
        }
        rules.redirects.extend(found);
        true
    }

    /// Gives each site the redirects of its hosts; a host without a site becomes one of the site that it leads to.
    pub(super) fn place_redirects(&mut self, sites: &mut [Site], rules: &mut Rules) {
        for (redirect, place) in std::mem::take(&mut rules.redirects) {
            if redirect.hosts.is_empty() {
                sites.iter_mut().for_each(|site| site.redirects.push(redirect.clone()));
                continue;
            }
            let target =
                redirect.to.strip_prefix("https://").map(|rest| rest.split('/').next().unwrap_or_default().to_owned());
            for host in &redirect.hosts {
                let own = |site: &&mut Site| site.hosts.contains(host);
                let leads_to = |site: &&mut Site| site.hosts.iter().any(|known| Some(known.to_string()) == target);
                let one = Redirect { hosts: vec![host.clone()], ..redirect.clone() };
                if let Some(site) = sites.iter_mut().find(own) {
                    site.redirects.push(one);
                } else if let Some(site) =
                    sites.iter_mut().find(leads_to).filter(|_| matches!(host, HostPattern::Exact(_)))
                {
                    site.hosts.push(host.clone());
                    site.redirects.push(one);
                } else {
                    let text = format!("{host} only leads elsewhere, and to no site that was found here");
                    self.plan.left_out(&place, text, "add it to the hosts of a site, with a [[site.redirect]]");
                }
            }
        }
    }

    /// `verify required ca-file FILE [crl-file FILE]` of a listener.
    pub(super) fn clients(&mut self, line: &Line, keys: &mut Keys) {
        let Some(verify) = line.after("verify").filter(|verify| *verify != "none") else { return };
        let ignores = line.words.iter().any(|word| word.ends_with("-ignore-err"));
        let path = |file: &str| self.folder.join(file).to_string_lossy().into_owned();
        match line.after("ca-file").filter(|file| !ignores && !file.starts_with('@')) {
            Some(file) if matches!(verify, "required" | "optional") => {
                keys.text("tls", "client_certificates", verify);
                keys.push("tls", "client_ca", path(file));
                if let Some(list) = line.after("crl-file") {
                    keys.push("tls", "client_crl", path(list));
                }
            }
            _ => {
                let text = "clients are asked for certificates, which is not carried over";
                self.plan.left_out(
                    &line.place,
                    text,
                    "see [site.tls]; until it is set, these names are open to everybody",
                );
            }
        }
    }
}

fn compressed(keys: &mut Keys, what: &str, kinds: &[&str]) -> bool {
    match what {
        "algo" if kinds.contains(&"gzip") => {
            keys.set("compression", "on", "true");
            keys.push("compression", "algorithms", "gzip");
        }
        "type" if kinds.iter().all(|kind| kind.split('/').filter(|part| !part.is_empty()).count() == 2) => {
            kinds.iter().for_each(|kind| keys.push("compression", "types", kind.to_ascii_lowercase()));
        }
        "offload" => {}
        _ => return false,
    }
    true
}

fn verb(how: &str) -> &'static str {
    if how == "set-header" { "set" } else { "add" }
}
