//! Changes to a zone: updates that are signed with a key that the server knows (RFC 2136, RFC 8945).

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::{TsigAlgorithm as Algorithm, TsigError};
use hickory_proto::rr::{DNSClass, RData, Record, RecordType, TSigner};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::exchange::exchange;
use super::{DnsName, query};

/// Changes zones at one server.
#[derive(Clone, Debug)]
pub struct DnsUpdater {
    server: SocketAddr,
    key: TsigKey,
    patience: Duration,
}

/// A key that a server knows too (RFC 8945).
#[derive(Clone)]
pub struct TsigKey {
    /// As the server calls it.
    pub name: DnsName,
    /// How is signed.
    pub algorithm: TsigAlgorithm,
    /// What nobody else knows.
    pub secret: Zeroizing<Vec<u8>>,
}

/// How is signed; what is older is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TsigAlgorithm {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
}

impl TsigAlgorithm {
    /// All that there are.
    pub const ALL: [Self; 3] = [Self::HmacSha256, Self::HmacSha384, Self::HmacSha512];

    /// The word that name servers have for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    const fn algorithm(self) -> Algorithm {
        match self {
            Self::HmacSha256 => Algorithm::HmacSha256,
            Self::HmacSha384 => Algorithm::HmacSha384,
            Self::HmacSha512 => Algorithm::HmacSha512,
        }
    }
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TsigKey").field("name", &self.name).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl DnsUpdater {
    /// Changes zones at `server`, signed with `key`.
    #[must_use]
    pub const fn new(server: SocketAddr, key: TsigKey) -> Self {
        Self { server, key, patience: PATIENCE }
    }

    /// Adds a text to those that stand at a name; what is there stays, and a text that is there already stays one.
    ///
    /// # Errors
    /// [`UpdateError`]; when no answer came it may have been added all the same.
    pub async fn add_txt(&self, zone: &DnsName, name: &DnsName, text: &str, ttl: u32) -> Result<(), UpdateError> {
        let record = Record::from_rdata(name.name().clone(), ttl, txt(text));
        self.update(zone, record).await
    }

    /// Removes this text from those that stand at a name, if it is there.
    ///
    /// # Errors
    /// [`UpdateError`]; when no answer came it may have been removed all the same.
    pub async fn remove_txt(&self, zone: &DnsName, name: &DnsName, text: &str) -> Result<(), UpdateError> {
        // RFC 2136 §2.5.4
        let mut record = Record::from_rdata(name.name().clone(), 0, txt(text));
        record.dns_class = DNSClass::NONE;
        self.update(zone, record).await
    }

    async fn update(&self, zone: &DnsName, record: Record) -> Result<(), UpdateError> {
        let error = |trouble| UpdateError {
            server: self.server,
            zone: zone.clone(),
            key: self.key.name.clone(),
            algorithm: self.key.algorithm,
            trouble,
        };
        let deadline = Instant::now() + self.patience;
        let mut last = String::new();
        for round in 0..ROUNDS {
            let until = deadline.min(Instant::now() + FIRST_WAIT * (1 << round));
            match self.once(zone, record.clone(), until).await {
                Ok(()) => return Ok(()),
                Err(Trouble::NoAnswer(why)) => last = why,
                Err(trouble) => return Err(error(trouble)),
            }
        }
        Err(error(Trouble::NoAnswer(last)))
    }

    async fn once(&self, zone: &DnsName, record: Record, until: Instant) -> Result<(), Trouble> {
        let other = |what: String| Trouble::Other(what);
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(zone.name().clone(), RecordType::SOA));
        message.add_authority(record);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let TsigKey { name, algorithm, secret } = &self.key;
        let signer = TSigner::new(secret.to_vec(), algorithm.algorithm(), name.name().clone(), FUDGE);
        let signer = signer.map_err(|error| other(error.to_string()))?;
        let verifier = message.finalize(&signer, now).map_err(|error| other(error.to_string()))?;
        let octets = message.to_vec().map_err(|error| other(error.to_string()))?;
        let answer = exchange(self.server, &octets, |answer| query::answers(answer, &message), until);
        let octets = answer.await.map_err(Trouble::NoAnswer)?;
        let answer = Message::from_vec(&octets).map_err(|error| other(error.to_string()))?;
        // What a server says of the signature it cannot sign (RFC 8945 §5.3.2).
        match answer.signature.as_ref().and_then(|signature| signature.data.error) {
            Some(TsigError::BadKey) => return Err(Trouble::UnknownKey),
            Some(TsigError::BadSig) => return Err(Trouble::WrongSecret),
            Some(TsigError::BadTime) => return Err(Trouble::WrongTime),
            Some(_) | None => {}
        }
        match answer.metadata.response_code {
            ResponseCode::NoError => {}
            ResponseCode::Refused => return Err(Trouble::Refused),
            ResponseCode::NotAuth => return Err(Trouble::NoAuthority),
            ResponseCode::NotZone => return Err(Trouble::OutsideZone),
            code => return Err(other(query::word(code))),
        }
        // Whoever says yes must have the key too.
        let is_signed = verifier.is_some_and(|mut verifier| verifier.verify(&octets).is_ok());
        if is_signed { Ok(()) } else { Err(Trouble::Unsigned) }
    }
}

fn txt(text: &str) -> RData {
    RData::TXT(TXT::new(vec![text.to_owned()]))
}

/// Why a zone was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateError {
    server: SocketAddr,
    zone: DnsName,
    key: DnsName,
    algorithm: TsigAlgorithm,
    trouble: Trouble,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    UnknownKey,
    WrongSecret,
    WrongTime,
    Refused,
    NoAuthority,
    OutsideZone,
    Unsigned,
    NoAnswer(String),
    Other(String),
}

impl UpdateError {
    /// Whether nothing was changed; otherwise something may have been.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        !matches!(self.trouble, Trouble::NoAnswer(_) | Trouble::Unsigned)
    }
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, zone, key, algorithm, trouble } = self;
        let algorithm = algorithm.word();
        write!(f, "the name server {server} ")?;
        match trouble {
            Trouble::UnknownKey => write!(
                f,
                "does not know the key {key} for {algorithm}: name and algorithm must be those of its own key statement"
            ),
            Trouble::WrongSecret => write!(
                f,
                "does not believe the signature with the key {key}: its secret for this key is another one; copy it anew"
            ),
            Trouble::WrongTime => write!(f, "has another time than this machine: set both clocks, by NTP"),
            Trouble::Refused => write!(
                f,
                "refuses to change the zone {zone}: allow the key {key} to, in its update-policy or allow-update"
            ),
            Trouble::NoAuthority => {
                write!(f, "is no authority for the zone {zone}: name the zone's primary, and the zone as it has it")
            }
            Trouble::OutsideZone => {
                write!(f, "says that the record lies outside of the zone {zone}: name its own zone")
            }
            Trouble::Unsigned => write!(
                f,
                "says that it changed the zone {zone} and does not sign that with the key {key}: is it another server?"
            ),
            Trouble::NoAnswer(why) => write!(f, "does not answer an update of the zone {zone}: {why}"),
            Trouble::Other(what) => write!(f, "does not change the zone {zone}: {what}"),
        }
    }
}

impl std::error::Error for UpdateError {}

/// A whole update with all its tries; a primary writes to its disk before it answers.
const PATIENCE: Duration = Duration::from_secs(20);
const FIRST_WAIT: Duration = Duration::from_secs(4);
const ROUNDS: u32 = 3;
/// Seconds that two clocks may differ (RFC 8945 §10).
const FUDGE: u16 = 300;
