//! Where requests go: `reverse_proxy`, alone or in `handle` and `route`, with its matchers.

use std::collections::HashMap;

use super::Reading;
use super::grammar::Segment;
use super::proxy::Proxy;
use super::tls::Keys;
use crate::peers::keys;
use crate::peers::plan::Place;
use crate::peers::redirect::Redirect;
use crate::peers::upstream::is_route;

/// What a block comes to.
#[derive(Default)]
pub(super) struct Ways {
    list: Vec<Way>,
    /// Something else than a redirect was met.
    does_more: bool,
    to_https: bool,
    /// What the site leads elsewhere.
    pub(super) redirects: Vec<Redirect>,
    /// What else it says.
    pub(super) keys: keys::Keys,
}

/// One way: for these names of the site, if it asks for any, below a path.
struct Way {
    hosts: Option<Vec<String>>,
    path: String,
    proxy: Proxy,
}

/// A named matcher as far as it is made of hosts and paths; `None`: it is made of something else.
type Matchers = HashMap<String, Option<Match>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Match {
    pub(super) hosts: Option<Vec<String>>,
    /// As `path` has them.
    pub(super) paths: Option<Vec<String>>,
}

/// For these names of the site, or all: where requests go, and paths that go elsewhere.
type OfHosts = (Option<Vec<String>>, Option<Proxy>, Vec<(String, Proxy)>);

impl Ways {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn only_redirects(&self) -> bool {
        (self.to_https || !self.redirects.is_empty()) && self.list.is_empty() && !self.does_more
    }

    /// The ways of each set of names, those for certain names first. What is for all names is for them too.
    pub(super) fn by_host(&self) -> Vec<OfHosts> {
        let mut sets: Vec<Option<Vec<String>>> = Vec::new();
        for way in &self.list {
            if !sets.contains(&way.hosts) {
                sets.push(way.hosts.clone());
            }
        }
        sets.sort_by_key(Option::is_none);
        let of = |set: Option<Vec<String>>| {
            let (mut root, mut routes) = (None, Vec::<(String, Proxy)>::new());
            let own = self.list.iter().filter(|way| way.hosts == set);
            let all = self.list.iter().filter(|way| set.is_some() && way.hosts.is_none());
            for way in own.chain(all) {
                if way.path == "/" {
                    root.get_or_insert_with(|| way.proxy.clone());
                } else if !routes.iter().any(|(path, _)| *path == way.path) {
                    routes.push((way.path.clone(), way.proxy.clone()));
                }
            }
            (set, root, routes)
        };
        sets.into_iter().map(of).collect()
    }
}

