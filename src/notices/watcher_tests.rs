//! What is told, when, to whom and how often.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::sync::watch;

use super::*;
use crate::live::Provision;
use crate::mail_address::MailAddress;
use crate::notices::condition::Condition;
use crate::notices::{EventKind, Member, NoticeTerms, Way};
use crate::overview::{Alert, AlertCode, Band, Matter, Mend, Reason, ReasonCode, Served, SiteState, State};
use crate::words::Language;

/// What there is to see, changed by each test; and who looks.
struct World {
    store: Store,
    seen: Arc<Mutex<Overview>>,
    notices: Notices,
    watcher: Watcher,
    at: Instant,
    _terms: watch::Sender<Arc<NoticeTerms>>,
}

impl World {
    fn new() -> Self {
        Self::on(
            Store::in_memory(),
            Arc::new(Mutex::new(Overview { at: TODAY, sites: Vec::new(), elsewhere: Vec::new(), alerts: Vec::new() })),
        )
    }

    fn on(store: Store, seen: Arc<Mutex<Overview>>) -> Self {
        let public_url = Some("https://edge.example".to_owned());
        let terms = NoticeTerms { public_url, edge: "edge-1".into(), ..NoticeTerms::default() };
        let terms = watch::Sender::new(Arc::new(terms));
        let notices = Notices::open(&store, terms.subscribe()).expect("open");
        let shown = Arc::clone(&seen);
        let look = Box::new(move || Arc::new(shown.lock().expect("whole").clone()));
        let shown = Arc::clone(&seen);
        let owners: AskOwners = Box::new(move || {
            let seen = shown.lock().expect("whole");
            let acme = seen.sites.iter().filter(|site| site.name.starts_with("acme"));
            Owners {
                of_site: acme.map(|site| (site.name.to_string(), "acme-corp".to_owned())).collect(),
                ..Owners::default()
            }
        });
        let watcher = Watcher::open(store.clone(), notices.clone(), look, owners).expect("open");
        Self { store, seen, notices, watcher, at: Instant::now(), _terms: terms }
    }

    fn restart(self) -> Self {
        Self::on(self.store, self.seen)
    }

    fn contact(&self, name: &str, scope: Scope, events: Option<Vec<EventKind>>) {
        let way = Way::Mail(MailAddress::parse(&format!("{name}@shop.example")).expect("an address"));
        let (id, name, language) = (String::new(), name.to_owned(), Language::En);
        self.notices.make_contact(Contact { id, name, scope, way, language, events }).expect("made");
    }

    /// Changes what there is to see.
    fn see(&self, change: impl FnOnce(&mut Overview)) {
        change(&mut self.seen.lock().expect("whole"));
    }

    /// Looks for so many seconds, and gives what was told: to whom, and the subject.
    fn after(&mut self, seconds: u64) -> Vec<(String, String)> {
        let known: Vec<_> = self.notices.waiting().into_iter().map(|one| one.id).collect();
        for _ in 0..=seconds / 10 {
            self.at += LOOK;
            self.watcher.look(self.at).expect("looked");
        }
        let new = self.notices.waiting().into_iter().filter(|one| !known.contains(&one.id));
        let mut new: Vec<_> = new.map(|one| (one.to, one.subject)).collect();
        new.sort_unstable();
        new
    }

    fn told(&mut self) -> Vec<(String, String)> {
        self.after(20)
    }
}

fn site(name: &str, source: Provision, fingerprint: &str, days: i64) -> SiteState {
    SiteState {
        name: name.into(),
        label: format!("{name}.example"),
        source,
        state: State::Completed,
        reason: Reason { code: ReasonCode::Serves, detail: String::new() },
        served: if days < 0 { Served::Expired } else { Served::Valid },
        band: Band::Good,
        not_after: Some(TODAY + days * 86_400),
        days_left: Some(days),
        fingerprint: Some(fingerprint.into()),
        renewal: None,
        is_late: false,
        failures: 0,
        last_error: None,
        shown: None,
        request: None,
        uncovered: Vec::new(),
    }
}

fn alert(code: AlertCode, subject: &str, site: Option<&str>) -> Alert {
    let mend = site.map_or(Mend::Elsewhere, |site| Mend::Site(site.into()));
    let (subject, text) = (subject.to_owned(), "something; mend it".to_owned());
    Alert { code, subject, site: site.map(Into::into), text, since: None, matter: Matter::Plain, mend }
}

fn one(to: &str, subject: &str) -> Vec<(String, String)> {
    vec![(to.to_owned(), subject.to_owned())]
}

