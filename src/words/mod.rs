//! Everything a human reads in a page or a mail, in one place for each language.
//!
//! For each area there is a struct of texts here, and a static of it in the folder of each language: a text that one language
//! lacks does not compile.

mod bringing;
mod de;
mod en;
pub mod instead;
pub(crate) mod links;
pub(crate) mod mail;
pub(crate) mod minimum;
pub(crate) mod office;
pub(crate) mod panel;
pub(crate) mod people;
pub mod refusal;
pub(crate) mod report;
pub(crate) mod said;
pub mod wait;

use links::LinkWords;
use mail::MailWords;
use minimum::MinimumWords;
use office::OfficeWords;
use panel::PanelWords;
use people::PeopleWords;
use report::ReportWords;
use said::SaidWords;

/// A language that all texts there are have been written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Every language there is.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// Its tag (RFC 5646), as pages and settings have it.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// What those who speak it call it.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
        }
    }

    /// The language of a tag; what stands behind its first hyphen is passed over, so that `de-AT` is German.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The one that a reader likes best of those there are, by an `Accept-Language` (RFC 9110 §12.5.4). English, when it names
    /// none of them.
    #[must_use]
    pub fn accepted(field: &str) -> Self {
        let mut best = (0, Self::default());
        for range in field.split(',') {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let Some(language) = Self::of_tag(tag) else { continue };
            let weight = thousandths(weight);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The texts of mails.
    pub(crate) const fn mail(self) -> &'static MailWords {
        match self {
            Self::En => &en::MAIL,
            Self::De => &de::MAIL,
        }
    }

    /// The texts about people.
    pub(crate) const fn people(self) -> &'static PeopleWords {
        match self {
            Self::En => &en::PEOPLE,
            Self::De => &de::PEOPLE,
        }
    }

    /// The texts of one-time links.
    pub(crate) const fn links(self) -> &'static LinkWords {
        match self {
            Self::En => &en::LINKS,
            Self::De => &de::LINKS,
        }
    }

    /// The texts about what must have been checked of certificates.
    pub(crate) const fn minimum(self) -> &'static MinimumWords {
        match self {
            Self::En => &en::MINIMUM,
            Self::De => &de::MINIMUM,
        }
    }

    /// The texts about users and organisations.
    pub(crate) const fn office(self) -> &'static OfficeWords {
        match self {
            Self::En => &en::OFFICE,
            Self::De => &de::OFFICE,
        }
    }

    /// The texts of reports.
    pub(crate) const fn report(self) -> &'static ReportWords {
        match self {
            Self::En => &en::REPORT,
            Self::De => &de::REPORT,
        }
    }

    /// What the interface says by codes; `None`: in this language it speaks itself.
    pub(crate) const fn said(self) -> Option<&'static SaidWords> {
        match self {
            Self::En => None,
            Self::De => Some(&de::SAID),
        }
    }

    /// The texts of the panel.
    pub(crate) const fn panel(self) -> &'static PanelWords {
        match self {
            Self::En => &en::PANEL,
            Self::De => &de::PANEL,
        }
    }
}

/// A weight in thousandths; what is none counts as nothing.
fn thousandths(weight: &str) -> u16 {
    let value = weight.trim().strip_prefix("q=").and_then(|value| value.parse::<f32>().ok());
    // Within the range that a weight has, nothing is lost.
    value.filter(|value| (0.0..=1.0).contains(value)).map_or(0, |value| (value * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_gets_the_language_liked_best_of_those_there_are() {
        for (field, expected) in [
            ("", Language::En),
            ("fr", Language::En),
            ("de", Language::De),
            ("de-AT,en;q=0.8", Language::De),
            ("en-GB, de;q=0.9", Language::En),
            ("fr, de;q=0.4, en;q=0.5", Language::En),
            ("de;q=0", Language::En),
            ("DE ; q=0.3", Language::De),
            ("de;q=7, en;q=0.1", Language::En),
            ("*", Language::En),
        ] {
            assert_eq!(Language::accepted(field), expected, "{field:?}");
        }
    }

    #[test]
    fn a_tag_leads_back_to_its_language() {
        for language in Language::ALL {
            assert_eq!(Language::of_tag(language.tag()), Some(language));
        }
        assert_eq!(Language::of_tag("fr"), None);
    }
}
