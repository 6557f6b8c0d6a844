//! Which sites are asked for, and which part of a list.

use super::query::Query;
use crate::admin::problem::Problem;
use crate::live::Site;
use crate::overview::{Band, SiteState, State};
use crate::words::refusal::Refusal;

/// Which sites are asked for.
#[derive(Default)]
pub(super) struct Wanted {
    text: Option<String>,
    state: Option<State>,
    band: Option<Band>,
    part: Part,
}

/// Which part of a list.
#[derive(Default)]
pub(super) struct Part {
    offset: usize,
    limit: Option<usize>,
}

impl Part {
    /// By `offset` and `limit`.
    pub(super) fn read(query: &Query) -> Result<Self, Problem> {
        let number =
            |name| query.number(name, MOST).map(|number| number.and_then(|number| usize::try_from(number).ok()));
        Ok(Self { offset: number("offset")?.unwrap_or(0), limit: number("limit")? })
    }

    /// That part of it.
    pub(super) fn of<T>(&self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.offset).take(self.limit.unwrap_or(usize::MAX)).collect()
    }
}

impl Wanted {
    /// What may be asked for.
    pub(super) const NAMES: &'static [&'static str] = &["q", "state", "band", "contact", "offset", "limit"];

    pub(super) fn read(query: &Query) -> Result<Self, Problem> {
        Ok(Self {
            text: query.value("q").map(str::to_lowercase),
            state: word(query, "state", &State::ALL, State::word)?,
            band: word(query, "band", &Band::ALL, Band::word)?,
            part: Part::read(query)?,
        })
    }

    /// Whether a site is among them, wherever in the list.
    pub(super) fn takes(&self, site: &Site, state: &SiteState) -> bool {
        self.state.is_none_or(|wanted| wanted == state.state)
            && self.band.is_none_or(|wanted| wanted == state.band)
            && self.text.as_deref().is_none_or(|text| {
                site.name.to_lowercase().contains(text) || site.hosts.iter().any(|host| host.to_string().contains(text))
            })
    }

    /// The part of the list that is asked for.
    pub(super) fn part<T>(&self, all: Vec<T>) -> Vec<T> {
        self.part.of(all)
    }
}

/// A word of a closed set.
pub(super) fn word<T: Copy, const N: usize>(
    query: &Query,
    name: &str,
    all: &[T; N],
    word: fn(T) -> &'static str,
) -> Result<Option<T>, Problem> {
    let Some(value) = query.value(name) else { return Ok(None) };
    let found = all.iter().copied().find(|one| word(*one) == value);
    found.map(Some).ok_or_else(|| {
        let known = all.map(word).join(", ");
        Problem::malformed(format!("{name}: expected one of {known}, found {value:?}"))
            .because(Refusal::NotOffered(known))
    })
}

/// More than an edge has sites.
const MOST: u64 = 1 << 32;
