//! Who answered authorities at nginx.

use std::fs;
use std::path::Path;

use super::{left_out, notes, sites};
use crate::peers::{Files, Plan, nginx};

fn plan(servers: &str) -> Plan {
    let text = format!("http {{ proxy_set_header Host $host;\nclient_max_body_size 1m;\n{servers}\n}}");
    nginx(Path::new("/etc/nginx/nginx.conf"), &Files::only(&text)).expect("a plan")
}

/// A server that speaks TLS.
fn secure(names: &str, more: &str) -> String {
    format!(
        "server {{ listen 443 ssl; server_name {names}; ssl_certificate a.pem; ssl_certificate_key a.pem;
location / {{ proxy_pass http://10.0.0.1; }} {more} }}"
    )
}

#[test]
fn who_is_asked_by_authorities_is_kept_for_certificates_that_the_edge_does_not_order() {
    let plan = plan(&format!(
        "server {{ listen 80; server_name a.example www.a.example; location ^~ /.well-known/acme-challenge/ {{ proxy_pass http://10.0.0.8:88; }}
location / {{ return 301 https://$host$request_uri; }} }}
server {{ listen 80 default_server; server_name _; location /.well-known/acme-challenge {{ proxy_pass http://10.0.0.9; }} return 301 https://$host$request_uri; }}
{}
{}
{}",
        secure("a.example www.a.example *.a.example", "location /.well-known/acme-challenge/ { root /tls; }"),
        secure("b.example", ""),
        secure("*.c.example", ""),
    ));
    assert_eq!(
        sites(&plan),
        [
            "a.example,www.a.example,*.a.example uploaded http://10.0.0.1 /.well-known/acme-challenge/=http://10.0.0.8:88",
            "b.example uploaded http://10.0.0.1 /.well-known/acme-challenge/=http://10.0.0.9",
            "*.c.example uploaded http://10.0.0.1",
        ]
    );
    let kept = |line: u32, who: &str, names: &str| {
        format!(
            "{line}: \"proxy_pass {who}\" is kept: it goes on answering the authority of {names}, whose certificates the edge does \
             not order"
        )
    };
    let told: Vec<String> = notes(&plan).into_iter().filter(|line| line.contains("authority")).collect();
    assert_eq!(
        told,
        [kept(3, "http://10.0.0.8:88", "a.example, www.a.example"), kept(5, "http://10.0.0.9", "b.example")]
    );
    assert_eq!(left_out(&plan), Vec::<String>::new());
}

#[test]
fn an_authority_that_nobody_answers_any_more_is_told_whoever_answered() {
    for (location, line) in [
        ("location /.well-known/acme-challenge/ { root /var/www; }", 4),
        ("location = /.well-known/acme-challenge/x { alias /x; }", 4),
        ("location ~ ^/\\.well-known/acme-challenge/([-_a-z]+)$ { return 200 \"$1.x\"; }", 4),
    ] {
        let plan = plan(&secure("a.example", location));
        assert_eq!(sites(&plan), ["a.example uploaded http://10.0.0.1"]);
        let told = format!(
            "{line}: nobody answers the authority of a.example any more, whose certificates the edge does not order either"
        );
        assert_eq!(left_out(&plan), [told], "{location}");
        assert!(plan.remarks.iter().any(|remark| remark.mend.starts_with("make their sites \"managed\"")));
    }
    // Whoever is led elsewhere altogether is no site by it.
    let elsewhere = "server { listen 443 ssl; server_name a.example; ssl_certificate a; ssl_certificate_key a;
      location /.well-known/acme-challenge/ { proxy_pass http://10.0.0.9; } }";
    assert_eq!(sites(&plan(elsewhere)), Vec::<String>::new());
}

#[test]
fn who_answers_for_what_the_edge_orders_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let live = folder.path().join("live/a.example");
    fs::create_dir_all(&live).expect("a folder");
    fs::create_dir_all(folder.path().join("renewal")).expect("a folder");
    fs::write(folder.path().join("renewal/a.example.conf"), "[renewalparams]\n").expect("written");
    let live = live.display();
    let text = format!(
        "http {{ client_max_body_size 1m; proxy_set_header Host $host;
server {{ listen 80; server_name a.example; location /.well-known/acme-challenge/ {{ root /var/www; }} location / {{ return 301 https://$host$request_uri; }} }}
server {{ listen 443 ssl; server_name a.example; ssl_certificate {live}/fullchain.pem; ssl_certificate_key {live}/privkey.pem;
location / {{ proxy_pass http://10.0.0.1; }} }} }}"
    );
    let main = folder.path().join("nginx.conf");
    fs::write(&main, text).expect("written");
    let plan = nginx(&main, &Files::of_the_disk()).expect("a plan");
    assert_eq!(sites(&plan), ["a.example managed http://10.0.0.1"]);
    let told = "2: the edge orders the certificates of a.example and answers their authority itself: \"root /var/www\" is replaced";
    let note = plan.remarks.iter().find(|remark| remark.text.contains("answers their authority")).expect("a note");
    assert!(notes(&plan).contains(&told.to_owned()), "{:?}", notes(&plan));
    assert_eq!(note.mend, "stop what renewed them there, such as certbot's timer");
}
