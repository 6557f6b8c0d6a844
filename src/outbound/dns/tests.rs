//! A client against name servers of a few lines, which say what real ones rarely do.

use std::time::Duration;

use hickory_proto::op::{MessageType, ResponseCode};
use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::{A, CNAME, TXT};
use proptest::prelude::*;
use tokio::net::UdpSocket;

use super::answerer::{Answerer, answer, octets, owner};
use super::*;

fn name(text: &str) -> DnsName {
    DnsName::parse(text).expect("a name")
}

fn here(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(192, 0, 2, last)))
}

#[tokio::test]
async fn the_ways_to_bring_nothing_are_told_apart_and_name_the_server() {
    let server = Answerer::start(|question, _| {
        let asked = question.queries[0].name().to_ascii();
        let code = match asked.as_str() {
            "nowhere.example." => ResponseCode::NXDomain,
            "broken.example." => ResponseCode::ServFail,
            "forbidden.example." => ResponseCode::Refused,
            "silent.example." => return Vec::new(),
            _ => ResponseCode::NoError,
        };
        vec![octets(&answer(question, code, &[]))]
    })
    .await;
    let client = server.client().with_patience(Duration::from_millis(300));
    let at = server.address;
    let said = [
        ("nowhere.example", format!("there is no name nowhere.example, says the name server {at}")),
        ("empty.example", format!("empty.example has no A record, says the name server {at}")),
        (
            "broken.example",
            format!("the name server {at} cannot tell the A record of broken.example: it says SERVFAIL"),
        ),
        (
            "forbidden.example",
            format!("the name server {at} cannot tell the A record of forbidden.example: it says REFUSED"),
        ),
    ];
    for (asked, text) in said {
        let error = client.a(&name(asked)).await.expect_err("nothing");
        assert_eq!((error.to_string(), error.server()), (text, at));
        assert_eq!(error.is_absence(), matches!(asked, "nowhere.example" | "empty.example"), "{asked}");
    }
    let error = client.a(&name("silent.example")).await.expect_err("nothing");
    assert!(matches!(&error, DnsError::NoAnswer { server, .. } if *server == at), "{error}");
    assert!(error.to_string().contains("silent.example: it said nothing for 0.3 s"), "{error}");
}

#[tokio::test]
async fn a_server_that_fails_or_is_not_there_makes_way_for_the_next() {
    let broken = Answerer::start(|question, _| vec![octets(&answer(question, ResponseCode::ServFail, &[]))]).await;
    let sound = Answerer::start(|question, _| {
        vec![octets(&answer(question, ResponseCode::NoError, &[("a.example", here(1))]))]
    })
    .await;
    // A port that nobody listens on any more.
    let gone = UdpSocket::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let client = DnsClient::at([gone, broken.address, sound.address]);
    assert_eq!(client.a(&name("a.example")).await, Ok(vec![Ipv4Addr::new(192, 0, 2, 1)]));
    let error = DnsClient::at([gone]).a(&name("a.example")).await.expect_err("nobody");
    assert!(error.to_string().contains("refused") && error.server() == gone, "{error}");
    let error = DnsClient::at([]).a(&name("a.example")).await.expect_err("nobody");
    assert!(error.to_string().contains("there is no server to ask"), "{error}");
}

#[tokio::test]
async fn what_is_cut_off_is_asked_again_over_tcp() {
    let long = RData::TXT(TXT::new(vec!["x".repeat(250); 40]));
    let server = Answerer::start(move |question, is_datagram| {
        let whole = answer(question, ResponseCode::NoError, &[("long.example", long.clone())]);
        vec![octets(&if is_datagram { whole.truncate() } else { whole })]
    })
    .await;
    let found = server.client().txt(&name("long.example")).await;
    assert_eq!(found, Ok(vec!["x".repeat(10_000).into_bytes()]));
    assert_eq!(server.asked(), (1, 1));
}

#[tokio::test]
async fn what_belongs_to_another_question_is_passed_over() {
    let server = Answerer::start(|question, _| {
        let right = answer(question, ResponseCode::NoError, &[("shop.example", here(1))]);
        let forged = answer(question, ResponseCode::NoError, &[("shop.example", here(66))]);
        let mut other_number = forged.clone();
        other_number.metadata.id ^= 1;
        let mut no_answer = forged.clone();
        no_answer.metadata.message_type = MessageType::Query;
        let mut other_name = forged.clone();
        other_name.queries[0].set_name(owner("shop.example.evil.example"));
        let mut no_name = forged;
        no_name.queries.clear();
        let mut sent: Vec<Vec<u8>> = [other_number, no_answer, other_name, no_name].iter().map(octets).collect();
        sent.extend([b"nonsense".to_vec(), Vec::new(), octets(&right)]);
        sent
    })
    .await;
    assert_eq!(server.client().a(&name("Shop.Example.")).await, Ok(vec![Ipv4Addr::new(192, 0, 2, 1)]));
}

