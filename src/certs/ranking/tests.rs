//! Which of several certificates serves.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::certs::testing::served;
use crate::live::{KeyType, SiteSpec, ValidationLevel};

const NOW: i64 = 1_000_000;

fn index(certificates: &[Arc<ServedCert>]) -> CertIndex {
    super::index(&ranked(certificates, &Minimums::default(), NOW))
}

fn serving(certificates: &[Arc<ServedCert>], name: &str) -> Vec<String> {
    let found = |served: &Arc<ServedCert>| served.facts.subject_cn.to_string();
    let choices: Vec<Vec<String>> = [certificates.to_vec(), certificates.iter().rev().cloned().collect()]
        .iter()
        .map(|order| index(order).find(name).map(|choice| choice.iter().map(found).collect()).unwrap_or_default())
        .collect();
    assert_eq!(choices[0], choices[1], "the order of arrival decided");
    choices[0].clone()
}

#[test]
fn the_newest_valid_certificate_serves() {
    let old = served("old", &["a.example"], NOW - 100, NOW + 900, false);
    let new = served("new", &["a.example"], NOW - 50, NOW + 100, false);
    let longer = served("longer", &["a.example"], NOW - 50, NOW + 200, false);
    let expired = served("expired", &["a.example"], NOW - 10, NOW - 1, false);
    let future = served("future", &["a.example"], NOW + 1, NOW + 9999, false);
    assert_eq!(serving(&[old.clone(), new.clone()], "a.example"), ["new"]);
    assert_eq!(serving(&[new.clone(), longer.clone(), old.clone()], "a.example"), ["longer"]);
    assert_eq!(serving(&[expired.clone(), old.clone(), future], "a.example"), ["old"]);
    assert_eq!(serving(&[expired], "a.example"), ["expired"]);
}

#[test]
fn a_certificate_in_grace_ranks_below_any_valid_one() {
    let leaving = served("leaving", &["a.example"], NOW - 10, NOW + 900, true);
    let old = served("old", &["a.example"], NOW - 100, NOW + 100, false);
    let wildcard = served("wildcard", &["*.example.org"], NOW - 100, NOW + 100, false);
    let leaving_exact = served("exact", &["a.example.org"], NOW - 10, NOW + 900, true);
    let expired = served("expired", &["a.example"], NOW - 10, NOW - 1, false);
    assert_eq!(serving(&[leaving.clone(), old], "a.example"), ["old"]);
    assert_eq!(serving(&[leaving.clone(), expired], "a.example"), ["leaving"]);
    assert_eq!(serving(&[leaving], "a.example"), ["leaving"]);
    assert_eq!(serving(&[wildcard, leaving_exact], "a.example.org"), ["wildcard"]);
}

#[test]
fn an_expired_certificate_serves_only_what_nothing_valid_covers() {
    let expired = served("expired", &["a.example.org", "b.example.org", "c.example"], NOW - 10, NOW - 1, false);
    let exact = served("exact", &["b.example.org"], NOW - 100, NOW + 100, false);
    let wildcard = served("wildcard", &["*.example.org"], NOW - 100, NOW + 100, false);
    let all = [expired, exact, wildcard];
    assert_eq!(serving(&all, "a.example.org"), ["wildcard"]);
    assert_eq!(serving(&all, "b.example.org"), ["exact"]);
    assert_eq!(serving(&all, "c.example"), ["expired"]);
}

#[test]
fn a_certificate_that_stands_for_few_of_its_names_is_listed_with_all_and_may_be_asked_for_all() {
    let expired = served("expired", &["a.example.org", "c.example"], NOW - 10, NOW - 1, false);
    let valid = served("valid", &["a.example.org"], NOW - 100, NOW + 100, false);
    let index = index(&[expired, valid]);
    let listed: Vec<_> = index.certificates().iter().map(|served| (&*served.facts.subject_cn, &served.names)).collect();
    let names = |names: &[&str]| names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect();
    assert_eq!(listed, [("valid", &names(&["a.example.org"])), ("expired", &names(&["a.example.org", "c.example"]))]);
    let given = index.find("c.example").and_then(|choice| choice.iter().next()).expect("a certificate");
    assert!(given.covers("a.example.org"));
}

#[test]
fn an_expired_key_of_another_type_does_not_serve_beside_a_valid_one() {
    let expired = served("expired", &["a.example"], NOW - 10, NOW - 1, false);
    let mut rsa = Arc::into_inner(served("rsa", &["a.example"], NOW - 100, NOW + 100, false)).expect("the only one");
    rsa.key_type = KeyType::Rsa;
    let rsa = Arc::new(rsa);
    assert_eq!(serving(&[expired, Arc::clone(&rsa)], "a.example"), ["rsa"]);
    let ecdsa = served("ecdsa", &["a.example"], NOW - 100, NOW + 100, false);
    assert_eq!(serving(&[ecdsa, rsa], "a.example"), ["ecdsa", "rsa"]);
}

