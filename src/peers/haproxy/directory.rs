//! Which choices a name has, found without asking each of thousands.

use std::collections::HashMap;

use super::choice::Choice;
use super::frontend::Rule;
use crate::name::HostPattern;

/// The choices of all rules that are not for plain HTTP alone, by the names they are for.
pub(super) struct Directory<'r> {
    choices: Vec<(&'r Rule, &'r Choice)>,
    /// By the name itself, a wildcard's too.
    by_name: HashMap<HostPattern, Vec<usize>>,
    /// Those that are for every name.
    broad: Vec<usize>,
}

impl<'r> Directory<'r> {
    pub(super) fn of(rules: &'r [Rule]) -> Self {
        let each = rules.iter().flat_map(|rule| rule.choices.iter().map(move |choice| (rule, choice)));
        let choices: Vec<_> = each.filter(|(_, choice)| !choice.is_plain).collect();
        let (mut by_name, mut broad) = (HashMap::<HostPattern, Vec<usize>>::new(), Vec::new());
        for (place, (_, choice)) in choices.iter().enumerate() {
            let Some(named) = &choice.hosts else {
                broad.push(place);
                continue;
            };
            for name in named.iter().filter_map(|name| HostPattern::parse(name).ok()) {
                by_name.entry(name).or_default().push(place);
            }
        }
        Self { choices, by_name, broad }
    }

    /// The choices of a name, in the order of the rules.
    pub(super) fn of_host(&self, host: &HostPattern) -> Vec<(&'r Rule, &'r Choice)> {
        let of_name = covering(host).into_iter().filter_map(|name| self.by_name.get(&name)).flatten();
        let mut places: Vec<usize> = self.broad.iter().chain(of_name).copied().collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| self.choices.get(place).copied()).collect()
    }
}

/// The names that cover a name: itself, and of a whole name the wildcard of what stands behind its first label.
pub(super) fn covering(host: &HostPattern) -> Vec<HostPattern> {
    let wildcard = match host {
        HostPattern::Exact(exact) => exact.as_str().split_once('.'),
        HostPattern::Wildcard(_) => None,
    };
    let wildcard = wildcard.and_then(|(_, base)| HostPattern::parse(&format!("*.{base}")).ok());
    [Some(host.clone()), wildcard].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_covered_by_what_covers_it_and_nothing_else() {
        let pattern = |text: &str| HostPattern::parse(text).expect("a pattern");
        let names =
            ["shop.example", "*.shop.example", "a.shop.example", "a.b.shop.example", "*.b.shop.example", "localhost"];
        for host in names.map(pattern) {
            for name in names.map(pattern) {
                let covers = match &host {
                    HostPattern::Exact(exact) => name.covers(exact.as_str()),
                    HostPattern::Wildcard(_) => name == host,
                };
                assert_eq!(covering(&host).contains(&name), covers, "{name} and {host}");
            }
        }
    }
}
