//! HAProxy.

use std::path::Path;

use super::{keys, left_out, notes, settings, sites};
use crate::peers::{AccountKey, Files, Plan, haproxy};

fn plan(text: &str) -> Plan {
    haproxy(Path::new("/etc/haproxy/haproxy.cfg"), &Files::only(text)).expect("a plan")
}

#[test]
fn hosts_and_paths_become_sites_and_routes_in_the_order_of_the_rules() {
    let plan = plan(
        "global
  maxconn 2000
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 30000
frontend web
  bind :80
  bind :443 ssl crt /nowhere.pem strict-sni
  http-request redirect scheme https unless { ssl_fc }
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  acl shop hdr(host) -i shop.example www.shop.example
  acl api path_beg /api/
  use_backend api if shop api
  use_backend shop if shop
  use_backend blog if { hdr(host) -i blog.example } || { hdr(host) -i old.example }
backend api
  server a 10.0.0.1:9000 check
backend shop
  balance leastconn
  option httpchk GET /health
  server a 10.0.0.1:8080 check
  server b 10.0.0.2:8080 check backup
backend blog
  server a [2001:db8::1]:80
",
    );
    assert_eq!(
        sites(&plan),
        [
            "shop.example,www.shop.example uploaded http://10.0.0.1:8080,http://10.0.0.2:8080 (weight 0) \
             /api/=http://10.0.0.1:9000",
            "blog.example,old.example uploaded http://[2001:db8::1]",
        ]
    );
    assert_eq!(left_out(&plan), ["11: no certificate with its key can be read from /nowhere.pem"]);
    assert_eq!(notes(&plan), Vec::<String>::new());
    assert_eq!(
        keys(&plan),
        [
            "balance.method = \"least-requests\"",
            "health.healthy_after = 2",
            "health.interval = \"2s\"",
            "health.path = \"/health\"",
            "health.timeout = \"2s\"",
            "health.unhealthy_after = 3",
            "tls.min_version = \"1.3\"",
            "tls.min_version = \"1.3\"",
        ]
    );
    assert_eq!(
        settings(&plan),
        [
            "limits.body_idle_timeout = \"60s\"",
            "limits.connections = 2000",
            "limits.upstream_connect_timeout = \"5s\"",
            "limits.upstream_response_timeout = \"30s\"",
            "edge.https = [\"0.0.0.0:443\"]",
            "edge.http = [\"0.0.0.0:80\"]",
            "tls.min_version = \"1.3\"",
        ]
    );
}

#[test]
fn what_an_earlier_rule_has_a_later_one_does_not_get() {
    let plan = plan(
        "frontend web
  bind :443 ssl crt x strict-sni
  use_backend first if { hdr(host) a.example }
  use_backend second if { hdr(host) a.example } { path_beg /x/ }
  use_backend second if { hdr(host) b.example } { path_beg /x/ }
  use_backend first if { hdr(host) b.example } { path_beg /x/y/ }
backend first
  server s 10.0.0.1:1
backend second
  server s 10.0.0.2:2
",
    );
    assert_eq!(sites(&plan), ["a.example uploaded http://10.0.0.1:1", "b.example uploaded  /x/=http://10.0.0.2:2"]);
}

