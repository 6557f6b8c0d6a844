//! What is looked at before an order, so that one which must fail is not made: does each name lead here, and may the authority
//! issue for it.
//!
//! ```text
//! names ─► looked_up (A, AAAA; CAA up the tree) ─► address (where a probe may go) ─► probe, handshake (who answers there)
//!                                              └─► caa, identities (whether the authority is meant)
//! ```

mod address;
mod caa;
mod handshake;
mod identities;
mod looked_up;
mod probe;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::account::Accounts;
use super::failure::{Failure, Reason};
use super::progress::{Progress, Step};
use super::shown::Shown;
use super::slot::Slot;
use super::terms::{AcmeTerms, Issuer};
use crate::config::{Challenge, PreflightConfig, PreflightMode};
use crate::name::{HostName, HostPattern};
use crate::outbound::dns::DnsClient;
use caa::Issuance;
use identities::Identities;
use looked_up::LookedUp;
use probe::Answer;

/// Looks at names before they are ordered.
#[derive(Clone)]
pub(super) struct Preflight {
    shown: Shown,
    accounts: Accounts,
    identities: Identities,
    progress: Progress,
}

/// What is wrong with one name, with the mend.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    reason: Reason,
    text: String,
}

/// What came of the checks where the order is made.
#[derive(Debug)]
pub(super) struct Cleared {
    /// The way of showing the names that is promising.
    pub(super) way: Challenge,
    /// What was found, where the order is made all the same.
    pub(super) warning: Option<Failure>,
}

impl Preflight {
    pub(super) fn new(shown: Shown, accounts: Accounts, progress: Progress) -> Self {
        Self { shown, accounts, identities: Identities::default(), progress }
    }

    /// Looks at everything that an order depends on, as strictly as `mode` says. `ways` are those that its names may be
    /// shown in, the preferred one first: the first that is promising is given.
    ///
    /// # Errors
    /// What is wrong, where the order is not to be made.
    pub(super) async fn clear(
        &self,
        terms: &AcmeTerms,
        mode: PreflightMode,
        (slot, hosts, issuer): (&Slot, &[HostPattern], &Issuer),
        ways: &[Challenge],
    ) -> Result<Cleared, Failure> {
        let preferred = ways.first().copied().unwrap_or(Challenge::Http01);
        if mode == PreflightMode::Off {
            return Ok(Cleared { way: preferred, warning: None });
        }
        self.progress.enter(slot, Some(Step::Checking));
        let checked = timeout(PATIENCE, self.check(terms, (hosts, issuer), ways)).await;
        self.progress.enter(slot, None);
        let checked = checked.unwrap_or_else(|_| {
            let text = format!(
                "the checks of the names did not come to an end within {} s: the name servers asked, or whoever answers at the \
                 names' addresses, are too slow; ask others (acme.resolvers), or order without checks (acme.preflight = \"off\")",
                PATIENCE.as_secs()
            );
            Err(Failure::beforehand(Reason::Dns, text))
        });
        match checked {
            Ok(way) => Ok(Cleared { way, warning: None }),
            Err(failure) if mode == PreflightMode::Warn => {
                let reason = failure.reason.label();
                tracing::warn!(site = %slot.site, %reason, "the order that follows may fail: {}", failure.text);
                Ok(Cleared { way: preferred, warning: Some(failure) })
            }
            Err(failure) => Err(failure),
        }
    }

    async fn check(
        &self,
        terms: &AcmeTerms,
        (hosts, issuer): (&[HostPattern], &Issuer),
        ways: &[Challenge],
    ) -> Result<Challenge, Failure> {
        let dns = match terms.resolvers.is_empty() {
            true => DnsClient::system(),
            false => DnsClient::at(terms.resolvers.iter().copied()),
        };
        let names = at_once(hosts.iter().cloned(), move |host| {
            let dns = dns.clone();
            async move { LookedUp::of(&dns, host).await }
        });
        let names: Arc<[LookedUp]> = names.await?.into();
        let restricted = names.iter().any(|name| matches!(name.caa, Ok(Some(_))));
        let identities = if restricted { self.identities.of(issuer).await } else { Arc::default() };
        let account = if restricted { self.accounts.address(issuer)? } else { None };

        let mut first = None;
        for way in ways {
            let mut findings = Vec::new();
            for name in names.iter() {
                let issuance = |wildcard| Issuance {
                    identities: &identities,
                    account: account.as_deref(),
                    method: way.word(),
                    wildcard,
                };
                findings.extend(forbidden(name, issuance));
            }
            findings.extend(self.reach(&names, *way, &terms.preflight).await?);
            if findings.is_empty() {
                return Ok(*way);
            }
            first.get_or_insert(findings);
        }
        let findings = first.unwrap_or_default();
        // Each begins with the name that it is about.
        let is_of = |host: &str, finding: &Finding| {
            finding.text.strip_prefix(host).is_some_and(|rest| rest.starts_with([' ', ':']))
        };
        let hosts = hosts.iter().map(ToString::to_string);
        let names = hosts.filter(|host| findings.iter().any(|finding| is_of(host, finding)));
        Err(Failure { names: names.collect(), ..told(&findings) })
    }

