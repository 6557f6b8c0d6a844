//! *Traffic*: the last quarter of an hour in four small pictures.

use askama::Template;
use serde::Deserialize;

use super::frame::Frame;
use super::page::{Page, Visit, shown};
use crate::admin::problem::{Answer, Problem};
use crate::words::panel::TrafficWords;

/// `traffic`
pub(super) static PAGES: &[Page] = &[Page::get("traffic", |visit| Box::pin(show(visit)))];

#[derive(Template)]
#[template(path = "traffic.html")]
struct Traffic {
    frame: Frame,
    words: &'static TrafficWords,
    charts: Vec<Chart>,
}

#[derive(Deserialize)]
struct Span {
    seconds: f64,
    requests: u64,
    errors: u64,
    handshakes: u64,
    failed_handshakes: u64,
    p50: Option<f64>,
    p99: Option<f64>,
}

impl Span {
    fn rate(&self, count: u64) -> f64 {
        if self.seconds > 0.0 { count as f64 / self.seconds } else { 0.0 }
    }
}

/// A picture with one or two lines.
struct Chart {
    title: &'static str,
    unit: &'static str,
    lines: Vec<Line>,
    most: String,
}

/// One line, and what it is at now.
struct Line {
    class: &'static str,
    name: &'static str,
    points: String,
    now: String,
}

async fn show(visit: Visit) -> Result<Answer, Problem> {
    let words = &visit.words().traffic;
    let spans: Vec<Span> = visit.ask("traffic", "").await?;
    let series = |of: &dyn Fn(&Span) -> f64| spans.iter().map(of).collect::<Vec<f64>>();
    let milliseconds = |seconds: Option<f64>| seconds.unwrap_or(0.0) * 1000.0;
    let (per_second, time) = (words.per_second, words.milliseconds);
    let charts = vec![
        chart(words.requests, per_second, &[(words.all, series(&|span| span.rate(span.requests)))]),
        chart(words.errors, per_second, &[(words.all, series(&|span| span.rate(span.errors)))]),
        chart(
            words.handshakes,
            per_second,
            &[
                (words.good, series(&|span| span.rate(span.handshakes))),
                (words.failed, series(&|span| span.rate(span.failed_handshakes))),
            ],
        ),
        chart(
            words.duration,
            time,
            &[("p50", series(&|span| milliseconds(span.p50))), ("p99", series(&|span| milliseconds(span.p99)))],
        ),
    ];
    shown(&Traffic { frame: visit.frame(words.title), words, charts })
}

fn chart(title: &'static str, unit: &'static str, series: &[(&'static str, Vec<f64>)]) -> Chart {
    let most = series.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max);
    let line = |(place, (name, values)): (usize, &(&'static str, Vec<f64>))| Line {
        class: if place == 0 { "line" } else { "line second" },
        name,
        points: points(values, most),
        now: short(values.last().copied().unwrap_or(0.0)),
    };
    Chart { title, unit, lines: series.iter().enumerate().map(line).collect(), most: short(most) }
}

/// The points of a line: the newest at the right edge, the most at the top.
fn points(values: &[f64], most: f64) -> String {
    let first = MOST_SPANS.saturating_sub(values.len());
    let scale = if most > 0.0 { HEIGHT / most } else { 0.0 };
    let point = |(place, value): (usize, &f64)| {
        let x = (first + place) as f64 * WIDTH / (MOST_SPANS - 1) as f64;
        format!("{x:.1},{:.1}", HEIGHT - value * scale)
    };
    values.iter().enumerate().map(point).collect::<Vec<_>>().join(" ")
}

fn short(value: f64) -> String {
    if value >= 100.0 || value == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// As many as the edge keeps.
const MOST_SPANS: usize = 180;
/// In units of the picture.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 80.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_the_right_edge_and_stays_within_the_picture() {
        assert_eq!(points(&[0.0, 5.0, 10.0], 10.0), "356.0,80.0 358.0,40.0 360.0,0.0");
        assert_eq!(points(&[0.0], 0.0), "360.0,80.0");
        assert_eq!((short(0.0), short(7.25), short(1234.5)), ("0".into(), "7.2".into(), "1234".into()));
    }
}
