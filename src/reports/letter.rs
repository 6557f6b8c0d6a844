//! A report as it is read: as text, as a page's part, as a table for programs.

use super::report::{Line, LineState, Report};
use crate::calendar::Zone;
use crate::notices::{List, Message};
use crate::words::Language;
use crate::words::report::ReportWords;

/// The mail.
pub(super) fn message(report: &Report, zone: &Zone, language: Language) -> Message {
    let words = language.report();
    let count = |state| report.of_state(state).count();
    let counts = [count(LineState::Missing), count(LineState::Expired), count(LineState::Expiring)];
    let kind = words.kind[report.kind as usize];
    let date = zone.told(report.due);
    Message {
        identity: identity(&report.id),
        subject: (words.subject)(kind, &date, counts),
        text: text(report, zone, language),
        html: html(report, zone, language),
        data: serde_json::json!({ "report": report }),
        list: List::Reports,
        due: report.due,
        about: Vec::new(),
    }
}

/// What tells the mails of a report from all others.
pub(super) fn identity(id: &str) -> String {
    format!("report/{id}")
}

fn text(report: &Report, zone: &Zone, language: Language) -> String {
    let words = language.report();
    let mut text = opening(report, zone, words).join("\n");
    for (heading, lines) in sections(report, words) {
        text.push_str(&format!("\n\n{heading}\n"));
        for line in lines {
            let [url, end, days, remark] = cells(line, report, zone, language);
            text.push_str(&format!("\n  {url}\n      {}", [end, days, remark].map(|part| part).join("  ").trim_end()));
        }
    }
    text.push_str(&format!("\n\n{}\n", closing(report, words)));
    text
}

fn html(report: &Report, zone: &Zone, language: Language) -> String {
    let words = language.report();
    let mut html: String =
        opening(report, zone, words).iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect();
    for (heading, lines) in sections(report, words) {
        let heads: String =
            words.heads.iter().map(|head| format!("<th align=\"left\">{}</th>", escaped(head))).collect();
        html.push_str(&format!("<h2>{}</h2>\n<table>\n<tr>{heads}</tr>\n", escaped(&heading)));
        for line in lines {
            let cells = cells(line, report, zone, language);
            let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
            html.push_str(&format!("<tr>{cells}</tr>\n"));
        }
        html.push_str("</table>\n");
    }
    html.push_str(&format!("<p>{}</p>\n", escaped(closing(report, words))));
    html
}

fn opening(report: &Report, zone: &Zone, words: &ReportWords) -> Vec<String> {
    let mut lines = vec![(words.opening)(report.urls, report.days, &zone.told(report.made), zone.name())];
    if report.unwatched > 0 {
        lines.push((words.unwatched)(report.unwatched));
    }
    if report.is_late() {
        lines.push((words.late)(&zone.told(report.due)));
    }
    if report.lines.is_empty() {
        lines.push(words.nothing.to_owned());
    }
    lines
}

/// What is not said.
fn closing(report: &Report, words: &ReportWords) -> &'static str {
    if report.lists_managed { words.closing_with_managed } else { words.closing }
}

fn sections<'a>(report: &'a Report, words: &ReportWords) -> Vec<(String, Vec<&'a Line>)> {
    let of = |state: LineState| {
        let lines: Vec<&Line> = report.of_state(state).collect();
        let heading = (words.heading)(state as usize, lines.len(), report.days);
        (!lines.is_empty()).then_some((heading, lines))
    };
    LineState::ALL.into_iter().filter_map(of).collect()
}

/// The URL, the end, the days until then, and what else there is to say.
fn cells(line: &Line, report: &Report, zone: &Zone, language: Language) -> [String; 4] {
    let words = language.report();
    let end = line.not_after.map(|end| zone.told(end)).unwrap_or_default();
    let days = line.days_left(report.made).map(|days| (words.days)(days)).unwrap_or_default();
    let remark = match (&line.detail, line.is_late) {
        (Some(detail), _) => {
            let said = language.said().zip(line.fault.as_deref()).and_then(|(words, fault)| (words.fault)(fault));
            said.map_or_else(|| detail.clone(), str::to_owned)
        }
        (None, true) => words.renewal_late.to_owned(),
        (None, false) => String::new(),
    };
    [line.url.clone(), end, days, remark]
}

