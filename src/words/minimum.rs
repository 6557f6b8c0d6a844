//! The texts about what the authority of a site's certificates must have checked.

/// All of them.
pub(crate) struct MinimumWords {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) nothing: &'static str,
    pub(crate) dv: &'static str,
    pub(crate) ov: &'static str,
    pub(crate) ev: &'static str,
    pub(crate) iv: &'static str,
    pub(crate) unknown: &'static str,
    pub(crate) change: &'static str,
    pub(crate) preview: &'static str,
    pub(crate) page: fn(&str, &str) -> String,
    pub(crate) level: &'static str,
    pub(crate) too_low: &'static str,
    pub(crate) below: &'static str,
    pub(crate) none_below: &'static str,
    pub(crate) confirm: &'static str,
}
