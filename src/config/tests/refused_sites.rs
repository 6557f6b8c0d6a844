//! What a site is refused for, and the words for it.

use super::{wrong, wrong_alone};

/// A site with one line replaced or added.
fn site(hosts: &str, rest: &str) -> String {
    format!("[[site]]\nhosts = {hosts}\n{rest}")
}

const UP: &str = "upstreams = [\"http://127.0.0.1:1\"]";

#[test]
fn a_site_needs_hosts_and_somewhere_to_go() {
    assert_eq!(
        wrong("[[site]]"),
        "v.toml:1: site.hosts: is needed: the names this site answers for\n\
         v.toml:1: site.upstreams: is needed: where requests go, such as [\"http://10.0.0.11:8080\"]; or a \
         [[site.route]]"
    );
    assert_eq!(wrong(&site("[]", UP)), "v.toml:2: site.hosts: expected at least one, found an empty list");
    assert_eq!(
        wrong(&site("[\"a.example\"]", "upstreams = []")),
        "v.toml:3: site.upstreams: expected at least one, found an empty list"
    );
    assert_eq!(
        wrong(&site("[\"a.example\"]", "[[site.route]]")),
        "v.toml:3: site.route.path: is needed: the path prefix this route serves\n\
         v.toml:3: site.route.upstreams: is needed: where the requests of this route go"
    );
    assert_eq!(
        wrong(&site("[\"a.example\"]", "route = []")),
        "v.toml:1: site.upstreams: is needed: where requests go, such as [\"http://10.0.0.11:8080\"]; \
         or a [[site.route]]"
    );
    assert_eq!(wrong_alone("site = 5"), "v.toml:1: site: expected tables, found 5; write [[site]]");
    assert_eq!(wrong_alone("site = [5]"), "v.toml:1: site: expected a table, found 5; write [[site]]");
    assert_eq!(
        wrong_alone(&format!("[site]\nhosts = [\"a.example\"]\n{UP}")),
        "v.toml:1: site: expected tables, found a table; write [[site]]"
    );
}

#[test]
fn wrong_hosts_names_and_certificates_are_told() {
    let said = [
        (
            site("[\"10.0.0.1\"]", UP),
            "v.toml:2: site.hosts: \"10.0.0.1\" is not a host name: it is an IP address, and a host name is expected",
        ),
        (site("[1]", UP), "v.toml:2: site.hosts: expected a text in quotes, found 1"),
        (
            site("[\"a.example\"]", &format!("name = \"../x\"\n{UP}")),
            "v.toml:3: site.name: expected a name of letters, digits, '-', '_' and '.', 253 at most, not \
             beginning with '.', \
             found \"../x\"",
        ),
        (
            site("[\"a.example\"]", &format!("certificate = \"managed\"\n{UP}")),
            "v.toml:3: site.certificate: \"managed\" orders certificates, which needs terms_of_service_agreed = true in [acme]: \
             read the terms of each issuer first",
        ),
        (
            "[acme]\nterms_of_service_agreed = true\n".to_owned()
                + &site("[\"*.a.example\"]", &format!("certificate = \"managed\"\n{UP}")),
            "v.toml:5: site.certificate: \"managed\" for \"*.a.example\" needs dns-01: say in [[acme.dns]] how records are written \
             and have \"dns-01\" in acme.challenges; or name each host, or use \"uploaded\"",
        ),
        (
            site("[\"a.example\"]", &format!("certificate = \"self-signed\"\n{UP}")),
            "v.toml:3: site.certificate: \"self-signed\" is for names that end with .test, .localhost, .internal, found \
             \"a.example\"; use \"uploaded\", or add the suffix to certificates.local_ca_suffixes if nobody else can have \
             such a name",
        ),
        (
            site("[\"a.example\"]", &format!("certificate = \"acme\"\n{UP}")),
            "v.toml:3: site.certificate: expected \"uploaded\", \"managed\" or \"self-signed\", found \"acme\"",
        ),
        (
            site("[\"a.example\"]", &format!("minimum_validation = \"iv\"\n{UP}")),
            "v.toml:3: site.minimum_validation: expected \"dv\", \"ov\" or \"ev\", found \"iv\"",
        ),
        (
            site("[\"a.example\"]", &format!("host = 1\n{UP}")),
            "v.toml:3: site.host: unknown key; did you mean \"hosts\"?",
        ),
    ];
    for (text, mistake) in said {
        assert_eq!(wrong(&text), mistake, "{text}");
    }
}

