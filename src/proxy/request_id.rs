//! What a request is called in logs, on error pages and towards the shop.

use std::cell::Cell;

/// Sixteen hexadecimal digits that name a request in logs and on error pages.
pub(super) type RequestId = [u8; 16];

/// Distinct for the life of a worker. Who sees some of them cannot tell how many there were between: the counter goes through
/// two rounds of [`mix`], which anybody can undo, with words between and behind them that nobody knows.
pub(super) struct RequestIds {
    seed: [u64; 2],
    next: Cell<u64>,
}

impl RequestIds {
    pub(super) fn new(seed: [u64; 2]) -> Self {
        Self { seed, next: Cell::new(0) }
    }

    pub(super) fn next(&self) -> RequestId {
        let next = self.next.get().wrapping_add(1);
        self.next.set(next);
        let [first, second] = self.seed;
        // Each step is a bijection: different counts give different ids.
        let bits = mix(mix(next.wrapping_add(first)) ^ second).wrapping_add(first);
        std::array::from_fn(|place| HEX[(bits >> (60 - 4 * place) & 0xf) as usize])
    }

    /// A draw for sampling; not for secrets.
    pub(super) fn draw(&self) -> u64 {
        mix(self.next.get() ^ self.seed[1])
    }
}

/// The finaliser of SplitMix64: every input bit reaches every output bit.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn request_ids_differ_and_their_order_does_not_show() {
        let ids = RequestIds::new([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);
        let numbers: Vec<_> = (0..10_000)
            .map(|_| u64::from_str_radix(std::str::from_utf8(&ids.next()).expect("digits"), 16).expect("a number"))
            .collect();
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len());
        // What a visitor with two ids could do before: undo the last step and subtract.
        assert!(numbers.windows(2).all(|pair| unmix(pair[1]).wrapping_sub(unmix(pair[0])) != 1));
        assert_eq!(unmix(mix(7)), 7);
    }

    /// [`mix`] undone.
    fn unmix(mut bits: u64) -> u64 {
        bits = bits ^ (bits >> 31) ^ (bits >> 62);
        bits = bits.wrapping_mul(0x3196_42b2_d24d_8ec3);
        bits = bits ^ (bits >> 27) ^ (bits >> 54);
        bits = bits.wrapping_mul(0x96de_1b17_3f11_9089);
        bits ^ (bits >> 30) ^ (bits >> 60)
    }
}
