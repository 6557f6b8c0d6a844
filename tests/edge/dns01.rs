//! Certificates whose names are shown in the DNS: wildcards, from a real authority that asks a real name server.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::bind::{Bind, KEY, Zone};
use crate::support::command::{done, refused, tool, vitrine};
use crate::support::pebble::Pebble;
use crate::support::{Edge, Origin, Setup, drop_file, eventually};

const AT: &str = "_acme-challenge.shop.example";
const SHOP: Zone<'static> = Zone { name: "shop.example", records: "", is_open: true };

/// An edge with a managed site for `hosts` whose names are shown at `bind`, as `ways` has it.
fn shown_in_the_dns(pebble: &Pebble, origin: &Origin, hosts: &[&str], ways: &[String]) -> Setup {
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    setup.set("acme", "challenges = [\"dns-01\"]");
    for way in ways {
        setup.raw_site(&format!("[[acme.dns]]\n{way}"));
    }
    setup.raw_site(&site(origin, hosts, "managed"));
    setup
}

fn site(origin: &Origin, hosts: &[&str], provision: &str) -> String {
    format!(
        "[[site]]\nname = \"shop\"\nhosts = {hosts:?}\nupstreams = [\"{}\"]\ncertificate = \"{provision}\"\n",
        origin.url()
    )
}

/// Updates that are signed with the server's own key; `servers` are asked whether they show it.
fn by_update(bind: &Bind, servers: &[SocketAddr]) -> String {
    let key = bind.key_file();
    format!(
        "server = \"{}\"\ntsig_key_name = \"{KEY}\"\ntsig_secret_file = \"{}\"\n{}",
        bind.address,
        key.display(),
        asking(servers)
    )
}

fn asking(servers: &[SocketAddr]) -> String {
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    format!("propagation_servers = {servers:?}\n")
}

fn standing(edge: &Edge) -> Value {
    edge.api("sites").into_iter().find(|known| known["name"] == "shop").expect("the site")["managed"].clone()
}

fn issued(edge: &Edge) -> Value {
    eventually("an issued certificate", || Some(standing(edge)).filter(|told| told["state"] == "ISSUED"))
}

/// Why no certificate came, in words.
fn failed(edge: &Edge, times: u64) -> String {
    let told = eventually("an order that came to nothing", || {
        Some(standing(edge)).filter(|told| told["state"] == "FAILED" && told["failures"] == times)
    });
    assert_eq!(told["last_failure"]["reason"], "record", "{told}");
    told["last_failure"]["detail"].as_str().expect("words").to_owned()
}

/// Nothing that was written is left, neither in the DNS nor in the state.
fn is_clean(edge: &Edge, bind: &Bind, name: &str) {
    eventually("a clean DNS", || bind.texts(name).is_empty().then_some(()));
    eventually("a clean state", || (written_down(edge.setup.state().as_path()) == 0).then_some(()));
}

fn written_down(state: &Path) -> usize {
    fs::read_dir(state.join("acme/dns")).map_or(0, Iterator::count)
}

/// What openssl sees who asks for a name.
fn seen_by_openssl(edge: &Edge, name: &str) -> String {
    let line = format!("openssl s_client -connect {} -servername {name} -showcerts", edge.https);
    let shown = tool(edge, &line);
    drop_file(&edge.setup.folder.path().join("shown.pem"), &shown.stdout);
    done(tool(edge, "openssl x509 -in shown.pem -noout -ext subjectAltName"))
}

#[test]
fn a_wildcard_and_its_apex_are_issued_by_signed_updates() {
    let (origin, bind) = (Origin::saying("hello"), Bind::resolving(&[SHOP]));
    let pebble = Pebble::asking(bind.address);
    let way = by_update(&bind, &[bind.address]);
    let edge = shown_in_the_dns(&pebble, &origin, &["*.shop.example", "shop.example"], &[way]).start();
    issued(&edge);
    assert_eq!(edge.logged("orders a certificate")["challenge"], "dns-01");
    let names = seen_by_openssl(&edge, "anything.shop.example");
    assert!(names.contains("DNS:*.shop.example") && names.contains("DNS:shop.example"), "{names}");
    drop_file(&edge.setup.folder.path().join("issuer.pem"), pebble.root());
    let (port, address) = (edge.https.port(), edge.https.ip());
    for name in ["shop.example", "anything.shop.example"] {
        let line = format!("curl -sS --cacert issuer.pem --resolve {name}:{port}:{address} https://{name}:{port}/");
        assert_eq!(done(tool(&edge, &line)), "hello");
    }
    is_clean(&edge, &bind, AT);
}

