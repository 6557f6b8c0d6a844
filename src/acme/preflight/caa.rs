//! Whether the CAA records of a name let an authority issue for it (RFC 8659), to this account and in this way (RFC 8657).

use crate::outbound::dns::Caa;

/// Who would issue, to whom, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issuance<'a> {
    /// What the authority is called in CAA records; empty: it does not tell.
    pub(super) identities: &'a [String],
    /// Our account there; `None`: there is none yet.
    pub(super) account: Option<&'a str>,
    /// How control of the name is to be shown.
    pub(super) method: &'a str,
    /// Whether the certificate is to be one for a wildcard.
    pub(super) wildcard: bool,
}

impl Issuance<'_> {
    /// Says what forbids it in the records that stand together at one place: all of them, whatever their tag.
    pub(super) fn forbidden_by(&self, records: &[Caa]) -> Option<String> {
        if let Some(record) = records.iter().find(|record| record.critical && !KNOWN.contains(&record.tag.as_str())) {
            let shown = shown(record);
            return Some(format!(
                "{shown} is critical, and no authority knows this tag: take it out, or write 0 before it"
            ));
        }
        let tagged = |tag: &str| records.iter().filter(|record| record.tag == tag).collect::<Vec<_>>();
        // Records for wildcards, where there are any, stand in place of the others (RFC 8659 §4.3).
        let (tag, asked) = match tagged(ISSUE_WILD) {
            wild if self.wildcard && !wild.is_empty() => (ISSUE_WILD, wild),
            _ => (ISSUE, tagged(ISSUE)),
        };
        if asked.is_empty() {
            return None;
        }
        let refusals: Vec<Refusal> = asked.iter().map_while(|record| self.refused_by(record)).collect();
        if refusals.len() < asked.len() {
            return None;
        }
        // Of several the one that came closest has the mend.
        let (record, refusal) = asked.iter().zip(&refusals).max_by_key(|(_, refusal)| refusal.closeness())?;
        Some(self.told(record, refusal, tag))
    }

    /// Why one record does not let the authority issue; `None`: it does.
    fn refused_by(&self, record: &Caa) -> Option<Refusal> {
        let Some(property) = Property::parse(&record.value) else { return Some(Refusal::Malformed) };
        if property.issuer.is_empty() {
            return Some(Refusal::Nobody);
        }
        let is_meant = |identity: &String| identity.eq_ignore_ascii_case(property.issuer);
        if !self.identities.is_empty() && !self.identities.iter().any(is_meant) {
            return Some(Refusal::Another);
        }
        // Said twice it is said to nobody (RFC 8657 §3, §4).
        let only = |tag: &str| {
            let of_tag = property.parameters.iter().filter(|(name, _)| name.eq_ignore_ascii_case(tag));
            let mut said = of_tag.map(|(_, value)| *value);
            said.next().map(|first| if said.next().is_some() { "" } else { first })
        };
        match (only("accounturi"), self.account) {
            (Some(""), _) => return Some(Refusal::Account),
            (Some(account), Some(ours)) if account != ours => return Some(Refusal::Account),
            _ => {}
        }
        let methods = only("validationmethods");
        let is_wrong = methods.is_some_and(|methods| !methods.split(',').any(|method| method == self.method));
        is_wrong.then_some(Refusal::Method)
    }

    fn told(&self, record: &Caa, refusal: &Refusal, tag: &str) -> String {
        let shown = shown(record);
        let wanted = match self.identities.first() {
            Some(identity) => format!("add 0 {tag} \"{identity}\""),
            None => format!("add 0 {tag} with the name of the authority"),
        };
        match refusal {
            Refusal::Nobody => format!("{shown} lets nobody issue: {wanted}"),
            Refusal::Malformed => format!("{shown} cannot be read, which lets nobody issue: mend it, or {wanted}"),
            Refusal::Another => {
                let known = self.identities.join(" or ");
                format!("{shown} lets another authority issue, and not {known}: {wanted}")
            }
            Refusal::Account => {
                let ours = self.account.unwrap_or("not known yet");
                format!("{shown} lets another account issue; ours is {ours}: write accounturi={ours} into it, once")
            }
            Refusal::Method => {
                let method = self.method;
                format!("{shown} does not let it issue by {method}: add {method} to its validationmethods, once")
            }
        }
    }
}

/// Why a record lets no certificate be issued to us.
enum Refusal {
    Malformed,
    Nobody,
    Another,
    Account,
    Method,
}

