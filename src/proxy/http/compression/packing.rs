//! A body on its way through an encoder: little by little, so that neither memory nor the worker's time is one client's.

use std::cell::Cell;
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::encoder::Encoder;
use crate::live::Coding;

/// A body that is being compressed.
pub(in crate::proxy::http) struct Packing {
    /// `None`: all has been given.
    encoder: Option<Encoder>,
    /// What has come and was not taken in yet.
    input: Bytes,
    trailers: Option<HeaderMap>,
    /// Nothing more comes.
    ended: bool,
    /// Something was taken in that has not been given.
    holds: bool,
    /// How much more comes is not known: the shop may be waiting itself, and what it said until then is wanted.
    flows: bool,
    /// How much was taken in since others had their turn.
    taken: usize,
    _place: Place,
}

/// What is to be done next.
pub(in crate::proxy::http) enum Next {
    /// More of the body is needed.
    More,
    /// This goes to the client.
    Give(Frame<Bytes>),
    /// Others have their turn first.
    Wait,
    /// That was all.
    Ended,
}

impl Packing {
    /// `None`: so many are compressed already that this one goes as it is.
    pub(super) fn begin(coding: Coding, length: Option<u64>) -> Option<Self> {
        let place = Place::take()?;
        // What the library refuses goes as it is.
        let encoder = Encoder::new(coding, length).ok()?;
        Some(Self {
            encoder: Some(encoder),
            input: Bytes::new(),
            trailers: None,
            ended: false,
            holds: false,
            flows: length.is_none(),
            taken: 0,
            _place: place,
        })
    }

    /// Takes in what was needed; `None`: there is no more.
    pub(in crate::proxy::http) fn take(&mut self, frame: Option<Frame<Bytes>>) {
        match frame.map(Frame::into_data) {
            Some(Ok(data)) => self.input = data,
            Some(Err(frame)) => {
                self.trailers = frame.into_trailers().ok();
                self.ended = true;
            }
            None => self.ended = true,
        }
    }

    /// What is to be done next.
    ///
    /// # Errors
    /// When the encoder fails; the body is broken off then.
    pub(in crate::proxy::http) fn next(&mut self, cx: &Context<'_>) -> io::Result<Next> {
        while !self.input.is_empty() {
            let Some(encoder) = &mut self.encoder else { return Ok(Next::Ended) };
            if self.taken >= TURN {
                self.taken = 0;
                cx.waker().wake_by_ref();
                return Ok(Next::Wait);
            }
            let piece = self.input.split_to(self.input.len().min(PIECE));
            self.taken += piece.len();
            let made = encoder.write(&piece)?;
            self.holds = true;
            if !made.is_empty() {
                return Ok(Next::Give(Frame::data(made.into())));
            }
        }
        if !self.ended {
            return Ok(Next::More);
        }
        Ok(match (self.encoder.take(), self.trailers.take()) {
            (Some(encoder), trailers) => {
                self.trailers = trailers;
                Next::Give(Frame::data(encoder.finish()?.into()))
            }
            (None, Some(trailers)) => Next::Give(Frame::trailers(trailers)),
            (None, None) => Next::Ended,
        })
    }

    /// The shop pauses: what it has said until now goes out.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(in crate::proxy::http) fn pause(&mut self) -> io::Result<Poll<Frame<Bytes>>> {
        self.taken = 0;
        if !self.flows || !std::mem::take(&mut self.holds) {
            return Ok(Poll::Pending);
        }
        let Some(encoder) = &mut self.encoder else { return Ok(Poll::Pending) };
        let made = encoder.flush()?;
        Ok(if made.is_empty() { Poll::Pending } else { Poll::Ready(Frame::data(made.into())) })
    }

    /// Whether all has been given.
    pub(in crate::proxy::http) const fn is_over(&self) -> bool {
        self.ended && self.encoder.is_none() && self.trailers.is_none()
    }
}

/// One of the worker's places for bodies that are compressed: a client that does not read keeps its encoder for a while.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        IN_USE.with(|in_use| {
            let now = in_use.get();
            (now < PLACES).then(|| {
                in_use.set(now + 1);
                Self
            })
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        IN_USE.with(|in_use| in_use.set(in_use.get() - 1));
    }
}