#[tokio::test]
async fn aliases_are_followed_within_an_answer_and_beyond_it_but_not_in_circles() {
    let alias = |target: &str| RData::CNAME(CNAME(owner(target)));
    let server = Answerer::start(move |question, _| {
        let records = match question.queries[0].name().to_ascii().as_str() {
            "whole.example." => vec![("whole.example", alias("end.example")), ("end.example", here(1))],
            "half.example." => vec![("half.example", alias("end.example"))],
            "end.example." => vec![("end.example", here(2)), ("other.example", here(66))],
            "round.example." => vec![("round.example", alias("about.example"))],
            "about.example." => vec![("about.example", alias("round.example"))],
            "knot.example." => vec![("knot.example", alias("knot.example"))],
            _ => Vec::new(),
        };
        vec![octets(&answer(question, ResponseCode::NoError, &records))]
    })
    .await;
    let client = server.client();
    assert_eq!(client.a(&name("whole.example")).await, Ok(vec![Ipv4Addr::new(192, 0, 2, 1)]));
    assert_eq!(client.a(&name("half.example")).await, Ok(vec![Ipv4Addr::new(192, 0, 2, 2)]));
    assert_eq!(client.cname(&name("half.example")).await, Ok(name("end.example")));
    let nothing = client.cname(&name("end.example")).await.expect_err("no alias");
    assert!(nothing.is_absence(), "{nothing}");
    for circle in ["round.example", "knot.example"] {
        let error = client.a(&name(circle)).await.expect_err("a circle");
        assert!(error.to_string().contains("it is an alias of an alias, more than 8 times"), "{circle}: {error}");
    }
}

#[test]
fn servers_are_read_with_and_without_a_port() {
    for (text, expected) in [
        ("10.0.0.53", Some("10.0.0.53:53")),
        ("10.0.0.53:5353", Some("10.0.0.53:5353")),
        ("::1", Some("[::1]:53")),
        ("[::1]", Some("[::1]:53")),
        ("[::1]:5353", Some("[::1]:5353")),
        ("10.0.0.53:0", None),
        ("dns.example", None),
        ("dns.example:53", None),
        ("10.0.0.53:", None),
        ("", None),
    ] {
        assert_eq!(dns_server(text), expected.map(|text| text.parse().expect("an address")), "{text:?}");
    }
}

#[test]
fn names_are_one_name_in_every_spelling_and_know_their_place() {
    let spelled = name("_acme-challenge.Shop.Example.");
    assert_eq!(spelled, name("_acme-challenge.shop.example"));
    assert_eq!(spelled.to_string(), "_acme-challenge.shop.example");
    assert_eq!(name("shop.example").below("_acme-challenge"), Ok(spelled.clone()));
    assert_eq!(spelled.parent(), Some(name("shop.example")));
    assert_eq!((name("example").parent(), name(".").parent()), (Some(name(".")), None));
    assert_eq!(name(".").to_string(), ".");
    assert!(name("example").holds(&spelled) && name(".").holds(&spelled) && spelled.holds(&spelled));
    assert!(!name("ample").holds(&spelled) && !spelled.holds(&name("example")));
    let (label, whole) = (format!("{}.example", "a".repeat(64)), ["a".repeat(60).as_str(); 5].join("."));
    assert_eq!(name("-a.b_.*.example").to_string(), "-a.b_.*.example");
    for text in ["", "..", "a..b", ".a", "a b", "bücher.example", "a\\.b", &label, &whole] {
        assert!(DnsName::parse(text).is_err(), "{text:?}");
    }
    assert!(name(&["a".repeat(60).as_str(); 4].join(".")).below("_acme-challenge").is_err());
}

proptest! {
    #[test]
    fn any_octets_are_an_answer_or_none(received in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(message) = heard(&received) {
            for kind in [RecordKind::A, RecordKind::Cname] {
                let _ = find(&message, &name("shop.example"), kind, answer::a);
            }
            let _ = answer::zone(&message, &name("shop.example"));
        }
    }

    #[test]
    fn a_name_that_is_shown_is_read_as_itself(text in "[a-zA-Z0-9_-]{1,20}(\\.[a-zA-Z0-9_-]{1,20}){0,4}\\.?") {
        let read = name(&text);
        prop_assert_eq!(name(&read.to_string()), read);
    }
}
