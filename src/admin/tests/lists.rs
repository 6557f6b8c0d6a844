//! What is listed and measured.

use super::*;
use crate::certs::{Intake, KeyKind, LocalCa, valid_for};
use crate::config::{Reloads, Trouble};
use crate::live::{CertFacts, CertTraits, KeyType, ServedCert, ValidationLevel};

#[tokio::test]
async fn certificates_are_listed_with_the_sites_they_serve() {
    let mut plane = Plane::start().await;
    let shop = certificate("shop", &["shop.example", "*.shop.example"], LONG_AGO, FAR_AHEAD);
    let late = certificate("late", &["late.example"], LONG_AGO, LONG_AGO + 1);
    plane.certificates.publish(CertIndex::ranked([shop, late]));
    let list = plane.api("certificates").await;
    let days = list[0]["days_left"].as_i64().expect("a number");
    assert!(days > 300_000, "{days}");
    assert_eq!(
        list[0],
        json!({
            "fingerprint": "print of shop", "subject": "shop", "issuer": "Some CA", "serial": "0a", "type": "ssl",
            "names": ["shop.example", "*.shop.example"], "key_type": "ecdsa",
            "not_before": "2001-09-09T01:46:40Z", "not_after": "3000-01-01T00:00:00Z", "days_left": days,
            "file": "certs/shop.pem", "embedded_key": true, "in_grace": false, "held": false, "state": "valid", "band": "good",
            "level": "dv", "verdict": "accepted", "warnings": [], "sites": ["shop.example"],
        })
    );
    assert_eq!(
        (&list[1]["state"], &list[1]["sites"], list.as_array().map(Vec::len)),
        (&json!("expired"), &json!(["late.example"]), Some(2))
    );
    let codes: Vec<&Value> =
        list[1]["warnings"].as_array().expect("a list").iter().map(|warning| &warning["code"]).collect();
    assert_eq!(
        (&list[1]["verdict"], codes),
        (
            &json!("accepted with warnings"),
            vec![&json!("expired"), &json!("validation-too-low"), &json!("site-names-uncovered")]
        )
    );
}

#[tokio::test]
async fn sites_tell_who_serves_each_host_and_why() {
    let mut plane = Plane::start().await;
    let newest = certificate("newest", &["shop.example", "*.shop.example"], LONG_AGO + 9, FAR_AHEAD);
    let older = certificate("older", &["*.shop.example"], LONG_AGO, FAR_AHEAD);
    let late = certificate("late", &["late.example"], LONG_AGO, LONG_AGO + 1);
    plane.certificates.publish(CertIndex::ranked([newest, older, late]));
    let serving = |print: &str, rule: &str, not_after: &str| json!([{ "key_type": "ecdsa", "fingerprint": format!("print of {print}"), "not_after": not_after, "rule": rule, "checked": null, "served": null }]);
    let (ahead, ago) = ("3000-01-01T00:00:00Z", "2001-09-09T01:46:41Z");
    let as_configured = json!({ "effective": "uploaded", "configured": "uploaded", "pinned": [], "decided_by": null, "decided_at": null });
    let (list, standing) = apart(plane.api("sites").await);
    assert_eq!(
        list,
        json!([
            {
                "name": "shop.example", "certificate": as_configured, "managed": null,
                "origin": "",
                "hosts": [
                    { "host": "shop.example", "state": "served", "checked": null, "served": null, "certificates": serving("newest", "only candidate", ahead) },
                    { "host": "*.shop.example", "state": "served", "checked": null, "served": null, "certificates": serving("newest", "issued later", ahead) },
                ],
                "routes": [
                    { "path": "/api", "upstreams": ["10.0.0.1:8081"] },
                    { "path": "/", "upstreams": ["10.0.0.1:8080"] },
                ],
            },
            {
                "name": "late.example", "certificate": as_configured, "managed": null,
                "origin": "",
                "hosts": [
                    { "host": "late.example", "state": "expired", "checked": null, "served": null, "certificates": serving("late", "only candidate", ago) },
                    { "host": "www.bare.example", "state": "no certificate", "checked": null, "served": null, "certificates": [] },
                ],
                "routes": [{ "path": "/", "upstreams": ["10.0.0.1:8082"] }],
            },
        ])
    );
    let reason =
        json!({ "code": "uncovered", "text": "no certificate serves some of its hosts", "detail": "www.bare.example" });
    assert_eq!(
        standing[1],
        json!({
            "state": "configure", "action": "configure", "reason": reason, "served": "partly", "band": "expired",
            "days_left": standing[1]["days_left"], "not_after": ago, "renewal": null, "last_error": null, "request": null,
            "minimum": { "effective": "ov", "configured": "ov", "decided_by": null, "decided_at": null },
        })
    );
    assert_eq!((&standing[0]["state"], &standing[0]["band"]), (&json!("completed"), &json!("good")));
}

