//! What becomes of chains when their files do not stay as they were.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::certs::{HeldBack, KeyKind, LocalCa, Roots, Terms, valid_for};

/// A shop with leaf, key and intermediate in a file each.
fn shop_in_three_files() -> (Shop, Leaf) {
    let (mut shop, leaf) = (Shop::new(), CHAIN.leaf(&["a.example"]));
    shop.write("a.crt", &leaf.certificate);
    shop.write("a.key", &leaf.key);
    shop.write("chain.pem", &CHAIN.intermediate);
    shop.settle();
    assert_eq!((shop.sent("a.example"), shop.alarms()), (2, vec![]));
    (shop, leaf)
}

#[test]
fn a_spoiled_chain_file_leaves_the_chain() {
    let (mut shop, _) = shop_in_three_files();
    shop.write("chain.pem", "garbage");
    shop.look();
    assert_eq!((shop.sent("a.example"), shop.alarms()), (2, vec![]));
    shop.after(Duration::from_millis(600));
    shop.after(Duration::from_secs(30));
    shop.after(Duration::from_secs(3600));
    assert_eq!((shop.sent("a.example"), shop.alarms()), (2, vec!["chain-incomplete"]));
    assert_eq!(shop.listed(), [rejected("chain.pem", "nothing")]);
    // After all it goes as a deleted one.
    shop.remove("chain.pem");
    shop.look();
    shop.after(Duration::from_secs(59));
    assert_eq!(shop.sent("a.example"), 2);
    shop.after(Duration::from_secs(1));
    assert_eq!(shop.sent("a.example"), 1);
}

#[test]
fn a_deleted_chain_file_leaves_the_chain_for_a_minute() {
    let (mut shop, _) = shop_in_three_files();
    shop.remove("chain.pem");
    shop.look();
    assert_eq!(shop.shelf.next_look().map(|next| next - shop.now.steady), Some(Duration::from_millis(500)));
    shop.after(Duration::from_millis(500));
    assert_eq!((shop.sent("a.example"), shop.alarms()), (2, vec!["chain-incomplete"]));
    assert_eq!(shop.shelf.next_look().map(|next| next - shop.now.steady), Some(Duration::from_millis(59_500)));
    shop.after(Duration::from_secs(59));
    assert_eq!(shop.sent("a.example"), 2);
    shop.after(Duration::from_secs(1));
    assert_eq!((shop.sent("a.example"), shop.alarms()), (1, vec!["chain-incomplete"]));
    shop.write("elsewhere/chain.pem", &CHAIN.intermediate);
    shop.look();
    assert_eq!((shop.sent("a.example"), shop.alarms()), (2, vec![]));
}

#[test]
fn a_chain_file_overwritten_with_another_authority_leaves_the_chain() {
    let (mut shop, _) = shop_in_three_files();
    let other = Chain::new();
    shop.write("chain.pem", &other.intermediate);
    shop.settle();
    shop.after(Duration::from_secs(3600));
    assert_eq!((shop.sent("a.example"), shop.alarms()), (2, vec!["chain-incomplete"]));
    // The certificate that the new one is for comes late.
    let next = other.timed(&["a.example"], 0, 30);
    shop.write("a.pem", format!("{}{}", next.key, next.certificate));
    shop.settle();
    assert_eq!((shop.serving("a.example"), shop.sent("a.example")), (fingerprint(&next), 2));
}

#[test]
fn a_chain_that_is_shorter_on_purpose_is_sent_so_after_a_minute() {
    let (mut shop, leaf) = (Shop::new(), CHAIN.leaf(&["a.example"]));
    shop.write("a.pem", format!("{}{}", leaf.whole(), CHAIN.crossed()));
    shop.settle();
    let long = shop.sent("a.example");
    shop.write("a.pem", leaf.whole());
    shop.settle();
    assert_eq!((long, shop.sent("a.example")), (3, 3));
    shop.after(Duration::from_secs(60));
    assert_eq!((shop.sent("a.example"), shop.alarms()), (2, vec![]));
}