#[test]
fn others_records_at_the_same_name_stay() {
    let zone = Zone { records: "_acme-challenge TXT \"of another\"", ..SHOP };
    let (origin, bind) = (Origin::saying("hello"), Bind::resolving(&[zone]));
    let pebble = Pebble::asking(bind.address);
    let way = by_update(&bind, &[bind.address]);
    let edge = shown_in_the_dns(&pebble, &origin, &["*.shop.example"], &[way]).start();
    issued(&edge);
    eventually("its own record alone", || (bind.texts(AT) == ["of another"]).then_some(()));
}

#[test]
fn a_program_writes_the_records() {
    let (origin, bind) = (Origin::saying("hello"), Bind::resolving(&[SHOP]));
    let pebble = Pebble::asking(bind.address);
    let folder = tempfile::tempdir().expect("a folder");
    let (hook, calls) = (folder.path().join("hook"), folder.path().join("calls"));
    let script = format!(
        "#!/bin/sh -e\ncase $VITRINE_DNS_ACTION in present) do=add ttl=60 ;; cleanup) do=delete ttl= ;; esac\n\
         echo \"$1 $VITRINE_DNS_ACTION $VITRINE_DNS_DOMAIN $VITRINE_DNS_NAME\" >> {}\n\
         printf 'server {} {}\\nzone shop.example\\nupdate %s %s %s TXT %s\\nsend\\n' \
         $do $VITRINE_DNS_NAME. \"$ttl\" $VITRINE_DNS_VALUE | nsupdate -k {}\n",
        calls.display(),
        bind.address.ip(),
        bind.address.port(),
        bind.key_file().display()
    );
    fs::write(&hook, script).expect("written");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).expect("set");
    let way = format!("hook = [\"{}\", \"--zone=shop\"]\n{}", hook.display(), asking(&[bind.address]));
    let edge = shown_in_the_dns(&pebble, &origin, &["*.shop.example", "shop.example"], &[way]).start();
    issued(&edge);
    is_clean(&edge, &bind, AT);
    let mut told: Vec<_> = fs::read_to_string(&calls).expect("calls").lines().map(str::to_owned).collect();
    told.sort();
    let call = |action| format!("--zone=shop {action} shop.example {AT}");
    assert_eq!(told, [call("cleanup"), call("cleanup"), call("present"), call("present")]);
}

#[test]
fn a_record_is_written_where_its_alias_leads() {
    let zone = Zone { records: "_acme-challenge CNAME one.auth.example.", is_open: false, ..SHOP };
    let auth = Zone { name: "auth.example", records: "one CNAME two", is_open: true };
    let (origin, bind) = (Origin::saying("hello"), Bind::resolving(&[zone, auth]));
    let pebble = Pebble::asking(bind.address);
    let elsewhere = "zone = \"shop.example\"\nhook = [\"/bin/false\"]\n".to_owned();
    let way = format!("zone = \"auth.example\"\n{}", by_update(&bind, &[bind.address]));
    let edge = shown_in_the_dns(&pebble, &origin, &["*.shop.example"], &[elsewhere, way]).start();
    issued(&edge);
    is_clean(&edge, &bind, "two.auth.example");
}

#[test]
fn aliases_that_lead_nowhere_are_told_before_anything_is_written() {
    let records = "_acme-challenge CNAME b\nb CNAME c\nc CNAME b\n_acme-challenge.far CNAME x.other.example.\n";
    let zone = Zone { records, ..SHOP };
    let other = Zone { name: "other.example", records: "", is_open: true };
    let (origin, bind) = (Origin::saying("hello"), Bind::resolving(&[zone, other]));
    let pebble = Pebble::asking(bind.address);
    let way = format!("zone = \"shop.example\"\n{}", by_update(&bind, &[bind.address]));
    let edge = shown_in_the_dns(&pebble, &origin, &["*.shop.example"], std::slice::from_ref(&way)).start();
    let told = failed(&edge, 1);
    let circle = format!(
        "shop.example: the CNAME records that begin at {AT} lead in a circle: c.shop.example leads back to b.shop.example"
    );
    assert_eq!(told, circle);
    let mut setup = edge.end(Signal::TERM);
    setup.forget_sites();
    pebble.used_by(&mut setup);
    setup.raw_site(&format!("[[acme.dns]]\n{way}")).raw_site(&site(&origin, &["*.far.shop.example"], "managed"));
    let edge = setup.start();
    done(vitrine(&edge, "sites renew shop"));
    let told = failed(&edge, 2);
    assert_eq!(
        told,
        "far.shop.example: no [[acme.dns]] is for x.other.example, which _acme-challenge.far.shop.example is an alias of: add one \
         whose zone it lies in, or one without a zone"
    );
}

