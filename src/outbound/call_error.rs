//! Why a running edge did not do what it was asked for.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

/// Why a call brought no answer, or not the one that was asked for.
#[derive(Debug)]
pub enum CallError {
    /// There is no socket.
    NoSocket {
        /// Where it was expected.
        socket: PathBuf,
    },
    /// The socket is there and nobody listens on it.
    NobodyThere {
        /// Where it is.
        socket: PathBuf,
    },
    /// The socket belongs to somebody else.
    NotAllowed {
        /// Where it is.
        socket: PathBuf,
    },
    /// The admin listener elsewhere cannot be reached, or is not who it should be.
    Unreachable {
        /// Where it was asked for.
        origin: String,
        /// Why not.
        why: String,
    },
    /// The answer did not come in time.
    Late {
        /// Where it was asked for.
        socket: PathBuf,
        /// The time allowed.
        patience: Duration,
    },
    /// The edge said no.
    Refused {
        /// How.
        status: StatusCode,
        /// Its words.
        detail: String,
    },
    /// What was meant is not there.
    NotFound(String),
    /// The exchange broke off or brought something else.
    Broken(String),
    /// What was to be sent, or to be done with the answer, is at fault here.
    Own(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSocket { socket } => write!(
                f,
                "no edge runs here: {} does not exist; start one with `vitrine run`, or name the running one's \
                 configuration with --config",
                socket.display()
            ),
            Self::NobodyThere { socket } => write!(
                f,
                "no edge runs here: nobody listens on {}, which an edge that was killed left behind; start one with \
                 `vitrine run`",
                socket.display()
            ),
            Self::NotAllowed { socket } => {
                write!(f, "{} is not open to this user: use the account that runs the edge, or root", socket.display())
            }
            Self::Unreachable { origin, why } => write!(
                f,
                "{origin} cannot be asked: {why}; where the edge shows a certificate of its own, name it with --admin-ca or --admin-pin"
            ),
            Self::Late { socket, patience } => write!(
                f,
                "the edge at {} did not answer within {} s: see its log",
                socket.display(),
                patience.as_secs_f64()
            ),
            Self::Refused { status, detail } => write!(f, "the edge refused with {status}: {detail}"),
            Self::NotFound(what) => f.write_str(what),
            Self::Broken(what) => write!(f, "the edge's answer cannot be used: {what}"),
            Self::Own(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for CallError {}