thread_local! {
    static IN_USE: Cell<usize> = const { Cell::new(0) };
}

/// Half a millisecond of work.
const PIECE: usize = 16 * 1024;
/// After so much the worker looks after others.
const TURN: usize = 64 * 1024;
/// Bodies that a worker compresses at once; an encoder has about a mebibyte.
const PLACES: usize = 256;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::task::Waker;

    use super::*;

    fn decoded(coding: Coding, octets: &[u8]) -> Vec<u8> {
        let mut whole = Vec::new();
        match coding {
            Coding::Zstd => zstd::stream::read::Decoder::new(octets).expect("zstd").read_to_end(&mut whole),
            Coding::Brotli => brotli::Decompressor::new(octets, 4096).read_to_end(&mut whole),
            Coding::Gzip => flate2::read::GzDecoder::new(octets).read_to_end(&mut whole),
        }
        .expect("decoded");
        whole
    }

    const ALL: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];

    #[test]
    fn a_large_frame_is_cut_and_others_have_their_turn_between() {
        let content: Vec<u8> = (0..1_000_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        for coding in ALL {
            let mut packing = Packing::begin(coding, Some(content.len() as u64)).expect("a place");
            packing.take(Some(Frame::data(content.clone().into())));
            let (mut packed, mut turns) = (Vec::new(), 0);
            let cx = Context::from_waker(Waker::noop());
            loop {
                match packing.next(&cx).expect("packed") {
                    Next::More => packing.take(None),
                    Next::Give(frame) => packed.extend(frame.into_data().expect("data")),
                    Next::Wait => turns += 1,
                    Next::Ended => break,
                }
            }
            assert!(packing.is_over());
            assert_eq!(turns, content.len() / TURN, "{coding:?}");
            assert!(packed.len() < content.len() / 2, "{coding:?}: {}", packed.len());
            assert_eq!(decoded(coding, &packed), content, "{coding:?}");
        }
    }

    #[test]
    fn what_was_said_before_a_pause_can_be_read_then_and_trailers_follow_the_end() {
        for coding in ALL {
            let cx = Context::from_waker(Waker::noop());
            let mut packing = Packing::begin(coding, None).expect("a place");
            packing.take(Some(Frame::data("event".into())));
            let mut packed = Vec::new();
            while let Next::Give(frame) = packing.next(&cx).expect("packed") {
                packed.extend(frame.into_data().expect("data"));
            }
            let Poll::Ready(frame) = packing.pause().expect("flushed") else { panic!("{coding:?} holds it back") };
            packed.extend(frame.into_data().expect("data"));
            let mut begun = [0; 5];
            match coding {
                Coding::Zstd => zstd::stream::read::Decoder::new(&*packed).expect("zstd").read_exact(&mut begun),
                Coding::Brotli => brotli::Decompressor::new(&*packed, 4096).read_exact(&mut begun),
                Coding::Gzip => flate2::read::GzDecoder::new(&*packed).read_exact(&mut begun),
            }
            .expect("readable so far");
            assert_eq!(&begun, b"event");
            assert!(packing.pause().expect("nothing new").is_pending());
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", http::HeaderValue::from_static("7"));
            packing.take(Some(Frame::trailers(trailers.clone())));
            let Next::Give(end) = packing.next(&cx).expect("the end") else { panic!("no end") };
            packed.extend(end.into_data().expect("data"));
            assert_eq!(decoded(coding, &packed), b"event");
            let Next::Give(last) = packing.next(&cx).expect("trailers") else { panic!("no trailers") };
            assert_eq!(last.into_trailers().ok(), Some(trailers));
            assert!(matches!(packing.next(&cx), Ok(Next::Ended)));
        }
    }

    #[test]
    fn a_worker_compresses_so_many_at_once_and_no_more() {
        let many: Vec<_> = (0..PLACES).filter_map(|_| Packing::begin(Coding::Gzip, None)).collect();
        assert_eq!(many.len(), PLACES);
        assert!(Packing::begin(Coding::Gzip, None).is_none());
        drop(many);
        assert!(Packing::begin(Coding::Gzip, None).is_some());
    }
}
