//! From a fault to the gauge within a minute, and to a mail within two: what serves has ended, is another's, was not renewed or is
//! gone, and the system reports no changes any more. All at the same time, by the clock on the wall.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::clocks::Clock;
use crate::support::managed::site_text;
use crate::support::pebble::Pebble;
use crate::support::receiver::Receiver;
use crate::support::{Edge, KeyKind, Origin, Setup, authority, eventually, replace_file, within};
use crate::truth::Impostor;

#[test]
fn five_faults_are_in_the_gauges_within_a_minute_and_in_mails_within_two() {
    if !has_a_limit_of_its_own("in_time::five_faults_are_in_the_gauges_within_a_minute_and_in_mails_within_two") {
        return;
    }
    let (origin, server) = (Origin::saying("the shop"), Receiver::mail("plain", 0));
    let names: Vec<String> = (0..24).map(|number| format!("shop-{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let valid = |from: i64| authority().issue_for(&names, KeyKind::Ecdsa, from, 90 * 24);
    let emptied = {
        let mut setup = Setup::new();
        setup.site(&names, &[&origin]).certificate("shop", &valid(-1));
        telling(setup, &server)
    };
    let emptied = emptied.start();

    // Nobody listens who could renew.
    let pebble = Pebble::prepare();
    let mut setup = Setup::new();
    pebble.used_by(&mut setup);
    setup.site(&names, &[&origin]).certificate("shop", &valid(-2));
    setup.site(&["old.example"], &[&origin]).raw_site(&site_text(&origin, "late.example", ""));
    // One ends in twelve hours; of the nine days of the other six and a quarter are over, and no day since its renewal was due.
    let issued = |name: &str, from: i64, until: i64| authority().issue_for(&[name], KeyKind::Ecdsa, from, until);
    setup.certificate("old", &issued("old.example", -90 * 24, 12));
    setup.certificate("late", &issued("late.example", -(6 * 24 + 6), 9 * 24 - (6 * 24 + 6)));
    let clock = Clock::of(&mut setup);
    let edge = telling(setup, &server).start();
    let hours = |edge: &Edge, off: i64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let due = edge.scrape().sum("vitrine_site_certificate_renewal_seconds", &[("site", "late.example")]);
        (due > 0.0).then(|| (now - due) / 3600.0 + off as f64)
    };
    let overdue = eventually("when it was due", || hours(&edge, 0));
    assert!((0.0..24.0).contains(&overdue), "{overdue}");
    let alarm = |edge: &Edge, code: &str| edge.scrape().sum("vitrine_certificate_alarms", &[("code", code)]) == 1.0;
    let is_late = || edge.api("alerts").iter().any(|alert| alert["code"] == "renewal-late");
    let is_other = || edge.scrape().sum("vitrine_served_certificate_mismatch", &[("site", "shop-0.example")]) == 1.0;
    let gauges: [&dyn Fn() -> bool; 5] = [
        &|| is_other(),
        &|| alarm(&emptied, "withdrawal-held"),
        &|| alarm(&edge, "expired-serving"),
        &|| hours(&edge, MOVED).is_some_and(|hours| hours > 24.0) && is_late(),
        &|| alarm(&edge, "not-watching"),
    ];
    assert!([0, 1, 2, 4].iter().all(|place| !gauges[*place]()) && !is_late());

    // Another process takes some of the connections: of so many names it gets one.
    let impostor = Instant::now();
    let _impostor = Impostor::join(edge.https, &authority().issue(&names));
    replace_file(&edge.setup.certs().join("shop.pem"), valid(-1).both());
    let empty = Instant::now();
    fs::remove_file(emptied.setup.certs().join("shop.pem")).expect("removed");
    let later = Instant::now();
    clock.set(MOVED);
    let dead = Instant::now();
    fs::write(LIMIT, "0").expect("the limit");
    // A folder that comes is one more to watch.
    fs::create_dir(edge.setup.certs().join("more")).expect("a folder");

    let faults = [
        ("served otherwise", impostor, "\nServed otherwise than published\n\n- shop-0.example: "),
        ("folder empty", empty, "\n- withdrawal-held: "),
        ("expired", later, "\n- old.example: ended on "),
        ("renewal late", later, "\n- late.example: was due on "),
        ("watch dead", dead, "raise fs.inotify.max_user_watches"),
    ];
    let mut after: [[Option<Duration>; 2]; 5] = Default::default();
    within(OWED[1], "all of them", || {
        let mails: Vec<Value> = server.taken();
        for (place, (_, began, text)) in faults.iter().enumerate() {
            let is_told =
                || mails.iter().any(|mail| format!("\n{}", mail["text"].as_str().unwrap_or("")).contains(text));
            if after[place][0].is_none() && gauges[place]() {
                after[place][0] = Some(began.elapsed());
            }
            if after[place][1].is_none() && is_told() {
                after[place][1] = Some(began.elapsed());
            }
        }
        after.iter().flatten().all(Option::is_some).then_some(())
    });
    for ((fault, ..), after) in faults.iter().zip(after) {
        let [gauge, mail] = after.map(|after| after.unwrap_or_default());
        println!("fault: {fault}: gauge after {:.1} s, mail after {:.1} s", gauge.as_secs_f64(), mail.as_secs_f64());
        assert!(gauge <= OWED[0] && mail <= OWED[1], "{fault}: {gauge:?}, {mail:?}");
    }
}

/// Nothing changes, and the only site has had its turn in the round: what is left is a glance at who listens.
#[test]
fn another_process_on_the_port_is_told_in_time_where_no_certificate_changes() {
    let (origin, server) = (Origin::saying("the shop"), Receiver::mail("plain", 0));
    let mut setup = telling(Setup::shop(&origin), &server);
    setup.set("edge", "workers = 4");
    let edge = setup.start();
    edge.counted(1.0, "vitrine_truth_checks_total", &[("result", "match")]);
    let began = Instant::now();
    let impostor = Impostor::join(edge.https, &authority().issue(&["shop.example"]));
    let gauge = || edge.scrape().sum("vitrine_served_certificate_mismatch", &[("site", "shop.example")]);
    within(OWED[0], "the gauge", || (gauge() == 1.0).then_some(()));
    let after = began.elapsed();
    let line = edge.logged("another process listens where the edge does");
    assert_eq!((&line["level"], &line["address"]), (&"WARN".into(), &edge.https.to_string().into()));
    let is_told =
        |mail: &Value| mail["text"].as_str().is_some_and(|text| text.contains("Served otherwise than published"));
    within(OWED[1], "the mail", || server.taken().iter().any(is_told).then_some(()));
    let [gauge_after, mail_after] = [after, began.elapsed()].map(|after| after.as_secs_f64());
    println!("fault: another on the port: gauge after {gauge_after:.1} s, mail after {mail_after:.1} s");
    assert!(after <= OWED[0] && began.elapsed() <= OWED[1]);
    drop(impostor);
    within(OWED[0], "its end", || (gauge() == 0.0).then_some(()));
}

/// The same, which tells its operators of what this is about.
fn telling(mut setup: Setup, server: &Receiver) -> Setup {
    server.used_by(&mut setup, "none");
    setup.set("reports", "daily = \"off\"").set("reports", "monthly = \"off\"");
    let events = ["expired", "mismatch", "renewal_late", "edge"];
    setup.raw_site(&format!("[[notices.contact]]\nname = \"ops\"\nmail = \"ops@shop.example\"\nevents = {events:?}\n"));
    setup
}

/// In the test, runs it again where a limit of inotify holds for it alone; true there.
fn has_a_limit_of_its_own(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("unshare runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said.lines().filter(|line| line.contains("fault: ")).for_each(|line| println!("{line}"));
    false
}

/// So many hours the clock is moved.
const MOVED: i64 = 24;
/// To the gauge, and to the mail.
const OWED: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// Of the user namespace of whoever writes it.
const LIMIT: &str = "/proc/sys/user/max_inotify_watches";
const ALONE: &str = "VITRINE_TEST_LIMIT";