#[test]
fn a_key_that_the_server_does_not_take_is_named_and_the_order_waits_for_the_mend() {
    let closed = Zone { name: "closed.example", records: "", is_open: false };
    let (origin, bind) = (Origin::saying("hello"), Bind::resolving(&[SHOP, closed]));
    let pebble = Pebble::asking(bind.address);
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    drop_file(&secret, "bm90IHRoZSBzZWNyZXQgb2YgdGhpcyBrZXk=\n");
    let way = |name: &str, secret: &Path, zone: &str| {
        format!(
            "[[acme.dns]]\nserver = \"{}\"\ntsig_key_name = \"{name}\"\ntsig_secret_file = \"{}\"\n{zone}{}",
            bind.address,
            secret.display(),
            asking(&[bind.address])
        )
    };
    let mut setup = shown_in_the_dns(&pebble, &origin, &["*.shop.example"], &[]);
    let begin = |setup: &mut Setup, way: &str| {
        setup.forget_sites();
        pebble.used_by(setup);
        setup.raw_site(way).raw_site(&site(&origin, &["*.shop.example"], "managed"));
        setup.write();
    };
    begin(&mut setup, &way(KEY, &secret, ""));
    let mut edge = setup.start();
    let server = format!("shop.example: the name server {}", bind.address);
    let said = [
        (
            None,
            format!(
                "{server} does not believe the signature with the key {KEY}: its secret for this key is another one; copy it anew"
            ),
        ),
        (
            Some(way("other-key", &bind.key_file(), "")),
            format!(
                "{server} does not know the key other-key for hmac-sha256: name and algorithm must be those of its own key \
                 statement"
            ),
        ),
        (
            Some(way(KEY, &bind.key_file(), "tsig_algorithm = \"hmac-sha512\"\n")),
            format!(
                "{server} does not know the key {KEY} for hmac-sha512: name and algorithm must be those of its own key statement"
            ),
        ),
        (
            Some(way(KEY, &folder.path().join("none"), "")),
            format!(
                "shop.example: acme.dns.tsig_secret_file: {}: No such file or directory (os error 2)",
                folder.path().join("none").display()
            ),
        ),
        (
            Some(way(KEY, &bind.key_file(), "zone = \"example\"\n")),
            format!(
                "{server} is no authority for the zone example: name the zone's primary, and the zone as it has it"
            ),
        ),
    ];
    let order =
        |edge: &Edge| fs::read_to_string(edge.setup.state().join("acme/orders/shop/order.json")).expect("an order");
    let mut first = None;
    for (times, (way, expected)) in (1..).zip(said) {
        if let Some(way) = way {
            let mut setup = edge.end(Signal::TERM);
            begin(&mut setup, &way);
            edge = setup.start();
            done(vitrine(&edge, "sites renew shop"));
        }
        assert_eq!(failed(&edge, times), expected);
        assert_eq!(written_down(&edge.setup.state()), 0);
        // What the authority waits for is gone on with, not ordered again.
        let open = order(&edge);
        assert_eq!(first.get_or_insert_with(|| open.clone()), &open);
    }
    let mut setup = edge.end(Signal::TERM);
    begin(&mut setup, &way(KEY, &bind.key_file(), ""));
    let edge = setup.start();
    done(vitrine(&edge, "sites renew shop"));
    issued(&edge);
    is_clean(&edge, &bind, AT);
}

#[test]
fn a_zone_that_the_key_may_not_change_is_named() {
    let (origin, bind) = (Origin::saying("hello"), Bind::resolving(&[Zone { is_open: false, ..SHOP }]));
    let pebble = Pebble::asking(bind.address);
    let way = by_update(&bind, &[bind.address]);
    let edge = shown_in_the_dns(&pebble, &origin, &["*.shop.example"], &[way]).start();
    let expected = format!(
        "shop.example: the name server {} refuses to change the zone shop.example: allow the key {KEY} to, in its update-policy or \
         allow-update",
        bind.address
    );
    assert_eq!(failed(&edge, 1), expected);
}

