//! Passwords: what may be one, and how it is kept.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::admin::secrets::{NoRandomness, hex, random_hex, same, unhex};
use crate::words::refusal::Expects;

/// A password as it is kept: argon2id over it and a salt (RFC 9106), with what it was computed by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hashed {
    /// KiB of memory.
    memory: u32,
    /// Passes over it.
    passes: u32,
    /// In hexadecimal.
    salt: String,
    /// The 32 octets of argon2id, in hexadecimal.
    argon2id: String,
}

/// Computes away from the runtime's threads, a few at a time: each takes [`MEMORY`] and a core for some tens of milliseconds.
///
/// # Errors
/// `None` when the computation came to no end.
pub(super) async fn apart<T: Send + 'static>(compute: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let turn = COMPUTING.acquire().await.ok()?;
    let computed = tokio::task::spawn_blocking(compute).await;
    drop(turn);
    computed.inspect_err(|error| tracing::error!(%error, "a password could not be looked at")).ok()
}

impl Hashed {
    /// Of a new password. Takes its time: see [`apart`].
    ///
    /// # Errors
    /// [`NoRandomness`] when there is no salt.
    pub(super) fn of(password: &str) -> Result<Self, NoRandomness> {
        let salt = random_hex::<SALT>()?.to_string();
        let argon2id = compute(password, &salt, MEMORY, PASSES).ok_or(NoRandomness)?;
        Ok(Self { memory: MEMORY, passes: PASSES, argon2id: hex(&*argon2id).to_string(), salt })
    }

    /// One that no password fits, for names that nobody has: looking at it is as much work as at any other.
    pub(super) fn of_nobody() -> Self {
        Self { memory: MEMORY, passes: PASSES, salt: "0".repeat(2 * SALT), argon2id: "0".repeat(2 * LENGTH) }
    }

    /// Whether this is the password. Takes its time: see [`apart`].
    pub(super) fn fits(&self, password: &str) -> bool {
        let kept = unhex(&self.argon2id).unwrap_or_default();
        let memory = self.memory.min(MOST_MEMORY);
        compute(password, &self.salt, memory, self.passes.min(MOST_PASSES)).is_some_and(|found| same(&*found, &kept))
    }
}

fn compute(password: &str, salt: &str, memory: u32, passes: u32) -> Option<Zeroizing<[u8; LENGTH]>> {
    let parameters = Params::new(memory, passes, 1, Some(LENGTH)).ok()?;
    let mut found = Zeroizing::new([0; LENGTH]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    argon2.hash_password_into(password.as_bytes(), &unhex(salt)?, &mut *found).ok()?;
    Some(found)
}

/// What is wrong with a password that somebody wants: in English, and as a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::admin) struct PasswordFlaw {
    wanted: Expects,
    text: String,
}

impl PasswordFlaw {
    /// It is the one so far.
    pub(super) fn same() -> Self {
        Self { wanted: Expects::Another, text: "expected another password than the one so far".into() }
    }

    /// What was expected.
    pub(in crate::admin) const fn wanted(&self) -> Expects {
        self.wanted
    }
}

impl fmt::Display for PasswordFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is wrong with a password that somebody wants, in words that do not repeat it.
pub(super) fn flaw(password: &str, user: &str) -> Option<PasswordFlaw> {
    let flawed = |wanted, text| Some(PasswordFlaw { wanted, text });
    let letters = password.chars().count();
    let different = password.chars().collect::<std::collections::BTreeSet<_>>().len();
    if letters < FEWEST {
        return flawed(
            Expects::Letters(FEWEST),
            format!("expected {FEWEST} letters at least, found {letters}; several words make a good one"),
        );
    }
    if password.len() > LONGEST || password.contains(char::is_control) {
        return flawed(Expects::Line(LONGEST), format!("expected one line of {LONGEST} octets at most"));
    }
    if different < FEWEST_DIFFERENT {
        return flawed(
            Expects::Different(FEWEST_DIFFERENT),
            format!("expected {FEWEST_DIFFERENT} different letters at least, found {different}"),
        );
    }
    let is_the_name = user.len() >= FEWEST / 2 && password.to_lowercase().contains(&user.to_lowercase());
    let text = "expected something else than the user's name; several words make a good one";
    if is_the_name { flawed(Expects::NotTheName, text.into()) } else { None }
}

