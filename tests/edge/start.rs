//! Starting, and everything that can be wrong before it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use crate::support::{
    Edge, Origin, PROGRAM, Setup, Talk, authority, dial, drop_file, eventually, message, replace_file, run, shop_client,
};

#[test]
fn all_mistakes_of_a_configuration_are_told_at_once() {
    let setup = Setup::new();
    fs::write(
        setup.config(),
        "[edge]\nhttps = \"nowhere\"\nnonsense = 1\n\n[limits]\nidle_timeout = \"75 parsecs\"\n\n[acme]\ncontact = 7\n\
         [[site]]\nhosts = [\"not a host\"]\nupstreams = [\"ftp://10.0.0.1\"]\ncertificate = \"managed\"\n",
    )
    .expect("written");
    for command in ["run", "check"] {
        let output = run(&[command, "--config", "vitrine.toml"], &setup);
        assert_eq!(output.status.code(), Some(78), "{command}");
        let said = said(&output);
        for line in [
            "vitrine.toml:2: edge.https: ",
            "vitrine.toml:3: edge.nonsense: ",
            "vitrine.toml:6: limits.idle_timeout: ",
            "vitrine.toml:9: acme.contact: ",
            "vitrine.toml:11: site.hosts: ",
            "vitrine.toml:12: site.upstreams: ",
            "vitrine.toml:13: site.certificate: ",
        ] {
            assert!(said.lines().any(|said| said.contains(line)), "{command}: {line}\n{said}");
        }
        assert!(said.contains("terms_of_service_agreed"), "{said}");
    }
}

#[test]
fn a_configuration_that_is_not_there_is_a_mistake_of_configuration() {
    let setup = Setup::new();
    for command in ["run", "check"] {
        let output = run(&[command, "--config", "missing.toml"], &setup);
        assert_eq!(output.status.code(), Some(78), "{command}");
        assert!(said(&output).contains("missing.toml"), "{}", said(&output));
    }
}

/// `vitrine run 2>&1 | head -1` closes the pipe that mistakes are written to.
#[test]
fn a_mistake_that_nobody_reads_ends_with_its_code_all_the_same() {
    let setup = Setup::new();
    setup.write();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let occupied = TcpListener::bind(taken).expect("the port");
    fs::write(setup.folder.path().join("occupied.toml"), format!("[edge]\nhttps = [\"{taken}\"]\n")).expect("written");
    for (command, file) in [("run", "missing.toml"), ("check", "missing.toml"), ("run", "occupied.toml")] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut process = Command::new(PROGRAM);
        process.args([command, "--config", file]).current_dir(setup.folder.path()).stderr(writer);
        assert_eq!(process.status().expect("it runs").code(), Some(78), "{command} {file}");
    }
    drop(occupied);
}

