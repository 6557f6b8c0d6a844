//! The looks themselves: bounded in number, each bounded in time, and all together.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::fault::{Fault, FaultCode};
use super::sight::{Sight, judge};
use super::{APPLE_PATH, AppleFile, Probe, Target};
use crate::certs::Offer;
use crate::outbound::{Unseen, glimpse_over, is_inside};
use crate::store::Revision;

impl Probe {
    /// Looks at all targets and says what was seen, in their order. `progress` is told how many are done after each.
    pub async fn look(self, targets: Vec<Target>, mut progress: impl FnMut(usize, usize)) -> Vec<Sight> {
        let (all, until) = (targets.len(), Instant::now() + self.time);
        let (probe, room) = (Arc::new(self), Arc::new(Semaphore::new(0)));
        room.add_permits(probe.at_once.max(1));
        let mut looks = JoinSet::new();
        for (place, target) in targets.into_iter().enumerate() {
            let (probe, room) = (Arc::clone(&probe), Arc::clone(&room));
            looks.spawn(async move {
                let look = async {
                    let _permit = room.acquire().await;
                    probe.at_target(&target).await
                };
                let seen = timeout_at(until, look).await;
                (place, seen.unwrap_or_else(|_| vec![late(&target, &probe)]))
            });
        }
        let (mut seen, mut done) = (Vec::with_capacity(all), 0);
        while let Some(look) = looks.join_next().await {
            done += 1;
            progress(done, all);
            seen.extend(look.ok());
        }
        seen.sort_by_key(|(place, _)| *place);
        seen.into_iter().flat_map(|(_, sights)| sights).collect()
    }

    /// What is seen at each address of one host, by each client to whom the edge shows another certificate.
    async fn at_target(&self, target: &Target) -> Vec<Sight> {
        let addresses = match self.addresses(target).await {
            Ok(addresses) => addresses,
            Err(fault) => return vec![Sight::nothing(target, None, Offer::Any, fault)],
        };
        let published = target.published.iter().flatten().map(|one| one.offer);
        let mut offers: Vec<Offer> = published.collect();
        if offers.is_empty() {
            offers.push(Offer::Any);
        }
        let mut sights = Vec::new();
        for address in addresses {
            // What is shown in the handshake depends on the client, what is answered does not.
            let mut apple_file = target.apple_file.as_ref();
            for offer in &offers {
                sights.push(self.at_address(target, address, *offer, apple_file.take()).await);
            }
        }
        sights
    }

    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Fault> {
        let port = target.port;
        if let Some(address) = self.at {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        match self.names.look_up(target.host.as_str(), &self.servers).await {
            Ok(found) if found.addresses.is_empty() => Err(Fault::new(FaultCode::Unresolved, NO_ADDRESS)),
            Ok(found) => match found.addresses.iter().find(|address| !self.admits(**address)) {
                None => Ok(found.addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect()),
                Some(inside) => Err(Fault::new(FaultCode::Inside, format!("it leads to {inside}, {MEND_INSIDE}"))),
            },
            Err(error) => Err(Fault::new(FaultCode::Unresolved, format!("{error}; {MEND_DNS}"))),
        }
    }

    /// What somebody wrote into a form does not lead to machines that only the operator's own network reaches.
    fn admits(&self, address: IpAddr) -> bool {
        let Some(allowed) = &self.allowed else { return true };
        !is_inside(address) || allowed.iter().any(|network| network.contains(&address.to_canonical()))
    }

    async fn at_address(
        &self,
        target: &Target,
        address: SocketAddr,
        offer: Offer,
        apple_file: Option<&AppleFile>,
    ) -> Sight {
        let (now, until) = (unix(), Instant::now() + self.patience);
        let (appearance, stream) = match self.onlooker.look(address, &target.host, offer, (now, until)).await {
            Ok(seen) => seen,
            Err(unseen) => return Sight::nothing(target, Some(address), offer, fault_of(&unseen)),
        };
        let mut faults = judge(target, &appearance, offer, self, now);
        if let Some(file) = apple_file {
            let seen = glimpse_over(stream, (target.host.as_str(), APPLE_PATH), file.size, until).await;
            let wrong = match seen {
                Ok(seen) if seen.status != StatusCode::OK => Some(format!("it answers {}", seen.status)),
                Ok(seen) if Revision::of(&seen.content).to_string() != file.sha256 => {
                    Some(format!("expected the {} octets that are kept, found others", file.size))
                }
                Ok(_) => None,
                Err(unseen) => Some(unseen.to_string()),
            };
            faults.extend(wrong.map(|wrong| {
                let detail = format!("{APPLE_PATH}: {wrong}; bring it again with `vitrine objects add`");
                Fault::new(FaultCode::AppleFile, detail)
            }));
        }
        let (name, host) = (target.name.clone(), target.host.to_string());
        Sight { name, host, address: Some(address), offer, appearance: Some(appearance), faults }
    }
}

fn fault_of(unseen: &Unseen) -> Fault {
    match unseen {
        Unseen::NotReached(why) => {
            Fault::new(FaultCode::Unreachable, format!("{why}; start what is to listen there, or mend the DNS"))
        }
        Unseen::NoAnswer(why) => Fault::new(FaultCode::NoCertificate, format!("{why}; see what listens there")),
    }
}

fn late(target: &Target, probe: &Probe) -> Sight {
    let detail = format!("{} s were over before it was looked at; allow more with --time", probe.time.as_secs());
    Sight::nothing(target, None, Offer::Any, Fault::new(FaultCode::Late, detail))
}

fn unix() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

const NO_ADDRESS: &str = "it has no address; add an A or AAAA record that leads to the edge";
const MEND_INSIDE: &str = "inside a network of one's own; allow that with reports.networks";
const MEND_DNS: &str = "add an A or AAAA record that leads to the edge";

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;
    use crate::certs::{Onlooker, Roots};
    use crate::name::HostName;
    use crate::outbound::HostNames;

