//! Objects that are no certificates of a server: brought by the operator, shown at once, kept over restarts.

mod apple;

use std::fs;
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Edge, Origin, Setup, authority, drop_file, eventually, run};

#[test]
fn an_identity_proof_is_shown_by_all_its_sites_on_both_ports_and_after_a_restart() {
    let origin = Origin::saying("the shop");
    let edge = shops(&origin).start();
    let told =
        done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site shop.example --site b.example"));
    assert!(
        told.starts_with("shop.example: apple-pay-identity-proof, version 1\n  shown by shop.example, b.example\n"),
        "{told}"
    );
    let all_show = |edge: &Edge| {
        for host in ["shop.example", "www.shop.example", "b.example"] {
            for ending in ["", ".txt"] {
                for scheme in ["https", "http"] {
                    assert_eq!(curl(edge, scheme, host, ending), "200 7B227073704964", "{scheme} {host} {ending}");
                }
            }
        }
        assert_eq!(curl(edge, "https", "c.example", ""), "200 the shop");
    };
    all_show(&edge);
    let edge = edge.end(Signal::TERM).start();
    all_show(&edge);
    let told = done(vitrine(&edge, "objects remove shop.example"));
    assert_eq!(told.trim_end(), "shop.example: removed, no longer shown by shop.example, b.example");
    assert_eq!(curl(&edge, "https", "shop.example", ""), "200 the shop");
    assert_eq!(edge.api("objects"), Vec::<Value>::new());
}

#[test]
fn a_new_version_replaces_the_one_before_until_it_is_gone_back_to() {
    let origin = Origin::saying("the shop");
    let edge = shops(&origin).start();
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site shop.example"));
    fs::write(edge.setup.folder.path().join("proof"), "another").expect("written");
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site shop.example --expires 2999-12-31"));
    assert_eq!(curl(&edge, "https", "shop.example", ""), "200 another");
    let object = edge.ask_api("GET", "/api/v1/objects/shop.example").json();
    assert_eq!(
        (&object["version"], &object["not_after"], &object["not_after_from"], &object["state"]),
        (&2.into(), &"2999-12-31T23:59:59Z".into(), &"given".into(), &"valid".into())
    );
    done(vitrine(&edge, "objects rollback shop.example --to 1"));
    assert_eq!(curl(&edge, "https", "shop.example", ".txt"), "200 7B227073704964");
    let history = done(vitrine(&edge, "objects history shop.example"));
    let shown: Vec<&str> = history.lines().filter(|line| line.contains("holds")).collect();
    assert!(shown.len() == 1 && shown[0].trim_start().starts_with('1'), "{history}");
    let audit = edge.api("audit");
    let done: Vec<&Value> = audit.iter().filter(|deed| deed["object"] == "objects/shop.example").collect();
    assert_eq!(done.len(), 3, "{audit:?}");
}

#[test]
fn an_identity_proof_holds_as_long_as_the_certificate_that_serves() {
    let origin = Origin::saying("the shop");
    let edge = shops(&origin).start();
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site shop.example"));
    let ends = |edge: &Edge| edge.api("objects")[0]["not_after"].clone();
    let of_certificate = |edge: &Edge| {
        let certificates = edge.api("certificates");
        let own = certificates.iter().find(|served| served["file"].as_str().is_some_and(|file| file.contains("shop")));
        own.expect("served")["not_after"].clone()
    };
    assert_eq!(
        (ends(&edge), edge.api("objects")[0]["not_after_from"].clone()),
        (of_certificate(&edge), "certificate".into())
    );
    let labels = [("type", "apple-pay-identity-proof"), ("site", "shop.example")];
    let certificate = edge.scrape().sum("x509_cert_not_after", &[("filename", "shop.pem")]);
    assert!(certificate > 0.0);
    assert_eq!(edge.scrape().sum("vitrine_object_not_after_seconds", &labels), certificate);
}

