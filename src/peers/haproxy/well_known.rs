//! What HAProxy answers by itself below `/.well-known/`: `http-request return … file`, which is how Apple Pay's file is often shown.

use std::collections::{BTreeMap, BTreeSet};

use super::Reading;
use super::choice::{Acls, Choice, WELL_KNOWN};
use super::lines::Line;
use crate::name::{HostName, HostPattern};
use crate::peers::challenges::some_of;
use crate::peers::plan::Place;
use crate::peers::shown::{Content, ShownFile};

/// An answer, and when it is given.
pub(super) struct Returned {
    choices: Vec<Choice>,
    content: Content,
    place: Place,
}

impl Reading<'_> {
    /// Takes `http-request return [status 200] [content-type T] file|string X if …`; gives whether all of it is such a file.
    pub(super) fn returned_line(&mut self, line: &Line, acls: &Acls) -> bool {
        let Some(at) = line.words.iter().position(|word| word == "if") else { return false };
        let mut content = None;
        for pair in line.words[2..at].chunks(2) {
            match pair {
                [key, status] if key == "status" && status == "200" => {}
                [key, _] if key == "content-type" => {}
                [key, file] if key == "file" => content = Some(Content::File(self.folder.join(file))),
                [key, text] if key == "string" => content = Some(Content::Text(text.clone())),
                _ => return false,
            }
        }
        let is_file = |choice: &Choice| {
            choice
                .paths
                .as_ref()
                .is_some_and(|paths| !paths.is_empty() && paths.iter().all(|path| name_of(path).is_some()))
        };
        let choices = acls.choices(&line.words[at + 1..]).filter(|choices| choices.iter().all(is_file));
        let Some((choices, content)) = choices.zip(content) else { return false };
        self.returned.push(Returned { choices, content, place: line.place.clone() });
        true
    }

    /// Gives each host its files, when all hosts are known.
    pub(super) fn place_returned(&mut self) {
        let all: Vec<HostPattern> = self.plan.sites.iter().flat_map(|site| &site.hosts).cloned().collect();
        // The first line that answers has a request.
        let mut taken: BTreeSet<(HostName, String)> = BTreeSet::new();
        for Returned { choices, content, place } in std::mem::take(&mut self.returned) {
            let (mut by_name, mut wildcards) = (BTreeMap::<String, Vec<HostName>>::new(), Vec::new());
            for choice in choices {
                let hosts = match &choice.hosts {
                    Some(named) => self.plan.hosts(&place, named.iter().map(String::as_str)),
                    None => all.clone(),
                };
                let names: Vec<&str> = choice.paths.iter().flatten().filter_map(|path| name_of(path)).collect();
                for host in hosts {
                    let HostPattern::Exact(host) = host else {
                        wildcards.push(host);
                        continue;
                    };
                    for name in &names {
                        if taken.insert((host.clone(), (*name).to_owned())) {
                            by_name.entry((*name).to_owned()).or_default().push(host.clone());
                        }
                    }
                }
            }
            if !wildcards.is_empty() {
                wildcards.dedup();
                let text = format!("what is shown at the names of {} is not carried over", some_of(&wildcards));
                self.plan.left_out(
                    &place,
                    text,
                    "put the file into well-known/<host>/ of the drop folder for each of them",
                );
            }
            let file = |(name, hosts)| ShownFile { hosts, name, content: content.clone(), place: place.clone() };
            self.plan.shown.extend(by_name.into_iter().map(file));
        }
    }
}

/// What a file is called below `/.well-known/`; `None`: the drop folder has no room for it, or it is an authority's.
fn name_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix(WELL_KNOWN)?;
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.~".contains(&octet))
    };
    (name.split('/').all(is_plain) && !name.starts_with("acme-challenge")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::choice::APPLE_PAY;
    use super::*;

    #[test]
    fn a_file_has_the_name_that_the_drop_folder_can_give_it() {
        assert_eq!(name_of(APPLE_PAY), Some("apple-developer-merchantid-domain-association"));
        assert_eq!(name_of("/.well-known/a/b.json"), Some("a/b.json"));
        for other in ["/.well-known/", "/.well-known/../x", "/.well-known/a/", "/.well-known/acme-challenge/x", "/x"] {
            assert_eq!(name_of(other), None, "{other}");
        }
    }
}