#[tokio::test]
async fn a_first_start_with_thousands_of_old_certificates_is_one_mail() {
    let mut world = World::new();
    world.contact("ops", Scope::Everything, None);
    world.see(|seen| {
        for number in 0..3000 {
            let name = format!("s{number:04}");
            seen.sites.push(site(&name, Provision::Uploaded, &name, -7));
            seen.alerts.push(alert(AlertCode::Expired, &name, Some(&name)));
        }
    });
    let expected = "3000 certificates have expired: s0000.example, s0001.example, s0002.example, …";
    assert_eq!(world.told(), one("ops", expected));
    let id = world.notices.waiting()[0].id.clone();
    let text = world.notices.0.queue.entry(&id).expect("read").expect("waiting").text;
    assert!(text.contains("\n  and 2800 more\n") && text.len() < 40_000, "{}", text.len());
    assert_eq!(world.after(1000), []);
    assert_eq!(world.restart().after(1000), []);
}

#[tokio::test]
async fn what_ends_is_told_at_each_step_once_whatever_the_clock_does() {
    let mut world = World::new();
    world.contact("ops", Scope::Everything, None);
    world.see(|seen| seen.sites.push(site("shop", Provision::Uploaded, "old", 60)));
    assert_eq!(world.told(), []);
    let mut steps = Vec::new();
    for days_left in (0..60).rev() {
        world.see(|seen| seen.at = TODAY + (60 - days_left) * 86_400);
        for (_, subject) in world.told() {
            steps.push((days_left, subject));
        }
        if days_left % 7 == 0 {
            world = world.restart();
            // Yesterday says nothing twice.
            world.see(|seen| seen.at -= 3 * 86_400);
            assert_eq!(world.told(), []);
        }
    }
    let told: Vec<_> = steps.iter().map(|(days, subject)| (*days, subject.as_str())).collect();
    assert_eq!(
        told,
        [
            (45, "The certificate of shop.example ends within 45 days"),
            (30, "The certificate of shop.example ends within 30 days"),
            (14, "The certificate of shop.example ends within 14 days"),
            (10, "The certificate of shop.example ends within 10 days"),
            (7, "The certificate of shop.example ends within 7 days"),
            (3, "The certificate of shop.example ends within 3 days"),
            (1, "The certificate of shop.example ends within a day"),
        ]
    );
    world.see(|seen| {
        seen.at = TODAY + 61 * 86_400;
        seen.alerts.push(alert(AlertCode::Expired, "shop", Some("shop")));
    });
    assert_eq!(world.told(), one("ops", "The certificate of shop.example has expired"));
    // Set back and on again: it is the same certificate that ended.
    world.see(|seen| (seen.at, seen.alerts) = (TODAY, Vec::new()));
    assert_eq!(world.after(2000), []);
    world.see(|seen| seen.alerts.push(alert(AlertCode::Expired, "shop", Some("shop"))));
    assert_eq!(world.told(), []);
    // What takes its place begins anew, and is told at leisure.
    world.see(|seen| {
        seen.alerts.clear();
        seen.at = TODAY + 61 * 86_400;
        seen.sites = vec![site("shop", Provision::Uploaded, "new", 61 + 300)];
    });
    assert_eq!(world.told(), []);
    assert_eq!(world.after(700), one("ops", "shop.example has a new certificate"));
    world.see(|seen| seen.at = TODAY + (61 + 300 - 29) * 86_400);
    assert_eq!(world.told(), one("ops", "The certificate of shop.example ends within 30 days"));
}

#[tokio::test]
async fn each_contact_hears_of_its_own_in_one_mail() {
    let mut world = World::new();
    world.contact("all", Scope::Everything, None);
    world.contact("shop", Scope::Site("shop".into()), None);
    world.contact("acme", Scope::Organisation("acme-corp".into()), None);
    world.contact("expired", Scope::Everything, Some(vec![EventKind::Expired]));
    assert_eq!(world.told(), []);
    world.see(|seen| {
        seen.sites = ["shop", "acme-a", "acme-b"].map(|name| site(name, Provision::Managed, name, 50)).to_vec();
        for name in ["shop", "acme-a"] {
            seen.alerts.push(alert(AlertCode::RenewalLate, name, Some(name)));
        }
        seen.alerts.push(alert(AlertCode::Alarm, "folder-missing", None));
        seen.alerts.push(alert(AlertCode::ServedOtherwise, "acme-b", Some("acme-b")));
    });
    let also = |subject: &str, more: usize| format!("{subject}, and {more} more");
    // What came in goes along with what is urgent.
    let mismatch = "acme-b.example is served another certificate than the published one";
    assert_eq!(
        world.told(),
        [
            ("acme".to_owned(), also(mismatch, 3)),
            ("all".to_owned(), also(mismatch, 6)),
            ("shop".to_owned(), also("The certificate of shop.example was not renewed in time", 1)),
        ]
    );
    assert_eq!(world.after(1000), []);
}

