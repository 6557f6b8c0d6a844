//! Every state and every way from one to the next, and every alert, from plain values.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::acme::{LastFailure, Phase, Reason as Failure};
use crate::certs::testing::served;
use crate::certs::{Alarm, AlarmCode, Choice, Draft, Notice, NoticeState, OrderDraft, Requests};
use crate::config::Trouble;
use crate::limits::Limits;
use crate::live::{Provision, ServedCert, SiteSpec, Upstream};
use crate::name::HostPattern;
use crate::store::Store;
use crate::words::instead::{Instead, Shown};
use crate::words::wait::Wait;

/// What is known, to be changed by each test.
struct World {
    certificates: Vec<Arc<ServedCert>>,
    sites: Vec<SiteSpec>,
    ledger: Ledger,
    ordering: BTreeMap<String, Arc<SiteStanding>>,
    requests: Requests,
    mismatches: HashMap<String, Contradiction>,
    not_shown: HashMap<String, Contradiction>,
    configuration: Standing,
    audit: Option<Wrong>,
    notices: Option<Wrong>,
    handed_in: Vec<HandedIn>,
}

impl World {
    /// One site with two hosts.
    fn with(provision: Provision) -> Self {
        let hosts = ["shop.example", "www.shop.example"];
        let site = SiteSpec {
            name: "shop".into(),
            hosts: hosts.iter().map(|host| HostPattern::parse(host).expect("a name")).collect(),
            routes: vec![("/".into(), vec![Upstream::tcp("10.0.0.1", 8080)].into())],
            minimum_validation: None,
            staging: false,
            provision,
            on_demand: Default::default(),
            orders: Default::default(),
            policy: Default::default(),
        };
        Self {
            certificates: Vec::new(),
            sites: vec![site],
            ledger: Ledger::default(),
            ordering: BTreeMap::new(),
            requests: Requests::open(Store::in_memory(), Path::new("state")).expect("open"),
            mismatches: HashMap::new(),
            not_shown: HashMap::new(),
            configuration: Standing::default(),
            audit: None,
            notices: None,
            handed_in: Vec::new(),
        }
    }

    fn overview(&self) -> Overview {
        let index = CertIndex::ranked(self.certificates.iter().cloned());
        let routes = RouteTable::new(self.sites.clone(), Limits::default(), Vec::new(), 443);
        Overview::of(&Known {
            index: &index,
            routes: &routes,
            ledger: &self.ledger,
            ordering: &self.ordering,
            requests: &self.requests.list(),
            mismatches: &self.mismatches,
            not_shown: &self.not_shown,
            configuration: &self.configuration,
            audit: self.audit.clone(),
            elsewhere: &[],
            notices: self.notices.clone(),
            handed_in: &self.handed_in,
            now: NOW,
        })
    }

    fn site(&self) -> SiteState {
        self.overview().sites.remove(0)
    }

    /// State, action, what is served, and why.
    fn told(&self) -> (&'static str, &'static str, &'static str, String) {
        let site = self.site();
        (site.state.word(), site.action().word(), site.served.word(), site.reason.text())
    }

    fn codes(&self) -> Vec<&'static str> {
        self.overview().alerts.iter().map(|alert| alert.code.as_str()).collect()
    }

    fn serve(&mut self, names: &[&str], days: i64) {
        self.certificates.push(served("a", names, NOW - 10 * DAY, NOW + days * DAY, false));
    }

    fn stand(&mut self, standing: SiteStanding) {
        self.ordering.insert("shop".into(), Arc::new(standing));
    }

    fn request(&self, renews: Option<&str>) -> String {
        let draft = Draft { names: vec!["shop.example".into()], sites: vec!["shop".into()], ..Draft::default() };
        let (details, order) = (draft.read().expect("details"), OrderDraft::default().read().expect("an order"));
        self.requests.create(details, order, renews, NOW).expect("made").request.id.to_string()
    }
}

fn failure() -> LastFailure {
    LastFailure { issuer: "le".into(), reason: Failure::Dns, text: "no such name".into(), at: NOW }
}

#[test]
fn what_is_uploaded_goes_from_configure_over_a_request_to_completed_and_round_again() {
    let mut world = World::with(Provision::Uploaded);
    let hosts = "shop.example www.shop.example";
    let why = format!("no certificate serves its hosts: {hosts}");
    assert_eq!(world.told(), ("configure", "configure", "nothing", why));

    let id = world.request(None);
    let why = format!("a request waits for its certificate: {id}");
    assert_eq!(world.told(), ("in progress", "continue", "nothing", why));
    assert_eq!(world.site().request.as_deref(), Some(&*id));

    world.serve(&HOSTS, 90);
    let why = format!("a request for the next certificate waits: {id}");
    assert_eq!(world.told(), ("renewing", "continue", "valid", why));

    world.requests.discard(&id).expect("gone");
    assert_eq!(world.told(), ("completed", "renew", "valid", "a valid certificate serves all its hosts".into()));
    let site = world.site();
    assert_eq!((site.days_left, site.band, site.source), (Some(90), Band::Good, Provision::Uploaded));
}

