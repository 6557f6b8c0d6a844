//! What the edge asks upstreams by itself, to see whether they are there.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::live::{Check, Live, RouteTable, Speech, Upstream, UpstreamAddress, UpstreamState, Whereabouts};
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
            let asked = Asked {
                upstream: member.upstream.clone(),
                whereabouts: member.whereabouts.clone(),
                state: Arc::downgrade(&member.state),
            };
            tokio::spawn(watch(asked, check.clone(), Arc::clone(together)));
        }
    }
}

/// A server that is asked.
struct Asked {
    upstream: Upstream,
    whereabouts: Option<Arc<Whereabouts>>,
    state: Weak<UpstreamState>,
}

async fn watch(asked: Asked, check: Check, together: Arc<Semaphore>) {
    let upstream = &asked.upstream;
    // Not all at once, after a start.
    sleep(check.interval.mul_f64(share())).await;
    loop {
        // It is never closed.
        let place = together.acquire().await;
        let answer = ask(&asked, &check).await;
        drop(place);
        let Some(state) = asked.state.upgrade() else { return };
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
async fn ask(Asked { upstream, whereabouts, .. }: &Asked, check: &Check) -> Result<(), Box<str>> {
    let until = Instant::now() + check.timeout;
    let own = upstream.authority();
    let asked = (check.host.as_deref().unwrap_or(&own), &*check.path);
    let transport = match &upstream.address {
        UpstreamAddress::Tcp { host, port } => {
            let addresses = match whereabouts {
                Some(whereabouts) => timeout_at(until, whereabouts.in_turn()).await.unwrap_or_default(),
                None => host.parse().into_iter().collect(),
            };
            let trouble = || whereabouts.as_ref().and_then(|whereabouts| whereabouts.trouble());
            let nowhere = || {
                trouble().map_or_else(
                    || "its name is not found in time".into(),
                    |why| format!("its name is not found: {why}"),
                )
            };
            Transport::tcp(reach(&addresses, *port, until).await.ok_or_else(nowhere)??)
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

/// A connection to the first of these addresses that answers, as for requests; `None`: there is no address.
async fn reach(addresses: &[IpAddr], port: u16, until: Instant) -> Option<Result<TcpStream, Box<str>>> {
    let mut last = None;
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = until.saturating_duration_since(Instant::now()) / u32::try_from(left).unwrap_or(u32::MAX);
        match connect((*address, port).into(), Instant::now() + share).await {
            Ok(stream) => return Some(Ok(stream)),
            Err(unseen) => last = Some(Err(unseen.to_string().into())),
        }
    }
    last
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
