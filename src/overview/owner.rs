//! Whose an alert is that is about no site.

use super::alert::{Alert, Mend};
use super::{Foreign, Overview};

impl Overview {
    /// The organisation whose URL an alert is about, by its id; `None`: it is about something else, or about a URL that is nobody's.
    #[must_use]
    pub fn owner_of(&self, alert: &Alert) -> Option<&str> {
        let name = alert.subject.strip_prefix("https://").filter(|_| alert.mend == Mend::Urls)?;
        let url = self.elsewhere.binary_search_by(|url| url.name.as_str().cmp(name)).ok();
        url.and_then(|place| self.elsewhere.get(place)).and_then(|url: &Foreign| url.organisation.as_deref())
    }
}