    fn target(name: &str, port: u16) -> Target {
        let host = HostName::parse(name).expect("a name");
        Target { name: name.into(), host, port, published: None, apple_file: None }
    }

    fn probe() -> Probe {
        Probe {
            onlooker: Onlooker::new(Roots::default()).expect("a client"),
            names: HostNames::system(),
            servers: Vec::new(),
            at: Some(Ipv4Addr::LOCALHOST.into()),
            allowed: None,
            patience: Duration::from_secs(3600),
            at_once: 2,
            time: Duration::from_secs(60),
            least_days: 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_had_no_turn_when_the_time_is_over_is_late_and_nobody_is_left_out() {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = silent.local_addr().expect("an address").port();
        let began = Instant::now();
        let mut told = Vec::new();
        let targets = ["a.example", "b.example", "c.example"].map(|name| target(name, port)).into();
        let sights = probe().look(targets, |done, all| told.push((done, all))).await;
        let codes: Vec<_> = sights.iter().map(|sight| (&*sight.name, sight.faults[0].code)).collect();
        assert_eq!(codes, ["a.example", "b.example", "c.example"].map(|name| (name, FaultCode::Late)));
        assert_eq!((told, began.elapsed().as_secs()), (vec![(1, 3), (2, 3), (3, 3)], 60));
    }

    #[tokio::test]
    async fn nobody_and_somebody_else_are_told_apart() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port").local_addr();
        let talker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = talker.local_addr().expect("an address").port();
        let talks = tokio::spawn(async move {
            let (mut stream, _) = talker.accept().await.expect("a connection");
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-OpenSSH_9.9\r\n").await;
        });
        let targets = vec![target("a.example", free.expect("an address").port()), target("b.example", port)];
        let sights = probe().look(targets, |_, _| ()).await;
        let codes: Vec<_> = sights.iter().map(|sight| sight.faults[0].code).collect();
        assert_eq!(codes, [FaultCode::Unreachable, FaultCode::NoCertificate]);
        talks.await.expect("no panic");
    }
}
