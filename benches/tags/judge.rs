//! Tags, what carries them, and what became of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What one request and its answer have that no others have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(pub(crate) u64);

impl Tag {
    /// As it stands in a path and in a field.
    pub(crate) fn text(self) -> String {
        format!("{:016x}", self.0)
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }

    /// `length` octets that are no other tag's.
    pub(crate) fn content(self, length: usize) -> Vec<u8> {
        self.text().into_bytes().into_iter().chain([b'.']).cycle().take(length).collect()
    }

    /// Whether these are octets of its content, `at` that many from its begin.
    pub(crate) fn is_in(self, octets: &[u8], at: usize) -> bool {
        let pattern = self.content(17);
        octets.iter().enumerate().all(|(place, octet)| *octet == pattern[(at + place) % 17])
    }
}

/// Hands out tags, and counts what became of them.
pub(crate) struct Judge {
    requests: u64,
    next: AtomicU64,
    pub(crate) given_up: AtomicU64,
    pub(crate) broken_off: AtomicU64,
    whole: AtomicU64,
    own: AtomicU64,
    crossed: Mutex<Vec<String>>,
    parts: Mutex<Vec<String>>,
}

/// The head of an answer as far as it matters.
pub(crate) struct Answered<'a> {
    pub(crate) status: u16,
    pub(crate) tag: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) length: Option<&'a str>,
}

impl Judge {
    pub(crate) fn new(requests: u64) -> Self {
        Self {
            requests,
            next: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            broken_off: AtomicU64::new(0),
            whole: AtomicU64::new(0),
            own: AtomicU64::new(0),
            crossed: Mutex::default(),
            parts: Mutex::default(),
        }
    }

    /// The next tag, until there are enough.
    pub(crate) fn tag(&self) -> Option<Tag> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.requests).then(|| Tag((number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// A head has come. Whether it is an upstream's, whose body is to follow.
    pub(crate) fn head(&self, tag: Tag, head: &Answered<'_>) -> bool {
        let text = tag.text();
        match (head.tag, head.path) {
            // What the edge says by itself has no tag, and is never taken for what a shop says.
            (None, None) if head.status >= 400 => {
                self.own.fetch_add(1, Ordering::Relaxed);
                false
            }
            (Some(said), Some(path)) if said == text && path == text => true,
            (said, path) => {
                self.crossed(format!("{text} was answered {} for {said:?} at {path:?}", head.status));
                false
            }
        }
    }

    /// Octets of a body have come, `at` that many from its begin.
    pub(crate) fn octets(&self, tag: Tag, octets: &[u8], at: usize) {
        if !tag.is_in(octets, at) {
            self.crossed(format!("{} got {:?} at {at}", tag.text(), String::from_utf8_lossy(octets)));
        }
    }

    /// A body has ended as if it were whole, after `length` octets.
    pub(crate) fn ended(&self, tag: Tag, head: &Answered<'_>, length: usize) {
        if head.length == Some(length.to_string().as_str()) {
            self.whole.fetch_add(1, Ordering::Relaxed);
        } else {
            let part = format!("{}: {length} of {:?} octets", tag.text(), head.length);
            self.parts.lock().expect("no panic").push(part);
        }
    }

    /// A head without body has come, as was asked for.
    pub(crate) fn head_alone(&self) {
        self.whole.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn crossed(&self, what: String) {
        self.crossed.lock().expect("no panic").push(what);
    }

    /// Tells all, and whether every figure was met.
    pub(crate) fn print(&self) -> bool {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        println!(
            "{} whole, {} answered by the edge, {} broken off, {} given up by their clients",
            load(&self.whole),
            load(&self.own),
            load(&self.broken_off),
            load(&self.given_up)
        );
        let mut good = load(&self.whole) > 0;
        for (what, list) in [("crossed", &self.crossed), ("parts that passed for the whole", &self.parts)] {
            let list = list.lock().expect("no panic");
            println!("{what}: {}", list.len());
            list.iter().take(5).for_each(|entry| println!("  {entry}"));
            good &= list.is_empty();
        }
        good
    }
}
