//! The texts about what must have been checked, in English.

use crate::words::minimum::MinimumWords;

pub(in crate::words) static MINIMUM: MinimumWords = MinimumWords {
    title: "Minimum validation",
    about: "What the authority of its certificates must have checked at least. One of less is warned of, and serves only where nothing \
            else could.",
    nothing: "nothing asked for",
    dv: "DV: control of the names",
    ov: "OV: the organisation too",
    ev: "EV: the organisation, thoroughly",
    iv: "IV: a person",
    unknown: "not said",
    change: "Ask for",
    preview: "See what would serve",
    page: |site, level| format!("{site}: ask for {level}"),
    level: "Checked",
    too_low: "less than asked for",
    below: "Certificates of which less was checked",
    none_below: "There is none for these hosts of which less was checked.",
    confirm: "Ask for it",
};
