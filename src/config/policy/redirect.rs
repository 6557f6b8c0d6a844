//! `site.www` and `[[site.redirect]]`.

use http::StatusCode;
use http::uri::Authority;
use toml::Spanned;
use toml::de::DeValue;

use crate::config::place;
use crate::config::reader::{Pad, Placed, Section};
use crate::config::value::{self, expected};
use crate::live::{Redirect, RedirectTarget, Redirects, Www};
use crate::name::{HostName, HostPattern};

/// Where things stand that are looked at together with the site's hosts.
#[derive(Default)]
pub(super) struct Places {
    www: Option<usize>,
    /// The target of each rule, and the hosts of which it speaks.
    rules: Vec<(usize, Vec<Placed<HostPattern>>)>,
}

pub(super) fn read(site: &Section<'_>) -> (Redirects, Places) {
    let www = site.word("www", &[("remove", Www::Remove), ("add", Www::Add), ("keep", Www::Keep)]);
    let mut rules = Vec::new();
    let mut places = Places { www: www.as_ref().map(|www| www.line), rules: Vec::new() };
    for table in site.tables("redirect") {
        let Some((rule, place)) = read_rule(site.pad, table) else { continue };
        rules.push(rule);
        places.rules.push(place);
    }
    let rules = site.has("redirect").then(|| rules.into());
    (Redirects { www: www.map(|www| www.value), rules }, places)
}

type Rule = (Redirect, (usize, Vec<Placed<HostPattern>>));

fn read_rule<'a>(pad: &'a Pad<'a>, table: &'a Spanned<DeValue<'a>>) -> Option<Rule> {
    let section = Section::one_of(pad, "site.redirect", table);
    let hosts = section.filled_list("hosts", place::pattern).map(|hosts| hosts.value).unwrap_or_default();
    let path = section.value("path", place::prefix);
    let to = section.value("to", target);
    let status = section.value_or("status", status, StatusCode::PERMANENT_REDIRECT);
    let keep_path = section.value_or("keep_path", value::switch, true);
    let keep_query = section.value_or("keep_query", value::switch, true);
    if section.is_there() && !section.has("to") {
        pad.missing(
            section.line,
            "site.redirect.to",
            "is needed: where to, such as \"https://shop.example\" or \"/new\"",
        );
    }
    if path.is_none() && section.has("path") {
        return None;
    }
    let (path, to) = (path.map_or_else(|| "/".into(), |path| path.value.into()), to?);
    let patterns = hosts.iter().map(|host| host.value.clone()).collect();
    let rule = Redirect { hosts: patterns, path, to: to.value, status, keep_path, keep_query };
    Some((rule, (to.line, hosts)))
}

impl Places {
    /// Finds rules that can never apply, and those that would go round in circles.
    pub(super) fn check(&self, pad: &Pad<'_>, redirects: &Redirects, hosts: &[Placed<HostPattern>]) {
        let is_host = |name: &str| hosts.iter().any(|host| host.value.covers(name));
        let has_both = |name: &HostPattern| match name {
            HostPattern::Exact(name) => is_host(&format!("www.{name}")),
            HostPattern::Wildcard(base) => is_host(base.as_str()),
        };
        if let Some(line) = self.www
            && redirects.www != Some(Www::Keep)
            && !hosts.iter().any(|host| has_both(&host.value))
        {
            let text = "has no effect: no host of the site is there with and without \"www.\"; list both in hosts";
            pad.warning(line, "site.www", text);
        }
        for (rule, (line, own)) in redirects.rules.iter().flatten().zip(&self.rules) {
            for host in own.iter().filter(|host| !overlaps(&host.value, hosts)) {
                let text = format!("{:?} is no host of the site", host.value.to_string());
                pad.mistake(host.line, "site.redirect.hosts", text);
            }
            if rule.to.origin.is_none() && rule.leads_to_itself("") {
                let text = format!("leads back below {:?}, which it leads away from", rule.path);
                pad.mistake(*line, "site.redirect.to", text);
            }
            let is_back = rule.to.host.as_deref().is_some_and(is_host);
            if is_back && rule.to.origin.as_deref().is_some_and(|origin| origin.starts_with("http://")) {
                let text = "leads to plain HTTP at a host of the site, from where it leads back; write \"https://…\"";
                pad.mistake(*line, "site.redirect.to", text);
            }
        }
    }
}

/// Whether the site answers for it, or for some of it.
fn overlaps(pattern: &HostPattern, hosts: &[Placed<HostPattern>]) -> bool {
    hosts.iter().any(|host| match (pattern, &host.value) {
        (HostPattern::Exact(name), host) => host.covers(name.as_str()),
        (HostPattern::Wildcard(_), HostPattern::Exact(name)) => pattern.covers(name.as_str()),
        (pattern, host) => pattern == host,
    })
}

fn status(value: &DeValue<'_>) -> Result<StatusCode, String> {
    let what = "301, 302, 307 or 308";
    let known = [301_u16, 302, 307, 308];
    let number = value::count(value).map_err(|_| expected(what, value))?;
    let code = known.into_iter().find(|known| u64::from(*known) == number);
    code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| expected(what, value))
}

/// `"https://shop.example"`, with or without a path, or a path alone.
fn target(value: &DeValue<'_>) -> Result<RedirectTarget, String> {
    let what = "an address such as \"https://shop.example\", or a path such as \"/new\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    let wrong = |mend: &str| Err(format!("{}; {mend}", expected(what, value)));
    if text.contains('@') {
        return wrong("leave out what stands before the '@'");
    }
    if text.contains(['?', '#']) {
        return wrong("leave out the query and the fragment; the request's own query is kept with keep_query");
    }
    if !text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'\\') {
        return wrong("write spaces and letters beyond ASCII as they are sent, in percent encoding");
    }
    if text.starts_with('/') {
        if text.starts_with("//") {
            return wrong("two slashes begin the name of another host; write \"https://…\"");
        }
        return Ok(RedirectTarget { origin: None, host: None, path: text.into() });
    }
    let Some((scheme @ ("https" | "http"), rest)) = text.split_once("://") else {
        return wrong(&format!("write \"https://{}\"", text.escape_debug()));
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let Ok(parsed) = authority.parse::<Authority>() else { return wrong("what stands behind :// is no host") };
    let name = match parsed.host().trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        Ok(_) => None,
        Err(_) => Some(HostName::parse(parsed.host()).map_err(|error| format!("{}; {error}", expected(what, value)))?),
    };
    let port = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        None => String::new(),
        Some((_, port)) if port.parse::<u16>().is_ok_and(|port| port > 0) => format!(":{port}"),
        Some(_) => return wrong("a port is a number of 1 to 65535"),
    };
    let host = name.as_ref().map_or_else(|| parsed.host().to_owned(), ToString::to_string);
    let path = if path.is_empty() { "/" } else { path };
    Ok(RedirectTarget {
        origin: Some(format!("{scheme}://{host}{port}").into()),
        host: name.filter(|_| port.is_empty()).map(|name| name.as_str().into()),
        path: path.into(),
    })
}
