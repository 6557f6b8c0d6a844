//! Letting the operator in, also when the edge has no descriptor left.

use std::fs::File;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::guard::Door;
use super::tls::Place;
use crate::telemetry::RateLimited;

/// A listener and the door it is.
pub(super) trait Entrance {
    /// What a connection is.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection; `None` when it may not stay.
    fn accept(&self) -> impl Future<Output = io::Result<Option<(Self::Stream, Door)>>> + Send;
}

/// A connection's part of what is scarce; it goes back when dropped, after the connection.
pub(super) struct Stay {
    _room: Option<OwnedSemaphorePermit>,
    _place: Option<Place>,
    reserve: Reserve,
}

impl Stay {
    /// The same, with its network's place.
    pub(super) fn holding(mut self, place: Place) -> Self {
        self._place = Some(place);
        self
    }
}

/// Hands every connection to `attend`, for ever.
pub(super) async fn open<E: Entrance>(entrance: &E, reserve: &Reserve, attend: impl Fn(E::Stream, Door, Stay)) {
    let (room, trouble) = (Arc::new(Semaphore::new(CONNECTIONS)), RateLimited::new("admin accept", 1));
    loop {
        let permit = Arc::clone(&room).acquire_owned().await.ok();
        let accepted = tokio::select! {
            accepted = entrance.accept() => accepted,
            // So that the number of lines left out is told although none follows.
            () = tokio::time::sleep(SECOND), if trouble.owes() => {
                trouble.tell_left_out(Instant::now());
                continue;
            }
        };
        match accepted {
            Ok(Some((stream, door))) => {
                attend(stream, door, Stay { _room: permit, _place: None, reserve: reserve.clone() })
            }
            Ok(None) => reserve.refill(),
            // What was given up is for the next try.
            Err(error) if reserve.give(&error) => {}
            // Accepting fails for want of descriptors or memory, or because the peer went; none of it ends the listener.
            Err(error) => {
                trouble.say(|| tracing::warn!(%error, "the admin listener cannot accept a connection now"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
                reserve.refill();
            }
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        // At once: whoever waits for a descriptor takes the one that has just become free.
        self.reserve.refill();
    }
}

/// `admin.listen` or `admin.metrics_listen`, with the door for the addresses a connection was made to and from.
pub(super) struct Tcp<'a>(pub(super) &'a TcpListener, pub(super) &'a (dyn Fn(IpAddr, IpAddr) -> Door + Sync));

impl Entrance for Tcp<'_> {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<Option<(TcpStream, Door)>> {
        let (stream, peer) = self.0.accept().await?;
        let door = self.1(stream.local_addr()?.ip(), peer.ip());
        Ok(Some((stream, door)))
    }
}

impl Entrance for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<Option<(UnixStream, Door)>> {
        let (stream, _) = Self::accept(self).await?;
        if let Some(user) = own(&stream) {
            return Ok(Some((stream, Door::Socket { user })));
        }
        tracing::warn!("another user's connection to admin.sock was closed");
        Ok(None)
    }
}

/// The peer, if it is root or our own user; the socket's mode says so already, but a mode can be changed.
fn own(stream: &UnixStream) -> Option<u32> {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().ok().map(|peer| peer.uid()).filter(|user| *user == 0 || *user == own)
}

/// Descriptors kept back: clients that use up all others must not shut the operator out.
#[derive(Clone)]
pub(super) struct Reserve(Arc<Mutex<Vec<File>>>);

impl Reserve {
    /// As much as there can be.
    pub(super) fn new() -> Self {
        let reserve = Self(Arc::default());
        reserve.refill();
        reserve
    }

    /// Takes back what was given up, as far as the system allows.
    fn refill(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.len() < RESERVED {
            match File::open("/dev/null") {
                Ok(file) => kept.push(file),
                Err(_) => break,
            }
        }
    }

    /// Gives one up, if that is what is wanting and one is left.
    fn give(&self, error: &io::Error) -> bool {
        let wanting =
            [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
        wanting && self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().is_some()
    }
}

/// As many as a curious operator, two Prometheus servers and a load balancer's health checks never need at once.
const CONNECTIONS: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
/// A scrape, a health check and a command line at once, and some that a worker is faster to take.
const RESERVED: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing::field::{Field, Visit};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    use super::*;

    /// Fails so many times; then nobody comes.
    struct Broken(AtomicUsize);

    impl Entrance for Broken {
        type Stream = TcpStream;

        async fn accept(&self) -> io::Result<Option<(TcpStream, Door)>> {
            match self.0.fetch_sub(1, Ordering::Relaxed) {
                0 => std::future::pending().await,
                _ => Err(io::Error::other("as the test wants it")),
            }
        }
    }

    /// Passes on the numbers that were left out.
    struct LeftOut(tokio::sync::mpsc::UnboundedSender<u64>);

    impl<S: tracing::Subscriber> Layer<S> for LeftOut {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            struct Number<'a>(&'a LeftOut);
            impl Visit for Number<'_> {
                fn record_u64(&mut self, field: &Field, value: u64) {
                    if field.name() == "left_out" {
                        let _ = self.0.0.send(value);
                    }
                }
                fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
            }
            event.record(&mut Number(self));
        }
    }

    #[tokio::test]
    async fn the_number_of_lines_left_out_is_told_although_no_trouble_follows() {
        let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(LeftOut(sender)));
        let (broken, reserve) = (Broken(AtomicUsize::new(3)), Reserve::new());
        let left_out = tokio::select! {
            () = open(&broken, &reserve, |_, _, _| ()) => None,
            number = told.recv() => number,
            () = tokio::time::sleep(Duration::from_secs(20)) => None,
        };
        assert_eq!(left_out, Some(2));
    }

    #[test]
    fn a_descriptor_is_given_up_only_where_one_is_wanting_and_taken_back() {
        let reserve = Reserve::new();
        let kept = || reserve.0.lock().expect("the reserve").len();
        assert!(!reserve.give(&io::Error::from(io::ErrorKind::ConnectionAborted)));
        let wanting = io::Error::from_raw_os_error(Errno::MFILE.raw_os_error());
        assert_eq!(
            [(); RESERVED + 1].map(|()| reserve.give(&wanting)).iter().filter(|given| **given).count(),
            RESERVED
        );
        assert_eq!(kept(), 0);
        drop(Stay { _room: None, _place: None, reserve: reserve.clone() });
        assert_eq!(kept(), RESERVED);
    }
}
