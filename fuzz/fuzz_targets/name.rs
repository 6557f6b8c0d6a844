//! Reads any text as a host name, as an operator writes it and as a peer sends it: the normal form is its own normal form, and
//! both ways lead to the same one.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run name`

#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine::name::{HostPattern, NameBuffer};

fuzz_target!(|text: &str| {
    if let Ok(pattern) = HostPattern::parse(text) {
        assert_eq!(HostPattern::parse(&pattern.to_string()).as_ref(), Ok(&pattern));
        if let HostPattern::Exact(name) = &pattern {
            assert_eq!(NameBuffer::new().normalise(name.as_str()), Some(name.as_str()));
            assert!(pattern.covers(name.as_str()));
        }
    }
    let mut buffer = NameBuffer::new();
    if let Some(name) = buffer.normalise(text) {
        assert!(name.len() <= 253 && !name.ends_with('.') && !name.contains(char::is_uppercase));
        assert_eq!(NameBuffer::new().normalise(name), Some(name));
    }
});
