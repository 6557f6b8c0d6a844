//! The cookie by which a client comes back to the same server: which of them it names, and since when, signed. It tells nobody where
//! that server is.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use http::HeaderValue;

use super::{Member, Sticky};

/// What cookies are signed with; clones are the same.
#[derive(Clone)]
pub struct StickyKey(hmac::Key);

impl StickyKey {
    /// That of these secret octets.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, secret))
    }

    fn sign(&self, purpose: &str, parts: &[&[u8]]) -> [u8; TAG] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        for part in parts {
            context.update(&[0]);
            context.update(part);
        }
        std::array::from_fn({
            let tag = context.sign();
            move |place| tag.as_ref()[place]
        })
    }
}

impl fmt::Debug for StickyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StickyKey(…)")
    }
}

/// The cookies of one group.
#[derive(Debug)]
pub struct Cookies {
    sticky: Sticky,
    key: StickyKey,
    /// What stands for each server; nobody without the key knows which it is.
    marks: Box<[[u8; MARK]]>,
}

/// What a cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The server's place in its group.
    pub place: usize,
    /// More than half of its time is over: a client that still comes gets a new one.
    pub is_ageing: bool,
}

impl Cookies {
    pub(super) fn new(sticky: Sticky, key: StickyKey, members: &[Member]) -> Self {
        let mark = |member: &Member| {
            let tag = key.sign("upstream", &[member.upstream.to_string().as_bytes()]);
            std::array::from_fn(|place| tag[place])
        };
        Self { marks: members.iter().map(mark).collect(), sticky, key }
    }

    /// What they are called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.sticky.name
    }

    /// What a value says; `None`: it is not of this edge, too old, or of a server that is in this group no more.
    #[must_use]
    pub fn read(&self, value: &[u8], now: SystemTime) -> Option<Kept> {
        let octets: [u8; LENGTH] = from_hex(value)?;
        let (said, tag) = octets.split_at(MARK + TIME);
        verify_slices_are_equal(tag, &self.tag(said)).ok()?;
        let (mark, issued) = said.split_at(MARK);
        let issued = u64::from(u32::from_be_bytes(issued.try_into().ok()?));
        let age = Duration::from_secs(seconds(now).saturating_sub(issued));
        if self.sticky.max_age.is_some_and(|most| age > most) {
            return None;
        }
        let place = self.marks.iter().position(|known| known == mark)?;
        Some(Kept { place, is_ageing: self.sticky.max_age.is_some_and(|most| age > most / 2) })
    }

    /// `Set-Cookie` for the server in this place.
    #[must_use]
    pub fn write(&self, place: usize, now: SystemTime) -> Option<HeaderValue> {
        let issued = u32::try_from(seconds(now)).ok()?.to_be_bytes();
        let said = [self.marks.get(place)?.as_slice(), &issued].concat();
        let mut text = format!("{}=", self.name());
        for octet in said.iter().chain(&self.tag(&said)) {
            let _ = write!(text, "{octet:02x}"); // a text takes everything
        }
        text.push_str("; Path=/; Secure; HttpOnly; SameSite=Lax");
        if let Some(most) = self.sticky.max_age {
            let _ = write!(text, "; Max-Age={}", most.as_secs());
        }
        HeaderValue::from_str(&text).ok()
    }

    fn tag(&self, said: &[u8]) -> [u8; TAG] {
        self.key.sign("cookie", &[self.name().as_bytes(), said])
    }
}

fn seconds(now: SystemTime) -> u64 {
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |octet: u8| match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        _ => None,
    };
    let mut octets = [0; N];
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
        *octet = digit(*high)? << 4 | digit(*low)?;
    }
    Some(octets)
}

const MARK: usize = 8;
/// Seconds since 1970, until 2106.
const TIME: usize = 4;
/// Half of what HMAC-SHA256 gives (RFC 2104 §5).
const TAG: usize = 16;
const LENGTH: usize = MARK + TIME + TAG;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{Balance, GroupSpec, Upstream, UpstreamStates};

    fn cookies(secret: u8, name: &str, ports: &[u16], max_age: Option<u64>) -> Cookies {
        let upstreams: Vec<_> = ports.iter().map(|port| Upstream::tcp("10.0.0.1", *port)).collect();
        let sticky = Sticky { name: name.into(), max_age: max_age.map(Duration::from_secs) };
        let balance = Balance { sticky: Some(sticky.clone()), ..Balance::default() };
        let group = UpstreamStates::default().group(&GroupSpec { balance, ..upstreams.into() });
        Cookies::new(sticky, StickyKey::new(&[secret; 32]), &group.members)
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn value(cookies: &Cookies, place: usize, now: u64) -> String {
        let line = cookies.write(place, at(now)).expect("a cookie");
        let line = line.to_str().expect("ASCII");
        let (pair, attributes) = line.split_once("; ").expect("attributes");
        assert!(attributes.starts_with("Path=/; Secure; HttpOnly; SameSite=Lax"), "{attributes}");
        pair.split_once('=').expect("a value").1.to_owned()
    }

    #[test]
    fn a_cookie_names_its_server_whatever_place_that_has_now() {
        let before = cookies(1, "edge", &[1, 2, 3], None);
        let text = value(&before, 1, 1000);
        let kept = |place| Some(Kept { place, is_ageing: false });
        assert_eq!(before.read(text.as_bytes(), at(u64::from(u32::MAX))), kept(1));
        assert_eq!(cookies(1, "edge", &[7, 3, 2], None).read(text.as_bytes(), at(1000)), kept(2));
        assert_eq!(cookies(1, "edge", &[1, 3], None).read(text.as_bytes(), at(1000)), None);
    }

    #[test]
    fn what_is_forged_altered_or_anothers_is_worth_nothing() {
        let cookies = cookies(1, "edge", &[1, 2], None);
        let text = value(&cookies, 0, 1000);
        for place in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[place] = if altered[place] == b'0' { b'1' } else { b'0' };
            assert_eq!(cookies.read(&altered, at(1000)), None, "{place}");
        }
        for foreign in ["", "0", &text[1..], &text.to_uppercase(), &(text.clone() + "00")] {
            assert_eq!(cookies.read(foreign.as_bytes(), at(1000)), None, "{foreign}");
        }
        assert_eq!(self::cookies(2, "edge", &[1, 2], None).read(text.as_bytes(), at(1000)), None);
        assert_eq!(self::cookies(1, "other", &[1, 2], None).read(text.as_bytes(), at(1000)), None);
        assert_eq!(format!("{:?}", cookies.key), "StickyKey(…)");
    }

    #[test]
    fn a_cookie_with_an_age_is_renewed_in_its_second_half_and_then_outdated() {
        let cookies = cookies(1, "edge", &[1, 2], Some(100));
        let text = value(&cookies, 1, 1000);
        let read = |now| cookies.read(text.as_bytes(), at(now)).map(|kept| kept.is_ageing);
        // A clock that was set back harms nobody.
        let ages = [999, 1000, 1050, 1051, 1100, 1101].map(read);
        assert_eq!(ages, [Some(false), Some(false), Some(false), Some(true), Some(true), None]);
        assert!(cookies.write(1, at(1000)).is_some_and(|line| line.as_bytes().ends_with(b"; Max-Age=100")));
    }
}
