//! Octets of which each tells its place: whatever is lost, doubled or moved shows.

use std::io;

/// A stream of octets from its beginning.
#[derive(Default)]
pub(crate) struct Pattern {
    at: u64,
}

impl Pattern {
    /// The next octets.
    pub(crate) fn fill(&mut self, octets: &mut [u8]) {
        let mut octets = octets;
        while !octets.is_empty() {
            let word = word(self.at);
            let begin = (self.at % 8) as usize;
            let length = octets.len().min(8 - begin);
            octets[..length].copy_from_slice(&word[begin..begin + length]);
            octets = &mut octets[length..];
            self.at += length as u64;
        }
    }

    /// Whether these are the next.
    pub(crate) fn check(&mut self, octets: &[u8]) -> io::Result<()> {
        let mut octets = octets;
        while !octets.is_empty() {
            let word = word(self.at);
            let begin = (self.at % 8) as usize;
            let length = octets.len().min(8 - begin);
            if octets[..length] != word[begin..begin + length] {
                return Err(io::Error::other(format!("a wrong octet at {}", self.at)));
            }
            octets = &octets[length..];
            self.at += length as u64;
        }
        Ok(())
    }

    /// Whether so many have come.
    pub(crate) fn ends_at(&self, size: u64) -> io::Result<()> {
        let at = self.at;
        if at == size { Ok(()) } else { Err(io::Error::other(format!("{at} octets of {size}"))) }
    }
}

/// Eight octets that hold the place, in an order that no shift by eight repeats.
fn word(at: u64) -> [u8; 8] {
    (at / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()
}
