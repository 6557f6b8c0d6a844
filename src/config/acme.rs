//! `[acme]` and `[[acme.issuer]]`.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::certificates::named_file;
use super::ordered::Ordered;
use super::reader::{Placed, Section};
use super::value::expected;
use super::{AcmeConfig, Budgets, Challenge, ExternalAccount, IssuerConfig, dns, on_demand, preflight, value};

/// `[acme]`
pub(super) fn acme(section: &Section<'_>) -> AcmeConfig {
    let contact = section.list("contact", contact).map(|list| list.value).unwrap_or_default();
    let agreed = section.value_or("terms_of_service_agreed", value::switch, false);
    let challenges = section.filled_list("challenges", challenge).map(|list| list.value);
    let dns = dns::ways(section);
    check_ways(section, challenges.as_deref(), !dns.is_empty());
    let resolvers = section.list("resolvers", preflight::resolver).map(|list| list.value).unwrap_or_default();
    let at_once = section.bounded("orders_at_once", value::count, ORDERS_AT_ONCE, 1..=MOST_ORDERS_AT_ONCE).value;
    let partial = section.value_or("partial", value::switch, false);
    let partial_after =
        section.bounded("partial_after", value::duration, PARTIAL_AFTER, SOONEST_PARTIAL..=LATEST_PARTIAL);
    let mut issuers: Vec<Placed<IssuerConfig>> = Vec::new();
    for table in section.tables("issuer") {
        let Some(issuer) = issuer(section, table) else { continue };
        if let Some(earlier) = issuers.iter().find(|earlier| earlier.value.name == issuer.value.name) {
            let text = format!("{:?} is the name of the issuer on line {} already", issuer.value.name, earlier.line);
            section.pad.mistake(issuer.line, "acme.issuer.name", text);
            continue;
        }
        issuers.push(issuer);
    }
    AcmeConfig {
        on_demand: on_demand::limits(section),
        contact: contact.into_iter().map(|contact| contact.value).collect(),
        terms_of_service_agreed: agreed,
        challenges: match challenges {
            Some(list) => list.into_iter().map(|one| one.value).collect(),
            // Who says how records are written means to use it.
            None => Challenge::ALL.into_iter().filter(|way| *way != Challenge::Dns01 || !dns.is_empty()).collect(),
        },
        orders_at_once: usize::try_from(at_once).unwrap_or(1),
        partial_after: partial.then_some(partial_after.value),
        orders: Ordered::for_all(section),
        issuers: match issuers.is_empty() {
            true => vec![IssuerConfig::lets_encrypt()],
            false => issuers.into_iter().map(|issuer| issuer.value).collect(),
        },
        resolvers: resolvers.into_iter().map(|resolver| resolver.value).collect(),
        preflight: preflight::preflight(section),
        dns,
    }
}

/// Finds dns-01 without a way to write records, and the other way round.
fn check_ways(section: &Section<'_>, challenges: Option<&[Placed<Challenge>]>, is_written: bool) {
    let named = challenges.and_then(|list| list.iter().find(|one| one.value == Challenge::Dns01));
    match named {
        Some(dns) if !is_written && section.tables("dns").is_empty() => {
            let text = "\"dns-01\" needs [[acme.dns]], which says how records are written: by updates to a server, or by a program";
            section.pad.missing(dns.line, "acme.challenges", text);
        }
        None if challenges.is_some() && is_written => {
            section.pad.warning(section.line, "acme.dns", "has no effect without \"dns-01\" in acme.challenges");
        }
        _ => {}
    }
}

