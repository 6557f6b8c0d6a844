//! Metrics written straight into the page: those whose number grows with certificates and sites, and those the recorder
//! cannot hold.
//!
//! The recorder costs some 9 µs a series (three hash maps and two allocations a label), which made 80 ms of processor time
//! for 3,000 certificates; straight it is a tenth of a microsecond a label. It also keeps histograms as single
//! observations until they are drained and takes none that are counted already, and its counters are whole numbers.

use std::collections::HashSet;
use std::fmt::{Display, Write as _};

use super::catalogue::{Family, Kind};

/// The page as it grows.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) const fn after(page: String) -> Self {
        Self(page)
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    /// A metric with all its series. A second series with the same labels is left out: Prometheus would refuse it.
    pub(super) fn family<'a, V: Display>(
        &mut self,
        family: &'static Family,
        series: impl IntoIterator<Item = (&'a str, V)>,
    ) {
        let mut written = HashSet::new();
        for (labels, value) in series {
            if written.is_empty() {
                self.head(family);
            }
            if written.insert(labels) {
                let _ = writeln!(self.0, "{}{labels} {value}", family.name);
            }
        }
    }

    /// A histogram without labels: the bounds with how many observations are up to each and not up to the one before.
    pub(super) fn histogram<'a>(
        &mut self,
        family: &'static Family,
        buckets: impl IntoIterator<Item = (&'a str, u64)>,
        sum: f64,
    ) {
        self.head(family);
        let (name, mut count) = (family.name, 0);
        for (bound, observations) in buckets {
            count += observations;
            let _ = writeln!(self.0, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let _ = writeln!(self.0, "{name}_sum {sum}");
        let _ = writeln!(self.0, "{name}_count {count}");
    }

    fn head(&mut self, family: &'static Family) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.0, "# HELP {} {}", family.name, family.help);
        let _ = writeln!(self.0, "# TYPE {} {kind}", family.name);
    }
}

/// The labels of one series of `family` as they stand behind its name.
pub(super) fn labels(family: &'static Family, values: &[&str]) -> String {
    debug_assert_eq!(family.labels.len(), values.len(), "{}", family.name);
    let mut text = String::with_capacity(values.iter().map(|value| value.len() + 24).sum());
    for (label, value) in family.labels.iter().zip(values) {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(label);
        text.push_str("=\"");
        escape(&mut text, value);
        text.push('"');
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

/// The three escapes of the text format; every other character stands for itself.
fn escape(text: &mut String, value: &str) {
    let mut rest = value;
    while let Some(place) = rest.find(['\\', '"', '\n']) {
        let (plain, special) = rest.split_at(place);
        text.push_str(plain);
        text.push_str(match special.as_bytes()[0] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            _ => "\\n",
        });
        rest = &special[1..];
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{BUILD_INFO, PROCESS_CPU};
    use super::*;

    #[test]
    fn a_value_cannot_end_its_label() {
        assert_eq!(labels(&BUILD_INFO, &["\\\"\n} 1\nü\\"]), "{version=\"\\\\\\\"\\n} 1\\nü\\\\\"}");
        assert_eq!(labels(&PROCESS_CPU, &[]), "");
    }

    #[test]
    fn series_with_equal_labels_are_written_once() {
        let mut text = Text::default();
        text.family(&BUILD_INFO, [("{version=\"1\"}", 1), ("{version=\"2\"}", 2), ("{version=\"1\"}", 3)]);
        text.family::<u64>(&PROCESS_CPU, []);
        let help = BUILD_INFO.help;
        assert_eq!(
            text.finish(),
            format!(
                "# HELP vitrine_build_info {help}\n# TYPE vitrine_build_info gauge\n\
                 vitrine_build_info{{version=\"1\"}} 1\nvitrine_build_info{{version=\"2\"}} 2\n"
            )
        );
    }
}
