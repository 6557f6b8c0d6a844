//! A name server of a few lines, for tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::{DnsClient, DnsName};

/// A server that answers as it is told, over UDP and TCP on one port.
pub(crate) struct Answerer {
    pub(crate) address: SocketAddr,
    datagrams: Arc<AtomicUsize>,
    streams: Arc<AtomicUsize>,
}

impl Answerer {
    /// `answer` gives the octets to send for a question, by UDP (`true`) or by TCP.
    pub(crate) async fn start(answer: impl Fn(&Message, bool) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST, 0, answer).await
    }

    /// The same at an address of its own, and at a port that is free there unless 0.
    pub(crate) async fn start_at(
        address: Ipv4Addr,
        port: u16,
        answer: impl Fn(&Message, bool) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let (udp, tcp) = loop {
            let tcp = TcpListener::bind((address, port)).await.expect("a port");
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().expect("an address")).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().expect("an address");
        let (datagrams, streams) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (answer, by_datagram, by_stream) = (Arc::new(answer), Arc::clone(&datagrams), Arc::clone(&streams));
        let over_tcp = Arc::clone(&answer);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = udp.recv_from(&mut buffer).await {
                by_datagram.fetch_add(1, Ordering::SeqCst);
                let question = Message::from_vec(&buffer[..length]).expect("a question");
                for octets in answer(&question, true) {
                    udp.send_to(&octets, peer).await.expect("sent");
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                by_stream.fetch_add(1, Ordering::SeqCst);
                let length = stream.read_u16().await.expect("a length");
                let mut question = vec![0; length.into()];
                stream.read_exact(&mut question).await.expect("a question");
                let question = Message::from_vec(&question).expect("a question");
                for octets in over_tcp(&question, false) {
                    stream.write_u16(u16::try_from(octets.len()).expect("short")).await.expect("sent");
                    stream.write_all(&octets).await.expect("sent");
                }
            }
        });
        Self { address, datagrams, streams }
    }

    pub(crate) fn client(&self) -> DnsClient {
        DnsClient::at([self.address])
    }

    pub(crate) fn asked(&self) -> (usize, usize) {
        (self.datagrams.load(Ordering::SeqCst), self.streams.load(Ordering::SeqCst))
    }
}

/// A name as records have it.
pub(crate) fn owner(text: &str) -> Name {
    DnsName::parse(text).expect("a name").name().clone()
}

/// An answer to a question.
pub(crate) fn answer(question: &Message, code: ResponseCode, records: &[(&str, RData)]) -> Message {
    let mut message = Message::response(question.metadata.id, question.metadata.op_code);
    message.metadata.response_code = code;
    message.add_queries(question.queries.clone());
    let records = records.iter().map(|(owned, data)| Record::from_rdata(owner(owned), 60, data.clone()));
    message.add_answers(records.collect::<Vec<_>>());
    message
}

/// A message as it is sent.
pub(crate) fn octets(message: &Message) -> Vec<u8> {
    message.to_vec().expect("octets")
}
