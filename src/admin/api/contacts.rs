//! Who is told what happens, and what waits to be told.

use serde::{Deserialize, Deserializer, Serialize};

use super::realm::Realm;
use super::recorded::Note;
use super::{Call, Operation, Resource, Takes, aside, timestamp, unwritten};
use crate::admin::answers::{Contact as Entry, ContactWebhook};
use crate::admin::problem::{Answer, Kind, Problem, created, json};
use crate::config::is_contact_name;
use crate::mail_address::MailAddress;
use crate::notices::{Contact, EventKind, Format, NotKept, Scope, Secret, Way, Webhook};
use crate::outbound::PostAddress;
use crate::words::Language;
use crate::words::refusal::{Expects, Refusal, Thing};

/// `contacts` and `notices`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("contacts", |call| Box::pin(aside(call, |call| Ok(json(&list(call)))))).about(Realm::Edge),
        Operation::post("contacts", |call| Box::pin(aside(call, make)))
            .about(Realm::Edge)
            .taking(Takes::Json)
            .even_frozen(),
        Operation::get("contacts/{id}", |call| Box::pin(aside(call, |call| Ok(json(&entry(&find(call)?))))))
            .about(Realm::Hidden),
        Operation::patch("contacts/{id}", |call| Box::pin(aside(call, change)))
            .about(Realm::Hidden)
            .taking(Takes::Json)
            .even_frozen(),
        Operation::delete("contacts/{id}", |call| Box::pin(aside(call, remove))).about(Realm::Hidden).even_frozen(),
        Operation::post("contacts/{id}/test", |call| Box::pin(test(call))).about(Realm::Hidden).even_frozen(),
        Operation::get("notices", |call| Box::pin(aside(call, |call| Ok(json(&waiting(call)))))).about(Realm::Edge),
        Operation::post("notices/retry", |call| Box::pin(aside(call, |call| Ok(json(&retry(call))))))
            .about(Realm::Edge)
            .even_frozen(),
    ],
    description: include_str!("contacts.json"),
};

/// A contact, without what is secret.
fn entry(contact: &Contact) -> Entry {
    let (site, organisation) = match &contact.scope {
        Scope::Everything => (None, None),
        Scope::Site(site) => (Some(site.clone()), None),
        Scope::Organisation(organisation) => (None, Some(organisation.clone())),
    };
    let (mail, webhook) = match &contact.way {
        Way::Mail(address) => (Some(address.to_string()), None),
        Way::Webhook(Webhook { address, format, secret }) => {
            let (address, signed) = (address.to_string(), secret.is_some());
            (None, Some(ContactWebhook { address, format: *format, signed }))
        }
    };
    Entry {
        id: contact.id.clone(),
        name: contact.name.clone(),
        site,
        organisation,
        mail,
        webhook,
        language: contact.language.tag().into(),
        events: contact.events.clone(),
        source: if contact.is_configured() { "configuration" } else { "made" }.into(),
    }
}

fn list(call: &Call) -> Vec<Entry> {
    call.sources.notices.contacts().iter().map(entry).collect()
}

