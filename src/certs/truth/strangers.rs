//! Who else listens where we do: with `SO_REUSEPORT` the system shares connections out among all sockets of a port, and a client
//! that is shown the right certificate proves little.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Our own listening sockets.
pub(super) struct OwnSockets {
    pub(super) listeners: Vec<SocketAddr>,
    /// By what the system tells them from others. None: it is not known which are ours, and there are no strangers.
    pub(super) inodes: HashSet<u64>,
}

/// Somebody else's socket that takes connections which are meant for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stranger {
    /// Where to ask to meet it.
    pub(super) at: SocketAddr,
    /// How many sockets the connections are shared out among.
    pub(super) among: usize,
}

impl OwnSockets {
    /// Looks for strangers, each address once. Reads files; it takes some ten microseconds.
    pub(super) fn strangers(&self) -> Vec<Stranger> {
        let tables = TABLES.iter().filter_map(|path| File::open(path).ok());
        self.strangers_in(&tables.flat_map(|file| listening(BufReader::new(file))).collect::<Vec<_>>())
    }

    fn strangers_in(&self, sockets: &[(SocketAddr, u64)]) -> Vec<Stranger> {
        if self.inodes.is_empty() {
            return Vec::new();
        }
        let is_strange = |(at, inode): &&(SocketAddr, u64)| {
            !self.inodes.contains(inode) && self.listeners.iter().any(|ours| overlap(*ours, *at))
        };
        let among = |at: SocketAddr| sockets.iter().filter(|(other, _)| other.port() == at.port()).count();
        let mut found: Vec<_> =
            sockets.iter().filter(is_strange).map(|(at, _)| Stranger { at: *at, among: among(*at) }).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Whether a socket at `theirs` takes what is sent to `ours`. `[::]` is for IPv4 too.
fn overlap(ours: SocketAddr, theirs: SocketAddr) -> bool {
    let (us, them) = (ours.ip().to_canonical(), theirs.ip().to_canonical());
    let is_any = |ip: IpAddr, other: IpAddr| ip.is_unspecified() && (ip.is_ipv6() || other.is_ipv4());
    ours.port() == theirs.port() && (us == them || is_any(us, them))
}

/// The listening sockets of a table (proc_net_tcp(5)), which come first in it, with their inodes.
fn listening(table: impl BufRead) -> Vec<(SocketAddr, u64)> {
    let lines = table.lines().map_while(Result::ok).skip(1);
    let read = |line: String| -> Option<(SocketAddr, u64)> {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_listening = fields.get(3).is_some_and(|state| *state == LISTEN);
        let (ip, port) = fields.get(1).filter(|_| is_listening)?.split_once(':')?;
        let address = SocketAddr::new(address(ip)?, u16::from_str_radix(port, 16).ok()?);
        Some((address, fields.get(9)?.parse().ok()?))
    };
    lines.map_while(read).collect()
}

/// Words of 32 bits in hexadecimal, each in the order of the machine.
fn address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(8 * at..8 * at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(words.as_flattened()).ok()?).into())
        }
        _ => None,
    }
}

/// There also where a unit sees the processes alone (`ProcSubset=pid`).
const TABLES: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
/// `TCP_LISTEN`
const LISTEN: &str = "0A";

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd;
    use std::time::{Duration, Instant};

    use socket2::{Domain, Socket, Type};

    use super::*;

    fn socket(address: SocketAddr) -> TcpListener {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        socket.set_reuse_port(true).expect("an option");
        socket.bind(&address.into()).expect("bound");
        socket.listen(1).expect("a listener");
        socket.into()
    }

    fn inode(socket: &impl AsFd) -> u64 {
        rustix::fs::fstat(socket).expect("facts").st_ino
    }

    #[test]
    fn who_else_listens_on_the_port_is_found_and_nobody_else() {
        let own = socket("127.0.0.1:0".parse().expect("an address"));
        let address = own.local_addr().expect("an address");
        let second = socket(address);
        let _elsewhere = socket("127.0.0.1:0".parse().expect("an address"));
        let inodes = HashSet::from([inode(&own), inode(&second)]);
        let ours = OwnSockets { listeners: vec![address], inodes };
        assert_eq!(ours.strangers(), []);
        let stranger = socket(address);
        assert_eq!(ours.strangers(), [Stranger { at: address, among: 3 }]);
        drop(stranger);
        // A process that another test starts just now may hold it until it has become another program.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !ours.strangers().is_empty() {
            assert!(Instant::now() < deadline, "{:?}", ours.strangers());
            std::thread::yield_now();
        }
        // Where it is not known which are ours, nobody is strange.
        assert_eq!(OwnSockets { inodes: HashSet::new(), ..ours }.strangers(), []);
    }

    #[test]
    fn a_socket_is_in_the_way_where_it_takes_what_is_meant_for_us() {
        for (ours, theirs, expected) in [
            ("127.0.0.1:443", "127.0.0.1:443", true),
            ("127.0.0.1:443", "127.0.0.1:444", false),
            ("127.0.0.1:443", "0.0.0.0:443", false),
            ("0.0.0.0:443", "192.0.2.1:443", true),
            ("0.0.0.0:443", "[2001:db8::1]:443", false),
            ("[::]:443", "192.0.2.1:443", true),
            ("[::]:443", "[2001:db8::1]:443", true),
            ("[2001:db8::1]:443", "[::]:443", false),
        ] {
            let address = |text: &str| text.parse().expect("an address");
            assert_eq!(overlap(address(ours), address(theirs)), expected, "{ours} {theirs}");
        }
    }

    #[test]
    fn the_table_is_read_as_far_as_it_is_about_listening() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 4711 1
   1: 0100007F:01BB 0100007F:9C40 01 0:0 0:0 0 0 0 4712 1
   2: 0100007F:01BC 00000000:0000 0A 0:0 0:0 0 0 0 4713 1\n";
        let little = cfg!(target_endian = "little").then(|| listening(table.as_bytes()));
        assert!(little.is_none_or(|found| found == [("[::1]:443".parse().expect("an address"), 4711)]));
        assert_eq!(listening(&b"no table"[..]), []);
        assert_eq!(address("0100007"), None);
    }
}