/// What a site is like, taken out of what else is said of it.
fn apart(mut list: Value) -> (Value, Vec<Value>) {
    let fields = [
        "state",
        "action",
        "reason",
        "served",
        "band",
        "days_left",
        "not_after",
        "renewal",
        "last_error",
        "request",
        "minimum",
    ];
    let sites = list.as_array_mut().expect("a list").iter_mut().map(|site| {
        let site = site.as_object_mut().expect("a site");
        let taken = fields.map(|field| (field.to_owned(), site.remove(field).expect("told of every site")));
        Value::Object(taken.into_iter().collect())
    });
    let standing = sites.collect();
    (list, standing)
}

#[tokio::test]
async fn sites_and_certificates_are_found_by_what_they_are_like_and_given_in_parts() {
    let mut plane = Plane::start().await;
    let shop = certificate("shop", &["shop.example", "*.shop.example"], LONG_AGO, FAR_AHEAD);
    let late = certificate("late", &["late.example"], LONG_AGO, LONG_AGO + 1);
    plane.certificates.publish(CertIndex::ranked([shop, late]));
    for (query, total, expected) in [
        ("sites?q=BARE", "1", &["late.example"][..]),
        ("sites?state=completed", "1", &["shop.example"]),
        ("sites?band=expired&state=configure", "1", &["late.example"]),
        ("sites?q=example&limit=1", "2", &["shop.example"]),
        ("sites?limit=1&offset=1", "2", &["late.example"]),
        ("sites?q=nothing", "0", &[]),
        ("certificates?q=LATE", "1", &["late"]),
        ("certificates?host=www.shop.example", "1", &["shop"]),
        ("certificates?host=shop.example", "1", &["shop"]),
        ("certificates?band=expired", "1", &["late"]),
        ("certificates?offset=1&limit=5", "2", &["late"]),
    ] {
        let answer = plane.local(&format!("GET /api/v1/{query} HTTP/1.1\nHost: localhost")).await;
        let name = if query.starts_with("sites") { "name" } else { "subject" };
        let names: Vec<Value> = answer.json().as_array().expect("a list").iter().map(|one| one[name].clone()).collect();
        assert_eq!(
            (answer.field("x-total-count"), names),
            (total, expected.iter().map(|name| json!(name)).collect()),
            "{query}"
        );
    }
    for wrong in ["sites?state=busy", "sites?limit=-1", "sites?band=", "certificates?band=late", "alerts?severity=high"]
    {
        let refused = plane.local(&format!("GET /api/v1/{wrong} HTTP/1.1\nHost: localhost")).await;
        refused.assert_problem(400, "malformed-request");
    }
}