#[test]
fn a_spoiled_upper_link_of_a_chain_is_sent_as_it_was() {
    let (mut shop, leaf) = (Shop::new(), CHAIN.leaf(&["a.example"]));
    shop.write("a.pem", leaf.whole());
    shop.write("cross.pem", CHAIN.crossed());
    shop.settle();
    assert_eq!(shop.sent("a.example"), 3);
    shop.write("cross.pem", "garbage");
    shop.settle();
    shop.after(Duration::from_secs(3600));
    assert_eq!((shop.sent("a.example"), shop.alarms()), (3, vec![]));
}

#[test]
fn a_chain_that_is_rewritten_in_place_is_never_cut() {
    let mut shop = Shop::new();
    let old = CHAIN.leaf(&["one.example"]);
    shop.write("privkey.pem", &old.key);
    shop.write("fullchain.pem", old.chain());
    shop.settle();
    // Of the same authority: what is known of it serves on.
    let next = CHAIN.renewed(&old);
    shop.write("fullchain.pem", &next.certificate);
    shop.look();
    assert_eq!((shop.serving("one.example"), shop.sent("one.example")), (fingerprint(&next), 2));
    shop.write("fullchain.pem", next.chain());
    shop.settle();
    assert_eq!((shop.sent("one.example"), shop.alarms()), (2, vec![]));
    // Of another one: the old certificate serves until the new chain is complete.
    let last = Chain::new().renewed(&old);
    shop.write("fullchain.pem", &last.certificate);
    shop.settle();
    assert_eq!((shop.serving("one.example"), shop.sent("one.example")), (fingerprint(&next), 2));
    shop.write("fullchain.pem", last.chain());
    shop.look();
    assert_eq!((shop.serving("one.example"), shop.sent("one.example")), (fingerprint(&last), 2));
    assert_eq!((shop.index.certificates().len(), shop.alarms()), (1, vec![]));
    // An authority that stays away delays the change by the grace, and no longer.
    let alone = Chain::new().renewed(&old);
    shop.write("fullchain.pem", &alone.certificate);
    shop.look();
    shop.after(Duration::from_secs(59));
    assert_eq!(shop.serving("one.example"), fingerprint(&last));
    shop.after(Duration::from_secs(1));
    assert_eq!((shop.serving("one.example"), shop.alarms()), (fingerprint(&alone), vec!["chain-incomplete"]));
}

#[test]
fn a_certificate_without_its_issuer_is_an_alarm_when_the_folder_rests() {
    let (mut shop, leaf) = (Shop::new(), CHAIN.leaf(&["a.example"]));
    shop.write("a.pem", format!("{}{}", leaf.key, leaf.certificate));
    shop.look();
    assert_eq!((shop.sent("a.example"), shop.alarms()), (1, vec![]));
    shop.after(Duration::from_millis(600));
    assert_eq!((shop.alarms(), shop.listed()), (vec!["chain-incomplete"], vec![]));
    shop.write("chain.pem", &CHAIN.intermediate);
    shop.look();
    assert_eq!((shop.sent("a.example"), shop.alarms()), (2, vec![]));
}

#[test]
fn one_signed_by_itself_or_by_a_root_in_the_folder_lacks_nothing() {
    let mut shop = Shop::new();
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = vec!["self.example".to_owned()];
    let own = rcgen::CertificateParams::new(names).expect("names").self_signed(&key).expect("a certificate");
    shop.write("self.pem", format!("{}{}", key.serialize_pem(), own.pem()));
    let authority = LocalCa::new("Own Root").expect("an authority");
    let name = crate::name::HostPattern::parse("own.example").expect("a name");
    let issued = authority.issue(&[name], valid_for(1), KeyKind::Ecdsa).expect("issued");
    shop.write("own.pem", format!("{}{}", *issued.key, issued.chain));
    shop.write("root.pem", authority.root_pem());
    shop.settle();
    assert_eq!((shop.sent("self.example"), shop.sent("own.example")), (1, 1));
    assert_eq!((shop.alarms(), shop.listed()), (vec![], vec![]));
    shop.remove("root.pem");
    shop.settle();
    assert_eq!((shop.sent("own.example"), shop.alarms()), (1, vec!["chain-incomplete"]));
    shop.after(Duration::from_secs(60));
    assert_eq!((shop.sent("own.example"), shop.alarms()), (1, vec!["chain-incomplete"]));
}

