//! Who gets a report: whoever wants to know of everything, and of each organisation those who are told of its sites, its part.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::ReportTerms;
use super::report::{Report, Told};
use crate::mail_address::MailAddress;
use crate::notices::{Notices, Owners, Recipient, Scope, Way};
use crate::words::Language;

/// Somebody who gets a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Where it goes.
    pub recipient: Recipient,
    /// As people call him.
    pub to: String,
    /// In which language.
    pub language: Language,
    /// The organisations whose part he gets; `None`: all of it.
    pub organisations: Option<BTreeSet<String>>,
}

impl Reader {
    /// What of a report is for him; `None`: none of it.
    pub(super) fn part(&self, report: &Report) -> Option<Report> {
        match &self.organisations {
            None => Some(report.clone()),
            Some(organisations) => report.part_of(organisations),
        }
    }

    /// That he was told.
    pub(super) fn told(&self) -> Told {
        let (recipient, to) = (self.recipient.text(), self.to.clone());
        Told { recipient, to, organisations: self.organisations.clone() }
    }
}

/// Everybody who gets reports. Whoever is there in two roles gets one mail, with what is for either.
pub(super) fn audience(terms: &ReportTerms, notices: &Notices, owners: &Owners) -> Vec<Reader> {
    let language = notices.language();
    let mut readers: Vec<Reader> = Vec::new();
    let mut known: BTreeMap<MailAddress, usize> = BTreeMap::new();
    for address in &terms.recipients {
        known.entry(address.clone()).or_insert_with(|| {
            let (recipient, to) = (Recipient::Mail(address.clone()), address.to_string());
            readers.push(Reader { recipient, to, language, organisations: None });
            readers.len() - 1
        });
    }
    let mut contacts = notices.contacts_with(owners);
    // Whoever is told of everything comes first: nothing is added to that.
    contacts.sort_by_key(|contact| contact.scope != Scope::Everything);
    for contact in contacts {
        let Way::Mail(address) = &contact.way else { continue };
        let organisations = match &contact.scope {
            Scope::Everything if terms.recipients.is_empty() => None,
            Scope::Organisation(id) if terms.tells_organisations => Some(BTreeSet::from([id.clone()])),
            _ => continue,
        };
        match known.get(address).and_then(|place| readers.get_mut(*place)) {
            Some(reader) => {
                if let (Some(all), Some(more)) = (&mut reader.organisations, organisations) {
                    all.extend(more);
                }
            }
            None => {
                known.insert(address.clone(), readers.len());
                let (recipient, to) = (contact.recipient(), contact.name.clone());
                readers.push(Reader { recipient, to, language: contact.language, organisations });
            }
        }
    }
    readers
}
