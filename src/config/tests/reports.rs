//! `[reports]`.

use super::{good, wrong};
use crate::calendar::Zone;
use crate::mail_address::MailAddress;

#[test]
fn reports_are_made_daily_and_monthly_unless_somebody_says_otherwise() {
    let reports = good("").config.reports;
    let told =
        |report: crate::config::ReportConfig| (report.schedule.map(|schedule| schedule.to_string()), report.days);
    assert_eq!(told(reports.daily), (Some("10:00-10:30".into()), (0, 3)));
    assert_eq!(told(reports.weekly), (None, (4, 30)));
    assert_eq!(told(reports.monthly), (Some("1 00:00-01:00".into()), (30, 60)));
    assert_eq!((reports.time_zone, reports.managed, reports.recipients), (Zone::default(), false, Vec::new()));
    let text = "[reports]\ntime_zone = \"Europe/Berlin\"\nrecipients = [\"ops@shop.example\"]\nmanaged = true\ndaily = \"off\"\n\
        weekly = \"Mon 08:00-09:00\"\nweekly_days = \"0-14\"\nmonthly = \"31 23:00-23:30\"";
    let reports = good(text).config.reports;
    assert_eq!(told(reports.daily), (None, (0, 3)));
    assert_eq!(told(reports.weekly), (Some("Mon 08:00-09:00".into()), (0, 14)));
    assert_eq!(told(reports.monthly), (Some("31 23:00-23:30".into()), (30, 60)));
    assert_eq!((reports.time_zone.name(), reports.managed), ("Europe/Berlin", true));
    assert_eq!(reports.recipients, [MailAddress::parse("ops@shop.example").expect("an address")]);
}

#[test]
fn what_is_no_time_is_told_with_an_example() {
    for (line, part) in [
        ("time_zone = \"CEST+2\"", "reports.time_zone: expected a time zone such as \"Europe/Berlin\" or \"UTC\""),
        ("daily = \"10:30\"", "reports.daily: expected times of the day such as \"10:00-10:30\""),
        ("weekly = \"10:00-10:30\"", "reports.weekly: expected a day of the week"),
        ("monthly = \"never\"", "reports.monthly: expected a day of the month"),
        ("daily_days = \"3-0\"", "reports.daily_days: expected days from and until"),
        ("daily_days = 3", "reports.daily_days: expected a text in quotes"),
        ("recipients = [\"ops\"]", "reports.recipients: expected an address"),
    ] {
        let said = wrong(&format!("[reports]\n{line}"));
        assert!(said.starts_with("v.toml:2: ") && said.contains(part), "{said}");
    }
}
