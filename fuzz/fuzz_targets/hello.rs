//! Reads any octets as a ClientHello: what is read of one that rustls takes is what rustls reads.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run hello`

#![no_main]

use libfuzzer_sys::fuzz_target;
use rustls::server::Acceptor;
use vitrine::proxy::Asked;

fuzz_target!(|octets: &[u8]| {
    if let (Some(read), Some(by_rustls)) = (Asked::read(octets), by_rustls(octets)) {
        assert_eq!(read, by_rustls);
    }
});

fn by_rustls(mut octets: &[u8]) -> Option<Asked> {
    let mut acceptor = Acceptor::default();
    while !octets.is_empty() {
        acceptor.read_tls(&mut octets).ok()?;
        if let Some(accepted) = acceptor.accept().ok()? {
            return Some(Asked::of(&accepted.client_hello()));
        }
    }
    None
}
