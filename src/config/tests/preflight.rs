//! `[acme]`: what is looked at before an order.

use super::super::*;
use super::{good, warnings, wrong};

#[test]
fn what_is_looked_at_before_an_order_and_whom_it_asks_is_read() {
    let text = "[acme]\npreflight = \"warn\"\nresolvers = [\"10.0.0.53\", \"10.0.0.54:5353\", \"fd00::53\", \"[fd00::54]:5353\"]\n\
                http_port = 8080\nhttps_port = 8443\npreflight_networks = [\"10.0.0.0/8\", \"fd00::/8\"]";
    let loaded = good(text);
    let resolvers: Vec<String> = loaded.config.acme.resolvers.iter().map(ToString::to_string).collect();
    assert_eq!(resolvers, ["10.0.0.53:53", "10.0.0.54:5353", "[fd00::53]:53", "[fd00::54]:5353"]);
    let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network")).to_vec();
    let expected = PreflightConfig { mode: PreflightMode::Warn, http_port: 8080, https_port: 8443, networks };
    assert_eq!(loaded.config.acme.preflight, expected);
    assert_eq!(warnings(&loaded), "");
    assert_eq!(good("[acme]\npreflight = \"off\"").config.acme.preflight.mode, PreflightMode::Off);
}

#[test]
fn what_no_probe_can_do_is_told_with_the_mend() {
    let said = [
        (
            "[acme]\npreflight = \"on\"",
            "v.toml:2: acme.preflight: expected \"enforce\", \"warn\" or \"off\", found \"on\"",
        ),
        (
            "[acme]\nresolvers = [\"dns.example\"]",
            "v.toml:2: acme.resolvers: expected the address of a DNS server such as \"10.0.0.53\" or \"10.0.0.53:5353\", \
             found \"dns.example\"",
        ),
        (
            "[acme]\nresolvers = [\"10.0.0.53:0\"]",
            "v.toml:2: acme.resolvers: expected the address of a DNS server such as \"10.0.0.53\" or \"10.0.0.53:5353\", \
             found \"10.0.0.53:0\"",
        ),
        ("[acme]\nhttp_port = 0", "v.toml:2: acme.http_port: expected a whole number of 1 to 65535, found 0"),
        ("[acme]\nhttps_port = 65536", "v.toml:2: acme.https_port: expected a whole number of 1 to 65535, found 65536"),
        (
            "[acme]\npreflight_networks = [\"10.0.0.1\"]",
            "v.toml:2: acme.preflight_networks: expected a network such as \"10.0.0.0/8\", found \"10.0.0.1\"; write \
             \"10.0.0.1/32\" for this address alone",
        ),
    ];
    for (text, expected) in said {
        assert_eq!(wrong(text), expected, "{text}");
    }
    let warned = warnings(&good("[acme]\npreflight_networks = [\"0.0.0.0/0\"]"));
    assert!(warned.starts_with("v.toml:2: acme.preflight_networks: lets whoever writes the DNS"), "{warned}");
}
