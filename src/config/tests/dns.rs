//! `[[acme.dns]]`: how records are written.

use std::os::unix::fs::PermissionsExt;

use super::super::*;
use super::{good, warnings, wrong};
use crate::outbound::dns::{DnsName, TsigAlgorithm};

const UPDATE: &str =
    "[[acme.dns]]\nserver = \"10.0.0.53\"\ntsig_key_name = \"vitrine.\"\ntsig_secret_file = \"tsig.key\"\n";
const AGREED: &str = "[acme]\nterms_of_service_agreed = true\n";
const WILDCARD: &str =
    "[[site]]\nhosts = [\"*.a.example\"]\ncertificate = \"managed\"\nupstreams = [\"http://10.0.0.11:8080\"]\n";

fn name(text: &str) -> DnsName {
    DnsName::parse(text).expect("a name")
}

#[test]
fn ways_to_write_records_are_read_and_make_dns_01_a_challenge() {
    let hook = "[[acme.dns]]\nzone = \"Auth.Example\"\nhook = [\"/bin/true\", \"an argument\"]\nhook_timeout = \"10s\"\n\
                propagation_timeout = \"5m\"\npropagation_servers = [\"10.0.0.1\", \"[::1]:5353\"]\n";
    let loaded = good(&format!("{UPDATE}{hook}"));
    assert_eq!(loaded.config.acme.challenges, Challenge::ALL);
    let update = DnsWriter::Update {
        server: "10.0.0.53:53".parse().expect("an address"),
        key_name: name("vitrine"),
        algorithm: TsigAlgorithm::HmacSha256,
        secret_file: "tsig.key".into(),
    };
    let hook =
        DnsWriter::Hook { command: vec!["/bin/true".into(), "an argument".into()], timeout: Duration::from_secs(10) };
    let expected = [
        DnsConfig {
            zone: None,
            writer: update,
            propagation_timeout: Duration::from_secs(120),
            propagation_servers: Vec::new(),
        },
        DnsConfig {
            zone: Some(name("auth.example")),
            writer: hook,
            propagation_timeout: Duration::from_secs(300),
            propagation_servers: ["10.0.0.1:53", "[::1]:5353"].map(|one| one.parse().expect("an address")).to_vec(),
        },
    ];
    assert_eq!(loaded.config.acme.dns, expected);
    assert_eq!(warnings(&loaded), "");
    for algorithm in TsigAlgorithm::ALL {
        let read = good(&format!("{UPDATE}tsig_algorithm = \"{}\"\n", algorithm.word())).config.acme.dns;
        assert!(matches!(read[0].writer, DnsWriter::Update { algorithm: read, .. } if read == algorithm));
    }
    let sites = good(&format!("{AGREED}{UPDATE}{WILDCARD}")).config.sites;
    assert_eq!(sites.iter().filter(|site| site.provision == crate::live::Provision::Managed).count(), 1);
    let loaded = good(&format!("[acme]\nchallenges = [\"http-01\"]\n{UPDATE}"));
    let expected = "has no effect without \"dns-01\" in acme.challenges";
    assert!(warnings(&loaded).contains(expected), "{}", warnings(&loaded));
    let loaded = good("[[acme.dns]]\nhook = [\"/nowhere/hook\"]");
    let expected = "v.toml:2: acme.dns.hook: \"/nowhere/hook\" is no program that can be started";
    assert!(warnings(&loaded).contains(expected), "{}", warnings(&loaded));
}

