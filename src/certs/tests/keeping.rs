//! What lasts from one start to the next, and what the operator does with it.

use zeroize::Zeroizing;

use super::*;
use crate::certs::library::{Source, TurnedDown, Version};
use crate::certs::shelf::{NotDeleted, NotGoneBack};
use crate::certs::upload::Upload;

impl Shop {
    /// Takes in what was sent; gives the fingerprints.
    fn upload(&mut self, text: &str) -> Vec<String> {
        let pieces = [("upload".to_owned(), Zeroizing::new(text.as_bytes().to_vec()))];
        let upload = Upload::read(&pieces, None, Some("ops".into())).expect("read");
        let (known, roots) = (self.shelf.known_authorities(self.scanner.files()), &self.shelf.terms.roots);
        let matched = upload.pairs(&Default::default(), &known, roots, self.now.unix).expect("a pair");
        let taken: Vec<_> = matched
            .pairs
            .iter()
            .map(|pair| self.shelf.take(pair, (Source::Uploaded, false), upload.by(), self.now).expect("taken"))
            .collect();
        self.publish();
        let arrivals = taken.into_iter().map(|own| self.shelf.arrival(own));
        arrivals.map(|arrival| arrival.certificate.facts.fingerprint.to_string()).collect()
    }

    fn publish(&mut self) {
        if let Some(index) = self.shelf.rank(self.now) {
            self.index = index;
        }
    }

    fn go_back_to(&mut self, leaf: &Leaf) -> Result<(), NotGoneBack> {
        let gone_back = self.shelf.go_back_to(&fingerprint(leaf).expect("a certificate"), self.now);
        self.publish();
        gone_back.map(drop)
    }

    fn delete(&mut self, leaf: &Leaf, even_last_good: bool) -> Result<(), NotDeleted> {
        let deleted = self.shelf.delete(
            &fingerprint(leaf).expect("a certificate"),
            even_last_good,
            self.scanner.files(),
            self.now,
        );
        self.publish();
        deleted
    }

    fn history(&self, leaf: &Leaf) -> Vec<(String, bool, Option<TurnedDown>)> {
        let history = self.shelf.history(&fingerprint(leaf).expect("a certificate")).unwrap_or_default();
        let told = |version: Version| (version.fingerprint, version.is_current, version.turned_down);
        history.into_iter().map(told).collect()
    }
}

/// So many of one name, each issued a day after the one before.
fn renewals<const N: usize>(name: &str) -> [Leaf; N] {
    std::array::from_fn(|at| CHAIN.timed(&[name], at as i64 - 10, 30))
}

#[test]
fn a_start_with_the_folder_empty_or_missing_serves_every_name() {
    let mut shop = Shop::new();
    let (a, b) = (CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["b.example"]));
    shop.write("a.pem", a.whole());
    shop.write("sub/b.pem", b.whole());
    shop.settle();
    let folder = shop.home.path().join("certs");
    fs::remove_dir_all(&folder).expect("removed");
    shop.restart();
    assert_eq!((shop.serving("a.example"), shop.serving("b.example")), (fingerprint(&a), fingerprint(&b)));
    assert_eq!((shop.sent("a.example"), shop.alarms()), (2, vec!["folder-missing"]));
    fs::create_dir(&folder).expect("created");
    shop.restart();
    shop.after(Duration::from_secs(600));
    assert_eq!((shop.serving("a.example"), shop.serving("b.example")), (fingerprint(&a), fingerprint(&b)));
    assert_eq!(shop.alarms(), vec!["withdrawal-held"]);
    shop.write("a.pem", a.whole());
    shop.write("sub/b.pem", b.whole());
    shop.settle();
    assert_eq!(shop.alarms(), Vec::<&str>::new());
}

#[test]
fn what_was_deleted_while_the_edge_was_down_goes_after_the_grace_and_for_good() {
    let mut shop = Shop::new();
    let (a, b) = (CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["b.example"]));
    shop.write("a.pem", a.whole());
    shop.write("b.pem", b.whole());
    shop.settle();
    shop.remove("a.pem");
    shop.restart();
    assert_eq!(shop.serving("a.example"), fingerprint(&a));
    shop.after(Duration::from_secs(61));
    assert_eq!((shop.serving("a.example"), shop.serving("b.example")), (None, fingerprint(&b)));
    shop.restart();
    assert_eq!(shop.serving("a.example"), None);
    assert_eq!(shop.history(&a), [(fingerprint(&a).expect("one"), false, Some(TurnedDown::Withdrawn))]);
    shop.write("a.pem", a.whole());
    shop.settle();
    shop.restart();
    assert_eq!(shop.serving("a.example"), fingerprint(&a));
    assert_eq!(shop.history(&a), [(fingerprint(&a).expect("one"), true, None)]);
}

#[test]
fn what_was_replaced_while_the_edge_was_down_does_not_come_again() {
    let mut shop = Shop::new();
    let [old, new] = renewals("shop.example");
    shop.write("shop.pem", old.whole());
    shop.settle();
    shop.write("shop.pem", new.whole());
    shop.restart();
    assert_eq!(shop.serving("shop.example"), fingerprint(&new));
    assert_eq!(shop.index.certificates().len(), 1);
    shop.remove("shop.pem");
    shop.after(Duration::from_secs(1));
    shop.after(Duration::from_secs(61));
    shop.restart();
    assert_eq!(shop.serving("shop.example"), None);
}

