//! `[acme]` and `[[acme.issuer]]`.

use super::super::*;
use super::{good, wrong};
use crate::live::{BeforeIssue, OrderedKey};

const ISSUER: &str = "[[acme.issuer]]\nname = \"le\"\ndirectory = \"https://acme.example/dir\"\n";

#[test]
fn everybody_who_says_nothing_else_orders_from_lets_encrypt_and_nobody_unasked() {
    let acme = good("").config.acme;
    assert!(!acme.terms_of_service_agreed && acme.contact.is_empty());
    assert_eq!(acme.challenges, [Challenge::TlsAlpn01, Challenge::Http01]);
    assert_eq!((acme.resolvers, acme.preflight), (Vec::new(), PreflightConfig::default()));
    assert_eq!((acme.orders_at_once, acme.partial_after), (8, None));
    assert_eq!(acme.issuers[0].budgets, Budgets::LETS_ENCRYPT);
    assert_eq!(Budgets::of(&acme.issuers[0].directory), Budgets::LETS_ENCRYPT);
    let names: Vec<_> = acme.issuers.iter().map(|issuer| (issuer.name.as_str(), issuer.directory.as_str())).collect();
    assert_eq!(names, [("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory")]);
}

#[test]
fn issuers_are_read_in_order_of_preference() {
    let text = format!(
        "[acme]\ncontact = [\"mailto:ops@shop.example\"]\nterms_of_service_agreed = true\nchallenges = [\"http-01\"]\n\
         orders_at_once = 2\npartial = true\n{ISSUER}profile = \"classic\"\neab_key_id = \"7\"\neab_hmac_key_file = \"eab.key\"\norders_per_3h = 7\n\
         [[acme.issuer]]\nname = \"zero\"\ndirectory = \"https://zero.example/\"\n"
    );
    let acme = good(&text).config.acme;
    assert!(acme.terms_of_service_agreed);
    assert_eq!((acme.orders_at_once, acme.partial_after), (2, Some(Duration::from_hours(72))));
    assert_eq!(acme.contact, ["mailto:ops@shop.example"]);
    assert_eq!(
        acme.issuers[0],
        IssuerConfig {
            name: "le".into(),
            directory: "https://acme.example/dir".into(),
            profile: Some("classic".into()),
            ca_file: None,
            external_account: Some(ExternalAccount { key_id: "7".into(), hmac_key_file: "eab.key".into() }),
            budgets: Budgets { orders: 7, certificates_per_domain: 0, ..Budgets::OTHERS },
        }
    );
    assert_eq!((&*acme.issuers[1].name, acme.issuers[1].budgets), ("zero", Budgets::OTHERS));
}

#[test]
fn a_site_that_is_like_another_is_ordered_for_as_that_one_where_it_says_nothing() {
    let text = "[acme]\nterms_of_service_agreed = true\n\
                [[site]]\nname = \"tenants\"\nhosts = [\"shops.example\"]\nupstreams = [\"http://a:1\"]\ncertificate = \"managed\"\n\
                key_types = [\"rsa\"]\nreuse_key = true\nbefore_issue = \"self-signed\"\n\
                [[site]]\nhosts = [\"a.example\"]\ncertificate = \"managed\"\nlike = \"tenants\"\n\
                [[site]]\nhosts = [\"b.example\"]\ncertificate = \"managed\"\nlike = \"tenants\"\nkey_types = [\"ecdsa\"]\n\
                reuse_key = false\n";
    let model = OrderSpec { key_types: vec![OrderedKey::Rsa], reuse_key: true, before_issue: BeforeIssue::SelfSigned };
    let other = OrderSpec { key_types: vec![OrderedKey::Ecdsa], reuse_key: false, ..model.clone() };
    let orders: Vec<_> = good(text).config.sites.into_iter().take(3).map(|site| site.orders).collect();
    assert_eq!(orders, [model.clone(), model, other]);
}

