//! Moments as people read them, all in UTC.

/// The minute of a moment that the API gives.
pub(in crate::admin) fn minute(timestamp: &str) -> String {
    match (timestamp.get(..10), timestamp.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute}"),
        _ => timestamp.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_without_what_nobody_reads() {
        assert_eq!(minute("2026-11-24T18:37:01Z"), "2026-11-24 18:37");
        assert_eq!(minute("soon"), "soon");
    }
}
