//! What `use_backend` chooses by: hosts and paths, as far as conditions are made of these.

use std::collections::HashMap;

use super::lines::Line;

/// An `acl`, or one in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Acl {
    /// One of these names, as `site.hosts` has them.
    Hosts(Vec<String>),
    /// Below one of these paths.
    Paths(Vec<String>),
    /// The connection speaks TLS.
    Secure,
    /// Something else.
    Other,
}

/// When a rule holds: for one of these names, if it asks for any, and below one of these paths, if it asks for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) hosts: Option<Vec<String>>,
    pub(super) paths: Option<Vec<String>>,
    /// It holds over plain HTTP alone.
    pub(super) is_plain: bool,
}

/// ACLs by name; one that is defined several times holds if any does.
#[derive(Default)]
pub(super) struct Acls(HashMap<String, Acl>);

impl Acls {
    /// Takes `acl NAME CRITERION…`.
    pub(super) fn add(&mut self, line: &Line) {
        let words: Vec<&str> = line.words.iter().skip(2).map(String::as_str).collect();
        let new = Acl::read(&words);
        let merged = match (self.0.remove(line.word(1)), new) {
            (None, new) => new,
            (Some(Acl::Hosts(mut known)), Acl::Hosts(more)) => {
                known.extend(more);
                Acl::Hosts(known)
            }
            (Some(Acl::Paths(mut known)), Acl::Paths(more)) => {
                known.extend(more);
                Acl::Paths(known)
            }
            _ => Acl::Other,
        };
        self.0.insert(line.word(1).to_owned(), merged);
    }

    /// The choices that a condition stands for, any of which is enough; `None`: it is made of something else.
    pub(super) fn choices(&self, condition: &[String]) -> Option<Vec<Choice>> {
        let is_or = |word: &String| word == "||" || word == "or";
        condition.split(is_or).map(|words| self.conjunction(words)).collect()
    }

    fn conjunction(&self, words: &[String]) -> Option<Choice> {
        let (mut choice, mut rest) = (Choice::default(), words);
        while let Some(word) = rest.first() {
            let (negated, word) = match word.strip_prefix('!') {
                Some(word) => (true, word),
                None => (false, word.as_str()),
            };
            let acl = if word == "{" || (word.is_empty() && rest.get(1).is_some_and(|next| next == "{")) {
                let begin = if word.is_empty() { 2 } else { 1 };
                let end = rest.iter().position(|word| word == "}")?;
                let inner: Vec<&str> = rest.get(begin..end)?.iter().map(String::as_str).collect();
                rest = &rest[end + 1..];
                Acl::read(&inner)
            } else {
                rest = &rest[1..];
                self.0.get(word).cloned().unwrap_or(Acl::Other)
            };
            match (negated, acl) {
                (false, Acl::Secure) => {}
                (true, Acl::Secure) => choice.is_plain = true,
                (false, Acl::Hosts(hosts)) if choice.hosts.is_none() => choice.hosts = Some(hosts),
                (false, Acl::Paths(paths)) if choice.paths.is_none() => choice.paths = Some(paths),
                _ => return None,
            }
        }
        Some(choice)
    }
}

