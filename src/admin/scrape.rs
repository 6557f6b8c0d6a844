//! The metrics page: gathers what is published and counted at this moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Semaphore;

use super::Sources;
use super::problem::{Answer, Kind, Problem, exposition};
use crate::acme::EndedOrders;
use crate::certs::{AlarmCode, End, IntakeHandle, Ledger, NoticeState, Object, in_decimal};
use crate::config::{Reloads, Standing};
use crate::elsewhere::{Elsewhere, ForeignState};
use crate::levers::Levers;
use crate::live::{CertFacts, CertIndex, Condition, Provision, RouteTable, ServedCert, Site};
use crate::notices::Notices;
use crate::overview::{HandedIn, Overview, SiteState};
use crate::telemetry::{
    CertificateFacts, ConfigurationFacts, ElsewhereFacts, HandedInFacts, IntakeFacts, Lasting, NoticeFacts, OrderFacts,
    Scrape, SiteFacts, TruthFacts, render,
};

/// Renders the page, one at a time, where blocking is allowed.
pub(super) async fn answer(sources: &Arc<Sources>, one_at_a_time: &Arc<Semaphore>) -> Result<Answer, Problem> {
    let permit = Arc::clone(one_at_a_time).acquire_owned().await.ok();
    let sources = Arc::clone(sources);
    let page = tokio::task::spawn_blocking(move || {
        let page = page(&sources);
        drop(permit);
        page
    });
    page.await.map(exposition).map_err(|error| {
        tracing::error!(%error, "the metrics page could not be made");
        Problem::new(Kind::Internal, "the page could not be made; see the log")
    })
}

fn page(sources: &Sources) -> String {
    let (index, routes) = (sources.certificates.snapshot(), sources.routes.snapshot());
    let now = time::OffsetDateTime::from(SystemTime::now()).unix_timestamp();
    let ledger = sources.intake.as_ref().map(IntakeHandle::ledger);
    let last_good = ledger.as_ref().map(|ledger| Arc::clone(&ledger.last_good)).unwrap_or_default();
    let kept = sources.intake.as_ref().map(|intake| intake.requests().kept_here()).unwrap_or_default();
    let kept: Vec<_> = kept.into_iter().map(|(file, one)| (file, one.serial_decimal(), one)).collect();
    let requested = kept.iter().map(|(file, serial, one)| CertificateFacts {
        subject_cn: &one.subject,
        issuer_cn: &one.issuer,
        issuer_o: &one.issuer_organisation,
        serial,
        file,
        embedded_key: false,
        not_before: one.not_before,
        not_after: one.not_after,
    });
    let held = ledger.iter().flat_map(|ledger| ledger.objects.iter()).filter_map(Object::version);
    let held = held.filter_map(|version| Some((version.certificate.as_deref()?, &*version.file)));
    let held = held.map(|(one, file)| CertificateFacts {
        subject_cn: &one.subject,
        issuer_cn: &one.issuer,
        issuer_o: &one.issuer_organisation,
        serial: &one.serial_decimal,
        file,
        embedded_key: false,
        not_before: one.not_before,
        not_after: one.not_after,
    });
    let decimal = |served: &Arc<ServedCert>| in_decimal(&served.facts.serial);
    let decimal: Vec<String> = index.certificates().iter().map(decimal).collect();
    let objects = ledger.as_deref().map(|ledger| ends(&ledger.objects, &index, &routes)).unwrap_or_default();
    let overview = sources.lookout.look_over(&index, &routes, now);
    render(&Scrape {
        workers: &sources.workers,
        access_records_lost: sources.access_log.lost(),
        audit_unwritten: sources.audit.trouble().is_some(),
        states: overview.counts().into_iter().map(|(state, count)| (state.word(), count)).collect(),
        sites: sites(&routes, &index, (&overview, &last_good), sources, &objects),
        upstreams: upstreams(&routes),
        unresolved: unresolved(&routes),
        questions: sources.ordering.questions(),
        orders: sources.ordering.ended().into_iter().map(orders).collect(),
        certificates: index.certificates().iter().zip(&decimal).map(|(own, serial)| certificate(own, serial)).collect(),
        kept: requested.chain(held).collect(),
        well_known: sources.well_known.load().iter().count(),
        truth: TruthFacts { age: sources.truth.age(), checks: sources.truth.checks() },
        intake: ledger.as_deref().map(|ledger| intake(ledger, now)),
        configuration: configuration(&sources.configuration.borrow(), &sources.levers),
        notices: notices(&sources.notices, now),
        handed_in: handed_in(&sources.links.waiting(), now),
        elsewhere: elsewhere(&sources.elsewhere, now),
        now,
    })
}

