//! Single values: from what TOML holds to what the house uses. An error says what was expected, what was found, and the
//! mend.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeInteger, DeValue};

/// Reads one value.
pub(super) type Parser<T> = fn(&DeValue<'_>) -> Result<T, String>;

/// Any text.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, String> {
    value.as_str().map(Into::into).ok_or_else(|| expected("a text in quotes", value))
}

/// `true` or `false`.
pub(super) fn switch(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| expected("true or false", value))
}

/// A number without fraction, 0 or more.
pub(super) fn count(value: &DeValue<'_>) -> Result<u64, String> {
    match value {
        DeValue::Integer(number) => integer(number).ok_or_else(|| expected("a whole number, 0 or more", value)),
        DeValue::String(text) if text.parse::<u64>().is_ok() => {
            Err(format!("{}; leave out the quotes", expected("a whole number", value)))
        }
        _ => Err(expected("a whole number", value)),
    }
}

/// A share above 0 and up to 1.
pub(super) fn share(value: &DeValue<'_>) -> Result<f64, String> {
    let number = match value {
        DeValue::Float(number) => number.as_str().parse().ok(),
        DeValue::Integer(number) => integer(number).filter(|number| *number == 1).map(|_| 1.0),
        _ => None,
    };
    number
        .filter(|share| *share > 0.0 && *share <= 1.0)
        .ok_or_else(|| expected("a share above 0 and up to 1, such as 0.01", value))
}

/// The path of a file or folder.
pub(super) fn path(value: &DeValue<'_>) -> Result<PathBuf, String> {
    match value.as_str() {
        Some(path) if !path.is_empty() && !path.contains('\0') => Ok(path.into()),
        _ => Err(expected("a path", value)),
    }
}

/// `"75s"`: a whole number and one unit.
pub(super) fn duration(value: &DeValue<'_>) -> Result<Duration, String> {
    let what = "a duration such as \"75s\"";
    let text = match value {
        DeValue::String(text) => text,
        DeValue::Integer(number) => {
            return Err(format!("{}; write \"{number}s\" if seconds are meant", expected(what, value)));
        }
        _ => return Err(expected(what, value)),
    };
    let (number, unit) = split_unit(text);
    let scale = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" if !number.is_empty() => {
            return Err(format!("{}; write \"{number}s\" if seconds are meant", expected(what, value)));
        }
        _ => return Err(format!("{}; units are ms, s, m, h and d", expected(what, value))),
    };
    let millis = number.parse().ok().and_then(|number: u64| number.checked_mul(scale));
    millis.map(Duration::from_millis).ok_or_else(|| format!("{}; a whole number is needed", expected(what, value)))
}

/// `"16KiB"`, or `"0"`: a whole number of octets, with a unit unless it is 0.
pub(super) fn size(value: &DeValue<'_>) -> Result<u64, String> {
    let what = "a size such as \"16KiB\"";
    let text = match value {
        DeValue::String(text) => text,
        DeValue::Integer(number) if number.as_str() == "0" => {
            return Err(format!("{}; write \"0\"", expected(what, value)));
        }
        DeValue::Integer(number) => {
            return Err(format!("{}; write \"{number}B\" if octets are meant", expected(what, value)));
        }
        _ => return Err(expected(what, value)),
    };
    let (number, unit) = split_unit(text);
    let scale = match unit {
        "" if number == "0" => 1,
        "B" => 1,
        "KB" => 1000,
        "MB" => 1000 * 1000,
        "GB" => 1000 * 1000 * 1000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ if !number.is_empty() => {
            let mend = match unit.to_ascii_lowercase().as_str() {
                "" => format!("write \"{number}B\" if octets are meant"),
                "k" | "kib" | "kb" => format!("write \"{number}KiB\""),
                "m" | "mib" | "mb" => format!("write \"{number}MiB\""),
                "g" | "gib" | "gb" => format!("write \"{number}GiB\""),
                _ => UNITS.into(),
            };
            return Err(format!("{}; {mend}", expected(what, value)));
        }
        _ => return Err(format!("{}; {UNITS}", expected(what, value))),
    };
    let size = number.parse().ok().and_then(|number: u64| number.checked_mul(scale));
    size.ok_or_else(|| format!("{}; a whole number that fits 64 bits is needed", expected(what, value)))
}

/// "expected … , found …".
pub(super) fn expected(what: &str, value: &DeValue<'_>) -> String {
    format!("expected {what}, found {}", Found(value))
}

/// A value as a message shows it.
pub(super) struct Found<'a, 'i>(pub(super) &'a DeValue<'i>);

impl fmt::Display for Found<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            DeValue::String(text) => {
                // What stands before an '@' may be a password, whatever key it went astray to.
                let shown = text.rfind('@').map_or(text.to_string(), |at| format!("…{}", &text[at..]));
                match shown.char_indices().nth(LONGEST_SHOWN) {
                    Some((end, _)) => write!(f, "{:?} and more", &shown[..end]),
                    None => write!(f, "{shown:?}"),
                }
            }
            DeValue::Integer(number) if number.as_str().len() <= LONGEST_SHOWN => number.fmt(f),
            DeValue::Float(number) if number.as_str().len() <= LONGEST_SHOWN => number.fmt(f),
            DeValue::Integer(_) | DeValue::Float(_) => f.write_str("a very long number"),
            DeValue::Boolean(switch) => switch.fmt(f),
            DeValue::Datetime(date) => write!(f, "the date {date}"),
            DeValue::Array(_) => f.write_str("a list"),
            DeValue::Table(_) => f.write_str("a table"),
        }
    }
}

/// A bound as a message shows it: the largest unit that divides it.
pub(super) trait Bound: PartialOrd + Copy {
    /// What stands before "of … to …".
    const NOUN: &'static str;
    /// The bound in the operator's writing.
    fn shown(self) -> String;
}

impl Bound for Duration {
    const NOUN: &'static str = "a duration";

    fn shown(self) -> String {
        let millis = self.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
        largest(millis, &units)
    }
}

/// A size in octets, to tell it from a count.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Size(pub(super) u64);

impl Bound for Size {
    const NOUN: &'static str = "a size";

    fn shown(self) -> String {
        largest(self.0.into(), &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")])
    }
}

impl Bound for u64 {
    const NOUN: &'static str = "a whole number";

    fn shown(self) -> String {
        self.to_string()
    }
}

fn largest(amount: u128, units: &[(u128, &str)]) -> String {
    let fitting = units.iter().find(|(unit, _)| amount != 0 && amount.is_multiple_of(*unit));
    fitting.map_or_else(|| amount.to_string(), |(unit, name)| format!("{}{name}", amount / unit))
}

fn integer(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn split_unit(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(digits)
}

const UNITS: &str = "units are B, KB, MB, GB, KiB, MiB and GiB";
/// Enough to recognise a value, not enough to flood a terminal.
const LONGEST_SHOWN: usize = 80;
