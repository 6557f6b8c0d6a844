//! A changed configuration: applied without touching a connection, or not at all.

use std::fs;
use std::path::PathBuf;

use crate::support::{Edge, Origin, Setup, authority, eventually, message, replace_file, site};

#[test]
fn a_site_comes_and_goes_while_a_connection_stays() {
    let (shop, new) = (Origin::saying("shop"), Origin::saying("new"));
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&shop]);
    setup.certificate("both", &authority().issue(&["shop.example", "new.example"]));
    let mut edge = setup.start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("new.example", "/").status, 404);
    edge.setup.site(&["new.example"], &[&new]);
    edge.reload();
    assert_eq!(client.get("new.example", "/").text(), "new");
    assert_eq!(client.get("shop.example", "/").text(), "shop");
    edge.setup.forget_sites();
    edge.setup.site(&["new.example"], &[&new]);
    edge.reload();
    assert_eq!(client.get("shop.example", "/").status, 404);
    assert_eq!(client.get("new.example", "/").text(), "new");
}

#[test]
fn a_changed_file_is_read_without_being_asked_to() {
    let (one, two) = (Origin::saying("one"), Origin::saying("two"));
    let mut edge = Setup::shop(&one).start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").text(), "one");
    edge.setup.forget_sites();
    edge.setup.site(&["shop.example"], &[&two]).write();
    eventually("the other shop", || (client.get("shop.example", "/").text() == "two").then_some(()));
}

#[test]
fn an_answer_under_way_ends_as_it_began() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let slow = Origin::new(move |exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe")?;
        let _ = wait.lock().expect("the gate").recv();
        exchange.write(b"llo")?;
        Ok(crate::support::Then::Keep)
    });
    let other = Origin::saying("other");
    let mut edge = Setup::shop(&slow).start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    eventually("the request", || (slow.requests().len() == 1).then_some(()));
    edge.setup.forget_sites();
    edge.setup.site(&["shop.example"], &[&other]);
    edge.reload();
    go.send(()).expect("the origin waits");
    assert_eq!(client.response().text(), "hello");
    assert_eq!(client.get("shop.example", "/").text(), "other");
}

#[test]
fn a_broken_file_changes_nothing_and_says_why() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for (text, said) in [
        (format!("{}\n[limits]\nidle_timeout = \"75 parsecs\"\n", edge.setup.text()), "limits.idle_timeout"),
        (format!("{}\n[nonsense]\n", edge.setup.text()), "nonsense"),
        ("[[[".to_owned(), "vitrine.toml:1"),
    ] {
        let before = edge.log().len();
        replace_file(&edge.setup.config(), text);
        edge.signal(rustix::process::Signal::HUP);
        edge.log_line_after(before, "the refusal", |line| message(line).contains("the configuration was not reloaded"));
        edge.log_line_after(before, said, |line| line["level"] == "ERROR" && message(line).contains(said));
        assert_eq!(edge.get("shop.example", "/").text(), "hello", "{said}");
    }
}

/// An editor that truncates before it writes, a disk that is full, a deployment that copied half: no shop may go dark for it.
#[test]
fn a_file_that_leaves_no_site_is_taken_for_an_accident() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    let whole = edge.setup.text();
    let (settings, _) = whole.split_once("[[site]]").expect("a site");
    let siteless = format!("{settings}[limits]\nuri_length = \"256B\"\n");
    let long = format!("/{}", "a".repeat(300));
    for text in ["", "# nothing but a comment\n", &siteless] {
        let before = edge.log().len();
        // In place, as a shell's redirection empties a file.
        fs::write(edge.setup.config(), text).expect("written");
        edge.signal(rustix::process::Signal::HUP);
        let line = edge.log_line_after(before, "the refusal", |line| message(line).contains("not reloaded"));
        assert_eq!(line["level"], "ERROR", "{line}");
        for part in ["vitrine.toml: no site is left", "an accident", "restart to serve none"] {
            assert!(message(&line).contains(part), "{part}: {line}");
        }
        assert_eq!(client.get("shop.example", "/").text(), "hello", "who is there is served: {text:?}");
        assert_eq!(edge.get("shop.example", &long).text(), "hello", "nothing of it applies: {text:?}");
        assert_eq!(edge.api("sites").len(), 1, "{text:?}");
    }
    // The rest of the file comes after all.
    let before = edge.log().len();
    fs::write(edge.setup.config(), whole + "[limits]\nuri_length = \"256B\"\n").expect("written");
    edge.log_line_after(before, "a reload", |line| message(line).contains("configuration was reloaded"));
    assert_eq!(edge.get("shop.example", &long).status, 414);
}

