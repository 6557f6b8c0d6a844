//! The key that the secrets of the state are sealed with, and the file it comes from.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{Context, SHA256};
use base64ct::{Base64, Encoding};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// A key for AES-256-GCM. It cannot be printed.
pub struct StateKey {
    key: RandomizedNonceKey,
    id: KeyId,
}

impl StateKey {
    /// Reads a key file: 32 octets, as they are, in hexadecimal or in base64. A path may begin with
    /// `$CREDENTIALS_DIRECTORY`, where systemd puts what `LoadCredential=` names.
    ///
    /// # Errors
    /// [`KeyFileError`] when there is none, when others may read it, or when it holds something else.
    pub fn read(said: &Path) -> Result<Self, KeyFileError> {
        let wrong = |what: String| KeyFileError { file: said.to_owned(), what };
        let content = read_private(said).map_err(wrong)?;
        let octets = parse(&content).ok_or_else(|| wrong(NO_KEY.into()))?;
        Self::of(&octets).ok_or_else(|| wrong(NO_KEY.into()))
    }

    pub(super) fn of(octets: &[u8; KEY_LEN]) -> Option<Self> {
        let mut sum = Context::new(&SHA256);
        sum.update(ID_DOMAIN);
        sum.update(octets);
        let mut id = [0; ID_LEN];
        id.copy_from_slice(sum.finish().as_ref().get(..ID_LEN)?);
        Some(Self { key: RandomizedNonceKey::new(&AES_256_GCM, octets).ok()?, id: KeyId(id) })
    }

    /// By which it is told from others.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Nonce, ciphertext and tag; `about` is what must be the same for it to open again.
    pub(super) fn encrypt(&self, content: &[u8], about: &[u8]) -> Option<Vec<u8>> {
        // Of its full size from the start: a buffer that grows leaves copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(content.len() + AES_256_GCM.tag_len()));
        text.extend_from_slice(content);
        let nonce = self.key.seal_in_place_append_tag(Aad::from(about), &mut *text).ok()?;
        Some([&nonce.as_ref()[..], &text[..]].concat())
    }

    /// What was encrypted; `None` when it was changed, or with another key, or about something else.
    pub(super) fn decrypt(&self, sealed: Vec<u8>, about: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut text = Zeroizing::new(sealed);
        let nonce = Nonce::try_assume_unique_for_key(text.get(..NONCE_LEN)?).ok()?;
        let length = self.key.open_in_place(nonce, Aad::from(about), &mut text[NONCE_LEN..]).ok()?.len();
        text.copy_within(NONCE_LEN..NONCE_LEN + length, 0);
        text.truncate(length);
        Some(text)
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Tells one key from another and nothing about either: the head of a hash over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; ID_LEN]);

impl KeyId {
    /// As [`fmt::Display`] writes it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(Self(from_hex(text.as_bytes())?))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Why a key file gives no key. Nothing of its content is in it.
#[derive(Debug)]
pub struct KeyFileError {
    file: PathBuf,
    what: String,
}

impl KeyFileError {
    /// Whether it is a credential, and this process is not the unit that gets it.
    #[must_use]
    pub fn is_for_the_unit(&self) -> bool {
        self.what == NO_CREDENTIALS
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key file {}: {}", self.file.display(), self.what)
    }
}

impl std::error::Error for KeyFileError {}

/// The content of a small file that others may not read.
fn read_private(said: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let credential = said.strip_prefix(CREDENTIALS);
    let path = match credential {
        Ok(name) => std::env::var_os(&CREDENTIALS[1..]).map(|folder| Path::new(&folder).join(name)),
        Err(_) => Some(said.to_owned()),
    };
    let path = path.ok_or(NO_CREDENTIALS)?;
    let failed = |error: io::Error| format!("{error}; name a file that the user that runs vitrine can read");
    let file =
        OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    // Where there are ACLs, systemd opens a credential to its user by one, and the mask of an ACL shows as the group's rights.
    let others = if credential.is_ok() { 0o037 } else { 0o077 };
    if !metadata.is_file() {
        return Err("it is no regular file; name one that holds the key".into());
    }
    if metadata.mode() & others != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(format!(
            "others may read or change it (mode {mode:04o}), and it is not used; chmod 0600, and have a new key if they did"
        ));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    file.take(LONGEST as u64 + 1).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

/// The three ways to write 32 octets.
fn parse(content: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    // As many letters as a key has octets are half a key in hexadecimal, or a word somebody thought of.
    if let Ok(raw) = <[u8; KEY_LEN]>::try_from(content) {
        return (!raw.iter().all(|octet| octet.is_ascii_graphic())).then(|| Zeroizing::new(raw));
    }
    let text = content.trim_ascii();
    if let Some(octets) = from_hex(text) {
        return Some(Zeroizing::new(octets));
    }
    let mut octets = Zeroizing::new([0; KEY_LEN]);
    let length = Base64::decode(text, &mut *octets).ok()?.len();
    (length == KEY_LEN).then_some(octets)
}

fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut octets = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(text.chunks(2)) {
        let digits =
            std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        *octet = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(octets)
}

const KEY_LEN: usize = 32;
/// Enough to tell a handful of keys apart.
const ID_LEN: usize = 8;
/// The identity is a hash for this purpose alone.
const ID_DOMAIN: &[u8] = b"vitrine state key\0";
/// 64 hexadecimal digits with an end of line, and room to find that it is something else.
const LONGEST: usize = 128;
const CREDENTIALS: &str = "$CREDENTIALS_DIRECTORY";
const NO_CREDENTIALS: &str = "systemd gives this process no credentials; put LoadCredential= into its unit";
const NO_KEY: &str =
    "it holds no key; expected 32 octets, raw, in hexadecimal or in base64, as openssl rand -hex 32 makes them";

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read(content: &[u8], mode: u32) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        fs::write(&file, content).expect("written");
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("set");
        StateKey::read(&file).map(|key| key.id().to_string()).map_err(|error| error.what)
    }