#[test]
fn a_certificate_with_its_issuer_goes_before_one_without() {
    let alone = |cn, not_before, in_grace| {
        let served = served(cn, &["a.example"], not_before, NOW + 900, in_grace);
        let mut served = Arc::into_inner(served).expect("the only one");
        served.facts.vouched = false;
        Arc::new(served)
    };
    let old = served("old", &["a.example"], NOW - 100, NOW + 100, false);
    let leaving = served("leaving", &["a.example"], NOW - 100, NOW + 100, true);
    let expired = served("expired", &["a.example"], NOW - 100, NOW - 1, false);
    assert_eq!(serving(&[alone("fresh", NOW - 1, false), old], "a.example"), ["old"]);
    assert_eq!(serving(&[alone("fresh", NOW - 1, false), leaving], "a.example"), ["leaving"]);
    assert_eq!(serving(&[alone("fresh", NOW - 1, false), expired], "a.example"), ["fresh"]);
    assert_eq!(serving(&[alone("1", NOW - 2, false), alone("2", NOW - 1, true)], "a.example"), ["1"]);
}

#[test]
fn what_leads_to_no_root_displaces_nothing_valid_that_does() {
    let unknown = |cn, names: &[&str], not_before, key_type| {
        let mut served = Arc::into_inner(served(cn, names, not_before, NOW + 900, false)).expect("the only one");
        (served.facts.trusted, served.key_type) = (false, key_type);
        Arc::new(served)
    };
    let fresh = |names: &[&str]| unknown("fresh", names, NOW - 1, KeyType::EcdsaP256);
    let old = served("old", &["a.example"], NOW - 100, NOW + 100, false);
    let leaving = served("leaving", &["a.example"], NOW - 100, NOW + 100, true);
    let wildcard = served("wildcard", &["*.shop.example"], NOW - 100, NOW + 100, false);
    let expired = served("expired", &["a.example"], NOW - 100, NOW - 1, false);
    assert_eq!(serving(&[fresh(&["a.example"]), old.clone()], "a.example"), ["old"]);
    assert_eq!(serving(&[unknown("rsa", &["a.example"], NOW - 1, KeyType::Rsa), old], "a.example"), ["old"]);
    assert_eq!(serving(&[fresh(&["a.example"]), leaving], "a.example"), ["leaving"]);
    assert_eq!(serving(&[fresh(&["a.shop.example"]), wildcard], "a.shop.example"), ["wildcard"]);
    assert_eq!(serving(&[fresh(&["a.example"]), expired], "a.example"), ["fresh"]);
}

#[test]
fn one_below_what_its_site_asks_for_serves_only_where_nothing_else_could() {
    let minimums = Minimums::of([&site("ev.example", Some(ValidationLevel::Extended))]);
    let chosen = |certificates: &[&Arc<ServedCert>], name: &str| -> Vec<String> {
        let certificates: Vec<_> = certificates.iter().map(|served| Arc::clone(served)).collect();
        let index = super::index(&ranked(&certificates, &minimums, NOW));
        let choice = index.find(name).into_iter().flat_map(|choice| choice.iter());
        choice.map(|served| served.facts.subject_cn.to_string()).collect()
    };
    let made = |cn, from: i64, level, change: fn(&mut ServedCert)| {
        let served = served(cn, &["ev.example", "any.example"], NOW - from, NOW + 900, false);
        let mut served = Arc::into_inner(served).expect("the only one");
        served.facts.traits.level = Some(level);
        change(&mut served);
        Arc::new(served)
    };
    let dv = made("dv", 1, ValidationLevel::Domain, |_| {});
    let ev = made("ev", 100, ValidationLevel::Extended, |_| {});
    assert_eq!(chosen(&[&dv, &ev], "ev.example"), ["ev"]);
    assert_eq!(chosen(&[&dv, &ev], "any.example"), ["dv"]);
    assert_eq!(chosen(&[&dv], "ev.example"), ["dv"]);
    let rsa = made("rsa", 1, ValidationLevel::Domain, |served| served.key_type = KeyType::Rsa);
    assert_eq!(chosen(&[&rsa, &ev], "ev.example"), ["ev"]);
    // Withdrawn, it serves until its grace is over. Nothing makes up for time and trust.
    let leaving = made("leaving", 100, ValidationLevel::Extended, |served| served.facts.in_grace = true);
    assert_eq!(chosen(&[&dv, &leaving], "ev.example"), ["leaving"]);
    assert_eq!(chosen(&[&dv, &leaving], "any.example"), ["dv"]);
    let expired = made("expired", 100, ValidationLevel::Extended, |served| served.facts.not_after = NOW - 1);
    let unknown = made("unknown", 100, ValidationLevel::Extended, |served| served.facts.trusted = false);
    assert_eq!(chosen(&[&dv, &expired, &unknown], "ev.example"), ["dv"]);
}

