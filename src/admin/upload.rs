//! What a request carries: taken off the wire within bounds, or off the wire and away.

use std::time::Duration;

use http::header;
use http::request::Parts;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use zeroize::Zeroizing;

use super::problem::{Kind, Problem};

/// A body on its way.
pub(super) struct Upload {
    body: Incoming,
    /// The client sends it only when it is told to (RFC 9110 §10.1.1), which happens as soon as it is asked for.
    is_held: bool,
}

impl Upload {
    /// The body behind a head.
    pub(super) fn behind(head: &Parts, body: Incoming) -> Self {
        let is_held =
            head.headers.get(header::EXPECT).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self { body, is_held }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.body.is_end_stream()
    }

    /// The whole of it. It may hold keys and passwords, so it is in one place and wiped when dropped.
    pub(super) async fn take(&mut self, limit: usize) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let too_large = || {
            let text =
                format!("expected at most {limit} octets, found more; send what belongs together, and nothing else");
            Problem::new(Kind::TooLarge, text)
        };
        let told = self.body.size_hint();
        if told.lower() > limit as u64 {
            return Err(too_large());
        }
        self.is_held = false;
        let room = told.upper().and_then(|octets| usize::try_from(octets).ok()).unwrap_or(limit);
        // Of this size from the start: a buffer that grows leaves copies behind.
        let mut content = Zeroizing::new(Vec::with_capacity(room.min(limit)));
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|_| Problem::malformed("the body broke off before its end; send it again"))?;
            let Ok(data) = frame.into_data() else { continue };
            if content.len() + data.len() > limit {
                return Err(too_large());
            }
            content.extend_from_slice(&data);
        }
        Ok(content)
    }

    /// Lets the rest go by: an answer that overtakes it would be lost with the connection, which the system resets for what
    /// nobody has read.
    pub(super) async fn pass(mut self) {
        if self.is_held {
            return;
        }
        let rest = async { while let Some(Ok(_)) = self.body.frame().await {} };
        let _ = tokio::time::timeout(PATIENCE, rest).await;
    }
}

/// A refused upload of 50 MB over a line of 15 Mbit/s; half of what the whole connection gets.
const PATIENCE: Duration = Duration::from_secs(30);