fn issuer<'a>(section: &Section<'a>, table: &'a Spanned<DeValue<'a>>) -> Option<Placed<IssuerConfig>> {
    let section = Section::one_of(section.pad, "acme.issuer", table);
    let given = |key: &str| section.entries().any(|entry| entry.value == key);
    let name = section.value("name", issuer_name);
    let directory = section.value("directory", https_url);
    let profile = section.value("profile", value::text).map(|profile| profile.value);
    let ca_file = section.value("ca_file", value::path);
    let ca_file = ca_file.and_then(|path| named_file(&section, "acme.issuer.ca_file", path));
    let key_id = section.value("eab_key_id", value::text);
    let hmac_key_file = section.value("eab_hmac_key_file", value::path);
    let budgets = Budgets::read(&section, directory.as_ref().map(|directory| directory.value.as_str()));
    if table.get_ref().is_table() {
        for (key, what) in
            [("name", "a word for it, such as \"letsencrypt\""), ("directory", "the address of its directory")]
        {
            if !given(key) {
                section.pad.missing(section.line, &section.dotted(key), format!("is needed: {what}"));
            }
        }
        for (key, other) in [("eab_key_id", "eab_hmac_key_file"), ("eab_hmac_key_file", "eab_key_id")] {
            if given(key) && !given(other) {
                let text = format!("is needed beside {key}: the issuer gives both together");
                section.pad.missing(section.line, &section.dotted(other), text);
            }
        }
    }
    let external_account = key_id
        .zip(hmac_key_file)
        .map(|(key_id, file)| ExternalAccount { key_id: key_id.value, hmac_key_file: file.value });
    let (name, directory) = (name?, directory?.value);
    let issuer = IssuerConfig { name: name.value, directory, profile, ca_file, external_account, budgets };
    Some(Placed { value: issuer, line: name.line })
}

/// `"mailto:ops@shop.example"`, as authorities take it (RFC 8555 §7.3).
fn contact(value: &DeValue<'_>) -> Result<String, String> {
    let what = "an address such as \"mailto:ops@shop.example\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    let is_mail =
        |address: &str| address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    match text.strip_prefix("mailto:") {
        Some(address) if is_mail(address) => Ok(text.into()),
        None if is_mail(text) => Err(format!("{}; write \"mailto:{text}\"", expected(what, value))),
        _ => Err(expected(what, value)),
    }
}

fn challenge(value: &DeValue<'_>) -> Result<Challenge, String> {
    let known = Challenge::ALL.into_iter().find(|known| value.as_str() == Some(known.word()));
    known.ok_or_else(|| expected("\"tls-alpn-01\", \"http-01\" or \"dns-01\"", value))
}

/// It is the name of a folder and a label of metrics.
fn issuer_name(value: &DeValue<'_>) -> Result<String, String> {
    let plain = |text: &str| text.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    match value.as_str() {
        Some(text) if TAKEN.contains(&text) => {
            Err(format!("{text:?} is the name of a folder beside those of issuers; choose another"))
        }
        Some(text) if !text.is_empty() && text.len() <= LONGEST_NAME && plain(text) => Ok(text.into()),
        _ => Err(expected("a word of small letters, digits, - and _", value)),
    }
}

/// An account's orders are signed and not secret, but nobody else must answer them.
fn https_url(value: &DeValue<'_>) -> Result<String, String> {
    let what = "an address that begins with \"https://\"";
    match value.as_str() {
        Some(text) if text.strip_prefix("https://").is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty()) => {
            Ok(text.into())
        }
        _ => Err(expected(what, value)),
    }
}

const LONGEST_NAME: usize = 64;
/// Enough to be through with thousands in hours, few enough for any authority.
const ORDERS_AT_ONCE: u64 = 8;
const MOST_ORDERS_AT_ONCE: u64 = 100;
/// Who moves a name has done so by then.
const PARTIAL_AFTER: Duration = Duration::from_hours(3 * 24);
const SOONEST_PARTIAL: Duration = Duration::from_hours(1);
const LATEST_PARTIAL: Duration = Duration::from_hours(90 * 24);
/// What lies beside the folders of issuers in the state.
const TAKEN: [&str; 5] = ["dns", "orders", "orders-rsa", "sites", "sites-rsa"];