#[test]
fn what_was_given_to_a_site_goes_before_a_dropped_file_of_that_name() {
    let origin = Origin::saying("the shop");
    let setup = shops(&origin);
    let folder = setup.certs().join("well-known/shop.example");
    fs::create_dir_all(&folder).expect("a folder");
    drop_file(&folder.join("apple-developer-merchantid-domain-association.txt"), "dropped");
    let edge = setup.start();
    assert_eq!(curl(&edge, "https", "shop.example", ""), "200 dropped");
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site shop.example"));
    for ending in ["", ".txt"] {
        assert_eq!(curl(&edge, "http", "shop.example", ending), "200 7B227073704964");
    }
    done(vitrine(&edge, "objects remove shop.example"));
    assert_eq!(curl(&edge, "http", "shop.example", ".txt"), "200 dropped");
}

#[test]
fn a_dropped_file_is_listed_among_the_objects_and_goes_with_the_file_alone() {
    let origin = Origin::saying("the shop");
    let setup = shops(&origin);
    let place = |host: &str| setup.certs().join("well-known").join(host);
    for host in ["shop.example", "nobody.example"] {
        fs::create_dir_all(place(host)).expect("a folder");
        drop_file(&place(host).join("apple-developer-merchantid-domain-association.txt"), "dropped");
        drop_file(&place(host).join("security.txt"), "something else");
    }
    let file = place("shop.example").join("apple-developer-merchantid-domain-association.txt");
    let edge = setup.start();
    let id = |host: &str| format!("well-known/{host}/apple-developer-merchantid-domain-association.txt");
    let listed = |edge: &Edge| {
        let told = |object: &Value| {
            let field = |name: &str| object[name].to_string().replace('"', "");
            format!("{} {} {} {}", field("id"), field("origin"), field("sites"), field("not_after_from"))
        };
        edge.api("objects").iter().map(told).collect::<Vec<_>>()
    };
    let nobody = format!("{} dropped [] null", id("nobody.example"));
    assert_eq!(listed(&edge), [nobody.clone(), format!("{} dropped [shop.example] certificate", id("shop.example"))]);
    let object = &edge.api("objects")[1];
    let version = &object["versions"][0];
    assert_eq!((&version["size"], &version["added_by"]), (&7.into(), &"a file".into()));
    assert_eq!(version["file"], format!("certs/{}", id("shop.example")));
    assert_eq!(version["sha256"].as_str().expect("text"), sha256(&edge, "certs", &id("shop.example")));
    let labels = [("type", "apple-pay-identity-proof"), ("site", "shop.example")];
    let ends = |edge: &Edge| edge.scrape().sum("vitrine_object_not_after_seconds", &labels);
    assert_eq!(ends(&edge), edge.scrape().sum("x509_cert_not_after", &[("filename", "shop.pem")]));
    let table = done(vitrine(&edge, "objects list"));
    assert!(table.contains("  dropped  "), "{table}");

    for line in
        [format!("objects remove {}", id("shop.example")), format!("objects rollback {} --to 1", id("shop.example"))]
    {
        let output = vitrine(&edge, &line);
        let said = String::from_utf8_lossy(&output.stderr);
        let mend = format!("change or delete certs/{} there", id("shop.example"));
        assert!(output.status.code() == Some(1) && said.contains(&mend), "{line}: {said}");
    }
    // What was given to the site is shown instead, and has the end that is told.
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site shop.example --expires 2999-12-31"));
    let given = "shop.example kept [shop.example] given".to_owned();
    assert_eq!(listed(&edge), [given, nobody.clone(), format!("{} dropped [] null", id("shop.example"))]);
    assert_eq!(ends(&edge), 32_503_679_999.0);
    done(vitrine(&edge, "objects remove shop.example"));
    let edge = edge.end(Signal::TERM).start();
    assert_eq!(listed(&edge).len(), 2);
    fs::remove_file(file).expect("removed");
    eventually("no file any more", || (listed(&edge) == [nobody.clone()]).then_some(()));
}

#[test]
fn a_site_that_is_given_another_host_shows_it_there_too() {
    let origin = Origin::saying("the shop");
    let mut edge = shops(&origin).start();
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site b.example"));
    edge.setup.forget_sites();
    edge.setup.site(&["b.example", "new.example"], &[&origin]);
    edge.reload();
    eventually("the new host", || (curl(&edge, "http", "new.example", "") == "200 7B227073704964").then_some(()));
}

