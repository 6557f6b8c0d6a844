//! The files an import writes: one for each site, and the main file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::super::output;
use super::laying::Ground;
use crate::config::Config;
use crate::peers::{
    Authority, Keys, Plan, Provision, Redirect, Site, Upstream, quoted as string, quoted_list as strings,
};
use crate::telemetry::printable;

/// Texts with the names of their files below the folder.
pub(super) struct Texts {
    /// In the order of the plan's sites.
    pub(super) sites: Vec<(String, String)>,
    pub(super) main: String,
    /// Roots of authorities: file below the folder, and where it is now.
    pub(super) roots: Vec<(String, std::path::PathBuf)>,
}

/// Writes everything down. `in_place`: roots are named where they lie now.
pub(super) fn write(plan: &Plan, ground: &Ground, by: (&str, &Path), in_place: bool) -> Texts {
    let mut sites = Vec::new();
    for site in &plan.sites {
        let name = site.hosts.first().map(ToString::to_string).unwrap_or_default().replace("*.", "wildcard.");
        let taken = |file: &String| sites.iter().any(|(known, _)| known == file);
        let numbered = (2_usize..).map(|number| format!("sites.d/{name}-{number}.toml"));
        let file = std::iter::once(format!("sites.d/{name}.toml")).chain(numbered).find(|file| !taken(file));
        sites.push((file.unwrap_or_default(), site_text(site, by.0)));
    }
    let roots = plan.authorities.iter().filter_map(|authority| {
        let file = format!("roots/{}.pem", authority.name);
        Some((file, authority.ca_file.clone()?))
    });
    let main = format!("include = [\"sites.d/*.toml\"]\n\n{}", settings(plan, ground, by, in_place));
    Texts { sites, main: format!("{}{main}", origin(by)), roots: roots.collect() }
}

/// Checks the texts without writing them. Certificates are not looked at.
pub(super) fn check(plan: &Plan, ground: &Ground, by: (&str, &Path)) -> bool {
    let mut text = settings(plan, ground, by, true);
    for site in &plan.sites {
        let _ = write!(text, "\n{}", site_text(site, by.0));
    }
    match Config::parse(Path::new("vitrine.toml"), &text) {
        Ok(loaded) => {
            output::tell(&format!(
                "the configuration would hold (sites: {}); nothing was written",
                loaded.config.sites.len()
            ));
            true
        }
        Err(mistakes) => {
            output::complain(&mistakes.to_string());
            false
        }
    }
}

fn origin((peer, source): (&str, &Path)) -> String {
    format!("# By vitrine import {peer}, from {}.\n", printable(&source.to_string_lossy()))
}

fn settings(plan: &Plan, ground: &Ground, _: (&str, &Path), in_place: bool) -> String {
    let mut sections: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for setting in &plan.settings {
        sections.entry(setting.section).or_default().push(format!("{} = {}", setting.key, setting.value));
    }
    let folders = [("drop_directory", &ground.drop_directory), ("state_directory", &ground.state_directory)];
    let folders = folders.map(|(key, path)| format!("{key} = {}", string(&path.to_string_lossy())));
    sections.entry("certificates").or_default().extend(folders);
    let orders = plan.sites.iter().any(|site| site.provision == Provision::Managed);
    if orders || !plan.accounts.is_empty() {
        let acme = sections.entry("acme").or_default();
        if plan.terms_agreed {
            let directories: Vec<&str> =
                plan.authorities.iter().map(|authority| authority.directory.as_str()).collect();
            acme.push(format!("# As was agreed to there: {}", printable(&directories.join(", "))));
            acme.push("terms_of_service_agreed = true".into());
        }
        if !plan.contact.is_empty() {
            acme.push(format!("contact = {}", strings(&plan.contact)));
        }
    }
    let mut text = String::new();
    for (section, lines) in sections {
        let _ = writeln!(text, "[{section}]\n{}\n", lines.join("\n"));
    }
    for authority in plan.authorities.iter().filter(|_| orders || !plan.accounts.is_empty()) {
        text.push_str(&issuer(authority, ground, in_place));
    }
    text.trim_end().to_owned() + "\n"
}

