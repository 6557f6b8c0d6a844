//! Configurations of peers, as their operators write them, and what they come to.

mod any_text;
mod caddy;
mod haproxy;
mod nginx;

use super::{Plan, Provision, Weight};

/// Sites on a line each.
fn sites(plan: &Plan) -> Vec<String> {
    let site = |site: &super::Site| {
        let hosts: Vec<String> = site.hosts.iter().map(ToString::to_string).collect();
        let how = match site.provision {
            Provision::Managed => "managed",
            Provision::Uploaded => "uploaded",
            Provision::SelfSigned => "self-signed",
        };
        let routes: String =
            site.routes.iter().map(|route| format!(" {}={}", route.path, route.upstreams.join(","))).collect();
        format!("{} {how} {}{routes}", hosts.join(","), site.upstreams.join(","))
    };
    plan.sites.iter().map(site).collect()
}

/// What was left out: line and sentence.
fn left_out(plan: &Plan) -> Vec<String> {
    of(plan, Weight::LeftOut)
}

/// What is noted.
fn notes(plan: &Plan) -> Vec<String> {
    of(plan, Weight::Note)
}

fn of(plan: &Plan, weight: Weight) -> Vec<String> {
    let remarks = plan.remarks.iter().filter(|remark| remark.weight == weight);
    remarks.map(|remark| format!("{}: {}", remark.place.as_ref().map_or(0, |place| place.line), remark.text)).collect()
}

/// Keys of the main file.
fn settings(plan: &Plan) -> Vec<String> {
    plan.settings.iter().map(|set| format!("{}.{} = {}", set.section, set.key, set.value)).collect()
}
