//! Configurations of peers, as their operators write them, and what they come to.

mod any_text;
mod caddy;
mod haproxy;
mod haproxy_well_known;
mod key_types;
mod nginx;
mod nginx_challenges;

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
        let joined = |list: &[super::Upstream]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let routes: String =
            site.routes.iter().map(|route| format!(" {}={}", route.path, joined(&route.upstreams))).collect();
        format!("{} {how} {}{routes}", hosts.join(","), joined(&site.upstreams))
    };
    plan.sites.iter().map(site).collect()
}

/// What else the sites and their routes say, on a line each.
fn keys(plan: &Plan) -> Vec<String> {
    let lines = |of: String, keys: &super::Keys| -> Vec<String> {
        let tables = keys.tables().into_iter();
        let line = |(table, lines): (&str, Vec<String>)| {
            let of = if table.is_empty() { of.clone() } else { format!("{of}{table}.") };
            lines.into_iter().map(move |line| format!("{of}{line}"))
        };
        tables.flat_map(line).collect()
    };
    let site = |site: &super::Site| {
        let redirects = site.redirects.iter().map(|redirect| {
            let super::Redirect { hosts, path, to, status, keep } = redirect;
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            format!("{}{path} {status} {to}{}", hosts.join(","), if *keep { " and the rest" } else { "" })
        });
        let routes = site.routes.iter().flat_map(|route| lines(format!("{} ", route.path), &route.keys));
        lines(String::new(), &site.keys).into_iter().chain(redirects).chain(routes).collect::<Vec<_>>()
    };
    plan.sites.iter().flat_map(site).collect()
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

#[test]
fn no_remark_repeats_a_secret() {
    use std::path::Path;

    let nginx = "http { server { listen 443 ssl; server_name a.example; ssl_certificate a; ssl_certificate_key b;
  secure_link_md5 hunter2; set $x hunter2; add_header X-Key hunter2; auth_basic hunter2;
  location / { proxy_pass http://u:hunter2@10.0.0.1; proxy_set_header Authorization hunter2; } } }";
    let haproxy = "frontend f\n bind :443 ssl crt x\n stats auth admin:hunter2\n use_backend b if { hdr(host) a.example }
 http-request set-header Authorization hunter2\n use_backend c if { hdr(x) hunter2 }\nbackend b\n server s u:hunter2@h:80\n";
    let caddy = "{\n acme_eab {\n key_id hunter2\n }\n}\na.example {\n tls {\n dns cloudflare hunter2\n eab hunter2\n }
 reverse_proxy http://u:hunter2@h:1 :2 {\n header_up Authorization hunter2\n }\n basicauth {\n u hunter2\n }\n}\n";
    let path = Path::new("/x/file");
    let read = [
        super::nginx(path, &super::Files::only(nginx)),
        super::haproxy(path, &super::Files::only(haproxy)),
        super::caddy(path, Some(path), &super::Files::only(caddy)),
    ];
    for plan in read {
        let plan = plan.expect("a plan");
        assert!(plan.remarks.len() > 3, "{plan:?}");
        assert!(plan.remarks.iter().all(|remark| !remark.to_string().contains("hunter2")), "{:?}", plan.remarks);
    }
}
