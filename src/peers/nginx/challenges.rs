//! Who answers what an authority asks: a location with the files of an ACME client, or with a server that has one in it.

use std::collections::BTreeMap;

use super::Reading;
use super::grammar::Directive;
use super::location::{Way, Ways};
use super::server::Server;
use crate::name::HostPattern;
use crate::peers::challenges::{CHALLENGES, PREFIX};
use crate::peers::keys::Keys;
use crate::peers::plan::{Place, Provision};

/// Whether a location is for this alone.
pub(super) fn is_challenge(location: &Directive) -> bool {
    // Patterns have a backslash before the dot.
    location.name == "location" && location.words.iter().any(|word| word.replace('\\', "").contains(PREFIX))
}

impl<'a> Reading<'a> {
    /// Keeps who answers for certificates that the edge does not order, and tells what has become of whom.
    pub(super) fn challenged(
        &mut self,
        (secure, plain): (&Server<'a>, &[Server<'a>]),
        provision: Provision,
        ways: &mut Ways,
    ) {
        let mut asked: BTreeMap<&Place, (&'a Directive, &Server<'a>, Vec<HostPattern>)> = BTreeMap::new();
        // Of a wildcard nobody is asked in this way.
        for host in secure.hosts.iter().filter(|host| matches!(host, HostPattern::Exact(_))) {
            // Over plain HTTP is where it is asked first.
            let named = plain.iter().find(|server| server.hosts.contains(host));
            let first = named.or_else(|| plain.iter().find(|server| server.hosts.is_empty()));
            let servers = first.into_iter().chain([secure]);
            let found = servers.filter_map(|server| Some((server.block.iter().find(|one| is_challenge(one))?, server)));
            if let Some((location, server)) = found.into_iter().next() {
                asked.entry(&location.place).or_insert((location, server, Vec::new())).2.push(host.clone());
            }
        }
        for (place, (location, server, hosts)) in asked {
            let inner = location.block.as_deref().unwrap_or_default();
            let target = inner.iter().find(|one| one.name == "proxy_pass");
            let files = || inner.iter().find(|one| matches!(&*one.name, "root" | "alias"));
            let answerer = target.or_else(files).unwrap_or(location).shown();
            if provision == Provision::Managed {
                self.plan.replaced(place, &answerer, &hosts);
                continue;
            }
            let chain = [inner, server.block, server.above];
            let kept = target.and_then(|target| self.target(target, CHALLENGES, &chain));
            match kept.filter(|_| ways.routes.iter().all(|(path, _)| path != CHALLENGES)) {
                Some((upstreams, group)) => {
                    ways.routes.push((CHALLENGES.to_owned(), Way { upstreams, group, own: Keys::default() }));
                    self.plan.kept(place, &answerer, &hosts);
                }
                None => self.plan.unanswered(place, &hosts),
            }
        }
    }
}