#[test]
fn what_has_no_counterpart_is_told_with_its_line() {
    let plan = plan(
        "frontend web
  bind :443 ssl crt x strict-sni accept-proxy verify required ca-file y crt-ignore-err all
  use_backend %[req.hdr(host),lower,map(/etc/haproxy/map)]
  use_backend a if { req.cook(x) -m found }
  use_backend a if { hdr(host) a.example }
  http-response set-header X-A %[src]
  http-request deny if { path_beg /x }
backend a
  cookie S prefix
  balance uri
  server a /run/a.sock
  server b /run/b.sock ssl verify none
  server c 10.0.0.1:80
listen raw
  mode tcp
  bind :25
  server a 10.0.0.1:25
",
    );
    assert_eq!(sites(&plan), ["a.example uploaded unix:/run/a.sock,http://10.0.0.1"]);
    assert_eq!(
        left_out(&plan),
        [
            "12: the upstream \"unix:/run/b.sock\" is a socket that is spoken to over TLS",
            "9: \"cookie S …\" is not carried over",
            "10: balance uri ties a visitor to a server, which is not carried over",
            "2: which balancers speak the PROXY protocol here is not said",
            "2: clients are asked for certificates, which is not carried over",
            "2: no certificate with its key can be read from /etc/haproxy/x",
            "3: \"use_backend %[req.hdr(host),lower,map(/etc/haproxy/map)]\" finds the backend per request",
            "4: \"use_backend a …\" chooses by more than hosts and path prefixes",
            "6: \"http-response set-header X-A …\" is not carried over",
            "7: \"http-request deny …\" is not carried over",
            "15: mode tcp passes connections on as they are, and Vitrine serves HTTP alone",
            "14: \"raw\" serves over plain HTTP, where the edge only redirects to HTTPS",
        ]
    );
}

#[test]
fn how_requests_are_shared_out_and_servers_are_spoken_to_is_carried_over() {
    let plan = plan(
        "defaults
  balance source
  default-server check inter 5s rise 4 fall 5 maxconn 20 slowstart 30s
frontend web
  bind :443 ssl crt x strict-sni
  use_backend tls if { hdr(host) tls.example }
  use_backend told if { hdr(host) told.example }
  use_backend sticky if { hdr(host) sticky.example }
backend tls
  option httpchk
  http-check send meth GET uri /up hdr Host shop.internal
  http-check expect status 200-204
  timeout check 1s
  timeout queue 10s
  server a 10.0.0.1:443 weight 3 ssl verify required ca-file ca.pem sni str(shop.internal) crt edge.pem
  server b 10.0.0.2 ssl verify required ca-file ca.pem sni str(shop.internal) crt edge.pem
  server off 10.0.0.3 disabled
backend told
  balance roundrobin
  server a 10.0.0.1:25 send-proxy-v2
  server b 10.0.0.2:25 proto h2 send-proxy-v2
backend sticky
  balance roundrobin
  cookie SRV insert indirect nocache httponly secure maxlife 1h
  server a 10.0.0.1:80 cookie a
",
    );
    assert_eq!(
        sites(&plan),
        [
            "tls.example uploaded https://10.0.0.1 (weight 3),https://10.0.0.2",
            "told.example uploaded http://10.0.0.1:25,h2c://10.0.0.2:25",
            "sticky.example uploaded http://10.0.0.1",
        ]
    );
    assert_eq!(
        keys(&plan),
        [
            "balance.connections = 20",
            "balance.method = \"client\"",
            "balance.queue_timeout = \"10s\"",
            "health.healthy_after = 4",
            "health.host = \"shop.internal\"",
            "health.interval = \"5s\"",
            "health.path = \"/up\"",
            "health.slow_start = \"30s\"",
            "health.statuses = \"200-204\"",
            "health.timeout = \"1s\"",
            "health.unhealthy_after = 5",
            "upstream_tls.certificate = \"/etc/haproxy/edge.pem\"",
            "upstream_tls.key = \"/etc/haproxy/edge.pem\"",
            "upstream_tls.roots = [\"/etc/haproxy/ca.pem\"]",
            "upstream_tls.server_name = \"shop.internal\"",
            "send_proxy_protocol = \"v2\"",
            "balance.connections = 20",
            "health.slow_start = \"30s\"",
            "balance.connections = 20",
            "balance.sticky = \"SRV\"",
            "balance.sticky_max_age = \"60m\"",
            "health.slow_start = \"30s\"",
        ]
    );
}

