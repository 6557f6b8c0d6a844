//! What becomes of chains when their files do not stay as they were.

use std::time::Duration;

use super::*;
use crate::certs::{KeyKind, LocalCa, valid_for};

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
