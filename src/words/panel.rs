//! The texts of the panel's pages, a struct for each page.

/// All texts of the panel.
pub(crate) struct PanelWords {
    pub(crate) frame: FrameWords,
    pub(crate) trouble: TroubleWords,
    pub(crate) rejected: RejectedWords,
    pub(crate) audit: AuditWords,
}

/// What stands around each page.
pub(crate) struct FrameWords {
    pub(crate) skip: &'static str,
    pub(crate) navigation: &'static str,
    pub(crate) language: &'static str,
    pub(crate) signed_in_as: fn(&str) -> String,
    pub(crate) alerts: &'static str,
}

/// What a page says that could not be made.
pub(crate) struct TroubleWords {
    pub(crate) title: &'static str,
    pub(crate) not_found: &'static str,
    pub(crate) not_allowed: &'static str,
    pub(crate) sign_in: &'static str,
    pub(crate) how_to_sign_in: &'static str,
    pub(crate) foreign: &'static str,
    pub(crate) refused: &'static str,
    pub(crate) ours: &'static str,
    pub(crate) back: &'static str,
}

/// *Rejected files*
pub(crate) struct RejectedWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) none: &'static str,
    pub(crate) file: &'static str,
    pub(crate) state: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) mend: &'static str,
    pub(crate) since: &'static str,
    pub(crate) waiting: &'static str,
    pub(crate) rejected: &'static str,
}

/// *Audit*
pub(crate) struct AuditWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) none: &'static str,
    pub(crate) number: &'static str,
    pub(crate) time: &'static str,
    pub(crate) who: &'static str,
    pub(crate) action: &'static str,
    pub(crate) object: &'static str,
    pub(crate) result: &'static str,
    pub(crate) detail: &'static str,
    pub(crate) older: &'static str,
    pub(crate) newest: &'static str,
}
