//! Moments as people read them, all in UTC.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The day of a moment that the API gives.
pub(in crate::admin) fn day(timestamp: &str) -> String {
    timestamp.get(..10).unwrap_or(timestamp).to_owned()
}

/// The minute of a moment that the API gives.
pub(in crate::admin) fn minute(timestamp: &str) -> String {
    match (timestamp.get(..10), timestamp.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute}"),
        _ => timestamp.to_owned(),
    }
}

/// The minute of a moment in seconds since the Unix epoch.
pub(in crate::admin) fn written(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .map_or_else(String::new, |text| minute(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_without_what_nobody_reads() {
        assert_eq!(day("2026-11-24T18:37:01Z"), "2026-11-24");
        assert_eq!(minute("2026-11-24T18:37:01Z"), "2026-11-24 18:37");
        assert_eq!(written(1_795_305_600), "2026-11-22 00:00");
        assert_eq!((day("soon"), minute("soon")), ("soon".into(), "soon".into()));
    }
}
