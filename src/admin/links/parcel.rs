//! What was handed in by a one-time link, as it waits for the operator's word.

use std::fmt;

use zeroize::Zeroizing;

use crate::admin::secrets::{hex, unhex};

/// Whatever was handed in: the pieces, each with its name, and the password. It cannot be printed.
#[derive(Default)]
pub(in crate::admin) struct Parcel {
    pub(in crate::admin) pieces: Vec<(String, Zeroizing<Vec<u8>>)>,
    pub(in crate::admin) password: Option<Zeroizing<String>>,
}

impl Parcel {
    /// Lines: what it is, its name and its content in hexadecimal. It is built without copies that nobody wipes.
    pub(super) fn written(&self) -> Zeroizing<Vec<u8>> {
        let size = self.pieces.iter().map(|(name, content)| 2 * (name.len() + content.len()) + 16).sum::<usize>();
        let password = self.password.as_ref().map_or(0, |password| 2 * password.len() + 16);
        let mut text = Zeroizing::new(Vec::with_capacity(size + password));
        for (name, content) in &self.pieces {
            for part in ["file ", &hex(name.as_bytes()), " ", &hex(content), "\n"] {
                text.extend_from_slice(part.as_bytes());
            }
        }
        if let Some(password) = &self.password {
            for part in ["password ", &hex(password.as_bytes()), "\n"] {
                text.extend_from_slice(part.as_bytes());
            }
        }
        text
    }

    pub(super) fn read(content: &[u8]) -> Option<Self> {
        let mut parcel = Self::default();
        for line in std::str::from_utf8(content).ok()?.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["file", name, content] => {
                    let name = std::str::from_utf8(&unhex(name)?).ok()?.to_owned();
                    parcel.pieces.push((name, unhex(content)?));
                }
                ["password", password] => {
                    let password = unhex(password)?;
                    parcel.password = Some(Zeroizing::new(std::str::from_utf8(&password).ok()?.to_owned()));
                }
                _ => return None,
            }
        }
        Some(parcel)
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel").field("pieces", &self.pieces.len()).finish_non_exhaustive()
    }
}