#[test]
fn a_new_address_needs_a_restart_and_the_rest_applies_now() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    edge.setup
        .set("edge", "https = [\"127.0.0.2:0\"]")
        .set("edge", "workers = 3")
        .set("limits", "uri_length = \"256B\"");
    edge.reload();
    for key in ["edge.https", "edge.workers"] {
        edge.log_line(key, |line| line["key"] == key && message(line).contains("needs a restart"));
    }
    assert_eq!(edge.get("shop.example", &format!("/{}", "a".repeat(300))).status, 414);
    assert_eq!(edge.get("shop.example", "/").status, 200);
}

#[test]
fn a_mistake_in_an_included_file_leaves_out_its_site_alone() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    let folder = setup.folder.path().join("sites.d");
    fs::create_dir(&folder).expect("a folder");
    setup.top("include = [\"sites.d/*.toml\"]");
    setup.certificate("all", &authority().issue(&["a.example", "b.example", "c.example"]));
    let good = |host: &str| site(&[host], &[origin.url()]);
    fs::write(folder.join("a.toml"), good("a.example")).expect("written");
    fs::write(folder.join("b.toml"), good("b.example").replace("upstreams", "upstream")).expect("written");
    fs::write(folder.join("c.toml"), good("c.example")).expect("written");
    let edge = setup.start();
    let told = |after: usize| {
        edge.log_line_after(after, "the mistake", |line| {
            line["level"] == "ERROR" && message(line).contains("b.toml:") && message(line).contains("left out")
        })
    };
    told(0);
    let mut client = edge.open("a.example");
    let mut statuses = || ["a.example", "b.example", "c.example"].map(|host| client.get(host, "/").status);
    assert_eq!(statuses(), [200, 404, 200]);

    replace_file(&folder.join("b.toml"), good("b.example"));
    eventually("the mended site", || (statuses() == [200, 200, 200]).then_some(()));

    // Broken again while it serves: the site stays as it was.
    let before = edge.log().len();
    replace_file(&folder.join("b.toml"), "[[site]]\nhosts = [\"b.example\"]\nnonsense = 1\n");
    told(before);
    edge.log_line_after(before, "that it stays", |line| message(line).contains("stays as it was"));
    assert_eq!(statuses(), [200, 200, 200]);

    // A file that goes takes its site along.
    fs::remove_file(folder.join("c.toml")).expect("removed");
    eventually("the end of the site", || (statuses() == [200, 200, 404]).then_some(()));
}

#[test]
fn a_mistake_that_stays_is_told_once_and_on_sighup_and_is_an_alarm_until_it_is_mended() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let refused = |what: &str, after: usize| {
        edge.log_line_after(after, what, |line| message(line).contains("configuration was not reloaded"));
        edge.log().len()
    };
    let whole = edge.setup.text();
    let mut after = edge.log().len();
    fs::remove_file(edge.setup.config()).expect("removed");
    after = refused("the missing file", after);
    edge.counted(0.0, "vitrine_config_last_reload_successful", &[]);
    // The certificate has an alarm of its own, which may come in the meantime.
    let alarms = || {
        let mut alarms = edge.api("alarms");
        alarms.retain(|alarm| alarm["code"] == "config-not-reloaded");
        alarms
    };
    let told = alarms();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0]["message"].as_str().is_some_and(|text| text.contains("there is no such file")), "{told:?}");

    edge.signal(rustix::process::Signal::HUP);
    after = refused("the same, asked for", after);
    for text in ["[edge]\nnonsense = 1\n", "[[["] {
        replace_file(&edge.setup.config(), text);
        after = refused(text, after);
    }
    let times = edge.log().iter().filter(|line| message(line).contains("vitrine.toml:2: edge.nonsense")).count();
    assert_eq!(times, 1);

    replace_file(&edge.setup.config(), whole);
    edge.log_line_after(after, "the end of it", |line| message(line).contains("is what serves already"));
    edge.counted(1.0, "vitrine_config_last_reload_successful", &[]);
    edge.counted(3.0, "vitrine_config_reloads_total", &[("result", "refused")]);
    assert_eq!(alarms(), Vec::<serde_json::Value>::new());
}

