//! What those who tell and report have to know of organisations.

use super::{Organisation, People};
use crate::mail_address::MailAddress;
use crate::notices::{Member, Owners};

impl People {
    /// Whose sites are whose, and whom each organisation wants to be told.
    #[must_use]
    pub fn owners(&self) -> Owners {
        let mut owners = Owners::default();
        for Organisation { id, details, .. } in self.organisations() {
            owners.of_site.extend(details.sites.into_iter().map(|site| (site, id.clone())));
            for contact in details.contacts {
                // An address that no server takes is for people to read alone.
                let Ok(mail) = MailAddress::parse(&contact.mail) else { continue };
                owners.members.push(Member { organisation: id.clone(), name: contact.name, mail });
            }
        }
        owners
    }
}
