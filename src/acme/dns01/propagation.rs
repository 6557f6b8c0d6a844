//! Waits until every server of a zone shows what was written: an authority asks whichever it likes, and from several places at once.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::super::failure::{Failure, Reason};
use super::place::Place;
use crate::outbound::dns::{DnsClient, DnsError, DnsName};

/// What is to be shown at a name.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) name: DnsName,
    pub(super) values: Vec<String>,
    zone: DnsName,
    /// Who is asked instead of the zone's own servers.
    servers: Vec<SocketAddr>,
    patience: Duration,
}

impl Shown {
    pub(super) fn new(place: &Place<'_>, value: String) -> Self {
        Self {
            name: place.name.clone(),
            values: vec![value],
            zone: place.zone.clone(),
            servers: place.way.propagation_servers.clone(),
            patience: place.way.propagation_timeout,
        }
    }
}

/// A server of a zone.
#[derive(Clone)]
struct Publisher {
    /// With its name, if it has one.
    label: String,
    address: SocketAddr,
}

/// What became of one server.
enum Seen {
    Shows,
    /// It answers, and does not show it.
    Lacks(String),
    /// It has never answered.
    Silent(String),
}

/// Waits until all is shown everywhere. A server that never says a word is told of and not waited for, if another shows it: the
/// authority asks another too.
pub(super) async fn wait(dns: &DnsClient, shown: Vec<Shown>) -> Result<(), Failure> {
    let mut waiting = JoinSet::new();
    for shown in shown {
        let dns = dns.clone();
        waiting.spawn(async move { wait_for(&dns, &shown, PORT).await });
    }
    while let Some(waited) = waiting.join_next().await {
        let stopping = |_| Failure::new(Reason::State, "the edge is stopping");
        waited.map_err(stopping)?.map_err(|text| Failure::new(Reason::Record, text))?;
    }
    Ok(())
}

async fn wait_for(dns: &DnsClient, shown: &Shown, port: u16) -> Result<(), String> {
    let publishers = match shown.servers.is_empty() {
        true => publishers(dns, &shown.zone, port).await?,
        false => shown.servers.iter().map(|&address| Publisher { label: address.to_string(), address }).collect(),
    };
    let deadline = Instant::now() + shown.patience;
    let mut asking = JoinSet::new();
    for publisher in publishers {
        let shown = shown.clone();
        asking.spawn(async move {
            let seen = look(&publisher, &shown, deadline).await;
            (publisher, seen)
        });
    }
    let (mut lacking, mut silent, mut shows) = (Vec::new(), Vec::new(), 0);
    while let Some(Ok((publisher, seen))) = asking.join_next().await {
        match seen {
            Seen::Shows => shows += 1,
            Seen::Lacks(why) => lacking.push(format!("the name server {} does not show it: {why}", publisher.label)),
            Seen::Silent(why) => silent.push(format!("the name server {}: {why}", publisher.label)),
        }
    }
    let (name, seconds) = (&shown.name, shown.patience.as_secs());
    if !lacking.is_empty() {
        lacking.sort();
        return Err(format!(
            "the TXT record that was written at {name} is not everywhere after {seconds} s: {}; see that it follows its primary \
             (NOTIFY, zone transfers), or raise acme.dns.propagation_timeout",
            lacking.join("; ")
        ));
    }
    silent.sort();
    let silent = silent.join("; ");
    if shows == 0 {
        return Err(format!(
            "nobody can be asked whether the TXT record at {name} is there: {silent}; let this machine reach a server of the zone \
             {}, or name one in acme.dns.propagation_servers",
            shown.zone
        ));
    }
    if !silent.is_empty() {
        tracing::warn!(%name, "a server of the zone cannot be asked for a record, and is not waited for: {silent}");
    }
    Ok(())
}

