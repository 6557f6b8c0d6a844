//! A new connection to an upstream.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::live::Upstream;
use crate::telemetry::UpstreamFailure;

/// Connects within `patience`. A name is resolved each time, so that a shop that moves is followed.
pub(super) async fn connect(upstream: &Upstream, patience: Duration) -> Result<TcpStream, UpstreamFailure> {
    match tokio::time::timeout(patience, TcpStream::connect((&*upstream.host, upstream.port))).await {
        Err(_) => Err(UpstreamFailure::ConnectTimeout),
        Ok(Err(error)) => {
            tracing::debug!(%upstream, %error, "cannot connect");
            Err(UpstreamFailure::Connect)
        }
        Ok(Ok(stream)) => {
            // Without it a request in two segments waits for a delayed acknowledgement; if it cannot be set, that is slow only.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
    }
}
