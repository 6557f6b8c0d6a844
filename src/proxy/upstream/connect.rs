//! A new connection to an upstream.

use std::io;
use std::net::SocketAddr;

use rustix::io::Errno;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use super::introduction::Introduction;
use super::transport::{TIMEOUT, Transport, Unconnected};
use crate::live::{Upstream, UpstreamAddress, is_own_listener};
use crate::outbound::connect_unix;
use crate::proxy::socket::Socket;
use crate::telemetry::UpstreamFailure;

/// Connects until `deadline`, what comes before the first request included. Nobody is connected to who is one of our `own` listeners.
pub(super) async fn connect(
    own: &[SocketAddr],
    upstream: &Upstream,
    introduced: Option<Introduction>,
    deadline: Instant,
) -> Result<Transport, Unconnected> {
    let transport = match &upstream.address {
        UpstreamAddress::Tcp { host, port } => {
            let socket = tcp(upstream, (host, *port), deadline).await?;
            let (peer, from) = (socket.tcp().peer_addr(), socket.tcp().local_addr());
            if peer.is_ok_and(|peer| is_own_listener(own, peer, from.ok().map(|from| from.ip()))) {
                return Err(Unconnected::Failed(UpstreamFailure::OwnListener));
            }
            Transport::socket(socket)
        }
        UpstreamAddress::Unix(path) => {
            connect_unix(path, deadline).await.map(Transport::unix).map_err(|error| sorted(upstream, &error))?
        }
    };
    transport.begun_for(introduced, upstream, deadline).await
}

/// A name is resolved each time, so that a shop that moves is followed.
async fn tcp(upstream: &Upstream, place: (&str, u16), deadline: Instant) -> Result<Socket, Unconnected> {
    match timeout_at(deadline, lookup_host(place)).await {
        Err(_) => Err(TIMEOUT),
        Ok(Err(error)) => Err(sorted(upstream, &error)),
        Ok(Ok(addresses)) => first_of(upstream, &addresses.collect::<Vec<_>>(), deadline).await,
    }
}

/// The first address that answers, in the resolver's order. Each has its share of the time that is left: one that swallows
/// what it is sent would use up that of all.
async fn first_of(upstream: &Upstream, addresses: &[SocketAddr], deadline: Instant) -> Result<Socket, Unconnected> {
    let mut last = Unconnected::Failed(UpstreamFailure::Connect);
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = deadline.saturating_duration_since(Instant::now()) / u32::try_from(left).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Err(_) => last = TIMEOUT,
            Ok(Err(error)) => last = sorted(upstream, &error),
            Ok(Ok(stream)) => return Ok(Socket::new(stream)),
        }
    }
    Err(last)
}

/// Sorts an error by who is at fault.
fn sorted(upstream: &Upstream, error: &io::Error) -> Unconnected {
    tracing::debug!(%upstream, %error, "cannot connect");
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => Unconnected::Descriptors,
        _ if error.kind() == io::ErrorKind::TimedOut => TIMEOUT,
        _ => Unconnected::Failed(UpstreamFailure::Connect),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::Duration;

    use socket2::{Domain, SockRef, Type};

    use super::*;

    fn upstream(port: u16) -> Upstream {
        Upstream::tcp("127.0.0.1", port)
    }

    /// Somebody who listens and takes nobody: its queue is full, so the kernel drops what comes.
    fn black_hole() -> (socket2::Socket, SocketAddr, Vec<socket2::Socket>) {
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("bound");
        socket.listen(0).expect("listening");
        let address = socket.local_addr().expect("an address").as_socket().expect("an IP address");
        let queue = (0..4)
            .map(|_| {
                let waiting = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
                waiting.set_nonblocking(true).expect("non-blocking");
                let _ = waiting.connect(&address.into()); // it is under way
                waiting
            })
            .collect();
        (socket, address, queue)
    }

    #[tokio::test]
    async fn an_address_that_swallows_everything_does_not_use_up_the_time_of_the_next() {
        let (_hole, first, _queue) = black_hole();
        let shop = TcpListener::bind("127.0.0.1:0").expect("a port");
        let second = shop.local_addr().expect("an address");
        let (begun, patience) = (Instant::now(), Duration::from_secs(4));
        let stream = first_of(&upstream(1), &[first, second], begun + patience).await.expect("a connection");
        assert!(begun.elapsed() < patience * 3 / 4, "{:?}", begun.elapsed());
        assert_eq!(stream.tcp().peer_addr().expect("a peer"), second);
        let alone = first_of(&upstream(1), &[first], Instant::now() + Duration::from_millis(100)).await;
        assert_eq!(alone.map(|_| ()), Err(TIMEOUT));
    }

    #[tokio::test]
    async fn a_shop_that_vanishes_is_noticed() {
        let shop = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = shop.local_addr().expect("an address").port();
        let deadline = Instant::now() + Duration::from_secs(5);
        let stream = tcp(&upstream(port), ("127.0.0.1", port), deadline).await.expect("a connection");
        let socket = SockRef::from(stream.tcp());
        assert_eq!(
            (socket.keepalive().expect("an option"), socket.tcp_keepalive_time().expect("a time")),
            (true, Duration::from_secs(60))
        );
        assert!(stream.tcp().nodelay().expect("an option"));
    }

    #[test]
    fn a_lack_of_descriptors_is_not_the_upstreams_fault() {
        let sorted = [libc_error(Errno::MFILE), libc_error(Errno::NFILE), libc_error(Errno::CONNREFUSED)]
            .map(|error| sorted(&upstream(1), &error));
        let refused = Unconnected::Failed(UpstreamFailure::Connect);
        assert_eq!(sorted, [Unconnected::Descriptors, Unconnected::Descriptors, refused]);
    }

    fn libc_error(errno: Errno) -> io::Error {
        errno.into()
    }
}
