//! Redirects of a site: between a name and its `www`, to other hosts, to other paths.

use std::fmt::Write;

use http::StatusCode;

use crate::live::route_table::path_is_under;
use crate::name::HostPattern;

/// All redirects of a site. The first that applies is followed; that of `www` comes before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects {
    /// What is done with `www.` in front of a host.
    pub www: Option<Www>,
    /// In the operator's order; `None`: nothing is said of them.
    pub rules: Option<Box<[Redirect]>>,
}

/// What is done with `www.` in front of a host, where the site has the host with and without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Www {
    /// `www.shop.example` leads to `shop.example`.
    Remove,
    /// `shop.example` leads to `www.shop.example`.
    Add,
    /// Both are served.
    Keep,
}

/// One redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Of which of the site's hosts; none: of all.
    pub hosts: Box<[HostPattern]>,
    /// Of which path and all below it.
    pub path: Box<str>,
    /// Where to.
    pub to: RedirectTarget,
    /// 301, 302, 307 or 308.
    pub status: StatusCode,
    /// Whether what follows [`Redirect::path`] in the request's path is put behind the target's.
    pub keep_path: bool,
    /// Whether the request's query is.
    pub keep_query: bool,
}

/// Where a redirect leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectTarget {
    /// `https://other.example:8443`; `None`: the host that was asked for, over HTTPS.
    pub origin: Option<Box<str>>,
    /// The host in it, in normal form, if that may be the one that was asked for; `None` for an address, and where a port is named.
    pub host: Option<Box<str>>,
    /// Begins with a slash.
    pub path: Box<str>,
}

impl Redirects {
    /// What is not said here as `model` has it.
    pub(super) fn inherit(&mut self, model: &Self) {
        self.www = self.www.or(model.www);
        super::keep_or_take(&mut self.rules, &model.rules);
    }

    /// Where a request over HTTPS is sent instead, if anywhere. `host` is in normal form and one of `hosts`, those of the site; `port` is
    /// that of HTTPS.
    #[must_use]
    pub fn of(
        &self,
        hosts: &[HostPattern],
        host: &str,
        path: &str,
        query: Option<&str>,
        port: u16,
    ) -> Option<(StatusCode, String)> {
        // `OPTIONS *` asks about no place that could be elsewhere.
        if !path.starts_with('/') {
            return None;
        }
        if let Some(other) = self.other_www(host).filter(|other| hosts.iter().any(|known| known.covers(other))) {
            return Some((StatusCode::PERMANENT_REDIRECT, located(&https_origin(&other, port), path, query)));
        }
        let rule = self.rules.iter().flatten().find(|rule| rule.applies(host, path))?;
        Some((rule.status, rule.location(host, path, query, port)))
    }

    fn other_www(&self, host: &str) -> Option<String> {
        match (self.www?, host.strip_prefix("www.")) {
            (Www::Remove, Some(bare)) => Some(bare.to_owned()),
            (Www::Add, None) => Some(format!("www.{host}")),
            _ => None,
        }
    }
}

impl Redirect {
    /// Whether it would send what it leads to round and round, at this host.
    #[must_use]
    pub fn leads_to_itself(&self, host: &str) -> bool {
        let is_here = match self.to.origin {
            None => true,
            Some(_) => self.to.host.as_deref() == Some(host),
        };
        is_here && path_is_under(&self.to.path, &self.path)
    }

    fn applies(&self, host: &str, path: &str) -> bool {
        (self.hosts.is_empty() || self.hosts.iter().any(|of| of.covers(host)))
            && path_is_under(path, &self.path)
            && !self.leads_to_itself(host)
    }

    /// The host is a configured one, and whatever follows it begins with a slash: a request cannot make this lead elsewhere.
    fn location(&self, host: &str, path: &str, query: Option<&str>, port: u16) -> String {
        let origin = self.to.origin.as_deref().map_or_else(|| https_origin(host, port), Into::into);
        let query = query.filter(|_| self.keep_query);
        match path.strip_prefix(self.path.trim_end_matches('/')) {
            Some(rest) if self.keep_path && !rest.is_empty() => {
                located(&(origin + self.to.path.trim_end_matches('/')), rest, query)
            }
            _ => located(&origin, &self.to.path, query),
        }
    }
}

