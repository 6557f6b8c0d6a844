//! Many handshakes, full or resumed, each with one request.

use std::cell::Cell;
use std::rc::Rc;

use rustls::HandshakeKind;
use tokio::task::{JoinSet, LocalSet};
use tokio_rustls::TlsConnector;

use crate::client::Target;
use crate::{Failure, end_of_stdin};

/// Makes `count` handshakes, `concurrency` at a time. A kind other than the one asked for is a failure.
pub async fn run(target: Target, count: usize, concurrency: usize, resume: bool) -> Result<(), Failure> {
    let mut connectors = Vec::new();
    for _ in 0..concurrency.clamp(1, count.max(1)) {
        let connector = target.connector(resume);
        connect(&target, &connector, HandshakeKind::Full).await?;
        connectors.push(connector);
    }
    println!("ready");
    end_of_stdin().await?;

    let left = Rc::new(Cell::new(count));
    let local = LocalSet::new();
    let mut lanes = JoinSet::new();
    for connector in connectors {
        lanes.spawn_local_on(lane(target.clone(), connector, Rc::clone(&left), resume), &local);
    }
    local
        .run_until(async {
            while let Some(lane) = lanes.join_next().await {
                lane.map_err(|error| Failure::Wrong(error.to_string()))??;
            }
            Ok(())
        })
        .await
}

/// One connection after the other. A ticket is used once; each handshake brings the next one's.
async fn lane(target: Target, connector: TlsConnector, left: Rc<Cell<usize>>, resume: bool) -> Result<(), Failure> {
    let kind = if resume { HandshakeKind::Resumed } else { HandshakeKind::Full };
    while left.get() > 0 {
        left.set(left.get() - 1);
        connect(&target, &connector, kind).await?;
    }
    Ok(())
}

async fn connect(target: &Target, connector: &TlsConnector, expected: HandshakeKind) -> Result<(), Failure> {
    let mut stream = target.connect(connector).await?;
    let kind = stream.get_ref().1.handshake_kind();
    if kind != Some(expected) {
        return Err(Failure::Wrong(format!("expected a handshake of kind {expected:?}, got {kind:?}")));
    }
    target.get(&mut stream, true).await
}