#[test]
fn equals_are_decided_by_fingerprint() {
    let one = served("1", &["a.example"], NOW - 10, NOW + 10, false);
    let two = served("2", &["a.example"], NOW - 10, NOW + 10, false);
    let first = if one.facts.fingerprint < two.facts.fingerprint { "1" } else { "2" };
    assert_eq!(serving(&[one, two], "a.example"), [first]);
}

/// Made alike from alike numbers: names, age, grace, level.
type Made = (usize, usize, i64, bool, u8);

/// A step's certificates, each once, those known from earlier steps the same.
fn certificates_of(step: &[Made], known: &mut HashMap<Made, Arc<ServedCert>>) -> Vec<Arc<ServedCert>> {
    let made = step.iter().map(|made| {
        let certificate = known.entry(*made).or_insert_with(|| {
            let (one, other, age, in_grace, level) = *made;
            let names = [NAMES[one], NAMES[other]];
            let served = served(&format!("{made:?}"), &names, NOW - age, NOW + 2 - age, in_grace);
            let mut served = Arc::into_inner(served).expect("the only one");
            let levels = [None, Some(ValidationLevel::Organisation), Some(ValidationLevel::Extended)];
            served.facts.traits.level = levels[usize::from(level)];
            Arc::new(served)
        });
        Arc::clone(certificate)
    });
    let mut certificates: Vec<_> = made.collect();
    certificates.sort_by_key(|served| Arc::as_ptr(served) as usize);
    certificates.dedup_by(|one, other| Arc::ptr_eq(one, other));
    certificates
}

/// What the first name's site and all beneath the wildcard ask for, if anything.
fn minimums_of(asked: bool) -> Minimums {
    let levels = [(NAMES[0], ValidationLevel::Extended), (NAMES[2], ValidationLevel::Organisation)];
    let sites = levels.map(|(name, level)| site(name, Some(level).filter(|_| asked)));
    Minimums::of(&sites)
}

fn site(host: &str, minimum_validation: Option<ValidationLevel>) -> SiteSpec {
    SiteSpec {
        name: host.into(),
        hosts: vec![HostPattern::parse(host).expect("a name")],
        routes: Vec::new(),
        minimum_validation,
        staging: false,
        provision: Default::default(),
        on_demand: Default::default(),
        orders: Default::default(),
        policy: Default::default(),
    }
}

/// The order as it is defined, with everything looked up.
fn plainly_ranked(certificates: &[Arc<ServedCert>], minimums: &Minimums) -> Vec<Ranked> {
    let mut order: Vec<_> = certificates.iter().map(|served| (Tier::of(served, NOW), served)).collect();
    order.sort_by_key(|(tier, served)| {
        let facts = &served.facts;
        (*tier, Reverse(facts.not_before), Reverse(facts.not_after), facts.fingerprint.clone())
    });
    let stood_for = |(tier, served): &(Tier, &Arc<ServedCert>), name: &HostPattern| {
        let others = |fits: &dyn Fn(&Tier) -> bool| -> Vec<&Arc<ServedCert>> {
            order.iter().filter(|(other, _)| fits(other)).map(|(_, served)| *served).collect()
        };
        let gives_way = |tier: &Tier, served: &ServedCert, name: &HostPattern| {
            let credited = others(&|other| other.credit() == tier.credit());
            let enough = credited.iter().flat_map(|other| other.names.iter().map(move |name| (other, name)));
            let enough = enough.filter(|(other, name)| !minimums.exceed(other, name)).map(|(_, name)| name).collect();
            minimums.exceed(served, name) && is_covered::<hashbrown::DefaultHashBuilder>(&enough, name)
        };
        let better = order.iter().filter(|(other, _)| other < tier);
        let better = better.flat_map(|(tier, other)| other.names.iter().map(move |name| (tier, other, name)));
        let covered = better.filter(|(tier, other, name)| !gives_way(tier, other, name)).map(|(_, _, name)| name);
        !is_covered::<hashbrown::DefaultHashBuilder>(&covered.collect(), name) && !gives_way(tier, served, name)
    };
    let ranked = order.iter().map(|entry| {
        let left: Box<[_]> = entry.1.names.iter().filter(|name| stood_for(entry, name)).cloned().collect();
        Ranked { certificate: Arc::clone(entry.1), names: (left.len() < entry.1.names.len()).then_some(left) }
    });
    ranked.collect()
}

