//! Drop folders whose writers may supply certain names only.

use std::os::unix::fs::symlink;
use std::time::Duration;

use super::*;
use crate::certs::folders::Folder;
use crate::name::HostPattern;

/// A main folder and one for each of these, which may supply the hosts beside its name.
fn shops(limited: &[(&str, &[&str])]) -> Shop {
    let mut shop = Shop::new();
    limit(&mut shop, limited);
    for (name, _) in limited {
        fs::create_dir(shop.home.path().join(name)).expect("created");
    }
    shop.restart();
    shop
}

fn limit(shop: &mut Shop, limited: &[(&str, &[&str])]) {
    let folder = |(name, hosts): &(&str, &[&str])| Folder {
        directory: shop.home.path().join(name),
        hosts: hosts.iter().map(|host| HostPattern::parse(host).expect("a name")).collect(),
        password_file: None,
    };
    shop.folders = Folders::new(shop.home.path().join("certs"), limited.iter().map(folder));
}

/// What is listed, by the file's own name.
fn codes(shop: &Shop) -> Vec<(String, &'static str)> {
    let own_name = |file: String| file.rsplit('/').next().unwrap_or_default().to_owned();
    shop.listed().into_iter().map(|(file, _, code)| (own_name(file), code)).collect()
}

#[test]
fn a_folder_supplies_its_names_and_takes_no_others() {
    let mut shop = shops(&[("a", &["a.example", "*.a.example"]), ("b", &["b.example"])]);
    let (own, wide) = (CHAIN.leaf(&["a.example", "www.a.example"]), CHAIN.timed(&["b.example", "a.example"], 0, 90));
    shop.write("../a/own.pem", own.whole());
    shop.write("../b/wide.pem", wide.whole());
    shop.settle();
    assert_eq!(shop.serving("www.a.example"), fingerprint(&own));
    assert_eq!((shop.serving("b.example"), codes(&shop)), (None, vec![("wide.pem".into(), "name-not-allowed")]));

    // A good one that is overwritten with what is not allowed serves on; without its key what is not allowed does not wait for it.
    let good = CHAIN.leaf(&["b.example"]);
    shop.write("../b/wide.pem", good.whole());
    shop.settle();
    shop.write("../b/wide.pem", &wide.certificate);
    shop.settle();
    assert_eq!(shop.serving("b.example"), fingerprint(&good));
    assert_eq!(codes(&shop), [("wide.pem".into(), "name-not-allowed")]);

    // In the main folder it is as good as any other.
    shop.write("wide.pem", wide.whole());
    shop.settle();
    assert_eq!(shop.serving("b.example"), fingerprint(&wide));
}

#[test]
fn keys_and_chains_of_one_shop_are_of_no_use_to_another() {
    let mut shop = shops(&[("a", &["one.example"]), ("b", &["one.example", "b.example"])]);
    let leaf = CHAIN.leaf(&["one.example"]);
    shop.write("../a/one.key", &leaf.key);
    shop.write("../b/one.crt", &leaf.certificate);
    shop.write("../b/chain.pem", &CHAIN.intermediate);
    shop.settle();
    assert_eq!(
        (shop.serving("one.example"), codes(&shop)),
        (None, vec![("one.key".into(), "waiting-for-certificate"), ("one.crt".into(), "waiting-for-key")])
    );
    shop.write("../a/one.crt", &leaf.certificate);
    shop.settle();
    assert_eq!((shop.serving("one.example"), shop.sent("one.example")), (fingerprint(&leaf), 1));
    shop.write("chain.pem", &CHAIN.intermediate);
    shop.settle();
    assert_eq!((shop.sent("one.example"), shop.alarms()), (2, vec![]));

    // Who has a copy of what everybody may read does not keep it in service.
    fs::remove_file(shop.path("../a/one.crt")).expect("removed");
    shop.settle();
    shop.after(Duration::from_secs(60));
    assert_eq!(shop.serving("one.example"), None);
}