fn issuer(authority: &Authority, ground: &Ground, in_place: bool) -> String {
    let Authority { name, directory, ca_file, profile } = authority;
    let mut text = format!("[[acme.issuer]]\nname = {}\ndirectory = {}\n", string(name), string(directory));
    if let Some(file) = ca_file {
        let file = if in_place { file.clone() } else { ground.folder.join(format!("roots/{name}.pem")) };
        let _ = writeln!(text, "ca_file = {}", string(&file.to_string_lossy()));
    }
    if let Some(profile) = profile {
        let _ = writeln!(text, "profile = {}", string(profile));
    }
    text + "\n"
}

fn site_text(site: &Site, peer: &str) -> String {
    let hosts: Vec<String> = site.hosts.iter().map(ToString::to_string).collect();
    let mut text = format!("# From {} of {peer}.\n", site.place);
    let is_unfinished = site.upstreams.is_empty() && site.routes.is_empty();
    if is_unfinished {
        text.push_str(
            "# Where its requests go is not known: name the upstreams, and take the '#' out of each line below.\n",
        );
    }
    let mut lines = vec!["[[site]]".to_owned(), format!("hosts = {}", strings(&hosts))];
    let word = match site.provision {
        Provision::Managed => "managed",
        Provision::Uploaded => "uploaded",
        Provision::SelfSigned => "self-signed",
    };
    lines.push(format!("certificate = \"{word}\""));
    lines.extend(site.key_type.map(|key| format!("key_types = [\"{}\"]", key.word())));
    if is_unfinished {
        lines.push("upstreams = [\"http://127.0.0.1:8080\"]".into());
    } else if !site.upstreams.is_empty() {
        lines.push(upstreams(&site.upstreams));
    }
    lines.extend(tables(&site.keys, "site"));
    lines.extend(site.redirects.iter().flat_map(redirect));
    for route in &site.routes {
        lines.extend([String::new(), "[[site.route]]".into(), format!("path = {}", string(&route.path))]);
        lines.push(upstreams(&route.upstreams));
        lines.extend(tables(&route.keys, "site.route"));
    }
    for line in lines {
        let _ = writeln!(text, "{}{line}", if is_unfinished { "#" } else { "" });
    }
    text
}

fn upstreams(list: &[Upstream]) -> String {
    let one = |Upstream { url, weight }: &Upstream| match weight {
        1 => string(url),
        weight => format!("{{ url = {}, weight = {weight} }}", string(url)),
    };
    format!("upstreams = [{}]", list.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// The keys of a site or route itself, and its tables behind them.
fn tables(keys: &Keys, of: &str) -> Vec<String> {
    let table = |(name, lines): (&str, Vec<String>)| match name {
        "" => lines,
        name => [vec![String::new(), format!("[{of}.{name}]")], lines].concat(),
    };
    keys.tables().into_iter().flat_map(table).collect()
}

fn redirect(redirect: &Redirect) -> Vec<String> {
    let Redirect { hosts, path, to, status, keep } = redirect;
    let mut lines = vec![String::new(), "[[site.redirect]]".to_owned()];
    if !hosts.is_empty() {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        lines.push(format!("hosts = {}", strings(&hosts)));
    }
    if path != "/" {
        lines.push(format!("path = {}", string(path)));
    }
    lines.extend([format!("to = {}", string(to)), format!("status = {status}")]);
    if !keep {
        lines.extend(["keep_path = false".to_owned(), "keep_query = false".to_owned()]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_a_string_of_toml() {
        for text in ["a\"b\\c", "\u{7f}\n\t\u{1}", "bücher", ""] {
            let path = format!("x{text}");
            let written = format!("[certificates]\ndrop_directory = {}\n", string(&path));
            let loaded = Config::parse(Path::new("x"), &written).expect("a configuration");
            assert_eq!(loaded.config.certificates.drop_directory, Path::new(&path));
        }
    }
}
