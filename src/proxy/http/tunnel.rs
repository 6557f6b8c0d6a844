//! What follows a WebSocket handshake: octets, both ways, until either side has ended.

use std::rc::Rc;

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, copy_bidirectional};

use crate::proxy::connection::Connection;
use crate::proxy::upstream::Tunnel;
use crate::telemetry::Shed;

/// Carries octets between client and upstream. `early` is what the client sent behind its handshake.
pub(super) async fn carry(connection: &Rc<Connection>, tunnel: Tunnel, early: Bytes) {
    connection.becomes_tunnel();
    if let Some((mut upstream, late, _place)) = tunnel.open() {
        let mut client = connection.io();
        let carried = async {
            upstream.write_all(&early).await?;
            client.write_all(&late).await?;
            client.flush().await?;
            copy_bidirectional(&mut client, &mut upstream).await
        };
        // While a tunnel is open, the connection's deadline is set only when the client does not take what it is sent.
        if connection.alarm.guard(carried).await.is_none() {
            connection.worker.counters.shed.count(Shed::WriteStall);
            connection.reset();
        }
    }
}