/// Of what nobody noted since when it waits, it is not told.
fn handed_in(waiting: &[HandedIn], now: i64) -> HandedInFacts {
    let oldest = waiting.iter().filter_map(|one| one.since).min();
    HandedInFacts { waiting: waiting.len(), oldest: oldest.map_or(0, |since| (now - since).max(0)) }
}

fn elsewhere(elsewhere: &Elsewhere, now: i64) -> ElsewhereFacts {
    let all = elsewhere.list();
    let count = |state: ForeignState| all.iter().filter(|url| url.state(now) == state).count();
    let watched = all.iter().filter(|url| url.unwatched.is_none());
    ElsewhereFacts {
        states: ForeignState::ALL.into_iter().map(|state| (state.word(), count(state))).collect(),
        not_after: watched.filter_map(|url| url.seen.as_ref()?.not_after).min(),
    }
}

fn notices(notices: &Notices, now: i64) -> NoticeFacts {
    let attempts = notices.counts().into_iter().map(|(lane, outcome, total)| (lane.word(), outcome.word(), total));
    let waiting = notices.lanes().into_iter();
    let waiting =
        waiting.map(|(lane, waiting, since)| (lane.word(), waiting, since.map_or(0, |since| (now - since).max(0))));
    NoticeFacts { attempts: attempts.collect(), waiting: waiting.collect() }
}

fn certificate<'c>(served: &'c ServedCert, serial: &'c str) -> CertificateFacts<'c> {
    let facts = &served.facts;
    CertificateFacts {
        subject_cn: &facts.subject_cn,
        issuer_cn: &facts.issuer_cn,
        issuer_o: &facts.issuer_o,
        serial,
        file: &facts.file,
        embedded_key: facts.embedded_key,
        not_before: facts.not_before,
        not_after: facts.not_after,
    }
}

/// Each server once: where sites ask it for different paths, it is ready if it is for all.
fn upstreams(routes: &RouteTable) -> Vec<(String, bool)> {
    let mut all = BTreeMap::new();
    for member in routes.groups().iter().flat_map(|group| &group.members) {
        let is_ready = member.state.condition() == Condition::Ready;
        *all.entry(member.upstream.to_string()).or_insert(true) &= is_ready;
    }
    all.into_iter().collect()
}

/// Each server with a name, and how often that was not found.
fn unresolved(routes: &RouteTable) -> Vec<(String, u64)> {
    let members = routes.groups().iter().flat_map(|group| &group.members);
    let named =
        members.filter_map(|member| Some((member.upstream.to_string(), member.whereabouts.as_ref()?.failures())));
    named.collect::<BTreeMap<_, _>>().into_iter().collect()
}

fn orders(ended: EndedOrders) -> OrderFacts {
    let EndedOrders { issuer, failed_for, total } = ended;
    let (result, reason) = failed_for.map_or(("issued", "none"), |reason| ("failed", reason.label()));
    OrderFacts { issuer, result, reason, total }
}