/// A password for one time: 100 random bits, in groups that can be read out over a telephone.
///
/// # Errors
/// [`NoRandomness`] when the system gives none.
pub(super) fn one_time() -> Result<Zeroizing<String>, NoRandomness> {
    let octets = unhex(&random_hex::<20>()?).ok_or(NoRandomness)?;
    let letters = octets.iter().map(|octet| char::from(LETTERS[usize::from(octet & 31)]));
    let mut text = Zeroizing::new(String::with_capacity(24));
    for (index, letter) in letters.enumerate() {
        if index > 0 && index % 4 == 0 {
            text.push('-');
        }
        text.push(letter);
    }
    Ok(text)
}

/// Two at a time: however many try at once, it is 38 MiB, and half of a small machine goes on serving.
static COMPUTING: Semaphore = Semaphore::const_new(2);
/// In KiB. With it and [`PASSES`], what OWASP's password storage cheat sheet names first.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// A file that was tampered with must not take the machine's memory.
const MOST_MEMORY: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;
const LENGTH: usize = 32;
/// RFC 9106 §3.1
const SALT: usize = 16;
/// NIST SP 800-63B asks for eight beside a second factor and fifteen without; ours is optional, and guesses are counted.
const FEWEST: usize = 12;
const LONGEST: usize = 256;
const FEWEST_DIFFERENT: usize = 5;
/// Without those that are taken for another: i, l, o and u (as Crockford's Base32, in lower case).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_nothing_else_is() {
        let kept = Hashed::of("correct horse battery").expect("hashed");
        let text = serde_json::to_string(&kept).expect("JSON");
        assert!(!text.contains("horse"), "{text}");
        let kept: Hashed = serde_json::from_str(&text).expect("read back");
        assert!(kept.fits("correct horse battery"));
        for wrong in ["", "correct horse batterY", "correct horse battery "] {
            assert!(!kept.fits(wrong), "{wrong}");
        }
        assert_ne!(Hashed::of("correct horse battery").expect("hashed"), kept);
        assert!(!Hashed::of_nobody().fits(""));
    }

    #[test]
    fn the_computation_is_what_another_program_computes() {
        // echo -n "correct horse battery" | argon2 $(printf '0123456789abcdef') -id -m 12 -t 2 -p 1 -r, of Debian's argon2.
        let found = compute("correct horse battery", &hex(b"0123456789abcdef"), 4096, 2).expect("computed");
        assert_eq!(hex(&*found).as_str(), REFERENCE);
    }

    #[test]
    fn what_can_be_guessed_is_refused_without_being_repeated() {
        for (password, words) in [
            ("hunter2", "12 letters at least, found 7"),
            ("aaaaaaaaaaaaaaaa", "5 different letters at least, found 1"),
            ("long enough\nbut two lines", "one line"),
            ("Anna.Muster2026", "than the user's name"),
        ] {
            let flaw = flaw(password, "anna.muster").expect(password);
            assert!(flaw.text.contains(words) && !flaw.text.contains(password), "{flaw}");
        }
        assert_eq!(flaw("correct horse battery", "anna.muster"), None);
        assert_eq!(flaw("überaus lange", "b"), None);
        let one_time = one_time().expect("random");
        assert_eq!((one_time.len(), flaw(&one_time, "anna")), (24, None));
    }

    const REFERENCE: &str = "8edf8e6da7e9869279730ec831bbb29f6a6d9a9c653f348c2ad963e2a26e9ecc";
}
