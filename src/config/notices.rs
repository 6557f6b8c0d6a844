//! `[mail]`, `[notices]` and `[[notices.contact]]`: through whom something is told, and to whom.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;

use super::place;
use super::reader::{Placed, Section};
use super::value::{self, expected};
use crate::mail_address::{MailAddress, Mailbox};
use crate::name::HostName;
use crate::outbound::MailDoor;
use crate::words::Language;

/// `[mail]`: the operator's mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailConfig {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from being overheard.
    pub security: MailDoor,
    /// As whom to sign in, and the file of the password, which is not read here.
    pub user: Option<(String, PathBuf)>,
    /// Whose name mails bear.
    pub from: Mailbox,
}

/// `[notices]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticesConfig {
    /// The language of who was not asked.
    pub language: Language,
    /// Networks of one's own that may be posted to.
    pub webhook_networks: Vec<IpNet>,
    /// `[[notices.contact]]`
    pub contacts: Vec<ContactConfig>,
}

/// `[[notices.contact]]`: somebody who wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactConfig {
    /// The operator's word for it.
    pub name: String,
    /// The site it is told of; with neither this nor the next, of everything.
    pub site: Option<String>,
    /// The organisation whose sites it is told of.
    pub organisation: Option<String>,
    /// How it is told.
    pub way: ContactWay,
    /// In which language.
    pub language: Option<Language>,
    /// Of which kinds of events, as words; `None`: of all.
    pub events: Option<Vec<String>>,
}

/// How somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactWay {
    /// By mail.
    Mail(MailAddress),
    /// By a post to the address that is the first line of a file, as it is often a secret.
    Webhook {
        /// The file of the address.
        file: PathBuf,
        /// Whether it gets a text as chats take it.
        is_slack: bool,
        /// The file of what posts are signed with.
        secret_file: Option<PathBuf>,
    },
}

/// `[mail]`; `None` when it is not there.
pub(super) fn mail(section: &Section<'_>) -> Option<MailConfig> {
    let security = section
        .word("security", &[("tls", MailDoor::Tls), ("starttls", MailDoor::StartTls), ("none", MailDoor::Plain)]);
    let security = security.map_or(MailDoor::Tls, |security| security.value);
    let server = section.value("server", server);
    let user = section.value("user", value::text);
    let password_file = section.value("password_file", value::path);
    let from = section.value("from", mailbox);
    if !section.is_there() {
        return None;
    }
    for (key, what) in
        [("server", "the mail server, such as \"mail.shop.example\""), ("from", "the address that mails come from")]
    {
        if !section.is_given(key) {
            section.pad.missing(section.line, &section.dotted(key), format!("is needed: {what}"));
        }
    }
    for (key, other) in [("user", "password_file"), ("password_file", "user")] {
        if section.is_given(key) && !section.is_given(other) {
            section.pad.missing(section.line, &section.dotted(other), format!("is needed beside {key}"));
        }
    }
    if let Some(file) = &password_file {
        owner_only(section, "mail.password_file", file);
    }
    let server = server?;
    let (host, port) = server.value;
    if security == MailDoor::Plain
        && host != "localhost"
        && host.parse::<std::net::IpAddr>().is_ok_and(|ip| !ip.is_loopback())
    {
        let text = "expected \"tls\" or \"starttls\" for another machine than this one";
        section.pad.mistake(server.line, "mail.security", text);
    }
    let usual = match security {
        MailDoor::Tls => 465,
        MailDoor::StartTls => 587,
        MailDoor::Plain => 25,
    };
    let user = user.zip(password_file).map(|(user, file)| (user.value, file.value));
    Some(MailConfig { host, port: port.unwrap_or(usual), security, user, from: from?.value })
}

/// `[notices]`
pub(super) fn notices(section: &Section<'_>) -> NoticesConfig {
    let language = section.value("language", language).map_or(Language::default(), |language| language.value);
    let networks = section.list("webhook_networks", place::network).map(|list| list.value).unwrap_or_default();
    let mut contacts: Vec<Placed<ContactConfig>> = Vec::new();
    for table in section.tables("contact") {
        let Some(contact) = contact(section, table) else { continue };
        if let Some(earlier) = contacts.iter().find(|earlier| earlier.value.name == contact.value.name) {
            let text = format!("{:?} is the name of the contact on line {} already", contact.value.name, earlier.line);
            section.pad.mistake(contact.line, "notices.contact.name", text);
            continue;
        }
        contacts.push(contact);
    }
    NoticesConfig {
        language,
        webhook_networks: networks.into_iter().map(|network| network.value).collect(),
        contacts: contacts.into_iter().map(|contact| contact.value).collect(),
    }
}

