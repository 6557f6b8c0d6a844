//! Fills in a request's form with any text, has the request made when the form is good, and reads any octets as what came back
//! for it: mistakes are told with their field, a good form reads the same again, and nothing but the key decides what completes.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run request`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vitrine::certs::{Draft, KeyAlgorithm, Mistakes, OrderDraft, RequestKey, Returned, request_pem};

static KEY: LazyLock<RequestKey> = LazyLock::new(|| RequestKey::generate(KeyAlgorithm::EcdsaP256).expect("a key"));

fuzz_target!(|content: &[u8]| {
    let mut parts = content.split(|octet| *octet == 0xFF);
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let draft = Draft {
        kind: text(),
        common_name: text(),
        organisation: text(),
        organisational_units: vec![text(), text()],
        locality: text(),
        state: text(),
        country: text(),
        names: vec![text(), text()],
        key_type: text(),
        sites: vec![text()],
        exportable: false,
    };
    match draft.read() {
        Ok(details) => {
            assert_eq!(details.draft().read(), Ok(details.clone()));
            let pem = request_pem(&details, &KEY).expect("a request");
            assert!(pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
        }
        Err(Mistakes(mistakes)) => {
            assert!(!mistakes.is_empty());
            assert!(mistakes.iter().all(|mistake| !mistake.field.is_empty() && !mistake.reason.is_empty()));
        }
    }
    if let Ok(order) = serde_json::from_slice::<OrderDraft>(content)
        && let Ok(order) = order.read()
    {
        assert_eq!(order.draft().read(), Ok(order));
    }
    // Nobody knows a certificate for a key that was just made.
    assert!(Returned::for_key(&[content], &KEY.id().expect("an id")).is_err());
});
