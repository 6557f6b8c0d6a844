//! The edge's own ends of connections to itself, by which the workers tell its checks from clients.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpSocket, TcpStream};

use crate::live::{OwnCheck, Publisher};

/// All checks that are under way. Clones are about the same ones.
#[derive(Clone)]
pub(super) struct Callers(Arc<Mutex<Called>>);

struct Called {
    own: Publisher<OwnCheck>,
    from: Vec<SocketAddr>,
}

impl Callers {
    /// None yet; the workers read at the other end of `own` who they are.
    pub(super) fn new(own: Publisher<OwnCheck>) -> Self {
        Self(Arc::new(Mutex::new(Called { own, from: Vec::new() })))
    }

    /// Connects from the address it goes to: there is no other machine on such a way. The workers know the connection for a
    /// check until the caller is dropped.
    pub(super) async fn connect(&self, listener: SocketAddr) -> io::Result<(TcpStream, Caller)> {
        let (socket, target) = from_its_own_side(listener)?;
        let caller = self.join(socket.local_addr()?);
        Ok((socket.connect(target).await?, caller))
    }

    fn join(&self, address: SocketAddr) -> Caller {
        let mut called = self.called();
        called.from.push(address);
        called.tell();
        Caller { callers: self.clone(), address }
    }

    fn called(&self) -> MutexGuard<'_, Called> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Called {
    fn tell(&mut self) {
        self.own.publish(OwnCheck::from_each(&self.from));
    }
}

/// A check that is under way.
pub(super) struct Caller {
    callers: Callers,
    address: SocketAddr,
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut called = self.callers.called();
        called.from.retain(|address| *address != self.address);
        called.tell();
    }
}

/// A socket with an address of its own, and where it is to go.
fn from_its_own_side(listener: SocketAddr) -> io::Result<(TcpSocket, SocketAddr)> {
    let mut tried = None;
    for ip in ways_to(listener.ip()) {
        let mut target = listener;
        target.set_ip(ip);
        let mut source = target;
        source.set_port(0);
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        match socket.and_then(|socket| socket.bind(source).map(|()| socket)) {
            Ok(socket) => return Ok((socket, target)),
            Err(error) => tried = Some(error),
        }
    }
    Err(tried.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

/// A listener on every address is on the loopback too. `[::]` serves IPv4 as well, and a container may have no IPv6 of its own.
fn ways_to(listener: IpAddr) -> Vec<IpAddr> {
    match listener {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![Ipv4Addr::LOCALHOST.into()],
        IpAddr::V6(ip) if ip.is_unspecified() => vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
        ip => vec![ip],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::table;

    #[test]
    fn a_listener_on_every_address_is_reached_over_the_loopback_of_its_family() {
        let ways = |ip: &str| {
            let ways = ways_to(ip.parse().expect("an address"));
            ways.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(ways("0.0.0.0"), ["127.0.0.1"]);
        assert_eq!(ways("::"), ["::1", "127.0.0.1"]);
        assert_eq!(ways("192.0.2.1"), ["192.0.2.1"]);
    }

    #[tokio::test]
    async fn each_of_several_is_known_for_as_long_as_it_is_under_way() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let (own, known) = table(OwnCheck::default());
        let (callers, address) = (Callers::new(own), listener.local_addr().expect("an address"));
        let (one, first) = callers.connect(address).await.expect("connected");
        let (two, second) = callers.clone().connect(address).await.expect("connected");
        let of = |stream: &TcpStream| known.load().is(stream.local_addr().expect("an address"));
        assert!(of(&one) && of(&two));
        drop(first);
        assert!(!of(&one) && of(&two));
        drop(second);
        assert!(!of(&one) && !of(&two));
    }
}
