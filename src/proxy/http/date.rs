//! The `Date` of an answer, written once a second.

use std::cell::RefCell;
use std::time::SystemTime;

use http::HeaderValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Now, as `Date` has it (RFC 9110 §5.6.7). `None`: the clock is out of all bounds, and who has none says none.
pub(super) fn now() -> Option<HeaderValue> {
    let second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    WRITTEN.with_borrow_mut(|written| match written {
        Some((of, value)) if *of == second => Some(value.clone()),
        _ => {
            let value = value(second)?;
            *written = Some((second, value.clone()));
            Some(value)
        }
    })
}

/// The second counted from 1970, in the form of mail but for the zone's name.
fn value(second: u64) -> Option<HeaderValue> {
    let moment = OffsetDateTime::from_unix_timestamp(i64::try_from(second).ok()?).ok()?;
    HeaderValue::try_from(moment.format(&Rfc2822).ok()?.replace("+0000", "GMT")).ok()
}

thread_local! {
    static WRITTEN: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_the_fixed_form_of_http() {
        assert_eq!(value(784_111_777), Some(HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT")));
    }
}
