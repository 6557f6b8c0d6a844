//! The secret of a key that updates are signed with, from a file of its own.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// Reads a secret: in base64 alone, or from what tsig-keygen(8) writes.
///
/// Nothing of the file is in an error.
pub(super) fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut text = Zeroizing::new(String::with_capacity(LARGEST));
    let file = File::open(file).map_err(|error| error.to_string())?;
    let most = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    file.take(most).read_to_string(&mut text).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => EXPECTED.to_owned(),
        _ => error.to_string(),
    })?;
    secret(&text).ok_or_else(|| EXPECTED.to_owned())
}

fn secret(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = match text.contains('{') {
        // A key statement: the secret is the first text in quotes behind the word, which may be in the key's name too.
        true => text.split_once('{')?.1.split_once("secret")?.1.split('"').nth(1)?,
        false => text,
    };
    let plain = text.trim().trim_end_matches('=');
    // Some write it without what fills it up.
    let mut filled = Zeroizing::new(String::with_capacity(LARGEST + 4));
    filled.push_str(plain);
    while !filled.len().is_multiple_of(4) {
        filled.push('=');
    }
    let secret = Base64::decode_vec(&filled).ok().map(Zeroizing::new)?;
    (!secret.is_empty()).then_some(secret)
}

const EXPECTED: &str =
    "expected the secret of a key in base64, alone or in a key statement as tsig-keygen(8) writes it";
/// Far more than any key statement has.
const LARGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_is_read_alone_and_from_a_key_statement() {
        let statement = "key \"vitrine\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0IG9mIGEga2V5\";\n};\n";
        for text in ["c2VjcmV0IG9mIGEga2V5", " c2VjcmV0IG9mIGEga2V5\n", statement] {
            assert_eq!(secret(text).as_deref().map(Vec::as_slice), Some(&b"secret of a key"[..]), "{text}");
        }
        assert_eq!(secret("c2VjcmV0").as_deref().map(Vec::as_slice), Some(&b"secret"[..]));
        for text in ["c2VjcmV0MQ==", "c2VjcmV0MQ=", "c2VjcmV0MQ\r\n"] {
            assert_eq!(secret(text).as_deref().map(Vec::as_slice), Some(&b"secret1"[..]), "{text:?}");
        }
        for text in ["", "====", "not base64!", "{ secret", "{ secret \"", "{ secret \"\"; }", "a", "c2VjcmV0 c2VjcmV0"]
        {
            assert!(secret(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn what_holds_no_secret_is_told_without_a_word_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tsig.key");
        assert!(read(&file).expect_err("nothing there").contains("No such file"));
        for content in [&b"hunter2 is no base64"[..], b"\xff\xfe"] {
            std::fs::write(&file, content).expect("written");
            assert_eq!(read(&file), Err(EXPECTED.into()));
        }
    }

    proptest! {
        #[test]
        fn any_secret_is_read_as_it_was_written(octets in prop::collection::vec(any::<u8>(), 1..128), text in "\\PC{0,100}") {
            let written = Base64::encode_string(&octets);
            prop_assert_eq!(secret(&written).map(|read| read.to_vec()), Some(octets.clone()));
            let statement = format!("key \"secret\" {{ algorithm hmac-sha512; secret \"{written}\"; }};");
            prop_assert_eq!(secret(&statement).map(|read| read.to_vec()), Some(octets));
            let _ = secret(&text);
        }
    }
}
