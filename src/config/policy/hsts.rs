//! `[site.hsts]`, and what must hold for a name that browsers are to ship with.

use std::time::Duration;

use crate::config::reader::{Pad, Placed, Section};
use crate::config::value;
use crate::live::Hsts;
use crate::name::HostPattern;

/// What is said, and where; `None`: nothing, or it is wrong.
pub(super) fn read(site: &Section<'_>) -> Option<Placed<Hsts>> {
    let section = site.table_of("hsts", "site.hsts");
    let max_age = section.bounded("max_age", value::duration, Duration::ZERO, Duration::ZERO..=LONGEST);
    let include_subdomains = section.value_or("include_subdomains", value::switch, false);
    let preload = section.value("preload", value::switch).filter(|preload| preload.value);
    if section.is_there() && !section.has("max_age") {
        let text = "is needed: for how long browsers come over HTTPS alone, such as \"365d\"; begin with \"1h\"";
        section.pad.missing(section.line, "site.hsts.max_age", text);
    }
    if let Some(Placed { line, .. }) = preload
        && section.has("max_age")
    {
        if max_age.value < PRELOADED {
            let text = "needs a max_age of \"365d\" or more (hstspreload.org)";
            section.pad.mistake(line, "site.hsts.preload", text);
        }
        if !include_subdomains {
            let text = "needs include_subdomains = true (hstspreload.org): make sure that every name below has HTTPS";
            section.pad.mistake(line, "site.hsts.preload", text);
        }
    }
    section.is_there().then(|| {
        let line = preload.as_ref().map_or(section.line, |preload| preload.line);
        Placed { value: Hsts::new(max_age.value, include_subdomains, preload.is_some()), line }
    })
}

/// Lists hold names under which one registers, and all below goes with them.
pub(super) fn check(pad: &Pad<'_>, hsts: &Placed<Hsts>, hosts: &[Placed<HostPattern>]) {
    let is_registered = |host: &Placed<HostPattern>| match &host.value {
        HostPattern::Exact(name) => psl::domain_str(name.as_str()) == Some(name.as_str()),
        HostPattern::Wildcard(_) => false,
    };
    if hsts.value.preload && !hosts.is_empty() && !hosts.iter().any(is_registered) {
        let text = "is taken of names alone that one registers (hstspreload.org), and no host of this site is one";
        pad.mistake(hsts.line, "site.hsts.preload", text);
    }
}

/// What hstspreload.org takes at least.
const PRELOADED: Duration = Duration::from_secs(365 * 86_400);
/// Nobody means more.
const LONGEST: Duration = Duration::from_secs(3650 * 86_400);
