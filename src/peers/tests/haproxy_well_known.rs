//! What HAProxy answers below `/.well-known/`, and certificates that are not as they should be.

use std::fs;

use super::{left_out, notes, sites};
use crate::certs::{KeyKind, LocalCa, valid_for};
use crate::name::HostPattern;
use crate::peers::{Content, Files, Plan, haproxy};

const BACKENDS: &str = "backend shop
  server a 10.0.0.1:80
backend certbot
  server a 127.0.0.1:8888
";

#[test]
fn who_answers_authorities_is_kept_for_certificates_that_the_edge_does_not_order() {
    let plan = plan(&format!(
        "frontend plain
  bind :80
  acl is_acme path_beg /.well-known/acme-challenge/
  http-request redirect scheme https unless is_acme
  use_backend certbot if is_acme
frontend web
  bind :443 ssl strict-sni
  ssl-f-use crt a.pem acme le domains a.example,b.example
  use_backend certbot if {{ path_beg /.well-known/acme-challenge }}
  use_backend shop if {{ hdr(host) -i a.example b.example c.example }}
acme le
  directory https://acme.example/directory
{BACKENDS}"
    ));
    assert_eq!(
        sites(&plan),
        [
            "a.example,b.example managed http://10.0.0.1",
            "c.example uploaded http://10.0.0.1 /.well-known/acme-challenge/=http://127.0.0.1:8888",
        ]
    );
    assert_eq!(
        notes(&plan),
        [
            "5: \"certbot\" is kept: it goes on answering the authority of c.example, whose certificates the edge does not order",
            "5: the edge orders the certificates of a.example, b.example and answers their authority itself: \"certbot\" is \
             replaced",
        ]
    );
}

#[test]
fn who_answers_authorities_makes_no_site_and_has_its_path_once() {
    let plan = plan(&format!(
        "frontend web
  bind :443 ssl crt x strict-sni
  use_backend certbot if {{ path_beg /.well-known/acme-challenge/ /feed/ }} {{ hdr(host) a.example }}
  use_backend certbot if {{ path_beg /.well-known/acme-challenge/ }}
  use_backend shop if {{ hdr(host) a.example *.a.example }}
  use_backend nobody if {{ hdr(host) b.example }}
backend nobody
{BACKENDS}"
    ));
    assert_eq!(
        sites(&plan),
        [
            "a.example uploaded http://10.0.0.1 /.well-known/acme-challenge/=http://127.0.0.1:8888 \
             /feed/=http://127.0.0.1:8888",
            "*.a.example uploaded http://10.0.0.1",
        ]
    );
    let told = "6: b.example has no upstream that could be carried over, so it is no site";
    assert!(left_out(&plan).contains(&told.to_owned()), "{:?}", left_out(&plan));
}

#[test]
fn an_authority_that_nobody_answers_any_more_is_told() {
    let plan = plan(&format!(
        "frontend web
  bind :443 ssl crt x strict-sni
  http-request return status 200 content-type text/plain lf-string %[path].x if {{ path_beg '/.well-known/acme-challenge/' }}
  use_backend shop if {{ hdr(host) a.example }}
{BACKENDS}"
    ));
    assert_eq!(sites(&plan), ["a.example uploaded http://10.0.0.1"]);
    let told =
        "3: nobody answers the authority of a.example any more, whose certificates the edge does not order either";
    assert!(left_out(&plan).contains(&told.to_owned()), "{:?}", left_out(&plan));
}

#[test]
fn what_is_answered_over_plain_http_besides_a_redirect_is_told() {
    let of = |condition: &str| {
        plan(&format!(
            "frontend plain
  bind :80
  http-request redirect scheme https {condition}
  use_backend shop if {{ path_beg /feed/ }}
frontend web
  bind :443 ssl crt x strict-sni
  use_backend shop if {{ hdr(host) a.example }}
{BACKENDS}"
        ))
    };
    let told = "4: what \"shop\" answers over plain HTTP is led to HTTPS first";
    assert_eq!(notes(&of("unless { path_beg /feed/ }")), [told]);
    // Nobody gets as far as that.
    assert_eq!(notes(&of("")), Vec::<String>::new());
}

