//! Reads any content as a certificate file, and as a certificate of Apple Pay's, with the password "geheim": it may be refused, never
//! panic, and never quote what it read.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run bundle`

#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine::certs::{ApplePayCertificate, Bundle};
use zeroize::Zeroizing;

fuzz_target!(|content: &[u8]| {
    match Bundle::parse(content, Some("geheim")) {
        Ok(bundle) => assert!(!bundle.names().is_empty(), "a bundle for nobody"),
        Err(flaw) => {
            assert!(!flaw.code.is_empty() && !flaw.reason.is_empty() && !flaw.mend.is_empty());
        }
    }
    if let Err(flaw) = ApplePayCertificate::read(content, Some(Zeroizing::new("geheim".into()))) {
        assert!(!flaw.code.is_empty() && !flaw.reason.is_empty() && !flaw.mend.is_empty());
    }
});
