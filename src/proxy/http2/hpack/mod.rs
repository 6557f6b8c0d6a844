//! HPACK (RFC 7541): the fields of a head, as HTTP/2 carries them.

mod decoder;
mod encoder;
mod field;
mod huffman;
mod table;

pub(super) use decoder::Decoder;
pub(super) use encoder::Encoder;
pub(super) use field::{Field, Pseudo};
