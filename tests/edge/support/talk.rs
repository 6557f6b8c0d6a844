//! A conversation in HTTP/1.1, octet by octet, over TLS or without.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::DEADLINE;
use super::message::Response;

/// One connection of a client.
pub(crate) struct Talk {
    pub(crate) reader: BufReader<Stream>,
}

/// What is below.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

impl Talk {
    /// Without TLS.
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self::on(dial(address))
    }

    /// Through a socket in the file system.
    pub(crate) fn unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self::over(Stream::Unix(stream)))
    }

    /// Over a TCP connection that is there, without TLS.
    pub(crate) fn on(stream: TcpStream) -> Self {
        Self::over(Stream::Tcp(stream))
    }

    pub(crate) fn over(stream: Stream) -> Self {
        Self { reader: BufReader::new(stream) }
    }

    /// Where it comes from.
    pub(crate) fn local_address(&self) -> SocketAddr {
        let address = match self.reader.get_ref() {
            Stream::Tcp(stream) => stream.local_addr(),
            Stream::Tls(stream) => stream.sock.local_addr(),
            Stream::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        address.expect("an address")
    }

    /// Sends octets as they are.
    pub(crate) fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.try_send(octets).expect("sent");
    }

    /// The same where the edge may have hung up.
    pub(crate) fn try_send(&mut self, octets: impl AsRef<[u8]>) -> io::Result<()> {
        let stream = self.reader.get_mut();
        stream.write_all(octets.as_ref())?;
        stream.flush()
    }

    /// The next final response.
    pub(crate) fn response(&mut self) -> Response {
        Response::read(&mut self.reader, false).expect("a response")
    }

    /// The next final response, unless the connection ends before its end.
    pub(crate) fn try_response(&mut self) -> io::Result<Response> {
        Response::read(&mut self.reader, false)
    }

    /// The response to a HEAD.
    pub(crate) fn response_to_head(&mut self) -> Response {
        Response::read(&mut self.reader, true).expect("a response")
    }

    /// The next response, interim ones too.
    pub(crate) fn any_response(&mut self) -> Response {
        Response::read_any(&mut self.reader, false).expect("a response")
    }

    /// Sends and takes the answer.
    pub(crate) fn ask(&mut self, octets: impl AsRef<[u8]>) -> Response {
        self.send(octets);
        self.response()
    }

    /// A plain GET.
    pub(crate) fn get(&mut self, host: &str, target: &str) -> Response {
        self.ask(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n"))
    }

    /// Waits for the edge to close, orderly or not; whatever it sends before is given back.
    pub(crate) fn until_closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Err(error) if is_timeout(&error) => panic!("the connection stayed open; it said {rest:?}"),
            _ => rest,
        }
    }

    /// Whether the connection is open and quiet now.
    pub(crate) fn is_open(&mut self) -> bool {
        self.tcp().set_read_timeout(Some(GLANCE)).expect("a timeout");
        let mut octet = [0];
        let open = matches!(self.reader.read(&mut octet), Err(error) if is_timeout(&error));
        self.tcp().set_read_timeout(Some(DEADLINE)).expect("a timeout");
        open
    }

    /// Says that nothing more comes: close_notify, then the end of TCP's stream.
    pub(crate) fn half_close(&mut self) {
        if let Stream::Tls(tls) = self.reader.get_mut() {
            tls.conn.send_close_notify();
            tls.flush().expect("flushed");
        }
        self.tcp().shutdown(Shutdown::Write).expect("half closed");
    }

    /// What is below, for another protocol. Nothing may have been read ahead.
    pub(crate) fn into_stream(self) -> Stream {
        assert_eq!(self.reader.buffer(), b"");
        self.reader.into_inner()
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        match self.reader.get_ref() {
            Stream::Tcp(tcp) => tcp,
            Stream::Tls(tls) => &tls.sock,
            Stream::Unix(_) => panic!("a Unix socket is not TCP"),
        }
    }

    /// What was agreed on in the handshake.
    pub(crate) fn session(&self) -> &ClientConnection {
        match self.reader.get_ref() {
            Stream::Tls(tls) => &tls.conn,
            _ => panic!("no TLS here"),
        }
    }
}

/// A TCP connection that does not wait for ever.
pub(crate) fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connected");
    stream.set_nodelay(true).expect("nodelay");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
    stream
}

/// The same from another of this machine's addresses.
pub(crate) fn dial_from(address: &str, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let local: SocketAddr = format!("{address}:0").parse().expect("an address");
    socket.bind(&local.into()).expect("bound");
    socket.connect(&to.into()).expect("connected");
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).expect("nodelay");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
    stream
}

pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
            Self::Unix(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
        }
    }
}

/// Long enough that something already sent would be here.
const GLANCE: Duration = Duration::from_millis(50);
