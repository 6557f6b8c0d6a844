//! The password that lies beside a file: `shop.pfx.password` for `shop.pfx`.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::bounded::{Room, bounded_read};
use super::flaw::Flaw;

/// What opens a file that is encrypted.
pub(super) enum Password {
    /// None lies there.
    Absent,
    Given(Zeroizing<String>),
    /// One lies there that cannot be used.
    Unusable(Flaw),
}

impl Password {
    /// Reads the password file at `path`.
    pub(super) fn read(path: &Path) -> Self {
        match bounded_read(path, &mut Room::default()) {
            Ok((_, metadata, _)) if is_exposed(&metadata) => Self::Unusable(exposed()),
            Ok((content, ..)) => Self::of(content),
            Err(flaw) => Self::Unusable(unreadable(&flaw)),
        }
    }

    /// The password of the file at `path`.
    pub(super) fn beside(path: &Path) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(EXTENSION);
        let file = path.with_file_name(name);
        if file.exists() { Self::read(&file) } else { Self::Absent }
    }

    /// One line in UTF-8; what ends the line is no part of the password, and neither is the mark that Windows begins with.
    fn of(content: &[u8]) -> Self {
        let line = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match str::from_utf8(line) {
            Ok(line) if line.len() <= LONGEST && !line.contains(char::is_control) => {
                Self::Given(Zeroizing::new(line.to_owned()))
            }
            _ => Self::Unusable(no_line()),
        }
    }

    /// Whether it keeps nobody out.
    pub(super) fn is_empty(&self) -> bool {
        self.or_empty().is_ok_and(str::is_empty)
    }

    /// The password, for what may also be open to everybody.
    pub(super) fn or_empty(&self) -> Result<&str, Flaw> {
        match self {
            Self::Absent => Ok(""),
            Self::Given(password) => Ok(password),
            Self::Unusable(flaw) => Err(flaw.clone()),
        }
    }

    /// The password, for what does not open without.
    pub(super) fn required(&self) -> Result<&str, Flaw> {
        match self {
            Self::Absent => Err(missing()),
            _ => self.or_empty(),
        }
    }

    /// Why the password does not open what it should.
    pub(super) fn refused(&self) -> Flaw {
        match self {
            Self::Absent => missing(),
            _ => Flaw::new(
                "password-wrong",
                "its password does not open the file",
                "write the right one into its password file, on one line",
            ),
        }
    }
}

fn is_exposed(metadata: &Metadata) -> bool {
    metadata.mode() & 0o077 != 0
}

fn missing() -> Flaw {
    Flaw::new(
        "waiting-for-password",
        "the file is encrypted, and its password is not there",
        "write the password, on one line, into a file beside it that has its name with .password behind, at mode 0600; it has to \
         stay there, unless the edge keeps the certificate after: vitrine certs import FILE",
    )
}

fn exposed() -> Flaw {
    Flaw::new(
        "password-exposed",
        "its password file may be read or written by others than its owner, and is not used",
        "take their rights away with: chmod 0600 FILE.password; if others may have read it, have a new key made",
    )
}

fn unreadable(flaw: &Flaw) -> Flaw {
    Flaw::new(
        "password-unreadable",
        format!("of its password file: {}", flaw.reason),
        "let the user that runs vitrine own it, with mode 0600",
    )
}

fn no_line() -> Flaw {
    Flaw::new(
        "password-malformed",
        format!("its password file is not one line of text in UTF-8 of {LONGEST} octets at most"),
        "write the password into it, and nothing else",
    )
}

/// Behind the name of a file, that of the file with its password.
pub(super) const EXTENSION: &str = ".password";
/// More than anybody types, in octets.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<String, &'static str> {
        Password::of(content).required().map(str::to_owned).map_err(|flaw| flaw.code)
    }

    #[test]
    fn a_password_is_one_line() {
        for content in [
            &b"Schl\xC3\xBCssel 1"[..],
            b"Schl\xC3\xBCssel 1\n",
            b"Schl\xC3\xBCssel 1\r\n",
            b"\xEF\xBB\xBFSchl\xC3\xBCssel 1",
        ] {
            assert_eq!(read(content).as_deref(), Ok("Schl\u{fc}ssel 1"));
        }
        assert_eq!(read(b"\n").as_deref(), Ok(""));
        assert_eq!(read(b" a ").as_deref(), Ok(" a "));
        for content in [&b"a\nb\n"[..], b"a\n\n", b"\xFF\xFEa\0", &[b'a'; 1025]] {
            assert_eq!(read(content), Err("password-malformed"));
        }
    }

    #[test]
    fn no_reason_quotes_the_password() {
        let given = Password::of(b"geheim");
        let said = [given.refused(), Password::of(b"geheim\ngeheim").refused()].map(|flaw| flaw.to_string()).concat();
        assert!(!said.contains("geheim"));
    }
}