#[test]
fn wrong_upstreams_are_told_with_the_mend() {
    let said = [
        ("10.0.0.1:80", "found \"10.0.0.1:80\"; write \"http://10.0.0.1:80\""),
        ("shop", "found \"shop\"; write \"http://shop\""),
        (
            "ftp://shop",
            "found \"ftp://shop\"; use http://, https://, h2c:// or h2:// for HTTP/2, or unix: with the path of a socket",
        ),
        ("http:/shop", "found \"http:/shop\""),
        ("http://shop/", "found \"http://shop/\"; the request brings its own path, write \"http://shop\""),
        ("http://shop:80?x", "found \"http://shop:80?x\"; the request brings its own path, write \"http://shop:80\""),
        ("http://u:secret@shop", "found \"…@shop\"; leave out what stands before the '@'"),
        ("http://shop:0", "found \"http://shop:0\"; a port is a number of 1 to 65535"),
        ("http://shop:", "found \"http://shop:\"; a port is a number of 1 to 65535"),
        ("http://shop:+80", "found \"http://shop:+80\"; a port is a number of 1 to 65535"),
        ("http://::1", "found \"http://::1\"; an IPv6 address stands in brackets"),
        ("http://[::1]80", "found \"http://[::1]80\"; only a port may follow the ']'"),
        ("http://[10.0.0.1]", "found \"http://[10.0.0.1]\"; brackets hold an IPv6 address"),
        ("unix:", "found \"unix:\"; write the path of a socket behind it, such as \"unix:/run/shop.sock\""),
        ("unix:///run/a.sock", "found \"unix:///run/a.sock\"; write \"unix:/run/a.sock\""),
        ("http://", "found \"http://\"; \"\" is not a host name: it is empty"),
    ];
    for (upstream, mistake) in said {
        assert_eq!(
            wrong(&site("[\"a.example\"]", &format!("upstreams = [\"{upstream}\"]"))),
            format!("v.toml:3: site.upstreams: expected an upstream such as \"http://10.0.0.11:8080\", {mistake}"),
        );
    }
    assert_eq!(
        wrong(&site("[\"a.example\"]", "upstreams = \"http://u:secret@shop\"")),
        "v.toml:3: site.upstreams: expected a list, found \"…@shop\"; put it in [ ]"
    );
}

#[test]
fn wrong_paths_are_told_with_the_mend() {
    let said = [
        ("api", "it begins with a slash"),
        ("/a?b", "the query and the fragment take no part in routing, leave them out"),
        ("/a#b", "the query and the fragment take no part in routing, leave them out"),
        ("/a b", "write spaces and letters beyond ASCII as they are sent, in percent encoding"),
        ("/é", "write spaces and letters beyond ASCII as they are sent, in percent encoding"),
        ("/a/../b", "leave out the segments \".\" and \"..\""),
        ("/api/*", "a path covers everything below it, leave out the '*'"),
    ];
    for (path, mend) in said {
        assert_eq!(
            wrong(&site("[\"a.example\"]", &format!("[[site.route]]\npath = \"{path}\"\n{UP}"))),
            format!("v.toml:4: site.route.path: expected a path such as \"/api\", found \"{path}\"; {mend}"),
        );
    }
}

#[test]
fn routes_with_the_same_path_are_told() {
    let routes = format!("[[site.route]]\npath = \"/a\"\n{UP}\n[[site.route]]\npath = \"/a\"\n{UP}");
    assert_eq!(
        wrong(&site("[\"a.example\"]", &routes)),
        "v.toml:7: site.route.path: \"/a\" has a route on line 4 already; take one out"
    );
    let routes = format!("{UP}\n[[site.route]]\npath = \"/\"\n{UP}");
    assert_eq!(
        wrong(&site("[\"a.example\"]", &routes)),
        "v.toml:5: site.route.path: \"/\" is what the site's upstreams on line 3 serve; take one out"
    );
}

#[test]
fn a_host_and_a_name_have_one_site_and_both_places_are_named() {
    let two = |first: &str, second: &str| format!("[[site]]\n{first}\n{UP}\n[[site]]\n{second}\n{UP}");
    let said = [
        (
            two("hosts = [\"a.example\"]", "hosts = [\"b.example\",\n\"A.example.\"]"),
            "v.toml:6: site.hosts: \"a.example\" is a host of the site \"a.example\" at v.toml:2 already; a host \
             has one site",
        ),
        (
            two("hosts = [\"a.example\"]", "hosts = [\"a.example\"]"),
            "v.toml:5: site.hosts: \"a.example\" is a host of the site \"a.example\" at v.toml:2 already; a host \
             has one site",
        ),
        (
            two("hosts = [\"a.example\"]\nname = \"x\"", "hosts = [\"b.example\"]\nname = \"x\""),
            "v.toml:7: site.name: \"x\" is the name of the site \"x\" at v.toml:3 already; a name has one site",
        ),
        (
            two("hosts = [\"a.example\"]\nname = \"b.example\"", "hosts = [\"b.example\"]"),
            "v.toml:6: site.name: \"b.example\" is the name of the site \"b.example\" at v.toml:3 already; a name \
             has one site",
        ),
        (
            site("[\"a.example\",\n\"A.example\"]", UP),
            "v.toml:3: site.hosts: \"a.example\" is in this list on line 2 already",
        ),
    ];
    for (text, mistake) in said {
        assert_eq!(wrong(&text), mistake, "{text}");
    }
}