/// `https://shop.example`, with the port unless it is the usual one (RFC 9110 §4.2.2).
#[must_use]
pub fn https_origin(host: &str, port: u16) -> String {
    match port {
        443 => format!("https://{host}"),
        _ => format!("https://{host}:{port}"),
    }
}

fn located(origin: &str, path: &str, query: Option<&str>) -> String {
    let mut location = format!("{origin}{path}");
    if let Some(query) = query {
        let _ = write!(location, "?{query}");
    }
    location
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(hosts: &[&str]) -> Box<[HostPattern]> {
        hosts.iter().map(|host| HostPattern::parse(host).expect("a pattern")).collect()
    }

    fn rule(path: &str, origin: Option<&str>, to: &str) -> Redirect {
        let host = origin.and_then(|origin| origin.strip_prefix("https://")).filter(|host| !host.contains(':'));
        Redirect {
            hosts: Box::default(),
            path: path.into(),
            to: RedirectTarget { origin: origin.map(Into::into), host: host.map(Into::into), path: to.into() },
            status: StatusCode::PERMANENT_REDIRECT,
            keep_path: true,
            keep_query: true,
        }
    }

    fn location(rule: Redirect, host: &str, path: &str) -> Option<String> {
        let redirects = Redirects { www: None, rules: Some([rule].into()) };
        redirects.of(&patterns(&[host]), host, path, Some("q"), 443).map(|(_, location)| location)
    }

    #[test]
    fn what_follows_the_path_is_put_behind_the_target() {
        for (path, origin, to, asked, location_is) in [
            ("/old", None, "/new", "/old", Some("https://a.example/new?q")),
            ("/old", None, "/new", "/old/", Some("https://a.example/new/?q")),
            ("/old", None, "/new/", "/old/x", Some("https://a.example/new/x?q")),
            ("/old/", None, "/new", "/old/x", Some("https://a.example/new/x?q")),
            ("/old", None, "/", "/old//evil.example", Some("https://a.example//evil.example?q")),
            ("/old", None, "/new", "/older", None),
            ("/", Some("https://b.example"), "/", "/x", Some("https://b.example/x?q")),
            ("/", Some("https://b.example"), "/shop", "/", Some("https://b.example/shop/?q")),
            ("/", Some("https://b.example"), "/", "//evil.example", Some("https://b.example//evil.example?q")),
        ] {
            assert_eq!(location(rule(path, origin, to), "a.example", asked).as_deref(), location_is, "{path} {asked}");
        }
    }

    #[test]
    fn nothing_is_sent_round_and_round() {
        assert_eq!(location(rule("/", Some("https://a.example"), "/"), "a.example", "/x"), None);
        assert_eq!(location(rule("/", None, "/new"), "a.example", "/x"), None);
        let other_port = rule("/", Some("https://a.example:8443"), "/");
        assert_eq!(location(other_port, "a.example", "/x").as_deref(), Some("https://a.example:8443/x?q"));
    }

    #[test]
    fn www_leads_to_hosts_of_the_site_alone() {
        let hosts = patterns(&["a.example", "www.a.example", "www.b.example", "c.example"]);
        for (www, host, location_is) in [
            (Www::Remove, "www.a.example", Some("https://a.example:8443/x")),
            (Www::Remove, "a.example", None),
            (Www::Remove, "www.b.example", None),
            (Www::Add, "a.example", Some("https://www.a.example:8443/x")),
            (Www::Add, "c.example", None),
            (Www::Keep, "www.a.example", None),
        ] {
            let redirects = Redirects { www: Some(www), rules: None };
            let location = redirects.of(&hosts, host, "/x", None, 8443).map(|(_, location)| location);
            assert_eq!(location.as_deref(), location_is, "{www:?} {host}");
        }
    }
}
