//! What the edge bounds, with the defaults and their reasons. The configuration fills it, the hot path obeys it.

use std::time::Duration;

/// Every bound on what a peer may make the edge do. Sizes are octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A started request head must be complete: 408 and close.
    pub header_timeout: Duration,
    /// A quiet keep-alive connection is closed.
    pub idle_timeout: Duration,
    /// TCP accept to the end of the TLS handshake: close.
    pub handshake_timeout: Duration,
    /// No octet of a body moved, either way: 408, 504 or reset.
    pub body_idle_timeout: Duration,
    /// A reader that does not read: reset.
    pub write_stall_timeout: Duration,
    /// Connecting to an upstream: the next one, then 502.
    pub upstream_connect_timeout: Duration,
    /// The request was sent and no response head came: 504.
    pub upstream_response_timeout: Duration,
    /// A pooled upstream connection that was not used is closed.
    pub upstream_idle_timeout: Duration,
    /// Request line and fields together; also HTTP/2's header list: 431.
    pub head_size: usize,
    /// Request fields, cookie crumbs of HTTP/2 not counted: 431.
    pub headers: usize,
    /// The request target: 414.
    pub uri_length: usize,
    /// A request body; 0: no limit. 413.
    pub body_size: u64,
    /// How long a client's connection takes requests, give or take a tenth: then it ends with those it has.
    pub connection_age: Duration,
    /// How many requests a client's connection takes; 0: any number.
    pub connection_requests: u32,
    /// Concurrent HTTP/2 streams of one connection.
    pub h2_streams: u32,
    /// HTTP/2 flow control window of one stream.
    pub h2_stream_window: u32,
    /// HTTP/2 flow control window of one connection.
    pub h2_connection_window: u32,
    /// What is buffered towards one HTTP/2 stream that does not take it.
    pub h2_send_buffer: usize,
    /// Open client connections of the whole edge; 0: what the file limit and memory allow.
    pub connections: usize,
    /// Open connections of one client address (IPv6: one /64); 0: no cap.
    pub connections_per_client: usize,
    /// Octets of memory in use, above which connections and requests are refused; 0: nine tenths of what there is.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: HEADER_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            body_idle_timeout: BODY_IDLE_TIMEOUT,
            write_stall_timeout: WRITE_STALL_TIMEOUT,
            upstream_connect_timeout: UPSTREAM_CONNECT_TIMEOUT,
            upstream_response_timeout: UPSTREAM_RESPONSE_TIMEOUT,
            upstream_idle_timeout: UPSTREAM_IDLE_TIMEOUT,
            head_size: HEAD_SIZE,
            headers: HEADERS,
            uri_length: URI_LENGTH,
            body_size: BODY_SIZE,
            connection_age: CONNECTION_AGE,
            connection_requests: CONNECTION_REQUESTS,
            h2_streams: H2_STREAMS,
            h2_stream_window: H2_STREAM_WINDOW,
            h2_connection_window: H2_CONNECTION_WINDOW,
            h2_send_buffer: H2_SEND_BUFFER,
            connections: 0,
            connections_per_client: 0,
            memory: 0,
        }
    }
}

/// A head is one packet for an honest client; ten seconds forgive a bad mobile network, not a slow-drip attack.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// nginx's value: longer than browsers think between two clicks, shorter than NAT boxes forget.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Two round trips over the worst satellite link, with room for a lost packet in each.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// nginx's body and proxy read timeouts; a shop that thinks longer streams something.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// A reader that takes nothing for this long holds buffers for nothing.
pub const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// An upstream with a full backlog drops the SYN and answers its first repeat, one to three seconds later.
pub const UPSTREAM_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The same patience as for bodies: checkout pages that ask a payment provider take their time.
pub const UPSTREAM_RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Below the keep-alive time of common servers (nginx 75 s, Apache and Go longer), so that we close first.
pub const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(55);
/// Four times what a browser with full cookies sends.
pub const HEAD_SIZE: usize = 32 * 1024;
/// The number that broke no shop elsewhere; cookie crumbs are counted apart ([`COOKIE_CRUMBS`]).
pub const HEADERS: usize = 100;
/// Longer than any link a browser keeps whole.
pub const URI_LENGTH: usize = 16 * 1024;
/// Uploads are the shop's business.
pub const BODY_SIZE: u64 = 0;
/// nginx's `keepalive_time`: what one connection can gather against us ends with it, and load finds its way to new workers.
pub const CONNECTION_AGE: Duration = Duration::from_secs(60 * 60);
/// What it would guard against ends with the connection's age; nginx has 1000, of which a page in HTTP/2 may take a hundred.
pub const CONNECTION_REQUESTS: u32 = 0;
/// RFC 9113 §6.5.2 recommends no less than 100.
pub const H2_STREAMS: u32 = 100;
/// A quarter of the connection's: one upload cannot starve the others.
pub const H2_STREAM_WINDOW: u32 = 256 * 1024;
/// 1 MiB every 50 ms is 160 Mbit/s, more than one client sends.
pub const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// HTTP/2's own share of what one slow reader can make us hold. What was read from the upstreams and waits before it comes on
/// top: with [`H2_STREAMS`] 15 MiB were measured in all.
pub const H2_SEND_BUFFER: usize = 64 * 1024;
/// HTTP/2 clients may split `Cookie` (RFC 9113 §8.2.3); 200 honest crumbs were seen, an attack sends thousands.
pub const COOKIE_CRUMBS: usize = 256;
