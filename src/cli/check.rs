//! `vitrine check`: everything that is wrong with configuration and certificates, before a start or a reload finds it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::{decided, exit, output};
use time::OffsetDateTime;

use crate::certs::{self, Circumstances, NoticeState, Sites, Survey, warnings};
use crate::config::{AdminConfig, Config, Loaded};
use crate::edge;
use crate::live::{CertIndex, SiteSpec, UpstreamAddress};
use crate::store::StateKey;

/// Looks at everything and says what is wrong.
pub(super) fn check(path: &Path) -> ExitCode {
    if look(path) { ExitCode::SUCCESS } else { exit::configuration() }
}

/// The same; gives whether it can be served.
pub(super) fn look(path: &Path) -> bool {
    let report = match Config::load_with(path, &edge::looked_into()) {
        Ok(mut loaded) => {
            let unknown = decided::apply(&mut loaded.config);
            match edge::prepare_upstreams(&loaded.config)
                .and_then(|()| edge::notices(&loaded.config))
                .and_then(|_| edge::trusted_header(&loaded.config))
                .and_then(|_| edge::terms(&loaded.config))
            {
                Ok(terms) => {
                    let survey = certs::survey(edge::folders(&loaded.config), Arc::new(terms));
                    let mut report = Report::of(&loaded, &survey);
                    report.warnings.extend(unknown);
                    report
                }
                Err(errors) => Report { errors, ..Report::default() },
            }
        }
        Err(mistakes) => Report { errors: vec![mistakes.to_string()], ..Report::default() },
    };
    for error in &report.errors {
        output::complain(error);
    }
    for warning in &report.warnings {
        output::complain(&format!("warning: {warning}"));
    }
    if report.errors.is_empty() {
        output::tell(&format!("{}: {}", path.display(), report.found));
    }
    report.errors.is_empty()
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    /// What must be mended.
    errors: Vec<String>,
    /// What may be meant so, or mend itself.
    warnings: Vec<String>,
    /// What can be served.
    found: String,
}

impl Report {
    fn of(loaded: &Loaded, survey: &Survey) -> Self {
        let sites = &loaded.config.sites;
        let mut report = Self::default();
        report.errors.extend(loaded.rejected.iter().map(ToString::to_string));
        report.warnings.extend(loaded.warnings.iter().map(ToString::to_string));
        report.files(sites, survey);
        report.hosts(sites, survey);
        report.admin(&loaded.config.admin, survey);
        report.upstreams(sites);
        report.state_key(loaded.config.certificates.state_key_file.as_deref());
        report.found =
            format!("nothing is wrong (sites: {}, certificates: {})", sites.len(), survey.certificates.len());
        report
    }

    fn files(&mut self, sites: &[SiteSpec], survey: &Survey) {
        for notice in &survey.ledger.rejected {
            let line = format!("{}: {} ({}); {}", notice.file, notice.reason, notice.code, notice.mend);
            match notice.state {
                NoticeState::Rejected => self.errors.push(line),
                NoticeState::Waiting => self.warnings.push(line),
            }
        }
        self.warnings.extend(survey.ledger.alarms.iter().map(|alarm| alarm.message.clone()));
        let sites = Sites::of(sites);
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let circumstances = Circumstances { now, sites: Some(&sites) };
        for served in &survey.certificates {
            let warnings = warnings(served, &circumstances).into_iter();
            let file = served.facts.file.display();
            let untold = warnings.filter(|warning| !ALARMED.contains(&warning.code));
            self.warnings.extend(untold.map(|warning| format!("{file}: {warning}")));
        }
    }

    /// A site without a certificate is served as soon as one is dropped: no reason not to start.
    fn hosts(&mut self, sites: &[SiteSpec], survey: &Survey) {
        let index = CertIndex::ranked(survey.certificates.iter().cloned());
        for site in sites {
            let uncovered = site.hosts.iter().filter(|host| index.find_pattern(host).is_none());
            let uncovered: Vec<_> = uncovered.map(ToString::to_string).collect();
            if !uncovered.is_empty() {
                self.warnings.push(format!(
                    "site {:?}: no certificate covers {}; its handshakes are refused until one is dropped",
                    site.name,
                    uncovered.join(", ")
                ));
            }
        }
    }

    /// Without a certificate for its name the admin listener shows one that nobody knows.
    fn admin(&mut self, admin: &AdminConfig, survey: &Survey) {
        let what = match &admin.host {
            _ if !admin.tls => return,
            None => "is not given".to_owned(),
            Some(host) if survey.certificates.iter().any(|served| served.covers(host.as_str())) => return,
            Some(host) => format!("no certificate covers {host}"),
        };
        self.warnings.push(format!(
            "admin.host: {what}; the admin listener shows a certificate of its own, which browsers warn of, unless one was uploaded"
        ));
    }

    /// Without its key the edge does not start.
    fn state_key(&mut self, file: Option<&Path>) {
        match file.map(StateKey::read) {
            Some(Err(error)) if error.is_for_the_unit() => {
                self.warnings.push(format!("certificates.state_key_file: it is not looked at here: {error}"));
            }
            Some(Err(error)) => self.errors.push(format!("certificates.state_key_file: {error}")),
            Some(Ok(_)) | None => {}
        }
    }

    /// Names are looked up again for each connection; today's failure may be the name server's.
    fn upstreams(&mut self, sites: &[SiteSpec]) {
        let upstreams = sites.iter().flat_map(|site| &site.routes).flat_map(|(_, group)| &group.upstreams);
        let name = |upstream| match upstream {
            &UpstreamAddress::Tcp { ref host, port } => Some((&**host, port)),
            UpstreamAddress::Unix(_) => None,
        };
        let names: BTreeSet<(&str, u16)> = upstreams.filter_map(|member| name(&member.upstream.address)).collect();
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        let unknown = runtime.block_on(unknown(names));
        // A lookup that hangs must not hang us.
        runtime.shutdown_background();
        self.warnings.extend(unknown);
    }
}

