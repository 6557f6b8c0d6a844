//! The tables that fields are named from by a number (RFC 7541 §2.3).

use std::collections::VecDeque;
use std::sync::LazyLock;

use super::field::{Field, Name};

/// What a peer has had remembered, the newest first, behind what is always there.
pub(super) struct Table {
    entries: VecDeque<Entry>,
    /// Octets, as RFC 7541 §4.1 counts them.
    size: usize,
    /// The most it may come to: the peer may have set it below [`MOST`].
    limit: usize,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) field: Field,
    /// Octets of the name, which a field that is malformed does not keep.
    pub(super) name_length: usize,
    pub(super) value_length: usize,
}

impl Entry {
    /// RFC 7541 §4.1.
    pub(super) const fn size(&self) -> usize {
        self.name_length + self.value_length + OVERHEAD
    }
}

impl Table {
    pub(super) const fn new() -> Self {
        Self { entries: VecDeque::new(), size: 0, limit: MOST }
    }

    /// The entry of a number, counted from 1 (RFC 7541 §2.3.3).
    pub(super) fn entry(&self, number: usize) -> Option<&Entry> {
        let place = number.checked_sub(1)?;
        match STATIC.get(place) {
            Some(entry) => Some(entry),
            None => self.entries.get(place - STATIC.len()),
        }
    }

    /// Remembers a field, and forgets the oldest that have no room beside it. One that has none by itself empties the table.
    pub(super) fn insert(&mut self, entry: Entry) {
        let size = entry.size();
        self.shrink_to(self.limit.saturating_sub(size));
        if size <= self.limit {
            self.size += size;
            self.entries.push_front(entry);
        }
    }

    /// Sets how much it may hold. False: that is more than was allowed.
    pub(super) fn set_limit(&mut self, limit: usize) -> bool {
        if limit <= MOST {
            self.limit = limit;
            self.shrink_to(limit);
        }
        limit <= MOST
    }

    fn shrink_to(&mut self, most: usize) {
        while self.size > most {
            let Some(entry) = self.entries.pop_back() else { return };
            self.size -= entry.size();
        }
    }
}

static STATIC: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let entry = |(name, value): &(&str, &str)| Entry {
        field: Name::read(name.as_bytes()).with(value.as_bytes()),
        name_length: name.len(),
        value_length: value.len(),
    };
    STATIC_FIELDS.iter().map(entry).collect()
});

/// What SETTINGS_HEADER_TABLE_SIZE is, unless it is said otherwise (RFC 9113 §6.5.2), which the edge does not, and what an encoder may count on.
pub(super) const MOST: usize = 4096;
/// RFC 7541 §4.1.
pub(super) const OVERHEAD: usize = 32;

/// RFC 7541 appendix A.
pub(super) const STATIC_FIELDS: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];
