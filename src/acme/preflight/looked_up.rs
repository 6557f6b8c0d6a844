//! What the DNS says of one name of a site: where it leads, and who may issue for it.

use std::net::IpAddr;

use super::Finding;
use crate::acme::failure::Reason;
use crate::name::{HostName, HostPattern};
use crate::outbound::dns::{Caa, DnsClient, DnsError, DnsName};

/// What the DNS says of a name.
#[derive(Debug)]
pub(super) struct LookedUp {
    pub(super) host: HostPattern,
    /// Where it leads; of a wildcard nobody asks.
    pub(super) addresses: Result<Vec<IpAddr>, Finding>,
    /// The records that say who may issue for it, and where they stand; `None`: none stands anywhere.
    pub(super) caa: Result<Option<(DnsName, Vec<Caa>)>, Finding>,
}

impl LookedUp {
    pub(super) async fn of(dns: &DnsClient, host: HostPattern) -> Self {
        let (addresses, caa) = match &host {
            HostPattern::Exact(name) => tokio::join!(addresses(dns, name), caa(dns, name)),
            HostPattern::Wildcard(name) => (Ok(Vec::new()), caa(dns, name).await),
        };
        Self { host, addresses, caa }
    }
}

/// A records before AAAA records.
async fn addresses(dns: &DnsClient, host: &HostName) -> Result<Vec<IpAddr>, Finding> {
    let name = dns_name(host)?;
    let (v4, v6) = tokio::join!(dns.a(&name), dns.aaaa(&name));
    let found = |text: String| Finding { reason: Reason::Dns, text };
    match (v4, v6) {
        (Err(error @ DnsError::NoSuchName { .. }), Err(_)) | (Err(_), Err(error @ DnsError::NoSuchName { .. })) => {
            Err(found(format!("{error}; {ADD_ONE}")))
        }
        (Err(v4), Err(v6)) if v4.is_absence() && v6.is_absence() => {
            let server = v4.server();
            Err(found(format!("{host} has neither an A nor an AAAA record, says the name server {server}; {ADD_ONE}")))
        }
        // An authority does with what it has, as long as it has one (as Let's Encrypt does).
        (Err(error), Err(other)) => Err(found(if error.is_absence() { other } else { error }.to_string() + MEND)),
        (v4, v6) => {
            let v4 = v4.unwrap_or_default().into_iter().map(IpAddr::from);
            let mut addresses: Vec<IpAddr> = v4.chain(v6.unwrap_or_default().into_iter().map(IpAddr::from)).collect();
            let mut seen = std::collections::HashSet::new();
            addresses.retain(|address| seen.insert(*address));
            match addresses.len() {
                0..=MOST_ADDRESSES => Ok(addresses),
                many => Err(found(format!(
                    "{host} has {many} addresses, more than {MOST_ADDRESSES}; delete those it needs not"
                ))),
            }
        }
    }
}

/// The records of a name, or else those of the nearest name above it that has any (RFC 8659 §3).
async fn caa(dns: &DnsClient, host: &HostName) -> Result<Option<(DnsName, Vec<Caa>)>, Finding> {
    let mut place = dns_name(host)?;
    while let Some(above) = place.parent() {
        match dns.caa(&place).await {
            Ok(records) => return Ok(Some((place, records))),
            Err(error) if error.is_absence() => place = above,
            // Whoever cannot find out that nothing is forbidden must not issue.
            Err(error @ DnsError::ServerFailed { .. }) => {
                let text = format!("{error}; no authority issues for {host} then: {CAA_MEND}");
                return Err(Finding { reason: Reason::Caa, text });
            }
            Err(error) => return Err(Finding { reason: Reason::Dns, text: error.to_string() + MEND }),
        }
    }
    Ok(None)
}

fn dns_name(host: &HostName) -> Result<DnsName, Finding> {
    DnsName::parse(host.as_str()).map_err(|error| Finding { reason: Reason::Dns, text: error.to_string() })
}

const ADD_ONE: &str = "add one that leads to this edge";
const MEND: &str = "; mend the name servers of this name, or ask others (acme.resolvers)";
const CAA_MEND: &str = "have its name servers answer questions for CAA, if only that there is none";
/// A name with more is nobody's shop.
const MOST_ADDRESSES: usize = 16;
