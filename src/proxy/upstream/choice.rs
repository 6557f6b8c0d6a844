//! Which of a group's upstreams a request goes to.

use std::cell::Cell;

use crate::live::{BalanceMethod, Kept, Member, UpstreamGroup, bid};

/// What of a request decides where it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::proxy) struct Asked {
    /// By whom or for what it is asked, as a number, where one upstream is to get all of these.
    pub(in crate::proxy) key: Option<u64>,
    /// The upstream that the client's cookie names.
    pub(in crate::proxy) kept: Option<Kept>,
}

/// Whose turn it is in a group, as one worker has it.
pub(in crate::proxy) struct Rota {
    /// What each upstream is owed.
    owed: Box<[Cell<i64>]>,
}

impl Rota {
    pub(in crate::proxy) fn of(group: &UpstreamGroup) -> Self {
        Self { owed: group.members.iter().map(|_| Cell::new(0)).collect() }
    }

    /// Whose turn it is among those that fit, each as often as its share says and as evenly as that goes: nginx's smooth weighted round
    /// robin.
    fn turn(&self, group: &UpstreamGroup, fits: impl Fn(usize, &Member) -> bool) -> Option<usize> {
        let mut best: Option<(i64, usize)> = None;
        let mut all = 0;
        for ((place, member), owed) in group.members.iter().enumerate().zip(&self.owed) {
            if !fits(place, member) {
                continue;
            }
            let share = i64::try_from(group.share(member)).unwrap_or(1);
            owed.set(owed.get() + share);
            all += share;
            if best.is_none_or(|(most, _)| owed.get() > most) {
                best = Some((owed.get(), place));
            }
        }
        let (owed, place) = best?;
        self.owed[place].set(owed - all);
        Some(place)
    }
}

/// The upstreams of a group in the order in which one request finds them.
pub(super) struct Choice<'a> {
    group: &'a UpstreamGroup,
    rota: &'a Rota,
    asked: Asked,
    /// Those that are out of the question: nearly always none, which costs no memory.
    out: Vec<usize>,
    /// Those that would do and have as many requests as they may.
    full: Vec<usize>,
    last: Option<usize>,
}

impl<'a> Choice<'a> {
    /// That in the place `without` is out of the question.
    pub(super) fn new(group: &'a UpstreamGroup, rota: &'a Rota, asked: Asked, without: Option<usize>) -> Self {
        Self { group, rota, asked, out: Vec::from_iter(without), full: Vec::new(), last: None }
    }

    /// The last one has as many requests as it may. True: another one will not do, as the client's cookie names this one.
    pub(super) fn is_full(&mut self) -> bool {
        self.full.extend(self.last);
        self.last.is_some() && self.last == self.asked.kept.map(|kept| kept.place)
    }

    /// Those that would do and have as many requests as they may.
    pub(super) fn full(&self) -> &[usize] {
        &self.full
    }

    /// The best of those that fit.
    fn best(&self, fits: impl Fn(&Member) -> bool) -> Option<usize> {
        let members = &self.group.members;
        let fits = |place: usize, member: &Member| !self.out.contains(&place) && fits(member);
        match (&self.group.balance.method, self.asked.key) {
            (BalanceMethod::Client | BalanceMethod::Cookie(_), Some(key)) => {
                let fitting = members.iter().enumerate().filter(|(place, member)| fits(*place, member));
                let bids = fitting.map(|(place, member)| (place, bid(key, member.number, self.group.share(member))));
                bids.max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(place, _)| place)
            }
            (BalanceMethod::LeastRequests, _) => {
                // Of two, a has fewer for its share if open(a) / share(a) is smaller.
                let load = |member: &Member| {
                    (u64::from(member.load.as_ref().map_or(0, |load| load.open())), self.group.share(member))
                };
                let fitting = members.iter().enumerate().filter(|(place, member)| fits(*place, member));
                let loads = fitting.map(|(_, member)| load(member));
                let (least, by) = loads.min_by(|(one, share), (other, by)| (one * by).cmp(&(other * share)))?;
                self.rota.turn(self.group, |place, member| {
                    let (open, share) = load(member);
                    fits(place, member) && open * by <= least * share
                })
            }
            _ => self.rota.turn(self.group, fits),
        }
    }
}

impl Iterator for Choice<'_> {
    type Item = usize;

    /// One that is left alone is passed over, and one without weight comes after all others. When there is no other, somebody is better than
    /// nobody.
    fn next(&mut self) -> Option<usize> {
        self.out.extend(self.last.take());
        let members = &self.group.members;
        // Most shops have one.
        if let [only] = &members[..]
            && self.out.is_empty()
            && only.state.is_open()
        {
            self.last = Some(0);
            return self.last;
        }
        if let Some(Kept { place, .. }) = self.asked.kept
            && !self.out.contains(&place)
            && members.get(place).is_some_and(|member| member.state.keeps_clients())
        {
            self.last = Some(place);
            return self.last;
        }
        let mut chosen = None;
        for is_spare in [false, true] {
            let is_such = |member: &Member| (member.weight == 0) == is_spare;
            let first = self.best(|member| is_such(member) && member.state.seems_to_admit());
            // One whose rest is over lets a single request try.
            chosen = first.filter(|place| members[*place].state.admits());
            if chosen.is_none() && first.is_some() {
                chosen = self.best(|member| is_such(member) && member.state.is_open());
            }
            // Who has no weight, or is left alone, is for when nobody else is there: not for when others are busy.
            if chosen.is_none() && !self.full.is_empty() {
                return None;
            }
            if chosen.is_some() {
                break;
            }
        }
        self.last = chosen.or_else(|| self.best(|member| member.state.is_better_than_nobody()));
        self.last
    }
}

#[cfg(test)]
mod tests;