/// A table for programs and for spreadsheets (RFC 4180), with a head. What a spreadsheet would take for a formula begins with `'`.
#[must_use]
pub fn csv(report: &Report) -> String {
    let mut text = String::from("url,state,not_after,days_left,source,late,site\r\n");
    for line in &report.lines {
        let end = line.not_after.and_then(|end| time::OffsetDateTime::from_unix_timestamp(end).ok());
        let end = end.and_then(|end| end.format(&time::format_description::well_known::Rfc3339).ok());
        let days = line.days_left(report.made).map(|days| days.to_string());
        let (late, state) = (line.is_late.to_string(), line.state.word());
        let fields =
            [&line.url, state, &end.unwrap_or_default(), &days.unwrap_or_default(), &line.source, &late, &line.site];
        text.push_str(&fields.map(field).join(","));
        text.push_str("\r\n");
    }
    text
}

fn field(text: &str) -> String {
    let is_number = text.parse::<i64>().is_ok();
    let guard = if !is_number && text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
        false => format!("{guard}{text}"),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::ReportKind;

    fn report(lines: Vec<Line>) -> Report {
        let (made, days) = (1_795_860_000, (0, 3));
        let id = "daily-2026-11-28".to_owned();
        Report {
            id,
            kind: ReportKind::Daily,
            due: made,
            late: made,
            made,
            days,
            lines,
            urls: 7,
            unwatched: 2,
            lists_managed: false,
            shares: std::collections::BTreeMap::new(),
            told: Vec::new(),
        }
    }

    fn line(site: &str, state: LineState, not_after: Option<i64>) -> Line {
        let (site, source) = (site.to_owned(), "uploaded".to_owned());
        Line {
            not_after,
            url: format!("https://{site}"),
            site,
            source,
            state,
            is_late: true,
            detail: None,
            fault: None,
            organisation: None,
        }
    }

    #[test]
    fn every_language_says_the_same_and_shows_no_marks_of_others() {
        let lines = vec![
            line("none.example", LineState::Missing, None),
            line("<b>&.example", LineState::Expired, Some(1_795_860_000 - 86_400)),
            line("soon.example", LineState::Expiring, Some(1_795_860_000 + 86_400)),
        ];
        let zone = Zone::parse("Europe/Berlin").expect("a zone");
        for language in Language::ALL {
            let message = message(&report(lines.clone()), &zone, language);
            assert!(message.subject.contains("2026-11-28") && !message.subject.contains('\n'), "{}", message.subject);
            for part in ["https://none.example", "https://soon.example", "2026-11-29 11:00", "Europe/Berlin"] {
                assert!(message.text.contains(part) && message.html.contains(part), "{part}: {}", message.text);
            }
            assert!(message.html.contains("https://&lt;b&gt;&amp;.example") && !message.html.contains("<b>"));
            let quiet = super::message(&report(Vec::new()), &zone, language);
            assert!(quiet.text.contains(language.report().nothing) && quiet.subject != message.subject);
        }
        assert_ne!(Language::En.report().nothing, Language::De.report().nothing);
    }

    #[test]
    fn what_is_wrong_with_what_others_serve_is_said_in_the_language_of_the_mail() {
        let wrong = |fault: Option<&str>| Line {
            detail: Some("its certificate is for pay.example".into()),
            fault: fault.map(str::to_owned),
            ..line("others.example", LineState::Missing, None)
        };
        let zone = Zone::parse("UTC").expect("a zone");
        let said = |line: Line, language| message(&report(vec![line]), &zone, language).text;
        assert!(said(wrong(Some("wrong_name")), Language::En).contains("its certificate is for pay.example"));
        let german = said(wrong(Some("wrong_name")), Language::De);
        assert!(german.contains("Das Zertifikat dort ist für andere Namen") && !german.contains("its"), "{german}");
        // Of a report that an earlier version made.
        assert!(said(wrong(None), Language::De).contains("its certificate is for pay.example"));
    }

    #[test]
    fn a_table_for_spreadsheets_holds_no_formula_and_no_torn_line() {
        let lines = vec![
            line("=cmd,\"x\"", LineState::Missing, None),
            line("shop.example", LineState::Expired, Some(1_795_860_000 - 1)),
        ];
        assert_eq!(
            csv(&report(lines)),
            "url,state,not_after,days_left,source,late,site\r\n\
             \"https://=cmd,\"\"x\"\"\",missing,,,uploaded,true,\"'=cmd,\"\"x\"\"\"\r\n\
             https://shop.example,expired,2026-11-28T09:59:59Z,-1,uploaded,true,shop.example\r\n"
        );
    }
}
