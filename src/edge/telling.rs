//! From what the operator said of notices to how they are told.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::admin::{Links, Sources};
use crate::certs::Roots;
use crate::config::{Config, ContactConfig, ContactWay, MailConfig};
use crate::notices::{
    Contact, EventKind, Format, MailTerms, NoticeTerms, Notices, Scope, Secret, Watcher, Way, Webhook,
};
use crate::outbound::{MailServer, PostAddress};
use crate::overview::{Stuck, Waiting, Wrong};
use crate::store::{Store, StoreError};

/// How notices are told.
///
/// # Errors
/// A line for each file that cannot be used, and for each word that means nothing.
pub fn notices(config: &Config) -> Result<NoticeTerms, Vec<String>> {
    let mut roots: Vec<_> = Roots::web_certificates().collect();
    for file in &config.certificates.trusted_roots {
        // Whoever judges certificates has told of a file that holds none.
        roots.extend(Roots::certificates_in(&file.content).unwrap_or_default());
    }
    let (mut contacts, mut wrong) = (Vec::new(), Vec::new());
    for contact in &config.notices.contacts {
        match read(contact, config) {
            Ok(contact) => contacts.push(contact),
            Err(lines) => wrong.extend(lines),
        }
    }
    let mail = match config.mail.as_ref().map(|mail| through(mail, &roots)).transpose() {
        Ok(mail) => mail,
        Err(line) => {
            wrong.push(line);
            None
        }
    };
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(NoticeTerms {
        mail,
        webhook_networks: config.notices.webhook_networks.clone(),
        roots,
        contacts,
        language: config.notices.language,
        public_url: config.admin.public_url.clone(),
        edge: this_machine(),
    })
}

/// Why mails wait and do not arrive, once that has lasted.
pub(super) fn stuck(notices: Notices) -> Stuck {
    Arc::new(move |now| {
        let stuck = notices.stuck().filter(|stuck| stuck.since <= now - STUCK_FOR)?;
        Some(Wrong { text: stuck.text, since: stuck.since })
    })
}

/// What was handed in by links and waits for somebody's word.
pub(super) fn handed_in(links: Links) -> Waiting {
    Arc::new(move || links.waiting())
}

/// Who watches what there is to tell.
///
/// # Errors
/// When what was told before cannot be read.
pub(super) fn watcher(store: Store, notices: Notices, sources: &Sources) -> Result<Watcher, StoreError> {
    let (lookout, people) = (sources.lookout.clone(), sources.people.clone());
    Watcher::open(store, notices, Box::new(move || lookout.look()), Box::new(move || people.owners()))
}

fn through(mail: &MailConfig, roots: &[rustls_pki_types::CertificateDer<'static>]) -> Result<MailTerms, String> {
    let server = MailServer::new((mail.host.clone(), mail.port), mail.security, roots.iter().cloned());
    let server = server.map_err(|error| format!("mail.server: {error}"))?;
    Ok(MailTerms { server, user: mail.user.clone(), from: mail.from.clone() })
}

fn read(contact: &ContactConfig, config: &Config) -> Result<Contact, Vec<String>> {
    let mut wrong = Vec::new();
    let events = contact.events.as_ref().map(|words| {
        let known = |word: &String| {
            let kind = EventKind::of_word(word);
            if kind.is_none() {
                let all: Vec<_> = EventKind::ALL.iter().map(|kind| kind.word()).collect();
                wrong.push(format!(
                    "notices.contact.events: {:?}: expected one of {}, found {word:?}",
                    contact.name,
                    all.join(", ")
                ));
            }
            kind
        };
        words.iter().filter_map(known).collect::<Vec<_>>()
    });
    let way = match &contact.way {
        ContactWay::Mail(address) => Some(Way::Mail(address.clone())),
        ContactWay::Webhook { file, is_slack, secret_file } => {
            let address = first_line("notices.contact.webhook_file", file).and_then(|line| {
                PostAddress::parse(&line)
                    .map_err(|why| format!("notices.contact.webhook_file: {}: {why}", file.display()))
            });
            let secret = secret_file.as_ref().map(|file| {
                first_line("notices.contact.secret_file", file).and_then(|line| {
                    Secret::new(&line).map_err(|why| format!("notices.contact.secret_file: {}: {why}", file.display()))
                })
            });
            let format = if *is_slack { Format::Slack } else { Format::Json };
            match (address, secret.transpose()) {
                (Ok(address), Ok(secret)) => Some(Way::Webhook(Webhook { address, format, secret })),
                (address, secret) => {
                    wrong.extend([address.err(), secret.err()].into_iter().flatten());
                    None
                }
            }
        }
    };
    let scope = match (&contact.site, &contact.organisation) {
        (Some(site), _) => Scope::Site(site.clone()),
        (None, Some(organisation)) => Scope::Organisation(organisation.clone()),
        (None, None) => Scope::Everything,
    };
    match way {
        Some(way) if wrong.is_empty() => Ok(Contact {
            id: format!("config:{}", contact.name),
            name: contact.name.clone(),
            scope,
            way,
            language: contact.language.unwrap_or(config.notices.language),
            events,
        }),
        _ => Err(wrong),
    }
}

fn first_line(key: &str, file: &Path) -> Result<Zeroizing<String>, String> {
    let content = std::fs::read_to_string(file).map(Zeroizing::new);
    let content = content.map_err(|error| format!("{key}: {} cannot be read: {error}", file.display()))?;
    Ok(Zeroizing::new(content.lines().next().unwrap_or_default().trim().to_owned()))
}

/// What the system calls it.
fn this_machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A mail server that is started anew is nothing to tell of, in seconds.
const STUCK_FOR: i64 = 300;
