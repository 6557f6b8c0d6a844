//! Whatever a file holds, reading it ends, without a panic.

use std::path::Path;

use proptest::prelude::*;

use crate::peers::{Files, Plan, caddy, haproxy, nginx};

/// Words that grammars are made of, in any order: what is nearly right goes deeper than noise.
fn nearly_right() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "{",
        "}",
        ";",
        "\n",
        "\n  ",
        " ",
        "\"",
        "'",
        "`",
        "#",
        "\\",
        "http",
        "server",
        "listen 443 ssl",
        "server_name a.example",
        "location /a/",
        "location = /",
        "proxy_pass http://a:1",
        "upstream a",
        "return 301 https://$host",
        "ssl_certificate x",
        "ssl_certificate_key y",
        "include a;",
        "client_max_body_size 10m",
        "frontend f",
        "backend b",
        "listen l",
        "defaults",
        "global",
        "bind :443 ssl crt x",
        "acl a hdr(host) a.example",
        "use_backend b if a",
        "if { path_beg /x }",
        "!{ ssl_fc }",
        "default_backend b",
        "server s 10.0.0.1:80",
        "timeout client 10s",
        "crt-store",
        "load crt x acme a domains a.example",
        "acme a",
        "a.example",
        "*.a.example,",
        "http://a.example",
        ":443",
        "reverse_proxy :80",
        "reverse_proxy @a /x* b:1",
        "@a path /x/*",
        "@a host b.a.example",
        "handle /y/*",
        "tls internal",
        "tls a b",
        "import s 1",
        "(s)",
        "{args[0]}",
        "{$A:b}",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.join(" "))
}

fn hold_together(plan: &Plan) {
    for (index, site) in plan.sites.iter().enumerate() {
        assert!(!site.hosts.is_empty(), "a site for nobody");
        assert!(!(site.upstreams.is_empty() && site.routes.is_empty()), "a site of nothing");
        let others = plan.sites[..index].iter().flat_map(|site| &site.hosts).collect::<Vec<_>>();
        assert!(site.hosts.iter().all(|host| !others.contains(&host)), "a host has one site");
    }
}

fn read(text: &str) {
    let (path, files) = (Path::new("/x/file"), Files::only(text));
    for read in [nginx(path, &files), haproxy(path, &files), caddy(path, Some(path), &files)] {
        match read {
            Ok(plan) => hold_together(&plan),
            Err(why) => assert!(why.contains("/x/file"), "{why}"),
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_to_its_end(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn what_is_nearly_right_is_read_to_its_end(text in nearly_right()) {
        read(&text);
    }
}
