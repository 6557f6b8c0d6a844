//! Caddy.

use std::path::Path;

use super::{keys, left_out, notes, settings, sites};
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
  reverse_proxy srv+http://10.0.0.1 unix//run/x {$UP}
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
            "8: the upstream \"srv+http://10.0.0.1\" is spoken to in srv+http, which is not carried over",
            "8: the upstream \"{$UP}\" is not written out here, and one of ours is fixed",
            "9: /exact is no path prefix, and routes here are for a path and all below it",
            "10: \"handle_path /x/*\" takes the path's beginning away, and paths here stay as they are",
            "14: \"reverse_proxy …\" chooses by more than hosts and path prefixes",
            "15: \"file_server\" is not carried over",
            "7: its certificates were Caddy's own authority's, and ours is for .test, .localhost and .internal alone",
        ]
    );
}

#[test]
fn how_shops_are_spoken_to_and_requests_are_shared_out_is_carried_over() {
    let plan = plan(
        "tls.example {
  reverse_proxy https://10.0.0.1 https://10.0.0.2:8443 {
    lb_policy weighted_round_robin 3 1
    health_uri /up
    health_interval 10s
    health_status 200
    health_fails 3
    fail_duration 30s
    max_fails 4
    unhealthy_status 502 503
    unhealthy_latency 2s
    header_up X-Env live
    header_down -Server
    transport http {
      tls_server_name shop.internal
      tls_trust_pool file ca.pem
      tls_client_auth edge.crt edge.key
      dial_timeout 3s
      response_header_timeout 2m
    }
  }
}
grpc.example {
  reverse_proxy h2c://10.0.0.3:50051 {
    lb_policy cookie srv
  }
  reverse_proxy /told/* 10.0.0.4 {
    transport http {
      proxy_protocol v2
    }
  }
}
client.example {
  reverse_proxy 10.0.0.5 10.0.0.6 {
    lb_policy client_ip_hash
    transport http {
      tls
      tls_insecure_skip_verify
    }
  }
}
",
    );
    assert_eq!(
        sites(&plan),
        [
            "tls.example managed https://10.0.0.1 (weight 3),https://10.0.0.2:8443",
            "grpc.example managed h2c://10.0.0.3:50051 /told/=http://10.0.0.4",
            "client.example managed https://10.0.0.5:80,https://10.0.0.6:80",
        ]
    );
    assert_eq!(
        keys(&plan),
        [
            "health.eject_after = 4",
            "health.eject_for = \"30s\"",
            "health.eject_slower_than = \"2s\"",
            "health.failure_statuses = [502, 503]",
            "health.healthy_after = 1",
            "health.interval = \"10s\"",
            "health.path = \"/up\"",
            "health.statuses = \"200\"",
            "health.timeout = \"5s\"",
            "health.unhealthy_after = 3",
            "limits.upstream_connect_timeout = \"3s\"",
            "limits.upstream_response_timeout = \"2m\"",
            "request_headers.set = [\"X-Env: live\"]",
            "response_headers.remove = [\"Server\"]",
            "upstream_tls.certificate = \"/etc/caddy/edge.crt\"",
            "upstream_tls.key = \"/etc/caddy/edge.key\"",
            "upstream_tls.roots = [\"/etc/caddy/ca.pem\"]",
            "upstream_tls.server_name = \"shop.internal\"",
            "balance.sticky = \"srv\"",
            "/told/ send_proxy_protocol = \"v2\"",
            "balance.method = \"client\"",
            "upstream_tls.verify = false",
        ]
    );
    assert_eq!(left_out(&plan), Vec::<String>::new());
}

#[test]
fn what_a_site_does_besides_is_carried_over() {
    let plan = plan(
        "{
  servers {
    trusted_proxies static 10.0.0.0/8
    listener_wrappers {
      proxy_protocol {
        allow 10.0.0.9/32
      }
      tls
    }
  }
}
shop.example {
  encode zstd gzip
  header {
    Strict-Transport-Security \"max-age=300; includeSubDomains\"
    X-Frame-Options DENY
    -Server
  }
  request_body {
    max_size 8MB
  }
  tls {
    protocols tls1.3
    client_auth {
      mode verify_if_given
      trust_pool file ca.pem
    }
  }
  redir /old/* https://shop.example/new permanent
  reverse_proxy 10.0.0.1
}
www.shop.example {
  redir https://shop.example{uri} permanent
}
other.example {
  header X-A {host}
  redir /exact /there
  reverse_proxy 10.0.0.1 {
    header_up X-Api-Token hunter2
  }
  reverse_proxy /b/* 10.0.0.2 {
    header_up X-B c
  }
  tls {
    client_auth {
      mode request
    }
  }
}
",
    );
    assert_eq!(
        sites(&plan),
        [
            "shop.example,www.shop.example managed http://10.0.0.1",
            "other.example managed http://10.0.0.1 /b/=http://10.0.0.2",
        ]
    );
    assert_eq!(
        keys(&plan),
        [
            "compression.algorithms = [\"zstd\", \"gzip\"]",
            "compression.min_size = \"512B\"",
            "compression.on = true",
            "hsts.include_subdomains = true",
            "hsts.max_age = \"300s\"",
            "limits.body_size = \"8MiB\"",
            "response_headers.remove = [\"Server\"]",
            "response_headers.set = [\"X-Frame-Options: DENY\"]",
            "tls.client_ca = [\"/etc/caddy/ca.pem\"]",
            "tls.client_certificates = \"optional\"",
            "tls.min_version = \"1.3\"",
            "/old/ 301 https://shop.example/new",
            "www.shop.example/ 301 https://shop.example and the rest",
        ]
    );
    assert_eq!(
        left_out(&plan),
        [
            "36: \"header X-A …\" is not carried over",
            "37: \"redir /exact …\" is not carried over",
            "39: \"header_up X-Api-Token …\" is not carried over",
            "45: clients are asked for certificates, which is not carried over",
            "35: its upstreams differ in what [site.request_headers] says, which a site has once for all of them",
        ]
    );
    let networks = ["edge.proxy_protocol = [\"10.0.0.9/32\"]", "edge.trusted_proxies = [\"10.0.0.0/8\"]"];
    assert!(networks.iter().all(|line| settings(&plan).contains(&(*line).to_owned())), "{:?}", settings(&plan));
}

#[test]
fn a_host_below_a_wildcard_leads_elsewhere_and_one_that_is_not_there_is_told() {
    let plan = plan(
        "*.shop.example {
  tls own.crt own.key
  @a host a.shop.example
  redir @a https://b.example{uri}
  @c host c.example
  redir @c https://d.example{uri}
  reverse_proxy 10.0.0.1
}
",
    );
    assert_eq!(keys(&plan), ["a.shop.example/ 302 https://b.example and the rest"]);
    assert_eq!(left_out(&plan), ["1: what leads to \"https://d.example\" is of no host of the site"]);
}
