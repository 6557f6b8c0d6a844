//! How requests are shared out: what it comes to, and what is refused.

use std::time::Duration;

use super::{parse, warnings, wrong_alone};
use crate::live::{Balance, BalanceMethod, GroupSpec, OpenLimit, Sticky};

fn site(rest: &str) -> String {
    format!("[[site]]\nhosts = [\"a.example\"]\n{rest}\n")
}

const UP: &str = "upstreams = [\"http://127.0.0.1:1\"]\n";

fn groups(text: &str) -> Vec<GroupSpec> {
    let loaded = parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(warnings(&loaded), "");
    loaded.config.sites.into_iter().flat_map(|site| site.routes).map(|(_, group)| group).collect()
}

fn refused(rest: &str, mistake: &str) {
    assert_eq!(wrong_alone(&site(rest)), format!("v.toml:{mistake}"), "{rest}");
}

#[test]
fn an_upstream_may_have_a_weight() {
    let read = groups(&site(
        "upstreams = [\"http://a:1\", { url = \"http://b:1\", weight = 3 }, { url = \"http://c:1\" }, { url = \"http://d:1\", weight = 0 }]",
    ));
    let weights: Vec<(String, u32)> =
        read[0].upstreams.iter().map(|member| (member.upstream.to_string(), member.weight)).collect();
    assert_eq!(
        weights,
        [("a:1", 1), ("b:1", 3), ("c:1", 1), ("d:1", 0)].map(|(name, weight)| (name.to_owned(), weight))
    );
}

#[test]
fn wrong_weights_are_told_with_the_mend() {
    for (member, mistake) in [
        ("{ weight = 3 }", "expected a url in the table, such as { url = \"http://10.0.0.11:8080\", weight = 3 }"),
        ("{ url = \"http://a\", weigth = 3 }", "unknown key \"weigth\" in a table; known here are url, weight"),
        ("{ url = \"http://a\", weight = 1001 }", "expected a weight of 0 to 1000, found 1001"),
        ("{ url = \"http://a\", weight = \"3\" }", "expected a weight of 0 to 1000, found \"3\""),
        ("{ url = \"a\" }", "expected an upstream such as \"http://10.0.0.11:8080\", found \"a\"; write \"http://a\""),
    ] {
        refused(&format!("upstreams = [{member}]"), &format!("3: site.upstreams: {mistake}"));
    }
}

#[test]
fn a_method_is_read_and_taken_over() {
    let method = |rest: &str| groups(&site(&format!("{UP}{rest}")))[0].balance.clone();
    let of = |method| Balance { method, ..Balance::default() };
    for (word, balance) in [
        ("balance = { method = \"round-robin\" }", Balance::default()),
        ("balance = { method = \"least-requests\" }", of(BalanceMethod::LeastRequests)),
        ("balance = { method = \"client\" }", of(BalanceMethod::Client)),
        ("balance = { method = \"cookie\", cookie = \"sid\" }", of(BalanceMethod::Cookie("sid".into()))),
        ("", Balance::default()),
    ] {
        assert_eq!(method(word), balance, "{word}");
    }
    let kin = "[[site]]\nhosts = [\"b.example\"]\nlike = \"a.example\"\n";
    let all =
        groups(&(site(&format!("{UP}balance = {{ method = \"client\" }}\n[[site.route]]\npath = \"/x\"\n{UP}")) + kin));
    assert_eq!(all.len(), 4);
    assert!(
        all.iter().all(|group| group.balance == Balance { method: BalanceMethod::Client, ..Balance::default() }),
        "{all:?}"
    );
}

#[test]
fn wrong_methods_are_told_with_the_mend() {
    let balance = |text: &str| format!("{UP}[site.balance]\n{text}");
    for (text, mistake) in [
        (
            "method = \"random\"",
            "5: site.balance.method: expected \"round-robin\", \"least-requests\", \"client\" or \"cookie\", found \"random\"",
        ),
        (
            "method = \"cookie\"",
            "5: site.balance.method: \"cookie\" needs cookie: the name of the one whose value decides, such as \"PHPSESSID\"",
        ),
        ("cookie = \"sid\"", "5: site.balance.cookie: needs method = \"cookie\""),
        (
            "method = \"client\"\ncookie = \"sid\"",
            "6: site.balance.cookie: decides nothing unless method is \"cookie\"; say so, or take it out",
        ),
        (
            "sticky_max_age = \"1h\"",
            "5: site.balance.sticky_max_age: says nothing without site.balance.sticky, the name of the edge's own cookie",
        ),
        (
            "queue = 5",
            "5: site.balance.queue: says nothing without site.balance.connections, how many requests an upstream may have",
        ),
        (
            "connections = 5\nqueue_timeout = \"6m\"",
            "6: site.balance.queue_timeout: expected a duration of 1ms to 5m, found \"6m\"",
        ),
        (
            "sticky = \"edge\"\nsticky_max_age = \"401d\"",
            "6: site.balance.sticky_max_age: expected a duration of 1s to 400d, found \"401d\"",
        ),
        (
            "method = \"cookie\"\ncookie = \"a=b\"",
            "6: site.balance.cookie: expected a cookie's name such as \"PHPSESSID\", found \"a=b\"",
        ),
    ] {
        refused(&balance(text), mistake);
    }
}

#[test]
fn a_sticky_cookie_is_read_and_taken_over() {
    let kin = "[[site]]\nhosts = [\"b.example\"]\nlike = \"a.example\"\n";
    let own = format!("{UP}balance = {{ sticky = \"edge\", sticky_max_age = \"1h\" }}\n");
    let sticky = Some(Sticky { name: "edge".into(), max_age: Some(Duration::from_secs(3600)) });
    let all: Vec<_> = groups(&(site(&own) + kin)).into_iter().map(|group| group.balance.sticky).collect();
    assert_eq!(all, [sticky.clone(), sticky]);
}

#[test]
fn a_limit_is_read_with_its_defaults_and_taken_over_or_lifted() {
    let kin = |rest: &str| format!("[[site]]\nhosts = [\"{rest}b.example\"]\nlike = \"a.example\"\n{rest}");
    let lifted = "[[site]]\nhosts = [\"c.example\"]\nlike = \"a.example\"\nbalance = { connections = 0 }\n";
    let own = format!("{UP}balance = {{ connections = 7 }}\n");
    let limit = Some(OpenLimit { connections: 7, queue: 100, patience: Duration::from_secs(5) });
    let all: Vec<_> = groups(&(site(&own) + &kin("") + lifted)).into_iter().map(|group| group.balance.limit).collect();
    assert_eq!(all, [limit.clone(), limit, None]);
}

#[test]
fn times_of_health_are_read_and_taken_over() {
    let kin = "[[site]]\nhosts = [\"b.example\"]\nlike = \"a.example\"\nhealth = { slow_start = \"1m\" }\n";
    let own = format!("{UP}health = {{ slow_start = \"30s\", eject_slower_than = \"250ms\" }}\n");
    let times = |group: GroupSpec| (group.care.slow_start, group.care.eject_slower_than);
    let all: Vec<_> = groups(&(site(&own) + kin)).into_iter().map(times).collect();
    let (slow, half, whole) = (Duration::from_millis(250), Duration::from_secs(30), Duration::from_secs(60));
    assert_eq!(all, [(Some(half), Some(slow)), (Some(whole), Some(slow))]);
    refused(
        &format!("{UP}[site.health]\nslow_start = \"2h\""),
        "5: site.health.slow_start: expected a duration of 1ms to 1h, found \"2h\"",
    );
}
