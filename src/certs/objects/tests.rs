//! Objects in a state that is in memory.

use super::*;
use crate::certs::testing::{AppleLeaf, Chain};
use crate::live::Provision;

fn site(name: &str, hosts: &[&str]) -> SiteTerms {
    let hosts = hosts.iter().map(|host| HostPattern::parse(host).expect("a host")).collect();
    SiteTerms {
        name: name.into(),
        hosts,
        provision: Provision::Uploaded,
        minimum_validation: None,
        before_issue: Default::default(),
    }
}

fn sites() -> Vec<SiteTerms> {
    vec![
        site("shop", &["shop.example", "*.shop.example", "www.shop.example"]),
        site("other", &["other.example"]),
        site("wild", &["*.wild.example"]),
    ]
}

fn proof(content: &str, sites: &[&str]) -> NewObject {
    let sites = sites.iter().map(ToString::to_string).collect();
    NewObject { id: None, what: NewContent::Proof { content: content.into(), sites, expires: None }, by: "ops".into() }
}

fn open(store: &Store) -> Objects {
    Objects::open(store.clone(), Path::new("state")).expect("read")
}

fn shown(objects: &Objects, sites: &[SiteTerms]) -> Vec<String> {
    let told = |(host, object): &(HostName, Arc<WellKnownObject>)| {
        format!("{host} {}", String::from_utf8_lossy(&object.content))
    };
    objects.shown(sites).iter().map(told).collect()
}

#[test]
fn an_object_is_shown_at_the_whole_names_of_its_sites_and_lasts() {
    let store = Store::in_memory();
    let mut objects = open(&store);
    let kept = objects.add(proof("one", &["shop", "other"]), &sites(), 7).expect("kept");
    assert_eq!((kept.id.as_str(), kept.current, kept.versions.len()), ("shop", 1, 1));
    let expected = ["shop.example one", "www.shop.example one", "other.example one"];
    assert_eq!(shown(&objects, &sites()), expected);
    let again = open(&store);
    assert_eq!((again.all(), shown(&again, &sites())), (objects.all(), expected.map(str::to_owned).to_vec()));
    assert_eq!(shown(&again, &sites()[1..]), ["other.example one"]);
}

#[test]
fn a_new_version_holds_and_an_older_one_can_be_gone_back_to() {
    let store = Store::in_memory();
    let mut objects = open(&store);
    objects.add(proof("one", &["shop"]), &sites(), 7).expect("kept");
    let two = objects.add(proof("two", &["shop", "other"]), &sites(), 8).expect("kept");
    assert_eq!((two.current, two.versions.iter().map(|version| version.number).collect()), (2, vec![2, 1]));
    let back = objects.go_back_to("shop", 1, &sites(), 9).expect("there");
    assert_eq!((back.current, back.versions), (1, two.versions));
    let again = open(&store);
    assert_eq!(shown(&again, &sites()), ["shop.example one", "www.shop.example one"]);
    assert!(matches!(objects.go_back_to("shop", 3, &sites(), 9), Err(NotKept::NoVersion(3))));
    assert!(matches!(objects.go_back_to("none", 1, &sites(), 9), Err(NotKept::Unknown)));
}

#[test]
fn what_is_removed_is_gone_with_its_versions() {
    let store = Store::in_memory();
    let mut objects = open(&store);
    objects.add(proof("one", &["shop"]), &sites(), 7).expect("kept");
    objects.remove("shop").expect("removed");
    assert_eq!(shown(&objects, &sites()), Vec::<String>::new());
    assert_eq!(store.names(&Key::known(&[FOLDER])).expect("listed"), Vec::<String>::new());
    assert!(matches!(objects.remove("shop"), Err(NotKept::Unknown)));
}

#[test]
fn a_site_shows_one_object_of_a_kind() {
    let mut objects = open(&Store::in_memory());
    objects.add(proof("one", &["shop", "other"]), &sites(), 7).expect("kept");
    let taken = objects.add(proof("two", &["other"]), &sites(), 8);
    assert!(matches!(&taken, Err(NotKept::Taken { site, id }) if site == "other" && id == "shop"), "{taken:?}");
    // As a version of the same it is another matter.
    let same = NewObject { id: Some("shop".into()), ..proof("two", &["other"]) };
    assert_eq!(objects.add(same, &sites(), 8).expect("kept").current, 2);
    objects.add(proof("three", &["shop"]), &sites(), 9).expect("a version of it");
    objects.add(proof("four", &["other"]), &sites(), 9).expect("another object");
    let back = objects.go_back_to("shop", 1, &sites(), 9);
    assert!(matches!(&back, Err(NotKept::Taken { site, id }) if site == "other" && id == "other"), "{back:?}");
}

#[test]
fn what_cannot_be_shown_is_not_kept() {
    let store = Store::in_memory();
    let mut objects = open(&store);
    let key = "-----BEGIN EC PRIVATE KEY-----";
    let refused = |new: NewObject| objects.add(new, &sites(), 7).expect_err("refused");
    let told: Vec<String> = [
        proof("one", &[]),
        proof("one", &["none"]),
        proof("one", &["wild"]),
        proof(" \r\n", &["shop"]),
        proof(key, &["shop"]),
        NewObject { id: Some("../certificates".into()), ..proof("one", &["shop"]) },
    ]
    .map(refused)
    .iter()
    .map(|why| format!("{why:?}"))
    .collect();
    assert_eq!(
        told,
        ["NoSites", "UnknownSite(\"none\")", "NoHost(\"wild\")", "Empty", "Secret", "BadId(\"../certificates\")",]
    );
    assert_eq!(store.names(&Key::known(&[FOLDER])).expect("listed"), Vec::<String>::new());
}

