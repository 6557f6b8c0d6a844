//! What the edge asks upstreams by itself, to see whether they are there.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::live::{Check, Live, RouteTable, Speech, Upstream, UpstreamAddress, UpstreamState};
use crate::outbound::{connect, connect_unix, glimpse_in_http2, glimpse_over};
use crate::proxy::Transport;
use crate::shutdown::Lifecycle;

/// Asks until the edge drains. A server that no table has any more is asked no more.
pub(super) async fn run(routes: Live<RouteTable>, mut lifecycle: Lifecycle) {
    let together = Arc::new(Semaphore::new(MOST_TOGETHER));
    let watching = async {
        loop {
            begin(&routes.snapshot(), &together);
            sleep(NEW_TABLE).await;
        }
    };
    tokio::select! {
        _ = lifecycle.draining() => {}
        () = watching => {}
    }
}

/// Has those asked that nobody asks yet.
fn begin(routes: &RouteTable, together: &Arc<Semaphore>) {
    let members = routes.groups().iter().filter_map(|group| Some((group.care.check.as_ref()?, &group.members)));
    for (check, member) in members.flat_map(|(check, members)| members.iter().map(move |member| (check, member))) {
        if member.state.begin_watch() {
            let state = Arc::downgrade(&member.state);
            tokio::spawn(watch(member.upstream.clone(), state, check.clone(), Arc::clone(together)));
        }
    }
}

async fn watch(upstream: Upstream, state: Weak<UpstreamState>, check: Check, together: Arc<Semaphore>) {
    // Not all at once, after a start.
    sleep(check.interval.mul_f64(share())).await;
    loop {
        // It is never closed.
        let place = together.acquire().await;
        let answer = ask(&upstream, &check).await;
        drop(place);
        let Some(state) = state.upgrade() else { return };
        let why = answer.as_ref().err().cloned();
        match (state.answered(&check, answer), why) {
            (Some(true), _) => tracing::info!(%upstream, "an upstream is there again"),
            (Some(false), why) => {
                let why = why.as_deref().unwrap_or_default();
                tracing::error!(%upstream, why, "an upstream is down");
            }
            (None, _) => {}
        }
        drop(state);
        sleep(check.interval.mul_f64(1.0 + share() / 10.0)).await;
    }
}

/// Whether it answers as it should; `Err`: what it does instead.
async fn ask(upstream: &Upstream, check: &Check) -> Result<(), Box<str>> {
    let until = Instant::now() + check.timeout;
    let own = upstream.authority();
    let asked = (check.host.as_deref().unwrap_or(&own), &*check.path);
    let transport = match &upstream.address {
        UpstreamAddress::Tcp { host, port } => {
            let found = timeout_at(until, lookup_host((&**host, *port))).await;
            let found = found.map_err(|_| "its name is not found in time")?;
            let mut addresses = found.map_err(|error| format!("its name is not found: {error}"))?;
            let address = addresses.next().ok_or("its name has no address")?;
            Transport::tcp(connect(address, until).await.map_err(|unseen| unseen.to_string())?)
        }
        UpstreamAddress::Unix(path) => {
            let stream = connect_unix(path, until).await;
            Transport::unix(stream.map_err(|error| format!("no connection comes about: {error}"))?)
        }
    };
    let transport = transport.begun(upstream, until).await.map_err(|unconnected| unconnected.to_string())?;
    let seen = match upstream.speech {
        Speech::Http1 => glimpse_over(transport, asked, CONTENT, until).await,
        Speech::Http2 => glimpse_in_http2(transport, asked, upstream.tls.is_some(), until).await,
    };
    let seen = seen.map_err(|unseen| unseen.to_string())?;
    let (first, last) = check.statuses;
    match (first..=last).contains(&seen.status.as_u16()) {
        true => Ok(()),
        false => Err(format!("it answers {} for {}", seen.status.as_u16(), check.path).into()),
    }
}

/// Any number of 0 to 1.
fn share() -> f64 {
    f64::from(RandomState::new().hash_one(()) as u32) / f64::from(u32::MAX)
}

/// How long a new table may go without questions.
const NEW_TABLE: Duration = Duration::from_secs(1);
/// Questions that wait for an answer together.
const MOST_TOGETHER: usize = 256;
/// Octets that are read of an answer's content.
const CONTENT: usize = 1024;
