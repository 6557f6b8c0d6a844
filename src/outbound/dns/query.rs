//! The messages that ask, and what belongs to them.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::RecordType;

use super::{DnsName, RecordKind};

/// A question with a number of its own.
pub(super) fn query(name: &DnsName, kind: RecordKind, recursive: bool) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = recursive;
    message.add_query(Query::query(name.name().clone(), record_type(kind)));
    let mut edns = Edns::new();
    edns.set_max_payload(LARGEST_DATAGRAM).set_version(0);
    message.set_edns(edns);
    message
}

/// Whether a message answers a question: whoever guesses an address and a port must guess these too (RFC 5452 §9.1).
pub(super) fn answers(answer: &Message, question: &Message) -> bool {
    let asked = &question.queries;
    answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == question.metadata.id
        && answer.metadata.op_code == question.metadata.op_code
        // Who cannot read a question, or does not serve it, may leave it out.
        && (answer.queries == *asked || (answer.queries.is_empty() && is_refusal(answer, question)))
}

fn is_refusal(answer: &Message, question: &Message) -> bool {
    question.metadata.op_code == OpCode::Update
        || !matches!(answer.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
}

/// What an answer says in its code, with the name that operators know from dig(1).
pub(super) fn word(code: ResponseCode) -> String {
    let name = match code {
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotAuth => "NOTAUTH",
        ResponseCode::NotZone => "NOTZONE",
        other => return format!("it says {other}"),
    };
    format!("it says {name}")
}

const fn record_type(kind: RecordKind) -> RecordType {
    match kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Cname => RecordType::CNAME,
        RecordKind::Ns => RecordType::NS,
        RecordKind::Soa => RecordType::SOA,
        RecordKind::Caa => RecordType::CAA,
        RecordKind::Txt => RecordType::TXT,
    }
}

/// What passes without being cut into pieces on the way (DNS flag day 2020).
pub(super) const LARGEST_DATAGRAM: u16 = 1232;
