//! What is written, in pieces that become records.

use std::io::IoSlice;

use super::scratch::RECORD;

/// Slices that are handed out from the front.
pub(super) struct Slices<'s, 'i> {
    slices: &'s [IoSlice<'i>],
    /// How much of the first is done with.
    done: usize,
    /// Octets that are left.
    left: usize,
}

impl<'s, 'i> Slices<'s, 'i> {
    pub(super) fn new(slices: &'s [IoSlice<'i>]) -> Self {
        Self { slices, done: 0, left: slices.iter().map(|slice| slice.len()).sum() }
    }

    /// The next piece, of at most `most` octets. What is small is gathered in `record`, as a head and the body behind it; more than that is
    /// not copied for the sake of a record.
    pub(super) fn next<'p>(&mut self, record: &'p mut [u8], most: usize) -> Option<&'p [u8]>
    where
        's: 'p,
    {
        self.skip_empty();
        let (first, behind) = self.slices.split_first()?;
        if most == 0 {
            return None;
        }
        let rest = &first[self.done..];
        if !behind.is_empty() && (self.left <= RECORD || rest.len() < GATHERED) {
            let room = if self.left <= RECORD { RECORD } else { GATHERED };
            return Some(self.gather(&mut record[..room.min(most)]));
        }
        let whole = rest.len() - rest.len() % RECORD;
        let length = if behind.is_empty() || whole == 0 { rest.len() } else { whole };
        let piece = &rest[..length.min(most)];
        self.go_on(piece.len());
        Some(piece)
    }

    /// Fills `room`, as far as there is something to fill it.
    fn gather<'p>(&mut self, room: &'p mut [u8]) -> &'p [u8] {
        let mut filled = 0;
        while let [first, ..] = self.slices
            && filled < room.len()
        {
            let rest = &first[self.done..];
            let part = &rest[..rest.len().min(room.len() - filled)];
            room[filled..][..part.len()].copy_from_slice(part);
            filled += part.len();
            self.go_on(part.len());
            self.skip_empty();
        }
        &room[..filled]
    }

    fn go_on(&mut self, octets: usize) {
        self.done += octets;
        self.left -= octets;
    }

    fn skip_empty(&mut self) {
        while let [first, behind @ ..] = self.slices
            && self.done == first.len()
        {
            (self.slices, self.done) = (behind, 0);
        }
    }
}

/// Slices are gathered up to this many octets where they are more than one record: a record costs less than copying more.
const GATHERED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::super::scratch::AT_ONCE;
    use super::*;

    #[test]
    fn a_head_and_the_body_behind_it_are_one_record() {
        let mut record = vec![0; RECORD];
        let mut sizes = |pieces: &[usize], most: usize| {
            let pieces: Vec<Vec<u8>> = pieces.iter().map(|size| vec![7; *size]).collect();
            let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            let (mut slices, mut sizes, mut done) = (Slices::new(&pieces), Vec::new(), 0);
            while let Some(piece) = slices.next(&mut record, most - done) {
                done += piece.len();
                sizes.push(piece.len());
            }
            sizes
        };
        assert!(sizes(&[], AT_ONCE).is_empty());
        assert!(sizes(&[0, 0], AT_ONCE).is_empty());
        assert_eq!(sizes(&[200, 1000], AT_ONCE), [1200]);
        assert_eq!(sizes(&[0, 200, 0, 1000, 0, 5], AT_ONCE), [1205]);
        assert_eq!(sizes(&[100_000], AT_ONCE), [AT_ONCE]);
        assert_eq!(sizes(&[20_000], AT_ONCE), [20_000]);
        assert_eq!(sizes(&[200, 40_000], AT_ONCE), [GATHERED, 40_200 - GATHERED]);
        assert_eq!(sizes(&[5000, 30_000], AT_ONCE), [5000, 30_000]);
        assert_eq!(sizes(&[5000, 7], AT_ONCE), [5007]);
        assert_eq!(sizes(&[20_000, 300, 40_000], AT_ONCE), [RECORD, GATHERED, 60_300 - RECORD - GATHERED]);
        assert_eq!(sizes(&[200, 1000], 700), [700]);
    }
}
