//! From what the operator said to what the hot path reads.

use std::path::PathBuf;

use crate::access_log;
use crate::acme::{AcmeTerms, ExternalAccount, Issuer, ManagedSite, OnDemandSite, QuestionLimits};
use crate::certs::{Flaw, Folder, Folders, Roots, SiteTerms, Terms};
use crate::config::{self, AccessLogTarget, CertificatesConfig, Challenge, Config, DropFolder, UnknownName};
use crate::levers::Pulled;
use crate::live::{Access, Lever, OnDemand, RouteTable, SiteSpec, UpstreamStates};
use crate::name::HostPattern;
use crate::proxy::{self, TlsPolicy, TlsPolicyError};

/// The routes of a configuration. `https_port` is the port the first HTTPS listener really has.
/// What is pulled goes before what is configured.
pub(super) fn routes(states: &UpstreamStates, config: &Config, https_port: u16, pulled: &Pulled) -> RouteTable {
    let (mut sites, limits) = (config.sites.clone(), config.limits.clone());
    for site in &mut sites {
        if let Some(held) = pulled.maintenance.get(&site.name) {
            site.policy.maintenance.get_or_insert_default().on = held.value;
        }
    }
    let mut table = RouteTable::knowing(states, sites, limits, config.edge.trusted_proxies.clone(), https_port)
        .introduced_by(&config.edge.proxy_protocol);
    table.resolvers.clone_from(&config.edge.resolvers);
    if !pulled.denied.is_empty() {
        let networks: Vec<_> = pulled.denied.keys().map(|network| network.net()).collect();
        table.denied = Some(Access::new(&[], &networks));
    }
    for member in table.groups().iter().flat_map(|group| &group.members) {
        let wanted = pulled.upstreams.get(&member.upstream.to_string());
        member.state.pull(wanted.map_or(Lever::Ready, |held| held.value));
    }
    table
}

/// Where certificates are dropped.
#[must_use]
pub fn folders(config: &Config) -> Folders {
    let CertificatesConfig { drop_directory, drops, .. } = &config.certificates;
    let limited = drops.iter().cloned().map(|DropFolder { directory, hosts, password_file }| Folder {
        directory,
        hosts,
        password_file,
    });
    Folders::new(drop_directory.clone(), limited)
}

/// By what certificates are judged.
///
/// # Errors
/// A line for each file of roots that cannot be used.
pub fn terms(config: &Config) -> Result<Terms, Vec<String>> {
    let files = config.certificates.trusted_roots.iter().map(|root| (&*root.path, root.content.as_slice()));
    let roots = Roots::of_the_web_and(files).map_err(|flaws| {
        let line = |(file, flaw): (PathBuf, Flaw)| format!("certificates.trusted_roots: {}: {flaw}", file.display());
        flaws.into_iter().map(line).collect::<Vec<_>>()
    })?;
    let sites = config.sites.iter().map(|site| SiteTerms {
        name: site.name.clone(),
        hosts: site.hosts.clone(),
        provision: site.provision,
        minimum_validation: site.minimum_validation,
        before_issue: site.orders.before_issue,
    });
    let local_ca_suffixes = config.certificates.local_ca_suffixes.clone();
    let export = config.admin.export;
    let orders = config.acme.terms_of_service_agreed;
    let wildcard_orders = config.acme.challenges.contains(&Challenge::Dns01);
    Ok(Terms { roots, sites: sites.collect(), local_ca_suffixes, orders, wildcard_orders, export })
}