/// Each site with the smallest end of validity over its hosts, for each type of key.
fn sites(
    routes: &RouteTable,
    index: &CertIndex,
    (overview, last_good): (&Overview, &BTreeSet<Box<str>>),
    sources: &Sources,
    objects: &HashMap<&str, Vec<(&'static str, i64)>>,
) -> Vec<SiteFacts> {
    let (contradicted, shown) = (sources.truth.contradicted_sites(), sources.truth.shown());
    let ordering = sources.ordering.all();
    let of_site = |(site, state): (&Arc<Site>, &SiteState)| {
        let (label, source) = (state.label.clone(), state.source.word());
        let mismatch = contradicted.contains(&label);
        let shown = shown.get(&label).copied();
        let standing = ordering.get(&*site.name).filter(|_| state.source == Provision::Managed);
        let objects = objects.get(&*site.name).cloned().unwrap_or_default();
        let mut facts = SiteFacts {
            label,
            source,
            earliest: Vec::new(),
            last_good: false,
            objects,
            shown,
            uncovered: state.uncovered.len(),
            mismatch,
            renewal: state.renewal,
            failures: standing.map(|standing| standing.failures),
        };
        for host in &site.hosts {
            for certificate in index.find_pattern(host).into_iter().flat_map(|choice| choice.iter()) {
                let CertFacts { not_before, not_after, ref fingerprint, .. } = certificate.facts;
                facts.last_good |= last_good.contains(fingerprint);
                let lasting = Lasting { key_type: certificate.key_type.label(), not_before, not_after };
                match facts.earliest.iter_mut().find(|known| known.key_type == lasting.key_type) {
                    Some(earliest) if earliest.not_after <= not_after => {}
                    Some(earliest) => *earliest = lasting,
                    None => facts.earliest.push(lasting),
                }
            }
        }
        facts
    };
    routes.sites().iter().zip(&overview.sites).map(of_site).collect()
}

/// The end of each object that has one, by the names of the sites that show it.
fn ends<'a>(
    objects: &'a [Object],
    index: &CertIndex,
    routes: &RouteTable,
) -> HashMap<&'a str, Vec<(&'static str, i64)>> {
    let mut ends: HashMap<&str, Vec<(&'static str, i64)>> = HashMap::new();
    for object in objects {
        let (Some(end), Some(version)) = (End::of(object, index, routes), object.version()) else { continue };
        for site in &version.sites {
            let of_site = ends.entry(site).or_default();
            // Files for several hosts of a site: the first to end is told.
            match of_site.iter_mut().find(|(kind, _)| *kind == object.kind.word()) {
                Some((_, earliest)) => *earliest = end.at.min(*earliest),
                None => of_site.push((object.kind.word(), end.at)),
            }
        }
    }
    ends
}

fn configuration(standing: &Standing, levers: &Levers) -> ConfigurationFacts {
    let Reloads { applied, refused, failed } = standing.reloads;
    ConfigurationFacts {
        is_refused: !standing.refused.is_empty(),
        is_frozen: *levers.frozen().borrow(),
        rejected: standing.rejected.len(),
        reloads: vec![("applied", applied), ("refused", refused), ("failed", failed)],
    }
}

fn intake(ledger: &Ledger, now: i64) -> IntakeFacts<'_> {
    let rejected: Vec<_> = ledger.rejected.iter().filter(|notice| notice.state == NoticeState::Rejected).collect();
    let is_on = |code: &AlarmCode| ledger.alarms.iter().any(|alarm| alarm.code == *code);
    let loads = &ledger.loads;
    IntakeFacts {
        source: SOURCE,
        up: ledger.last_scan != 0 && !AlarmCode::ALL.iter().any(|code| code.stops_intake() && is_on(code)),
        errors: vec![("rejected", loads.rejected), ("scan_failed", ledger.failed_scans)],
        loads: vec![
            ("accepted", loads.accepted),
            ("waiting", loads.waiting),
            ("rejected", loads.rejected),
            ("withdrawn", loads.withdrawn),
        ],
        waiting: ledger.rejected.len() - rejected.len(),
        age: Some(ledger.last_scan).filter(|last| *last != 0).map(|last| (now - last).max(0)),
        rejected: rejected.into_iter().map(|notice| Path::new(&notice.file)).collect(),
        alarms: AlarmCode::ALL.iter().map(|code| (code.as_str(), is_on(code))).collect(),
    }
}

/// What the one source is called: the key of the configuration that names its folder.
const SOURCE: &str = "drop_directory";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::Alarm;

    #[test]
    fn every_alarm_has_its_series_and_those_of_the_folder_say_that_the_source_is_down() {
        for raised in AlarmCode::ALL {
            let alarm = Alarm { code: *raised, message: String::new(), since: 0 };
            let ledger = Ledger { last_scan: 1, alarms: vec![alarm], ..Ledger::default() };
            let facts = intake(&ledger, 1);
            let expected: Vec<_> = AlarmCode::ALL.iter().map(|code| (code.as_str(), code == raised)).collect();
            let up = !matches!(raised, AlarmCode::FolderMissing | AlarmCode::FolderUnreadable);
            assert_eq!((facts.alarms, facts.up), (expected, up), "{raised:?}");
        }
        assert!(intake(&Ledger { last_scan: 1, ..Ledger::default() }, 1).up);
    }
    #[test]
    fn what_waits_is_counted_and_the_oldest_of_it_says_for_how_long() {
        let one = |since: Option<i64>| HandedIn { link: "for Anna".into(), sites: Vec::new(), since };
        let facts = |waiting, oldest| HandedInFacts { waiting, oldest };
        assert_eq!(handed_in(&[], 100), facts(0, 0));
        assert_eq!(handed_in(&[one(Some(90)), one(None), one(Some(40))], 100), facts(3, 60));
        // A clock that was set back.
        assert_eq!(handed_in(&[one(Some(140)), one(None)], 100), facts(2, 0));
    }
}