fn contact<'a>(section: &Section<'a>, table: &'a Spanned<DeValue<'a>>) -> Option<Placed<ContactConfig>> {
    let section = Section::one_of(section.pad, "notices.contact", table);
    let name = section.value("name", contact_name);
    let site = section.value("site", place::site_name);
    let organisation = section.value("organisation", value::text);
    let mail = section.value("mail", address);
    let file = section.value("webhook_file", value::path);
    let is_slack = section.word("format", &[("json", false), ("slack", true)]);
    let secret_file = section.value("secret_file", value::path);
    let language = section.value("language", language);
    let events = section.filled_list("events", event);
    if table.get_ref().is_table() {
        if !section.is_given("name") {
            section.pad.missing(
                section.line,
                "notices.contact.name",
                "is needed: a word for it, such as \"night shift\"",
            );
        }
        if section.is_given("mail") == section.is_given("webhook_file") {
            let text = "expected either mail or webhook_file: somebody is told in one way; for two, write two contacts";
            section.pad.missing(section.line, "notices.contact.mail", text);
        }
        if section.is_given("site") && section.is_given("organisation") {
            let text = "expected a site or an organisation, found both; write two contacts";
            section.pad.mistake(section.line, "notices.contact.organisation", text);
        }
        for key in ["format", "secret_file"] {
            if section.is_given(key) && !section.is_given("webhook_file") {
                section.pad.warning(section.line, &section.dotted(key), "has no effect without webhook_file");
            }
        }
    }
    for (key, file) in [("notices.contact.webhook_file", &file), ("notices.contact.secret_file", &secret_file)] {
        if let Some(file) = file {
            owner_only(&section, key, file);
        }
    }
    let way = match (mail, file) {
        (Some(mail), None) => ContactWay::Mail(mail.value),
        (None, Some(file)) => {
            let is_slack = is_slack.is_some_and(|slack| slack.value);
            ContactWay::Webhook { file: file.value, is_slack, secret_file: secret_file.map(|file| file.value) }
        }
        _ => return None,
    };
    let name = name?;
    let (site, organisation) = (site.map(|site| site.value), organisation.map(|organisation| organisation.value));
    let language = language.map(|language| language.value);
    let events = events.map(|events| events.value.into_iter().map(|event| event.value).collect());
    let contact = ContactConfig { name: name.value, site, organisation, way, language, events };
    Some(Placed { value: contact, line: name.line })
}

/// What others can read is no secret any more.
pub(super) fn owner_only(section: &Section<'_>, key: &str, file: &Placed<PathBuf>) {
    if fs::metadata(&file.value).is_ok_and(|facts| facts.mode() & 0o077 != 0) {
        let text = format!("{}: may be read or written by others than its owner; chmod 0600", file.value.display());
        section.pad.mistake(file.line, key, text);
    }
}

/// `"mail.shop.example"`, with a port behind it or without.
fn server(value: &DeValue<'_>) -> Result<(String, Option<u16>), String> {
    let what = "a mail server such as \"mail.shop.example\" or \"mail.shop.example:465\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or_else(|| expected(what, value)));
    let bare = host.trim_matches(['[', ']']);
    let host = match bare.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => HostName::parse(host).map_err(|_| expected(what, value))?.to_string(),
    };
    Ok((host, port.transpose()?))
}

fn mailbox(value: &DeValue<'_>) -> Result<Mailbox, String> {
    let what = "an address such as \"Vitrine <edge@shop.example>\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    Mailbox::parse(text).map_err(|_| expected(what, value))
}

fn address(value: &DeValue<'_>) -> Result<MailAddress, String> {
    let what = "an address such as \"ops@shop.example\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    MailAddress::parse(text).map_err(|_| expected(what, value))
}

fn contact_name(value: &DeValue<'_>) -> Result<String, String> {
    match value.as_str() {
        Some(text) if is_contact_name(text) => Ok(text.into()),
        _ => Err(expected("a name of at most 100 letters, on one line", value)),
    }
}

/// Whether a contact may be called so.
#[must_use]
pub fn is_contact_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= 100 && !text.contains(char::is_control)
}

fn language(value: &DeValue<'_>) -> Result<Language, String> {
    let known = value.as_str().and_then(|text| Language::ALL.into_iter().find(|known| known.tag() == text));
    known.ok_or_else(|| expected("\"en\" or \"de\"", value))
}

/// Which there are, whoever tells of them knows.
fn event(value: &DeValue<'_>) -> Result<String, String> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| expected("the word for a kind of event, such as \"expired\"", value))
}
