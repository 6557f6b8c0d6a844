//! What the configuration says of notices.

use ipnet::IpNet;
use rustls_pki_types::CertificateDer;

use super::contact::Contact;
use super::mail::MailTerms;
use crate::words::Language;

/// How notices are told. Replaced whole when the configuration changes.
#[derive(Clone, Debug, Default)]
pub struct NoticeTerms {
    /// How mails are sent; `None`: they wait until that is configured.
    pub mail: Option<MailTerms>,
    /// Networks of one's own that are posted to all the same.
    pub webhook_networks: Vec<IpNet>,
    /// Whom servers of others are believed by.
    pub roots: Vec<CertificateDer<'static>>,
    /// `[[notices.contact]]`
    pub contacts: Vec<Contact>,
    /// The language of contacts that were not asked.
    pub language: Language,
    /// Where the panel is reached, without a slash at its end; without it nothing links there.
    pub public_url: Option<String>,
    /// What this machine is called in texts.
    pub edge: String,
}
