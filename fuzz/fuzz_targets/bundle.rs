//! Reads any content as a certificate file, with the password "geheim": it may be refused, never panic, and never quote what it
//! read.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run bundle`

#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine::certs::Bundle;

fuzz_target!(|content: &[u8]| {
    match Bundle::parse(content, Some("geheim")) {
        Ok(bundle) => assert!(!bundle.names().is_empty(), "a bundle for nobody"),
        Err(flaw) => {
            assert!(!flaw.code.is_empty() && !flaw.reason.is_empty() && !flaw.mend.is_empty());
        }
    }
});