#[test]
fn a_half_written_file_at_start_leaves_the_last_good_certificate() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["shop.example"]);
    shop.write("shop.pem", leaf.whole());
    shop.settle();
    shop.write("shop.pem", &leaf.whole()[..300]);
    shop.restart();
    assert_eq!(shop.serving("shop.example"), fingerprint(&leaf));
    assert_eq!(shop.listed().len(), 1);
}

#[test]
fn of_two_uploads_that_were_issued_alike_the_later_one_serves() {
    let issued = |leaf: &Leaf| {
        let bundle = crate::certs::Bundle::parse(leaf.whole().as_bytes(), None).expect("a bundle");
        let served = bundle.served(std::path::Path::new(""), true);
        (served.facts.not_before, served.facts.not_after)
    };
    // An authority that dates its certificates at midnight issues another one on the same day.
    let alike = || loop {
        let [one, other] = std::array::from_fn(|_| CHAIN.timed(&["shop.example"], -1, 30));
        if issued(&one) == issued(&other) {
            return [one, other];
        }
    };
    // Whichever fingerprint is the greater.
    for _ in 0..4 {
        let mut shop = Shop::new();
        let [one, other] = alike();
        for leaf in [&one, &other] {
            shop.upload(&leaf.whole());
            assert_eq!(shop.serving("shop.example"), fingerprint(leaf));
            shop.after(Duration::from_secs(1));
        }
        shop.restart();
        assert_eq!(shop.serving("shop.example"), fingerprint(&other));
        // What is meant is what was brought last.
        for _ in 0..2 {
            shop.upload(&one.whole());
            assert_eq!(shop.serving("shop.example"), fingerprint(&one));
            shop.restart();
        }
    }
}

