//! What some sites agree to in a handshake that others do not: an older or newer version, and certificates of their clients.

use std::sync::Arc;

use hashbrown::HashMap;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;

use super::policy::{TlsPolicyError, server_config};
use super::tickets;
use crate::live::{Demands, TlsVersion};
use crate::name::{self, HostPattern};

/// How TLS is spoken for names whose sites ask for the same. Its tickets are its own: a session that one policy let in never
/// goes on under another, as resuming one asks for no certificate again.
pub(in crate::proxy) struct OwnPolicy {
    pub(super) config: Arc<ServerConfig>,
    demands: Demands,
}

impl OwnPolicy {
    fn new(demands: Demands) -> Result<Self, TlsPolicyError> {
        let tls12 = demands.min_version != Some(TlsVersion::V1_3);
        let verifier = match &demands.clients {
            Some(clients) => clients.check.verifier(),
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let config = server_config(tls12, verifier, tickets::fresh().map_err(TlsPolicyError)?)?;
        Ok(Self { config: Arc::new(config), demands })
    }

    /// Whether clients may show certificates.
    pub(super) const fn knows_clients(&self) -> bool {
        self.demands.clients.is_some()
    }

    /// Whether the shop is told of them.
    pub(super) fn introduces(&self) -> bool {
        self.demands.clients.as_ref().is_some_and(|clients| clients.headers)
    }
}

/// Which names have a policy of their own.
#[derive(Default)]
pub(super) struct OwnPolicies {
    exact: HashMap<Box<str>, Option<Arc<OwnPolicy>>>,
    wildcard: HashMap<Box<str>, Option<Arc<OwnPolicy>>>,
    made: Vec<Arc<OwnPolicy>>,
}

impl OwnPolicies {
    /// Those of these sites; the first that claims a name has it. What was there `before` and asks for the same goes on with the same
    /// tickets, anything else begins anew. `edge` is what holds for everybody.
    pub(super) fn of<'a>(
        sites: impl Iterator<Item = (&'a [HostPattern], Option<&'a Demands>)>,
        edge: TlsVersion,
        before: Option<&Self>,
    ) -> Result<Self, TlsPolicyError> {
        let mut policies = Self::default();
        for (hosts, demands) in sites {
            let own = match demands.map(|demands| resolved(demands, edge)).filter(|own| *own != resolved_edge(edge)) {
                Some(demands) => Some(policies.made(demands, before)?),
                None => None,
            };
            for host in hosts {
                let (names, text) = match host {
                    HostPattern::Exact(exact) => (&mut policies.exact, exact.as_str()),
                    HostPattern::Wildcard(base) => (&mut policies.wildcard, base.as_str()),
                };
                names.entry(text.into()).or_insert_with(|| own.clone());
            }
        }
        Ok(policies)
    }

    /// The policy of `name`, which is in normal form; `None`: that of the edge.
    pub(super) fn of_name(&self, name: &str) -> Option<&Arc<OwnPolicy>> {
        self.exact.get(name).or_else(|| self.wildcard.get(name::parent(name)?))?.as_ref()
    }

    /// Whether no site has one.
    pub(super) const fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    fn made(&mut self, demands: Demands, before: Option<&Self>) -> Result<Arc<OwnPolicy>, TlsPolicyError> {
        let known = self.made.iter().find(|own| own.demands == demands);
        if let Some(known) = known {
            return Ok(Arc::clone(known));
        }
        let kept = before.and_then(|before| before.made.iter().find(|own| own.demands == demands));
        let own = match kept {
            Some(kept) => Arc::clone(kept),
            None => Arc::new(OwnPolicy::new(demands)?),
        };
        self.made.push(Arc::clone(&own));
        Ok(own)
    }
}

/// What is asked for, with what is not said as the edge has it.
fn resolved(demands: &Demands, edge: TlsVersion) -> Demands {
    Demands { min_version: demands.min_version.or(Some(edge)), clients: demands.clients.clone() }
}

const fn resolved_edge(edge: TlsVersion) -> Demands {
    Demands { min_version: Some(edge), clients: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(texts: &[&str]) -> Vec<HostPattern> {
        texts.iter().map(|text| HostPattern::parse(text).expect("a pattern")).collect()
    }

    fn asking(min_version: TlsVersion) -> Demands {
        Demands { min_version: Some(min_version), clients: None }
    }

    #[test]
    fn a_site_that_asks_for_what_the_edge_does_has_no_policy_of_its_own() {
        let (names, demands) = (hosts(&["a.example"]), asking(TlsVersion::V1_2));
        let sites = [(&*names, Some(&demands))];
        let own = |edge| OwnPolicies::of(sites.into_iter(), edge, None).expect("policies");
        assert!(own(TlsVersion::V1_2).is_empty());
        assert!(!own(TlsVersion::V1_3).is_empty());
    }

    #[test]
    fn an_exact_name_without_demands_stands_out_of_a_wildcard_with_some() {
        let (wild, exact, demands) = (hosts(&["*.shop.example"]), hosts(&["a.shop.example"]), asking(TlsVersion::V1_3));
        let sites = [(&*wild, Some(&demands)), (&*exact, None)];
        let own = OwnPolicies::of(sites.into_iter(), TlsVersion::V1_2, None).expect("policies");
        let asks = |name: &str| own.of_name(name).is_some();
        let names = ["a.shop.example", "b.shop.example", "shop.example", "x.b.shop.example"];
        assert_eq!(names.map(asks), [false, true, false, false]);
    }

    #[test]
    fn tickets_outlive_a_reload_that_asks_for_the_same_and_no_other() {
        let names = hosts(&["a.example"]);
        let of = |demands: &Demands, before: Option<&OwnPolicies>| {
            OwnPolicies::of([(&*names, Some(demands))].into_iter(), TlsVersion::V1_2, before).expect("policies")
        };
        let ticket = |own: &OwnPolicies, sealed: &[u8]| {
            own.of_name("a.example").expect("a policy").config.ticketer.decrypt(sealed)
        };
        let first = of(&asking(TlsVersion::V1_3), None);
        let sealed = first.of_name("a.example").expect("a policy").config.ticketer.encrypt(b"session").expect("sealed");
        let same = of(&asking(TlsVersion::V1_3), Some(&first));
        assert_eq!(ticket(&same, &sealed).as_deref(), Some(&b"session"[..]));
        let gone = of(&asking(TlsVersion::V1_2), Some(&same));
        let again = of(&asking(TlsVersion::V1_3), Some(&gone));
        assert_eq!(ticket(&again, &sealed), None);
    }
}