    /// What of the names does not lead here, looked at in one way.
    async fn reach(
        &self,
        names: &Arc<[LookedUp]>,
        way: Challenge,
        settings: &PreflightConfig,
    ) -> Result<Vec<Finding>, Failure> {
        let (port, is_plain) = match way {
            Challenge::Http01 => (settings.http_port, true),
            Challenge::TlsAlpn01 => (settings.https_port, false),
            // The authority looks into the DNS and at no address.
            Challenge::Dns01 => return Ok(Vec::new()),
        };
        let found = at_once(0..names.len(), |place| {
            let (shown, names, networks) = (self.shown.clone(), Arc::clone(names), settings.networks.clone());
            async move {
                let LookedUp { host: HostPattern::Exact(host), addresses, .. } = &names[place] else {
                    return Ok(Vec::new());
                };
                let addresses = match addresses {
                    Ok(addresses) => addresses,
                    Err(finding) => return Ok(vec![finding.clone()]),
                };
                let refused = |address: &IpAddr| Some((*address, address::refusal(*address, &networks)?));
                let refused: Vec<_> = addresses.iter().filter_map(refused).collect();
                if !refused.is_empty() {
                    return Ok(refused.into_iter().map(|(address, what)| off_limits(host, address, what)).collect());
                }
                let answers = match is_plain {
                    true => probe::by_http(&shown, host, addresses, port).await?,
                    false => probe::by_tls(&shown, host, addresses, port).await?,
                };
                Ok(elsewhere(host, addresses, &answers, port))
            }
        });
        let found: Result<Vec<Vec<Finding>>, Failure> = found.await?.into_iter().collect();
        Ok(found?.concat())
    }
}

/// What forbids the authority to issue for a name.
fn forbidden<'a>(name: &LookedUp, issuance: impl FnOnce(bool) -> Issuance<'a>) -> Option<Finding> {
    let (place, records) = match &name.caa {
        Ok(None) => return None,
        Ok(Some((place, records))) => (place, records),
        Err(finding) => return Some(finding.clone()),
    };
    let wildcard = matches!(name.host, HostPattern::Wildcard(_));
    let what = issuance(wildcard).forbidden_by(records)?;
    Some(Finding { reason: Reason::Caa, text: format!("{}: at {place}, {what}", name.host) })
}

fn off_limits(host: &HostName, address: IpAddr, what: &str) -> Finding {
    let text = format!(
        "{host} {} is {what}, where no authority of the web looks and no probe goes: have it be the public address of this edge, or \
         add its network to acme.preflight_networks if your authority looks there",
        record(address)
    );
    Finding { reason: Reason::UnreachableName, text }
}

/// Each address that does not lead here, with what is to be done about it.
fn elsewhere(host: &HostName, addresses: &[IpAddr], answers: &[Answer], port: u16) -> Vec<Finding> {
    let all = || addresses.iter().zip(answers);
    let good = all().find(|(_, answer)| **answer == Answer::Ours).map(|(address, _)| record(*address));
    let mend = match good {
        Some(good) => format!("delete this record, or have it lead here, as {good} does"),
        None => "have it lead here, or delete it if another does".into(),
    };
    let finding = |(address, answer): (&IpAddr, &Answer)| {
        let record = record(*address);
        let text = match answer {
            Answer::Ours => return None,
            Answer::Another(how) => {
                format!("{host} {record} leads to another server: at port {port} {how}; {mend}")
            }
            Answer::Nobody(why) => {
                format!("{host} {record} does not answer at port {port}: {why}; {mend}")
            }
        };
        Some(Finding { reason: Reason::UnreachableName, text })
    };
    let mut found: Vec<Finding> = all().filter_map(finding).collect();
    if let Some(last) = found.last_mut().filter(|_| answers.iter().any(|answer| matches!(answer, Answer::Nobody(_)))) {
        last.text += CANNOT_LOOK;
    }
    found
}

fn record(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("A {address}"),
        IpAddr::V6(address) => format!("AAAA {address}"),
    }
}

/// The reason is that of the first name, in the order of the configuration.
fn told(findings: &[Finding]) -> Failure {
    let reason = findings.first().map_or(Reason::Dns, |finding| finding.reason);
    let texts: Vec<&str> = findings.iter().map(|finding| finding.text.as_str()).collect();
    Failure::beforehand(reason, texts.join("; "))
}

/// Does something for each of many, a few at once; what comes of it is in their order.
async fn at_once<T, R, F>(all: impl IntoIterator<Item = T>, work: impl Fn(T) -> F) -> Result<Vec<R>, Failure>
where
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let few = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let mut under_way = JoinSet::new();
    for (place, one) in all.into_iter().enumerate() {
        let (work, few) = (work(one), Arc::clone(&few));
        under_way.spawn(async move {
            // The semaphore is never closed.
            let _permit = few.acquire_owned().await;
            (place, work.await)
        });
    }
    let mut done = Vec::new();
    while let Some(one) = under_way.join_next().await {
        done.push(
            one.map_err(|_| Failure::beforehand(Reason::State, "a check failed as was not foreseen; see the log"))?,
        );
    }
    done.sort_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

const CANNOT_LOOK: &str = "; if only this machine cannot get there, as behind a translation of addresses, say where it can \
                           (acme.http_port, acme.https_port), or let the checks only warn (acme.preflight = \"warn\")";
/// Names that are looked at together.
const MOST_AT_ONCE: usize = 8;
/// All names, in all ways.
const PATIENCE: Duration = Duration::from_mins(2);
