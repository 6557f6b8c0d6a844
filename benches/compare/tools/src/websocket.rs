//! One conversation over a WebSocket (RFC 6455), known to both sides beforehand.

/// The request's key, and what a server answers it with (§1.3).
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A text message of four octets, masked with zeros (§5.2).
pub const QUESTION: [u8; 10] = [0x81, 0x84, 0, 0, 0, 0, b'p', b'i', b'n', b'g'];
/// The same, as servers send it.
pub const ANSWER: [u8; 6] = [0x81, 0x04, b'p', b'i', b'n', b'g'];
