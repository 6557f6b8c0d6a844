//! Keys that openssl encrypted in its traditional form: `Proc-Type: 4,ENCRYPTED` above the key, and the cipher in `DEK-Info`
//! (RFC 1421 §4.6.1).

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use des::TdesEde3;
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::der;
use crate::certs::flaw::Flaw;
use crate::certs::password::Password;

/// The key's DER. `cipher` is what `DEK-Info` says.
pub(super) fn decrypt(cipher: &[u8], content: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, Flaw> {
    let (name, vector) =
        str::from_utf8(cipher).ok().and_then(|cipher| cipher.split_once(',')).ok_or_else(unsupported)?;
    let vector = octets(vector.trim()).ok_or_else(unsupported)?;
    let open = match name.trim() {
        "AES-128-CBC" => cbc::<Aes128>,
        "AES-192-CBC" => cbc::<Aes192>,
        "AES-256-CBC" => cbc::<Aes256>,
        "DES-EDE3-CBC" => cbc::<TdesEde3>,
        _ => return Err(unsupported()),
    };
    let plain = open(password.required()?, &vector, content);
    // Nothing but the padding says whether it was the right password; one in 256 wrong ones makes a right padding.
    plain.filter(|plain| der::is_one_sequence(plain)).ok_or_else(|| password.refused())
}

fn cbc<C: KeyInit + BlockCipherDecrypt>(password: &str, vector: &[u8], content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = key(C::key_size(), password, vector.get(..8)?);
    let cipher = Decryptor::<C>::new_from_slices(&key, vector).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(content).ok().map(Zeroizing::new)
}

/// openssl's `EVP_BytesToKey` with MD5 and one round; the first half of the vector is the salt.
fn key(length: usize, password: &str, salt: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut last = Zeroizing::new(Vec::new());
    while key.len() < length {
        let sum = Md5::new().chain_update(&*last).chain_update(password).chain_update(salt).finalize();
        key.extend_from_slice(&sum);
        last = Zeroizing::new(sum.to_vec());
    }
    key.truncate(length);
    key
}

fn octets(hexadecimal: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hexadecimal.as_bytes().as_chunks::<2>();
    let octet = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    if rest.is_empty() { pairs.iter().map(octet).collect() } else { None }
}

fn unsupported() -> Flaw {
    Flaw::new(
        "encrypted-key",
        "the private key is encrypted in a way that is not read: AES-128-CBC, AES-192-CBC, AES-256-CBC and DES-EDE3-CBC are",
        "decrypt it with: openssl pkey -in OLD -out NEW",
    )
}