impl Refusal {
    const fn closeness(&self) -> u8 {
        match self {
            Self::Malformed => 0,
            Self::Nobody => 1,
            Self::Another => 2,
            Self::Account => 3,
            Self::Method => 4,
        }
    }
}

/// The value of `issue` and `issuewild` (RFC 8659 §4.2).
struct Property<'a> {
    /// Empty: nobody.
    issuer: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Property<'a> {
    /// `None`: it does not follow the grammar, which is as good as nobody.
    fn parse(value: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (issuer, rest) = text.split_once(';').unwrap_or((text, ""));
        let issuer = issuer.trim_matches(SPACE);
        if !issuer.is_empty() && !issuer.split('.').all(is_word) {
            return None;
        }
        let rest = rest.trim_matches(SPACE);
        let parameters = match rest {
            "" => Some(Vec::new()),
            rest => rest.split(';').map(parameter).collect(),
        };
        Some(Self { issuer, parameters: parameters? })
    }
}

fn parameter(text: &str) -> Option<(&str, &str)> {
    let (tag, value) = text.trim_matches(SPACE).split_once('=')?;
    let (tag, value) = (tag.trim_matches(SPACE), value.trim_matches(SPACE));
    let plain = value.bytes().all(|octet| octet.is_ascii_graphic() && octet != b';');
    (is_word(tag) && plain).then_some((tag, value))
}

/// Letters and digits, with hyphens between them.
fn is_word(text: &str) -> bool {
    let outer = |octet: Option<u8>| octet.is_some_and(|octet| octet.is_ascii_alphanumeric());
    text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && outer(text.bytes().next())
        && outer(text.bytes().last())
}

/// As a zone has it (RFC 8659 §4.1.1), in one line.
fn shown(record: &Caa) -> String {
    let flags = if record.critical { 128 } else { 0 };
    let value: String = record.value.escape_ascii().to_string().chars().take(LONGEST_SHOWN).collect();
    format!("CAA {flags} {} \"{value}\"", record.tag.escape_default())
}

