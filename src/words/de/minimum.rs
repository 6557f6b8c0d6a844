//! The texts about what must have been checked, in German.

use crate::words::minimum::MinimumWords;

pub(in crate::words) static MINIMUM: MinimumWords = MinimumWords {
    title: "Mindestprüfung",
    about: "Was die Zertifizierungsstelle ihrer Zertifikate mindestens geprüft haben muss. Vor einem mit weniger wird gewarnt; es gilt \
            nur, wo sonst nichts gälte.",
    nothing: "nichts verlangt",
    dv: "DV: Hoheit über die Namen",
    ov: "OV: auch die Organisation",
    ev: "EV: die Organisation, gründlich",
    iv: "IV: eine Person",
    unknown: "nicht gesagt",
    change: "Verlangen",
    preview: "Ansehen, was dann gälte",
    page: |site, level| format!("{site}: verlangen: {level}"),
    level: "Geprüft",
    too_low: "weniger als verlangt",
    below: "Zertifikate, bei denen weniger geprüft wurde",
    none_below: "Für diese Hosts gibt es keines, bei dem weniger geprüft wurde.",
    confirm: "Das verlangen",
};
