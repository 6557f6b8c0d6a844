//! What codes a body, piece by piece. Levels and windows are fixed: what an edge can afford for every page.

use std::io::{self, Write};
use std::mem;

use brotli::CompressorWriter;
use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;
use zstd::zstd_safe::CParameter;

use crate::live::Coding;

/// A coding at work; what it has made lies ready until it is taken.
pub(super) enum Encoder {
    Zstd(ZstdEncoder<'static, Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Encoder {
    /// `length` is how many octets will come, if that is known.
    pub(super) fn new(coding: Coding, length: Option<u64>) -> io::Result<Self> {
        Ok(match coding {
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW))?;
                encoder.set_pledged_src_size(length)?;
                Self::Zstd(encoder)
            }
            Coding::Brotli => {
                let encoder = CompressorWriter::new(Vec::new(), BROTLI_BUFFER, BROTLI_QUALITY, BROTLI_WINDOW);
                Self::Brotli(Box::new(encoder))
            }
            Coding::Gzip => Self::Gzip(Box::new(GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL)))),
        })
    }

    /// Takes a piece, and gives what is ready.
    pub(super) fn write(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        self.writer().write_all(piece)?;
        Ok(self.ready())
    }

    /// Gives everything that came until now, so that the client can read it.
    pub(super) fn flush(&mut self) -> io::Result<Vec<u8>> {
        self.writer().flush()?;
        Ok(self.ready())
    }

    /// Gives the rest, its end included.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Zstd(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Gzip(encoder) => encoder,
        }
    }

    fn ready(&mut self) -> Vec<u8> {
        mem::take(match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        })
    }
}

/// The library's own.
const ZSTD_LEVEL: i32 = 3;
/// 128 KiB: with more, each answer under way would hold megabytes for the last percents.
const ZSTD_WINDOW: u32 = 17;
/// Smaller than gzip's best in a fraction of its time.
const BROTLI_QUALITY: u32 = 4;
/// 256 KiB, as for zstd.
const BROTLI_WINDOW: u32 = 18;
const BROTLI_BUFFER: usize = 4096;
/// Caddy's; from here on it becomes slow and hardly smaller.
const GZIP_LEVEL: u32 = 5;
