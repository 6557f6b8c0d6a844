//! A new connection to an upstream.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::introduction::Introduction;
use super::transport::{TIMEOUT, Transport, Unconnected};
use crate::live::{Member, Upstream, UpstreamAddress, Whereabouts, is_own_listener};
use crate::outbound::connect_unix;
use crate::proxy::socket::Socket;
use crate::telemetry::UpstreamFailure;

/// Connects until `deadline`, what comes before the first request included, and gives the address that it led to. Nobody is
/// connected to who is one of our `own` listeners.
pub(super) async fn connect(
    own: &[SocketAddr],
    member: &Member,
    introduced: Option<Introduction>,
    deadline: Instant,
) -> Result<(Transport, Option<IpAddr>), Unconnected> {
    let upstream = &member.upstream;
    let (transport, address) = match &upstream.address {
        UpstreamAddress::Tcp { host, port } => {
            let addresses = addresses(member.whereabouts.as_deref(), host, deadline).await?;
            let socket = first_of(upstream, (&addresses, *port), deadline).await?;
            let (peer, from) = (socket.tcp().peer_addr().ok(), socket.tcp().local_addr());
            if peer.is_some_and(|peer| is_own_listener(own, peer, from.ok().map(|from| from.ip()))) {
                return Err(Unconnected::Failed(UpstreamFailure::OwnListener));
            }
            (Transport::socket(socket), peer.map(|peer| peer.ip()))
        }
        UpstreamAddress::Unix(path) => {
            let stream = connect_unix(path, deadline).await.map_err(|error| sorted(upstream, &error))?;
            (Transport::unix(stream), None)
        }
    };
    Ok((transport.begun_for(introduced, upstream, deadline).await?, address))
}

/// Where a server is: at its address, or where its name leads now, with another address first each time.
async fn addresses(
    whereabouts: Option<&Whereabouts>,
    host: &str,
    deadline: Instant,
) -> Result<Vec<IpAddr>, Unconnected> {
    let found = match whereabouts {
        None => host.parse().into_iter().collect(),
        Some(whereabouts) => timeout_at(deadline, whereabouts.in_turn()).await.unwrap_or_default(),
    };
    if found.is_empty() { Err(Unconnected::Failed(UpstreamFailure::Resolve)) } else { Ok(found) }
}

/// The first address that answers. Each has its share of the time that is left: one that swallows
/// what it is sent would use up that of all.
async fn first_of(
    upstream: &Upstream,
    (addresses, port): (&[IpAddr], u16),
    deadline: Instant,
) -> Result<Socket, Unconnected> {
    let mut last = Unconnected::Failed(UpstreamFailure::Connect);
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = deadline.saturating_duration_since(Instant::now()) / u32::try_from(left).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect((*address, port))).await {
            Err(_) => last = TIMEOUT,
            Ok(Err(error)) => last = sorted(upstream, &error),
            Ok(Ok(stream)) => return Ok(Socket::opened(stream)),
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

    /// Somebody who listens at this address and takes nobody: its queue is full, so the kernel drops what comes.
    fn black_hole(address: IpAddr, port: u16) -> (socket2::Socket, Vec<socket2::Socket>) {
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::new(address, port).into()).expect("bound");
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
        (socket, queue)
    }

    #[tokio::test]
    async fn an_address_that_swallows_everything_does_not_use_up_the_time_of_the_next() {
        let shop = TcpListener::bind("127.0.0.1:0").expect("a port");
        let second = shop.local_addr().expect("an address");
        let (first, port) = (IpAddr::from([127, 0, 0, 2]), second.port());
        let (_hole, _queue) = black_hole(first, port);
        let (begun, patience) = (Instant::now(), Duration::from_secs(4));
        let both = [first, second.ip()];
        let stream = first_of(&upstream(1), (&both, port), begun + patience).await.expect("a connection");
        assert!(begun.elapsed() < patience * 3 / 4, "{:?}", begun.elapsed());
        assert_eq!(stream.tcp().peer_addr().expect("a peer"), second);
        let alone = first_of(&upstream(1), (&[first], port), Instant::now() + Duration::from_millis(100)).await;
        assert_eq!(alone.map(|_| ()), Err(TIMEOUT));
    }

    #[tokio::test]
    async fn a_shop_that_vanishes_is_noticed() {
        let shop = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = shop.local_addr().expect("an address").port();
        let deadline = Instant::now() + Duration::from_secs(5);
        let here = [Ipv4Addr::LOCALHOST.into()];
        let stream = first_of(&upstream(port), (&here, port), deadline).await.expect("a connection");
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