impl Reading<'_> {
    /// Reads the directives of a site.
    pub(super) fn directives(&mut self, block: &[Segment], ways: &mut Ways) -> Keys {
        let mut keys = Keys::default();
        let matchers = Matchers::new();
        self.walk(block, &Match::default(), &matchers, ways, (&mut keys, 0));
        keys
    }

    fn walk(
        &mut self,
        block: &[Segment],
        outer: &Match,
        known: &Matchers,
        ways: &mut Ways,
        (keys, depth): (&mut Keys, usize),
    ) {
        let mut matchers = known.clone();
        for line in block.iter().filter(|line| line.word(0).starts_with('@')) {
            matchers.insert(line.word(0).to_owned(), named(line));
        }
        for line in block {
            let (name, place) = (line.word(0), &line.place);
            match name {
                _ if name.starts_with('@') => {}
                "tls" => self.tls(line, keys, &mut ways.keys),
                "bind" => self.bind(line),
                "reverse_proxy" => {
                    if let Some((matched, words)) = self.matched(line, outer, &matchers) {
                        self.forward(line, &matched, words, ways);
                    }
                }
                "handle" | "route" if depth < DEEPEST => {
                    if let Some((matched, _)) = self.matched(line, outer, &matchers) {
                        self.walk(line.inner(), &matched, &matchers, ways, (&mut *keys, depth + 1));
                    }
                }
                "handle_path" => {
                    let text =
                        format!("{:?} takes the path's beginning away, and paths here stay as they are", line.shown());
                    self.plan.left_out(
                        place,
                        text,
                        "have the shop take the path as visitors send it, and add a [[site.route]]",
                    );
                    ways.does_more = true;
                }
                "redir" if line.words.iter().any(|word| word.starts_with("https://{host}")) => ways.to_https = true,
                "redir" => {
                    let Some((matched, words)) = self.matched(line, outer, &matchers) else { continue };
                    if !self.redir(line, &matched, words, ways) {
                        let text = format!("{:?} is not carried over", line.shown());
                        self.plan.left_out(place, text, "see [[site.redirect]] and site.www");
                    }
                }
                "log" | "skip_log" | "log_skip" | "log_name" => {}
                // What holds for a part alone is not for a site to say.
                "header" | "encode" | "request_body" if depth == 0 && self.whole_rule(line, outer, &matchers, ways) => {
                }
                _ => {
                    ways.does_more |= matches!(name, "respond" | "file_server" | "php_fastcgi");
                    let mend = match name {
                        "file_server" | "root" | "try_files" | "php_fastcgi" | "templates" => {
                            "Vitrine serves no files: run a web server behind it and name that one as upstream"
                        }
                        "header" => "see [site.response_headers]",
                        "encode" => "see [site.compression]",
                        "request_body" => "see [site.limits] and [site.route.limits]",
                        "basicauth" | "basic_auth" | "forward_auth" => "have the shop ask who it is",
                        _ => super::SHOP,
                    };
                    self.plan.left_out(place, format!("{:?} is not carried over", line.shown()), mend);
                }
            }
        }
    }

    /// Takes a directive that is for everything; gives whether it was taken.
    fn whole_rule(&mut self, line: &Segment, outer: &Match, matchers: &Matchers, ways: &mut Ways) -> bool {
        let is_matched = line.rest().first().is_some_and(|word| word.starts_with(['@', '/']));
        if is_matched || outer.hosts.is_some() || outer.paths.is_some() {
            return false;
        }
        let Some((_, words)) = self.matched(line, outer, matchers) else { return false };
        self.rule(line, words, ways)
    }

    /// What a directive's matcher adds to what is around it, and its other words.
    fn matched<'a>(&mut self, line: &'a Segment, outer: &Match, matchers: &Matchers) -> Option<(Match, &'a [String])> {
        let rest = line.rest();
        let (own, words) = match rest.first().map(String::as_str) {
            Some("*") => (Some(Match::default()), &rest[1..]),
            Some(path) if path.starts_with('/') => {
                (Some(Match { hosts: None, paths: Some(vec![path.to_owned()]) }), &rest[1..])
            }
            Some(name) if name.starts_with('@') => (matchers.get(name).cloned().flatten(), &rest[1..]),
            _ => (Some(Match::default()), rest),
        };
        let joined = own.and_then(|own| {
            let both = outer.hosts.is_some() && own.hosts.is_some() || outer.paths.is_some() && own.paths.is_some();
            let hosts = own.hosts.or_else(|| outer.hosts.clone());
            let paths = own.paths.or_else(|| outer.paths.clone());
            (!both).then_some(Match { hosts, paths })
        });
        let Some(joined) = joined else {
            let text = format!("{:?} chooses by more than hosts and path prefixes", line.shown());
            self.plan.left_out(
                &line.place,
                text,
                "have the shop decide, or add a [[site]] or [[site.route]] that does it",
            );
            return None;
        };
        Some((joined, words))
    }

    fn forward(&mut self, line: &Segment, matched: &Match, words: &[String], ways: &mut Ways) {
        let Some(proxy) = self.proxy(line, words) else { return };
        let everything = vec!["*".to_owned()];
        for pattern in matched.paths.as_ref().unwrap_or(&everything) {
            if let Some(path) = self.path(pattern, &line.place) {
                ways.list.push(Way { hosts: matched.hosts.clone(), path, proxy: proxy.clone() });
            }
        }
    }

    /// A path pattern as a route has it.
    fn path(&mut self, pattern: &str, place: &Place) -> Option<String> {
        if matches!(pattern, "*" | "/*") {
            return Some("/".into());
        }
        let Some(prefix) = pattern.strip_suffix('*').filter(|prefix| is_route(prefix)) else {
            let text = format!("{pattern} is no path prefix, and routes here are for a path and all below it");
            self.plan.left_out(place, text, "add a [[site.route]] if what is below it may go there too");
            return None;
        };
        if !prefix.ends_with('/') {
            let text = format!("{prefix} is for itself and what is below it; Caddy has it for {prefix}… too");
            self.plan.note(place, text, "");
        }
        Some(prefix.to_owned())
    }
}

/// `@name path …`, or `@name` with a block of such lines.
fn named(line: &Segment) -> Option<Match> {
    let mut matched = Match::default();
    let own = line.rest();
    let mut take = |words: &[String]| {
        let patterns = words.get(1..).filter(|patterns| !patterns.is_empty())?.to_vec();
        let slot = match words[0].as_str() {
            "host" => &mut matched.hosts,
            "path" => &mut matched.paths,
            _ => return None,
        };
        slot.replace(patterns).is_none().then_some(())
    };
    if !own.is_empty() {
        take(own)?;
    }
    for inner in line.inner() {
        take(&inner.words)?;
    }
    Some(matched)
}

const DEEPEST: usize = 32;
