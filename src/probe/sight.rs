//! What was seen of a host at one of its addresses.

use std::net::SocketAddr;

use super::fault::{Fault, FaultCode};
use super::{Probe, Published, Target};
use crate::certs::{Appearance, Offer};
use crate::telemetry::printable;

/// What a kind of client sees of a host at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What the host is called in what is told.
    pub name: String,
    /// The name that was asked for.
    pub host: String,
    /// Where it was looked; `None`: the name leads nowhere, or there was no time.
    pub address: Option<SocketAddr>,
    /// Which signatures the client checked.
    pub offer: Offer,
    /// The certificate that it was shown.
    pub appearance: Option<Appearance>,
    /// What is wrong, the gravest first; none: all is well.
    pub faults: Vec<Fault>,
}

impl Sight {
    /// Of a host of which there is nothing to see.
    pub(super) fn nothing(target: &Target, address: Option<SocketAddr>, offer: Offer, fault: Fault) -> Self {
        let (name, host) = (target.name.clone(), target.host.to_string());
        Self { name, host, address, offer, appearance: None, faults: vec![fault] }
    }

    /// Whether all is well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.faults.is_empty()
    }
}

/// What is wrong with what a host is shown with at `now`, seconds since the Unix epoch.
pub(super) fn judge(target: &Target, seen: &Appearance, offer: Offer, probe: &Probe, now: i64) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |code, detail: String| faults.push(Fault::new(code, detail));
    let host = &target.host;
    let expected = target.published.as_ref().map(|all| all.iter().filter(move |one| one.offer == offer));
    let published = expected.map(Iterator::collect::<Vec<&Published>>);
    let is_published = |all: &[&Published]| all.iter().any(|one| one.fingerprint == seen.fingerprint);
    let others_root = published.iter().flatten().any(|one| one.is_self_signed && one.fingerprint == seen.fingerprint);
    match &seen.names {
        Ok(_) if seen.covers(host) => {}
        Ok(names) => {
            let few: Vec<String> = names.iter().take(FEW).map(ToString::to_string).collect();
            let more = if names.len() > FEW { format!(" and {} more", names.len() - FEW) } else { String::new() };
            let found = few.join(" ");
            add(FaultCode::WrongName, format!("its certificate is for {found}{more}; {MEND_NAME}"));
        }
        Err(why) => add(FaultCode::WrongName, format!("{}; {MEND_NAME}", printable(why))),
    }
    let left = seen.not_after - now;
    if left < 0 {
        add(FaultCode::Expired, format!("its certificate expired {} days ago; {MEND_END}", -left / DAY));
    } else if seen.not_before > now {
        let days = (seen.not_before - now) / DAY;
        let detail =
            format!("its certificate is valid in {days} days only; bring the one before back, or see the clock");
        add(FaultCode::NotYetValid, detail);
    } else if left < probe.least_days * DAY {
        add(FaultCode::ExpiresSoon, format!("its certificate expires in {} days; {MEND_END}", left / DAY));
    }
    match &seen.expired_authority {
        Some(authority) => {
            let authority = printable(authority);
            let detail =
                format!("the authority's certificate {authority:?} that it sends along has expired; {MEND_CHAIN}");
            add(FaultCode::Expired, detail);
        }
        None if seen.is_trusted || others_root => {}
        None => {
            let issuer = printable(&seen.issuer);
            let detail = format!("no root that is trusted stands behind its certificate, of {issuer:?}; {MEND_CHAIN}");
            add(FaultCode::Untrusted, detail);
        }
    }
    match published.as_deref() {
        Some([]) => {
            let shown = short(&seen.fingerprint);
            let detail =
                format!("it shows the certificate {shown}…, and the edge publishes none; see `vitrine sites list`");
            add(FaultCode::Unpublished, detail);
        }
        Some(all) if !is_published(all) => {
            let (shown, published) = (short(&seen.fingerprint), short(&all[0].fingerprint));
            let detail = format!(
                "it shows the certificate {shown}…, and the edge publishes {published}…; another server answers there, such as one \
                 that the DNS still leads to"
            );
            add(FaultCode::OtherCertificate, detail);
        }
        _ => {}
    }
    faults.sort_by_key(|fault| fault.code);
    faults
}

