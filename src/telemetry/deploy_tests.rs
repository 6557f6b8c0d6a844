//! That dashboards and alert rules in `deploy/` speak of what there is, and that each alert is tested.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::catalogue::{self, Kind};
use super::labels::{Label, LocalAnswer};
use super::probe_page;

#[test]
fn promtool_accepts_the_alert_rules_and_they_raise_what_their_tests_say() {
    for (does, files) in [
        ("check", &["deploy/prometheus/rules.yml"][..]),
        ("test", &["tests/alerts/rules.test.yml", "tests/alerts/each.test.yml", "tests/alerts/slow.test.yml"]),
    ] {
        let mut tool = Command::new("promtool");
        let said = tool.args([does, "rules"]).args(files).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        let said = said.expect("promtool, of Debian's package prometheus");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&[said.stdout, said.stderr].concat()));
    }
}

/// Each alert is seen to be raised, and seen not to be.
#[test]
fn every_alert_has_a_test_in_which_it_is_raised_and_one_in_which_it_is_not() {
    let rules = include_str!("../../deploy/prometheus/rules.yml");
    let alerts = rules.lines().filter_map(|line| line.trim_start().strip_prefix("- alert: "));
    let mut missing: BTreeMap<&str, Vec<&str>> = alerts.map(|alert| (alert, vec!["raised", "not raised"])).collect();
    assert!(missing.len() > 30, "{missing:?}");
    for file in [
        include_str!("../../tests/alerts/rules.test.yml"),
        include_str!("../../tests/alerts/each.test.yml"),
        include_str!("../../tests/alerts/slow.test.yml"),
    ] {
        for looked in file.split("alertname: ").skip(1) {
            let (alert, rest) = looked.split_once('\n').expect("more lines");
            let seen = if rest.contains("exp_alerts:") { "raised" } else { "not raised" };
            let open = missing.get_mut(alert).unwrap_or_else(|| panic!("there is no alert {alert}"));
            open.retain(|kind| *kind != seen);
        }
    }
    missing.retain(|_, kinds| !kinds.is_empty());
    assert_eq!(missing, BTreeMap::new());
}

/// An alert on a word that no series has would never be raised.
#[test]
fn the_alert_rules_pick_words_of_the_closed_sets() {
    let rules = include_str!("../../deploy/prometheus/rules.yml");
    for answer in [LocalAnswer::UpstreamLimit, LocalAnswer::Descriptors] {
        let series = format!("vitrine_local_answers_total{{reason=\"{}\"}}", answer.label());
        assert!(rules.contains(&series), "{series}");
    }
}

/// The dashboards and the alert rules speak of metrics that exist.
#[test]
fn deploy_names_no_metric_that_is_not_in_the_catalogue() {
    for file in dashboards().into_iter().chain([deploy().join("prometheus/rules.yml")]) {
        let text = std::fs::read_to_string(&file).expect("the file");
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let metrics: Vec<_> = words
            .filter(|word| ["vitrine_", "x509_", "process_"].iter().any(|prefix| word.starts_with(prefix)))
            .collect();
        assert!(!metrics.is_empty(), "{file:?}");
        for metric in metrics {
            let known = catalogue::ALL.iter().chain(probe_page::ALL).any(|family| {
                metric == family.name
                    || family.kind == Kind::Histogram
                        && metric
                            .strip_prefix(family.name)
                            .is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest))
            });
            assert!(known, "{file:?} names {metric}");
        }
    }
}

/// Grafana imports them: each by an identifier of its own, with what chooses among edges and sites.
#[test]
fn every_dashboard_can_be_imported_and_chooses_job_edge_and_site() {
    let mut identifiers = Vec::new();
    for file in dashboards() {
        let text = std::fs::read_to_string(&file).expect("the file");
        let board: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let variables = board["templating"]["list"].as_array().expect("variables");
        let names: Vec<_> = variables.iter().filter_map(|variable| variable["name"].as_str()).collect();
        assert_eq!(names, ["datasource", "job", "instance", "site"], "{file:?}");
        assert!(board["schemaVersion"].as_u64().is_some_and(|version| version >= 36), "{file:?}");
        assert!(board.get("id").is_none(), "{file:?}: an identifier of one Grafana");
        identifiers.push(board["uid"].as_str().expect("an identifier").to_owned());
        for panel in board["panels"].as_array().expect("panels").iter().filter(|panel| panel["type"] != "row") {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{file:?}: {}", panel["title"]);
            assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{}", panel["title"]);
        }
    }
    assert_eq!(identifiers, ["vitrine-acme", "vitrine-certificates", "vitrine-traffic"]);
}

fn dashboards() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(deploy().join("grafana")).expect("the folder");
    let mut files: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}
