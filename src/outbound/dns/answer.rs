//! What an answer holds of what was asked for.

use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData};

use super::{DnsName, RecordKind};

/// Who may issue certificates for a name (RFC 8659 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caa {
    /// Whoever does not know the tag must not issue.
    pub critical: bool,
    /// `issue`, `issuewild` and others, in small letters.
    pub tag: String,
    /// As it stands there.
    pub value: Vec<u8>,
}

/// How a zone is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    /// The server that takes changes.
    pub primary: DnsName,
    /// Grows with each change.
    pub serial: u32,
}

/// What stands in an answer.
pub(super) enum Found<T> {
    /// And for how many seconds they hold, with the aliases that lead to them.
    Values(Vec<T>, u32),
    /// The name is an alias of this one, of which the answer says nothing; and for how many seconds.
    Alias(DnsName, u32),
    Nothing,
}

/// Records of a name, or of what it is an alias of.
pub(super) fn find<T>(message: &Message, name: &DnsName, kind: RecordKind, pick: fn(&RData) -> Option<T>) -> Found<T> {
    let (mut owner, mut is_alias, mut holds) = (name.name(), false, u32::MAX);
    // No chain is longer than there are records.
    for _ in 0..=message.answers.len() {
        let of_owner = || message.answers.iter().filter(|record| record.name == *owner);
        let found = of_owner().filter_map(|record| Some((pick(&record.data)?, record.ttl)));
        let (values, ends): (Vec<T>, Vec<u32>) = found.unzip();
        if let Some(&first) = ends.iter().min() {
            return Found::Values(values, holds.min(first));
        }
        match of_owner().find_map(|record| Some((alias(&record.data)?, record.ttl))) {
            Some((target, ttl)) if kind != RecordKind::Cname => {
                (owner, is_alias, holds) = (target, true, holds.min(ttl));
            }
            _ => break,
        }
    }
    if is_alias { Found::Alias(DnsName::of(owner.clone()), holds) } else { Found::Nothing }
}

/// The zone that an answer to a question for an SOA places `name` in.
pub(super) fn zone(message: &Message, name: &DnsName) -> Option<DnsName> {
    let told = message.answers.iter().chain(&message.authorities).filter(|record| matches!(record.data, RData::SOA(_)));
    let is_alias = message.answers.iter().any(|record| record.name == *name.name() && alias(&record.data).is_some());
    let mut zones = told.map(|record| DnsName::of(record.name.clone())).filter(|zone| !is_alias && zone.holds(name));
    zones.next()
}

fn alias(data: &RData) -> Option<&Name> {
    match data {
        RData::CNAME(target) => Some(&target.0),
        _ => None,
    }
}

pub(super) fn a(data: &RData) -> Option<Ipv4Addr> {
    match data {
        RData::A(address) => Some(address.0),
        _ => None,
    }
}

pub(super) fn aaaa(data: &RData) -> Option<Ipv6Addr> {
    match data {
        RData::AAAA(address) => Some(address.0),
        _ => None,
    }
}

pub(super) fn cname(data: &RData) -> Option<DnsName> {
    alias(data).cloned().map(DnsName::of)
}

pub(super) fn ns(data: &RData) -> Option<DnsName> {
    match data {
        RData::NS(server) => Some(DnsName::of(server.0.clone())),
        _ => None,
    }
}

pub(super) fn soa(data: &RData) -> Option<Soa> {
    match data {
        RData::SOA(soa) => Some(Soa { primary: DnsName::of(soa.mname.clone()), serial: soa.serial }),
        _ => None,
    }
}

pub(super) fn caa(data: &RData) -> Option<Caa> {
    match data {
        RData::CAA(caa) => {
            Some(Caa { critical: caa.issuer_critical, tag: caa.tag.to_ascii_lowercase(), value: caa.value.clone() })
        }
        _ => None,
    }
}

pub(super) fn txt(data: &RData) -> Option<Vec<u8>> {
    match data {
        RData::TXT(text) => Some(text.txt_data.concat()),
        _ => None,
    }
}
