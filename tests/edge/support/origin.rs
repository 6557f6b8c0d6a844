//! A shop to order: answers as it is told, faults included, and remembers what it was asked.

use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::message::{Content, Head};

/// A shop behind the edge. Ends when dropped.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Received>>,
    connections: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// The connection it came on, counted from 0.
    pub(crate) connection: usize,
    pub(crate) head: Head,
    /// What of the body was read.
    pub(crate) content: Content,
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
}

/// A request that is being answered.
pub(crate) struct Exchange<'a> {
    pub(crate) head: Head,
    pub(crate) reader: &'a mut BufReader<TcpStream>,
    place: usize,
    shared: &'a Shared,
}

impl Origin {
    /// Says `text` to everybody.
    pub(crate) fn saying(text: &'static str) -> Self {
        Self::new(move |exchange| {
            exchange.body()?;
            exchange.answer("200 OK", &[], text.as_bytes())
        })
    }

    /// Does with each request what `handler` does.
    pub(crate) fn new(handler: impl Fn(&mut Exchange<'_>) -> io::Result<Then> + Send + Sync + 'static) -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").expect("a port"), handler)
    }

    /// The same on a socket of one's own.
    pub(crate) fn listening(
        listener: TcpListener,
        handler: impl Fn(&mut Exchange<'_>) -> io::Result<Then> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let (mine, handler) = (Arc::clone(&shared), Arc::new(handler));
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { break };
                if mine.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let _ = stream.set_nodelay(true);
                mine.connections.lock().expect("connections").push(stream.try_clone().expect("a stream"));
                let (shared, handler) = (Arc::clone(&mine), Arc::clone(&handler));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    // A peer that goes ends the conversation, whatever was planned.
                    let _ = converse(number, &mut reader, &shared, &*handler);
                    let _ = reader.get_ref().shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, shared }
    }

    /// For `upstreams` in a configuration.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked until now.
    pub(crate) fn requests(&self) -> Vec<Received> {
        self.shared.requests.lock().expect("requests").clone()
    }

    /// The one request it was asked.
    pub(crate) fn request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests.into_iter().next().expect("one")
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.lock().expect("connections").len()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes the listener
        for connection in self.shared.connections.lock().expect("connections").iter() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Exchange<'_> {
    /// Reads the body to its end.
    pub(crate) fn body(&mut self) -> io::Result<Content> {
        let content = Content::read(self.reader, self.head.framing())?;
        self.shared.requests.lock().expect("requests")[self.place].content = content.clone();
        Ok(content)
    }

    /// Method and target.
    pub(crate) fn asked(&self) -> (&str, &str) {
        let mut parts = self.head.start.split(' ');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }

    /// Answers with a body of known length.
    pub(crate) fn answer(&mut self, status: &str, fields: &[(&str, &str)], body: &[u8]) -> io::Result<Then> {
        let mut text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut octets = text.into_bytes();
        if self.asked().0 != "HEAD" {
            octets.extend_from_slice(body);
        }
        self.write(&octets)?;
        Ok(Then::Keep)
    }

    /// Writes octets as they are.
    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(octets)
    }
}

fn converse(
    connection: usize,
    reader: &mut BufReader<TcpStream>,
    shared: &Shared,
    handler: &dyn Fn(&mut Exchange<'_>) -> io::Result<Then>,
) -> io::Result<()> {
    while let Some(head) = Head::read(reader)? {
        let place = {
            let mut requests = shared.requests.lock().expect("requests");
            requests.push(Received { connection, head: head.clone(), content: Content::default() });
            requests.len() - 1
        };
        let mut exchange = Exchange { head, reader, place, shared };
        if handler(&mut exchange)? == Then::Close {
            break;
        }
    }
    Ok(())
}

impl Received {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }
}
