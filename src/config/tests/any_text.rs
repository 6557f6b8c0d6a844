//! No text makes the reader panic.

use proptest::prelude::*;

use super::super::keys::KEYS;
use super::parse;

/// Lines that look like configuration: known keys and headers with values of every kind.
fn line() -> impl Strategy<Value = String> {
    let keys: Vec<&str> =
        KEYS.iter().flat_map(|(_, keys)| keys.iter().copied()).chain(["acme", "x", "a.b", "\"\\n\""]).collect();
    let sections: Vec<&str> =
        KEYS.iter().map(|(section, _)| *section).chain(["acme", "site.hosts", "edge.https"]).collect();
    let values = prop_oneof![
        "\\PC{0,20}",
        "\"\\PC{0,20}\"",
        "-?[0-9]{1,25}",
        "\"[0-9]{1,25}(ms|s|m|h|d|KiB|GiB|B)?\"",
        "\"(http|https|unix):/{0,3}[a-z0-9.:@/\\[\\]]{0,20}\"",
        Just("[]".to_owned()),
        Just("[[], {}]".to_owned()),
        Just("{ path = \"/\", upstreams = [\"http://a\"] }".to_owned()),
        Just("[{ hosts = [\"a.example\"], upstreams = [\"http://a\"] }]".to_owned()),
        Just("nan".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        Just("\"\"\"".to_owned()),
    ];
    prop_oneof![
        4 => (prop::sample::select(keys), values).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => prop::sample::select(sections.clone()).prop_map(|section| format!("[{section}]")),
        2 => prop::sample::select(sections).prop_map(|section| format!("[[{section}]]")),
        1 => "\\PC{0,30}",
    ]
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in "(?s).{0,200}") {
        if let Err(mistakes) = parse(&text) {
            prop_assert!(!mistakes.to_string().is_empty());
        }
    }

    #[test]
    fn nothing_that_looks_like_configuration_makes_the_loader_panic(lines in prop::collection::vec(line(), 0..20)) {
        let text = lines.join("\n");
        if let Err(mistakes) = parse(&text) {
            let last = text.lines().count().max(1) + 1;
            for remark in mistakes.remarks() {
                prop_assert!(!remark.text.contains('\n'), "{remark}");
                prop_assert!(remark.line.is_none_or(|line| (1..=last).contains(&line)), "{remark}");
            }
            prop_assert_eq!(mistakes.to_string().lines().count(), mistakes.remarks().len());
        }
    }
}
