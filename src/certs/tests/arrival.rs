//! How certificates come into service.

use std::time::Duration;

use super::*;
use crate::certs::{KeyKind, LocalCa, valid_for};

#[test]
fn key_and_certificate_come_in_either_order() {
    for order in [["a.key", "a.crt"], ["a.crt", "a.key"]] {
        let (mut shop, leaf) = (Shop::new(), CHAIN.leaf(&["a.example"]));
        let content = |name: &str| if name == "a.key" { leaf.key.clone() } else { leaf.certificate.clone() };
        shop.write(order[0], content(order[0]));
        shop.look();
        assert_eq!(shop.listed(), [], "too early");
        shop.after(Duration::from_millis(600));
        let code = if order[0] == "a.key" { "waiting-for-certificate" } else { "waiting-for-key" };
        assert_eq!(shop.listed(), [waiting(order[0], code)]);
        assert_eq!(shop.serving("a.example"), None);
        shop.write(order[1], content(order[1]));
        shop.look();
        assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
        assert_eq!(shop.listed(), []);
        assert_eq!(shop.shelf.ledger().loads.waiting, 1);
    }
}

#[test]
fn one_file_may_hold_everything_in_any_order() {
    let leaf = CHAIN.leaf(&["a.example"]);
    let parts = [&leaf.key, &leaf.certificate, &CHAIN.intermediate, &CHAIN.root].map(String::as_str);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 0, 3, 1]] {
        let mut shop = Shop::new();
        shop.write("deep/er/all.PEM", order.map(|part| parts[part]).concat());
        shop.settle();
        assert_eq!(shop.serving("a.example"), fingerprint(&leaf));
        let choice = shop.index.find("a.example").expect("served");
        let served = choice.iter().next().expect("a certificate");
        assert_eq!(served.certified.chain().len(), 2, "leaf and intermediate, no root");
        assert!(served.facts.embedded_key);
        assert_eq!((shop.listed(), shop.alarms()), (vec![], vec![]));
    }
}

#[test]
fn every_form_of_key_is_read() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let leaf = CHAIN.leaf(&["a.example"]);
    drop(key);
    let pkcs8 = rustls_pki_types::pem::PemObject::from_pem_slice(leaf.key.as_bytes());
    let pkcs8: rustls_pki_types::PrivatePkcs8KeyDer<'static> = pkcs8.expect("PKCS#8");
    // The SEC1 key is the OCTET STRING inside of the PKCS#8 one.
    let der = pkcs8.secret_pkcs8_der();
    let at = der.windows(2).position(|pair| pair == [0x04, 0x6D]).expect("an octet string") + 2;
    let sec1 = pem_of("EC PRIVATE KEY", &der[at..at + 0x6D]);
    let mut shop = Shop::new();
    shop.write("a.crt", &leaf.certificate);
    shop.write("a.key", sec1);
    shop.settle();
    assert_eq!((shop.serving("a.example"), shop.listed()), (fingerprint(&leaf), vec![]));

    let authority = LocalCa::new("Test").expect("an authority");
    let name = crate::name::HostPattern::parse("rsa.example").expect("a name");
    let rsa = authority.issue(&[name], valid_for(1), KeyKind::Rsa).expect("issued");
    let pkcs8 = rustls_pki_types::pem::PemObject::from_pem_slice(rsa.key.as_bytes());
    let pkcs8: rustls_pki_types::PrivatePkcs8KeyDer<'static> = pkcs8.expect("PKCS#8");
    let der = pkcs8.secret_pkcs8_der();
    let at = der.windows(2).skip(1).position(|pair| pair == [0x30, 0x82]).expect("a sequence") + 1;
    shop.write("rsa.pem", format!("{}{}", pem_of("RSA PRIVATE KEY", &der[at..]), rsa.chain));
    shop.settle();
    assert_eq!((shop.serving("rsa.example").is_some(), shop.listed()), (true, vec![]));
}

#[test]
fn a_chain_comes_out_of_pkcs7_in_any_order() {
    let leaf = CHAIN.leaf(&["a.example"]);
    for chain in
        [[&leaf.certificate, &CHAIN.intermediate, &CHAIN.root], [&CHAIN.root, &CHAIN.intermediate, &leaf.certificate]]
    {
        let mut shop = Shop::new();
        shop.write("chain.txt", chain.map(String::as_str).concat());
        let made = std::process::Command::new("openssl")
            .args(["crl2pkcs7", "-nocrl", "-outform", "DER", "-certfile"])
            .arg(shop.path("chain.txt"))
            .output()
            .expect("openssl runs");
        shop.write("a.p7b", made.stdout);
        shop.write("a.key", &leaf.key);
        shop.settle();
        assert_eq!((shop.serving("a.example"), shop.sent("a.example")), (fingerprint(&leaf), 2));
        assert_eq!((shop.listed(), shop.alarms()), (vec![], vec![]));
    }
}

