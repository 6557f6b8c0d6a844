//! From a filled-in form to a request that others read.

use proptest::prelude::*;

use crate::certs::request::*;

fn draft() -> Draft {
    Draft {
        common_name: "Shop.example".into(),
        organisation: "Bücher & Söhne GmbH".into(),
        organisational_units: vec!["Web".into(), "Kasse 2".into()],
        locality: "Köln".into(),
        state: "Nordrhein-Westfalen".into(),
        country: "de".into(),
        names: vec!["www.shop.example".into(), "*.bücher.example".into(), "shop.example.".into()],
        ..Draft::default()
    }
}

fn fields(draft: &Draft) -> Vec<&'static str> {
    match draft.read() {
        Ok(_) => Vec::new(),
        Err(Mistakes(mistakes)) => mistakes.iter().map(|mistake| mistake.field).collect(),
    }
}

#[test]
fn openssl_verifies_the_request_and_sees_every_field() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::Rsa2048, KeyAlgorithm::Rsa3072] {
        let details = Draft { key_type: algorithm.label().into(), ..draft() }.read().expect("a form");
        let key = RequestKey::generate(algorithm).expect("a key");
        let request = request_pem(&details, &key).expect("a request");
        let (said, told) = openssl::req(&request);
        assert!(told.contains("verify OK"), "{told}");
        for line in [
            "countryName               = DE",
            "stateOrProvinceName       = Nordrhein-Westfalen",
            "localityName              = Köln",
            "organizationName          = Bücher & Söhne GmbH",
            "organizationalUnitName    = Web",
            "organizationalUnitName    = Kasse 2",
            "commonName                = shop.example",
            "DNS:shop.example, DNS:www.shop.example, DNS:*.xn--bcher-kva.example",
            "Version: 1 (0x0)",
        ] {
            assert!(said.contains(line), "{line:?} is expected in\n{said}");
        }
        let (bits, signature) = match algorithm {
            KeyAlgorithm::EcdsaP256 => ("Public-Key: (256 bit)", "ecdsa-with-SHA256"),
            KeyAlgorithm::EcdsaP384 => ("Public-Key: (384 bit)", "ecdsa-with-SHA384"),
            KeyAlgorithm::Rsa2048 => ("Public-Key: (2048 bit)", "sha256WithRSAEncryption"),
            KeyAlgorithm::Rsa3072 => ("Public-Key: (3072 bit)", "sha256WithRSAEncryption"),
            KeyAlgorithm::Rsa4096 => ("Public-Key: (4096 bit)", "sha256WithRSAEncryption"),
        };
        assert!(said.contains(bits) && said.contains(signature), "{said}");
        assert_eq!(openssl::public_of_key(&key.pem().expect("PEM")), openssl::public_of_request(&request));
    }
}

#[test]
fn openssl_sees_what_kind_of_text_a_field_is() {
    let details = draft().read().expect("a form");
    let request = request_pem(&details, &RequestKey::generate(KeyAlgorithm::EcdsaP256).expect("a key")).expect("one");
    let parsed = openssl::asn1(&request);
    assert!(parsed.contains("PRINTABLESTRING   :DE"), "{parsed}");
    assert!(parsed.contains("UTF8STRING        :shop.example"), "{parsed}");
}

#[test]
fn openssl_reads_requests_with_one_field_alone() {
    let key = RequestKey::generate(KeyAlgorithm::EcdsaP256).expect("a key");
    // Too long for a common name: the names stand alone then, and are critical.
    let long = format!("{}.shop.example", "a".repeat(60));
    let (said, told) = openssl::req(
        &request_pem(&Draft { names: vec![long.clone()], ..Draft::default() }.read().expect("a form"), &key)
            .expect("one"),
    );
    assert!(told.contains("verify OK"), "{told}");
    assert!(
        said.contains(&format!("X509v3 Subject Alternative Name: critical\n                    DNS:{long}")),
        "{said}"
    );

    let merchant = Draft {
        kind: "apple-payment-processing".into(),
        common_name: "merchant.example.shop".into(),
        ..Draft::default()
    };
    let (said, told) = openssl::req(&request_pem(&merchant.read().expect("a form"), &key).expect("one"));
    assert!(told.contains("verify OK"), "{told}");
    assert!(said.contains("commonName                = merchant.example.shop"), "{said}");
    assert!(!said.contains("Subject Alternative Name"), "{said}");
}