#[test]
fn a_file_that_is_shown_goes_along_and_a_backend_that_shows_it_is_a_route() {
    const APPLE_PAY: &str = "apple-developer-merchantid-domain-association";
    let plan = plan(&format!(
        "frontend web
  bind :443 ssl crt x strict-sni
  http-request return status 200 content-type text/plain file /srv/own if {{ hdr(host) a.example }} {{ path /.well-known/{APPLE_PAY} }}
  http-request return status 200 content-type text/plain string all if {{ path_beg /.well-known/{APPLE_PAY} }}
  http-request return status 200 file /srv/x if {{ path /x }}
  http-request return status 404 file /srv/x if {{ path /.well-known/x }}
  use_backend certbot if {{ hdr(host) b.example }} {{ path /.well-known/other }}
  use_backend certbot if {{ hdr(host) a.example }} {{ path_beg /.well-known/{APPLE_PAY} }}
  use_backend shop if {{ hdr(host) a.example b.example *.c.example }}
{BACKENDS}"
    ));
    assert_eq!(
        sites(&plan),
        [
            "b.example uploaded http://10.0.0.1 /.well-known/other=http://127.0.0.1:8888".to_owned(),
            format!(
                "a.example uploaded http://10.0.0.1 /.well-known/{APPLE_PAY}=http://127.0.0.1:8888 \
                 /.well-known/{APPLE_PAY}.txt=http://127.0.0.1:8888"
            ),
            "*.c.example uploaded http://10.0.0.1".to_owned(),
        ]
    );
    let shown: Vec<_> = plan
        .shown
        .iter()
        .map(|file| {
            let hosts: Vec<&str> = file.hosts.iter().map(|host| host.as_str()).collect();
            let content = match &file.content {
                Content::File(path) => path.display().to_string(),
                Content::Text(text) => format!("{text:?}"),
            };
            format!("{} {} {content}", hosts.join(","), file.name)
        })
        .collect();
    assert_eq!(
        shown,
        [
            format!("a.example {APPLE_PAY} /srv/own"),
            format!("b.example {APPLE_PAY} \"all\""),
            format!("b.example,a.example {APPLE_PAY}.txt \"all\""),
        ]
    );
    let told: Vec<String> = left_out(&plan).into_iter().filter(|line| !line.starts_with("2: ")).collect();
    assert_eq!(
        told,
        [
            "5: \"http-request return …\" is not carried over",
            "6: \"http-request return …\" is not carried over",
            "4: what is shown at the names of *.c.example is not carried over",
        ]
    );
    assert_eq!(notes(&plan), Vec::<String>::new());
}

#[test]
fn a_certificate_that_cannot_be_served_is_told_by_its_names_and_its_mend() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = LocalCa::new("Some CA").expect("an authority");
    let issue = |name: &str| {
        authority.issue(&[HostPattern::parse(name).expect("a name")], valid_for(30), KeyKind::Ecdsa).expect("issued")
    };
    let (good, spoilt) = (issue("good.example"), issue("spoilt.example"));
    let write = |file: &str, parts: [&str; 2]| fs::write(folder.path().join(file), parts.concat()).expect("written");
    fs::create_dir(folder.path().join("certs")).expect("a folder");
    write("certs/good.pem", [good.chain.as_str(), good.key.as_str()]);
    write("certs/spoilt.pem", [spoilt.chain.as_str(), good.key.as_str()]);
    let text = format!(
        "frontend web
  bind :443 ssl crt certs strict-sni
  use_backend shop if {{ hdr(host) good.example spoilt.example bare.example }}
{BACKENDS}"
    );
    let main = folder.path().join("haproxy.cfg");
    fs::write(&main, text).expect("written");
    let plan = haproxy(&main, &Files::of_the_disk()).expect("a plan");
    let file = folder.path().join("certs/spoilt.pem");
    assert_eq!(
        left_out(&plan),
        [
            format!(
                "2: {} for spoilt.example: the private key in the file does not belong to the certificate in it",
                file.display()
            ),
            "3: no certificate that was found covers spoilt.example, bare.example: who asks for that is refused".into(),
        ]
    );
    let mend = "put the key here that the certificate was requested with, or have a new certificate issued for this key; \
                then import again, or put both into the drop folder";
    assert_eq!(plan.remarks[0].mend, mend);
    assert_eq!((plan.sites.len(), plan.certificates.len()), (1, 1));
}

fn plan(text: &str) -> Plan {
    haproxy(std::path::Path::new("/etc/haproxy/haproxy.cfg"), &Files::only(text)).expect("a plan")
}
