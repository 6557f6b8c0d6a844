//! What `vitrine probe` saw, as a page for the textfile collector of Prometheus' node exporter.

use super::catalogue::{Family, Kind, catalogue};
use super::text::{Text, labels};

catalogue! {
    #[cfg(test)]
    PROBE_SUCCESS = Gauge "vitrine_probe_success" ["host"]
        "1 if all was well with the host at each of its addresses, 0 otherwise.";
    PROBE_NOT_AFTER = Gauge "vitrine_probe_certificate_not_after_seconds" ["host", "address", "key_type"]
        "End of the certificate that the host shows there, seconds since the Unix epoch.";
    PROBE_FAULT = Gauge "vitrine_probe_fault" ["host", "address", "fault"]
        "1 for each thing that is wrong with the host there; what is well has no series.";
    PROBE_HOSTS = Gauge "vitrine_probe_hosts" ["result"]
        "Hosts that were looked at in the last run, by result.";
    PROBE_LAST_RUN = Gauge "vitrine_probe_last_run_seconds" []
        "When the last run ended, seconds since the Unix epoch.";
    PROBE_DURATION = Gauge "vitrine_probe_duration_seconds" []
        "How long the last run took.";
}

/// A run.
pub struct ProbeFacts<'a> {
    /// What was seen, an entry for each host, address and kind of client.
    pub hosts: Vec<ProbedHost<'a>>,
    /// When it ended, seconds since the Unix epoch.
    pub ended: i64,
    /// How long it took.
    pub seconds: f64,
}

/// What was seen of a host at an address.
pub struct ProbedHost<'a> {
    /// What the host is called.
    pub host: &'a str,
    /// Where it was looked; empty where there was nowhere to look.
    pub address: String,
    /// The type of the key, or `any` where every type was right.
    pub key_type: &'a str,
    /// End of the certificate, if it shows one.
    pub not_after: Option<i64>,
    /// What is wrong, in words of a closed set.
    pub faults: Vec<&'static str>,
}

/// The page of a run.
#[must_use]
pub fn render_probe(facts: &ProbeFacts<'_>) -> String {
    let mut page = Text::default();
    let mut hosts: Vec<&str> = facts.hosts.iter().map(|seen| seen.host).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let wrong: std::collections::HashSet<&str> =
        facts.hosts.iter().filter(|seen| !seen.faults.is_empty()).map(|seen| seen.host).collect();
    let success: Vec<_> =
        hosts.iter().map(|host| (labels(&PROBE_SUCCESS, &[host]), u8::from(!wrong.contains(host)))).collect();
    page.family(&PROBE_SUCCESS, success.iter().map(|(labels, value)| (labels.as_str(), *value)));
    let ends: Vec<_> = facts
        .hosts
        .iter()
        .filter_map(|seen| {
            Some((labels(&PROBE_NOT_AFTER, &[seen.host, &seen.address, seen.key_type]), seen.not_after?))
        })
        .collect();
    page.family(&PROBE_NOT_AFTER, ends.iter().map(|(labels, value)| (labels.as_str(), *value)));
    let faults: Vec<String> = facts
        .hosts
        .iter()
        .flat_map(|seen| seen.faults.iter().map(|fault| labels(&PROBE_FAULT, &[seen.host, &seen.address, fault])))
        .collect();
    page.family(&PROBE_FAULT, faults.iter().map(|labels| (labels.as_str(), 1)));
    let counts = [("well", hosts.len() - wrong.len()), ("wrong", wrong.len())];
    let counts = counts.map(|(result, count)| (labels(&PROBE_HOSTS, &[result]), count));
    page.family(&PROBE_HOSTS, counts.iter().map(|(labels, count)| (labels.as_str(), *count)));
    page.family(&PROBE_LAST_RUN, [("", facts.ended)]);
    page.family(&PROBE_DURATION, [("", facts.seconds)]);
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_well_when_it_is_at_each_of_its_addresses() {
        let seen = |host, address: &str, not_after, faults| ProbedHost {
            host,
            address: address.into(),
            key_type: "ecdsa",
            not_after,
            faults,
        };
        let page = render_probe(&ProbeFacts {
            hosts: vec![
                seen("b.example", "192.0.2.1:443", Some(2_000), vec![]),
                seen("b.example", "192.0.2.2:443", Some(1_000), vec!["expired", "wrong_name"]),
                seen("a.example", "", None, vec!["unresolved"]),
                seen("c.example", "192.0.2.1:443", Some(2_000), vec![]),
            ],
            ended: 1_790_000_000,
            seconds: 1.5,
        });
        let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "vitrine_probe_success{host=\"a.example\"} 0",
            "vitrine_probe_success{host=\"b.example\"} 0",
            "vitrine_probe_success{host=\"c.example\"} 1",
            "vitrine_probe_certificate_not_after_seconds{host=\"b.example\",address=\"192.0.2.1:443\",key_type=\"ecdsa\"} 2000",
            "vitrine_probe_certificate_not_after_seconds{host=\"b.example\",address=\"192.0.2.2:443\",key_type=\"ecdsa\"} 1000",
            "vitrine_probe_certificate_not_after_seconds{host=\"c.example\",address=\"192.0.2.1:443\",key_type=\"ecdsa\"} 2000",
            "vitrine_probe_fault{host=\"b.example\",address=\"192.0.2.2:443\",fault=\"expired\"} 1",
            "vitrine_probe_fault{host=\"b.example\",address=\"192.0.2.2:443\",fault=\"wrong_name\"} 1",
            "vitrine_probe_fault{host=\"a.example\",address=\"\",fault=\"unresolved\"} 1",
            "vitrine_probe_hosts{result=\"well\"} 1",
            "vitrine_probe_hosts{result=\"wrong\"} 2",
            "vitrine_probe_last_run_seconds 1790000000",
            "vitrine_probe_duration_seconds 1.5",
        ];
        assert_eq!(lines, expected);
    }
}
