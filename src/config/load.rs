//! From a file and what it includes to a [`Config`], or to everything that is wrong with them.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::{Document, NO_SUCH_FILE};
use super::include::Included;
use super::reader::{Pad, Section};
use super::remark::{Mistakes, Rejected, Remark};
use super::site::Ground;
use super::sites::{MainSites, Sites};
use super::{
    AcmeConfig, CertificatesConfig, Challenge, Config, Draft, UnknownName, acme, admin, bounds, certificates, notices,
    recorded, reports, sections,
};
use crate::live::{SiteSpec, Upstream, UpstreamAddress, is_own_listener};

/// A configuration that holds, with what must be said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What to serve.
    pub config: Config,
    /// What was left out of included files, to be told loudly.
    pub rejected: Vec<Rejected>,
    /// The names of sites that serve as they did before what defines them was rejected.
    pub kept: Vec<String>,
    /// What holds and may still not be meant.
    pub warnings: Vec<Remark>,
    /// Every file that was read and every folder that was looked into, for watching.
    pub sources: Vec<PathBuf>,
    /// The file each of `config.sites` came from, in the same order.
    pub origins: Vec<PathBuf>,
}

/// Where each site is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Arc<HashMap<String, PathBuf>>);

impl Origins {
    /// Those of what serves.
    #[must_use]
    pub fn of(loaded: &Loaded) -> Self {
        let named = loaded.config.sites.iter().map(|site| site.name.clone());
        Self(Arc::new(named.zip(loaded.origins.iter().cloned()).collect()))
    }

    /// The file of a site, by its name.
    #[must_use]
    pub fn of_site(&self, name: &str) -> Option<&Path> {
        self.0.get(name).map(PathBuf::as_path)
    }
}

/// Reads `path` and what it includes, beside what serves now.
pub(super) fn load(path: &Path, serving: Option<&Loaded>, draft: &Draft) -> Result<Loaded, Mistakes> {
    let document = Document::read(path).map_err(|mut remark| {
        if remark.text == NO_SUCH_FILE {
            remark.text += "; try `vitrine demo`, or begin with a copy of config/vitrine.toml";
        }
        remark
    })?;
    assemble(&document, serving, Some(draft))
}

/// The same for a text that is already there. No state belongs to it.
pub(super) fn parse(path: &Path, text: String) -> Result<Loaded, Mistakes> {
    assemble(&Document::new(path, text), None, None)
}

fn assemble(main: &Document, serving: Option<&Loaded>, draft: Option<&Draft>) -> Result<Loaded, Mistakes> {
    let (table, syntax) = main.parse();
    let pad = Pad::new(main);
    let (config, sites, included) = read_everything(&Section::top(&pad, &table), serving, draft);

    let (mut mistakes, mut warnings) = pad.finish(syntax);
    if !mistakes.is_empty() {
        mistakes.extend(sites.rejected.into_iter().flat_map(|rejected| rejected.mistakes));
        return Err(Mistakes::new(mistakes));
    }
    warnings.extend(sites.warnings);
    let roots = config.certificates.trusted_roots.iter().map(|root| root.path.clone());
    let pages = config.sites.iter().filter_map(|site| Some(site.policy.error_pages.as_ref()?.folder.clone()));
    let upstreams = config.sites.iter().flat_map(|site| &site.routes).flat_map(|(_, group)| &group.upstreams);
    let shown = upstreams.filter_map(|member| member.upstream.tls.as_ref()).flat_map(|tls| tls.terms.files());
    let clients = config.sites.iter().filter_map(|site| site.policy.tls.as_ref()?.clients.as_ref());
    let clients = clients.flat_map(|clients| clients.files.clone());
    let pages: BTreeSet<PathBuf> = pages.chain(shown.map(|file| file.path.clone())).chain(clients).collect();
    let sources = std::iter::once(main.file.clone()).chain(included.folders).chain(included.files);
    let sources = sources.chain(roots).chain(pages).collect();
    Ok(Loaded { config, rejected: sites.rejected, kept: sites.kept, warnings, sources, origins: sites.origins })
}

