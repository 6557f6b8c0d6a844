//! Writes PKCS#12 (.pfx, .p12) as openssl, Windows and Java read it.

use p12_keystore::error::Error;
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey, PrivateKeyChain,
};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::certs::certificate::sha256;

/// A key and its chain, the leaf first, behind a password: AES-256 by PBES2, and a sum by SHA-256. Windows shows the `name`, Java
/// calls it by that.
///
/// # Errors
/// What is not taken, in words.
pub(in crate::certs) fn pfx(
    name: &str,
    key: &[u8],
    chain: &[CertificateDer<'static>],
    password: &str,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let told = |error: Error| error.to_string();
    let certificates = chain.iter().map(|der| Certificate::from_der(der).map_err(told));
    let certificates: Vec<Certificate> = certificates.collect::<Result<_, _>>()?;
    // It ties key and leaf together; any octets will do that are the same at both.
    let id = sha256(chain.first().map_or(&[][..], AsRef::as_ref));
    let entry = PrivateKeyChain::new(&id[..], PrivateKey::from_der(key).map_err(told)?, certificates);
    let mut store = KeyStore::new();
    store.add_entry(name, KeyStoreEntry::PrivateKeyChain(entry));
    let writer = store
        .writer(password)
        .encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)
        .encryption_iterations(ROUNDS)
        .mac_algorithm(MacAlgorithm::HmacSha256)
        .mac_iterations(ROUNDS);
    writer.write().map(Zeroizing::new).map_err(told)
}

/// A file asks for them three times: for the key, the certificates and the sum. .NET refuses a file of more than 600,000 in all
/// (KB5025823); openssl writes 2,048, Java 10,000.
const ROUNDS: u32 = 150_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::formats::Items;
    use crate::certs::password::Password;
    use crate::certs::testing::Chain;

    #[test]
    fn what_is_written_is_read_again_with_the_password_alone() {
        let leaf = Chain::new().leaf(&["shop.example"]);
        let items = |content: &[u8], password: &str| {
            Items::read(content, &Password::Given(Zeroizing::new(password.to_owned()))).map_err(|flaw| flaw.code)
        };
        let both = items(format!("{}{}", leaf.certificate, leaf.key).as_bytes(), "").expect("both");
        let key = both.keys[0].secret_der();
        let file = pfx("shop.example", key, &both.certificates, "Schl\u{fc}ssel zum Laden").expect("a file");
        let read = items(&file, "Schl\u{fc}ssel zum Laden").expect("a key");
        assert_eq!((read.keys[0].secret_der(), &read.certificates), (key, &both.certificates));
        assert_eq!(items(&file, "Schlussel zum Laden").err(), Some("password-wrong"));
    }
}
