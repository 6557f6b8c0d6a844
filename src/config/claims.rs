//! Which hosts and names are taken, by whom, and where.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::remark::Remark;
use super::site::ReadSite;
use crate::live::SiteSpec;
use crate::name::HostPattern;
use crate::telemetry::printable;

/// Every host and name that is taken.
#[derive(Clone, Default)]
pub(super) struct Claims {
    hosts: HashMap<HostPattern, Claim>,
    names: HashMap<String, Claim>,
}

#[derive(Clone)]
struct Claim {
    site: String,
    file: PathBuf,
    hold: Hold,
}

/// On what grounds something is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// The site at this line said so first.
    Said(usize),
    /// It is what the site at this line serves already, and is free to that site alone.
    Serves(usize),
    /// A site of the file serves it and stays as it was.
    Stays,
}

impl Claims {
    /// What of the site is taken by another. A site that is `lost` anyhow hears nothing of what its own file still serves.
    pub(super) fn conflicts(&self, file: &Path, site: &ReadSite, lost: bool) -> Vec<Remark> {
        let name = site.name();
        let binding = |claim: &&Claim| match claim.hold {
            Hold::Said(_) => true,
            Hold::Serves(_) => claim.file != file || Some(&claim.site) != name.as_ref(),
            Hold::Stays => !lost || claim.file != file,
        };
        let remark = |line, key: &str, text| Remark { file: file.into(), line: Some(line), key: key.into(), text };
        let mut conflicts = Vec::new();
        let mut told = false;
        for host in &site.hosts {
            if let Some(claim) = self.hosts.get(&host.value).filter(binding) {
                let shown = host.value.to_string();
                // A host that is taken and gave the site its name is told of once.
                told |= name.as_ref() == Some(&shown);
                let text = format!("{shown:?} is a host of {claim}; a host has one site");
                conflicts.push(remark(host.line, "site.hosts", text));
            }
        }
        if let Some(given) = site.name.as_ref().filter(|_| !told)
            && let Some(claim) = self.names.get(&given.value).filter(binding)
        {
            let text = format!("{:?} is the name of {claim}; a name has one site", given.value);
            conflicts.push(remark(given.line, "site.name", text));
        }
        conflicts
    }

    /// Takes all that the site lists.
    pub(super) fn take(&mut self, file: &Path, site: &ReadSite) {
        let Some(name) = &site.name else { return };
        let claim = |line| Claim { site: name.value.clone(), file: file.into(), hold: Hold::Said(line) };
        self.hosts.extend(site.hosts.iter().map(|host| (host.value.clone(), claim(host.line))));
        self.names.insert(name.value.clone(), claim(name.line));
    }

    /// Holds for the site what it lists and serves already, as far as it is free.
    pub(super) fn reserve(&mut self, file: &Path, site: &ReadSite, serving: &SiteSpec) {
        let Some(name) = &site.name else { return };
        let claim = |line| Claim { site: name.value.clone(), file: file.into(), hold: Hold::Serves(line) };
        for host in site.hosts.iter().filter(|host| serving.hosts.contains(&host.value)) {
            self.hosts.entry(host.value.clone()).or_insert_with(|| claim(host.line));
        }
        self.names.entry(name.value.clone()).or_insert_with(|| claim(name.line));
    }

    /// Takes all that a serving site has, which stays as it was.
    pub(super) fn keep(&mut self, file: &Path, serving: &SiteSpec) {
        let claim = || Claim { site: serving.name.clone(), file: file.into(), hold: Hold::Stays };
        self.hosts.extend(serving.hosts.iter().map(|host| (host.clone(), claim())));
        self.names.insert(serving.name.clone(), claim());
    }

    /// Whether the site's name and all its hosts are free.
    pub(super) fn leave_free(&self, site: &SiteSpec) -> bool {
        !self.names.contains_key(&site.name) && !site.hosts.iter().any(|host| self.hosts.contains_key(host))
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (site, file) = (&self.site, printable(&self.file.to_string_lossy()));
        match self.hold {
            Hold::Said(line) | Hold::Serves(line) => write!(f, "the site {site:?} at {file}:{line} already"),
            Hold::Stays => write!(f, "the site {site:?} of {file}, which stays as it was"),
        }
    }
}