#[test]
fn a_certificate_of_an_authority_goes_before_a_newer_one_signed_by_itself() {
    let (mut shop, leaf) = (Shop::new(), CHAIN.leaf(&["a.example"]));
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).expect("names");
    params.not_before = time::OffsetDateTime::now_utc() - time::Duration::minutes(1);
    let own = params.self_signed(&key).expect("a certificate");
    shop.write("own.pem", format!("{}{}", key.serialize_pem(), own.pem()));
    shop.write("a.pem", leaf.whole());
    shop.settle();
    assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
    assert_eq!(shop.alarms(), [] as [&str; 0]);
}

/// Shops with leaf and key in a file each, and one chain for all.
fn shops_with_one_chain(count: usize) -> (Shop, Vec<String>) {
    let mut shop = Shop::new();
    let names: Vec<String> = (0..count).map(|number| format!("s{number}.example")).collect();
    for name in &names {
        let leaf = CHAIN.leaf(&[name]);
        shop.write(&format!("{name}.pem"), format!("{}{}", leaf.key, leaf.certificate));
    }
    shop.write("chain.pem", &CHAIN.intermediate);
    shop.settle();
    (shop, names)
}

fn sent(shop: &Shop, names: &[String]) -> Vec<usize> {
    names.iter().map(|name| shop.sent(name)).collect()
}

#[test]
fn the_chain_of_many_is_held_until_the_operator_confirms_that_it_goes() {
    let (mut shop, names) = shops_with_one_chain(6);
    shop.remove("chain.pem");
    shop.settle();
    shop.after(Duration::from_secs(3600));
    shop.after(Duration::from_secs(3600));
    assert_eq!((sent(&shop, &names), shop.alarms()), (vec![2; 6], vec!["chain-incomplete", "withdrawal-held"]));
    let said = shop.shelf.ledger().alarms.remove(1).message;
    assert!(said.ends_with("vitrine certs confirm --names 6"), "{said}");
    assert_eq!(shop.shelf.confirm(Some(5), shop.now.steady), Err(HeldBack { names: 6 }));
    assert_eq!(shop.shelf.confirm(Some(6), shop.now.steady), Ok(6));
    shop.after(Duration::from_secs(59));
    assert_eq!((sent(&shop, &names), shop.alarms()), (vec![2; 6], vec!["chain-incomplete"]));
    shop.after(Duration::from_secs(1));
    assert_eq!((sent(&shop, &names), shop.alarms()), (vec![1; 6], vec!["chain-incomplete"]));
    assert_eq!(shop.shelf.confirm(None, shop.now.steady), Ok(0));
}

#[test]
fn the_chain_of_many_is_held_until_it_is_back_or_nobody_needs_it() {
    let (mut shop, names) = shops_with_one_chain(6);
    shop.remove("chain.pem");
    shop.settle();
    shop.after(Duration::from_secs(3600));
    shop.write("again.pem", &CHAIN.intermediate);
    shop.settle();
    assert_eq!((sent(&shop, &names), shop.alarms()), (vec![2; 6], vec![]));
    shop.remove("again.pem");
    shop.settle();
    assert_eq!(shop.alarms(), ["chain-incomplete", "withdrawal-held"]);
    let other = Chain::new();
    for name in &names {
        shop.write(&format!("{name}.pem"), other.leaf(&[name]).whole());
    }
    shop.settle();
    assert_eq!((sent(&shop, &names), shop.alarms()), (vec![2; 6], vec![]));
    shop.after(Duration::from_secs(60));
    assert_eq!(shop.shelf.next_look().map(|next| next > shop.now.steady + Duration::from_secs(60)), Some(true));
}

#[test]
fn the_chain_of_a_few_goes_after_a_minute() {
    let (mut shop, names) = shops_with_one_chain(5);
    shop.remove("chain.pem");
    shop.settle();
    assert_eq!(shop.alarms(), ["chain-incomplete"]);
    shop.after(Duration::from_secs(60));
    assert_eq!((sent(&shop, &names), shop.alarms()), (vec![1; 5], vec!["chain-incomplete"]));
}

