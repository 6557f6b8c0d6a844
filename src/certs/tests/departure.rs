//! How certificates go out of service, and when they do not.

use std::fs;
use std::time::Duration;

use super::*;
use crate::certs::HeldBack;

#[test]
fn an_expired_certificate_does_not_replace_a_valid_one() {
    let mut shop = Shop::new();
    let (good, expired) = (CHAIN.timed(&["a.example"], -5, 30), CHAIN.timed(&["a.example"], -3, -1));
    shop.write("a.pem", good.whole());
    shop.settle();
    shop.write("a.pem", expired.whole());
    shop.settle();
    assert_eq!(shop.serving("a.example"), fingerprint(&good));
    assert_eq!((shop.listed(), shop.alarms()), (vec![rejected("a.pem", "expired")], vec![]));
    // After a restart there is nothing better, and an expired certificate is better than none.
    let mut restarted = Shop::new();
    restarted.write("a.pem", expired.whole());
    restarted.settle();
    assert_eq!(restarted.serving("a.example"), fingerprint(&expired));
    assert_eq!(restarted.alarms(), ["expired-serving"]);
    restarted.write("b.pem", good.whole());
    restarted.settle();
    assert_eq!((restarted.serving("a.example"), restarted.alarms()), (fingerprint(&good), vec![]));
    // The alarm names what is concerned, not what a valid one serves beside it.
    restarted.write("c.pem", CHAIN.timed(&["a.example", "c.example"], -3, -1).whole());
    restarted.settle();
    let said: Vec<String> = restarted.shelf.ledger().alarms.into_iter().map(|alarm| alarm.message).collect();
    let file = restarted.path("c.pem").display().to_string();
    assert_eq!(said, [format!("what serves these names is expired, and there is nothing better: c.example ({file})")]);
}

#[test]
fn a_certificate_takes_over_when_it_becomes_valid() {
    let mut shop = Shop::new();
    let (now, tomorrow) = (CHAIN.timed(&["a.example"], -5, 30), CHAIN.timed(&["a.example"], 1, 30));
    shop.write("a.pem", now.whole());
    shop.write("b.pem", tomorrow.whole());
    shop.settle();
    assert_eq!(shop.serving("a.example"), fingerprint(&now));
    assert!(shop.shelf.next_look().is_some(), "the boundary is on the clock");
    shop.after(Duration::from_secs(86_401));
    assert_eq!(shop.serving("a.example"), fingerprint(&tomorrow));
}

#[test]
fn a_deleted_file_serves_a_minute_more_below_any_valid_one() {
    let mut shop = Shop::new();
    let (newer, older) = (CHAIN.timed(&["a.example"], -1, 30), CHAIN.timed(&["a.example"], -2, 30));
    shop.write("newer.pem", newer.whole());
    shop.settle();
    shop.remove("newer.pem");
    shop.look();
    assert_eq!(shop.serving("a.example"), fingerprint(&newer));
    assert!(shop.index.certificates()[0].facts.in_grace);
    shop.write("older.pem", older.whole());
    shop.look();
    assert_eq!(shop.serving("a.example"), fingerprint(&older));
    shop.remove("older.pem");
    shop.after(Duration::from_secs(59));
    assert_eq!(shop.serving("a.example"), fingerprint(&newer));
    shop.after(Duration::from_secs(1));
    assert_eq!(shop.serving("a.example"), fingerprint(&older));
    shop.after(Duration::from_secs(58));
    assert_eq!(shop.serving("a.example"), fingerprint(&older));
    shop.after(Duration::from_secs(1));
    assert_eq!(shop.serving("a.example"), None);
    assert_eq!((shop.index.certificates().len(), shop.shelf.ledger().loads.withdrawn), (0, 2));
}

#[test]
fn a_file_that_comes_back_in_time_was_never_gone() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("a.pem", leaf.whole());
    shop.settle();
    shop.remove("a.pem");
    shop.after(Duration::from_secs(30));
    shop.write("other/name.pem", leaf.whole());
    shop.after(Duration::from_secs(10));
    shop.after(Duration::from_secs(120));
    assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
    assert!(!shop.index.certificates()[0].facts.in_grace);
    assert_eq!(shop.shelf.ledger().loads.withdrawn, 0);
}

