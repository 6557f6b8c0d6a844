//! The texts of one-time links: for operators, and for whoever has one.

/// All of them.
pub(crate) struct LinkWords {
    pub(crate) links: LinksWords,
    pub(crate) hand_in: HandInWords,
}

/// *Links*
pub(crate) struct LinksWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) none: &'static str,
    pub(crate) made: &'static str,
    pub(crate) note: &'static str,
    pub(crate) state: &'static str,
    pub(crate) sites: &'static str,
    pub(crate) sites_hint: &'static str,
    pub(crate) request: &'static str,
    pub(crate) request_hint: &'static str,
    pub(crate) until: &'static str,
    pub(crate) found: &'static str,
    pub(crate) by: &'static str,
    pub(crate) actions: &'static str,
    pub(crate) opened: &'static str,
    pub(crate) wrong: fn(u32) -> String,
    pub(crate) goes_live_short: &'static str,
    pub(crate) accept: &'static str,
    pub(crate) decline: &'static str,
    pub(crate) revoke: &'static str,
    pub(crate) new: &'static str,
    pub(crate) hours: &'static str,
    pub(crate) goes_live: &'static str,
    pub(crate) make: &'static str,
    pub(crate) open: &'static str,
    pub(crate) expired: &'static str,
    pub(crate) waiting: &'static str,
    pub(crate) taken: &'static str,
    pub(crate) declined: &'static str,
    pub(crate) revoked: &'static str,
    pub(crate) spoiled: &'static str,
}

/// *Hand in*
pub(crate) struct HandInWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) pfx: &'static str,
    pub(crate) answer: &'static str,
    pub(crate) until: fn(&str) -> String,
    pub(crate) file: &'static str,
    pub(crate) look: &'static str,
    pub(crate) nothing_yet: &'static str,
    pub(crate) not_taken: &'static str,
    pub(crate) found: &'static str,
    pub(crate) will_serve: &'static str,
    pub(crate) will_wait: &'static str,
    pub(crate) send: &'static str,
    pub(crate) again: &'static str,
    pub(crate) done: &'static str,
    pub(crate) live: &'static str,
    pub(crate) waiting: &'static str,
    pub(crate) unknown: &'static str,
    pub(crate) expired: &'static str,
    pub(crate) used: &'static str,
    pub(crate) revoked: &'static str,
    pub(crate) later: &'static str,
}