#[test]
fn a_half_written_file_leaves_the_last_good_pair() {
    let mut shop = Shop::new();
    let (old, new) = (CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["a.example"]));
    shop.write("a.pem", old.whole());
    shop.settle();
    let text = new.whole();
    for end in (0..text.len()).step_by(97) {
        shop.write("a.pem", &text[..end]);
        shop.after(Duration::from_millis(100));
        assert_eq!(shop.serving("a.example"), fingerprint(&old), "{end}");
        assert_eq!(shop.listed(), [], "{end}: no word before it rests");
    }
    shop.after(Duration::from_millis(600));
    assert_eq!(shop.listed(), [rejected("a.pem", "truncated")]);
    shop.write("a.pem", text);
    shop.look();
    assert_eq!((shop.serving("a.example"), shop.listed()), (fingerprint(&new), vec![]));
    assert_eq!(shop.index.certificates().len(), 1, "the old one has gone at once");
}

#[test]
fn a_mismatched_key_or_certificate_leaves_the_last_good_pair() {
    let (good, other) = (CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["b.example"]));
    for (file, wrong) in [("a.key", &other.key), ("a.crt", &other.certificate)] {
        let mut shop = Shop::new();
        shop.write("a.crt", &good.certificate);
        shop.write("a.key", &good.key);
        shop.settle();
        shop.write(file, wrong);
        shop.settle();
        assert_eq!(shop.serving("a.example"), fingerprint(&good));
        assert_eq!(shop.listed(), [rejected(file, "pair-broken")]);
        shop.after(Duration::from_secs(3600));
        assert_eq!(shop.serving("a.example"), fingerprint(&good), "as long as it lies there");
        let right = if file == "a.key" { &good.key } else { &good.certificate };
        shop.write(file, right);
        shop.settle();
        assert_eq!((shop.serving("a.example"), shop.listed()), (fingerprint(&good), vec![]));
    }
    let mut shop = Shop::new();
    shop.write("a.pem", good.whole());
    shop.settle();
    shop.write("a.pem", format!("{}{}", good.key, other.certificate));
    shop.settle();
    assert_eq!(shop.serving("a.example"), fingerprint(&good));
    assert_eq!(shop.listed(), [rejected("a.pem", "key-mismatch")]);
    shop.remove("a.pem");
    shop.look();
    shop.after(Duration::from_secs(61));
    assert_eq!(shop.serving("a.example"), None, "deleted after all");
}

#[test]
fn a_renewal_in_two_writes_swaps_when_both_are_there() {
    let mut shop = Shop::new();
    let (old, new) = (CHAIN.leaf(&["a.example"]), CHAIN.leaf(&["a.example"]));
    shop.write("a.crt", &old.certificate);
    shop.write("a.key", &old.key);
    shop.settle();
    shop.write("a.key", &new.key);
    shop.after(Duration::from_secs(10));
    assert_eq!(shop.serving("a.example"), fingerprint(&old));
    shop.write("a.crt", &new.certificate);
    shop.look();
    assert_eq!((shop.serving("a.example"), shop.listed()), (fingerprint(&new), vec![]));
    assert_eq!(shop.index.certificates().len(), 1);
    assert_eq!(shop.shelf.ledger().loads.accepted, 2);
}

#[test]
fn duplicates_are_decided_alike_whatever_comes_first() {
    let leaves: Vec<Leaf> = (0..4).map(|_| CHAIN.leaf(&["a.example"])).collect();
    let mut chosen = Vec::new();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let mut shop = Shop::new();
        for (at, leaf) in order.iter().enumerate() {
            shop.write(&format!("{at}.pem"), leaves[*leaf].whole());
            shop.settle();
        }
        chosen.push(shop.serving("a.example"));
        assert_eq!(shop.index.certificates().len(), 4);
    }
    assert!(chosen.windows(2).all(|pair| pair[0] == pair[1]), "{chosen:?}");
}

#[test]
fn a_look_without_a_change_publishes_nothing() {
    let mut shop = Shop::new();
    shop.write("a.pem", CHAIN.leaf(&["a.example"]).whole());
    shop.settle();
    for _ in 0..10 {
        shop.after(Duration::from_secs(60));
    }
    assert_eq!(shop.published, 1);
}

fn pem_of(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let bits = three.iter().chain(&[0, 0]).take(3).fold(0_usize, |bits, octet| bits << 8 | usize::from(*octet));
        for at in 0..4 {
            let letter = char::from(ALPHABET[bits >> (18 - 6 * at) & 63]);
            text.push(if at <= three.len() { letter } else { '=' });
        }
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
