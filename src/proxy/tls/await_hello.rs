//! The wait for a ClientHello, in as little memory as it takes: whoever says nothing, and whoever stops in the middle, holds none of what a
//! handshake needs.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::client_hello::{Asked, CLIENT_HELLO, HANDSHAKE};
use crate::proxy::socket::Socket;

/// A hello that has come.
pub(super) struct Hello {
    pub(super) asked: Asked,
    /// As it came, for whoever answers it.
    pub(super) octets: Vec<u8>,
    pub(super) socket: Socket,
}

/// Waits until the hello is there and read. What rustls has to say against one that is not plain is sent.
pub(super) async fn await_hello(mut socket: Socket) -> io::Result<Hello> {
    let (mut octets, mut acceptor) = (Vec::new(), None::<Box<Acceptor>>);
    let looked = poll_fn(|cx| {
        loop {
            let mut room = [const { MaybeUninit::uninit() }; ROOM];
            let mut buffer = ReadBuf::uninit(&mut room);
            ready!(Pin::new(&mut socket).poll_read(cx, &mut buffer))?;
            let read = buffer.filled();
            if read.is_empty() {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof)));
            }
            octets.extend_from_slice(read);
            let looked = match &mut acceptor {
                // It has all that came before, and knows better what is missing.
                Some(acceptor) => look(acceptor, read)?,
                None if !is_for_rustls(&octets) => continue,
                None => match Asked::read(&octets) {
                    Some(asked) => Looked::Read(asked),
                    None => look(acceptor.insert(Box::default()), &octets)?,
                },
            };
            match looked {
                Looked::Wanting => {}
                looked => return Poll::Ready(Ok(looked)),
            }
        }
    })
    .await?;
    match looked {
        Looked::Read(asked) => Ok(Hello { asked, octets, socket }),
        Looked::Refused(error, alert) => {
            // Best effort: the peer may be gone, and the refusal stands either way.
            let _ = socket.write_all(&alert).await;
            Err(io::Error::new(io::ErrorKind::InvalidData, error))
        }
        Looked::Wanting => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What became of a beginning.
enum Looked {
    Read(Asked),
    Wanting,
    /// With the alert that says why.
    Refused(rustls::Error, Vec<u8>),
}

fn look(acceptor: &mut Acceptor, mut octets: &[u8]) -> io::Result<Looked> {
    while !octets.is_empty() {
        // It takes some KiB at a time, and reads on only behind what it has understood.
        acceptor.read_tls(&mut octets)?;
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(Looked::Read(Asked::of(&accepted.client_hello()))),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut said = Vec::new();
                alert.write_all(&mut said)?;
                return Ok(Looked::Refused(error, said));
            }
        }
    }
    Ok(Looked::Wanting)
}

/// Whether a hello is there whole, or something that none is (RFC 8446 §4, §5.1). In which records it comes is the client's choice.
fn is_for_rustls(read: &[u8]) -> bool {
    let (mut rest, mut said, mut length) = (read, 0, None);
    while let [kind, _, _, high, low, behind @ ..] = rest {
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind != HANDSHAKE || size == 0 || size > LARGEST_RECORD {
            return true;
        }
        let here = &behind[..size.min(behind.len())];
        if said == 0
            && let [kind, high, middle, low, ..] = here
        {
            if *kind != CLIENT_HELLO {
                return true;
            }
            length = Some(HEADER + usize::from(*high) * 0x1_0000 + usize::from(u16::from_be_bytes([*middle, *low])));
        }
        said += here.len();
        // One whose length is cut up by records is rare enough to be rustls' affair.
        if length.is_none() && said >= HEADER || length.is_some_and(|length| said >= length || length > MOST) {
            return true;
        }
        rest = &behind[here.len()..];
    }
    rest.first().is_some_and(|kind| *kind != HANDSHAKE)
}

/// What is read at once: no browser's hello is longer.
const ROOM: usize = 4 * 1024;
/// Octets of a message's type and length.
const HEADER: usize = 4;
const LARGEST_RECORD: usize = 1 << 14;
/// A longer one is gathered by rustls, which has a limit of its own.
const MOST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of this type and size in records of so many octets.
    fn message(kind: u8, size: usize, of: usize) -> Vec<u8> {
        let mut message =
            vec![kind, 0, u8::try_from(size / 256).expect("small"), u8::try_from(size % 256).expect("so")];
        message.resize(HEADER + size, 0);
        let record = |part: &[u8]| {
            [&[HANDSHAKE, 3, 1][..], &u16::try_from(part.len()).expect("small").to_be_bytes(), part].concat()
        };
        message.chunks(of).flat_map(record).collect()
    }

    #[test]
    fn a_hello_is_gathered_until_it_is_whole() {
        for records in [message(CLIENT_HELLO, 300, 400), message(CLIENT_HELLO, 300, 100)] {
            for cut in 0..records.len() {
                assert!(!is_for_rustls(&records[..cut]), "{cut}");
            }
            assert!(is_for_rustls(&records) && is_for_rustls(&[&records[..], b"more"].concat()));
        }
    }

    #[test]
    fn what_is_no_hello_or_a_strange_one_is_not_gathered() {
        for octets in [
            &b"GET / HTTP/1.1\r\n"[..],
            &[HANDSHAKE, 3, 1, 0, 0],
            &[HANDSHAKE, 3, 1, 255, 255],
            &[21, 3, 1],
            &message(2, 300, 400)[..20],
            &message(CLIENT_HELLO, MOST, MOST + HEADER)[..20],
            &message(CLIENT_HELLO, 300, 1)[..4 * 6],
        ] {
            assert!(is_for_rustls(octets), "{octets:?}");
        }
    }
}
