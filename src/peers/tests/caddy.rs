//! Caddy.

use std::path::Path;

use super::{left_out, notes, settings, sites};
use crate::peers::{Files, Plan, caddy};

fn plan(text: &str) -> Plan {
    let path = Path::new("/etc/caddy/Caddyfile");
    caddy(path, Some(Path::new("/nowhere")), &Files::only(text)).expect("a plan")
}

#[test]
fn site_blocks_become_sites_and_matchers_routes() {
    let plan = plan(
        "{
  email ops@shop.example
  grace_period 10s
}
(common) {
  reverse_proxy {args[0]}:8080 10.0.0.2:8080
}
shop.example, www.shop.example {
  import common 10.0.0.1
  handle /api/* {
    reverse_proxy :9000
  }
  @files path /a/* /b/*
  reverse_proxy @files {
    to http://files.internal
    lb_policy random
  }
}
own.example {
  tls own.crt own.key
  reverse_proxy 127.0.0.1:1
}
dev.localhost {
  reverse_proxy 127.0.0.1:2
}
http://shop.example {
  redir https://{host}{uri}
}
",
    );
    assert_eq!(
        sites(&plan),
        [
            "shop.example,www.shop.example managed http://10.0.0.1:8080,http://10.0.0.2:8080 /api/=http://localhost:9000 \
         /a/=http://files.internal /b/=http://files.internal",
            "own.example uploaded http://127.0.0.1:1",
            "dev.localhost self-signed http://127.0.0.1:2",
        ]
    );
    assert_eq!(left_out(&plan), Vec::<String>::new());
    assert_eq!(
        notes(&plan),
        ["23: its certificates were Caddy's own authority's, and are our own authority's from now on"]
    );
    assert_eq!(
        settings(&plan),
        ["edge.drain_timeout = \"10s\"", "edge.https = [\"[::]:443\"]", "edge.http = [\"[::]:80\"]"]
    );
    assert_eq!(plan.authorities[0].name, "letsencrypt");
    assert_eq!(plan.certificates[0].files[0], Path::new("/etc/caddy/own.crt"));
}

#[test]
fn a_file_with_one_site_needs_no_braces() {
    assert_eq!(sites(&plan("shop.example\nreverse_proxy :80\n")), ["shop.example managed http://localhost"]);
}

#[test]
fn names_under_a_wildcard_are_sites_of_their_own() {
    let plan = plan(
        "*.shop.example {
  tls {
    dns cloudflare x
  }
  @a host a.shop.example
  handle @a {
    reverse_proxy 10.0.0.1
  }
  handle {
    reverse_proxy 10.0.0.2
  }
}
",
    );
    assert_eq!(sites(&plan), ["a.shop.example managed http://10.0.0.1", "*.shop.example uploaded http://10.0.0.2"]);
    assert_eq!(
        left_out(&plan),
        ["1: *.shop.example is a wildcard, whose renewal takes access to its DNS: its site is \"uploaded\""]
    );
}

#[test]
fn what_has_no_counterpart_is_told_with_its_line() {
    let plan = plan(
        "http://plain.example {
  reverse_proxy :1
}
:443 {
  respond hello
}
shop.example {
  reverse_proxy https://10.0.0.1 unix//run/x {$UP}
  reverse_proxy /exact 10.0.0.1
  handle_path /x/* {
    reverse_proxy :2
  }
  @post method POST
  reverse_proxy @post :3
  file_server
  tls internal
  reverse_proxy /ok/* :4
}
",
    );
    assert_eq!(sites(&plan), ["shop.example uploaded unix:/run/x /ok/=http://localhost:4"]);
    assert_eq!(
        left_out(&plan),
        [
            "1: plain.example is served over plain HTTP, where the edge only redirects to HTTPS",
            "4: the address \":443\" names no host that a site could answer for",
            "5: \"respond hello\" is not carried over",
            "8: the upstream \"https://10.0.0.1\" is spoken to in https, and upstreams are spoken to in plain HTTP/1.1",
            "8: the upstream \"{$UP}\" is not written out here, and one of ours is fixed",
            "9: /exact is no path prefix, and routes here are for a path and all below it",
            "10: \"handle_path /x/*\" takes the path's beginning away, and paths here stay as they are",
            "14: \"reverse_proxy …\" chooses by more than hosts and path prefixes",
            "15: \"file_server\" is not carried over",
            "7: its certificates were Caddy's own authority's, and ours is for .test, .localhost and .internal alone",
        ]
    );
}
