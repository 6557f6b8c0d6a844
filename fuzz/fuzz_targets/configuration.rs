//! Reads any text as a configuration: it may be refused, with where and why, and never panics.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run configuration`

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use vitrine::config::Config;

fuzz_target!(|text: &str| {
    match Config::parse(Path::new("vitrine.toml"), text) {
        Ok(loaded) => assert!(loaded.config.edge.workers > 0 && !loaded.config.edge.https.is_empty()),
        Err(mistakes) => {
            assert!(!mistakes.remarks().is_empty());
            assert!(mistakes.to_string().lines().all(|line| line.contains("vitrine.toml")));
        }
    }
});