#[test]
fn a_program_that_hangs_is_killed_and_one_that_fails_says_why() {
    let (origin, bind) = (Origin::saying("hello"), Bind::resolving(&[SHOP]));
    let pebble = Pebble::asking(bind.address);
    let hooks = tempfile::tempdir().expect("a folder");
    let (hook, pid) = (hooks.path().join("hook"), hooks.path().join("pid"));
    let write = |script: &str| {
        fs::write(&hook, format!("#!/bin/sh\n[ $VITRINE_DNS_ACTION = present ] || exit 0\n{script}\n"))
            .expect("written");
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).expect("set");
    };
    write(&format!("sleep 1000 & echo $! > {}; wait", pid.display()));
    let way = format!("hook = [\"{}\"]\nhook_timeout = \"1s\"\n{}", hook.display(), asking(&[bind.address]));
    let edge = shown_in_the_dns(&pebble, &origin, &["*.shop.example"], &[way]).start();
    let told = failed(&edge, 1);
    let expected = format!(
        "shop.example: acme.dns.hook: {} present: it did not end within 1 s and was killed; see what it waits for, or raise \
         acme.dns.hook_timeout",
        hook.display()
    );
    assert_eq!(told, expected);
    let process = fs::read_to_string(pid).expect("a number");
    let state = fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
    write("echo 'no such zone here' >&2; echo and more >&2; exit 4");
    done(vitrine(&edge, "sites renew shop"));
    let told = failed(&edge, 2);
    assert!(told.ends_with(" present: it ended with exit status: 4: no such zone here"), "{told}");
    eventually("a clean state", || (written_down(&edge.setup.state()) == 0).then_some(()));
}

#[test]
fn a_server_that_does_not_get_the_record_is_named_and_nothing_stays_behind() {
    let (origin, bind) = (Origin::saying("hello"), Bind::resolving(&[SHOP]));
    let behind = Bind::start(&[SHOP]);
    let pebble = Pebble::asking(bind.address);
    let way = by_update(&bind, &[bind.address, behind.address]) + "propagation_timeout = \"2s\"\n";
    let edge = shown_in_the_dns(&pebble, &origin, &["*.shop.example"], &[way]).start();
    let expected = format!(
        "the TXT record that was written at {AT} is not everywhere after 2 s: the name server {0} does not show it: there is no name \
         {AT}, says the name server {0}; see that it follows its primary (NOTIFY, zone transfers), or raise \
         acme.dns.propagation_timeout",
        behind.address
    );
    assert_eq!(failed(&edge, 1), expected);
    is_clean(&edge, &bind, AT);
}

#[test]
fn what_a_kill_leaves_in_the_dns_is_removed_at_the_next_start() {
    let (origin, bind) = (Origin::saying("hello"), Bind::resolving(&[SHOP]));
    let behind = Bind::start(&[SHOP]);
    let pebble = Pebble::asking(bind.address);
    let way = by_update(&bind, &[bind.address, behind.address]);
    let hosts = ["*.shop.example", "shop.example"];
    let edge = shown_in_the_dns(&pebble, &origin, &hosts, std::slice::from_ref(&way)).start();
    eventually("both records", || (bind.texts(AT).len() == 2).then_some(()));
    let mut setup = edge.end(Signal::KILL);
    assert_eq!((bind.texts(AT).len(), written_down(&setup.state())), (2, 2));
    // Nothing is ordered for it any more.
    setup.forget_sites();
    pebble.used_by(&mut setup);
    setup.raw_site(&format!("[[acme.dns]]\n{way}")).raw_site(&site(&origin, &hosts, "uploaded"));
    let edge = setup.start();
    is_clean(&edge, &bind, AT);
    // And where it goes on, it goes on.
    let mut setup = edge.end(Signal::TERM);
    setup.forget_sites();
    pebble.used_by(&mut setup);
    let way = by_update(&bind, &[bind.address]);
    setup.raw_site(&format!("[[acme.dns]]\n{way}")).raw_site(&site(&origin, &hosts, "managed"));
    let edge = setup.start();
    issued(&edge);
    is_clean(&edge, &bind, AT);
}

#[test]
fn a_wildcard_is_not_decided_to_be_ordered_without_a_way_to_write_records() {
    let (origin, pebble) = (Origin::saying("hello"), Pebble::prepare());
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    setup.raw_site(&site(&origin, &["*.shop.example"], "uploaded"));
    let edge = setup.start();
    let told = refused(vitrine(&edge, "sites use shop managed"));
    assert!(told.contains("*.shop.example needs dns-01: say in [[acme.dns]] how records are written"), "{told}");
}