#[test]
fn an_upload_serves_at_once_and_after_every_start() {
    let mut shop = Shop::new();
    let [old, new] = renewals("shop.example");
    assert_eq!(shop.upload(&old.whole()), [fingerprint(&old).expect("one")]);
    assert_eq!(shop.serving("shop.example"), fingerprint(&old));
    shop.restart();
    assert_eq!(shop.serving("shop.example"), fingerprint(&old));
    shop.upload(&new.whole());
    assert_eq!((shop.serving("shop.example"), shop.index.certificates().len()), (fingerprint(&new), 1));
    shop.restart();
    assert_eq!((shop.serving("shop.example"), shop.index.certificates().len()), (fingerprint(&new), 1));
    // Older than what serves: kept, and no more.
    shop.upload(&old.whole());
    assert_eq!(shop.serving("shop.example"), fingerprint(&new));
    assert_eq!(shop.history(&old).iter().map(|(_, current, _)| *current).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_certificate_that_comes_twice_is_one_and_stays_when_its_file_goes() {
    let (dropped_first, uploaded_first) = (CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["b.example"]));
    let mut shop = Shop::new();
    shop.upload(&uploaded_first.whole());
    shop.write("a.pem", dropped_first.whole());
    shop.write("b.pem", uploaded_first.whole());
    shop.settle();
    shop.upload(&dropped_first.whole());
    assert_eq!((shop.index.certificates().len(), shop.history(&dropped_first).len()), (2, 1));
    shop.remove("a.pem");
    shop.remove("b.pem");
    shop.after(Duration::from_secs(1));
    shop.after(Duration::from_secs(61));
    let both = (fingerprint(&dropped_first), fingerprint(&uploaded_first));
    assert_eq!((shop.serving("a.example"), shop.serving("b.example")), both);
    shop.restart();
    shop.after(Duration::from_secs(61));
    assert_eq!((shop.serving("a.example"), shop.serving("b.example")), both);
}

#[test]
fn going_back_lasts_until_something_new_comes() {
    let mut shop = Shop::new();
    let [first, second, third] = renewals("shop.example");
    shop.write("shop.pem", first.whole());
    shop.settle();
    shop.write("shop.pem", second.whole());
    shop.settle();
    assert_eq!(shop.serving("shop.example"), fingerprint(&second));
    shop.go_back_to(&first).expect("gone back");
    assert_eq!(shop.serving("shop.example"), fingerprint(&first));
    // The file is there still, and is no news.
    shop.after(Duration::from_secs(60));
    assert_eq!(shop.serving("shop.example"), fingerprint(&first));
    shop.restart();
    assert_eq!(shop.serving("shop.example"), fingerprint(&first));
    let told: Vec<_> = shop.history(&first).into_iter().map(|(_, current, why)| (current, why)).collect();
    assert_eq!(told, [(false, Some(TurnedDown::RolledBack)), (true, None)]);
    shop.write("shop.pem", third.whole());
    shop.settle();
    assert_eq!(shop.serving("shop.example"), fingerprint(&third));
    shop.go_back_to(&second).expect("gone back");
    assert_eq!(shop.serving("shop.example"), fingerprint(&second));
    shop.restart();
    assert_eq!(shop.serving("shop.example"), fingerprint(&second));
}

#[test]
fn going_back_and_forth_between_uploads_works() {
    let mut shop = Shop::new();
    let [first, second] = renewals("shop.example");
    shop.upload(&first.whole());
    shop.upload(&second.whole());
    for leaf in [&first, &second, &first] {
        shop.go_back_to(leaf).expect("gone back");
        assert_eq!((shop.serving("shop.example"), shop.index.certificates().len()), (fingerprint(leaf), 1));
        shop.restart();
        assert_eq!((shop.serving("shop.example"), shop.index.certificates().len()), (fingerprint(leaf), 1));
    }
    // Whoever uploads it again wants it.
    shop.upload(&second.whole());
    assert_eq!(shop.serving("shop.example"), fingerprint(&second));
}

#[test]
fn nobody_goes_back_to_what_is_expired_or_was_never_there() {
    let mut shop = Shop::new();
    let (expired, valid) = (CHAIN.timed(&["shop.example"], -20, -1), CHAIN.leaf(&["shop.example"]));
    shop.upload(&expired.whole());
    shop.upload(&valid.whole());
    assert!(matches!(shop.go_back_to(&expired), Err(NotGoneBack::Untimely)));
    assert!(matches!(shop.go_back_to(&CHAIN.leaf(&["shop.example"])), Err(NotGoneBack::Unknown)));
    assert_eq!(shop.serving("shop.example"), fingerprint(&valid));
}

#[test]
fn deleting_spares_the_last_good_certificate_unless_it_is_meant() {
    let mut shop = Shop::new();
    let [old, new] = renewals("shop.example");
    shop.upload(&old.whole());
    assert!(matches!(shop.delete(&old, false), Err(NotDeleted::LastGood(names)) if names == ["shop.example"]));
    shop.upload(&new.whole());
    assert!(matches!(shop.delete(&new, false), Err(NotDeleted::LastGood(_))));
    shop.delete(&new, true).expect("deleted");
    assert_eq!(shop.serving("shop.example"), fingerprint(&old));
    shop.delete(&old, true).expect("deleted");
    assert_eq!(shop.serving("shop.example"), None);
    assert!(matches!(shop.delete(&old, true), Err(NotDeleted::Unknown)));
    shop.restart();
    assert_eq!((shop.serving("shop.example"), shop.history(&old)), (None, vec![]));
    let dropped = CHAIN.leaf(&["b.example"]);
    shop.write("b.pem", dropped.whole());
    shop.settle();
    assert!(matches!(shop.delete(&dropped, true), Err(NotDeleted::Dropped(files)) if files[0].ends_with("b.pem")));
}

#[test]
fn what_lies_in_the_folder_is_deleted_there_whoever_went_back_to_it() {
    let mut shop = Shop::new();
    let [old, new] = renewals("shop.example");
    shop.write("shop.pem", old.whole());
    shop.settle();
    shop.go_back_to(&old).expect("it is current already");
    shop.remove("shop.pem");
    shop.after(Duration::from_secs(1));
    shop.after(Duration::from_secs(61));
    assert_eq!(shop.serving("shop.example"), None);
    shop.write("old.pem", old.whole());
    shop.write("new.pem", new.whole());
    shop.settle();
    shop.go_back_to(&old).expect("gone back");
    for leaf in [&old, &new] {
        assert!(matches!(shop.delete(leaf, true), Err(NotDeleted::Dropped(files)) if files.len() == 1));
    }
    assert_eq!(shop.serving("shop.example"), fingerprint(&old));
}

#[test]
fn intermediates_that_come_later_are_kept_too() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["shop.example"]);
    shop.write("shop.pem", format!("{}{}", leaf.key, leaf.certificate));
    shop.settle();
    shop.write("chain.pem", CHAIN.intermediate.as_bytes());
    shop.settle();
    fs::remove_dir_all(shop.home.path().join("certs")).expect("removed");
    shop.restart();
    assert_eq!((shop.serving("shop.example"), shop.sent("shop.example")), (fingerprint(&leaf), 2));
}

#[test]
fn a_damaged_version_is_told_and_the_others_serve() {
    let mut shop = Shop::new();
    let [old, new] = renewals("shop.example");
    shop.upload(&old.whole());
    shop.upload(&new.whole());
    let library = library(&shop.store);
    assert_eq!(library.verify(), (2, vec![]));
    let version = &shop.shelf.history(&fingerprint(&new).expect("one")).expect("versions")[0];
    let key = crate::store::Key::of(&["certificates", &version.id, &version.version, "key.pem"]).expect("a key");
    shop.store.put(&key, old.key.as_bytes(), crate::store::Expected::Anything).expect("spoiled");
    let (whole, wrong) = library.verify();
    assert_eq!((whole, wrong.len()), (1, 1));
    assert!(wrong[0].contains("do not belong together") && !wrong[0].contains("PRIVATE"), "{wrong:?}");
    shop.restart();
    assert_eq!(shop.serving("shop.example"), fingerprint(&old));
}