/// The configuration, which is worth something only if the pad of `top` is clean.
pub(super) fn read_everything(
    top: &Section<'_>,
    serving: Option<&Loaded>,
    draft: Option<&Draft>,
) -> (Config, Sites, Included) {
    let certificates = certificates::certificates(&top.table("certificates"));
    let acme = acme::acme(&top.table("acme"));
    let suffixes = certificates.local_ca_suffixes.clone();
    let dns_01 = acme.challenges.contains(&Challenge::Dns01);
    let (terms_agreed, orders) = (acme.terms_of_service_agreed, acme.orders.clone());
    let mut main =
        MainSites::with(Ground { suffixes, terms_agreed, dns_01, orders, judge: draft.and_then(|draft| draft.judge) });
    for table in top.tables("site") {
        main.read(top.pad, table);
    }
    let mut included = Included::find(top);
    if let Some(draft) = draft {
        included.recorded = recorded::find(draft.state.as_ref().unwrap_or(&certificates.state_directory), draft);
    }
    let mut sites = main.with_included(top.pad, &included, serving);
    let config = settings(top, (certificates, acme), std::mem::take(&mut sites.specs), !sites.rejected.is_empty());
    (config, sites, included)
}

/// An upstream of the site that is a listener of the edge itself.
fn own_listener_among<'s>(site: &'s SiteSpec, own: &[SocketAddr]) -> Option<&'s Upstream> {
    let upstreams = site.routes.iter().flat_map(|(_, group)| &group.upstreams).map(|member| &member.upstream);
    upstreams.into_iter().find(|upstream| match &upstream.address {
        UpstreamAddress::Tcp { host, port } => {
            let peer = host.parse().map(|address: IpAddr| SocketAddr::new(address, *port));
            peer.is_ok_and(|peer| is_own_listener(own, peer, None))
        }
        UpstreamAddress::Unix(_) => false,
    })
}

fn settings(
    top: &Section<'_>,
    (certificates, acme): (CertificatesConfig, AcmeConfig),
    sites: Vec<SiteSpec>,
    some_rejected: bool,
) -> Config {
    let mut listeners = Vec::new();
    let edge = sections::edge(&top.table("edge"), &mut listeners);
    let admin = admin::admin(&top.table("admin"), &mut listeners);
    sections::check_listeners(top, listeners);

    let (tls, default_line) = sections::tls(&top.table("tls"));
    if let UnknownName::Default(host) = &tls.unknown_name {
        let covered = sites.iter().flat_map(|site| &site.hosts).any(|pattern| pattern.covers(host.as_str()));
        let text = format!("expected a host of one of the sites, found \"{host}\"");
        match (covered, some_rejected) {
            (true, _) => {}
            // The site may be among those left out, and their mistakes must not stop the others.
            (false, true) => top.pad.warning(default_line, "tls.default_site", text + "; unknown names are refused"),
            (false, false) => top.pad.missing(default_line, "tls.default_site", text),
        }
    }
    let own: Vec<_> = [&*edge.https, &edge.http, &[admin.listen], admin.metrics_listen.as_slice()].concat();
    for site in &sites {
        if let Some(upstream) = own_listener_among(site, &own) {
            let text = format!(
                "the site {:?} has the upstream {upstream}, which is the edge itself: no request goes there",
                site.name
            );
            top.pad.warning(1, "site.upstreams", text);
        }
    }
    if sites.is_empty() && top.pad.is_clean() {
        top.pad.warning(1, "site", "there is no site: every name is unknown and every request gets 404");
    }
    Config {
        edge,
        tls,
        limits: bounds::limits(&top.table("limits")),
        certificates,
        acme,
        admin,
        mail: notices::mail(&top.table("mail")),
        notices: notices::notices(&top.table("notices")),
        reports: reports::reports(&top.table("reports")),
        log: sections::log(&top.table("log")),
        access_log: sections::access_log(&top.table("access_log")),
        sites,
    }
}