/// The servers of a zone, all addresses of each.
async fn publishers(dns: &DnsClient, zone: &DnsName, port: u16) -> Result<Vec<Publisher>, String> {
    let names = dns.ns(zone).await.map_err(|error| {
        format!("the servers of the zone {zone} cannot be found: {error}; name some in acme.dns.propagation_servers")
    })?;
    let mut publishers = Vec::new();
    let mut last = None;
    for name in names {
        let (four, six) = tokio::join!(dns.a(&name), dns.aaaa(&name));
        let mut add = |address: std::net::IpAddr| {
            let address = SocketAddr::new(address, port);
            publishers.push(Publisher { label: format!("{name} ({address})"), address });
        };
        match four {
            Ok(found) => found.into_iter().for_each(|address| add(address.into())),
            Err(error) => last = Some(error),
        }
        if let Ok(found) = six {
            found.into_iter().for_each(|address| add(address.into()));
        }
    }
    let none = |error: Option<DnsError>| match error {
        Some(error) => format!("no server of the zone {zone} has an address: {error}"),
        None => format!("the zone {zone} names no server"),
    };
    if publishers.is_empty() { Err(none(last)) } else { Ok(publishers) }
}

/// Asks one server until it shows all values.
async fn look(publisher: &Publisher, shown: &Shown, deadline: Instant) -> Seen {
    let dns = DnsClient::at([publisher.address]).without_recursion().with_patience(ANSWER);
    let (mut pause, mut tries, mut was_heard) = (SHORTEST_PAUSE, 0, false);
    loop {
        let found = dns.txt(&shown.name).await;
        tries += 1;
        was_heard |= !matches!(found, Err(DnsError::NoAnswer { .. }));
        let why = match found {
            Ok(found) => {
                let missing =
                    shown.values.iter().filter(|value| !found.iter().any(|text| text == value.as_bytes())).count();
                if missing == 0 {
                    return Seen::Shows;
                }
                format!("{} has {} other TXT records", shown.name, found.len())
            }
            Err(error) => error.to_string(),
        };
        let is_over = Instant::now() + pause >= deadline;
        if !was_heard && (is_over || tries >= SILENT_TRIES) {
            return Seen::Silent(why);
        }
        if is_over {
            return Seen::Lacks(why);
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// A server in the next network answers in milliseconds, one far away in half a second.
const ANSWER: Duration = Duration::from_secs(3);
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Who is not there is not there the third time either.
const SILENT_TRIES: u32 = 3;
const PORT: u16 = 53;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use hickory_proto::op::{Message, ResponseCode};
    use hickory_proto::rr::rdata::{A, NS, TXT};
    use hickory_proto::rr::{RData, RecordType};

    use super::*;
    use crate::outbound::dns::answerer::{Answerer, answer, octets, owner};

    const AT: &str = "_acme-challenge.shop.example";

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).expect("a name")
    }

    fn shown(patience: Duration) -> Shown {
        Shown {
            name: name(AT),
            values: vec!["one".into(), "two".into()],
            zone: name("shop.example"),
            servers: Vec::new(),
            patience,
        }
    }

    /// Answers for a zone with two servers at `addresses`; `texts` stand at the name that is looked at.
    fn say(question: &Message, addresses: [Ipv4Addr; 2], texts: &[&str]) -> Vec<Vec<u8>> {
        let asked = &question.queries[0];
        let of = asked.name().to_ascii();
        let data = match (of.as_str(), asked.query_type()) {
            ("shop.example.", RecordType::NS) => {
                ["ns1.example", "ns2.example"].map(|server| RData::NS(NS(owner(server)))).to_vec()
            }
            ("ns1.example.", RecordType::A) => vec![RData::A(A(addresses[0]))],
            ("ns2.example.", RecordType::A) => vec![RData::A(A(addresses[1]))],
            ("_acme-challenge.shop.example.", RecordType::TXT) => {
                texts.iter().map(|text| RData::TXT(TXT::new(vec![(*text).to_owned()]))).collect()
            }
            _ => Vec::new(),
        };
        let records: Vec<_> = data.into_iter().map(|data| (of.as_str(), data)).collect();
        vec![octets(&answer(question, ResponseCode::NoError, &records))]
    }

    /// Two servers of a zone at one port; `texts` tells what each shows when it is asked for the n-th time.
    async fn zone(texts: fn(usize, u32) -> Option<&'static [&'static str]>) -> (Answerer, Answerer) {
        // Addresses of this process alone, so that the second one's port is free.
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let process = std::process::id();
        let own = NEXT.fetch_add(2, Ordering::SeqCst) as u8;
        let addresses =
            [own, own + 1].map(|last| Ipv4Addr::new(127, 192 | (process >> 8 & 31) as u8, process as u8, last));
        let serve = |place: usize| {
            let asked = Arc::new(AtomicU32::new(0));
            move |question: &Message, _: bool| {
                let is_look = question.queries[0].query_type() == RecordType::TXT;
                let times = if is_look { asked.fetch_add(1, Ordering::SeqCst) } else { 0 };
                match texts(place, times) {
                    Some(texts) => say(question, addresses, texts),
                    None if is_look => Vec::new(),
                    None => say(question, addresses, &[]),
                }
            }
        };
        let first = Answerer::start_at(addresses[0], 0, serve(0)).await;
        let second = Answerer::start_at(addresses[1], first.address.port(), serve(1)).await;
        (first, second)
    }

    #[tokio::test]
    async fn every_server_of_a_zone_is_waited_for() {
        let (first, second) = zone(|place, times| match (place, times) {
            (0, 0) | (1, 0..=1) => Some(&["one", "other"]),
            _ => Some(&["other", "two", "one"]),
        })
        .await;
        let done = wait_for(&first.client(), &shown(Duration::from_secs(20)), first.address.port()).await;
        assert_eq!(done, Ok(()));
        assert_eq!(second.asked().0, 3);
    }

    #[tokio::test]
    async fn a_server_that_never_shows_it_is_named_with_the_mend() {
        let (first, second) = zone(|place, _| match place {
            0 => Some(&["one", "two"]),
            _ => Some(&["two", "old"]),
        })
        .await;
        let done = wait_for(&first.client(), &shown(Duration::from_secs(1)), first.address.port()).await;
        let expected = format!(
            "the TXT record that was written at {AT} is not everywhere after 1 s: the name server ns2.example ({}) does not show it: \
             {AT} has 2 other TXT records; see that it follows its primary (NOTIFY, zone transfers), or raise \
             acme.dns.propagation_timeout",
            second.address
        );
        assert_eq!(done, Err(expected));
    }

    #[tokio::test]
    async fn a_server_that_is_away_holds_up_nobody_but_somebody_must_be_there() {
        let (first, gone) = zone(|_, _| Some(&["one", "two"])).await;
        let mut asked = shown(Duration::from_secs(20));
        // A port of the same machine that nobody listens on.
        let silent = SocketAddr::new(gone.address.ip(), 1);
        asked.servers = vec![first.address, silent];
        assert_eq!(wait_for(&first.client(), &asked, PORT).await, Ok(()));
        asked.servers = vec![silent];
        let error = wait_for(&first.client(), &asked, PORT).await.expect_err("nobody");
        assert!(error.contains(&format!("nobody can be asked whether the TXT record at {AT} is there")), "{error}");
        assert!(error.contains(&silent.to_string()) && error.contains("acme.dns.propagation_servers"), "{error}");
    }

    #[tokio::test]
    async fn a_zone_without_servers_is_told() {
        let (first, _second) = zone(|_, _| Some(&[])).await;
        let mut asked = shown(Duration::from_secs(5));
        asked.zone = name("other.example");
        let error = wait_for(&first.client(), &asked, PORT).await.expect_err("no servers");
        assert!(error.starts_with("the servers of the zone other.example cannot be found: "), "{error}");
    }
}
