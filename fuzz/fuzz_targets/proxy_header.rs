//! Reads any octets as a header of the PROXY protocol: one that is whole is short, is the same whatever follows, and no part of it
//! is whole.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run proxy_header`

#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine::proxy::ProxyHeader;

fuzz_target!(|octets: &[u8]| {
    if let Ok(Some(header)) = ProxyHeader::parse(octets) {
        assert!(header.length <= octets.len().min(536));
        assert_eq!(ProxyHeader::parse(&octets[..header.length]), Ok(Some(header)));
        for end in 0..header.length {
            assert_eq!(ProxyHeader::parse(&octets[..end]), Ok(None));
        }
    }
});