#[test]
fn a_site_says_how_it_is_ordered_for_or_is_as_all_others() {
    let text = "[acme]\nterms_of_service_agreed = true\nkey_types = [\"rsa\", \"ecdsa\"]\nreuse_key = true\n\
                [[site]]\nhosts = [\"a.example\"]\nupstreams = [\"http://a:1\"]\n\
                [[site]]\nhosts = [\"b.example\"]\nupstreams = [\"http://b:1\"]\ncertificate = \"managed\"\nkey_types = [\"rsa\"]\n\
                reuse_key = false\nbefore_issue = \"self-signed\"\n";
    let (ecdsa, rsa) = (OrderedKey::Ecdsa, OrderedKey::Rsa);
    let sites = good(text).config.sites;
    assert_eq!(
        sites.into_iter().take(2).map(|site| site.orders).collect::<Vec<_>>(),
        [
            OrderSpec { key_types: vec![ecdsa, rsa], reuse_key: true, before_issue: BeforeIssue::Refuse },
            OrderSpec { key_types: vec![rsa], reuse_key: false, before_issue: BeforeIssue::SelfSigned },
        ]
    );
    let text = "[[site]]\nhosts = [\"a.example\"]\nupstreams = [\"http://a:1\"]\n";
    assert_eq!(good(text).config.sites[0].orders, OrderSpec::default());
}

#[test]
fn what_no_authority_would_take_is_told_with_the_mend() {
    let said = [
        (
            "[acme]\ncontact = [\"ops@shop.example\"]",
            "v.toml:2: acme.contact: expected an address such as \"mailto:ops@shop.example\", found \"…@shop.example\"; write \
             \"mailto:ops@shop.example\"",
        ),
        (
            "[acme]\ncontact = [\"mailto:ops\"]",
            "v.toml:2: acme.contact: expected an address such as \"mailto:ops@shop.example\", found \"mailto:ops\"",
        ),
        (
            "[acme]\nchallenges = [\"http\"]",
            "v.toml:2: acme.challenges: expected \"tls-alpn-01\", \"http-01\" or \"dns-01\", found \"http\"",
        ),
        ("[acme]\nchallenges = []", "v.toml:2: acme.challenges: expected at least one, found an empty list"),
        (
            "[[acme.issuer]]\nname = \"A b\"\ndirectory = \"https://a.example/\"",
            "v.toml:2: acme.issuer.name: expected a word of small letters, digits, - and _, found \"A b\"",
        ),
        (
            "[[acme.issuer]]\nname = \"orders\"\ndirectory = \"https://a.example/\"",
            "v.toml:2: acme.issuer.name: \"orders\" is the name of a folder beside those of issuers; choose another",
        ),
        (
            "[acme]\nkey_types = [\"rsa\", \"ed25519\"]",
            "v.toml:2: acme.key_types: expected \"ecdsa\" or \"rsa\", found \"ed25519\"",
        ),
        (
            "[acme]\nkey_types = [\"rsa\", \"rsa\"]",
            "v.toml:2: acme.key_types: \"rsa\" is in this list already; take one out",
        ),
        ("[acme]\nkey_types = []", "v.toml:2: acme.key_types: expected at least one, found an empty list"),
        ("[acme]\nbefore_issue = \"refuse\"", "v.toml:2: acme.before_issue: unknown key; it belongs in [[site]]"),
        (
            "[[acme.issuer]]\nname = \"a\"\ndirectory = \"http://a.example/\"",
            "v.toml:3: acme.issuer.directory: expected an address that begins with \"https://\", found \"http://a.example/\"",
        ),
        ("[[acme.issuer]]\nname = \"a\"", "v.toml:1: acme.issuer.directory: is needed: the address of its directory"),
        (
            "[[acme.issuer]]\nname = \"a\"\ndirectory = \"https://a.example/\"\neab_key_id = \"7\"",
            "v.toml:1: acme.issuer.eab_hmac_key_file: is needed beside eab_key_id: the issuer gives both together",
        ),
        (
            "[[acme.issuer]]\nname = \"a\"\ndirectory = \"https://a.example/\"\nca_file = \"nowhere.pem\"",
            "v.toml:4: acme.issuer.ca_file: nowhere.pem: there is no such file",
        ),
    ];
    for (text, expected) in said {
        assert_eq!(wrong(text), expected, "{text}");
    }
    let twice = format!("{ISSUER}{ISSUER}");
    assert_eq!(wrong(&twice), "v.toml:5: acme.issuer.name: \"le\" is the name of the issuer on line 2 already");
}
