//! Which of a shop's answers are compressed on their way, and how.

/// How a body may be coded (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 8878
    Zstd,
    /// RFC 7932
    Brotli,
    /// RFC 1952
    Gzip,
}

impl Coding {
    /// Its name in `Accept-Encoding` and `Content-Encoding`, and in the configuration.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// Which answers of a site are compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Any are.
    pub on: bool,
    /// Media types, in lower case and without parameters; `text/*` is all below `text/`.
    pub types: Box<[Box<str>]>,
    /// What has fewer octets stays as it is.
    pub min_size: u64,
    /// In order of preference, where a client likes several alike.
    pub codings: Box<[Coding]>,
}

impl Compression {
    /// Whether content of this type is compressed, by the value of `Content-Type`.
    #[must_use]
    pub fn takes(&self, content_type: &str) -> bool {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        self.types.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(above) => kind.get(..above.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(above)),
            None => kind.eq_ignore_ascii_case(wanted),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_taken_without_its_parameters_and_in_any_case() {
        let types: Box<[Box<str>]> = ["text/*", "application/json"].map(Into::into).into();
        let compression = Compression { on: true, types, min_size: 0, codings: [Coding::Gzip].into() };
        for (kind, taken) in [
            ("text/html; charset=utf-8", true),
            ("Text/CSS", true),
            ("application/json ;x=y", true),
            ("application/jsonx", false),
            ("text", false),
            ("image/png", false),
            ("", false),
        ] {
            assert_eq!(compression.takes(kind), taken, "{kind}");
        }
    }
}
