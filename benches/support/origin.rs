//! A shop behind the edge that answers at once: what is measured is the edge.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// Starts an origin on a free port. Each connection has a thread; every request that ends at its head gets `body`.
pub(crate) fn start(body: Vec<u8>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(&body);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let answer = answer.clone();
            // The edge closes connections as it likes; that is the end of the thread and nobody's concern.
            std::thread::spawn(move || answer_all(connection, &answer));
        }
    });
    Ok(address)
}

fn answer_all(mut connection: TcpStream, answer: &[u8]) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut head = [0; 16 * 1024];
    let mut filled = 0;
    loop {
        match connection.read(&mut head[filled..])? {
            0 => return Ok(()),
            more => filled += more,
        }
        if head[..filled].ends_with(b"\r\n\r\n") {
            connection.write_all(answer)?;
            filled = 0;
        }
    }
}
