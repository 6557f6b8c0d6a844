//! What the edge asks of name servers, answered by a real one.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64ct::{Base64, Encoding};
use vitrine::outbound::dns::{Caa, DnsClient, DnsError, DnsName, DnsUpdater, RecordKind, TsigAlgorithm, TsigKey};

use crate::support::bind::{Bind, KEY, Zone};

const RECORDS: &str = "@ A 192.0.2.1\n@ A 192.0.2.2\n@ AAAA 2001:db8::1\n@ CAA 128 issue \"ca.example; x=y\"\n@ CAA 0 iodef \"mailto:a@b\"\n\
                       www CNAME shop\nshop A 192.0.2.3\nshop TXT \"one \" \"and one\"\nshop TXT \"two\"\nempty TXT \"\"\n\
                       away CNAME shop.elsewhere.example.\n*.wild A 192.0.2.4\n";

fn name(text: &str) -> DnsName {
    DnsName::parse(text).expect("a name")
}

#[test]
fn records_of_every_kind_are_found_at_a_real_server() {
    let long: String = (0..60).map(|n| format!("long TXT \"{n} {}\"\n", "x".repeat(200))).collect();
    let zones = [
        Zone { name: "shop.example", records: &(RECORDS.to_owned() + &long), is_open: false },
        Zone { name: "sub.shop.example", records: "@ A 192.0.2.9", is_open: false },
    ];
    let bind = Bind::start(&zones);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for dns in [DnsClient::at([bind.address]), DnsClient::at([bind.address]).without_recursion()] {
            let mut found = dns.a(&name("Shop.Example")).await.expect("addresses");
            found.sort();
            assert_eq!(found, [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)]);
            assert_eq!(dns.a(&name("www.shop.example")).await, Ok(vec![Ipv4Addr::new(192, 0, 2, 3)]));
            assert_eq!(dns.a(&name("a.wild.shop.example")).await, Ok(vec![Ipv4Addr::new(192, 0, 2, 4)]));
            let aaaa = dns.aaaa(&name("shop.example")).await;
            assert_eq!(aaaa, Ok(vec!["2001:db8::1".parse::<Ipv6Addr>().expect("an address")]));
            assert_eq!(dns.cname(&name("www.shop.example")).await, Ok(name("shop.shop.example")));
            assert_eq!(dns.ns(&name("shop.example")).await, Ok(vec![name("ns.shop.example")]));
            let soa = dns.soa(&name("shop.example")).await.expect("how it is kept");
            assert_eq!((soa.primary, soa.serial), (name("ns.shop.example"), 1));
            let mut caa = dns.caa(&name("shop.example")).await.expect("who may issue");
            caa.sort_by_key(|record| record.critical);
            let expected = [(false, "iodef", "mailto:a@b"), (true, "issue", "ca.example; x=y")];
            let expected = expected.map(|(critical, tag, value)| Caa {
                critical,
                tag: tag.into(),
                value: value.as_bytes().into(),
            });
            assert_eq!(caa, expected);
            let mut texts = dns.txt(&name("shop.shop.example")).await.expect("texts");
            texts.sort();
            assert_eq!(texts, [b"one and one".to_vec(), b"two".to_vec()]);
            assert_eq!(dns.txt(&name("empty.shop.example")).await, Ok(vec![Vec::new()]));
            // Too long for a datagram.
            assert_eq!(dns.txt(&name("long.shop.example")).await.expect("texts").len(), 60);
            for (of, zone) in [
                ("shop.example", "shop.example"),
                ("a.b.shop.example", "shop.example"),
                ("www.shop.example", "shop.example"),
                ("a.sub.shop.example", "sub.shop.example"),
            ] {
                assert_eq!(dns.zone(&name(of)).await, Ok(name(zone)), "{of}");
            }
        }
    });
}

#[test]
fn what_a_real_server_does_not_have_is_told_apart() {
    let bind = Bind::start(&[Zone { name: "shop.example", records: RECORDS, is_open: false }]);
    let server = bind.address;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let dns = DnsClient::at([server]);
        let nowhere = name("nowhere.shop.example");
        assert_eq!(dns.a(&nowhere).await, Err(DnsError::NoSuchName { name: nowhere.clone(), server }));
        assert_eq!(dns.cname(&nowhere).await, Err(DnsError::NoSuchName { name: nowhere, server }));
        let empty = name("empty.shop.example");
        let nothing = |kind| DnsError::NoSuchRecord { name: empty.clone(), kind, server };
        assert_eq!(dns.a(&empty).await, Err(nothing(RecordKind::A)));
        assert_eq!(dns.caa(&empty).await, Err(nothing(RecordKind::Caa)));
        assert_eq!(dns.soa(&empty).await, Err(nothing(RecordKind::Soa)));
        for (asked, zone) in [("other.example", false), ("away.shop.example", false), ("other.example", true)] {
            let asked = name(asked);
            let error = match zone {
                true => dns.zone(&asked).await.map(drop),
                false => dns.a(&asked).await.map(drop),
            };
            let error = error.expect_err("not its own");
            assert!(!error.is_absence() && error.to_string().contains("it says REFUSED"), "{error}");
        }
    });
}

#[test]
fn a_zone_is_changed_by_signed_updates_one_record_at_a_time() {
    let zones = [
        Zone { name: "shop.example", records: "a TXT \"before\"", is_open: true },
        Zone { name: "closed.example", records: "", is_open: false },
    ];
    let bind = Bind::start(&zones);
    let statement = std::fs::read_to_string(bind.key_file()).expect("a key");
    let secret = statement.split("secret \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a secret");
    let secret = Base64::decode_vec(secret).expect("base64");
    let key = |key: &str, secret: &[u8]| TsigKey {
        name: name(key),
        algorithm: TsigAlgorithm::HmacSha256,
        secret: secret.to_vec().into(),
    };
    assert!(!format!("{:?}", key(KEY, b"hunter2")).contains("hunter2"));
    let (zone, at) = (name("shop.example"), name("a.shop.example"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let dns = DnsUpdater::new(bind.address, key(KEY, &secret));
        let texts = || {
            let mut texts = bind.texts("a.shop.example");
            texts.sort();
            texts
        };
        for text in ["one", "two", "one"] {
            assert_eq!(dns.add_txt(&zone, &at, text, 60).await, Ok(()));
        }
        assert_eq!(texts(), ["before", "one", "two"]);
        for text in ["one", "one", "never there"] {
            assert_eq!(dns.remove_txt(&zone, &at, text).await, Ok(()));
        }
        assert_eq!(texts(), ["before", "two"]);
        let server = format!("the name server {} ", bind.address);
        for (wrong, of, why) in [
            (key(KEY, b"another"), "shop.example", "does not believe the signature with the key vitrine-key"),
            (key("other", &secret), "shop.example", "does not know the key other for hmac-sha256"),
            (key(KEY, &secret), "closed.example", "refuses to change the zone closed.example"),
            (key(KEY, &secret), "example", "is no authority for the zone example"),
        ] {
            let dns = DnsUpdater::new(bind.address, wrong);
            let error = dns.add_txt(&name(of), &name("a.closed.example"), "three", 60).await.expect_err("refused");
            assert!(error.is_certain() && error.to_string().starts_with(&(server.clone() + why)), "{error}");
        }
        let error = dns.add_txt(&zone, &name("a.closed.example"), "three", 60).await.expect_err("refused");
        assert!(error.to_string().contains("lies outside of the zone shop.example"), "{error}");
    });
}
