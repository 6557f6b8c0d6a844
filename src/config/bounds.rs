//! `[limits]`: the values between which a limit makes sense.

use std::time::Duration;

use toml::de::DeValue;

use super::reader::{Placed, Section};
use super::value::{self, Size};
use crate::limits::Limits;
use crate::live::OwnLimits;

/// `[limits]`
pub(super) fn limits(section: &Section<'_>) -> Limits {
    let default = Limits::default();
    let time = |key, default, from, to| section.bounded(key, value::duration, default, from..=to);
    let octets = |key, default: u64, from, to| {
        let placed = section.bounded(key, size, Size(default), Size(from)..=Size(to));
        Placed { value: placed.value.0, line: placed.line }
    };
    let count = |key, default: u64, from, to| section.bounded(key, value::count, default, from..=to).value;

    let connect = connect_timeout(section);
    let head_size = octets("head_size", default.head_size as u64, 8 * KIB, 256 * KIB).value;
    let uri_length = octets("uri_length", default.uri_length as u64, 256, 256 * KIB);
    if uri_length.value > head_size {
        let mend = "lower uri_length or raise head_size";
        let (uri, head) = (shown(uri_length.value), shown(head_size));
        let text = format!("expected at most limits.head_size, which holds it, found {uri} and {head}; {mend}");
        section.pad.mistake(uri_length.line, "limits.uri_length", text);
    }

    Limits {
        header_timeout: time("header_timeout", default.header_timeout, TICK, HOUR).value,
        idle_timeout: time("idle_timeout", default.idle_timeout, TICK, DAY).value,
        handshake_timeout: time("handshake_timeout", default.handshake_timeout, TICK, HOUR).value,
        body_idle_timeout: time("body_idle_timeout", default.body_idle_timeout, TICK, DAY).value,
        write_stall_timeout: time("write_stall_timeout", default.write_stall_timeout, TICK, DAY).value,
        upstream_connect_timeout: connect,
        upstream_response_timeout: time("upstream_response_timeout", default.upstream_response_timeout, TICK, DAY)
            .value,
        upstream_idle_timeout: time("upstream_idle_timeout", default.upstream_idle_timeout, TICK, DAY).value,
        head_size: narrow(head_size),
        headers: narrow(count("headers", default.headers as u64, 1, 1000)),
        uri_length: narrow(uri_length.value),
        body_size: octets("body_size", default.body_size, 0, i64::MAX as u64).value,
        connection_age: time("connection_age", default.connection_age, SHORTEST_AGE, LONGEST_AGE).value,
        connection_requests: narrow(count("connection_requests", default.connection_requests.into(), 0, MAX_REQUESTS)),
        h2_streams: narrow(count("h2_streams", default.h2_streams.into(), 1, MAX_STREAMS)),
        h2_stream_window: narrow(
            octets("h2_stream_window", default.h2_stream_window.into(), ONE_FRAME, MAX_WINDOW).value,
        ),
        h2_connection_window: narrow(
            octets("h2_connection_window", default.h2_connection_window.into(), LEAST_CONNECTION_WINDOW, MAX_WINDOW)
                .value,
        ),
        h2_send_buffer: narrow(octets("h2_send_buffer", default.h2_send_buffer as u64, ONE_FRAME, 64 * MIB).value),
        connections: narrow(count("connections", default.connections as u64, 0, MAX_CONNECTIONS)),
        connections_per_client: narrow(count(
            "connections_per_client",
            default.connections_per_client as u64,
            0,
            MAX_CONNECTIONS,
        )),
        memory: octets("memory", default.memory, 0, i64::MAX as u64).value,
    }
}

/// `[site.limits]` and `[site.route.limits]`, within the same bounds.
pub(super) fn own(section: &Section<'_>) -> OwnLimits {
    let default = Limits::default();
    let time = |key, default| {
        let read = section.bounded(key, value::duration, default, TICK..=DAY).value;
        section.has(key).then_some(read)
    };
    let connect = connect_timeout(section);
    let body_size = section.bounded("body_size", size, Size(default.body_size), Size(0)..=Size(i64::MAX as u64)).value;
    OwnLimits {
        body_size: section.has("body_size").then_some(body_size.0),
        body_idle_timeout: time("body_idle_timeout", default.body_idle_timeout),
        write_stall_timeout: time("write_stall_timeout", default.write_stall_timeout),
        upstream_connect_timeout: section.has("upstream_connect_timeout").then_some(connect),
        upstream_response_timeout: time("upstream_response_timeout", default.upstream_response_timeout),
    }
}

fn connect_timeout(section: &Section<'_>) -> Duration {
    let (key, default) = ("upstream_connect_timeout", Limits::default().upstream_connect_timeout);
    let connect = section.bounded(key, value::duration, default, SHORTEST_CONNECT..=MINUTE * 5);
    if connect.value < SAFE_CONNECT {
        section.pad.warning(connect.line, &section.dotted(key), SHORT_CONNECT);
    }
    connect.value
}

fn size(value: &DeValue<'_>) -> Result<Size, String> {
    value::size(value).map(Size)
}

fn shown(size: u64) -> String {
    format!("{:?}", value::Bound::shown(Size(size)))
}

/// To the field's own type. The bounds above fit every one of them, so nothing is ever cut.
fn narrow<T: TryFrom<u64> + Default>(number: u64) -> T {
    debug_assert!(T::try_from(number).is_ok());
    T::try_from(number).unwrap_or_default()
}

const SHORT_CONNECT: &str = "is below 4s: an upstream with a full backlog drops the first packet and answers its \
                             repeat, 1 to 3 seconds later; busy upstreams will look dead";
/// No limit is 0: a timeout that has passed before it began refuses everybody.
const TICK: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Linux repeats a SYN after one second; below that no repeat is ever heard.
const SHORTEST_CONNECT: Duration = Duration::from_secs(1);
/// Two repeats, after one and three seconds, and the way back.
const SAFE_CONNECT: Duration = Duration::from_secs(4);
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// RFC 9113 §6.5.2, SETTINGS_MAX_FRAME_SIZE: less than one frame only makes more packets.
const ONE_FRAME: u64 = 16 * KIB;
/// RFC 9113 §6.9.2: it begins there and can only grow.
const LEAST_CONNECTION_WINDOW: u64 = 65_535;
/// RFC 9113 §6.9.1.
const MAX_WINDOW: u64 = (1 << 31) - 1;
/// A connection costs its client a handshake: one for each request is what HTTP/1.0 was.
const SHORTEST_AGE: Duration = Duration::from_secs(1);
/// Longer than any policy or weight should go unnoticed.
const LONGEST_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// What the number is kept in.
const MAX_REQUESTS: u64 = u32::MAX as u64;
/// More streams than a browser opens in a day; each costs memory.
const MAX_STREAMS: u64 = 10_000;
/// More than Linux can open (fs.nr_open is 2^20 by default, 2^30 at most).
const MAX_CONNECTIONS: u64 = 1 << 30;