#[test]
fn a_site_of_which_a_host_has_none_is_to_be_configured_while_the_rest_serves() {
    let mut world = World::with(Provision::Uploaded);
    world.serve(&["shop.example"], 90);
    let why = "no certificate serves some of its hosts: www.shop.example".to_owned();
    assert_eq!(world.told(), ("configure", "configure", "partly", why));
    assert_eq!(world.codes(), ["no-certificate"]);
}

#[test]
fn what_is_managed_is_in_progress_until_it_serves_and_tells_what_keeps_it() {
    let mut world = World::with(Provision::Managed);
    let progress = |why: &str| ("in progress", "continue", "nothing", why.to_owned());
    assert_eq!(world.told(), progress("a certificate will be ordered"));
    world.stand(SiteStanding { waits_for: Some(Wait::NoIssuer), ..SiteStanding::default() });
    assert_eq!(world.told(), progress("a certificate will be ordered: no issuer is configured"));
    for phase in [Phase::Checking, Phase::Ordering, Phase::Validating] {
        world.stand(SiteStanding { phase, last_failure: Some(failure()), ..SiteStanding::default() });
        assert_eq!(world.told(), progress("a certificate is being ordered"), "{phase:?}");
    }
    let failed =
        SiteStanding { phase: Phase::Failed, failures: 3, last_failure: Some(failure()), ..Default::default() };
    world.stand(failed);
    assert_eq!(world.told(), progress("the last order came to nothing and is tried again: no such name"));
    assert_eq!(world.site().last_error.as_deref(), Some("le (dns): no such name"));
    assert_eq!(world.codes(), ["orders-fail"]);
}

#[test]
fn what_is_managed_renews_and_is_late_only_after_a_day() {
    let mut world = World::with(Provision::Managed);
    world.serve(&HOSTS, 60);
    let standing = |phase, renewal| SiteStanding { phase, renewal: Some(renewal), ..SiteStanding::default() };
    world.stand(standing(Phase::Issued, NOW + DAY));
    assert_eq!(world.told(), ("completed", "renew", "valid", "a valid certificate serves all its hosts".into()));
    assert_eq!(world.site().renewal, Some(NOW + DAY));

    world.stand(standing(Phase::Renewing, NOW - 60));
    let why = "the next certificate is being ordered".to_owned();
    assert_eq!(world.told(), ("renewing", "continue", "valid", why));

    let failing = SiteStanding { last_failure: Some(failure()), failures: 1, ..standing(Phase::Failed, NOW - 60) };
    world.stand(failing.clone());
    let why = "the last renewal came to nothing and is tried again: no such name".to_owned();
    assert_eq!(world.told(), ("completed", "renew", "valid", why));
    assert_eq!((world.site().band, world.codes()), (Band::Good, vec![]));

    world.stand(SiteStanding { renewal: Some(NOW - DAY - 1), ..failing });
    let why = "the renewal is late: no such name".to_owned();
    assert_eq!(world.told(), ("completed", "renew", "valid", why));
    assert_eq!((world.site().band, world.codes()), (Band::Soon, vec!["renewal-late"]));
}

#[test]
fn a_stand_in_is_no_certificate() {
    let mut world = World::with(Provision::Managed);
    world.serve(&HOSTS, 7);
    let certificate = &world.certificates[0];
    let mut facts = certificate.facts.clone();
    facts.stand_in = true;
    world.certificates = vec![Arc::new(ServedCert {
        certified: Arc::clone(&certificate.certified),
        key_type: certificate.key_type,
        names: certificate.names.clone(),
        facts,
    })];
    let why = "a certificate will be ordered".to_owned();
    assert_eq!(world.told(), ("in progress", "continue", "stand-in", why));
}

#[test]
fn what_the_edge_issues_itself_is_on_its_way_until_it_serves() {
    let mut world = World::with(Provision::SelfSigned);
    let why = "the edge's own authority is to issue a certificate: shop.example www.shop.example".to_owned();
    assert_eq!(world.told(), ("in progress", "continue", "nothing", why));
    world.serve(&HOSTS, 60);
    assert_eq!(world.told().0, "completed");
}

#[test]
fn what_the_operator_decided_outranks_what_is_configured() {
    let mut world = World::with(Provision::Managed);
    let choice = Choice { certificate: Provision::Uploaded, pinned: Vec::new(), by: "user 0".into(), at: NOW };
    world.ledger.choices = Arc::new(BTreeMap::from([("shop".to_owned(), choice)]));
    world.stand(SiteStanding { renewal: Some(NOW - 7 * DAY), ..SiteStanding::default() });
    let site = world.site();
    assert_eq!((site.source, site.state, site.renewal), (Provision::Uploaded, State::Configure, None));
}

