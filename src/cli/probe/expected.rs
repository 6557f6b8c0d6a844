//! What a running edge says that its hosts show.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::admin::answers::{Serving, Site, SiteHost};
use crate::certs::Offer;
use crate::elsewhere::ForeignUrl;
use crate::name::{HostName, HostPattern};
use crate::outbound::{CallError, EdgeSocket};
use crate::probe::{AppleFile, Published, Target};

#[derive(Deserialize)]
struct Object {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    origin: String,
    sites: Vec<String>,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    current: bool,
    size: usize,
    sha256: String,
}

/// A URL that others serve.
#[derive(Deserialize)]
struct Foreign {
    name: String,
    state: String,
}

#[derive(Deserialize)]
struct LocalCa {
    root_pem: String,
}

/// Every host of the edge, reached at `port`, every URL that others serve and that is watched, and the root of the edge's own authority, if it issued for one of them.
pub(super) async fn all(edge: &EdgeSocket, port: u16) -> Result<(Vec<Target>, Option<String>), CallError> {
    let sites: Vec<Site> = edge.get("/api/v1/sites").await?;
    let objects: Vec<Object> = edge.get("/api/v1/objects").await?;
    let own_root = match sites.iter().any(Site::is_self_signed) {
        true => Some(edge.get::<LocalCa>("/api/v1/local-ca").await?.root_pem),
        false => None,
    };
    let files = Files::of(&objects);
    let targets = sites.iter().flat_map(|site| site.hosts.iter().filter_map(|host| target(site, host, &files, port)));
    let others: Vec<Foreign> = edge.get("/api/v1/elsewhere").await?;
    Ok((targets.chain(others.iter().filter_map(Foreign::target)).collect(), own_root))
}

impl Foreign {
    /// Whatever clients take is right there; `None`: nobody wants to hear of it.
    fn target(&self) -> Option<Target> {
        let url = ForeignUrl::parse(&self.name).ok().filter(|_| self.state != "unwatched")?;
        let (name, host, port) = (self.name.clone(), url.host().clone(), url.port());
        Some(Target { name, host, port, published: None, apple_file: None })
    }
}

impl Site {
    fn is_self_signed(&self) -> bool {
        self.certificate.effective == "self-signed"
    }
}

/// Of a wildcard a name is asked for that nobody else has; `None`: no client asks for any.
fn target(site: &Site, host: &SiteHost, files: &Files<'_>, port: u16) -> Option<Target> {
    let pattern = HostPattern::parse(&host.host).ok()?;
    let (name, apple_file) = match &pattern {
        HostPattern::Exact(name) => (name.clone(), files.find(&site.name, name)),
        HostPattern::Wildcard(base) => (HostName::parse(&format!("{ANY}.{base}")).ok()?, None),
    };
    let published = |serving: &Serving| {
        let offer = Offer::labelled(&serving.key_type)?;
        let is_self_signed = site.is_self_signed();
        Some(Published { offer, fingerprint: serving.fingerprint.clone(), is_self_signed })
    };
    Some(Target {
        name: host.host.clone(),
        host: name,
        port,
        published: Some(host.certificates.iter().filter_map(published).collect()),
        apple_file,
    })
}

/// Apple Pay's domain association files, by what shows them.
struct Files<'a> {
    by_site: BTreeMap<&'a str, &'a Version>,
    by_host: BTreeMap<&'a str, &'a Version>,
}

impl<'a> Files<'a> {
    fn of(objects: &'a [Object]) -> Self {
        let (mut by_site, mut by_host) = (BTreeMap::new(), BTreeMap::new());
        for object in objects.iter().filter(|object| object.kind == "apple-pay-identity-proof") {
            let Some(version) = object.versions.iter().find(|version| version.current) else { continue };
            // One that was dropped is shown by the host alone whose folder it lies in: `well-known/<host>/<name>`.
            let dropped = object.id.split('/').nth(1).filter(|_| object.origin == "dropped");
            match dropped {
                Some(host) if !object.sites.is_empty() => drop(by_host.insert(host, version)),
                Some(_) => {}
                None => by_site.extend(object.sites.iter().map(|site| (site.as_str(), version))),
            }
        }
        Self { by_site, by_host }
    }

    fn find(&self, site: &str, host: &HostName) -> Option<AppleFile> {
        let version = self.by_site.get(site).or_else(|| self.by_host.get(host.as_str()))?;
        Some(AppleFile { sha256: version.sha256.clone(), size: version.size })
    }
}

/// A label that stands for any other below a wildcard.
const ANY: &str = "vitrine-probe";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::admin::answers::site_with;

    #[test]
    fn each_host_is_expected_to_show_what_is_published_for_it() {
        let site = site_with(&json!({
            "name": "shop", "certificate": { "effective": "self-signed" }, "hosts": [
                { "host": "shop.example", "certificates": [
                    { "key_type": "ecdsa", "fingerprint": "aa" }, { "key_type": "rsa", "fingerprint": "bb" }] },
                { "host": "*.shop.example", "certificates": [] },
                { "host": "other.example", "certificates": [] }],
        }));
        let version = |sha256: &str| {
            json!([{ "current": false, "size": 1, "sha256": "old" },
            { "current": true, "size": 5, "sha256": sha256 }])
        };
        let proof = "apple-pay-identity-proof";
        let objects: Vec<Object> = serde_json::from_value(json!([
            { "id": "m", "type": "apple-pay-certificate", "origin": "kept", "sites": [], "versions": version("no") },
            { "id": "well-known/other.example/a", "type": proof, "origin": "dropped", "sites": ["shop"],
              "versions": version("dropped") },
            { "id": "well-known/shop.example/a", "type": proof, "origin": "dropped", "sites": [],
              "versions": version("hidden") },
        ]))
        .expect("objects");
        let files = Files::of(&objects);
        let targets: Vec<_> = site.hosts.iter().filter_map(|host| target(&site, host, &files, 443)).collect();
        let told: Vec<_> = targets
            .iter()
            .map(|target| {
                let published = target.published.iter().flatten().map(|one| (one.offer, one.is_self_signed)).collect();
                let file = target.apple_file.as_ref().map(|file| file.sha256.as_str());
                (target.host.to_string(), published, file)
            })
            .collect::<Vec<(String, Vec<(Offer, bool)>, Option<&str>)>>();
        assert_eq!(
            told,
            [
                ("shop.example".into(), vec![(Offer::Ecdsa, true), (Offer::Rsa, true)], None),
                ("vitrine-probe.shop.example".into(), vec![], None),
                ("other.example".into(), vec![], Some("dropped")),
            ]
        );
    }
}
