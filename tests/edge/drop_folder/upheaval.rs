//! Files that go, folders that are swapped, events that are lost: what is served stays until it is meant to go.

use std::fs;
use std::os::unix::fs::symlink;

use super::{certs, serves};
use crate::support::{Edge, Issued, Origin, Setup, authority, drop_file, eventually, replace_file, shown};

#[test]
fn a_deleted_certificate_serves_through_its_grace() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    fs::remove_file(certs(&edge, "shop.pem")).expect("removed");
    edge.logged("deleted, serves until the grace is over");
    eventually("the grace", || (edge.api("certificates")[0]["in_grace"] == true).then_some(()));
    assert_eq!(edge.get("shop.example", "/").status, 200);
    // A new one ranks above it at once.
    let next = authority().issue(&["shop.example"]);
    drop_file(&certs(&edge, "next.pem"), next.both());
    serves(&edge, "shop.example", &next);
}

#[test]
fn many_certificates_that_go_at_once_stay_until_the_operator_confirms() {
    let origin = Origin::saying("hello");
    let (edge, names) = many(&origin, 8);
    for name in &names {
        fs::remove_file(certs(&edge, &format!("{name}.pem"))).expect("removed");
    }
    edge.counted(1.0, "vitrine_certificate_alarms", &[("code", "withdrawal-held")]);
    let alarms = edge.api("alarms");
    assert!(alarms.iter().any(|alarm| alarm["code"] == "withdrawal-held"), "{alarms:?}");
    assert!(edge.api("certificates").iter().all(|certificate| certificate["in_grace"] == false));
    for name in &names {
        assert_eq!(edge.get(name, "/").status, 200, "{name}");
    }
    // Who saw fewer confirms nothing.
    let response = edge.ask_api("POST", "/api/v1/certificates/confirm-withdrawal?names=7");
    assert_eq!(response.status, 409, "{}", response.text());
    let response = edge.ask_api("POST", "/api/v1/certificates/confirm-withdrawal?names=8");
    assert_eq!(response.status, 200, "{}", response.text());
    edge.counted(0.0, "vitrine_certificate_alarms", &[("code", "withdrawal-held")]);
    eventually("the grace", || {
        edge.api("certificates").iter().all(|certificate| certificate["in_grace"] == true).then_some(())
    });
}

#[test]
fn a_folder_that_vanishes_and_comes_back_is_followed() {
    let origin = Origin::saying("hello");
    let (edge, names) = many(&origin, 8);
    let away = edge.setup.folder.path().join("away");
    fs::rename(edge.setup.certs(), &away).expect("moved");
    edge.counted(1.0, "vitrine_certificate_alarms", &[("code", "folder-missing")]);
    assert_eq!(edge.get(&names[0], "/").status, 200);

    // An empty one in its place is what an unmounted volume looks like.
    fs::create_dir(edge.setup.certs()).expect("a folder");
    edge.counted(1.0, "vitrine_certificate_alarms", &[("code", "withdrawal-held")]);
    assert_eq!(edge.get(&names[0], "/").status, 200);
    fs::remove_dir(edge.setup.certs()).expect("removed");
    fs::rename(&away, edge.setup.certs()).expect("moved back");
    for code in ["folder-missing", "withdrawal-held"] {
        edge.counted(0.0, "vitrine_certificate_alarms", &[("code", code)]);
    }

    // It is watched as before.
    let next = authority().issue(&[&names[0]]);
    replace_file(&certs(&edge, &format!("{}.pem", names[0])), next.both());
    serves(&edge, &names[0], &next);
}

#[test]
fn a_link_that_is_swapped_never_mixes_two_pairs() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]);
    let mut issued = Vec::new();
    let folder = setup.certs();
    // As Kubernetes mounts a secret: files are links into a folder that is itself a link.
    let put = |number: usize, issued: &Issued| {
        let version = folder.join(format!("..v{number}"));
        fs::create_dir(&version).expect("a folder");
        drop_file(&version.join("tls.crt"), &issued.chain);
        drop_file(&version.join("tls.key"), &issued.key);
        symlink(format!("..v{number}"), folder.join("..next")).expect("a link");
        fs::rename(folder.join("..next"), folder.join("..data")).expect("swapped");
    };
    issued.push(authority().issue(&["shop.example"]));
    put(0, &issued[0]);
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), folder.join(name)).expect("a link");
    }
    let edge = setup.start();
    serves(&edge, "shop.example", &issued[0]);
    for number in 1..20 {
        issued.push(authority().issue(&["shop.example"]));
        put(number, &issued[number]);
        fs::remove_dir_all(folder.join(format!("..v{}", number - 1))).expect("removed");
        // Whatever is served at this moment, key and certificate belong together.
        let served = shown(edge.open("shop.example").session());
        assert!(issued.iter().any(|issued| issued.der == served));
    }
    serves(&edge, "shop.example", issued.last().expect("one"));
    eventually("one certificate", || (edge.api("certificates").len() == 1).then_some(()));
    eventually("an empty list", || edge.api("rejected").is_empty().then_some(()));
}

#[test]
fn changes_beyond_what_the_system_remembers_are_found_all_the_same() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    edge.signal(rustix::process::Signal::STOP);
    let (one, two) = (certs(&edge, "one.txt"), certs(&edge, "two.txt"));
    fs::write(&one, "").expect("written");
    // Two events each; the kernel's queue holds 16,384 and then says that it lost some.
    for _ in 0..5_000 {
        fs::rename(&one, &two).expect("renamed");
        fs::rename(&two, &one).expect("renamed");
    }
    let next = authority().issue(&["shop.example"]);
    replace_file(&certs(&edge, "shop.pem"), next.both());
    edge.signal(rustix::process::Signal::CONT);
    serves(&edge, "shop.example", &next);
}

/// An edge with so many names, each with its own certificate.
fn many(origin: &Origin, count: usize) -> (Edge, Vec<String>) {
    let names: Vec<_> = (0..count).map(|number| format!("n{number}.example")).collect();
    let mut setup = Setup::new();
    for name in &names {
        setup.site(&[name], &[origin]).certificate(name, &authority().issue(&[name]));
    }
    (setup.start(), names)
}