#[test]
fn a_common_name_that_is_a_host_is_among_the_names_and_only_then() {
    let read = |common_name: &str, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let details = Draft { common_name: common_name.into(), names, ..Draft::default() }.read();
        details.map(|details| {
            let names: Vec<_> = details.names.iter().map(ToString::to_string).collect();
            (details.subject.common_name.unwrap_or_default().to_string(), names.join(" "))
        })
    };
    let ok = |common_name: &str, names: &str| Ok((common_name.to_owned(), names.to_owned()));
    assert_eq!(read("SHOP.example", &["www.shop.example"]), ok("shop.example", "shop.example www.shop.example"));
    assert_eq!(read("*.shop.example", &["*.Shop.Example"]), ok("*.shop.example", "*.shop.example"));
    assert_eq!(read("bücher.example", &[]), ok("xn--bcher-kva.example", "xn--bcher-kva.example"));
    assert_eq!(read("", &["a.example", "b.example"]), ok("a.example", "a.example b.example"));
    assert_eq!(read("St. Georg Apotheke", &["a.example"]), ok("St. Georg Apotheke", "a.example"));
    for (common_name, names, field) in [
        ("", &[][..], "names"),
        ("St. Georg Apotheke", &[], "names"),
        ("", &[" "], "names"),
        ("10.0.0.1", &["a.example"], "common_name"),
        ("*.example", &["a.example"], "common_name"),
        ("a.example", &["a..example", "10.0.0.1"], "names"),
    ] {
        let mistakes = read(common_name, names).expect_err("mistakes");
        assert!(mistakes.0.iter().all(|mistake| mistake.field == field), "{mistakes}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_field() {
    let wrong = Draft {
        exportable: false,
        kind: "client".into(),
        common_name: "x".repeat(65),
        organisation: "a\nb".into(),
        organisational_units: vec!["x".repeat(65)],
        locality: "x".repeat(129),
        state: "x".repeat(129),
        country: "GER".into(),
        names: vec!["*".into()],
        key_type: "rsa-1024".into(),
        sites: vec!["a\0b".into()],
    };
    assert_eq!(
        fields(&wrong),
        [
            "kind",
            "key_type",
            "organisational_units",
            "common_name",
            "organisation",
            "locality",
            "state",
            "country",
            "names",
            "sites"
        ]
    );
    for country in ["D", "D1", "DEU", "ß", "é"] {
        assert_eq!(fields(&Draft { country: country.into(), ..draft() }), ["country"], "{country}");
    }
    assert_eq!(fields(&Draft { names: vec!["a.example".into(); 300], ..Draft::default() }), [""; 0]);
    let many = (0..251).map(|number| format!("s{number}.example")).collect();
    assert_eq!(fields(&Draft { names: many, ..Draft::default() }), ["names"]);
    assert_eq!(fields(&Draft { organisational_units: vec!["a".into(); 9], ..draft() }), ["organisational_units"]);
}

#[test]
fn apple_has_its_own_keys_and_no_host_names() {
    let of = |kind: &str| Draft { kind: kind.into(), common_name: "merchant.example".into(), ..Draft::default() };
    let key = |draft: Draft| draft.read().map(|details| details.key_type).map_err(|_| ());
    assert_eq!(key(of("apple-merchant-identity")), Ok(KeyAlgorithm::Rsa2048));
    assert_eq!(key(of("apple-payment-processing")), Ok(KeyAlgorithm::EcdsaP256));
    for (kind, key_type) in [("apple-merchant-identity", "ecdsa-p256"), ("apple-payment-processing", "rsa-2048")] {
        assert_eq!(fields(&Draft { key_type: key_type.into(), ..of(kind) }), ["key_type"]);
        assert_eq!(fields(&Draft { names: vec!["a.example".into()], ..of(kind) }), ["names"]);
        assert_eq!(fields(&Draft { common_name: String::new(), ..of(kind) }), ["common_name"]);
    }
}

#[test]
fn a_key_cannot_be_printed() {
    let key = RequestKey::generate(KeyAlgorithm::EcdsaP256).expect("a key");
    assert_eq!(format!("{key:?}"), "RequestKey { algorithm: EcdsaP256, .. }");
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 .*-]{0,70}",
        "\\PC{0,140}",
        any::<String>(),
        proptest::sample::select(vec!["", "shop.example", "*.shop.example", "DE", "bücher.example", "10.0.0.1"])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn whatever_is_read_reads_the_same_again(
        text in proptest::collection::vec(any_text(), 6),
        units in proptest::collection::vec(any_text(), 0..4),
        names in proptest::collection::vec(any_text(), 0..4),
        kind in 0..3_usize,
    ) {
        let draft = Draft {
            exportable: true,
            kind: RequestKind::ALL[kind].label().into(),
            common_name: text[0].clone(),
            organisation: text[1].clone(),
            organisational_units: units,
            locality: text[2].clone(),
            state: text[3].clone(),
            country: text[4].clone(),
            names,
            key_type: String::new(),
            sites: vec![text[5].clone()],
        };
        match draft.read() {
            Err(Mistakes(mistakes)) => prop_assert!(!mistakes.is_empty()),
            Ok(details) => {
                prop_assert!(details.names.is_empty() != details.kind.is_served());
                prop_assert!(details.subject.common_name.as_ref().is_none_or(|text| text.chars().count() <= 64));
                prop_assert_eq!(details.draft().read(), Ok(details));
            }
        }
    }

    #[test]
    fn whatever_is_read_makes_a_request_that_holds_it(
        common_name in any_text(),
        organisation in any_text(),
        country in "[a-zA-Z]{2}",
        names in proptest::collection::vec("[a-z]{1,8}\\.[a-z]{1,8}", 1..5),
    ) {
        let draft = Draft { common_name, organisation, country, names, ..Draft::default() };
        if let Ok(details) = draft.read() {
            let key = RequestKey::generate(KeyAlgorithm::EcdsaP256).expect("a key");
            let pem = request_pem(&details, &key).expect("a request");
            let (names, subject) = read_again(&pem);
            prop_assert_eq!(names, details.names.iter().map(ToString::to_string).collect::<Vec<_>>());
            let Subject { common_name, organisation, country, .. } = details.subject;
            prop_assert_eq!(subject, [common_name, organisation, country].map(Option::unwrap_or_default));
        }
    }
}

/// The names of a request, and CN, O and C of its subject, as another reader has them; its signature is good.
fn read_again(pem: &str) -> (Vec<String>, [Box<str>; 3]) {
    use x509_parser::prelude::*;
    let (_, block) = parse_x509_pem(pem.as_bytes()).expect("PEM");
    let (rest, request) = X509CertificationRequest::from_der(&block.contents).expect("a request");
    assert_eq!((rest, block.label.as_str()), (&[][..], "CERTIFICATE REQUEST"));
    request.verify_signature().expect("its signature is good");
    let info = &request.certification_request_info;
    let names = request.requested_extensions().into_iter().flatten().flat_map(|extension| match extension {
        ParsedExtension::SubjectAlternativeName(names) => {
            names.general_names.iter().map(|name| name.to_string().replace("DNSName(", "").replace(')', "")).collect()
        }
        _ => Vec::new(),
    });
    let first = |value: Option<&AttributeTypeAndValue<'_>>| -> Box<str> {
        value.map_or("", |value| value.as_str().expect("text")).into()
    };
    let subject = [
        first(info.subject.iter_common_name().next()),
        first(info.subject.iter_organization().next()),
        first(info.subject.iter_country().next()),
    ];
    (names.collect(), subject)
}
