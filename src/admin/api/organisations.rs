//! The organisations: which sites are whose.

use serde::{Deserialize, Serialize};

use super::realm::{Item, Realm};
use super::recorded::Note;
use super::{Call, Operation, Resource, Takes, aside, timestamp, unwritten};
use crate::admin::people::{Company, Contact, NotOrganised, Organisation, OrganisationDetails};
use crate::admin::problem::{Answer, Kind, Problem, created, json};
use crate::admin::rights::Right;
use crate::notices::Scope;
use crate::words::refusal::{Expects, Refusal, Thing};

/// `organisations`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("organisations", |call| Box::pin(aside(call, |call| Ok(list(call)))))
            .about(Realm::List(Item::Organisation)),
        Operation::post("organisations", |call| Box::pin(aside(call, add)))
            .taking(Takes::Json)
            .with_right(Right::Own)
            .about(Realm::Edge),
        Operation::get("organisations/{id}", |call| Box::pin(aside(call, one))).about(Realm::Organisation),
        Operation::patch("organisations/{id}", |call| Box::pin(aside(call, change)))
            .taking(Takes::Json)
            .with_right(Right::Own)
            .about(Realm::Organisation),
        Operation::delete("organisations/{id}", |call| Box::pin(aside(call, remove)))
            .with_right(Right::Own)
            .about(Realm::Organisation),
    ],
    description: include_str!("organisations.json"),
};

/// One organisation.
#[derive(Serialize)]
struct Entry {
    id: String,
    created: String,
    #[serde(flatten)]
    details: OrganisationDetails,
}

impl Entry {
    fn of(one: Organisation) -> Self {
        Self { id: one.id, created: timestamp(one.created), details: one.details }
    }
}

fn list(call: &Call) -> Answer {
    json(&call.sources.people.organisations().into_iter().map(Entry::of).collect::<Vec<_>>())
}

fn one(call: &Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    let found = call.sources.people.organisation(id).ok_or_else(|| unknown(id))?;
    Ok(json(&Entry::of(found)))
}

fn add(call: &Call) -> Result<Answer, Problem> {
    let details: OrganisationDetails = call.json()?;
    check_sites(call, &details)?;
    let made = call.sources.people.add_organisation(details).map_err(|why| not_organised(why, ""))?;
    Ok(note(&made).on(created(&Entry::of(made))))
}

/// What is to be changed; what is not there stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    company: Option<Company>,
    contacts: Option<Vec<Contact>>,
    sites: Option<std::collections::BTreeSet<String>>,
}

fn change(call: &Call) -> Result<Answer, Problem> {
    let (Change { name, company, contacts, sites }, id) = (call.json()?, call.parameter("id"));
    let before = call.sources.people.organisation(id).ok_or_else(|| unknown(id))?.details;
    let details = OrganisationDetails {
        name: name.unwrap_or(before.name),
        company: company.unwrap_or(before.company),
        contacts: contacts.unwrap_or(before.contacts),
        sites: sites.unwrap_or(before.sites),
    };
    check_sites(call, &details)?;
    let changed = call.sources.people.change_organisation(id, details).map_err(|why| not_organised(why, id))?;
    Ok(note(&changed).on(json(&Entry::of(changed))))
}

fn remove(call: &Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    call.sources.people.organisation(id).ok_or_else(|| unknown(id))?;
    // Of the edge as a whole nobody is told who was to hear of some customer's sites.
    let theirs = Scope::Organisation(id.to_owned());
    let contacts = call.sources.notices.contacts().into_iter().filter(|contact| contact.scope == theirs);
    let told: Vec<String> = contacts.map(|contact| contact.name).collect();
    if !told.is_empty() {
        let names = told.join(", ");
        let text = format!(
            "these contacts are told of its sites: {names}; remove them, or have them told of something else with `vitrine contacts \
             scope`, first"
        );
        return Err(Problem::new(Kind::Conflict, text).because(Refusal::ContactsTold(names)));
    }
    // First: whatever comes between, no URL is left with an owner that is gone.
    let left = call.sources.elsewhere.leave(id).map_err(|why| super::elsewhere::told(&why))?;
    let removed = call.sources.people.remove_organisation(id).map_err(|why| not_organised(why, id))?;
    let note = match left.as_slice() {
        [] => note(&removed),
        left => note(&removed).and(&format!("; now the edge's: {}", left.join(" "))),
    };
    Ok(note.on(json(&Entry::of(removed))))
}

fn note(one: &Organisation) -> Note {
    let sites = one.details.sites.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    Note::of(format!("organisations/{}", one.id), format!("{:?}: {sites}", one.details.name))
}

/// A name that no site has is most often a slip. What was a site once stays, so that nobody else gets it meanwhile.
fn check_sites(call: &Call, details: &OrganisationDetails) -> Result<(), Problem> {
    let routes = call.sources.routes.snapshot();
    let known = |name: &str| routes.sites().iter().any(|site| *site.name == *name);
    let owned = |name: &str| call.sources.people.organisation_of(name).is_some();
    match details.sites.iter().find(|name| !known(name) && !owned(name)) {
        None => Ok(()),
        Some(name) => Err(Problem::malformed(format!(
            "sites: expected names of configured sites, found {name:?}; `vitrine sites list` shows those there are"
        ))
        .because(Refusal::field("sites", Expects::Usual))),
    }
}

fn not_organised(why: NotOrganised, id: &str) -> Problem {
    let conflict = |text: &str| Problem::new(Kind::Conflict, text);
    match why {
        NotOrganised::Unknown => unknown(id),
        NotOrganised::Flawed(field, wanted, text) => {
            Problem::malformed(format!("{field}: {text}")).because(Refusal::field(field, wanted))
        }
        NotOrganised::NameTaken => conflict("there is an organisation of that name; choose another")
            .because(Refusal::NameTaken(Thing::Organisation)),
        NotOrganised::SiteTaken(site) => {
            conflict(&format!("the site {site:?} is another organisation's; take it out there first"))
                .because(Refusal::SiteTaken(site))
        }
        NotOrganised::TooMany => conflict("there are as many organisations as there may be; remove some")
            .because(Refusal::Full(Thing::Organisation)),
        NotOrganised::NoRandomness => {
            Problem::new(Kind::Internal, "the system gives no random numbers").because(Refusal::NoRandomness)
        }
        NotOrganised::Unwritten(error) => unwritten(&error),
    }
}

fn unknown(id: &str) -> Problem {
    Problem::new(
        Kind::NotFound,
        format!("there is no organisation {id:?}; GET /api/v1/organisations lists those there are"),
    )
    .because(Refusal::NoSuch(Thing::Organisation, id.to_owned()))
}
