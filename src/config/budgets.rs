//! What of an authority's favour may be used up: keys of `[[acme.issuer]]`.

use super::reader::Section;
use super::value;

/// How much may be asked of an issuer; 0: as much as is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// Orders of the account in three hours.
    pub orders: u32,
    /// Certificates for names of one registered domain in a week.
    pub certificates_per_domain: u32,
    /// Certificates for the very same names in a week.
    pub certificates_per_names: u32,
    /// Validations of one name that may fail in an hour.
    pub failed_validations: u32,
    /// Whether orders that replace a certificate of the issuer's (RFC 9773 §5) count for nothing but validations.
    pub replacing_is_free: bool,
}

impl Budgets {
    /// What Let's Encrypt publishes (letsencrypt.org/docs/rate-limits, 2026).
    pub const LETS_ENCRYPT: Self = Self {
        orders: 300,
        certificates_per_domain: 50,
        certificates_per_names: 5,
        failed_validations: 5,
        replacing_is_free: true,
    };

    /// Of an issuer that publishes nothing: as many orders as Let's Encrypt takes are no burden to anybody, and a name that failed
    /// five times in an hour fails again.
    pub const OTHERS: Self = Self {
        orders: 300,
        certificates_per_domain: 0,
        certificates_per_names: 0,
        failed_validations: 5,
        replacing_is_free: false,
    };

    /// What holds for the issuer at this directory when nothing else is said.
    #[must_use]
    pub fn of(directory: &str) -> Self {
        let rest = directory.strip_prefix("https://").unwrap_or_default();
        match rest.split(['/', ':']).next() {
            Some(LETS_ENCRYPT) => Self::LETS_ENCRYPT,
            _ => Self::OTHERS,
        }
    }

    pub(super) fn read(section: &Section<'_>, directory: Option<&str>) -> Self {
        let known = directory.map_or(Self::OTHERS, Self::of);
        let read = |key, default: u32| {
            let most = section.bounded(key, value::count, u64::from(default), 0..=u64::from(MOST)).value;
            u32::try_from(most).unwrap_or(MOST)
        };
        Self {
            orders: read("orders_per_3h", known.orders),
            certificates_per_domain: read("certificates_per_domain_per_week", known.certificates_per_domain),
            certificates_per_names: read("certificates_per_names_per_week", known.certificates_per_names),
            failed_validations: read("failed_validations_per_hour", known.failed_validations),
            replacing_is_free: known.replacing_is_free,
        }
    }
}

/// Its staging directory takes far more.
const LETS_ENCRYPT: &str = "acme-v02.api.letsencrypt.org";
/// More than any authority gives anybody.
const MOST: u32 = 1_000_000;
