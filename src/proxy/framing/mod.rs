//! Where a body over HTTP/1 ends (RFC 9112 §6.3), a client's or an upstream's.

mod chunked;

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

pub(super) use chunked::Chunked;

/// What a peer said is not what RFC 9112 allows, or could be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What is still to come of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// This many octets, one at least.
    Length(u64),
    Chunked(Chunked),
    /// All until the peer closes.
    UntilClose,
    /// Nothing.
    Ended,
}

impl Framing {
    /// The next frame, if enough of it has come. A body that has ended has none.
    pub(super) fn next(&mut self, incoming: &mut BytesMut) -> Result<Option<Frame<Bytes>>, Malformed> {
        if incoming.is_empty() {
            return Ok(None);
        }
        let data = match self {
            Self::Ended => return Ok(None),
            Self::Chunked(chunked) => {
                let frame = chunked.next(incoming);
                if chunked.is_done() {
                    *self = Self::Ended;
                }
                return frame;
            }
            Self::UntilClose => take(incoming, usize::MAX),
            Self::Length(left) => {
                let data = take(incoming, usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
                if *left == 0 {
                    *self = Self::Ended;
                }
                data
            }
        };
        Ok(Some(Frame::data(data)))
    }

    pub(super) fn is_ended(&self) -> bool {
        *self == Self::Ended
    }

    /// Whether nothing is read, for it could be read in two ways.
    pub(super) fn is_unknown(&self) -> bool {
        *self == Self::UntilClose
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Length(left) => SizeHint::with_exact(*left),
            Self::Ended => SizeHint::with_exact(0),
            Self::Chunked(_) | Self::UntilClose => SizeHint::default(),
        }
    }

    /// How many octets it is worth to make room for.
    pub(super) fn wants(&self) -> usize {
        match self {
            Self::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            Self::Chunked(chunked) => chunked.wants(),
            Self::UntilClose | Self::Ended => 0,
        }
    }
}

/// Takes up to `most` octets. A small piece that is all there is becomes the frame as it is; a large buffer is shared, so
/// that its memory is used again once the frame has been sent.
pub(super) fn take(incoming: &mut BytesMut, most: usize) -> Bytes {
    if most < incoming.len() {
        incoming.split_to(most).freeze()
    } else if incoming.capacity() < LARGE {
        std::mem::take(incoming).freeze()
    } else {
        incoming.split().freeze()
    }
}

const LARGE: usize = 16 * 1024;
