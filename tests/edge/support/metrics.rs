//! What a scrape told.

/// A page in Prometheus' text format.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// The sum of the series of `name` whose labels include these; 0 where there are none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.series(name, labels).iter().map(|(_, value)| value).sum()
    }

    /// The series of `name` whose labels include these.
    pub(crate) fn series(&self, name: &str, labels: &[(&str, &str)]) -> Vec<(String, f64)> {
        let of_name =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '));
        let wanted = |line: &&str| labels.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")));
        self.0
            .lines()
            .filter(of_name)
            .filter(wanted)
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').expect("a value");
                (series.to_owned(), value.parse().expect("a number"))
            })
            .collect()
    }
}