#[tokio::test]
async fn what_nobody_wanted_to_hear_is_told_to_the_first_who_does() {
    let mut world = World::new();
    world.see(|seen| {
        seen.sites.push(site("shop", Provision::Uploaded, "a", 5));
        seen.alerts.push(alert(AlertCode::FileRejected, "certs/x.pem", None));
    });
    assert_eq!(world.after(100), []);
    world.contact("files", Scope::Everything, Some(vec![EventKind::Rejected]));
    assert_eq!(world.told(), one("files", "The file certs/x.pem was rejected"));
    world.contact("ops", Scope::Everything, None);
    assert_eq!(world.told(), one("ops", "The certificate of shop.example ends within 7 days"));
}

#[tokio::test]
async fn an_end_is_told_when_it_is_believed_and_what_flaps_is_not_told_again() {
    let mut world = World::new();
    world.contact("ops", Scope::Everything, None);
    world.see(|seen| seen.sites.push(site("shop", Provision::Managed, "a", 50)));
    let wrong = || alert(AlertCode::ServedOtherwise, "shop", Some("shop"));
    world.see(|seen| seen.alerts.push(wrong()));
    assert_eq!(world.told(), one("ops", "shop.example is served another certificate than the published one"));
    for _ in 0..20 {
        world.see(|seen| seen.alerts.clear());
        assert_eq!(world.after(240), []);
        world.see(|seen| seen.alerts.push(wrong()));
        assert_eq!(world.after(60), []);
    }
    // A process that has just begun has not looked at everything yet.
    world = world.restart();
    world.see(|seen| seen.alerts.clear());
    assert_eq!(world.after(1700), []);
    assert_eq!(world.after(200), one("ops", "Over: shop.example"));
    world.see(|seen| seen.alerts.push(wrong()));
    assert_eq!(world.told().len(), 1);
    // An alarm of the edge does not take a round.
    world.see(|seen| seen.alerts = vec![alert(AlertCode::Alarm, "not-watching", None)]);
    assert_eq!(world.told(), one("ops", "The edge needs a hand: not-watching"));
    world.see(|seen| seen.alerts = vec![wrong()]);
    assert_eq!(world.after(400), one("ops", "Over: not-watching"));
}

#[tokio::test]
async fn a_kill_between_what_was_said_and_the_queue_neither_loses_nor_doubles() {
    let mut world = World::new();
    world.contact("ops", Scope::Everything, None);
    world.see(|seen| seen.alerts.push(alert(AlertCode::Alarm, "folder-missing", None)));
    assert_eq!(world.told().len(), 1);
    let file = |id: &str| Key::of(&["notices", "queue", &format!("{id}.json")]).expect("a key");
    let id = world.notices.waiting()[0].id.clone();
    // Killed before the queue had it.
    assert!(world.store.delete(&file(&id)).expect("deleted"));
    let mut world = world.restart();
    assert_eq!(world.notices.waiting().len(), 1);
    assert_eq!(world.after(100), []);
    // Killed after it was told.
    world.notices.0.queue.end(&id, crate::notices::queue::End::Told, now());
    let mut world = world.restart();
    assert_eq!((world.notices.waiting(), world.after(100)), (Vec::new(), Vec::new()));
    // What was told is lost: it is told again, and not taken for the first time.
    assert!(world.store.delete(&key()).expect("deleted"));
    let mut world = world.restart();
    assert_eq!(world.told().len(), 1);
}

