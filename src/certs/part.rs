//! A piece of a certificate, told by its place.

/// Where something lies in a certificate's DER: ten thousand have no need of two copies.
#[derive(Clone, Copy)]
pub(super) struct Part {
    at: u32,
    length: u32,
}

impl Part {
    /// `None` if it lies elsewhere.
    pub(super) fn of(der: &[u8], part: &[u8]) -> Option<Self> {
        let at = part.as_ptr().addr().checked_sub(der.as_ptr().addr())?;
        der.get(at..at.checked_add(part.len())?)?;
        Some(Self { at: u32::try_from(at).ok()?, length: u32::try_from(part.len()).ok()? })
    }

    pub(super) fn within(self, der: &[u8]) -> &[u8] {
        &der[self.at as usize..][..self.length as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_found_where_it_lay_and_nothing_else_is_one() {
        let der = b"one two three".to_vec();
        let copy = der.clone();
        for range in [0..3, 4..7, 8..13, 5..5, 0..13] {
            let piece = Part::of(&der, &der[range.clone()]).expect("a piece");
            assert_eq!(piece.within(&copy), &der[range]);
        }
        assert!(Part::of(&der, &copy[4..7]).is_none());
        assert!(Part::of(&der[..5], &der[4..7]).is_none());
    }
}
