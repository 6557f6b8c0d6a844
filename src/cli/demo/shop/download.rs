//! A download that is large for a network and nothing for the memory: one block, sent again and again.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The rest of a download.
pub(super) struct Download {
    left: u64,
}

impl Download {
    /// All of it.
    pub(super) const fn whole() -> Self {
        Self { left: SIZE }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let block = Bytes::from_static(&BLOCK);
        self.left = self.left.saturating_sub(block.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(block))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    /// Exact, so that the response has a Content-Length.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

const fn block() -> [u8; BLOCK_SIZE] {
    let mut block = [0; BLOCK_SIZE];
    let mut place = 0;
    while place < BLOCK_SIZE {
        block[place] = LINE[place % LINE.len()];
        place += 1;
    }
    block
}

/// 32 octets, so that blocks end with a whole line.
const LINE: &[u8; 32] = b"every byte goes past the window\n";
const BLOCK_SIZE: usize = 64 * 1024;
static BLOCK: [u8; BLOCK_SIZE] = block();
/// 100 MiB: seconds on a good line, a whole number of blocks.
pub(super) const SIZE: u64 = 100 * 1024 * 1024;