proptest! {
    #[test]
    fn looking_up_only_what_is_asked_about_changes_no_place(
        step in vec(made(), 0..10), asked: bool,
    ) {
        let (certificates, minimums) = (certificates_of(&step, &mut HashMap::new()), minimums_of(asked));
        let (found, defined) = (ranked(&certificates, &minimums, NOW), plainly_ranked(&certificates, &minimums));
        let listed = |order: &[Ranked]| {
            let told = |ranked: &Ranked| (ranked.certificate.facts.subject_cn.clone(), ranked.names.clone());
            order.iter().map(told).collect::<Vec<_>>()
        };
        prop_assert_eq!(listed(&found), listed(&defined));
    }

    #[test]
    fn an_index_that_follows_is_the_one_built_anew(
        steps in vec((vec(made(), 0..8), any::<bool>(), proptest::option::of((0..NAMES.len(), any::<bool>()))), 1..8)
    ) {
        let own = served("own", &[], NOW, NOW, false);
        let mut known = HashMap::new();
        let (mut before, mut following) = (Vec::new(), CertIndex::default());
        for (step, asked, ruled) in steps {
            let certificates = certificates_of(&step, &mut known);
            let rules = ruled.map(|(host, by_own)| {
                let fingerprints = || certificates.iter().take(2).map(|served| served.facts.fingerprint.to_string());
                let by = if by_own { By::Own(Arc::clone(&own)) } else { By::Fingerprints(fingerprints().collect()) };
                Rule { hosts: vec![HostPattern::parse(NAMES[host]).expect("a name")], by }
            });
            let order = ranked(&certificates, &minimums_of(asked), NOW);
            let (order, _) = governed(order, rules.as_slice(), NOW);
            following = index_after(&following, &before, &order);
            let anew = super::index(&order);
            let listed = |index: &CertIndex| index.certificates().iter().map(Arc::as_ptr).collect::<Vec<_>>();
            prop_assert_eq!(listed(&following), listed(&anew));
            prop_assert_eq!(following.name_count(), anew.name_count());
            for name in NAMES {
                let pattern = HostPattern::parse(name).expect("a name");
                let found = |index: &CertIndex| {
                    let choice = index.find_pattern(&pattern)?;
                    Some(choice.iter().map(Arc::as_ptr).collect::<Vec<_>>())
                };
                prop_assert_eq!(found(&following), found(&anew), "{}", name);
            }
            before = order;
        }
    }

    #[test]
    fn an_order_in_which_few_change_is_the_one_made_anew(
        first in vec(made(), 0..8), changes in vec((made(), proptest::option::of(made())), 1..20),
    ) {
        let (mut known, mut there, minimums) = (HashMap::new(), first, Minimums::default());
        for (one, other) in changes {
            let before = certificates_of(&there, &mut known);
            for made in std::iter::once(one).chain(other) {
                match there.iter().position(|known| *known == made) {
                    Some(at) => drop(there.remove(at)),
                    None => there.push(made),
                }
            }
            let after = certificates_of(&there, &mut known);
            let lacking = |some: &[Arc<ServedCert>], others: &[Arc<ServedCert>]| {
                let lacks = |served: &&Arc<ServedCert>| !others.iter().any(|other| Arc::ptr_eq(other, served));
                some.iter().filter(lacks).cloned().collect()
            };
            let shift = Shift { went: lacking(&before, &after), came: lacking(&after, &before) };
            let (mut order, anew) = (ranked(&before, &minimums, NOW), ranked(&after, &minimums, NOW));
            let index_before = super::index(&order);
            if !shift.apply(&mut order, &minimums, NOW) {
                continue;
            }
            let listed = |order: &[Ranked]| {
                order.iter().map(|one| (Arc::as_ptr(&one.certificate), one.names.clone())).collect::<Vec<_>>()
            };
            prop_assert_eq!(listed(&order), listed(&anew));
            let (shifted, anew) = (shift.index(&index_before, &order, NOW), super::index(&anew));
            prop_assert_eq!(shifted.name_count(), anew.name_count());
            for name in NAMES {
                let pattern = HostPattern::parse(name).expect("a name");
                let found = |index: &CertIndex| {
                    let choice = index.standing_for_pattern(&pattern)?;
                    Some(choice.iter().map(Arc::as_ptr).collect::<Vec<_>>())
                };
                prop_assert_eq!(found(&shifted), found(&anew), "{}", name);
            }
        }
    }
}

fn made() -> impl Strategy<Value = Made> {
    (0..NAMES.len(), 0..NAMES.len(), 0..5_i64, any::<bool>(), 0..3_u8)
}

const NAMES: [&str; 6] =
    ["a.example.org", "b.example.org", "*.example.org", "a.example", "*.example.net", "c.example.net"];