#[test]
fn many_names_gone_at_once_are_held_until_confirmed_or_back() {
    let mut shop = Shop::new();
    let leaves: Vec<Leaf> = (0..7).map(|number| CHAIN.leaf(&[&format!("s{number}.example")])).collect();
    let put =
        |shop: &Shop| leaves.iter().enumerate().for_each(|(at, leaf)| shop.write(&format!("{at}.pem"), leaf.whole()));
    put(&shop);
    shop.settle();
    (0..6).for_each(|at| shop.remove(&format!("{at}.pem")));
    shop.look();
    shop.after(Duration::from_secs(3600));
    assert_eq!(shop.serving("s0.example"), fingerprint(&leaves[0]));
    assert!(!shop.index.certificates().iter().any(|served| served.facts.in_grace));
    assert_eq!(shop.index.certificates().iter().filter(|served| served.facts.held).count(), 6);
    assert_eq!(shop.alarms(), ["withdrawal-held"]);
    put(&shop);
    shop.settle();
    assert_eq!(shop.alarms(), [] as [&str; 0]);

    (0..6).for_each(|at| shop.remove(&format!("{at}.pem")));
    shop.after(Duration::from_secs(120));
    assert_eq!(shop.alarms(), ["withdrawal-held"]);
    assert_eq!(shop.shelf.confirm(None, shop.now.steady), Ok(6));
    shop.after(Duration::from_secs(60));
    assert_eq!((shop.serving("s0.example"), shop.serving("s6.example")), (None, fingerprint(&leaves[6])));
    assert_eq!((shop.alarms(), shop.shelf.ledger().loads.withdrawn), (vec![], 6));
}

#[test]
fn five_names_may_go_at_once_but_not_in_slices_of_a_sweep() {
    let mut shop = Shop::new();
    for number in 0..10 {
        shop.write(&format!("{number}.pem"), CHAIN.leaf(&[&format!("s{number}.example")]).whole());
    }
    shop.settle();
    (0..5).for_each(|at| shop.remove(&format!("{at}.pem")));
    shop.look();
    assert_eq!(shop.alarms(), [] as [&str; 0]);
    shop.after(Duration::from_secs(60));
    assert_eq!(shop.serving("s0.example"), None);
    for at in 5..10 {
        shop.remove(&format!("{at}.pem"));
        shop.after(Duration::from_millis(300));
    }
    assert_eq!(shop.alarms(), [] as [&str; 0], "five of five, and yet not more than five");

    let mut shop = Shop::new();
    for number in 0..10 {
        shop.write(&format!("{number}.pem"), CHAIN.leaf(&[&format!("s{number}.example")]).whole());
    }
    shop.settle();
    for at in 0..10 {
        shop.remove(&format!("{at}.pem"));
        shop.after(Duration::from_millis(150));
    }
    shop.after(Duration::from_secs(120));
    assert_eq!(shop.alarms(), ["withdrawal-held"]);
    assert_eq!(shop.index.certificates().len(), 10, "all of the sweep are held");
}

#[test]
fn slices_of_a_slow_deletion_are_counted_together() {
    for (pause, slice) in [(2, 5), (9, 1)] {
        let mut shop = seven();
        for at in 0..6 {
            shop.remove(&format!("{at}.pem"));
            if (at + 1) % slice == 0 {
                shop.after(Duration::from_secs(pause));
            }
        }
        shop.look();
        assert_eq!(shop.alarms(), ["withdrawal-held"]);
        shop.after(Duration::from_secs(3600));
        assert_eq!(shop.index.certificates().len(), 7, "all of the slices are held");
    }
}