#[test]
fn a_state_folder_that_cannot_be_used_is_told_with_its_key_and_the_mend() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    // Nobody can make anything there, root included.
    setup.set("certificates", "state_directory = \"/proc/self\"").write();
    let output = run(&["run", "--config", "vitrine.toml"], &setup);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(78), "{said}");
    for part in [
        "certificates.state_directory: cannot open the state folder /proc/self: ",
        "; choose a folder that can be written",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_state_folder_of_a_later_version_is_refused_and_untouched() {
    let origin = Origin::saying("hello");
    let setup = Setup::shop(&origin);
    setup.write();
    fs::write(setup.state().join("schema.json"), "{\"version\":99,\"more\":true}").expect("written");
    let output = run(&["run", "--config", "vitrine.toml"], &setup);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(
        said.contains("it has the layout 99 of a later version, and this one knows up to 1; run that version"),
        "{said}"
    );
    let left = fs::read_dir(setup.state()).expect("listed").map(|entry| entry.expect("an entry").file_name());
    let left: Vec<_> = left.filter(|name| !name.to_string_lossy().starts_with('.')).collect();
    assert_eq!(left, ["schema.json"]);
}

#[test]
fn a_state_folder_that_others_may_enter_is_warned_of() {
    let origin = Origin::saying("hello");
    for (mode, warned) in [(0o755, true), (0o700, false)] {
        let setup = Setup::shop(&origin);
        fs::set_permissions(setup.state(), fs::Permissions::from_mode(mode)).expect("set");
        let edge = setup.start();
        let is_warning =
            |line: &serde_json::Value| message(line).contains("others may enter state (mode 0755); chmod 0700");
        assert_eq!(edge.log().iter().any(is_warning), warned, "{mode:o}");
    }
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let setup = Setup::new();
    for arguments in [&["nonsense"][..], &[], &["run", "--nonsense"], &["run", "--config"], &["check", "a", "b"]] {
        assert_eq!(run(arguments, &setup).status.code(), Some(64), "{arguments:?}");
    }
    for arguments in [["--help"], ["--version"]] {
        let output = run(&arguments, &setup);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn an_occupied_port_is_told_and_ends_the_start() {
    let origin = Origin::saying("hello");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    for (section, key) in [("edge", "https"), ("edge", "http"), ("admin", "listen"), ("admin", "metrics_listen")] {
        let mut setup = Setup::shop(&origin);
        let value = if section == "edge" { format!("[\"{address}\"]") } else { format!("\"{address}\"") };
        setup.set(section, &format!("{key} = {value}")).write();
        let output = run(&["run", "--config", "vitrine.toml"], &setup);
        assert_eq!(output.status.code(), Some(78), "{key}: {}", said(&output));
        assert!(said(&output).contains(&address), "{key}: {}", said(&output));
    }
}

#[test]
fn a_second_edge_on_the_same_port_does_not_take_half_of_the_connections() {
    let (one, two) = (Origin::saying("one"), Origin::saying("two"));
    let first = Setup::shop(&one).start();
    let mut second = Setup::shop(&two);
    second.set("edge", &format!("https = [\"{}\"]", first.https)).write();
    let output = run(&["run", "--config", "vitrine.toml"], &second);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains(&first.https.to_string()), "{}", said(&output));
    for _ in 0..10 {
        assert_eq!(first.get("shop.example", "/").text(), "one");
    }
}

#[test]
fn a_second_edge_on_the_same_state_folder_is_refused() {
    let origin = Origin::saying("hello");
    let first = Setup::shop(&origin).start();
    let mut second = Setup::shop(&origin);
    second.set("certificates", &format!("state_directory = {:?}", first.setup.state())).write();
    let output = run(&["run", "--config", "vitrine.toml"], &second);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert_eq!(first.api("sites").len(), 1, "the first edge keeps its socket");
}

#[test]
fn what_a_killed_edge_left_behind_does_not_stop_the_next() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    edge.signal(rustix::process::Signal::KILL);
    edge.wait();
    let socket = edge.setup.state().join("admin.sock");
    assert!(socket.exists());
    let mut next = Setup::shop(&origin);
    next.set("certificates", &format!("state_directory = {:?}", edge.setup.state())).write();
    fs::remove_dir_all(next.state()).expect("removed");
    std::os::unix::fs::symlink(edge.setup.state(), next.state()).expect("a link");
    assert_eq!(next.start().api("sites").len(), 1);
}

#[test]
fn a_missing_drop_folder_is_awaited() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]);
    fs::remove_dir(setup.certs()).expect("removed");
    let edge = setup.start();
    assert!(shop_client().try_open(edge.https, "shop.example").is_err());
    edge.counted(1.0, "vitrine_certificate_alarms", &[("code", "folder-missing")]);
    fs::create_dir(edge.setup.certs()).expect("a folder");
    drop_file(&edge.setup.certs().join("shop.pem"), authority().issue(&["shop.example"]).both());
    eventually("the shop", || shop_client().try_open(edge.https, "shop.example").ok());
    edge.counted(0.0, "vitrine_certificate_alarms", &[("code", "folder-missing")]);
}

#[test]
fn until_the_folder_was_looked_at_the_edge_is_starting_and_who_connects_waits() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    // Each of them is read and parsed, whatever it shares with the others.
    let (file, folder) = (setup.certs().join("shop.pem"), setup.certs().join("many"));
    fs::create_dir(&folder).expect("a folder");
    for number in 0..15_000 {
        fs::hard_link(&file, folder.join(format!("{number}.pem"))).expect("a link");
    }
    let address = free_address();
    setup.set("edge", &format!("https = [\"{address}\"]"));
    let socket = setup.state().join("admin.sock");
    let edge = Edge::spawn(setup, address);
    let ask = |path: &str| {
        let answer = eventually("the operator's door", || Talk::unix(&socket).ok()).get("localhost", path);
        (answer.status, answer.text())
    };
    assert_eq!(ask("/livez"), (200, "ok\n".into()));
    let waiting = dial(address);
    assert_eq!(ask("/readyz"), (503, "starting\n".into()));
    let mut client = shop_client().over(waiting, "shop.example").expect("a handshake");
    assert_eq!(client.get("shop.example", "/").text(), "hello");
    edge.log_line("ready", |line| line["message"] == "ready");
    assert_eq!(ask("/readyz"), (200, "ready\n".into()));
}

#[test]
fn check_tells_what_is_wrong_and_changes_nothing() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    fs::remove_dir(setup.state()).expect("removed");
    setup.write();
    let output = run(&["check", "--config", "vitrine.toml"], &setup);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!setup.state().exists(), "a check makes no folders");
    // A site without a certificate and a file that is none are told.
    setup.site(&["bare.example"], &[&origin]).write();
    replace_file(&setup.certs().join("garbage.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let said = said(&run(&["check", "--config", "vitrine.toml"], &setup));
    assert!(said.contains("bare.example") && said.contains("garbage.pem"), "{said}");
}

/// Chosen before the edge starts. On an address that no other test listens on, nobody takes the port in between.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.7.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// Both streams.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
