//! Where a record belongs: at the end of the aliases that begin at `_acme-challenge` below a name.

use super::super::failure::{Failure, Reason};
use crate::config::DnsConfig;
use crate::name::HostName;
use crate::outbound::dns::{DnsClient, DnsName};

/// Where a record belongs.
pub(super) struct Place<'a> {
    /// Its name.
    pub(super) name: DnsName,
    /// The zone of that name.
    pub(super) zone: DnsName,
    /// Who writes there.
    pub(super) way: &'a DnsConfig,
}

/// The place of the record that shows a name.
pub(super) async fn of<'a>(dns: &DnsClient, ways: &'a [DnsConfig], domain: &HostName) -> Result<Place<'a>, Failure> {
    let failed = |text: String| Failure::new(Reason::Record, format!("{domain}: {text}"));
    let first = DnsName::parse(domain.as_str()).and_then(|name| name.below(LABEL));
    let first = first.map_err(|error| failed(error.to_string()))?;
    let name = end_of_aliases(dns, first.clone()).await.map_err(failed)?;
    let alias = if name == first { String::new() } else { format!(", which {first} is an alias of") };
    let Some(way) = way(ways, &name) else {
        let text =
            format!("no [[acme.dns]] is for {name}{alias}: add one whose zone it lies in, or one without a zone");
        return Err(failed(text));
    };
    let zone = match &way.zone {
        Some(zone) => zone.clone(),
        None => dns.zone(&name).await.map_err(|error| {
            failed(format!("the zone of {name}{alias} cannot be found: {error}; name it in acme.dns.zone"))
        })?,
    };
    Ok(Place { name, zone, way })
}

/// Who writes at a name: of those whose zone it lies in the nearest one, else the one that is for every zone.
pub(super) fn way<'a>(ways: &'a [DnsConfig], name: &DnsName) -> Option<&'a DnsConfig> {
    let of_zone =
        ways.iter().filter_map(|way| way.zone.as_ref().filter(|zone| zone.holds(name)).map(|zone| (zone, way)));
    // Of two zones that hold the same name one holds the other.
    let nearest = of_zone.reduce(|near, far| if near.0.holds(far.0) { far } else { near });
    nearest.map(|(_, way)| way).or_else(|| ways.iter().find(|way| way.zone.is_none()))
}

async fn end_of_aliases(dns: &DnsClient, first: DnsName) -> Result<DnsName, String> {
    let mut passed = vec![first];
    loop {
        let here = passed.last().cloned().unwrap_or_else(|| passed[0].clone());
        match dns.cname(&here).await {
            Ok(next) if passed.contains(&next) => {
                return Err(format!(
                    "the CNAME records that begin at {} lead in a circle: {here} leads back to {next}",
                    passed[0]
                ));
            }
            Ok(_) if passed.len() > MOST_ALIASES => {
                return Err(format!(
                    "more than {MOST_ALIASES} CNAME records follow each other from {}: point it at their end",
                    passed[0]
                ));
            }
            Ok(next) => passed.push(next),
            Err(error) if error.is_absence() => return Ok(here),
            Err(error) => return Err(format!("where its record belongs cannot be found: {error}")),
        }
    }
}

/// RFC 8555 §8.4
const LABEL: &str = "_acme-challenge";
/// What resolvers follow, and so the authority's.
const MOST_ALIASES: usize = 8;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::DnsWriter;

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).expect("a name")
    }

    #[test]
    fn the_nearest_zone_decides_who_writes() {
        let way_of = |zone: Option<&str>| DnsConfig {
            zone: zone.map(name),
            writer: DnsWriter::Hook { command: vec!["/bin/true".into()], timeout: Duration::from_secs(1) },
            propagation_timeout: Duration::from_secs(1),
            propagation_servers: Vec::new(),
        };
        let ways = [Some("example"), Some("b.shop.example"), None, Some("shop.example")].map(way_of);
        let chosen = |at: &str| way(&ways, &name(at)).and_then(|way| way.zone.as_ref()).map(ToString::to_string);
        for (at, zone) in [
            ("_acme-challenge.a.shop.example", Some("shop.example")),
            ("_acme-challenge.b.shop.example", Some("b.shop.example")),
            ("shop.example", Some("shop.example")),
            ("other.example", Some("example")),
            ("workshop.test", None),
        ] {
            assert_eq!(chosen(at).as_deref(), zone, "{at}");
        }
        assert!(way(&ways, &name("workshop.test")).is_some());
        assert!(way(&ways[..2], &name("workshop.test")).is_none());
    }
}
