//! `vitrine inspect`: what files are, and what would become of them, before anything goes live.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use time::OffsetDateTime;

use super::{decided, exit, output};
use crate::certs::{self, Authority, Circumstances, Flaw, Inspection, Roots, Sites, Terms, Verdict, warnings};
use crate::config::Config;
use crate::edge;
use crate::live::{ServedCert, SiteSpec, ValidationLevel};
use crate::telemetry::printable;

/// Looks at the files and says what they are. Fails when one of them would be rejected. With the configuration at `config`, they
/// are judged by its sites and roots too.
pub(super) fn inspect(files: &[PathBuf], password_file: Option<&Path>, config: Option<&Path>, json: bool) -> ExitCode {
    let (terms, sites) = match config.map(configured) {
        Some(Ok((terms, sites))) => (terms, Some(sites)),
        Some(Err(mistakes)) => {
            output::complain(&mistakes);
            return exit::configuration();
        }
        None => (Terms { roots: Roots::of_the_web(), ..Terms::default() }, None),
    };
    let sites = sites.as_ref().map(Sites::of);
    let circumstances = Circumstances { now: OffsetDateTime::now_utc().unix_timestamp(), sites: sites.as_ref() };
    let report = Report::of(&certs::inspect(files, password_file, &terms, circumstances.now), &circumstances);
    output::tell(&if json { serde_json::json!(report).to_string() } else { report.text() });
    if report.remarks.iter().any(|remark| remark.verdict == Verdict::Rejected.words()) {
        exit::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// What the configuration says of certificates.
fn configured(config: &Path) -> Result<(Terms, Vec<SiteSpec>), String> {
    let mut loaded = Config::load(config).map_err(|mistakes| mistakes.to_string())?;
    for unknown in decided::apply(&mut loaded.config) {
        output::complain(&format!("warning: {unknown}"));
    }
    for rejected in &loaded.rejected {
        output::complain(&format!("warning: {rejected}"));
    }
    let terms = edge::terms(&loaded.config).map_err(|mistakes| mistakes.join("\n"))?;
    Ok((terms, loaded.config.sites))
}

#[derive(Debug, PartialEq, Serialize)]
struct Report {
    files: Vec<File>,
    certificates: Vec<Certificate>,
    /// What would not be served, and why.
    remarks: Vec<Remark>,
    authorities: Vec<Issuer>,
}

#[derive(Debug, PartialEq, Serialize)]
struct File {
    file: String,
    certificates: usize,
    keys: usize,
}

#[derive(Debug, PartialEq, Serialize)]
struct Certificate {
    verdict: &'static str,
    names: Vec<String>,
    key_type: &'static str,
    issuer: String,
    level: Option<&'static str>,
    not_before: String,
    not_after: String,
    days_left: i64,
    fingerprint: String,
    file: String,
    warnings: Vec<Remark>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Remark {
    #[serde(skip_serializing_if = "str::is_empty")]
    verdict: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    file: String,
    code: &'static str,
    reason: String,
    mend: String,
}

#[derive(Debug, PartialEq, Serialize)]
struct Issuer {
    subject: String,
    issuer: String,
    not_after: String,
    stray: bool,
}

impl Report {
    fn of(inspection: &Inspection, circumstances: &Circumstances<'_>) -> Self {
        let file = |file: &certs::InspectedFile| File {
            file: file.path.display().to_string(),
            certificates: file.certificates,
            keys: file.keys,
        };
        let remark = |(path, flaw): &(PathBuf, Flaw)| {
            let verdict = if flaw.is_a_wait() { "waiting" } else { Verdict::Rejected.words() };
            Remark { verdict, file: path.display().to_string(), ..Remark::of(flaw) }
        };
        let issuer = |authority: &Authority| Issuer {
            subject: authority.subject.to_string(),
            issuer: authority.issuer.to_string(),
            not_after: day(authority.not_after),
            stray: authority.is_stray,
        };
        Self {
            files: inspection.files.iter().map(file).collect(),
            certificates: inspection.certificates.iter().map(|served| Certificate::of(served, circumstances)).collect(),
            remarks: inspection.flaws.iter().map(remark).collect(),
            authorities: inspection.authorities.iter().map(issuer).collect(),
        }
    }

    /// Whoever made a file chose the words in it: they make no lines of their own, and no commands to the terminal.
    fn text(&self) -> String {
        let row = |File { file, certificates, keys }: &File| [file.clone(), certificates.to_string(), keys.to_string()];
        let mut lines =
            vec![output::table(["FILE", "CERTIFICATES", "KEYS"], &self.files.iter().map(row).collect::<Vec<_>>())];
        lines.extend(self.certificates.iter().map(Certificate::text));
        lines.extend(
            self.remarks
                .iter()
                .map(|remark| format!("{}: {}: {}", remark.verdict, printable(&remark.file), remark.text())),
        );
        lines.extend(self.authorities.iter().map(|Issuer { subject, issuer, not_after, stray }| {
            let stray =
                if *stray { ", stray: it stands behind none of these certificates, and is not sent" } else { "" };
            let (subject, issuer) = (printable(subject), printable(issuer));
            format!("authority: {subject}, issued by {issuer}, valid to {not_after}{stray}")
        }));
        lines.join("\n")
    }
}

impl Certificate {
    fn of(served: &ServedCert, circumstances: &Circumstances<'_>) -> Self {
        let facts = &served.facts;
        let warnings = warnings(served, circumstances);
        Self {
            verdict: Verdict::of(&warnings).words(),
            names: served.names.iter().map(ToString::to_string).collect(),
            key_type: served.key_type.label(),
            issuer: if facts.issuer_cn.is_empty() { &facts.issuer_o } else { &facts.issuer_cn }.to_string(),
            level: facts.traits.level.map(ValidationLevel::label),
            not_before: day(facts.not_before),
            not_after: day(facts.not_after),
            days_left: (facts.not_after - circumstances.now).div_euclid(SECONDS_A_DAY),
            fingerprint: facts.fingerprint.to_string(),
            file: facts.file.display().to_string(),
            warnings: warnings.iter().map(Remark::of).collect(),
        }
    }

    fn text(&self) -> String {
        let level = self.level.map(|level| format!(", {}", level.to_uppercase())).unwrap_or_default();
        let mut text = format!(
            "{}: {}\n  key          {}\n  issued by    {}{level}\n  valid        {} to {}, {} days left\n  fingerprint  {}\n  \
             file         {}",
            self.verdict,
            output::some_of(&self.names, NAMES),
            self.key_type,
            printable(&self.issuer),
            self.not_before,
            self.not_after,
            self.days_left,
            self.fingerprint,
            printable(&self.file),
        );
        for warning in &self.warnings {
            text.push_str("\n  warning      ");
            text.push_str(&warning.text());
        }
        text
    }
}

impl Remark {
    fn of(Flaw { code, reason, mend, .. }: &Flaw) -> Self {
        Self { verdict: "", file: String::new(), code, reason: reason.to_string(), mend: mend.to_string() }
    }

    fn text(&self) -> String {
        format!("{} ({}); {}", self.reason, self.code, self.mend)
    }
}

fn day(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_or_else(|_| "beyond the year 9999".into(), |at| at.date().to_string())
}

/// As many as fit on a line or two; `--json` has them all.
const NAMES: usize = 10;
const SECONDS_A_DAY: i64 = 86_400;
