//! HPACK's Huffman code (RFC 7541 §5.2 and appendix B). It is canonical: how long each octet's code is says which it is.

use bytes::BufMut;

/// Appends what `coded` stands for. `None`: it is no such code, or is filled up with more than the rest of an octet.
pub(super) fn decode(coded: &[u8], plain: &mut Vec<u8>) -> Option<()> {
    let (mut node, mut may_end) = (ROOT, true);
    for octet in coded {
        for nibble in [octet >> 4, octet & 15] {
            let step = STEPS[node as usize][nibble as usize];
            match step.is_valid {
                true if step.emits => plain.push(step.octet),
                true => {}
                false => return None,
            }
            (node, may_end) = (step.node, step.may_end);
        }
    }
    may_end.then_some(())
}

/// How many octets `plain` takes, coded.
pub(super) fn coded_length(plain: &[u8]) -> usize {
    let bits: usize = plain.iter().map(|octet| LENGTHS[*octet as usize] as usize).sum();
    bits.div_ceil(8)
}

/// Appends `plain`, coded.
pub(super) fn encode(plain: &[u8], coded: &mut impl BufMut) {
    let (mut bits, mut held) = (0_u64, 0);
    for octet in plain {
        let length = u32::from(LENGTHS[*octet as usize]);
        (bits, held) = (bits << length | u64::from(CODES[*octet as usize]), held + length);
        while held >= 8 {
            held -= 8;
            coded.put_u8((bits >> held) as u8);
        }
    }
    if held > 0 {
        // Filled up with the beginning of the code for the end.
        coded.put_u8((bits << (8 - held)) as u8 | (0xff >> held));
    }
}

/// What four bits do in one place of the code's tree. No code is shorter than that, so that they end one at most.
#[derive(Clone, Copy)]
struct Step {
    node: u8,
    octet: u8,
    emits: bool,
    /// The text may end here: what is left over are fewer than eight bits, all of them set.
    may_end: bool,
    is_valid: bool,
}

const fn codes() -> [u32; 256] {
    let (mut codes, mut next, mut length) = ([0; 256], 0_u32, 1);
    while length <= LONGEST {
        next <<= 1;
        let mut octet = 0;
        while octet < 256 {
            if LENGTHS[octet] == length {
                codes[octet] = next;
                next += 1;
            }
            octet += 1;
        }
        length += 1;
    }
    codes
}

/// Where each node leads: to another, or to an octet, as `LEAF` with it.
const fn tree() -> [[u16; 2]; 256] {
    let (mut tree, mut nodes, mut octet) = ([[NOWHERE; 2]; 256], 1, 0);
    // The code for the end is the last: 30 bits, all of them set. It stands for nothing, so that it leads nowhere.
    while octet <= 256 {
        let (code, length) = if octet < 256 { (CODES[octet], LENGTHS[octet]) } else { (0x3fff_ffff, LONGEST) };
        let (mut node, mut left) = (0, length);
        while left > 1 {
            left -= 1;
            let bit = (code >> left & 1) as usize;
            if tree[node][bit] == NOWHERE {
                tree[node][bit] = nodes;
                nodes += 1;
            }
            node = tree[node][bit] as usize;
        }
        if octet < 256 {
            tree[node][(code & 1) as usize] = LEAF | octet as u16;
        }
        octet += 1;
    }
    tree
}

const fn steps() -> [[Step; 16]; 256] {
    let tree = tree();
    // Nodes that only set bits lead to, fewer than eight of them.
    let (mut may_end, mut node, mut depth) = ([false; 256], 0, 0);
    while depth < 8 {
        may_end[node] = true;
        node = tree[node][1] as usize;
        depth += 1;
    }
    let mut steps = [[Step { node: 0, octet: 0, emits: false, may_end: false, is_valid: false }; 16]; 256];
    let mut from = 0;
    while from < 256 {
        let mut nibble = 0;
        while nibble < 16 {
            let mut step = Step { node: 0, octet: 0, emits: false, may_end: false, is_valid: true };
            let (mut node, mut bit) = (from, 4);
            while bit > 0 && step.is_valid {
                bit -= 1;
                let to = tree[node][nibble >> bit & 1];
                if to == NOWHERE {
                    step.is_valid = false;
                } else if to & LEAF != 0 {
                    step.octet = to as u8;
                    step.emits = true;
                    node = 0;
                } else {
                    node = to as usize;
                }
            }
            step.node = node as u8;
            step.may_end = step.is_valid && may_end[node];
            steps[from][nibble] = step;
            nibble += 1;
        }
        from += 1;
    }
    steps
}

static STEPS: [[Step; 16]; 256] = steps();
const CODES: [u32; 256] = codes();
const ROOT: u8 = 0;
const LEAF: u16 = 0x100;
const NOWHERE: u16 = 0x200;
const LONGEST: u8 = 30;
/// Bits of each octet's code (RFC 7541 appendix B).
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, //
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, //
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, //
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, //
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, //
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, //
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, //
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, //
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, //
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, //
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, //
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, //
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, //
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, //
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, //
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, //
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
        let mut plain = Vec::new();
        decode(coded, &mut plain).map(|()| plain)
    }

    #[test]
    fn the_examples_of_the_rfc_are_read_and_written() {
        // RFC 7541 appendix C.4 and C.6.
        for (plain, coded) in [
            ("www.example.com", &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..]),
            ("no-cache", &[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]),
            ("302", &[0x64, 0x02]),
            ("private", &[0xae, 0xc3, 0x77, 0x1a, 0x4b]),
            ("", &[]),
        ] {
            let mut written = Vec::new();
            encode(plain.as_bytes(), &mut written);
            assert_eq!((&written[..], coded_length(plain.as_bytes())), (coded, coded.len()), "{plain}");
            assert_eq!(decoded(coded).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn what_is_filled_up_otherwise_or_says_its_end_is_no_text() {
        for coded in [
            &[0x64, 0x02, 0xff][..],   // an octet too much
            &[0x00],                   // the last bits are of no code, and not set
            &[0xff, 0xff, 0xff, 0xff], // the code for the end
            &[0xff],
        ] {
            assert_eq!(decoded(coded), None, "{coded:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(plain in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut coded = Vec::new();
            encode(&plain, &mut coded);
            prop_assert_eq!(coded.len(), coded_length(&plain));
            prop_assert_eq!(decoded(&coded), Some(plain));
        }

        #[test]
        fn what_is_read_is_what_would_be_written(coded in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Some(plain) = decoded(&coded) {
                let mut written = Vec::new();
                encode(&plain, &mut written);
                prop_assert_eq!(written, coded);
            }
        }
    }
}
