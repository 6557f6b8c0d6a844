//! How many questions may be asked: in all, and on account of clients of one network.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

use crate::acme::terms::QuestionLimits;

/// The questions of the last hour. What was not asked leaves no trace, so that nobody can fill it.
#[derive(Default)]
pub(super) struct Quota {
    asked: VecDeque<(Instant, IpAddr)>,
    by_network: HashMap<IpAddr, u64>,
}

impl Quota {
    /// Whether one more may be asked, which counts it.
    pub(super) fn admits(&mut self, client: IpAddr, limits: &QuestionLimits, now: Instant) -> bool {
        while let Some((at, network)) = self.asked.front().copied().filter(|(at, _)| *at + HOUR <= now) {
            debug_assert!(at <= now);
            self.asked.pop_front();
            if let Some(count) = self.by_network.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    self.by_network.remove(&network);
                }
            }
        }
        let network = network_of(client);
        let of_network = self.by_network.get(&network).copied().unwrap_or(0);
        if self.asked.len() as u64 >= limits.per_hour || of_network >= limits.per_client {
            return false;
        }
        self.asked.push_back((now, network));
        *self.by_network.entry(network).or_default() += 1;
        true
    }
}

/// What one customer of a provider has: an IPv4 /24, an IPv6 /48.
fn network_of(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
        }
    }
}

const HOUR: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: QuestionLimits = QuestionLimits { per_hour: 5, per_client: 2 };

    proptest! {
        #[test]
        fn no_hour_has_more_questions_than_it_may(
            asks in proptest::collection::vec((0_u64..2_000, 0_u8..4, any::<u8>()), 1..60)
        ) {
            let (mut quota, begun) = (Quota::default(), Instant::now());
            let (mut now, mut admitted) = (begun, Vec::new());
            for (later, network, host) in asks {
                now += Duration::from_secs(later);
                if quota.admits(IpAddr::from([10, 0, network, host]), &LIMITS, now) {
                    admitted.push((now, network));
                }
                let recent: Vec<_> = admitted.iter().filter(|(at, _)| *at + HOUR > now).collect();
                prop_assert!(recent.len() <= 5 && quota.asked.len() == recent.len());
                for network in 0..4 {
                    prop_assert!(recent.iter().filter(|(_, of)| *of == network).count() <= 2);
                }
            }
            prop_assert!(!admitted.is_empty());
            prop_assert!(quota.admits(IpAddr::from([10, 9, 9, 9]), &LIMITS, now + HOUR));
            prop_assert_eq!(quota.by_network.len(), 1);
        }
    }

    #[test]
    fn a_network_is_what_one_customer_has() {
        let network = |text: &str| network_of(text.parse().expect("an address")).to_string();
        assert_eq!(network("192.0.2.77"), "192.0.2.0");
        assert_eq!(network("::ffff:192.0.2.77"), "192.0.2.0");
        assert_eq!(network("2001:db8:1:2::3"), "2001:db8:1::");
    }
}
