//! What nobody sees any more: the system stops reporting changes in the drop folder, and people are told in time.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::reports::{Mails, text};
use crate::support::{Origin, Setup, within};

#[test]
fn a_dead_watch_is_in_the_gauge_within_a_minute_and_in_a_mail_within_two() {
    if !has_a_limit_of_its_own("dead_watch::a_dead_watch_is_in_the_gauge_within_a_minute_and_in_a_mail_within_two") {
        return;
    }
    let (origin, mails) = (Origin::saying("the shop"), Mails::start());
    let mut setup = Setup::shop(&origin);
    setup.set("mail", &format!("server = \"127.0.0.1:{}\"", mails.server.port));
    setup.set("mail", "security = \"none\"").set("mail", "from = \"Vitrine <edge@shop.example>\"");
    setup.raw_site("[[notices.contact]]\nname = \"operators\"\nmail = \"ops@shop.example\"\nevents = [\"edge\"]\n");
    setup.set("reports", "daily = \"off\"").set("reports", "monthly = \"off\"");
    let edge = setup.start();
    let alarm = || edge.scrape().sum("vitrine_certificate_alarms", &[("code", "not-watching")]);
    assert_eq!(alarm(), 0.0);
    fs::write(LIMIT, "0").expect("the limit");
    let began = Instant::now();
    // A folder that comes is one more to watch.
    fs::create_dir(edge.setup.certs().join("more")).expect("a folder");
    within(Duration::from_secs(60), "the gauge", || (alarm() == 1.0).then_some(()));
    let to_gauge = began.elapsed();
    let mail = within(Duration::from_secs(120) - to_gauge, "the mail", || mails.taken().first().cloned());
    let to_mail = began.elapsed();
    assert!(text(&mail["text"]).contains("raise fs.inotify.max_user_watches"), "{mail}");
    println!("dead watch: gauge after {:.1} s, mail after {:.1} s", to_gauge.as_secs_f64(), to_mail.as_secs_f64());
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
    said.lines().filter(|line| line.starts_with("dead watch")).for_each(|line| println!("{line}"));
    false
}

/// Of the user namespace of whoever writes it.
const LIMIT: &str = "/proc/sys/user/max_inotify_watches";
const ALONE: &str = "VITRINE_TEST_LIMIT";