#[test]
fn what_serves_and_should_not_is_told_and_alerted() {
    let mut world = World::with(Provision::Uploaded);
    world.serve(&HOSTS, -1);
    assert_eq!(world.told(), ("completed", "renew", "expired", "the certificate that serves has expired".into()));
    assert_eq!((world.site().band, world.site().days_left), (Band::Expired, Some(-1)));
    assert_eq!(world.codes(), ["expired"]);

    world.certificates = vec![served("b", &HOSTS, NOW + DAY, NOW + 90 * DAY, false)];
    assert_eq!((world.told().2, world.codes()), ("not yet valid", vec!["not-yet-valid"]));

    world.certificates.clear();
    world.serve(&HOSTS, 90);
    let instead = Instead::UnpublishedCertificate { listener: "127.0.0.1:443".into(), shown: "00aa".into() };
    let shown = Some(Shown { host: Some("shop.example".into()), instead });
    let message = "another process has the port".to_owned();
    let wrong = Contradiction { message, shown: shown.clone(), since: NOW - 60 };
    world.mismatches.insert("shop.example".into(), wrong.clone());
    assert_eq!((world.told().2, world.codes()), ("otherwise", vec!["served-otherwise"]));
    world.mismatches.clear();
    world.not_shown.insert("shop.example".into(), wrong);
    assert_eq!((world.told().2, world.codes()), ("valid", vec!["not-shown"]));
    assert_eq!(world.site().last_error.as_deref(), Some("another process has the port"));
    assert_eq!(world.site().shown, shown);
}

#[test]
fn the_end_comes_near_in_three_steps() {
    let mut world = World::with(Provision::Uploaded);
    let mut told = Vec::new();
    for days in [46, 45, 11, 10, 0] {
        world.certificates.clear();
        world.serve(&HOSTS, days);
        told.push((days, world.site().band.word(), world.codes()));
    }
    let expected = [
        (46, "good", vec![]),
        (45, "soon", vec!["expires-soon"]),
        (11, "soon", vec!["expires-soon"]),
        (10, "now", vec!["expires-now"]),
        (0, "now", vec!["expires-now"]),
    ];
    assert_eq!(told, expected);
}

#[test]
fn files_alarms_configuration_and_record_alert_too_the_gravest_first() {
    let mut world = World::with(Provision::Uploaded);
    world.serve(&HOSTS, -1);
    let notice = |state| Notice {
        file: "certs/a.pem".into(),
        state,
        code: "garbage",
        reason: "nothing is in it".into(),
        mend: "copy it again".into(),
        about: Vec::new(),
        since: NOW,
    };
    world.ledger.rejected = vec![notice(NoticeState::Rejected), notice(NoticeState::Waiting)];
    let alarm = |code| Alarm { code, message: "look".into(), since: NOW };
    world.ledger.alarms = [AlarmCode::ExpiredServing, AlarmCode::NotWatching, AlarmCode::PinIgnored].map(alarm).into();
    let trouble = || Trouble { text: "vitrine.toml:3: site: wrong".into(), since: NOW };
    world.configuration = Standing { refused: vec![trouble()], rejected: vec![trouble()], ..Standing::default() };
    world.audit = Some(Wrong { text: "the disk is full".into(), since: NOW });
    world.notices = Some(Wrong { text: "nobody answers".into(), since: NOW });
    let sites = vec!["shop".to_owned(), "other".to_owned()];
    world.handed_in = vec![HandedIn { link: "for Anna".into(), sites, since: Some(NOW) }];
    let told: Vec<_> =
        world.overview().alerts.iter().map(|alert| (alert.code.as_str(), alert.severity().word())).collect();
    let expected = [
        ("expired", "critical"),
        ("audit-unwritten", "critical"),
        ("alarm", "critical"),
        ("handed-in", "warning"),
        ("handed-in", "warning"),
        ("notices-stuck", "warning"),
        ("file-rejected", "warning"),
        ("configuration-refused", "warning"),
        ("configuration-rejected", "warning"),
        ("remark", "warning"),
    ];
    assert_eq!(told, expected);
    let rejected = &world.overview().alerts[6];
    assert_eq!((&*rejected.subject, &*rejected.text), ("certs/a.pem", "nothing is in it; copy it again"));
    assert_eq!(rejected.mend, Mend::Rejected);
    // Whoever looks after one of the sites hears of it.
    let waiting: Vec<_> = world.overview().alerts[3..5].iter().map(|alert| alert.site.clone()).collect();
    assert_eq!(waiting, [Some("shop".into()), Some("other".into())]);
}

#[test]
fn every_state_is_counted() {
    let world = World::with(Provision::Uploaded);
    let counts: Vec<_> = world.overview().counts().into_iter().map(|(state, count)| (state.word(), count)).collect();
    assert_eq!(counts, [("configure", 1), ("in progress", 0), ("completed", 0), ("renewing", 0)]);
}

const HOSTS: [&str; 2] = ["shop.example", "www.shop.example"];
const DAY: i64 = 86_400;
/// 2027-01-15T08:00:00Z
const NOW: i64 = 1_800_000_000;
