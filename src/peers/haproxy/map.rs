//! A map that finds the backend of each name: `use_backend %[req.hdr(host),lower,map(hosts.map,shop)]`.

use super::Reading;
use super::choice::Choice;
use super::frontend::Rule;
use super::lines::{self, Line};

impl Reading<'_> {
    /// What such a line stands for, a rule for each backend with all its names; `None`: it finds the backend by something else.
    pub(super) fn mapped(&self, line: &Line) -> Option<Vec<Rule>> {
        let (file, default) = asked(line.word(1))?;
        // A condition beside the map would have to hold for each name.
        if !line.word(2).is_empty() {
            return None;
        }
        let text = self.files.text(&self.folder.join(file)).ok()?;
        let mut backends: Vec<(String, Vec<String>)> = Vec::new();
        for line in text.lines() {
            let words = lines::words(line)?;
            let Some(name) = words.first() else { continue };
            let backend = words.get(1)?;
            match backends.iter_mut().find(|(known, _)| known == backend) {
                Some((_, names)) => names.push(name.clone()),
                None => backends.push((backend.clone(), vec![name.clone()])),
            }
        }
        let rule = |hosts, backend| Rule {
            choices: vec![Choice { hosts, ..Choice::default() }],
            backend,
            place: line.place.clone(),
        };
        let named = backends.into_iter().map(|(backend, names)| rule(Some(names), backend));
        Some(named.chain(default.map(|backend| rule(None, backend.to_owned()))).collect())
    }
}

/// The file and the backend of all other names, where the whole name is looked up as it is, or in small letters.
fn asked(word: &str) -> Option<(&str, Option<&str>)> {
    let inner = word.strip_prefix("%[")?.strip_suffix(")]")?;
    let (fetch, rest) = inner.split_once(',')?;
    if !matches!(fetch, "hdr(host)" | "req.hdr(host)" | "req.fhdr(host)" | "ssl_fc_sni") {
        return None;
    }
    let (converters, map) = ["map(", "map_str("].iter().find_map(|kind| rest.split_once(kind))?;
    if !converters.replace("field(1,:)", "").split(',').all(|one| matches!(one, "" | "lower" | "host_only")) {
        return None;
    }
    let (file, default) = map.split_once(',').map_or((map, None), |(file, default)| (file, Some(default)));
    (!file.is_empty() && !file.contains(['(', ')'])).then_some((file, default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_whole_names_is_understood_and_no_other() {
        for (word, expected) in [
            ("%[req.hdr(host),lower,map(/etc/hosts.map,shop)]", Some(("/etc/hosts.map", Some("shop")))),
            ("%[req.hdr(host),field(1,:),lower,map_str(hosts.map)]", Some(("hosts.map", None))),
            ("%[ssl_fc_sni,map(hosts.map)]", Some(("hosts.map", None))),
            ("%[req.hdr(host),lower,map_reg(hosts.map)]", None),
            ("%[path,map(paths.map)]", None),
            ("%[req.hdr(host),sub(1),map(hosts.map)]", None),
            ("%[var(txn.backend)]", None),
            ("shop", None),
        ] {
            assert_eq!(asked(word), expected, "{word}");
        }
    }
}