impl Acl {
    /// A criterion, its flags and its patterns.
    fn read(words: &[&str]) -> Self {
        let Some((criterion, rest)) = words.split_first() else { return Self::Other };
        let mut patterns = Vec::new();
        let (mut rest, mut method) = (rest.iter(), "");
        while let Some(word) = rest.next() {
            match *word {
                "-i" | "--" => {}
                "-m" => method = rest.next().copied().unwrap_or_default(),
                // Patterns in files, and comparisons by other rules.
                word if word.starts_with('-') => return Self::Other,
                word => patterns.push(word),
            }
        }
        let criterion = criterion.to_ascii_lowercase();
        let (fetch, converters) = criterion.split_once(',').unwrap_or((&criterion, ""));
        if !converters.split(',').all(|one| matches!(one, "" | "lower" | "host_only" | "field(1,:)" | "field(1" | ":)"))
        {
            return Self::Other;
        }
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let below = |list: &[&str]| {
            let wildcard = |pattern: &&str| pattern.strip_prefix('.').map(|base| format!("*.{base}"));
            list.iter().map(wildcard).collect::<Option<Vec<_>>>()
        };
        let bare = fetch.split('(').next().unwrap_or_default();
        let of_host = fetch.ends_with("(host)");
        match (bare, method) {
            _ if patterns.is_empty() => {
                if bare == "ssl_fc" {
                    Self::Secure
                } else {
                    Self::Other
                }
            }
            ("hdr" | "req.hdr" | "req.fhdr", "" | "str") if of_host => Self::Hosts(owned(&patterns)),
            ("ssl_fc_sni" | "req.ssl_sni" | "base_dom", "" | "str") if bare != "base_dom" => {
                Self::Hosts(owned(&patterns))
            }
            ("hdr_end", "") if of_host => below(&patterns).map_or(Self::Other, Self::Hosts),
            ("hdr" | "req.hdr" | "ssl_fc_sni", "end") if of_host || bare == "ssl_fc_sni" => {
                below(&patterns).map_or(Self::Other, Self::Hosts)
            }
            ("ssl_fc_sni_end", "") => below(&patterns).map_or(Self::Other, Self::Hosts),
            // What begins like Apple Pay's file is that file, and the same by its older name.
            ("path_beg", "") | ("path", "beg") if patterns == [APPLE_PAY] => {
                Self::Paths(vec![APPLE_PAY.to_owned(), format!("{APPLE_PAY}.txt")])
            }
            ("path_beg", "") | ("path", "beg") => Self::Paths(owned(&patterns)),
            // What lies there are files: below one there is nothing that a route could have besides.
            ("path", "" | "str") if patterns.iter().all(|path| path.starts_with(WELL_KNOWN)) => {
                Self::Paths(owned(&patterns))
            }
            _ => Self::Other,
        }
    }
}

/// Where files lie that others look for (RFC 8615).
pub(super) const WELL_KNOWN: &str = "/.well-known/";
/// Where Apple looks whether a domain is a merchant's.
pub(super) const APPLE_PAY: &str = "/.well-known/apple-developer-merchantid-domain-association";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::peers::plan::Place;

    fn choices(acls: &[&str], condition: &str) -> Option<Vec<Choice>> {
        let split = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut known = Acls::default();
        for acl in acls {
            known.add(&Line { words: split(acl), place: Place::whole(Path::new("x")) });
        }
        known.choices(&split(condition))
    }

    #[test]
    fn conditions_of_hosts_and_paths_are_understood_and_no_others() {
        let acls = [
            "acl shop hdr(host) -i shop.example www.shop.example",
            "acl shop req.hdr(host),lower -m str old.example",
            "acl sub hdr_end(host) -i .shop.example",
            "acl api path_beg /api",
            "acl bot hdr_sub(user-agent) bot",
        ];
        let list = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect::<Vec<_>>());
        let shop = list(&["shop.example", "www.shop.example", "old.example"]);
        let (hosts, paths) = (shop.clone(), list(&["/api"]));
        assert_eq!(choices(&acls, "shop api"), Some(vec![Choice { hosts, paths, is_plain: false }]));
        let sub = Choice { hosts: list(&["*.shop.example"]), ..Choice::default() };
        let one = Choice { hosts: shop, ..Choice::default() };
        assert_eq!(choices(&acls, "sub || shop"), Some(vec![sub, one]));
        assert_eq!(choices(&acls, "!{ ssl_fc }"), Some(vec![Choice { is_plain: true, ..Choice::default() }]));
        let inline = Choice { hosts: list(&["a.example"]), ..Choice::default() };
        assert_eq!(choices(&acls, "{ ssl_fc_sni -i a.example }"), Some(vec![inline]));
        let apple = |criterion: &str| choices(&acls, &format!("{{ {criterion} {APPLE_PAY} }}"));
        let paths = |list: &[String]| Some(vec![Choice { paths: Some(list.to_vec()), ..Choice::default() }]);
        assert_eq!(apple("path"), paths(&[APPLE_PAY.into()]));
        assert_eq!(apple("path_beg"), paths(&[APPLE_PAY.into(), format!("{APPLE_PAY}.txt")]));
        for other in [
            "{ path /x }",
            "bot",
            "!shop",
            "shop sub",
            "unknown",
            "{ path /x",
            "shop { path_reg ^/x }",
            "{ hdr(host) -f x }",
        ] {
            assert_eq!(choices(&acls, other), None, "{other}");
        }
    }
}
