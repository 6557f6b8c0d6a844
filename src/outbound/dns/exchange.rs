//! One message to one server and its answer: UDP first, TCP when the answer is cut off (RFC 7766 §5).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_proto::op::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

/// Sends octets and gives those of the first message that belongs to them, or says in words why there is none.
pub(super) async fn exchange(
    server: SocketAddr,
    octets: &[u8],
    belongs: impl Fn(&Message) -> bool,
    until: Instant,
) -> Result<Vec<u8>, String> {
    let begun = Instant::now();
    let work = async {
        if octets.len() <= LARGEST_REQUEST {
            let answer = by_datagram(server, octets, &belongs).await?;
            if !is_cut_off(&answer) {
                return Ok(answer);
            }
        }
        by_stream(server, octets, &belongs).await
    };
    match timeout_at(until, work).await {
        Ok(done) => done.map_err(|error: io::Error| error.to_string()),
        Err(_) => Err(format!("it said nothing for {:.1} s", begun.elapsed().as_secs_f64())),
    }
}

async fn by_datagram(
    server: SocketAddr,
    octets: &[u8],
    belongs: &impl Fn(&Message) -> bool,
) -> Result<Vec<u8>, io::Error> {
    let own = match server {
        SocketAddr::V4(_) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        SocketAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
    };
    // A port for each question, which the system picks at random; connected, it hears this server alone.
    let socket = UdpSocket::bind(own).await?;
    socket.connect(server).await?;
    socket.send(octets).await?;
    let mut buffer = vec![0; LARGEST_RECEIVED];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let received = &buffer[..length];
        // What cannot be read may be another's: the right answer may still come. What is cut off is read on as far as it goes.
        let fits = match Message::from_vec(received) {
            Ok(message) => belongs(&message),
            Err(_) => is_cut_off(received) && received.get(..2) == octets.get(..2),
        };
        if fits {
            return Ok(received.to_vec());
        }
    }
}

async fn by_stream(
    server: SocketAddr,
    octets: &[u8],
    belongs: &impl Fn(&Message) -> bool,
) -> Result<Vec<u8>, io::Error> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(octets.len()).map_err(|_| io::Error::other("the question is longer than 64 KiB"))?;
    let framed = [&length.to_be_bytes(), octets].concat();
    stream.write_all(&framed).await?;
    // Its length has two octets: no answer is longer than 64 KiB.
    let length = stream.read_u16().await?;
    let mut answer = vec![0; length.into()];
    stream.read_exact(&mut answer).await?;
    match Message::from_vec(&answer) {
        Ok(message) if belongs(&message) => Ok(answer),
        Ok(_) => Err(io::Error::other("it answers something else than it was asked")),
        Err(error) => Err(io::Error::other(format!("its answer cannot be read: {error}"))),
    }
}

/// The bit TC (RFC 1035 §4.1.1).
fn is_cut_off(answer: &[u8]) -> bool {
    answer.get(2).is_some_and(|flags| flags & 0b10 != 0)
}

/// Larger requests go over TCP at once.
const LARGEST_REQUEST: usize = super::query::LARGEST_DATAGRAM as usize;
/// Servers send no more than we said we take; some do.
const LARGEST_RECEIVED: usize = 4096;