#[test]
fn a_kill_before_a_version_holds_leaves_the_one_before() {
    let store = Store::in_memory();
    let mut objects = open(&store);
    objects.add(proof("one", &["shop"]), &sites(), 7).expect("kept");
    let decision = Key::of(&[FOLDER, "shop", record::META]).expect("a key");
    let before = store.read(&decision).expect("readable").expect("there");
    objects.add(proof("two", &["shop"]), &sites(), 8).expect("kept");
    store.put(&decision, &before.content, crate::store::Expected::Anything).expect("written");
    let mut again = open(&store);
    assert_eq!(shown(&again, &sites()), ["shop.example one", "www.shop.example one"]);
    assert_eq!(again.add(proof("three", &["shop"]), &sites(), 9).expect("kept").current, 3);
    // And a first version of which nobody was told is none.
    store.delete(&decision).expect("deleted");
    assert!(open(&store).all().is_empty());
}

#[test]
fn what_was_changed_behind_our_back_is_not_shown() {
    let store = Store::in_memory();
    let mut objects = open(&store);
    objects.add(proof("one", &["shop"]), &sites(), 7).expect("kept");
    let content = key_of("shop", 1).and_then(|key| key.below(record::CONTENT)).expect("a key");
    store.put(&content, b"two", crate::store::Expected::Anything).expect("written");
    assert!(open(&store).all().is_empty());
    assert!(matches!(objects.go_back_to("shop", 1, &sites(), 9), Err(NotKept::NoVersion(1))));
}

/// A certificate of a merchant, out of a file that has its chain.
fn certificate(chain: &Chain, days: i64) -> NewObject {
    let leaf = AppleLeaf { cn: "Merchant ID: merchant.shop", numbers: &[32], ..AppleLeaf::default() };
    let read = ApplePayCertificate::read(chain.apple(&leaf, days).chain().as_bytes(), None).expect("one");
    NewObject { id: None, what: NewContent::Certificate(Arc::new(read.certificate)), by: "ops".into() }
}

#[test]
fn a_certificate_is_kept_with_all_that_it_says_and_nobody_shows_it() {
    let (store, chain) = (Store::in_memory(), Chain::new());
    let mut objects = open(&store);
    let new = certificate(&chain, 30);
    let kept = objects.add(new.clone(), &sites(), 7).expect("kept");
    assert_eq!((kept.id.as_str(), kept.kind.word()), ("merchant.shop-payment-processing", "apple-pay-certificate"));
    let version = kept.version().expect("one that holds");
    assert_eq!(version.file, Path::new("state/objects/merchant.shop-payment-processing/0001/content"));
    let NewContent::Certificate(own) = &new.what else { panic!("a certificate") };
    assert_eq!(version.certificate.as_ref(), Some(own));
    assert_eq!(shown(&objects, &sites()), Vec::<String>::new());
    assert_eq!(open(&store).all(), objects.all());
    // The same once more is no other.
    assert_eq!(objects.add(new, &sites(), 8).expect("kept"), kept);
}

#[test]
fn the_next_certificate_of_a_merchant_is_a_version_and_can_be_gone_back_from() {
    let (store, chain) = (Store::in_memory(), Chain::new());
    let mut objects = open(&store);
    objects.add(certificate(&chain, 30), &sites(), 7).expect("kept");
    let two = objects.add(certificate(&chain, 60), &sites(), 8).expect("kept");
    assert_eq!((two.current, two.versions.len()), (2, 2));
    let back = objects.go_back_to(&two.id, 1, &sites(), 9).expect("there");
    assert_eq!((back.current, back.versions), (1, two.versions));
    assert_eq!(open(&store).all(), objects.all());
    let over = objects.go_back_to(&two.id, 2, &sites(), i64::MAX);
    assert!(matches!(over, Err(NotKept::Over(_))), "{over:?}");
    objects.remove(&two.id).expect("removed");
    assert_eq!(store.names(&Key::known(&[FOLDER])).expect("listed"), Vec::<String>::new());
}

#[test]
fn a_certificate_that_is_over_or_takes_anothers_place_is_not_kept() {
    let (store, chain) = (Store::in_memory(), Chain::new());
    let mut objects = open(&store);
    objects.add(proof("one", &["shop"]), &sites(), 7).expect("kept");
    let taken = objects.add(NewObject { id: Some("shop".into()), ..certificate(&chain, 30) }, &sites(), 7);
    assert!(matches!(taken, Err(NotKept::OtherKind(ObjectKind::ApplePayIdentityProof))), "{taken:?}");
    let over = objects.add(certificate(&chain, 30), &sites(), i64::MAX);
    assert!(matches!(over, Err(NotKept::Over(_))), "{over:?}");
    let leaf = AppleLeaf { numbers: &[32], ..AppleLeaf::default() };
    let read = ApplePayCertificate::read(chain.apple(&leaf, 30).certificate.as_bytes(), None).expect("one");
    let what = NewContent::Certificate(Arc::new(read.certificate));
    let nobody = NewObject { id: None, what, by: "ops".into() };
    let unnamed = objects.add(nobody.clone(), &sites(), 7);
    assert!(matches!(unnamed, Err(NotKept::NoMerchant)), "{unnamed:?}");
    assert_eq!(objects.add(NewObject { id: Some("a name".into()), ..nobody }, &sites(), 7).expect("kept").id, "a name");
}
