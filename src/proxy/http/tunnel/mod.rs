//! What follows a WebSocket handshake: octets, both ways, until both sides have ended.

mod carrier;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;

use self::carrier::Carrier;
use crate::proxy::connection::Connection;
use crate::proxy::crowds::Place;
use crate::proxy::http2::{FromClient, Octets, ToClient};
use crate::proxy::upstream::Tunnel;
use crate::telemetry::Shed;

/// Carries octets between client and upstream over the whole connection. `early` is what the client sent behind its handshake.
/// Whether both have ended in order; if not, the connection is to be reset.
pub(super) async fn carry(connection: &Rc<Connection>, tunnel: Tunnel, early: Bytes) -> bool {
    connection.becomes_tunnel();
    let Some((upstream, late)) = tunnel.open() else { return false };
    let mut carrier = Carrier::new(connection.io(), early, upstream, late);
    // While a tunnel is open, the connection's deadline is set only when the client does not take what it is sent.
    let carried = connection.alarm.guard(poll_fn(|cx| carrier.poll(cx))).await;
    if carried.is_none() {
        carrier.break_off();
        connection.worker.counters.shed.count(Shed::WriteStall);
    }
    carried == Some(true)
}

/// A tunnel over one stream of a connection, before it begins.
pub(super) struct StreamTunnel {
    pub(super) from_client: FromClient,
    pub(super) upstream: Tunnel,
    /// How long the client may take nothing of what it is sent.
    pub(super) patience: Duration,
    /// Of the client's network, at a site that limits it.
    pub(super) place: Option<Box<Place>>,
}

impl StreamTunnel {
    /// Carries octets in a task of its own, which holds less than one that has answered a request.
    pub(super) fn begin(self, connection: &Rc<Connection>, to_client: ToClient) {
        let carrying = connection.carries();
        let connection = Rc::clone(connection);
        tokio::task::spawn_local(async move {
            let (_carrying, _place) = (carrying, self.place);
            let Some((upstream, late)) = self.upstream.open() else { return };
            let client = Octets::new(self.from_client, to_client);
            let mut carrier = Carrier::new(client, Bytes::new(), upstream, late);
            let (alarm, patience) = (connection.worker.alarms.alarm(), self.patience);
            let mut stuck_at = None;
            let is_stalled = poll_fn(|cx| {
                if carrier.poll(cx).is_ready() {
                    return false.into();
                }
                let before = std::mem::replace(&mut stuck_at, carrier.stuck_at());
                match stuck_at {
                    None => alarm.clear(),
                    now if now == before => {}
                    Some(_) => alarm.set(patience),
                }
                ready!(alarm.poll(cx));
                true.into()
            });
            if is_stalled.await {
                carrier.break_off();
                connection.worker.counters.shed.count(Shed::WriteStall);
            }
        });
    }
}