#[test]
fn what_a_frontend_does_besides_is_carried_over() {
    let plan = plan(
        "frontend web
  bind :443 ssl crt x strict-sni verify optional ca-file ca.pem crl-file crl.pem ssl-min-ver TLSv1.3
  bind :444 ssl crt x strict-sni verify optional ca-file ca.pem crl-file crl.pem ssl-min-ver TLSv1.3
  acl office src 10.0.0.0/8 192.0.2.1
  http-request deny deny_status 403 unless office
  http-request set-header X-Env live
  http-request del-header X-Debug
  http-response set-header Strict-Transport-Security max-age=300
  http-response del-header Server
  http-request redirect prefix https://shop.example code 301 if { hdr(host) www.shop.example }
  http-request redirect location /new/ if { hdr(host) shop.example } { path_beg /old/ }
  compression algo gzip
  compression type text/html text/css
  use_backend shop if { hdr(host) shop.example }
backend shop
  server a 10.0.0.1:80
",
    );
    assert_eq!(sites(&plan), ["shop.example,www.shop.example uploaded http://10.0.0.1"]);
    assert_eq!(
        keys(&plan),
        [
            "allow = [\"10.0.0.0/8\", \"192.0.2.1/32\"]",
            "compression.algorithms = [\"gzip\"]",
            "compression.on = true",
            "compression.types = [\"text/html\", \"text/css\"]",
            "hsts.max_age = \"300s\"",
            "request_headers.remove = [\"X-Debug\"]",
            "request_headers.set = [\"X-Env: live\"]",
            "response_headers.remove = [\"Server\"]",
            "tls.client_ca = [\"/etc/haproxy/ca.pem\"]",
            "tls.client_certificates = \"optional\"",
            "tls.client_crl = [\"/etc/haproxy/crl.pem\"]",
            "tls.min_version = \"1.3\"",
            "www.shop.example/ 301 https://shop.example and the rest",
            "shop.example/old/ 302 /new/",
        ]
    );
    let left_out: Vec<_> = left_out(&plan).into_iter().filter(|line| !line.contains("no certificate")).collect();
    assert_eq!(left_out, Vec::<String>::new());
}

#[test]
fn what_an_acme_section_has_issued_is_managed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, key) = (folder.path().join("haproxy.cfg"), folder.path().join("le.account.key"));
    let text = "acme le
  directory https://acme.example/directory
  contact ops@shop.example
  challenge HTTP-01
crt-store
  load crt shop.pem acme le domains \"shop.example,www.shop.example\"
frontend web
  bind :443 ssl crt shop.pem strict-sni
  default_backend shop
backend shop
  server a 10.0.0.1:80
";
    std::fs::write(&file, text).expect("written");
    std::fs::write(&key, "").expect("written");
    let plan = haproxy(&file, &Files::of_the_disk()).expect("a plan");
    assert_eq!(sites(&plan), ["shop.example,www.shop.example managed http://10.0.0.1"]);
    assert_eq!(left_out(&plan), Vec::<String>::new());
    assert_eq!((plan.contact, plan.terms_agreed), (vec!["mailto:ops@shop.example".to_owned()], true));
    let account = &plan.accounts[0];
    assert_eq!((&*account.directory, &account.url), ("https://acme.example/directory", &None));
    assert_eq!(account.key, AccountKey::Pem(key));
}

#[test]
fn a_frontend_may_name_certificates_that_are_not_issued_yet() {
    let plan = plan(
        "frontend web
  bind :443 ssl strict-sni
  http-request return status 200 lf-string x if { path_beg '/.well-known/acme-challenge/' }
  ssl-f-use crt a.pem.ecdsa acme LE domains a.example,b.example
  default_backend shop
acme LE
  directory https://acme.example/directory
  account-key /nowhere.key
  challenge http-01
backend shop
  server a 10.0.0.1:80
",
    );
    assert_eq!(sites(&plan), ["a.example,b.example managed http://10.0.0.1"]);
    assert_eq!(left_out(&plan), ["8: the account's key is not at /nowhere.key"]);
}
