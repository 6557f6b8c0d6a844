//! All addresses of a name, and how long they hold.

use std::net::IpAddr;
use std::time::Duration;

use super::{DnsClient, DnsError, DnsName, RecordKind, answer};

/// Where a name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// At least one.
    pub addresses: Vec<IpAddr>,
    /// For how long that holds.
    pub holds: Duration,
    /// Whether nobody kept silent: otherwise there may be more, of the kind (IPv4 or IPv6) of which there is none here.
    pub is_whole: bool,
}

impl DnsClient {
    /// The IPv4 and IPv6 addresses of a name, or of what it is an alias of.
    ///
    /// # Errors
    /// [`DnsError`]; an absence only when it is certain that the name has addresses of neither kind.
    pub async fn addresses(&self, name: &DnsName) -> Result<Located, DnsError> {
        let (four, six) = tokio::join!(
            self.look_up_with_end(name, RecordKind::A, answer::a),
            self.look_up_with_end(name, RecordKind::Aaaa, answer::aaaa)
        );
        let is_whole =
            ![four.as_ref().err(), six.as_ref().err()].into_iter().flatten().any(|error| !error.is_absence());
        let (mut addresses, mut holds, mut failure): (Vec<IpAddr>, _, Option<DnsError>) =
            (Vec::new(), Duration::MAX, None);
        let four = four.map(|(found, end)| (found.into_iter().map(IpAddr::from).collect::<Vec<_>>(), end));
        let six = six.map(|(found, end)| (found.into_iter().map(IpAddr::from).collect::<Vec<_>>(), end));
        for answer in [four, six] {
            match answer {
                Ok((found, end)) => {
                    addresses.extend(found);
                    holds = holds.min(end);
                }
                // Who could not tell says more than who says no.
                Err(error) if failure.as_ref().is_none_or(DnsError::is_absence) => failure = Some(error),
                Err(_) => {}
            }
        }
        match failure {
            Some(failure) if addresses.is_empty() => Err(failure),
            _ => Ok(Located { addresses, holds, is_whole }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use hickory_proto::op::{Message, ResponseCode};
    use hickory_proto::rr::rdata::{A, AAAA, CNAME};
    use hickory_proto::rr::{RData, Record, RecordType};

    use super::*;
    use crate::outbound::dns::answerer::{Answerer, answer, octets, owner};

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).expect("a name")
    }

    /// Answers A as told, and AAAA as told.
    async fn located(
        four: impl Fn(&Message) -> Message + Send + Sync + 'static,
        six: impl Fn(&Message) -> Message + Send + Sync + 'static,
    ) -> Result<Located, DnsError> {
        let server = Answerer::start(move |question, _| {
            let is_four = question.queries[0].query_type() == RecordType::A;
            vec![octets(&if is_four { four(question) } else { six(question) })]
        });
        server.await.client().addresses(&name("shop.example")).await
    }

    fn records(question: &Message, records: &[(&str, u32, RData)]) -> Message {
        let mut message = answer(question, ResponseCode::NoError, &[]);
        let records = records.iter().map(|(owned, ttl, data)| Record::from_rdata(owner(owned), *ttl, data.clone()));
        message.add_answers(records.collect::<Vec<_>>());
        message
    }

    fn four(last: u8) -> RData {
        RData::A(A::new(10, 0, 0, last))
    }

    #[tokio::test]
    async fn both_kinds_are_found_and_hold_as_long_as_the_first_that_ends() {
        let found = located(
            |question| {
                let alias = RData::CNAME(CNAME(owner("real.example")));
                let list = [("shop.example", 40, alias), ("real.example", 90, four(1)), ("real.example", 70, four(2))];
                records(question, &list)
            },
            |question| records(question, &[("shop.example", 50, RData::AAAA(AAAA(Ipv6Addr::LOCALHOST)))]),
        );
        let addresses = ["10.0.0.1", "10.0.0.2", "::1"].map(|address| address.parse().expect("an address"));
        let expected = Located { addresses: addresses.to_vec(), holds: Duration::from_secs(40), is_whole: true };
        assert_eq!(found.await, Ok(expected));
    }

    #[tokio::test]
    async fn one_kind_is_enough_and_it_is_told_whether_the_other_is_missing_for_certain() {
        for (code, is_whole) in [(ResponseCode::NoError, true), (ResponseCode::ServFail, false)] {
            let found = located(
                |question| records(question, &[("shop.example", 5, four(1))]),
                move |question| answer(question, code, &[]),
            );
            let addresses = vec!["10.0.0.1".parse().expect("an address")];
            assert_eq!(found.await, Ok(Located { addresses, holds: Duration::from_secs(5), is_whole }), "{code}");
        }
    }

    #[tokio::test]
    async fn a_name_is_absent_only_when_neither_kind_may_be_there() {
        for (other, is_absence) in [(ResponseCode::NXDomain, true), (ResponseCode::ServFail, false)] {
            let found = located(
                |question| answer(question, ResponseCode::NXDomain, &[]),
                move |question| answer(question, other, &[]),
            );
            assert_eq!(found.await.expect_err("nothing").is_absence(), is_absence, "{other}");
        }
    }
}
