//! What every TCP connection is set to, on both sides of the edge.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Options without which a connection still works, if slower; a peer that has gone already shows at the first read.
pub(super) fn prepare(stream: &TcpStream) {
    // Without it a message in two segments waits for a delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

/// A peer that vanished without a word is found after about three minutes, on tunnels too.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