#[test]
fn a_way_that_could_not_write_is_told_with_the_mend() {
    let said = [
        (
            "[acme]\nchallenges = [\"dns-01\"]",
            "v.toml:2: acme.challenges: \"dns-01\" needs [[acme.dns]], which says how records are written: by updates to a server, \
             or by a program",
        ),
        (
            "[[acme.dns]]\nzone = \"shop.example\"",
            "v.toml:1: acme.dns.server: is needed, or hook: records are written by signed updates to a server, or by a program",
        ),
        (
            "[[acme.dns]]\nserver = \"10.0.0.53\"",
            "v.toml:1: acme.dns.tsig_key_name: is needed: what the server calls the key that updates are signed with\n\
             v.toml:1: acme.dns.tsig_secret_file: is needed: a file with the key's secret, or what tsig-keygen(8) wrote",
        ),
        (
            "[[acme.dns]]\nserver = \"10.0.0.53\"\nhook = [\"/bin/true\"]",
            "v.toml:1: acme.dns.hook: a record is written by updates or by a program, not both: take out hook or server",
        ),
        (
            "[[acme.dns]]\nhook = [\"dns-hook\"]",
            "v.toml:2: acme.dns.hook: expected the absolute path of a program, found \"dns-hook\"; no folders are searched",
        ),
        ("[[acme.dns]]\nhook = []", "v.toml:2: acme.dns.hook: expected at least one, found an empty list"),
        (
            "[[acme.dns]]\nhook = \"/bin/true\"",
            "v.toml:2: acme.dns.hook: expected a list, found \"/bin/true\"; put it in [ ]",
        ),
        (
            "[[acme.dns]]\nhook = [\"/bin/true\"]\nzone = \"a..b\"",
            "v.toml:3: acme.dns.zone: expected a name in the DNS such as \"shop.example\", found \"a..b\"",
        ),
        (
            "[[acme.dns]]\nhook = [\"/bin/true\"]\nhook_timeout = \"2h\"",
            "v.toml:3: acme.dns.hook_timeout: expected a duration of 1s to 1h, found \"2h\"",
        ),
        (
            "[[acme.dns]]\nhook = [\"/bin/true\"]\n[[acme.dns]]\nhook = [\"/bin/false\"]",
            "v.toml:3: acme.dns.zone: only one [[acme.dns]] can be for every zone, and that on line 1 is",
        ),
        (
            "[[acme.dns]]\nzone = \"a.b\"\nhook = [\"/bin/true\"]\n[[acme.dns]]\nzone = \"A.b.\"\nhook = [\"/bin/true\"]",
            "v.toml:4: acme.dns.zone: the [[acme.dns]] on line 1 is for \"a.b\" already; take one out",
        ),
        (
            "[acme.dns]\nhook = [\"/bin/true\"]",
            "v.toml:1: acme.dns: expected tables, found a table; write [[acme.dns]]",
        ),
        ("[acme]\nhook = [\"/bin/true\"]", "v.toml:2: acme.hook: unknown key; it belongs in [[acme.dns]]"),
    ];
    for (text, expected) in said {
        assert_eq!(wrong(text), expected, "{text}");
    }
    let algorithm = wrong(&format!("{UPDATE}tsig_algorithm = \"hmac-md5\"\n"));
    assert_eq!(
        algorithm,
        "v.toml:5: acme.dns.tsig_algorithm: expected \"hmac-sha256\", \"hmac-sha384\" or \"hmac-sha512\", found \"hmac-md5\""
    );
}

#[test]
fn a_wildcard_is_ordered_only_where_records_can_be_written() {
    let refused = "v.toml:5: site.certificate: \"managed\" for \"*.a.example\" needs dns-01: say in [[acme.dns]] how records are \
                   written and have \"dns-01\" in acme.challenges; or name each host, or use \"uploaded\"";
    assert_eq!(wrong(&format!("{AGREED}{WILDCARD}")), refused);
    let text = format!("{AGREED}challenges = [\"http-01\"]\n{UPDATE}{WILDCARD}");
    assert_eq!(wrong(&text), refused.replace("v.toml:5", "v.toml:10"));
}

#[test]
fn a_secret_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tsig.key");
    std::fs::write(&file, "c2VjcmV0").expect("written");
    let text = UPDATE.replace("tsig.key", &file.display().to_string());
    let set = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
    set(0o640);
    let told = wrong(&text);
    assert!(told.contains("acme.dns.tsig_secret_file") && told.contains("chmod 0600"), "{told}");
    set(0o600);
    assert_eq!(good(&text).config.acme.dns.len(), 1);
}