#[test]
fn what_a_site_shows_is_looked_at_from_outside() {
    let origin = Origin::saying("the shop");
    let edge = shops(&origin).start();
    let shown = |edge: &Edge, site: &str| edge.scrape().series("vitrine_well_known_served", &[("site", site)]);
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site shop.example"));
    let value = eventually("a look", || shown(&edge, "shop.example").first().map(|(_, value)| *value));
    assert_eq!((value, shown(&edge, "b.example").len()), (1.0, 0));
    let of_code = |edge: &Edge| edge.api("alarms").into_iter().find(|alarm| alarm["code"] == "well-known-not-served");
    assert_eq!(of_code(&edge), None);
    // Without a certificate nobody gets it over HTTPS.
    let mut setup = edge.end(Signal::TERM);
    setup.site(&["bare.example"], &[&origin]);
    let edge = setup.start();
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site bare.example"));
    let alarm = eventually("the alarm", || of_code(&edge));
    let message = alarm["message"].as_str().unwrap_or_default();
    assert!(
        message.starts_with("bare.example does not show what it should: https://bare.example/.well-known/"),
        "{message}"
    );
    let value = |site: &str| shown(&edge, site).first().map(|(_, value)| *value);
    assert_eq!(value("bare.example"), Some(0.0));
    // One that is wrong keeps no other from being looked at.
    assert_eq!(eventually("a look at the other", || value("shop.example")), 1.0);
    done(vitrine(&edge, "objects remove bare.example"));
    eventually("the end of the alarm", || of_code(&edge).is_none().then_some(()));
}

#[test]
fn what_cannot_be_shown_is_refused_with_the_mend() {
    let origin = Origin::saying("the shop");
    let edge = shops(&origin).start();
    done(vitrine(&edge, "objects add proof --type apple-pay-identity-proof --site shop.example"));
    for (line, words) in [
        ("objects add proof --type apple-pay-identity-proof --site none.example", "there is no site \"none.example\""),
        ("objects add proof --type apple-pay-identity-proof --site b.example --expires 2001-01-01", "a time to come"),
        (
            "objects add proof --type apple-pay-identity-proof --site b.example --site shop.example",
            "with the id \"shop.example\"",
        ),
        ("objects add proof --type apple-pay-identity-proof --site b.example --id a/b", "without a slash"),
        ("objects add certs/shop.pem --type apple-pay-identity-proof --site b.example", "private key"),
        ("objects rollback shop.example --to 9", "has no version 9"),
        ("objects remove b.example", "there is no object \"b.example\""),
    ] {
        let output = vitrine(&edge, line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{line}: {said}");
    }
    assert_eq!(edge.api("objects").len(), 1);
}

/// Three sites, and the file beside the configuration.
fn shops(origin: &Origin) -> Setup {
    let mut setup = Setup::new();
    for hosts in [&["shop.example", "www.shop.example"][..], &["b.example"], &["c.example"]] {
        setup.site(hosts, &[origin]);
    }
    setup.certificate("shop", &authority().issue(&["shop.example", "www.shop.example"]));
    setup.certificate("others", &authority().issue(&["b.example", "c.example"]));
    fs::write(setup.folder.path().join("proof"), "7B227073704964").expect("written");
    setup
}

fn vitrine(edge: &Edge, line: &str) -> Output {
    let arguments: Vec<&str> = line.split(' ').chain(["--config", "vitrine.toml"]).collect();
    run(&arguments, &edge.setup)
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The digest of a file, as coreutils have it.
fn sha256(edge: &Edge, folder: &str, file: &str) -> String {
    let path = edge.setup.folder.path().join(folder).join(file);
    let output = Command::new("sha256sum").arg(path).output().expect("sha256sum");
    String::from_utf8_lossy(&output.stdout).chars().take(64).collect()
}

/// The status and the content of the file, as curl gets it.
fn curl(edge: &Edge, scheme: &str, host: &str, ending: &str) -> String {
    let port = if scheme == "https" { edge.https.port() } else { edge.http().port() };
    let name = "apple-developer-merchantid-domain-association";
    let url = format!("{scheme}://{host}:{port}/.well-known/{name}{ending}");
    let output = Command::new("curl")
        .args(["-sSk", "-w", "\n%{http_code}", "--resolve", &format!("{host}:{port}:127.0.0.1"), &url])
        .output()
        .expect("curl");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (content, status) = text.rsplit_once('\n').unwrap_or_default();
    format!("{status} {content}")
}
