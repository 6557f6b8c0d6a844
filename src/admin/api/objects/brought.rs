//! An object on its way in, out of the form that it came in.

use std::sync::Arc;

use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, OffsetDateTime, Time};
use zeroize::Zeroizing;

use crate::admin::api::form::{Form, FormFile};
use crate::admin::api::versions::{opened, rejected};
use crate::admin::api::{Call, now};
use crate::admin::problem::Problem;
use crate::certs::{ApplePayCertificate, Flaw, NewContent, NewObject, ObjectKind, ReadCertificate};
use crate::words::refusal::{Expects, Refusal};

/// What is to be kept.
pub(super) struct Brought {
    pub(super) new: NewObject,
    /// What came along and is not kept, by the name it came under.
    pub(super) left_over: Vec<(String, Flaw)>,
}

/// Reads what is to be kept.
pub(super) async fn read(call: &Call) -> Result<Brought, Problem> {
    let (form, by) = (call.form()?, call.caller.name());
    let mut files = form.files("file");
    let (Some(file), None) = (files.next(), files.next()) else {
        return Err(Problem::malformed("expected one part file with what is to be kept").because(Refusal::EmptyFile));
    };
    let kinds = || ObjectKind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ");
    let kind = form.text("type")?.and_then(ObjectKind::of);
    let kind = kind.ok_or_else(|| {
        Problem::malformed(format!("type: expected one of {}", kinds())).because(Refusal::field("type", Expects::Usual))
    })?;
    let id = form.text("id")?.map(|id| id.trim().to_owned());
    let (what, left_over) = match kind {
        ObjectKind::ApplePayIdentityProof => (proof(form, &file)?, Vec::new()),
        ObjectKind::ApplePayCertificate => certificate(form, &file).await?,
    };
    Ok(Brought { new: NewObject { id, what, by }, left_over })
}

fn proof(form: &Form, file: &FormFile<'_>) -> Result<NewContent, Problem> {
    if form.files("password").next().is_some() {
        return Err(Problem::malformed("password: an identity proof is shown to everybody; leave the password out"));
    }
    let mut sites: Vec<String> = Vec::new();
    for part in form.files("site") {
        let text = std::str::from_utf8(part.content);
        let text = text.map_err(|_| Problem::malformed("the part site: expected UTF-8, found other octets"))?;
        // One in a part, or one on a line: a certificate of a payment service may be shown by thousands of shops.
        for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
            if !sites.iter().any(|known| known == name) {
                sites.push(name.to_owned());
            }
        }
    }
    let expires = form.text("expires")?.map(|text| moment(text.trim())).transpose()?;
    Ok(NewContent::Proof { content: file.content.to_vec(), sites, expires })
}

async fn certificate(form: &Form, file: &FormFile<'_>) -> Result<(NewContent, Vec<(String, Flaw)>), Problem> {
    for (part, why) in [("site", "it is of a merchant, and no site shows it"), ("expires", "it says so itself")] {
        if form.files(part).next().is_some() {
            return Err(Problem::malformed(format!(
                "{part}: expected none with an Apple Pay certificate, since {why}"
            )));
        }
    }
    let name = file.name.map_or_else(|| "file".to_owned(), |name| name.escape_debug().to_string());
    let password = form.text("password")?.map(|password| Zeroizing::new(password.to_owned()));
    // A private key may have come along.
    let content = Zeroizing::new(file.content.to_vec());
    let read = opened(move || ApplePayCertificate::read(&content, password)).await?;
    let ReadCertificate { certificate, left_over } = read.map_err(|flaw| rejected(vec![(name.clone(), flaw)]))?;
    let left_over = left_over.into_iter().map(|flaw| (name.clone(), flaw)).collect();
    Ok((NewContent::Certificate(Arc::new(certificate)), left_over))
}

/// A moment to come, or the end of a day.
fn moment(text: &str) -> Result<i64, Problem> {
    let of_day = |day: Date| day.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp() + LAST_SECOND;
    let day = Date::parse(text, &Iso8601::DATE).ok().filter(|_| text.len() == "2027-01-31".len()).map(of_day);
    let moment = day.or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp));
    let moment = moment.ok_or_else(|| {
        Problem::malformed("expires: expected a day such as 2027-01-31, or a time such as 2027-01-31T00:00:00Z")
            .because(Refusal::field("expires", Expects::Usual))
    })?;
    if moment <= now() {
        return Err(Problem::malformed("expires: expected a time to come, found one that is over")
            .because(Refusal::field("expires", Expects::Later)));
    }
    Ok(moment)
}

/// A day holds to its end.
const LAST_SECOND: i64 = 24 * 60 * 60 - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_holds_to_its_end_and_what_is_over_is_refused() {
        assert_eq!(moment("2999-12-31"), Ok(32_503_679_999));
        assert_eq!(moment("2999-12-31T00:00:00Z"), Ok(32_503_593_600));
        for (text, words) in
            [("2001-01-01", "is over"), ("next year", "expected a day"), ("29991231", "expected a day")]
        {
            let problem = moment(text).expect_err(text);
            assert!(problem.detail().contains(words), "{text}: {problem:?}");
        }
    }
}