/// The names that cannot be looked up, all asked at once.
async fn unknown(names: BTreeSet<(&str, u16)>) -> Vec<String> {
    let lookups: Vec<_> = names
        .into_iter()
        .map(|(host, port)| {
            let asked = (host.to_owned(), port);
            (host.to_owned(), tokio::spawn(tokio::time::timeout(LOOKUP, tokio::net::lookup_host(asked))))
        })
        .collect();
    let mut unknown = Vec::new();
    for (host, lookup) in lookups {
        let why = match lookup.await {
            Ok(Ok(Ok(_))) => continue,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => format!("no answer within {} s", LOOKUP.as_secs()),
            Err(_) => "the lookup failed".into(),
        };
        unknown.push(format!("upstream {host:?} cannot be looked up: {why}; its requests are answered with 502"));
    }
    unknown
}

/// What alarms tell already.
const ALARMED: [&str; 3] = ["expired", "not-yet-valid", "chain-incomplete"];
/// A name server that takes longer fails requests too.
const LOOKUP: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::certs::{KeyKind, LocalCa, valid_for};
    use crate::name::HostPattern;

    fn report(folder: &Path, sites: &str) -> Report {
        let drop = folder.join("certs");
        let text = format!(
            "[certificates]\ndrop_directory = {:?}\ntrusted_roots = [{:?}]\nstate_directory = {:?}\n{sites}",
            drop.display().to_string(),
            drop.join("root.pem").display().to_string(),
            folder.join("state").display().to_string()
        );
        let loaded = Config::parse(Path::new("vitrine.toml"), &text).expect("a configuration");
        let terms = edge::terms(&loaded.config).expect("roots");
        Report::of(&loaded, &certs::survey(&*drop, Arc::new(terms)))
    }

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("certs")).expect("a folder");
        let patterns: Vec<_> = names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect();
        let authority = LocalCa::new("Some CA").expect("an authority");
        let issued = authority.issue(&patterns, valid_for(30), KeyKind::Ecdsa).expect("issued");
        let file = folder.path().join("certs/shop.pem");
        fs::write(&file, [issued.chain.as_bytes(), issued.key.as_bytes()].concat()).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("private");
        fs::write(folder.path().join("certs/root.pem"), authority.root_pem()).expect("written");
        folder
    }

    const SHOP: &str = "[[site]]\nhosts = [\"shop.example\", \"late.example\"]\nupstreams = [\"http://127.0.0.1:1\"]\n";

    #[test]
    fn a_host_without_a_certificate_is_a_warning() {
        let folder = folder_with(&["shop.example"]);
        let warning = "site \"shop.example\": no certificate covers late.example; its handshakes are refused until one \
                       is dropped";
        let expected = Report {
            errors: Vec::new(),
            warnings: vec![warning.into()],
            found: "nothing is wrong (sites: 1, certificates: 1)".into(),
        };
        assert_eq!(report(folder.path(), SHOP), expected);
    }

    #[test]
    fn a_rejected_file_is_wrong_and_a_waiting_one_is_not() {
        let folder = folder_with(&["shop.example", "late.example"]);
        fs::write(folder.path().join("certs/bad.pem"), "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n")
            .expect("written");
        let report = report(folder.path(), SHOP);
        assert_eq!((report.errors.len(), report.warnings), (1, Vec::new()));
        assert!(report.errors[0].contains("bad.pem: "), "{:?}", report.errors);
    }

    #[test]
    fn an_admin_listener_that_nobody_knows_is_a_warning() {
        let folder = folder_with(&["shop.example", "late.example", "edge.example"]);
        let warned = |admin: &str| {
            let report = report(folder.path(), &format!("[admin]\n{admin}\n{SHOP}"));
            report.warnings.iter().filter(|warning| warning.starts_with("admin.host: ")).count()
        };
        let beyond = "listen = \"10.0.0.7:9180\"\n";
        assert_eq!(warned(&format!("{beyond}host = \"edge.example\"")), 0);
        assert_eq!(warned(&format!("{beyond}host = \"other.example\"")), 1);
        assert_eq!(warned(beyond), 1);
        assert_eq!(warned(""), 0);
    }

    #[test]
    fn a_key_of_the_state_that_cannot_be_used_is_wrong() {
        let folder = folder_with(&["shop.example", "late.example"]);
        let said = |file: &Path| {
            let mut report = Report::default();
            report.state_key(Some(file));
            (report.errors.len(), report.warnings.len())
        };
        let file = folder.path().join("key");
        fs::write(&file, [7; 32]).expect("written");
        assert_eq!(said(&file), (1, 0), "others may read it");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("private");
        assert_eq!(said(&file), (0, 0));
        assert_eq!(said(Path::new("$CREDENTIALS_DIRECTORY/key")), (0, 1));
    }

    #[test]
    fn an_upstream_that_has_no_address_is_a_warning() {
        let folder = folder_with(&["shop.example", "late.example"]);
        let site = SHOP.replace("127.0.0.1", "nothing.invalid");
        let report = report(folder.path(), &site);
        assert_eq!((report.errors, report.warnings.len()), (Vec::new(), 1));
        assert!(report.warnings[0].starts_with("upstream \"nothing.invalid\" cannot be looked up: "));
    }

    #[test]
    fn a_broken_configuration_ends_with_78() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("vitrine.toml");
        fs::write(&file, "[edge]\nhtps = []\n").expect("written");
        assert_eq!(format!("{:?}", check(&file)), format!("{:?}", ExitCode::from(78)));
    }
}
