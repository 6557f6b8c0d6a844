//! An account that its authority lets do nothing any more.

use std::process::Command;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

use crate::support::command::{done, vitrine};
use crate::support::managed::{managed_site, orders_in, renewed};
use crate::support::pebble::Pebble;
use crate::support::{Origin, eventually};

/// Gives the account up (RFC 8555 §7.3.6), as somebody else who has its key may.
fn deactivate(pebble: &Pebble, account: &Value) {
    let curl = |arguments: &[&str]| {
        let output =
            Command::new("curl").args(["-sSk", "--fail-with-body"]).args(arguments).output().expect("curl is there");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let nonces = pebble.abilities()["newNonce"].as_str().expect("an address").to_owned();
    let heads = curl(&["-I", &nonces]);
    let nonce =
        heads.lines().find_map(|line| line.to_lowercase().starts_with("replay-nonce:").then(|| line[13..].trim()));
    let url = account["credentials"]["id"].as_str().expect("an address");
    let encoded = |value: Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let head = encoded(json!({ "alg": "ES256", "kid": url, "url": url, "nonce": nonce.expect("a nonce") }));
    let payload = encoded(json!({ "status": "deactivated" }));
    let key = account["credentials"]["key_pkcs8"].as_str().expect("a key");
    let key = Base64UrlUnpadded::decode_vec(key).expect("base64url");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key).expect("a key");
    let signature = key.sign(&SystemRandom::new(), format!("{head}.{payload}").as_bytes()).expect("a signature");
    let signature = Base64UrlUnpadded::encode_string(signature.as_ref());
    let said = json!({ "protected": head, "payload": payload, "signature": signature }).to_string();
    let told = curl(&["-H", "content-type: application/jose+json", "-d", &said, url]);
    assert!(told.contains("deactivated"), "{told}");
}

#[test]
fn an_account_that_was_deactivated_is_told_as_such_with_the_mend() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::lenient());
    let edge = managed_site(&pebble, &origin, "shop.example", "").start();
    orders_in(&edge, "shop.example", "ISSUED");
    let file = edge.setup.state().join("acme/pebble/account.json");
    let account = serde_json::from_slice(&std::fs::read(&file).expect("an account")).expect("JSON");
    deactivate(&pebble, &account);
    done(vitrine(&edge, "sites renew shop.example"));
    let failure = orders_in(&edge, "shop.example", "FAILED")["last_failure"].clone();
    assert_eq!((&failure["issuer"], &failure["reason"]), (&"pebble".into(), &"account".into()), "{failure}");
    let detail = failure["detail"].as_str().expect("words");
    assert!(
        detail.contains("if it was deactivated, delete state/acme/pebble/account.json, and another is opened"),
        "{detail}"
    );
    eventually("the failure is counted", || {
        let told = [("issuer", "pebble"), ("result", "failed"), ("reason", "account")];
        (edge.scrape().sum("vitrine_acme_orders_total", &told) == 1.0).then_some(())
    });
    // As it is told.
    std::fs::remove_file(file).expect("the account");
    renewed(&edge, "shop.example");
}
