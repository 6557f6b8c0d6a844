//! The chain of hashes that holds the lines together.

use super::Line;
use crate::store::Revision;
use serde::{Deserialize, Serialize};

/// What a trail comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Lines in order, from the first.
    pub lines: u64,
    /// The hash of the last of them.
    pub last: String,
    /// Where the order ends before the trail does.
    pub broken: Option<Broken>,
}

/// A place where a trail is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Counted from 1.
    pub line: u64,
    /// What is wrong there.
    pub reason: String,
}

/// Goes through a trail, line by line.
#[must_use]
pub fn verify(content: &[u8]) -> Verified {
    let mut verified = Verified { lines: 0, last: NOTHING.into(), broken: None };
    let mut rest = content;
    while !rest.is_empty() {
        let number = verified.lines + 1;
        let end = rest.iter().position(|octet| *octet == b'\n');
        match end.ok_or_else(|| "half a line".to_owned()).and_then(|end| check(&rest[..end], number, &verified.last)) {
            Ok(hash) => verified = Verified { lines: number, last: hash, broken: None },
            Err(reason) => return Verified { broken: Some(Broken { line: number, reason }), ..verified },
        }
        rest = end.map_or(&[][..], |end| &rest[end + 1..]);
    }
    verified
}

/// Where a trail ends, and the next line begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) number: u64,
    pub(super) hash: String,
}

impl Default for End {
    fn default() -> Self {
        Self { number: 0, hash: NOTHING.into() }
    }
}

impl End {
    /// The end of whole lines, broken or not: what comes next is held together again.
    pub(super) fn of(content: &[u8], verified: &Verified) -> Self {
        if verified.broken.is_none() {
            return Self { number: verified.lines, hash: verified.last.clone() };
        }
        let mut lines = content.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
        let number = u64::try_from(lines.clone().count()).unwrap_or(u64::MAX);
        let last = lines.next_back().unwrap_or_default();
        let hash =
            serde_json::from_slice::<Line>(last).map_or_else(|_| Revision::of(last).to_string(), |line| line.hash);
        Self { number, hash }
    }
}

/// A line as it is written, and the end of the trail behind it.
pub(super) fn sealed(line: &Line) -> (String, End) {
    let text = serde_json::to_string(line).unwrap_or_default();
    let sealed = text.strip_suffix(&format!("{SEAL}\"}}")).unwrap_or(&text);
    let hash = Revision::of(sealed.as_bytes()).to_string();
    (format!("{sealed}{SEAL}{hash}\"}}\n"), End { number: line.number, hash })
}

/// The hash of a line that is as it was written behind `previous`.
fn check(text: &[u8], number: u64, previous: &str) -> Result<String, String> {
    let line: Line = serde_json::from_slice(text).map_err(|_| "no line of an audit trail".to_owned())?;
    if line.number != number {
        return Err(format!("the line has the number {}, expected {number}", line.number));
    }
    if line.previous != previous {
        return Err("it does not follow the line before".into());
    }
    let sealed = text.strip_suffix(format!("{SEAL}{}\"}}", line.hash).as_bytes());
    match sealed.map(|sealed| Revision::of(sealed).to_string()) {
        Some(hash) if hash == line.hash => Ok(hash),
        _ => Err("the line was changed: its hash is another".into()),
    }
}

/// What stands between what is hashed and the hash.
const SEAL: &str = ",\"hash\":\"";
/// In place of the hash of a line before the first.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
