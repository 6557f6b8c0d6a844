//! What is said of a site's answers: what it comes to, and what is refused.

use std::time::Duration;

use http::StatusCode;

use super::{parse, warnings, wrong_alone};
use crate::limits::Limits;
use crate::live::{Access, Maintenance, Policy, RateLimit, Redirect, RedirectTarget, RouteTable, Www};
use crate::name::HostPattern;

const UP: &str = "upstreams = [\"http://127.0.0.1:1\"]";

fn site(rest: &str) -> String {
    format!("[[site]]\nhosts = [\"a.example\", \"www.a.example\"]\n{UP}\n{rest}\n")
}

fn policy(rest: &str) -> Policy {
    let loaded = parse(&site(rest)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(warnings(&loaded), "");
    loaded.config.sites.into_iter().next().expect("a site").policy
}

fn refused(rest: &str, mistake: &str) {
    assert_eq!(wrong_alone(&site(rest)), format!("v.toml:{mistake}"), "{rest}");
}

#[test]
fn a_site_says_nothing_unless_it_does() {
    assert_eq!(policy(""), Policy::default());
}

#[test]
fn a_redirect_is_read_with_its_defaults() {
    let read = policy("[[site.redirect]]\nhosts = [\"www.a.example\"]\nto = \"https://B.example:8443/x\"");
    let rule = Redirect {
        hosts: [HostPattern::parse("www.a.example").expect("a host")].into(),
        path: "/".into(),
        to: RedirectTarget { origin: Some("https://b.example:8443".into()), host: None, path: "/x".into() },
        status: StatusCode::PERMANENT_REDIRECT,
        keep_path: true,
        keep_query: true,
    };
    assert_eq!(read.redirects.rules, Some([rule].into()));
}

#[test]
fn wrong_redirects_are_told_with_the_mend() {
    let to = |to: &str, rest: &str| format!("[[site.redirect]]\nto = {to:?}\n{rest}");
    let what =
        "5: site.redirect.to: expected an address such as \"https://shop.example\", or a path such as \"/new\", found";
    for (text, mistake) in [
        ("[[site.redirect]]".into(), "4: site.redirect.to: is needed: where to, such as \"https://shop.example\" or \"/new\"".to_owned()),
        (to("b.example", ""), format!("{what} \"b.example\"; write \"https://b.example\"")),
        (to("//b.example", ""), format!("{what} \"//b.example\"; two slashes begin the name of another host; write \"https://…\"")),
        (to("https://u:pw@b.example", ""), format!("{what} \"…@b.example\"; leave out what stands before the '@'")),
        (to("https://b.example/?x", ""), format!("{what} \"https://b.example/?x\"; leave out the query and the fragment; the request's own query is kept with keep_query")),
        (to("https://b.example:0", ""), format!("{what} \"https://b.example:0\"; a port is a number of 1 to 65535")),
        (to("https://", ""), format!("{what} \"https://\"; what stands behind :// is no host")),
        (to("https://a b", ""), format!("{what} \"https://a b\"; write spaces and letters beyond ASCII as they are sent, in percent encoding")),
        (to("/new", "status = 303\npath = \"/old\""), "6: site.redirect.status: expected 301, 302, 307 or 308, found 303".into()),
        (to("/old/new", "path = \"/old\""), "5: site.redirect.to: leads back below \"/old\", which it leads away from".into()),
        (to("http://a.example", ""), "5: site.redirect.to: leads to plain HTTP at a host of the site, from where it leads back; write \"https://…\"".into()),
        (to("/new", "path = \"/old\"\nhosts = [\"b.example\"]"), "7: site.redirect.hosts: \"b.example\" is no host of the site".into()),
    ] {
        refused(&text, &mistake);
    }
    refused("www = \"bare\"", "4: site.www: expected \"remove\", \"add\" or \"keep\", found \"bare\"");
}

#[test]
fn a_www_that_no_host_has_is_warned_of() {
    let loaded = parse(&format!("[[site]]\nhosts = [\"a.example\"]\n{UP}\nwww = \"remove\"\n")).expect("no mistakes");
    assert_eq!(
        warnings(&loaded),
        "v.toml:4: site.www: has no effect: no host of the site is there with and without \"www.\"; list both in hosts"
    );
}

#[test]
fn what_a_site_does_not_say_is_as_its_model_has_it() {
    let model = site("name = \"model\"\nwww = \"remove\"\n[[site.redirect]]\npath = \"/old\"\nto = \"/new\"");
    let of_second = |rest: &str| {
        let text = format!("{model}[[site]]\nhosts = [\"b.example\", \"www.b.example\"]\nlike = \"model\"\n{rest}");
        let loaded = parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        loaded.config.sites.into_iter().nth(1).expect("a site").policy
    };
    let inherited = of_second("");
    assert_eq!(
        (inherited.redirects.www, inherited.redirects.rules.map(|rules| rules.len())),
        (Some(Www::Remove), Some(1))
    );
    let own = of_second("www = \"keep\"\nredirect = []");
    assert_eq!((own.redirects.www, own.redirects.rules), (Some(Www::Keep), Some([].into())));
}

#[test]
fn a_prefix_of_a_redirect_is_one_of_a_route() {
    refused(
        "[[site.redirect]]\nto = \"/new\"\npath = \"old\"",
        "6: site.redirect.path: expected a path such as \"/api\", found \"old\"; it begins with a slash",
    );
}

#[test]
fn hsts_is_written_as_browsers_read_it() {
    for (text, value) in [
        ("max_age = \"1h\"", "max-age=3600"),
        ("max_age = \"0s\"", "max-age=0"),
        ("max_age = \"30d\"\ninclude_subdomains = true", "max-age=2592000; includeSubDomains"),
        (
            "max_age = \"365d\"\ninclude_subdomains = true\npreload = true",
            "max-age=31536000; includeSubDomains; preload",
        ),
    ] {
        let hsts = policy(&format!("[site.hsts]\n{text}")).hsts.expect("it is there");
        assert_eq!(hsts.value, value);
    }
}

#[test]
fn what_browsers_would_not_ship_with_is_a_mistake() {
    for (text, mistake) in [
        (
            "[site.hsts]",
            "4: site.hsts.max_age: is needed: for how long browsers come over HTTPS alone, such as \"365d\"; begin with \"1h\"",
        ),
        (
            "[site.hsts]\nmax_age = \"364d\"\ninclude_subdomains = true\npreload = true",
            "7: site.hsts.preload: needs a max_age of \"365d\" or more (hstspreload.org)",
        ),
        (
            "[site.hsts]\nmax_age = \"365d\"\npreload = true",
            "6: site.hsts.preload: needs include_subdomains = true (hstspreload.org): make sure that every name below has HTTPS",
        ),
    ] {
        refused(text, mistake);
    }
    let below = format!(
        "[[site]]\nhosts = [\"shop.a.example\"]\n{UP}\n[site.hsts]\nmax_age = \"365d\"\ninclude_subdomains = true\npreload = true\n"
    );
    assert_eq!(
        wrong_alone(&below),
        "v.toml:7: site.hsts.preload: is taken of names alone that one registers (hstspreload.org), and no host of this site is one"
    );
}

#[test]
fn fields_are_read_by_name_and_value() {
    let read = policy("[site.response_headers]\nset = [\"X-Frame-Options: DENY\"]\nremove = [\"Server\"]");
    let rules = read.response_headers.expect("rules");
    assert_eq!(rules.set, [("x-frame-options".parse().expect("a name"), "DENY".parse().expect("a value"))].into());
    assert_eq!((rules.remove, rules.add), (["server".parse().expect("a name")].into(), [].into()));
}

#[test]
fn fields_that_are_not_the_sites_are_refused_by_name() {
    for (name, why) in [
        ("Content-Length", "it says where a message ends"),
        ("TRANSFER-ENCODING", "it says where a message ends"),
        ("Trailer", "it says where a message ends"),
        ("Connection", "it concerns one connection alone"),
        ("Upgrade", "it concerns one connection alone"),
        ("Sec-WebSocket-Accept", "it belongs to the handshake of a WebSocket"),
        ("Strict-Transport-Security", "[site.hsts] is for it"),
    ] {
        let shown = name.to_lowercase();
        for (table, key, field) in [
            ("request", "set", format!("{name}: 1")),
            ("request", "add", format!("{name}: 1")),
            ("response", "remove", name.to_owned()),
        ] {
            refused(
                &format!("[site.{table}_headers]\n{key} = [{field:?}]"),
                &format!("5: site.{table}_headers.{key}: {shown:?} cannot be touched: {why}; take it out"),
            );
        }
    }
    for (name, why) in [
        ("host", "it says which site is asked for"),
        ("expect", "it is for the edge"),
        ("x-forwarded-for", "the edge says there who asked, which nobody else may"),
        ("forwarded", "the edge says there who asked, which nobody else may"),
        ("x-real-ip", "the edge says there who asked, which nobody else may"),
        ("x-request-id", "the edge says there who asked, which nobody else may"),
        ("x_shop", "shops may read it as the same name with a dash"),
        ("cookie", "a request has one line of cookies, the client's"),
    ] {
        refused(
            &format!("[site.request_headers]\nset = [\"{name}: 1\"]"),
            &format!("5: site.request_headers.set: {name:?} cannot be touched: {why}; take it out"),
        );
    }
    assert_eq!(policy("[site.request_headers]\nremove = [\"cookie\"]").request_headers.expect("rules").remove.len(), 1);
}

#[test]
fn wrong_fields_are_told_without_their_values() {
    for (text, mistake) in [
        (
            "set = [\"secret\"]",
            "set: expected a field such as \"X-Frame-Options: DENY\", found a text without a colon; write \"Name: value\"",
        ),
        (
            "set = [\"a b: secret\"]",
            "set: expected a field such as \"X-Frame-Options: DENY\", found another name than fields have before the colon",
        ),
        (
            "set = [\"a: secr\\u0000et\"]",
            "set: expected printable ASCII behind \"a:\", found other characters; encode them",
        ),
        ("set = \"a: secret\"", "set: expected a list, found something else; put it in [ ]"),
        ("set = [\"a: 1\", \"A: 2\"]", "set: \"a\" is set on line 5 already; take one out, or add it"),
        (
            "remove = [\"a: secret\"]",
            "remove: expected the name of a field such as \"Server\", found a text that is none; leave out the colon and what follows",
        ),
    ] {
        refused(&format!("[site.request_headers]\n{text}"), &format!("5: site.request_headers.{mistake}"));
    }
    let shown = format!("{:?}", policy("[site.request_headers]\nset = [\"Authorization: Basic secret\"]"));
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn limits_of_a_route_go_before_those_of_its_site_and_both_before_the_edges() {
    let route = format!("[[site.route]]\npath = \"/media\"\n{UP}\n[site.route.limits]\nbody_size = \"1GiB\"");
    let text = site(&format!("[site.limits]\nbody_size = \"0\"\nbody_idle_timeout = \"5m\"\n{route}"));
    let config = parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes}")).config;
    let edge = Limits { body_size: 7, ..Limits::default() };
    let table = RouteTable::new(config.sites, edge.clone(), Vec::new(), 443);
    let limits_of = |path| table.sites()[0].route(path).expect("a route").limits.as_deref().cloned();
    let own = |body_size| Some(Limits { body_size, body_idle_timeout: Duration::from_secs(300), ..edge.clone() });
    assert_eq!((limits_of("/"), limits_of("/media/x")), (own(0), own(1 << 30)));
    refused(
        "[site.limits]\nheader_timeout = \"1s\"",
        "5: site.limits.header_timeout: unknown key; it belongs in [limits]",
    );
    refused(
        "[site.limits]\nbody_idle_timeout = \"0s\"",
        "5: site.limits.body_idle_timeout: expected a duration of 1ms to 1d, found \"0s\"",
    );
}

#[test]
fn a_site_that_is_like_another_has_its_routes_with_their_limits() {
    let route = format!("[[site.route]]\npath = \"/media\"\n{UP}\n[site.route.limits]\nbody_size = \"1GiB\"\n");
    let model = site(&format!("[site.limits]\nbody_size = \"1MiB\"\n{route}"))
        + "[[site]]\nhosts = [\"b.example\"]\nlike = \"a.example\"\n";
    let loaded =
        parse(&(model + "[site.limits]\nbody_idle_timeout = \"5m\"\n")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let policy = &loaded.config.sites[1].policy;
    assert_eq!(policy.routes, loaded.config.sites[0].policy.routes);
    assert_eq!(
        (policy.limits.body_size, policy.limits.body_idle_timeout),
        (Some(1 << 20), Some(Duration::from_secs(300)))
    );
}

#[test]
fn networks_are_read_for_a_site_and_for_a_route() {
    let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a network")).collect::<Vec<_>>();
    let route = format!("[[site.route]]\npath = \"/admin\"\n{UP}\nallow = [\"10.0.0.0/8\"]");
    let read = policy(&format!("deny = [\"192.0.2.0/24\"]\n{route}"));
    assert_eq!(read.access, Some(Access::new(&[], &networks(&["192.0.2.0/24"]))));
    assert_eq!(read.routes[0].access, Some(Access::new(&networks(&["10.0.0.0/8"]), &[])));
    refused(
        "deny = [\"10.0.0.1\"]",
        "4: site.deny: expected a network such as \"10.0.0.0/8\", found \"10.0.0.1\"; write \"10.0.0.1/32\" for this address alone",
    );
}

#[test]
fn pages_are_read_from_a_folder_and_broken_ones_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = format!("error_pages = {:?}", folder.path());
    let read =
        || parse(&site(&said)).map(|loaded| (warnings(&loaded), loaded.sources, loaded.config.sites[0].policy.clone()));
    let path = folder.path().display();
    let (warning, sources, _) = read().expect("no mistakes");
    let empty =
        format!("v.toml:4: site.error_pages: {path}: holds no page; name them after their status, such as 404.html");
    assert_eq!((warning, sources.contains(&folder.path().into())), (empty, true));
    for (name, content) in [("404.html", "gone"), ("maintenance.html", "back soon"), ("style.css", "")] {
        std::fs::write(folder.path().join(name), content).expect("written");
    }
    let pages = read().expect("no mistakes").2.error_pages.expect("pages");
    assert_eq!((pages.of(404).map(|page| &**page), pages.of(502)), (Some(&b"gone"[..]), None));
    assert_eq!(pages.maintenance.as_deref(), Some(&b"back soon"[..]));
    std::fs::write(folder.path().join("502.html"), "").expect("written");
    let mistake = format!("v.toml:4: site.error_pages: {path}/502.html: expected a page, found an empty file");
    assert_eq!(read().map(drop).expect_err("a mistake").to_string(), mistake);
}

#[test]
fn maintenance_is_off_until_it_is_on() {
    let read = |rest: &str| policy(&format!("[site.maintenance]\n{rest}")).maintenance.expect("it is there");
    let five = Duration::from_secs(300);
    assert_eq!(read(""), Maintenance { on: false, retry_after: five, allow: None });
    assert!(read("on = true").on);
    refused(
        "[site.maintenance]\nretry_after = \"500ms\"",
        "5: site.maintenance.retry_after: expected a duration of 1s to 30d, found \"500ms\"",
    );
}

#[test]
fn a_rate_is_read_as_a_time_between_two_tokens() {
    for (text, interval, burst) in [
        ("rate = \"10/s\"", Duration::from_millis(100), 10),
        ("rate = \"30/m\"\nburst = 5", Duration::from_secs(2), 5),
        ("rate = \"3600/h\"", Duration::from_secs(1), 3600),
        ("rate = \"1000/s\"", Duration::from_millis(1), 1000),
    ] {
        let read = policy(&format!("[site.rate_limit]\n{text}")).rate_limit;
        assert_eq!(read, Some(RateLimit { interval, burst, ipv4_prefix: 32, ipv6_prefix: 64 }), "{text}");
    }
    let what = "5: site.rate_limit.rate: expected a rate such as \"10/s\", found";
    for (text, mistake) in [
        ("", "4: site.rate_limit.rate: is needed: how often each client network may ask, such as \"10/s\"".to_owned()),
        ("rate = 10", format!("{what} 10")),
        ("rate = \"10\"", format!("{what} \"10\"; write a number, a slash, and s, m or h")),
        ("rate = \"10r/d\"", format!("{what} \"10r/d\"; behind the slash stands s, m or h")),
        ("rate = \"0/s\"", format!("{what} \"0/s\"; a whole number of 1 to 1000 is needed before /s")),
        ("rate = \"60001/m\"", format!("{what} \"60001/m\"; a whole number of 1 to 60000 is needed before /m")),
        (
            "rate = \"1/s\"\nburst = 0",
            "6: site.rate_limit.burst: expected a whole number of 1 to 1000000, found 0".into(),
        ),
    ] {
        refused(&format!("[site.rate_limit]\n{text}"), &mistake);
    }
}