#[test]
fn tls_is_spoken_as_the_new_configuration_says() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let old = crate::support::ClientTls::new(&[&rustls::version::TLS12]);
    let mut client = old.open(edge.https, "shop.example");
    edge.setup.set("tls", "min_version = \"1.3\"");
    edge.reload();
    assert!(old.try_open(edge.https, "shop.example").is_err());
    assert_eq!(client.get("shop.example", "/").text(), "hello", "an open connection is not touched");
}

/// Issue 9 of an include folder: whoever adds a file cannot take a shop down with it.
#[test]
fn a_new_file_that_claims_a_served_host_is_rejected_and_the_site_stays() {
    let (shop, test) = (Origin::saying("shop"), Origin::saying("test"));
    let (edge, folder) = with_included(&[("shop.toml", &site(&["shop.example", "www.shop.example"], &[shop.url()]))]);
    let mut client = edge.open("shop.example");
    let mut texts = || ["shop.example", "www.shop.example"].map(|host| client.get(host, "/").text());
    let before = edge.log().len();
    let newcomer = folder.join("00-test.toml");
    replace_file(&newcomer, site(&["www.shop.example"], &[test.url()]));
    let line = edge.log_line_after(before, "the rejection", |line| {
        line["level"] == "ERROR" && message(line).contains("00-test.toml:2")
    });
    assert!(message(&line).contains("shop.toml:2"), "both places are named: {line}");
    assert_eq!(texts(), ["shop", "shop"]);
    assert_eq!(edge.api("sites").len(), 2);

    // With the host given up by its file, the newcomer has it.
    replace_file(&folder.join("shop.toml"), site(&["shop.example"], &[shop.url()]));
    eventually("the new site", || (texts() == ["shop", "test"]).then_some(()));
}

/// A folder that cannot be entered and a file that was truncated before it is written say nothing about what is in them.
#[test]
fn a_folder_or_file_that_says_nothing_keeps_its_sites() {
    let origin = Origin::saying("hello");
    let (edge, folder) = with_included(&[("shop.toml", &site(&["shop.example"], &[origin.url()]))]);
    let mut client = edge.open("shop.example");
    let mut still_there = |what: &str, wanted: &str, before: usize| {
        edge.signal(rustix::process::Signal::HUP);
        let told = |line: &serde_json::Value| line["level"] == "ERROR" && message(line).contains(wanted);
        edge.log_line_after(before, what, told);
        edge.log_line_after(before, "that it stays", |line| {
            message(line).contains("stays as it was") && line["site"] == "shop.example"
        });
        edge.log_line_after(before, "a reload", |line| message(line).contains("configuration was reloaded"));
        assert_eq!(client.get("shop.example", "/").text(), "hello", "{what}");
        edge.log().len()
    };
    let (away, file) = (folder.with_file_name("away"), folder.join("shop.toml"));
    let settle = |before: usize| {
        edge.log_line_after(before, "a reload", |line| message(line).contains("configuration was reloaded"));
        edge.log().len()
    };
    let mut before = edge.log().len();
    fs::rename(&folder, &away).expect("moved");
    before = still_there("a missing folder", "No such file or directory", before);
    fs::rename(&away, &folder).expect("moved back");
    before = settle(before);
    fs::rename(&folder, &away).expect("moved");
    fs::write(&folder, "").expect("a file in its place");
    before = still_there("a file in the folder's place", "Not a directory", before);
    fs::remove_file(&folder).expect("removed");
    std::os::unix::fs::symlink(&folder, &folder).expect("a link to itself");
    before = still_there("a loop", "Too many levels of symbolic links", before);
    fs::remove_file(&folder).expect("removed");
    fs::rename(&away, &folder).expect("moved back");
    before = settle(before);
    for empty in ["", " \n\n", "# later\n"] {
        let whole = fs::read(&file).expect("the site");
        fs::write(&file, empty).expect("truncated");
        before = still_there("an empty file", "delete the file", before);
        replace_file(&file, whole);
        before = settle(before);
    }
    fs::write(folder.join("other.toml"), "# no shop yet\n").expect("written");
    fs::remove_file(&file).expect("removed");
    eventually("the end of the site", || (client.get("shop.example", "/").status == 404).then_some(()));
}

