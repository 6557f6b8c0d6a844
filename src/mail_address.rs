//! Mail addresses: of a form that can stand in a command to a mail server and in a header as it is.

use std::fmt;

use crate::name::HostName;

/// `ops@shop.example`: a local part of the usual letters and a host name in normal form, all of it ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailAddress {
    whole: Box<str>,
    at: usize,
}

impl MailAddress {
    /// Reads an address. A domain with other letters becomes its A-labels; the local part cannot have any, nor be quoted.
    ///
    /// # Errors
    /// [`NoMailAddress`]
    pub fn parse(text: &str) -> Result<Self, NoMailAddress> {
        let text = text.trim();
        let wrong = || NoMailAddress(text.chars().take(LONGEST_SHOWN).collect());
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        let is_atom = |atom: &str| {
            !atom.is_empty() && atom.bytes().all(|octet| octet.is_ascii_alphanumeric() || ATOM.contains(&octet))
        };
        if local.len() > LONGEST_LOCAL || !local.split('.').all(is_atom) {
            return Err(wrong());
        }
        let domain = HostName::parse(domain).map_err(|_| wrong())?;
        let whole = format!("{local}@{domain}");
        if whole.len() > LONGEST {
            return Err(wrong());
        }
        Ok(Self { whole: whole.into(), at: local.len() })
    }

    /// The whole of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// What stands before the `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.whole[..self.at]
    }

    /// What stands behind it.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.whole[self.at + 1..]
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

/// An address and the name of whoever has it: `Vitrine <edge@shop.example>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The name, on one line.
    pub name: Option<String>,
    /// The address.
    pub address: MailAddress,
}

impl Mailbox {
    /// Reads an address, alone or in angle brackets behind a name.
    ///
    /// # Errors
    /// [`NoMailAddress`]
    pub fn parse(text: &str) -> Result<Self, NoMailAddress> {
        let Some((name, address)) = text.trim().strip_suffix('>').and_then(|text| text.split_once('<')) else {
            return Ok(Self { name: None, address: MailAddress::parse(text)? });
        };
        let name = name.trim().trim_matches('"');
        if name.contains(char::is_control) || name.len() > LONGEST {
            return Err(NoMailAddress(text.chars().take(LONGEST_SHOWN).collect()));
        }
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Ok(Self { name, address: MailAddress::parse(address)? })
    }
}

/// A text that is no mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMailAddress(String);

impl fmt::Display for NoMailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a mail address such as \"ops@shop.example\", found {:?}", self.0)
    }
}

impl std::error::Error for NoMailAddress {}

/// Besides letters and digits (RFC 5322 §3.2.3).
const ATOM: &[u8] = b"!#$%&'*+-/=?^_`{|}~";
/// RFC 5321 §4.5.3.1.1
const LONGEST_LOCAL: usize = 64;
/// RFC 5321 §4.5.3.1.3, without the angle brackets.
const LONGEST: usize = 254;
const LONGEST_SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_stand_in_a_command_and_in_a_header() {
        for (text, normal) in [
            ("ops@shop.example", "ops@shop.example"),
            (" first.last+shop@Shop.EXAMPLE ", "first.last+shop@shop.example"),
            ("ops@bücher.example", "ops@xn--bcher-kva.example"),
            ("root@localhost", "root@localhost"),
        ] {
            let address = MailAddress::parse(text).expect(text);
            assert_eq!(address.as_str(), normal);
            assert_eq!(format!("{}@{}", address.local(), address.domain()), normal);
        }
        for wrong in [
            "",
            "ops",
            "@shop.example",
            "ops@",
            "ops@@shop.example",
            ".ops@shop.example",
            "o..ps@shop.example",
            "ö@shop.example",
            "\"o p\"@shop.example",
            "a b@shop.example",
            "ops@shop.example>\r\nRCPT TO:<x@y.example",
            "a\r\nBcc: x@y.example",
            "a,b@shop.example",
            "ops@192.0.2.1",
            "ops@[192.0.2.1]",
            "ops@shop.example, other@shop.example",
            &format!("{}@shop.example", "x".repeat(65)),
        ] {
            let said = MailAddress::parse(wrong).expect_err(wrong).to_string();
            assert!(said.starts_with("expected a mail address such as"), "{said}");
            assert!(!said.contains(['\r', '\n']), "{said:?}");
        }
    }

    #[test]
    fn a_name_may_stand_before_an_address() {
        let read = |text: &str| Mailbox::parse(text).map(|mailbox| (mailbox.name, mailbox.address.to_string()));
        let address = || "edge@shop.example".to_owned();
        assert_eq!(read("edge@shop.example"), Ok((None, address())));
        assert_eq!(read("<edge@shop.example>"), Ok((None, address())));
        assert_eq!(read("\"Vitrine, Köln\" <edge@shop.example>"), Ok((Some("Vitrine, Köln".into()), address())));
        assert!(read("Vitrine\r\nBcc: x@y.example <edge@shop.example>").is_err());
        assert!(read("Vitrine <edge>").is_err());
    }
}
