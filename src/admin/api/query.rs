//! What stands behind the `?`, and names in paths: percent-decoded, and nothing that nobody asked for.

use super::super::problem::Problem;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(in crate::admin) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads a query. One that is not `known`, or comes twice, is a mistake: silently passed over, it would do something else
    /// than was asked for.
    pub(super) fn read(query: Option<&str>, known: &'static [&'static str]) -> Result<Self, Problem> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let broken = || Problem::malformed("the query is not percent-encoded UTF-8");
            let (name, value) = (decoded(name).ok_or_else(broken)?, decoded(value).ok_or_else(broken)?);
            let Some(name) = known.iter().find(|known| **known == name) else {
                let known = if known.is_empty() { "nothing".into() } else { known.join(", ") };
                return Err(Problem::malformed(format!("{known} can be asked for here, found {name:?}")));
            };
            if found.iter().any(|(earlier, _)| earlier == name) {
                return Err(Problem::malformed(format!("{name} is there twice; take one out")));
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    /// Takes out which part of a list is asked for: where it begins, and how long it is.
    pub(super) fn take_part(&mut self) -> (usize, Option<usize>) {
        let number = |name: &str| self.value(name).and_then(|value| value.parse().ok());
        let part = (number("offset").unwrap_or(0), number("limit"));
        self.0.retain(|(name, _)| !matches!(*name, "offset" | "limit"));
        part
    }

    /// A parameter's value.
    pub(in crate::admin) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a whole number of at most `most`.
    pub(in crate::admin) fn number(&self, name: &str, most: u64) -> Result<Option<u64>, Problem> {
        let Some(value) = self.value(name) else { return Ok(None) };
        // Digits alone: what parses more, as `+7`, is not what the description of the interface says.
        let number = Some(value).filter(|value| value.bytes().all(|octet| octet.is_ascii_digit()));
        let number = number.and_then(|value| value.parse().ok()).filter(|number| *number <= most);
        let wrong = || Problem::malformed(format!("{name}: expected a whole number up to {most}, found {value:?}"));
        number.ok_or_else(wrong).map(Some)
    }
}

/// The names and values of any query. What is no UTF-8 is left out: pages pass over what they do not know.
pub(in crate::admin) fn unescaped_pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .filter_map(|pair| pair.split_once('=').or(Some((pair, ""))))
        .filter_map(|(name, value)| Some((decoded(name)?, decoded(value)?)))
        .collect()
}

/// Percent-decoded (RFC 3986 §2.1), and `+` as the space that forms write so.
fn decoded(text: &str) -> Option<String> {
    unescaped(&text.replace('+', " "))
}

/// Percent-decoded, as a segment of a path is; `None` when that is no UTF-8 or an escape is half.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            octets.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        let digit = |at: usize| char::from(digits[at]).to_digit(16);
        octets.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
        rest = behind;
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Query, Problem> {
        Query::read(Some(query), &["after", "limit"])
    }

    #[test]
    fn what_is_known_is_read_and_decoded() {
        let query = read("limit=20&&after=a%2Fb+%C3%BC").expect("a query");
        assert_eq!((query.value("after"), query.value("limit"), query.value("x")), (Some("a/b ü"), Some("20"), None));
        assert_eq!(query.number("limit", 20), Ok(Some(20)));
        assert_eq!(Query::read(None, &["after"]).expect("none").number("after", 1), Ok(None));
    }

    #[test]
    fn what_nobody_asked_for_is_told() {
        for query in ["names=7", "limit=1&limit=2", "after=%2", "after=%zz", "after=%FF", "=1", "%6Cimit=1&limit=1"] {
            assert!(read(query).is_err(), "{query}");
        }
        for number in ["", "-1", "+7", "1.0", "21", "99999999999999999999", "seven"] {
            let query = read(&format!("limit={}", number.replace('+', "%2B"))).expect("a query");
            assert!(query.number("limit", 20).is_err(), "{number}");
        }
    }
}
