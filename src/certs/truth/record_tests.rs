//! What is kept of checks, over time.

use super::*;
use crate::limits::Limits;
use crate::live::SiteSpec;

fn host(name: &str) -> HostPattern {
    HostPattern::parse(name).expect("a pattern")
}

fn sites(names: &[&str]) -> RouteTable {
    let spec = |name: &&str| SiteSpec {
        name: (*name).into(),
        hosts: vec![host(name)],
        routes: Vec::new(),
        minimum_validation: None,
        staging: false,
        provision: Default::default(),
        on_demand: Default::default(),
        orders: Default::default(),
        policy: Default::default(),
    };
    RouteTable::new(names.iter().map(spec).collect(), Limits::default(), Vec::new(), 443)
}

fn truth(names: &[&str]) -> Truth {
    let truth = Truth::default();
    truth.adopt(&sites(names), |_| true, Instant::now());
    truth
}

fn found(offer: Offer, result: TruthResult) -> Finding {
    let wrong = (result != TruthResult::Match).then(|| wrong(result));
    Finding { offer, expected: Some(PRINT.into()), result, wrong }
}

fn wrong(result: TruthResult) -> Instead {
    Instead::NoCertificate { listener: "127.0.0.1:443".into(), text: format!("it is {}", result.label()) }
}

fn note(truth: &Truth, name: &str, results: &[(Offer, TruthResult)]) -> bool {
    let of = Of { site: name, label: name, host: &host(name), enough: 3 };
    truth.note(of, results.iter().map(|(offer, result)| found(*offer, *result)).collect(), 7)
}

#[tokio::test(start_paused = true)]
async fn the_age_is_that_of_the_site_that_waits_for_longest_and_only_an_answer_makes_it_young() {
    let truth = truth(&["a.example", "b.example"]);
    assert_eq!(Truth::default().age(), Duration::ZERO);
    let second = Duration::from_secs(1);
    tokio::time::advance(second * 9).await;
    note(&truth, "a.example", &[(Offer::Ecdsa, TruthResult::Match)]);
    assert_eq!(truth.age(), second * 9);
    note(&truth, "b.example", &[(Offer::Ecdsa, TruthResult::NoAnswer)]);
    assert_eq!(truth.age(), second * 9);
    note(&truth, "b.example", &[(Offer::Ecdsa, TruthResult::Mismatch)]);
    tokio::time::advance(second).await;
    assert_eq!(truth.age(), second);
    truth.adopt(&sites(&["a.example", "new.example"]), |_| true, Instant::now());
    tokio::time::advance(second).await;
    assert_eq!(truth.age(), second * 2);
    // A site that nobody can ask for waits for no check.
    truth.adopt(&sites(&["-x.example"]), |_| false, Instant::now());
    assert_eq!(truth.age(), Duration::ZERO);
}

#[test]
fn every_handshake_is_counted_by_its_result() {
    let truth = truth(&["a.example"]);
    note(&truth, "a.example", &[(Offer::Ecdsa, TruthResult::Match), (Offer::Rsa, TruthResult::Refused)]);
    note(&truth, "a.example", &[(Offer::Ecdsa, TruthResult::Match), (Offer::Rsa, TruthResult::Invalid)]);
    let expected = [("match", 2), ("mismatch", 0), ("refused", 1), ("no_answer", 0), ("invalid", 1)];
    assert_eq!(truth.checks(), expected);
}

#[test]
fn a_mismatch_is_over_after_enough_good_checks_in_a_row_and_other_faults_at_once() {
    let truth = truth(&["a.example"]);
    let once = |result| note(&truth, "a.example", &[(Offer::Ecdsa, result)]);
    assert!(once(TruthResult::NoAnswer));
    assert!(truth.contradictions().is_empty(), "that nobody answers is no mismatch");
    assert!(!once(TruthResult::Match));
    assert!(once(TruthResult::NoAnswer));
    for result in [TruthResult::Mismatch, TruthResult::Match, TruthResult::Match, TruthResult::Refused] {
        assert!(once(result));
        assert_eq!(truth.contradicted_sites().len(), 1, "{result:?}");
    }
    assert!(once(TruthResult::Match) && once(TruthResult::Match));
    assert_eq!(truth.contradictions().len(), 1);
    assert!(!once(TruthResult::Match));
    assert!(truth.contradictions().is_empty());
}

#[test]
fn what_is_published_no_more_is_not_wrong_either() {
    let truth = truth(&["a.example", "b.example"]);
    note(&truth, "a.example", &[(Offer::Ecdsa, TruthResult::Match), (Offer::Rsa, TruthResult::Mismatch)]);
    note(&truth, "b.example", &[(Offer::Ecdsa, TruthResult::Mismatch)]);
    assert_eq!(truth.contradictions().len(), 2);
    assert!(!note(&truth, "a.example", &[(Offer::Ecdsa, TruthResult::Match)]));
    assert_eq!(truth.contradicted_sites().into_iter().collect::<Vec<_>>(), ["b.example"]);
    truth.adopt(&sites(&["a.example"]), |_| true, Instant::now());
    assert!(truth.contradictions().is_empty());
    assert_eq!(truth.of_host(&host("b.example")), None);
}

#[test]
fn a_check_counts_for_the_certificate_that_it_was_made_of() {
    let truth = truth(&["a.example"]);
    let name = host("a.example");
    note(&truth, "a.example", &[(Offer::Ecdsa, TruthResult::Match), (Offer::Rsa, TruthResult::Mismatch)]);
    let of = |key_type, print: &str| truth.of_certificate(&name, key_type, print);
    let wrong = Checked { at: 7, fault: Some(wrong(TruthResult::Mismatch)) };
    assert_eq!(of(KeyType::EcdsaP384, PRINT), Some(Checked { at: 7, fault: None }));
    assert_eq!(of(KeyType::Rsa, PRINT), Some(wrong.clone()));
    assert_eq!(of(KeyType::Ed25519, PRINT), None);
    assert_eq!(of(KeyType::EcdsaP256, &PRINT.replace('a', "b")), None);
    assert_eq!(truth.of_host(&name), Some(wrong));
}

#[test]
fn very_many_that_are_wrong_make_a_short_list() {
    let names: Vec<String> = (100..150).map(|number| format!("a{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let truth = truth(&names);
    for name in &names {
        note(&truth, name, &[(Offer::Ecdsa, TruthResult::Mismatch)]);
    }
    let list = truth.contradictions();
    let last = Contradiction { message: "30 more; `vitrine sites list` shows which".into(), shown: None, since: 7 };
    assert_eq!((list.len(), list.last(), truth.contradicted_sites().len()), (LISTED + 1, Some(&last), 50));
}

const PRINT: &str = "aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999";