const ISSUE: &str = "issue";
const ISSUE_WILD: &str = "issuewild";
/// What every authority knows (RFC 8659 §4).
const KNOWN: [&str; 3] = [ISSUE, ISSUE_WILD, "iodef"];
const SPACE: [char; 2] = [' ', '\t'];
const LONGEST_SHOWN: usize = 120;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OURS: &str = "https://ca.example/acct/7";

    fn record(text: &str) -> Caa {
        let (flags, rest) = text.split_once(' ').expect("flags");
        let (tag, value) = rest.split_once(' ').expect("a tag");
        Caa { critical: flags == "128", tag: tag.into(), value: value.as_bytes().to_vec() }
    }

    fn forbidden(wildcard: bool, records: &[&str]) -> Option<String> {
        let identities = ["ca.example".to_owned(), "ca.test".to_owned()];
        let issuance = Issuance { identities: &identities, account: Some(OURS), method: "http-01", wildcard };
        issuance.forbidden_by(&records.iter().copied().map(record).collect::<Vec<_>>())
    }

    #[test]
    fn an_authority_may_issue_where_it_is_named_or_nobody_is() {
        for records in [
            &[][..],
            &["0 iodef mailto:ops@shop.example"],
            &["0 issue ca.example"],
            &["0 issue  CA.Example\t"],
            &["0 issue other.example", "0 issue ca.test"],
            &["0 issue ;", "0 issue ca.example"],
            &["128 issue ca.example"],
            &["0 issue ca.example;"],
            &["0 issue ca.example; policy=ev"],
            &["0 issue ca.example; accounturi=https://ca.example/acct/7"],
            &["0 issue ca.example;validationmethods=dns-01,http-01 ; accounturi = https://ca.example/acct/7"],
            &["0 unknown x", "0 issue ca.example"],
            &["0 issuewild ;"],
        ] {
            assert_eq!(forbidden(false, records), None, "{records:?}");
        }
        for records in [
            &["0 issue ca.example"][..],
            &["0 issue ;", "0 issuewild ca.example"],
            &["0 issue other.example", "0 issuewild ca.test"],
        ] {
            assert_eq!(forbidden(true, records), None, "{records:?}");
        }
    }

    #[test]
    fn what_forbids_it_is_told_with_the_mend() {
        for (wildcard, records, told) in [
            (false, &["0 issue ;"][..], "CAA 0 issue \";\" lets nobody issue: add 0 issue \"ca.example\""),
            (
                false,
                &["0 issue ;", "0 issue other.example"],
                "CAA 0 issue \"other.example\" lets another authority issue, and not ca.example or ca.test: add 0 issue \
                 \"ca.example\"",
            ),
            (
                true,
                &["0 issue ca.example", "0 issuewild ;"],
                "CAA 0 issuewild \";\" lets nobody issue: add 0 issuewild \"ca.example\"",
            ),
            (
                false,
                &["0 issue ca.example; accounturi=https://ca.example/acct/8"],
                "CAA 0 issue \"ca.example; accounturi=https://ca.example/acct/8\" lets another account issue; ours is \
                 https://ca.example/acct/7: write accounturi=https://ca.example/acct/7 into it, once",
            ),
            (
                false,
                &["0 issue ca.example; validationmethods=dns-01,tls-alpn-01"],
                "CAA 0 issue \"ca.example; validationmethods=dns-01,tls-alpn-01\" does not let it issue by http-01: add http-01 \
                 to its validationmethods, once",
            ),
            (
                false,
                &["0 issue ca.example", "128 tbs x"],
                "CAA 128 tbs \"x\" is critical, and no authority knows this tag: take it out, or write 0 before it",
            ),
            (
                false,
                &["0 issue ca.example; =x"],
                "CAA 0 issue \"ca.example; =x\" cannot be read, which lets nobody issue: mend it, or add 0 issue \"ca.example\"",
            ),
        ] {
            assert_eq!(forbidden(wildcard, records).as_deref(), Some(told), "{records:?}");
        }
        let twice = "0 issue ca.example; accounturi=https://ca.example/acct/7; accounturi=https://ca.example/acct/7";
        assert!(forbidden(false, &[twice]).is_some_and(|told| told.contains("another account")));
    }

    #[test]
    fn an_authority_that_does_not_say_what_it_is_called_is_forbidden_only_what_everybody_is() {
        let issuance = Issuance { identities: &[], account: None, method: "http-01", wildcard: false };
        let told = |text: &str| issuance.forbidden_by(&[record(text)]);
        assert_eq!(told("0 issue other.example"), None);
        assert_eq!(told("0 issue other.example; accounturi=https://ca.example/acct/8"), None);
        assert!(told("0 issue ;").is_some_and(|told| told.ends_with("add 0 issue with the name of the authority")));
        assert!(told("0 issue other.example; validationmethods=dns-01").is_some());
        assert!(told("128 tbs x").is_some());
    }

    fn any_record() -> impl Strategy<Value = Caa> {
        let tag = prop_oneof![Just("issue"), Just("issuewild"), Just("iodef"), Just("tbs")];
        let value = prop_oneof![
            Just(b"ca.example".to_vec()),
            Just(b";".to_vec()),
            Just(b"other.example; accounturi=x".to_vec()),
            "[ -~]{0,20}".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        (any::<bool>(), tag, value).prop_map(|(critical, tag, value)| Caa { critical, tag: tag.into(), value })
    }

    proptest! {
        #[test]
        fn no_records_are_too_odd_and_their_order_says_nothing(
            records in proptest::collection::vec(any_record(), 0..5), wildcard: bool,
        ) {
            let identities = ["ca.example".to_owned()];
            let issuance = Issuance { identities: &identities, account: Some(OURS), method: "http-01", wildcard };
            let told = issuance.forbidden_by(&records);
            let turned: Vec<Caa> = records.iter().rev().cloned().collect();
            prop_assert_eq!(told.is_some(), issuance.forbidden_by(&turned).is_some());
            prop_assert!(told.is_none_or(|told| !told.chars().any(char::is_control)));
        }

        #[test]
        fn a_record_that_names_the_authority_is_enough_unless_a_critical_one_is_unknown(
            mut records in proptest::collection::vec(any_record(), 0..5), wildcard: bool,
        ) {
            records.push(record("0 issue ca.example"));
            records.push(record("0 issuewild ca.example"));
            let identities = ["ca.example".to_owned()];
            let issuance = Issuance { identities: &identities, account: None, method: "http-01", wildcard };
            let unknown = records.iter().any(|record| record.critical && record.tag == "tbs");
            prop_assert_eq!(issuance.forbidden_by(&records).is_some(), unknown);
        }

        #[test]
        fn whoever_is_not_named_may_not(name in "[a-z]{1,10}\\.test") {
            let identities = [name.clone()];
            let issuance = Issuance { identities: &identities, account: None, method: "http-01", wildcard: false };
            prop_assert!(issuance.forbidden_by(&[record("0 issue ca.example")]).is_some());
            let named = record(&format!("0 issue {name}"));
            prop_assert!(issuance.forbidden_by(&[named]).is_none());
        }
    }
}
