//! What an import tells.

use super::carrying::Carried;
use super::laying::Ground;
use super::text::Texts;
use crate::peers::{Provision, Weight};

/// Everything that was carried over, and what was not.
pub(super) fn of(carried: &Carried, texts: &Texts, ground: &Ground, is_dry: bool) -> String {
    let plan = &carried.plan;
    let mut lines = Vec::new();
    for (site, (file, _)) in plan.sites.iter().zip(&texts.sites) {
        let hosts: Vec<String> = site.hosts.iter().map(ToString::to_string).collect();
        let how = match site.provision {
            Provision::Managed => "managed",
            Provision::Uploaded => "uploaded",
            Provision::SelfSigned => "self-signed",
        };
        let mut ways: Vec<String> = site.upstreams.iter().map(ToString::to_string).collect();
        for route in &site.routes {
            let upstreams: Vec<String> = route.upstreams.iter().map(ToString::to_string).collect();
            ways.push(format!("{} to {}", route.path, upstreams.join(" ")));
        }
        ways.extend(site.redirects.iter().map(|redirect| format!("{} leads to {}", redirect.path, redirect.to)));
        let ways = if ways.is_empty() { "no upstream yet".into() } else { ways.join(", ") };
        let tables: Vec<&str> =
            site.keys.tables().into_iter().map(|(table, _)| table).filter(|table| !table.is_empty()).collect();
        let with = if tables.is_empty() { String::new() } else { format!(", with {}", tables.join(", ")) };
        lines.push(format!("site {} ({how}): {ways}{with}; {file}", hosts.join(" ")));
    }
    for (certificate, copied) in plan.certificates.iter().zip(&carried.certificates) {
        let from: Vec<String> = certificate.files.iter().map(|file| file.display().to_string()).collect();
        let to = ground.drop_directory.join(&copied.folder);
        lines.push(format!("certificate {}: {}", from.join(" with "), to.display()));
    }
    for file in &plan.shown {
        let path = ground.shown_at(&file.hosts[0]).join(&file.name);
        let more = match file.hosts.len() - 1 {
            0 => String::new(),
            more => format!(" and for {more} more hosts"),
        };
        lines.push(format!("well-known file /.well-known/{}: {}{more}", file.name, path.display()));
    }
    for account in &carried.accounts {
        let to = ground.state_directory.join("acme").join(&account.issuer);
        lines.push(format!("account at {}: {}", account.directory, to.display()));
    }
    if ground.has_main {
        lines.push(format!("{} is there already and stays as it is; this would be in it:", ground.main().display()));
        lines.extend(texts.main.lines().filter(|line| !line.is_empty()).map(|line| format!("  {line}")));
    }
    for (weight, title) in [(Weight::LeftOut, "left out"), (Weight::Note, "note")] {
        let remarks = plan.remarks.iter().filter(|remark| remark.weight == weight);
        lines.extend(remarks.map(|remark| format!("{title}: {remark}")));
    }
    let of = |weight| plan.remarks.iter().filter(|remark| remark.weight == weight).count();
    let would = if is_dry { "would be carried over" } else { "carried over" };
    lines.push(format!(
        "{would}: sites: {}, certificates: {}, accounts: {}; left out: {}, notes: {}",
        plan.sites.len(),
        carried.certificates.len(),
        carried.accounts.len(),
        of(Weight::LeftOut),
        of(Weight::Note)
    ));
    lines.join("\n")
}
