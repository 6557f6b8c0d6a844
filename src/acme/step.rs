//! What is to be done for a site next: nothing before some moment, or an order at one of the issuers. Nothing here waits or looks at
//! a clock, so that months can be tried out in a second. All moments are seconds since the Unix epoch.

use std::collections::HashMap;

use super::budget::{Budgets, Claim, Kind};
use super::health::{Fitness, Health};
use super::schedule::{self, Life};
use super::standing::SiteStanding;
use super::terms::Issuer;
use crate::name::HostPattern;
use crate::words::wait::Wait;

/// How things are for a site.
#[derive(Clone, Copy)]
pub(super) struct Situation<'a> {
    /// Decides where within its time something is done.
    pub(super) site: &'a str,
    pub(super) standing: &'a SiteStanding,
    /// Of the certificate that serves and ends first; `None`: a host has none.
    pub(super) serving: Option<(Life, &'a str)>,
    /// What would be ordered.
    pub(super) names: &'a [HostPattern],
    /// Its name became a site because somebody asked for it.
    pub(super) is_on_demand: bool,
    /// The operator does not want to wait.
    pub(super) is_wished: bool,
    pub(super) now: i64,
}

/// How things are for all.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) issuers: &'a [Issuer],
    pub(super) health: &'a Health,
    pub(super) budgets: &'a Budgets,
    /// How many orders each issuer is working on.
    pub(super) at_work: &'a HashMap<String, usize>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// When the certificate that serves is to be renewed.
    pub(super) due: Option<i64>,
    /// When an order is to be made.
    pub(super) at: i64,
    /// Whose, when its time has come.
    pub(super) issuer: Option<usize>,
    pub(super) kind: Kind,
    pub(super) rank: Rank,
    /// What is waited for, if it is not the certificate's time.
    pub(super) waits_for: Option<Wait>,
}

/// Who comes first where not all can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// The operator waits for it.
    Wished,
    /// Its certificate is near its end, or past it.
    Urgent(i64),
    /// It has none.
    New,
    /// Its time has come.
    Due(i64),
    /// The last order came to nothing, and nothing is urgent.
    Failed(i64),
}

/// What is to be done for a site.
pub(super) fn step(situation: Situation<'_>, ground: Ground<'_>) -> Step {
    let Situation { site, standing, serving, is_wished, now, .. } = situation;
    let due = serving.map(|(life, fingerprint)| schedule::due(life, standing.suggested(fingerprint, site, now), site));
    let is_urgent = match serving {
        Some((life, _)) => schedule::emergency(life) <= now,
        None => standing.ends.is_some_and(|ended| schedule::is_just_over(ended, now)),
    };
    let kind = match serving.is_some() || standing.issued.is_some() {
        true => Kind::Renewal,
        false if situation.is_on_demand => Kind::OnDemand,
        false => Kind::New,
    };
    let rank = match (is_wished, is_urgent, standing.failures) {
        (true, ..) => Rank::Wished,
        (_, true, _) => Rank::Urgent(due.unwrap_or(i64::MIN)),
        (_, _, 1..) => Rank::Failed(due.unwrap_or(i64::MIN)),
        _ => due.map_or(Rank::New, Rank::Due),
    };
    // What a kill left open is brought to its end before its time: it costs nothing. What it has brought already is not asked for again.
    let goes_on = standing.open.as_ref().filter(|open| standing.issued.is_none_or(|issued| open.begun >= issued));
    let goes_on = goes_on.filter(|open| open.is_for(situation.names)).map(|open| &*open.issuer);
    let is_early = !is_wished && due.is_some_and(|due| due.max(settled(situation)) > now) && goes_on.is_some();
    let wait = |at, waits_for| Step { due, at, issuer: None, kind, rank, waits_for };
    if !is_wished {
        let own = due.unwrap_or(now).max(settled(situation));
        if own > now && !is_early {
            return wait(own, None);
        }
        if let Some(rest) = &standing.own_rest
            && rest.until(site, is_urgent) > now
        {
            return wait(rest.until(site, is_urgent), Some(rest.wait(None)));
        }
    }
    let mut soonest: Option<(i64, Wait)> = None;
    for (place, issuer) in
        ground.issuers.iter().enumerate().filter(|(_, issuer)| !is_early || goes_on == Some(&*issuer.name))
    {
        match obstacle(issuer, situation, ground, (kind, is_urgent)) {
            None => return Step { due, at: now, issuer: Some(place), kind, rank, waits_for: None },
            Some(obstacle) => soonest = soonest.filter(|known| known.0 <= obstacle.0).or(Some(obstacle)),
        }
    }
    match (soonest, due) {
        (Some((at, what)), _) => wait(at, Some(what)),
        // Its issuer is not configured any more.
        (None, Some(due)) if is_early => wait(due, None),
        (None, _) => wait(now + NOBODY, Some(Wait::NoIssuer)),
    }
}

/// Whether one more order may begin beside those under way, and those of them whose sites failed before for a reason of their own: a
/// few names that hang must not hold back all others.
pub(super) const fn has_room((under_way, failed): (usize, usize), has_failed: bool, at_once: usize) -> bool {
    under_way < at_once && (!has_failed || failed < at_once.div_ceil(2))
}

/// Until when an issuer cannot be asked, and why; `None`: it can.
fn obstacle(
    issuer: &Issuer,
    situation: Situation<'_>,
    ground: Ground<'_>,
    (kind, is_urgent): (Kind, bool),
) -> Option<(i64, Wait)> {
    let Situation { site, standing, names, now, .. } = situation;
    let replaces = situation.serving.is_some() && standing.issuer.as_deref() == Some(&*issuer.name);
    let claim = Claim { issuer: &issuer.name, limits: issuer.budgets, kind, names, replaces };
    // An order that is open is paid for.
    if standing.open.as_ref().is_none_or(|open| open.issuer != issuer.name)
        && let Err(empty) = ground.budgets.look(&claim, now)
    {
        return Some((empty.until, empty.what));
    }
    // The operator knows better whether something was mended, but not what an authority still counts.
    if situation.is_wished {
        return None;
    }
    if let Some(rest) = standing.resting.get(&issuer.name)
        && rest.until(site, is_urgent) > now
    {
        return Some((rest.until(site, is_urgent), rest.wait(Some(&issuer.name))));
    }
    match ground.health.of(&issuer.name, now) {
        Fitness::Well => None,
        Fitness::Doubtful if ground.at_work.get(&issuer.name).is_none_or(|orders| *orders == 0) => None,
        Fitness::Doubtful => Some((now + ANOTHER_ASKS, Wait::AnotherAsks { issuer: issuer.name.clone() })),
        Fitness::Away(until, what) => Some((until, what)),
    }
}

/// Before when nothing is ordered again because it was just issued: whatever keeps it from being served, another one would not be
/// either.
fn settled(Situation { standing, serving, names, .. }: Situation<'_>) -> i64 {
    let is_for_these = names.iter().all(|name| standing.names.contains(&name.to_string()));
    let pause = serving.map_or(UNSEEN, |(life, _)| schedule::settling(life));
    standing.issued.filter(|_| is_for_these).map_or(i64::MIN, |issued| issued.saturating_add(pause))
}

const NOBODY: i64 = 3600;
/// It is looked at again when the other one's order ends, at the latest then.
const ANOTHER_ASKS: i64 = 30;
/// A certificate that was issued and is not seen.
const UNSEEN: i64 = 3600;

#[cfg(test)]
mod tests;