    #[test]
    fn a_key_is_written_raw_in_hexadecimal_or_in_base64() {
        let raw: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).expect("small") ^ 0xa5);
        let hex: String = raw.iter().map(|octet| format!("{octet:02X}")).collect();
        let id = read(&raw, 0o600).expect("a key");
        for text in
            [hex.clone(), format!("{hex}\n"), hex.to_lowercase(), format!("{}\r\n", Base64::encode_string(&raw))]
        {
            assert_eq!(read(text.as_bytes(), 0o400), Ok(id.clone()), "{text}");
        }
        assert_eq!(id.len(), 16);
    }

    #[test]
    fn anything_else_is_no_key_and_is_not_quoted() {
        for content in [
            &b""[..],
            b"correct horse battery staple",
            b"0123456789abcdef0123456789abcdef",
            &[7; 31],
            &[7; 33],
            &[7; 4096],
        ] {
            assert_eq!(read(content, 0o600), Err(NO_KEY.into()));
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        for mode in [0o640, 0o604, 0o620] {
            let refused = read(&[7; 32], mode).expect_err("refused");
            assert!(refused.starts_with(&format!("others may read or change it (mode {mode:04o})")), "{refused}");
        }
    }

    #[test]
    fn a_missing_key_is_named() {
        let refused = StateKey::read(Path::new("/nowhere/key")).expect_err("missing").to_string();
        assert!(refused.starts_with("the key file /nowhere/key: No such file"), "{refused}");
    }

    #[test]
    fn a_credential_is_asked_for_where_systemd_puts_it() {
        let refused = StateKey::read(Path::new("$CREDENTIALS_DIRECTORY/state-key")).expect_err("no unit");
        assert!(refused.is_for_the_unit(), "{refused}");
        assert!(!StateKey::read(Path::new("/nowhere/key")).expect_err("missing").is_for_the_unit());
    }

    #[test]
    fn what_was_encrypted_opens_about_the_same_and_with_the_same_key_only() {
        let [key, other] = [1, 2].map(|octet| StateKey::of(&[octet; 32]).expect("a key"));
        let sealed = key.encrypt(b"secret", b"a").expect("sealed");
        assert_ne!(sealed, key.encrypt(b"secret", b"a").expect("sealed"), "each time another nonce");
        assert_eq!(key.decrypt(sealed.clone(), b"a").as_deref().map(Vec::as_slice), Some(&b"secret"[..]));
        assert!(key.decrypt(sealed.clone(), b"b").is_none());
        assert!(other.decrypt(sealed.clone(), b"a").is_none());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key.decrypt(changed, b"a").is_none(), "octet {index}");
        }
        assert!(key.decrypt(sealed[..20].to_vec(), b"a").is_none());
        assert!(key.decrypt(Vec::new(), b"a").is_none());
    }
}