/// How certificates are ordered.
///
/// # Errors
/// A line for each file of roots that cannot be used.
pub(super) fn acme(config: &Config) -> Result<AcmeTerms, Vec<String>> {
    let (mut issuers, mut wrong) = (Vec::new(), Vec::new());
    for issuer in &config.acme.issuers {
        let roots = match &issuer.ca_file {
            None => Ok(Roots::web_certificates().collect()),
            Some(file) => Roots::certificates_in(&file.content)
                .map_err(|flaw| format!("acme.issuer.ca_file: {}: {flaw}", file.path.display())),
        };
        let roots = match roots {
            Ok(roots) => roots,
            Err(line) => {
                wrong.push(line);
                continue;
            }
        };
        let external_account = issuer.external_account.as_ref().map(|external| ExternalAccount {
            key_id: external.key_id.clone(),
            hmac_key_file: external.hmac_key_file.clone(),
        });
        let (name, directory, profile) = (issuer.name.clone(), issuer.directory.clone(), issuer.profile.clone());
        issuers.push(Issuer { name, directory, profile, roots, external_account, budgets: issuer.budgets });
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let sites = config.sites.iter().map(|site| ManagedSite {
        name: site.name.clone(),
        hosts: site.hosts.iter().filter(|host| is_ordered(site, host)).cloned().collect(),
        provision: site.provision,
        allowed_by: match &site.on_demand {
            OnDemand::Allowed(ask) => Some(ask.clone()),
            OnDemand::No | OnDemand::Asks(_) => None,
        },
        key_types: site.orders.key_types.clone(),
        reuse_key: site.orders.reuse_key,
    });
    let on_demand = config.sites.iter().filter_map(|site| match &site.on_demand {
        OnDemand::Asks(ask) => {
            Some(OnDemandSite { name: site.name.clone(), hosts: site.hosts.clone(), ask: ask.clone() })
        }
        OnDemand::No | OnDemand::Allowed(_) => None,
    });
    let config::OnDemandConfig { questions_per_hour, questions_per_client } = config.acme.on_demand;
    let trusted =
        config.certificates.trusted_roots.iter().filter_map(|root| Roots::certificates_in(&root.content).ok());
    Ok(AcmeTerms {
        on_demand: on_demand.collect(),
        questions: QuestionLimits { per_hour: questions_per_hour, per_client: questions_per_client },
        roots: Roots::web_certificates().chain(trusted.flatten()).collect(),
        terms_agreed: config.acme.terms_of_service_agreed,
        contact: config.acme.contact.clone(),
        challenges: config.acme.challenges.clone(),
        at_once: config.acme.orders_at_once,
        partial_after: config.acme.partial_after,
        issuers,
        resolvers: config.acme.resolvers.clone(),
        preflight: config.acme.preflight.clone(),
        dns: config.acme.dns.clone(),
        sites: sites.collect(),
    })
}

/// Whether certificates for a host are ordered: below a wildcard of an on-demand site each name has one of its own.
const fn is_ordered(site: &SiteSpec, host: &HostPattern) -> bool {
    !matches!((&site.on_demand, host), (OnDemand::Asks(_), HostPattern::Wildcard(_)))
}

/// The TLS policy of a configuration, after the one that was in force `before`.
pub(super) fn policy(config: &Config, before: Option<&TlsPolicy>) -> Result<TlsPolicy, TlsPolicyError> {
    let unknown_name = match &config.tls.unknown_name {
        UnknownName::Refuse => proxy::UnknownName::Refuse,
        UnknownName::Default(host) => proxy::UnknownName::Default(host.clone()),
    };
    let is_on_demand = config.sites.iter().any(|site| matches!(site.on_demand, OnDemand::Asks(_)));
    let demands = config.sites.iter().map(|site| (&*site.hosts, site.policy.tls.as_ref()));
    let policy = TlsPolicy::new(config.tls.min_version, unknown_name)?;
    policy.telling_unknown(is_on_demand).demanding(demands, before)
}

/// Where and how requests are logged.
pub(super) fn access_log(config: &Config) -> access_log::Options {
    let log = &config.access_log;
    access_log::Options {
        to: log.to.as_ref().map(|to| match to {
            AccessLogTarget::Stdout => access_log::Target::Stdout,
            AccessLogTarget::File(path) => access_log::Target::File(path.clone()),
        }),
        sample: log.sample,
        query: log.query,
        truncate_client: log.truncate_client,
    }
}