#[test]
fn a_bulletin_says_what_happened_in_the_language_of_whoever_reads_it() {
    let mut overview = Overview { at: TODAY, sites: Vec::new(), elsewhere: Vec::new(), alerts: Vec::new() };
    overview.sites.push(site("shop", Provision::Uploaded, "a", 6));
    overview.sites.push(SiteState {
        renewal: Some(TODAY - 3 * 86_400),
        label: "<b>evil</b>\r\nBcc: x@y.example".into(),
        ..site("other", Provision::Managed, "b", 20)
    });
    overview.alerts.push(alert(AlertCode::RenewalLate, "other", Some("other")));
    let conditions = conditions(&overview);
    let events: Vec<Event> = conditions.values().map(Event::began).collect();
    let events: Vec<&Event> = events.iter().collect();
    let mut contact = Contact {
        id: "0a".into(),
        name: "ops".into(),
        scope: Scope::Everything,
        way: Way::Mail(MailAddress::parse("ops@shop.example").expect("an address")),
        language: Language::De,
        events: None,
    };
    let public_url = Some("https://edge.example".to_owned());
    let terms = NoticeTerms { public_url, edge: "edge-1".into(), ..NoticeTerms::default() };
    let german = bulletin(&contact, &events, "x".into(), Vec::new(), &terms, TODAY);
    assert_eq!(german.subject, "Das Zertifikat von shop.example läuft binnen 7 Tagen ab und 1 weitere");
    assert_eq!(
        german.text,
        "Laufen bald ab und erneuern sich nicht selbst\n\n\
         - shop.example: läuft binnen 6 Tagen ab, am 2026-11-28\n  https://edge.example/sites/shop\n\n\
         Nicht rechtzeitig erneuert\n\n\
         - <b>evil</b>  Bcc: x@y.example: war fällig am 2026-11-19; Das Zertifikat hätte vor mehr als einem Tag erneuert werden \
         sollen\n  https://edge.example/sites/other\n\n\
         -- \nVon Vitrine auf edge-1, für den Kontakt ops. Tage sind in UTC.\n"
    );
    assert!(german.html.contains("&lt;b&gt;evil&lt;/b&gt;") && !german.html.contains("<b>"), "{}", german.html);
    assert!(german.html.starts_with("<!doctype html>\n<html lang=\"de\">"), "{}", german.html);
    contact.language = Language::En;
    let english = bulletin(&contact, &events, "x".into(), Vec::new(), &terms, TODAY);
    assert_eq!(english.subject, "The certificate of shop.example ends within 7 days, and 1 more");
    assert!(english.text.contains("- shop.example: ends within 6 days, on 2026-11-28\n"), "{}", english.text);
    assert_eq!(english.data["events"][0]["kind"], "expiring");
    assert_eq!(english.data["events"][0]["link"], "https://edge.example/sites/shop");
    assert_eq!(english.data["events"][1]["renewal_due"], "2026-11-19T00:00:00Z");
    let kinds: BTreeMap<_, _> = EventKind::ALL.iter().map(|kind| (kind.word(), ())).collect();
    assert_eq!(kinds.len(), EventKind::ALL.len());
}

/// 2026-11-22T00:00:00Z
const TODAY: i64 = 1_795_305_600;

#[test]
fn whom_an_organisation_names_is_told_of_its_sites_alone_and_nobody_twice() {
    let mail = |address: &str| MailAddress::parse(address).expect("an address");
    let contact = |address: &str, scope| Contact {
        id: "config:ops".into(),
        name: "ops".into(),
        scope,
        way: Way::Mail(mail(address)),
        language: Language::En,
        events: Some(vec![EventKind::Expired]),
    };
    let member = |organisation: &str, address: &str| {
        let member = Member { organisation: organisation.into(), name: "Anna".into(), mail: mail(address) };
        member.contact(Language::De)
    };
    let event = |kind, site: &str| {
        let condition = Condition {
            id: site.to_owned(),
            kind,
            subject: site.to_owned(),
            site: Some(site.to_owned()),
            organisation: None,
            step: None,
            not_after: None,
            was_due: None,
            detail: None,
            path: String::new(),
            bound: None,
        };
        (site.to_owned(), Event::began(&condition))
    };
    let contacts = [
        contact("ops@shop.example", Scope::Everything),
        member("acme", "ops@shop.example"),
        member("acme", "anna@acme.example"),
        member("other", "anna@acme.example"),
        member("other", "otto@other.example"),
    ];
    let events = [
        event(EventKind::Issued, "acme.example"),
        event(EventKind::Expired, "other.example"),
        event(EventKind::Expired, "nobodys.example"),
    ];
    let of_site = ["acme", "other"].map(|name| (format!("{name}.example"), name.to_owned()));
    let owners = Owners { of_site: of_site.into(), members: Vec::new() };
    let told: Vec<(Recipient, Vec<&str>)> = shared_out(&contacts, &events, &owners)
        .into_iter()
        .map(|(contact, theirs)| (contact.recipient(), theirs.into_iter().map(|(id, _)| id.as_str()).collect()))
        .collect();
    let expected = [
        // For all it wants to hear of what expired alone, for acme of everything.
        (Recipient::Contact("config:ops".into()), vec!["acme.example", "other.example", "nobodys.example"]),
        (Recipient::Mail(mail("anna@acme.example")), vec!["acme.example", "other.example"]),
        (Recipient::Mail(mail("otto@other.example")), vec!["other.example"]),
    ];
    assert_eq!(told, expected);
}