#[tokio::test]
async fn what_needs_somebody_is_one_list_and_shown_on_every_page_with_the_way_to_it() {
    let mut plane = Plane::start().await;
    let shop = certificate("shop", &["shop.example", "*.shop.example"], LONG_AGO, LONG_AGO + 1);
    plane.certificates.publish(CertIndex::ranked([shop]));
    let alert = |code: &str, severity: &str, site: &str, text: &str, since: Value| json!({ "code": code, "severity": severity, "subject": site, "site": site, "organisation": null, "text": text, "since": since, "mend": "site" });
    let bare = "no certificate serves late.example, www.bare.example; bring one, or have it ordered";
    assert_eq!(
        plane.api("alerts").await,
        json!([
            alert(
                "expired",
                "critical",
                "shop.example",
                "the certificate that serves has expired",
                json!("2001-09-09T01:46:41Z")
            ),
            alert("no-certificate", "warning", "late.example", bare, json!(null)),
        ])
    );
    assert_eq!(plane.api("alerts?severity=warning&limit=9").await[0]["code"], "no-certificate");
    let page = plane.local("GET /audit HTTP/1.1\nHost: localhost").await.content;
    for bar in [
        r#"<li class="critical"><a href="/sites/shop.example">1 site serves an expired certificate: shop.example</a>"#,
        r#"<li class="warning"><a href="/sites/late.example">1 site lacks a certificate: late.example</a>"#,
    ] {
        assert!(page.contains(bar), "{bar}: {page}");
    }
    let metrics = plane.admin("GET /metrics HTTP/1.1\nHost: localhost").await.content;
    for line in [
        "vitrine_sites{state=\"completed\"} 1",
        "vitrine_sites{state=\"configure\"} 1",
        "vitrine_sites{state=\"renewing\"} 0",
    ] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn sites_tell_what_puts_a_better_certificate_before_one_of_a_worse_kind() {
    let exact = ["shop.example"];
    let both = ["*.shop.example", "shop.example"];
    let good = || certificate("good", &both, LONG_AGO, FAR_AHEAD);
    let worse = |names: &[&str], make: fn(&mut ServedCert)| {
        let mut worse = Arc::into_inner(certificate("worse", names, LONG_AGO, FAR_AHEAD)).expect("the only one");
        make(&mut worse);
        Arc::new(worse)
    };
    let rsa_and_expired = |served: &mut ServedCert| {
        served.key_type = KeyType::Rsa;
        served.facts.not_after = LONG_AGO + 1;
    };
    for (worse, expected) in [
        (worse(&exact, |served| served.facts.not_after = LONG_AGO + 1), "valid now before not valid now"),
        (worse(&exact, |served| served.facts.trusted = false), "trusted chain before untrusted"),
        (worse(&exact, |served| served.facts.vouched = false), "complete chain before none"),
        (worse(&exact, |served| served.facts.in_grace = true), "in place before withdrawn"),
        (worse(&exact, rsa_and_expired), "valid now before not valid now"),
        (worse(&exact, |served| served.key_type = KeyType::Rsa), "only candidate"),
    ] {
        let stands_for = if expected == "only candidate" { &worse.names[..] } else { &[] };
        let good = good();
        let index = CertIndex::standing_for([(&good, &*good.names), (&worse, stands_for)]);
        assert_eq!(rules(index, "shop.example").await[0], expected, "{worse:?}");
    }
    // Its exact name does not bring an expired one before a wildcard that is valid.
    let host = "www.bare.example";
    let wildcard = certificate("good", &["*.bare.example"], LONG_AGO, FAR_AHEAD);
    let expired = worse(&[host], |served| served.facts.not_after = LONG_AGO + 1);
    let index = CertIndex::standing_for([(&wildcard, &*wildcard.names), (&expired, &[])]);
    assert_eq!(rules(index, host).await, ["valid now before not valid now"]);
    let newer = certificate("newer", &["*.bare.example"], LONG_AGO + 9, FAR_AHEAD);
    let index = CertIndex::ranked([newer, certificate("exact", &[host], LONG_AGO, FAR_AHEAD), wildcard]);
    assert_eq!(rules(index, host).await, ["exact name before wildcard"]);
}

/// The rules told for a host, one for each type of key.
async fn rules(index: CertIndex, host: &str) -> Vec<String> {
    let mut plane = Plane::start().await;
    plane.certificates.publish(index);
    let sites = plane.api("sites").await;
    let hosts = sites.as_array().into_iter().flatten().flat_map(|site| site["hosts"].as_array()).flatten();
    let told = hosts.filter(|entry| entry["host"] == host).flat_map(|entry| entry["certificates"].as_array()).flatten();
    told.map(|serving| serving["rule"].as_str().expect("a rule").to_owned()).collect()
}

#[tokio::test]
async fn a_withdrawn_certificate_has_no_series_at_the_next_scrape() {
    let mut plane = Plane::start().await;
    let scrape = "GET /metrics HTTP/1.1\nHost: localhost";
    plane.certificates.publish(CertIndex::ranked([certificate("shop", &["shop.example"], LONG_AGO, FAR_AHEAD)]));
    let page = plane.admin(scrape).await.content;
    assert!(page.contains("x509_cert_not_after{subject_CN=\"shop\""), "{page}");
    let site =
        "vitrine_site_certificate_not_after_seconds{site=\"shop.example\",source=\"uploaded\",key_type=\"ecdsa\"}";
    assert!(page.contains(&format!("{site} {FAR_AHEAD}\n")), "{page}");
    assert!(page.contains("vitrine_site_hosts_without_certificate{site=\"late.example\"} 2\n"), "{page}");
    plane.certificates.publish(CertIndex::default());
    let page = plane.admin(scrape).await.content;
    assert!(!page.contains("x509_cert_not_after") && !page.contains(site), "{page}");
}

#[tokio::test]
async fn what_the_intake_has_against_a_file_is_listed_and_counted() {
    let drop = tempfile::tempdir().expect("a folder");
    std::fs::write(drop.path().join("bad.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("written");
    let (index, well_known) = (table(CertIndex::default()).0, table(WellKnown::default()).0);
    let intake = {
        let store = Store::in_memory();
        let (terms, frozen) = (watch::channel(Arc::default()).1, watch::channel(false).1);
        Intake::start(drop.path().to_owned(), store, drop.path(), (index, well_known), terms, frozen).expect("started")
    };
    let plane = Plane::with_intake(Some(intake.clone())).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while intake.ledger().rejected.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the file was not listed");
        tokio::task::yield_now().await;
    }
    let list = plane.api("rejected").await;
    let entry = &list[0];
    assert_eq!((list.as_array().map(Vec::len), &entry["state"]), (Some(1), &json!("rejected")));
    assert!(entry["file"].as_str().is_some_and(|file| file.ends_with("bad.pem")), "{entry}");
    for text in ["code", "reason", "mend"] {
        assert!(entry[text].as_str().is_some_and(|text| !text.is_empty()), "{entry}");
    }
    assert!(entry["since"].as_str().is_some_and(|since| since.ends_with('Z') && since.len() == 20), "{entry}");

    let page = plane.admin("GET /metrics HTTP/1.1\nHost: localhost").await.content;
    assert!(page.contains("\nvitrine_certificates_rejected 1\n"), "{page}");
    assert!(page.contains("\nx509_source_up{source_kind=\"file\",source_name=\"drop_directory\"} 1\n"), "{page}");
    assert!(page.contains("\nvitrine_certificate_alarms{code=\"withdrawal-held\"} 0\n"), "{page}");
    assert_eq!(plane.api("alarms").await.as_array().map(Vec::len), Some(intake.ledger().alarms.len()));
}

#[tokio::test]
async fn what_of_the_configuration_does_not_apply_is_an_alarm_and_measured() {
    let plane = Plane::start().await;
    let trouble = |text: &str, since| Trouble { text: text.into(), since };
    plane.configuration.send_replace(Standing {
        refused: vec![trouble("v.toml:1: edge: wrong", 1_000_000_000)],
        rejected: vec![trouble("sites.d/a.toml:2: site: wrong", 1_000_000_001)],
        reloads: Reloads { applied: 2, refused: 1, failed: 0 },
    });
    assert_eq!(
        plane.api("alarms").await,
        json!([
            { "code": "config-not-reloaded", "message": "v.toml:1: edge: wrong", "since": "2001-09-09T01:46:40Z" },
            { "code": "config-rejected", "message": "sites.d/a.toml:2: site: wrong", "since": "2001-09-09T01:46:41Z" },
        ])
    );
    let page = plane.admin("GET /metrics HTTP/1.1\nHost: localhost").await.content;
    for line in [
        "vitrine_config_last_reload_successful 0",
        "vitrine_config_rejected 1",
        "vitrine_config_reloads_total{result=\"applied\"} 2",
        "vitrine_config_reloads_total{result=\"failed\"} 0",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line}: {page}");
    }
}

fn certificate(cn: &str, names: &[&str], not_before: i64, not_after: i64) -> Arc<ServedCert> {
    let authority = LocalCa::new("Any").expect("an authority");
    let any = [HostPattern::parse("any.example").expect("a name")];
    let any = authority.issue(&any, valid_for(1), KeyKind::Ecdsa).expect("issued").served().expect("served");
    Arc::new(ServedCert {
        certified: Arc::clone(&any.certified),
        key_type: KeyType::EcdsaP256,
        names: names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect(),
        facts: CertFacts {
            fingerprint: format!("print of {cn}").into(),
            subject_cn: cn.into(),
            issuer_cn: "Some CA".into(),
            issuer_o: "Some Org".into(),
            serial: "0a".into(),
            not_before,
            not_after,
            traits: CertTraits { level: Some(ValidationLevel::Domain), ..CertTraits::default() },
            file: Path::new("certs").join(format!("{cn}.pem")).into(),
            embedded_key: true,
            vouched: true,
            trusted: true,
            in_grace: false,
            held: false,
            revoked: false,
            stand_in: false,
        },
    })
}

const LONG_AGO: i64 = 1_000_000_000;
const FAR_AHEAD: i64 = 32_503_680_000;