fn short(fingerprint: &str) -> &str {
    fingerprint.get(..SHORT).unwrap_or(fingerprint)
}

/// As much of a fingerprint as a person compares.
const SHORT: usize = 16;
const FEW: usize = 3;
const DAY: i64 = 86_400;
const MEND_NAME: &str = "bring one for this name, or have the DNS lead to the edge";
const MEND_END: &str = "renew it";
const MEND_CHAIN: &str = "have the authority's chain sent along, or name its root with --ca-file";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::certs::{Onlooker, Roots};
    use crate::name::{HostName, HostPattern};
    use crate::outbound::HostNames;

    const NOW: i64 = 1_790_000_000;

    fn probe() -> Probe {
        Probe {
            onlooker: Onlooker::new(Roots::default()).expect("a client"),
            names: HostNames::system(),
            servers: Vec::new(),
            at: None,
            allowed: None,
            patience: Duration::from_secs(1),
            at_once: 1,
            time: Duration::from_secs(1),
            least_days: 7,
        }
    }

    fn seen() -> Appearance {
        Appearance {
            fingerprint: "ab".repeat(32),
            subject: "shop.example".into(),
            issuer: "Authority".into(),
            names: Ok(vec![HostPattern::parse("shop.example").expect("a name")]),
            not_before: NOW - DAY,
            not_after: NOW + 8 * DAY,
            is_trusted: true,
            expired_authority: None,
        }
    }

    fn published(print: &str, is_self_signed: bool) -> Vec<Published> {
        vec![Published { offer: Offer::Rsa, fingerprint: print.repeat(32), is_self_signed }]
    }

    fn codes(published: Option<Vec<Published>>, seen: Appearance) -> Vec<&'static str> {
        let host = HostName::parse("shop.example").expect("a name");
        let target = Target { name: host.to_string(), host, port: 443, published, apple_file: None };
        judge(&target, &seen, Offer::Rsa, &probe(), NOW).iter().map(|fault| fault.code.word()).collect()
    }

    #[test]
    fn each_thing_that_is_wrong_has_its_code() {
        let names = |name: &str| Ok(vec![HostPattern::parse(name).expect("a name")]);
        for (published, seen, expected) in [
            (None, seen(), vec![]),
            (Some(published("ab", false)), seen(), vec![]),
            (Some(published("cd", false)), seen(), vec!["other_certificate"]),
            (Some(vec![]), seen(), vec!["unpublished"]),
            (None, Appearance { names: names("other.example"), ..seen() }, vec!["wrong_name"]),
            (None, Appearance { names: Err("it has no name".into()), ..seen() }, vec!["wrong_name"]),
            (None, Appearance { not_after: NOW - 1, ..seen() }, vec!["expired"]),
            (None, Appearance { not_after: NOW + 7 * DAY - 1, ..seen() }, vec!["expires_soon"]),
            (None, Appearance { not_before: NOW + 1, ..seen() }, vec!["not_yet_valid"]),
            (None, Appearance { is_trusted: false, ..seen() }, vec!["untrusted"]),
            (Some(published("ab", true)), Appearance { is_trusted: false, ..seen() }, vec![]),
            (
                Some(published("cd", true)),
                Appearance { is_trusted: false, ..seen() },
                vec!["untrusted", "other_certificate"],
            ),
            (None, Appearance { is_trusted: false, expired_authority: Some("Old".into()), ..seen() }, vec!["expired"]),
        ] {
            assert_eq!(codes(published, seen.clone()), expected, "{seen:?}");
        }
    }
}
