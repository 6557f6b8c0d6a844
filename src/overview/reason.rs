//! Why a site is in the state it is in.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $text:literal,)+) => {
        /// Why a site is in its state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonCode { $($(#[$doc])* $name,)+ }

        impl ReasonCode {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name, stable, for programs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// In words.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// Nothing serves any of its hosts, and nothing is under way.
    NoCertificate = "no-certificate" "no certificate serves its hosts",
    /// Some of its hosts have none.
    Uncovered = "uncovered" "no certificate serves some of its hosts",
    /// A request waits for what the authority sends.
    Requested = "requested" "a request waits for its certificate",
    /// Its turn to be ordered comes.
    WaitsForOrder = "waits-for-order" "a certificate will be ordered",
    /// An authority is at work.
    Ordering = "ordering" "a certificate is being ordered",
    /// The last order came to nothing and is tried again.
    OrderFailed = "order-failed" "the last order came to nothing and is tried again",
    /// The edge's own authority issues one.
    Making = "making" "the edge's own authority is to issue a certificate",
    /// A renewal that waits for what the authority sends.
    RenewalRequested = "renewal-requested" "a request for the next certificate waits",
    /// The next one is being ordered.
    RenewalOrdering = "renewal-ordering" "the next certificate is being ordered",
    /// What is served is not what is published.
    ServedOtherwise = "served-otherwise" "clients are shown another certificate than the published one",
    /// What serves ended.
    Expired = "expired" "the certificate that serves has expired",
    /// What serves has not begun.
    NotYetValid = "not-yet-valid" "the certificate that serves is not valid yet",
    /// What serves was taken back.
    Revoked = "revoked" "the certificate that serves is revoked",
    /// The renewal should have been there.
    RenewalLate = "renewal-late" "the renewal is late",
    /// The last renewal came to nothing, and there is time.
    RenewalFailed = "renewal-failed" "the last renewal came to nothing and is tried again",
    /// All is well.
    Serves = "serves" "a valid certificate serves all its hosts",
}

/// Why a site is in its state, with what is particular to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Why.
    pub code: ReasonCode,
    /// Which hosts, which request, or what an authority wrote; may be empty.
    pub detail: String,
}

impl Reason {
    pub(super) fn new(code: ReasonCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// In words, with what is particular.
    #[must_use]
    pub fn text(&self) -> String {
        match self.detail.as_str() {
            "" => self.code.text().to_owned(),
            detail => format!("{}: {detail}", self.code.text()),
        }
    }
}