#[test]
fn links_lead_neither_out_of_a_limited_folder_nor_into_one() {
    let mut shop = shops(&[("a", &["a.example"]), ("b", &["b.example"])]);
    let (a, b) = (CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["b.example"]));
    shop.write("../a/a.pem", a.whole());
    shop.write("../a/inner/b.pem", b.whole());
    symlink("../a/inner/b.pem", shop.path("../b/file.pem")).expect("linked");
    symlink("../a/inner", shop.path("../b/folder")).expect("linked");
    symlink("../a/inner/b.pem", shop.path("main.pem")).expect("linked");
    symlink("../a/inner", shop.path("folder")).expect("linked");
    shop.settle();
    assert_eq!((shop.serving("a.example"), shop.serving("b.example")), (fingerprint(&a), None));
    let listed = codes(&shop);
    assert_eq!(listed.iter().filter(|(_, code)| *code == "outside").count(), 4, "{listed:?}");

    // Within the folder they lead wherever they like.
    fs::rename(shop.path("../a/inner"), shop.path("../b/inner")).expect("moved");
    fs::remove_file(shop.path("../b/file.pem")).expect("removed");
    symlink("inner/b.pem", shop.path("../b/file.pem")).expect("linked");
    shop.settle();
    assert_eq!(shop.serving("b.example"), fingerprint(&b));
}

#[test]
fn what_goes_from_one_folder_at_once_is_measured_by_that_folder() {
    let own = ["1.b.example", "2.b.example", "3.b.example", "4.b.example", "5.b.example", "6.b.example"];
    let mut shop = shops(&[("b", &["*.b.example"])]);
    for number in 0..7 {
        let names: Vec<String> = (0..100).map(|name| format!("n{name}.m{number}.example")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        shop.write(&format!("{number}.pem"), CHAIN.leaf(&names).whole());
    }
    shop.write("../b/b.pem", CHAIN.leaf(&own).whole());
    shop.settle();
    fs::remove_file(shop.path("../b/b.pem")).expect("removed");
    shop.settle();
    shop.after(Duration::from_secs(3600));
    assert!(shop.serving("1.b.example").is_some());
    assert_eq!(shop.alarms(), ["withdrawal-held"]);
}

#[test]
fn a_folder_that_is_missing_or_another_one_takes_nothing_away() {
    let mut shop = shops(&[("b", &["b.example"])]);
    shop.write("../b/b.pem", CHAIN.leaf(&["b.example"]).whole());
    shop.settle();
    fs::rename(shop.path("../b"), shop.path("../gone")).expect("renamed");
    // Meanwhile the others go on as ever.
    shop.write("a.pem", CHAIN.leaf(&["a.example"]).whole());
    shop.settle();
    shop.after(Duration::from_secs(3600));
    assert!(shop.serving("a.example").is_some() && shop.serving("b.example").is_some());
    assert_eq!(shop.alarms(), ["folder-missing"]);
    fs::create_dir(shop.path("../b")).expect("created");
    shop.settle();
    shop.after(Duration::from_secs(3600));
    assert!(shop.serving("b.example").is_some());
    assert_eq!(shop.alarms(), ["withdrawal-held"]);
}

#[test]
fn a_name_that_is_taken_from_a_folder_goes_with_the_next_start() {
    let mut shop = shops(&[("b", &["b.example", "c.example"])]);
    let (one, both) = (CHAIN.leaf(&["b.example"]), CHAIN.leaf(&["b.example", "c.example"]));
    shop.write("../b/one.pem", one.whole());
    shop.write("../b/both.pem", both.whole());
    shop.settle();
    assert!(shop.serving("c.example").is_some());
    shop.restart();
    assert!(shop.serving("c.example").is_some());
    limit(&mut shop, &[("b", &["b.example"])]);
    shop.restart();
    assert_eq!((shop.serving("b.example"), shop.serving("c.example")), (fingerprint(&one), None));
    assert_eq!(codes(&shop), [("both.pem".into(), "name-not-allowed")]);
    shop.restart();
    assert_eq!(shop.serving("c.example"), None);
}
