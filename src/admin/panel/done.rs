//! What has just been done, told on the page one comes to.

use super::page::query;
use crate::admin::problem::{Answer, see};
use crate::words::panel::DoneWords;

macro_rules! deeds {
    ($($(#[$doc:meta])* $name:ident = $code:literal $field:ident,)+) => {
        /// Something that was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::admin) enum Done { $($(#[$doc])* $name,)+ }

        impl Done {
            const ALL: &'static [Self] = &[$(Self::$name,)+];

            const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            fn told(self, words: &DoneWords) -> &'static str {
                match self { $(Self::$name => words.$field,)+ }
            }
        }
    };
}

deeds! {
    /// A site's certificates come from elsewhere now.
    Switched = "switched" switched,
    /// A site asks for something else of its certificates now.
    Demanded = "demanded" demanded,
    /// A certificate is ordered.
    Ordered = "ordered" ordered,
    /// A file is shown.
    Shown = "shown" shown,
    /// A file is shown no more.
    Hidden = "hidden" hidden,
    /// A certificate came.
    Added = "added" added,
    /// An earlier version serves again.
    WentBack = "went-back" went_back,
    /// A certificate went.
    Deleted = "deleted" deleted,
    /// A request was made.
    Requested = "requested" requested,
    /// A request was changed.
    Amended = "amended" amended,
    /// A request has its certificate.
    Completed = "completed" completed,
    /// A request went, with its key.
    Discarded = "discarded" discarded,
    /// Somebody is told from now on.
    ContactMade = "contact-made" contact_made,
    /// Who is told, or what, was changed.
    ContactChanged = "contact-changed" contact_changed,
    /// Somebody was told something of no meaning.
    ContactTold = "contact-told" contact_told,
    /// Somebody is told nothing any more.
    ContactRemoved = "contact-removed" contact_removed,
    /// A report was made.
    ReportMade = "report-made" report_made,
    /// Reports list a URL again.
    Watched = "watched" watched,
    /// Reports leave a URL out.
    Unwatched = "unwatched" unwatched,
    /// A URL that others serve is watched.
    UrlAdded = "url-added" url_added,
    /// It was looked at.
    UrlSeen = "url-seen" url_seen,
    /// It is watched no more.
    UrlRemoved = "url-removed" url_removed,
    /// A URL that others serve belongs to another organisation, or to the edge.
    UrlGiven = "url-given" url_given,
}

impl Done {
    /// Sends the visitor on to where it shows.
    pub(in crate::admin) fn at(self, place: &str) -> Answer {
        see(&format!("{place}?{}", query(&[("done", self.code())])))
    }

    /// What to say of the code in a query, if it is one.
    pub(super) fn of(code: &str, words: &DoneWords) -> Option<&'static str> {
        Self::ALL.iter().find(|done| done.code() == code).map(|done| done.told(words))
    }
}