/// A volume that is unmounted reads as an empty folder.
#[test]
fn a_pattern_that_matches_nothing_any_more_keeps_its_sites_until_the_operator_says_so() {
    let origin = Origin::saying("hello");
    let shop = site(&["shop.example"], &[origin.url()]);
    let (edge, folder) = with_included(&[("shop.toml", &shop), ("www.toml", &shop.replace("shop.", "www.shop."))]);
    let mut client = edge.open("shop.example");
    let mut statuses = || ["shop.example", "www.shop.example"].map(|host| client.get(host, "/").status);
    let (away, before) = (folder.with_file_name("away"), edge.log().len());
    fs::rename(&folder, &away).expect("moved");
    fs::create_dir(&folder).expect("an empty one");
    let line = edge.log_line_after(before, "the accident", |line| message(line).contains("taken for an accident"));
    assert_eq!(line["level"], "ERROR", "{line}");
    for part in
        ["vitrine.toml:1: include: no file matches \"*.toml\"", "sites.d", "take the pattern out", "put a file there"]
    {
        assert!(message(&line).contains(part), "{part}: {line}");
    }
    for site in ["shop.example", "www.shop.example"] {
        edge.log_line_after(before, site, |line| message(line).contains("stays as it was") && line["site"] == site);
    }
    edge.log_line_after(before, "a reload", |line| message(line).contains("configuration was reloaded"));
    assert_eq!(statuses(), [200, 200]);
    edge.counted(1.0, "vitrine_config_rejected", &[]);

    // The volume is back.
    fs::remove_dir(&folder).expect("removed");
    fs::rename(&away, &folder).expect("moved back");
    edge.counted(0.0, "vitrine_config_rejected", &[]);
    assert_eq!(statuses(), [200, 200]);

    // All but one file go, which is meant; then the pattern goes.
    fs::remove_file(folder.join("www.toml")).expect("removed");
    eventually("the end of one site", || (statuses() == [200, 404]).then_some(()));
    fs::remove_file(folder.join("shop.toml")).expect("removed");
    edge.counted(1.0, "vitrine_config_rejected", &[]);
    assert_eq!(statuses(), [200, 404]);
    let without = edge.setup.text().replace("include = [\"sites.d/*.toml\"]", "include = []");
    replace_file(&edge.setup.config(), without);
    eventually("the end of the other", || (statuses() == [404, 404]).then_some(()));
    edge.counted(0.0, "vitrine_config_rejected", &[]);
}

/// An edge with a site of its main file, and `sites.d` with these.
fn with_included(files: &[(&str, &str)]) -> (Edge, PathBuf) {
    let origin = Origin::saying("the main file's");
    let mut setup = Setup::new();
    setup.top("include = [\"sites.d/*.toml\"]").site(&["main.example"], &[&origin]);
    setup.certificate("all", &authority().issue(&["main.example", "shop.example", "*.shop.example"]));
    let folder = setup.folder.path().join("sites.d");
    fs::create_dir(&folder).expect("a folder");
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("written");
    }
    (setup.start(), folder)
}