fn find(call: &Call) -> Result<Contact, Problem> {
    let id = call.parameter("id");
    let found = call.sources.notices.contacts().into_iter().find(|contact| contact.id == id);
    found.ok_or_else(|| unknown(id))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    name: String,
    site: Option<String>,
    organisation: Option<String>,
    mail: Option<String>,
    webhook: Option<WebhookOrder>,
    language: Option<String>,
    events: Option<Vec<EventKind>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookOrder {
    url: Option<String>,
    format: Option<Format>,
    secret: Option<String>,
}

fn make(call: &Call) -> Result<Answer, Problem> {
    let order: Order = call.json()?;
    let way = match (order.mail, order.webhook) {
        (Some(mail), None) => Way::Mail(address(&mail)?),
        (None, Some(WebhookOrder { url, format, secret })) => {
            let url = url.ok_or_else(|| {
                Problem::malformed("webhook.url: is needed: the address that is posted to")
                    .because(Refusal::field("webhook.url", Expects::Usual))
            })?;
            let secret = secret.map(|secret| self::secret(&secret)).transpose()?;
            Way::Webhook(Webhook { address: post_address(&url)?, format: format.unwrap_or_default(), secret })
        }
        _ => {
            return Err(Problem::malformed("expected either mail or webhook: a contact is told in one way")
                .because(Refusal::field("way", Expects::Usual)));
        }
    };
    let scope = scope(call, order.site, order.organisation)?;
    let contact = Contact {
        id: String::new(),
        name: name(order.name)?,
        scope,
        way,
        language: order.language.as_deref().map_or(Ok(call.sources.notices.language()), language)?,
        events: order.events.map(events).transpose()?,
    };
    let made = call.sources.notices.make_contact(contact).map_err(|error| not_kept(error, ""))?;
    Ok(Note::of(format!("contacts/{}", made.id), told(&made)).on(created(&entry(&made))))
}

/// Of what a contact is told, by what was said of it.
fn scope(call: &Call, site: Option<String>, organisation: Option<String>) -> Result<Scope, Problem> {
    Ok(match (site, organisation) {
        (None, None) => Scope::Everything,
        (Some(site), None) => {
            if !call.sources.routes.snapshot().sites().iter().any(|known| *known.name == *site) {
                let text = format!("site: there is no site {site:?}; `vitrine sites list` shows those there are");
                return Err(Problem::malformed(text).because(Refusal::NoSuch(Thing::Site, site)));
            }
            Scope::Site(site)
        }
        (None, Some(organisation)) => {
            if call.sources.people.organisation(&organisation).is_none() {
                let text = format!(
                    "organisation: there is none of the id {organisation:?}; /api/v1/organisations has those there are"
                );
                return Err(Problem::malformed(text).because(Refusal::NoSuch(Thing::Organisation, organisation)));
            }
            Scope::Organisation(organisation)
        }
        (Some(_), Some(_)) => {
            return Err(Problem::malformed("expected a site or an organisation, found both")
                .because(Refusal::field("scope", Expects::Usual)));
        }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    /// Null: of no single one.
    #[serde(default, deserialize_with = "given")]
    site: Option<Option<String>>,
    /// Null: of no single one.
    #[serde(default, deserialize_with = "given")]
    organisation: Option<Option<String>>,
    mail: Option<String>,
    webhook: Option<WebhookOrder>,
    language: Option<String>,
    /// Null asks for all.
    #[serde(default, deserialize_with = "given")]
    events: Option<Option<Vec<EventKind>>>,
}

/// What is there is given, be it null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Of what a contact that is told of `now` is told by a change. What is named takes the place of what was; null takes away its own.
fn changed(
    call: &Call,
    now: Scope,
    (site, organisation): (Option<Option<String>>, Option<Option<String>>),
) -> Result<Scope, Problem> {
    let takes_away = match &now {
        Scope::Everything => false,
        Scope::Site(_) => site == Some(None),
        Scope::Organisation(_) => organisation == Some(None),
    };
    match (site.flatten(), organisation.flatten()) {
        (None, None) if takes_away => Ok(Scope::Everything),
        (None, None) => Ok(now),
        // What it is told of already stays, be it gone.
        (Some(site), None) if now == Scope::Site(site.clone()) => Ok(now),
        (None, Some(organisation)) if now == Scope::Organisation(organisation.clone()) => Ok(now),
        (site, organisation) => scope(call, site, organisation),
    }
}

fn change(call: &Call) -> Result<Answer, Problem> {
    let mut contact = find(call)?;
    let change: Change = call.json()?;
    if let Some(name) = change.name {
        contact.name = self::name(name)?;
    }
    contact.scope = changed(call, contact.scope, (change.site, change.organisation))?;
    if let Some(mail) = change.mail {
        let Way::Mail(to) = &mut contact.way else { return Err(not_kept(NotKept::OtherWay, "")) };
        *to = address(&mail)?;
    }
    if let Some(WebhookOrder { url, format, secret }) = change.webhook {
        let Way::Webhook(to) = &mut contact.way else { return Err(not_kept(NotKept::OtherWay, "")) };
        if let Some(url) = url {
            to.address = post_address(&url)?;
        }
        to.format = format.unwrap_or(to.format);
        if let Some(secret) = secret {
            to.secret = Some(self::secret(&secret)?);
        }
    }
    if let Some(language) = change.language {
        contact.language = self::language(&language)?;
    }
    if let Some(events) = change.events {
        contact.events = events.map(self::events).transpose()?;
    }
    let id = contact.id.clone();
    let changed = call.sources.notices.change_contact(contact).map_err(|error| not_kept(error, &id))?;
    Ok(Note::of(format!("contacts/{id}"), told(&changed)).on(json(&entry(&changed))))
}

fn remove(call: &Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    let removed = call.sources.notices.remove_contact(id).map_err(|error| not_kept(error, id))?;
    Ok(Note::of(format!("contacts/{id}"), told(&removed)).on(json(&entry(&removed))))
}

/// What came of telling a contact something of no meaning.
#[derive(Serialize)]
struct Trial {
    told: bool,
    /// Why not, and what to do.
    error: Option<String>,
}

async fn test(call: Call) -> Result<Answer, Problem> {
    let contact = find(&call)?;
    let error = call.sources.notices.test(&contact).await.err();
    let result = if error.is_some() { "it was not told" } else { "it was told" };
    let note = Note::of(format!("contacts/{}/test", contact.id), format!("{:?}: {result}", contact.name));
    Ok(note.on(json(&Trial { told: error.is_none(), error })))
}

/// A delivery that waits.
#[derive(Serialize)]
struct WaitingEntry {
    id: String,
    channel: Option<&'static str>,
    to: String,
    subject: String,
    due: String,
    attempts: u32,
    next: String,
    last_error: Option<String>,
}

fn waiting(call: &Call) -> Vec<WaitingEntry> {
    let entry = |one: crate::notices::Waiting| WaitingEntry {
        id: one.id,
        channel: one.lane.map(crate::notices::Lane::word),
        to: one.to,
        subject: one.subject,
        due: timestamp(one.due),
        attempts: one.attempts,
        next: timestamp(one.next),
        last_error: one.last_error,
    };
    call.sources.notices.waiting().into_iter().map(entry).collect()
}

#[derive(Serialize)]
struct Hurried {
    waiting: usize,
}

fn retry(call: &Call) -> Hurried {
    call.sources.notices.hurry();
    Hurried { waiting: call.sources.notices.waiting().len() }
}

/// For the audit trail.
fn told(contact: &Contact) -> String {
    let way = match &contact.way {
        Way::Mail(address) => address.to_string(),
        Way::Webhook(webhook) => webhook.address.to_string(),
    };
    format!("{:?}, {way}", contact.name)
}

fn name(text: String) -> Result<String, Problem> {
    match is_contact_name(&text) {
        true => Ok(text),
        false => Err(Problem::malformed("name: expected 1 to 100 letters on one line")
            .because(Refusal::field("name", Expects::Name(100)))),
    }
}

fn address(text: &str) -> Result<MailAddress, Problem> {
    MailAddress::parse(text)
        .map_err(|error| Problem::malformed(format!("mail: {error}")).because(Refusal::field("mail", Expects::Usual)))
}

fn post_address(text: &str) -> Result<PostAddress, Problem> {
    PostAddress::parse(text).map_err(|why| {
        Problem::malformed(format!("webhook.url: {why}")).because(Refusal::field("webhook.url", Expects::Usual))
    })
}

fn secret(text: &str) -> Result<Secret, Problem> {
    Secret::new(text).map_err(|why| {
        Problem::malformed(format!("webhook.secret: {why}")).because(Refusal::field("webhook.secret", Expects::Usual))
    })
}

fn language(tag: &str) -> Result<Language, Problem> {
    let known = Language::ALL.into_iter().find(|known| known.tag() == tag);
    known.ok_or_else(|| {
        Problem::malformed("language: expected \"en\" or \"de\"").because(Refusal::field("language", Expects::Usual))
    })
}

fn events(events: Vec<EventKind>) -> Result<Vec<EventKind>, Problem> {
    match events.is_empty() {
        true => Err(Problem::malformed("events: expected at least one; null asks for all")
            .because(Refusal::field("events", Expects::Usual))),
        false => Ok(events),
    }
}

fn unknown(id: &str) -> Problem {
    Problem::new(Kind::NotFound, format!("there is no contact {id:?}; `vitrine contacts list` shows those there are"))
        .because(Refusal::NoSuch(Thing::Contact, id.to_owned()))
}

fn not_kept(error: NotKept, id: &str) -> Problem {
    let conflict = |text: &str| Problem::new(Kind::Conflict, text);
    match error {
        NotKept::NameTaken => {
            conflict("name: another contact has it; choose another").because(Refusal::NameTaken(Thing::Contact))
        }
        NotKept::TooMany => {
            conflict("there are as many contacts as there may be; delete some").because(Refusal::Full(Thing::Contact))
        }
        NotKept::Configured => {
            conflict("this contact stands in the configuration; change it there").because(Refusal::ContactConfigured)
        }
        NotKept::OtherWay => {
            conflict("a contact stays with its way; make another one for the other way").because(Refusal::OtherWay)
        }
        NotKept::Unknown => unknown(id),
        NotKept::NoRandomness => {
            Problem::new(Kind::Internal, "the system gives no random numbers").because(Refusal::NoRandomness)
        }
        NotKept::Unwritten(error) => unwritten(&error),
    }
}
