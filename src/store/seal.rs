//! Sealed files: text that says which key opens it, so that whoever finds one knows what it is.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::{Key, KeyId, StateKey, Trouble};

/// Seals a content for the place where it will lie: moved elsewhere it does not open.
pub(super) fn seal(key: &StateKey, place: &Key, content: &[u8]) -> Result<Vec<u8>, Trouble> {
    let sealed = key.encrypt(content, &about(place)).ok_or(Trouble::Refused("it cannot be encrypted; see the log"))?;
    let text = Base64::encode_string(&sealed);
    let mut file = format!("{BEGIN}{KEY_ID}{}\n\n", key.id());
    file.reserve(text.len() + text.len() / LINE + END.len() + 2);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE));
        file.push_str(line);
        file.push('\n');
        rest = more;
    }
    file.push_str(END);
    Ok(file.into_bytes())
}

/// With which key a content is sealed; `None` when it is not.
pub(super) fn sealed_with(content: &[u8]) -> Option<Result<KeyId, Trouble>> {
    let rest = content.strip_prefix(BEGIN.as_bytes())?;
    Some(head(rest).map(|(id, _)| id))
}

/// What is sealed in a content that lies at `place`.
pub(super) fn open(key: &StateKey, place: &Key, content: &[u8]) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let (id, body) = content.strip_prefix(BEGIN.as_bytes()).ok_or(DAMAGED).and_then(head)?;
    if id != key.id() {
        return Err(Trouble::OtherKey(id, key.id()));
    }
    let body = body.strip_suffix(END.as_bytes()).ok_or(DAMAGED)?;
    let text: Vec<u8> = body.iter().copied().filter(|letter| *letter != b'\n').collect();
    let text = String::from_utf8(text).map_err(|_| DAMAGED)?;
    let sealed = Base64::decode_vec(&text).map_err(|_| DAMAGED)?;
    key.decrypt(sealed, &about(place)).ok_or(Trouble::Damaged(MOVED))
}

/// The key's identity, and what follows the head.
fn head(rest: &[u8]) -> Result<(KeyId, &[u8]), Trouble> {
    let rest = rest.strip_prefix(KEY_ID.as_bytes()).ok_or(DAMAGED)?;
    let end = rest.windows(2).position(|pair| pair == b"\n\n").ok_or(DAMAGED)?;
    let id = std::str::from_utf8(&rest[..end]).ok().and_then(KeyId::parse).ok_or(DAMAGED)?;
    Ok((id, &rest[end + 2..]))
}

fn about(place: &Key) -> Vec<u8> {
    [ABOUT, place.to_string().as_bytes()].concat()
}

const BEGIN: &str = "-----BEGIN VITRINE SEALED FILE-----\n";
const KEY_ID: &str = "Key-Id: ";
const END: &str = "-----END VITRINE SEALED FILE-----\n";
/// The width of PEM.
const LINE: usize = 64;
/// The form of the file, which another form must not be taken for.
const ABOUT: &[u8] = b"vitrine sealed file 1\0";
const DAMAGED: Trouble = Trouble::Damaged("it was sealed by vitrine and is not whole any more");
const MOVED: &str = "the key is the right one and does not open it: it was changed, or moved here from another place";

#[cfg(test)]
mod tests {
    use super::*;

    fn key(octet: u8) -> StateKey {
        StateKey::of(&[octet; 32]).expect("a key")
    }

    #[test]
    fn a_sealed_file_is_text_that_names_its_key() {
        let place = Key::known(&["requests", "7", "key.pem"]);
        let file = seal(&key(1), &place, &[b'x'; 100]).expect("sealed");
        let text = String::from_utf8(file.clone()).expect("text");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "-----BEGIN VITRINE SEALED FILE-----");
        assert_eq!((lines[1], lines[2]), (&*format!("Key-Id: {}", key(1).id()), ""));
        assert!(
            lines.iter().all(|line| line.len() <= 64) && lines.last() == Some(&"-----END VITRINE SEALED FILE-----")
        );
        assert!(matches!(sealed_with(&file), Some(Ok(id)) if id == key(1).id()));
        assert_eq!(open(&key(1), &place, &file).expect("opened")[..], [b'x'; 100]);
        assert!(open(&key(1), &place, &seal(&key(1), &place, b"").expect("sealed")).expect("opened").is_empty());
    }

    #[test]
    fn it_opens_in_its_place_with_its_key_and_whole_only() {
        let (here, there) = (Key::known(&["a", "key.pem"]), Key::known(&["b", "key.pem"]));
        let file = seal(&key(1), &here, b"secret").expect("sealed");
        let said = |opened: Result<Zeroizing<Vec<u8>>, Trouble>| opened.expect_err("closed").to_string();
        assert!(said(open(&key(1), &there, &file)).contains("moved here from another place"));
        let other = said(open(&key(2), &here, &file));
        assert!(other.contains(&key(1).id().to_string()) && other.contains(&key(2).id().to_string()), "{other}");
        for length in 0..file.len() {
            let text = said(open(&key(1), &here, &file[..length]));
            assert!(text.contains("not whole any more") || text.contains("it was changed"), "{length}: {text}");
        }
    }

    #[test]
    fn what_openssl_writes_is_not_sealed() {
        assert!(sealed_with(b"-----BEGIN PRIVATE KEY-----\n").is_none());
        assert!(sealed_with(b"").is_none());
        assert!(matches!(sealed_with(BEGIN.as_bytes()), Some(Err(Trouble::Damaged(_)))));
    }
}