#[test]
fn a_folder_that_comes_back_without_its_chain_has_lost_it_by_accident() {
    let (mut shop, names) = shops_with_one_chain(1);
    let folder = shop.path("").parent().expect("a home").join("certs");
    let other = folder.with_extension("other");
    fs::create_dir(&other).expect("created");
    fs::copy(shop.path("s0.example.pem"), other.join("s0.example.pem")).expect("copied");
    fs::remove_dir_all(&folder).expect("removed");
    fs::rename(&other, &folder).expect("renamed");
    shop.settle();
    shop.after(Duration::from_secs(3600));
    assert_eq!((sent(&shop, &names), shop.alarms()), (vec![2], vec!["chain-incomplete", "withdrawal-held"]));
}

#[test]
fn certificates_that_are_held_keep_their_chain_when_they_come_back_before_it() {
    let (mut shop, names) = shops_with_one_chain(6);
    let whole: Vec<_> = names.iter().map(|name| fs::read(shop.path(&format!("{name}.pem"))).expect("read")).collect();
    for name in &names {
        shop.remove(&format!("{name}.pem"));
    }
    shop.remove("chain.pem");
    shop.settle();
    shop.after(Duration::from_secs(3600));
    assert_eq!((sent(&shop, &names), shop.alarms()), (vec![2; 6], vec!["withdrawal-held"]));
    for (name, content) in names.iter().zip(whole) {
        shop.write(&format!("{name}.pem"), content);
    }
    shop.settle();
    shop.after(Duration::from_secs(3600));
    assert_eq!((sent(&shop, &names), shop.alarms()), (vec![2; 6], vec!["chain-incomplete", "withdrawal-held"]));
    shop.write("chain.pem", &CHAIN.intermediate);
    shop.settle();
    assert_eq!((sent(&shop, &names), shop.alarms()), (vec![2; 6], vec![]));
}

#[test]
fn what_is_trusted_is_not_replaced_by_what_is_not() {
    let stranger = Chain::new();
    let mut shop = Shop::new();
    let roots = Roots::of_the_web_and([(Path::new("root.pem"), CHAIN.root.as_bytes())]).expect("a root");
    shop.shelf.terms = Arc::new(Terms { roots, ..Terms::default() });
    let (trusted, unknown) = (CHAIN.leaf(&["a.example"]), stranger.timed(&["a.example"], 0, 90));
    shop.write("a.pem", trusted.whole());
    shop.settle();
    shop.write("a.pem", unknown.whole());
    shop.settle();
    // As after a deletion, in case that was not meant.
    assert_eq!(shop.serving("a.example"), fingerprint(&trusted));
    shop.after(Duration::from_secs(60));
    assert_eq!(shop.serving("a.example"), fingerprint(&unknown));

    // Other terms change what serves without a change in the folder.
    shop.write("b.pem", CHAIN.timed(&["a.example"], -2, 90).whole());
    shop.settle();
    assert_ne!(shop.serving("a.example"), fingerprint(&unknown));
    shop.shelf.terms = Arc::default();
    shop.look();
    assert_eq!(shop.serving("a.example"), fingerprint(&unknown));
}

#[test]
fn of_two_ways_up_the_one_that_leads_to_a_root_is_sent() {
    let mut shop = Shop::new();
    let roots = Roots::of_the_web_and([(Path::new("root.pem"), CHAIN.root.as_bytes())]).expect("a root");
    shop.shelf.terms = Arc::new(Terms { roots, ..Terms::default() });
    // The fingerprint of one made anew decides nothing, whatever it is.
    for number in 0..8 {
        let name = format!("s{number}.example");
        let leaf = CHAIN.leaf(&[&name]);
        shop.write(
            &format!("{number}/a.pem"),
            format!("{}{}{}", leaf.key, leaf.certificate, CHAIN.crossed_intermediate()),
        );
        shop.write("chain.pem", &CHAIN.intermediate);
        shop.settle();
        let served = shop.index.find(&name).and_then(|choice| choice.iter().next()).expect("served");
        assert!(served.facts.trusted, "{name}");
    }
}