#[test]
fn only_what_is_valid_stands_in_for_what_was_deleted() {
    let mut shop = Shop::new();
    let names: Vec<String> = (0..6).map(|number| format!("s{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    shop.write("expired.pem", CHAIN.timed(&names, -5, -1).whole());
    shop.write("future.pem", CHAIN.timed(&names, 1, 5).whole());
    shop.write("alone.pem", CHAIN.timed(&names, -5, 5).whole().replace(&CHAIN.intermediate, ""));
    shop.write("good.pem", CHAIN.leaf(&names).whole());
    shop.settle();
    shop.remove("good.pem");
    shop.look();
    // "alone" finds its issuer in the others' files: it is as good as the one that went.
    assert_eq!(shop.alarms(), [] as [&str; 0]);
    shop.remove("alone.pem");
    shop.look();
    assert_eq!(shop.alarms(), ["withdrawal-held"]);
}

#[test]
fn what_is_held_goes_when_something_else_has_taken_its_place() {
    let mut shop = seven();
    (0..6).for_each(|at| shop.remove(&format!("{at}.pem")));
    shop.look();
    assert_eq!(shop.alarms(), ["withdrawal-held"]);
    // A deletion long after the sweep is none of it.
    shop.after(Duration::from_secs(61));
    shop.remove("6.pem");
    shop.look();
    let in_grace = shop.index.certificates().iter().filter(|served| served.facts.in_grace);
    assert_eq!(in_grace.map(|served| served.names[0].to_string()).collect::<Vec<_>>(), ["s6.example"]);
    let names: Vec<String> = (0..6).map(|number| format!("s{number}.example")).collect();
    let next = CHAIN.leaf(&names.iter().map(String::as_str).collect::<Vec<_>>());
    shop.write("next.pem", next.whole());
    shop.look();
    assert_eq!((shop.serving("s0.example"), shop.alarms()), (fingerprint(&next), vec![]));
    shop.after(Duration::from_secs(60));
    assert_eq!((shop.index.certificates().len(), shop.shelf.ledger().loads.withdrawn), (1, 7));
}

#[test]
fn a_confirmation_holds_for_what_was_seen_and_leaves_time_to_take_it_back() {
    let mut shop = seven();
    (0..6).for_each(|at| shop.remove(&format!("{at}.pem")));
    shop.look();
    shop.after(Duration::from_secs(3600));
    let now = shop.now.steady;
    assert_eq!(shop.shelf.confirm(Some(5), now), Err(HeldBack { names: 6 }));
    assert_eq!(shop.shelf.confirm(Some(6), now), Ok(6));
    shop.look();
    assert_eq!(shop.index.certificates().iter().filter(|served| served.facts.in_grace).count(), 6);
    // What was confirmed is no part of the next sweep.
    shop.remove("6.pem");
    shop.after(Duration::from_secs(59));
    assert_eq!((shop.index.certificates().len(), shop.alarms()), (7, vec![]));
    shop.after(Duration::from_secs(1));
    assert_eq!(shop.index.certificates().len(), 1);
    assert_eq!(shop.shelf.confirm(None, shop.now.steady), Ok(0));
}

/// A shop with seven names, of which five may go at once.
fn seven() -> Shop {
    let mut shop = Shop::new();
    for at in 0..7 {
        shop.write(&format!("{at}.pem"), CHAIN.leaf(&[&format!("s{at}.example")]).whole());
    }
    shop.settle();
    shop
}

#[test]
fn a_replaced_and_poorer_folder_withdraws_nothing() {
    let mut shop = Shop::new();
    let leaf = CHAIN.leaf(&["a.example"]);
    shop.write("a.pem", leaf.whole());
    shop.settle();
    fs::rename(shop.path(""), shop.home.path().join("old")).expect("renamed");
    shop.after(Duration::from_secs(120));
    assert_eq!((shop.serving("a.example"), shop.alarms()), (fingerprint(&leaf), vec!["folder-missing"]));
    fs::create_dir(shop.path("")).expect("created");
    shop.after(Duration::from_secs(120));
    shop.after(Duration::from_secs(120));
    assert_eq!((shop.serving("a.example"), shop.alarms()), (fingerprint(&leaf), vec!["withdrawal-held"]));
    shop.write("b.pem", leaf.whole());
    shop.settle();
    assert_eq!((shop.serving("a.example"), shop.alarms()), (fingerprint(&leaf), vec![]));
    // The new folder is now the folder: a deletion in it is one.
    shop.remove("b.pem");
    shop.look();
    shop.after(Duration::from_secs(60));
    assert_eq!(shop.serving("a.example"), None);
}

#[test]
fn a_file_replaced_by_one_for_other_names_leaves_like_a_deleted_one() {
    let mut shop = Shop::new();
    let (both, one) = (CHAIN.leaf(&["a.example", "b.example"]), CHAIN.leaf(&["a.example"]));
    shop.write("a.pem", both.whole());
    shop.settle();
    shop.write("a.pem", one.whole());
    shop.look();
    assert_eq!((shop.serving("a.example"), shop.serving("b.example")), (fingerprint(&one), fingerprint(&both)));
    shop.after(Duration::from_secs(60));
    assert_eq!((shop.serving("a.example"), shop.serving("b.example")), (fingerprint(&one), None));
}
