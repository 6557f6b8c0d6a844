//! `vitrine demo`: a sample shop behind an edge of its own, with nothing to prepare and nothing left behind.

mod folder;
mod guide;
mod shop;

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};

use super::output::tell;
use super::{exit, run};
use crate::certs::{KeyKind, LocalCa, valid_for};
use crate::config::{Config, Loaded, Mistakes};
use crate::edge::{Certificates, Edge};
use crate::live::ServedCert;
use crate::name::HostPattern;
use crate::shutdown::{Request, Signals};
use crate::telemetry::{self, LogFormat, LogLevel};
use folder::Folder;
use guide::Guide;

/// Serves the sample shop until a signal ends it.
pub(super) fn demo() -> ExitCode {
    telemetry::install_logging(LogFormat::Text, LogLevel::Info);
    let Prepared { folder, loaded, certificates, shop } = match prepare() {
        Ok(prepared) => prepared,
        Err(error) => {
            tracing::error!("the demo cannot start: {error}");
            return exit::FAILURE;
        }
    };
    match Edge::start(None, loaded, Certificates::Fixed(certificates)) {
        Ok(edge) => {
            let guide = Guide { addresses: edge.addresses(), root: &folder.root(), socket: &folder.socket() };
            tell(&guide.to_string());
            let code = run::serve(edge);
            drop(shop); // it answers until the edge has no more questions
            code
        }
        Err(error) => run::refused(&error),
    }
}

/// All that the edge needs and everything that must outlive it.
struct Prepared {
    folder: Folder,
    loaded: Loaded,
    certificates: Vec<Arc<ServedCert>>,
    shop: Shop,
}

fn prepare() -> Result<Prepared, Box<dyn Error>> {
    let authority = LocalCa::new("Vitrine demo")?;
    let certificates = certificates(&authority)?;
    let shop = Shop::open().map_err(|error| format!("the sample shop does not open: {error}"))?;
    let mut loaded = configuration(shop.address)?;
    let folder = Folder::new(authority.root_pem()).map_err(|error| format!("no temporary folder: {error}"))?;
    loaded.config.certificates.state_directory = folder.state();
    Ok(Prepared { folder, loaded, certificates, shop })
}

/// A certificate for each host; for the first one two, of which what the client can check decides.
fn certificates(authority: &LocalCa) -> Result<Vec<Arc<ServedCert>>, Box<dyn Error>> {
    let [first, second] = shop::HOSTS;
    let wanted = [(first, KeyKind::Ecdsa), (first, KeyKind::Rsa), (second, KeyKind::Ecdsa)];
    let issue = |(host, kind)| {
        let issued = authority.issue(&[HostPattern::parse(host)?], valid_for(DAYS), kind)?;
        Ok(issued.served()?)
    };
    wanted.into_iter().map(issue).collect()
}

fn configuration(shop: SocketAddr) -> Result<Loaded, Mistakes> {
    let [first, second] = shop::HOSTS;
    let text = format!(
        r#"
        edge = {{ https = ["127.0.0.1:8443"], http = ["127.0.0.1:8080"], drain_timeout = "5s" }}
        admin.listen = "127.0.0.1:9180"
        [[site]]
        hosts = ["{first}"]
        staging = true
        upstreams = ["http://{shop}"]
        [[site]]
        hosts = ["{second}"]
        staging = true
        upstreams = ["http://{shop}"]
        "#
    );
    Config::parse(Path::new("(the demo's configuration)"), &text)
}

/// The sample shop, with a thread of its own; dropped, it closes.
struct Shop {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Shop {
    fn open() -> io::Result<Self> {
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).thread_name("shop").enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::register()?
        };
        // The edge waits for open WebSockets; the shop hears the same signals and ends them with a goodbye.
        let stop = async move { while matches!(signals.next().await, Request::Reload) {} };
        runtime.spawn(shop::serve(listener, stop));
        Ok(Self { address, _runtime: runtime })
    }
}

/// A demo that is forgotten must not be trusted for ever.
const DAYS: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_configuration_holds_and_every_host_has_its_certificates() {
        let loaded = configuration(SocketAddr::from(([127, 0, 0, 1], 9))).expect("a configuration");
        assert_eq!((loaded.warnings.as_slice(), loaded.rejected.as_slice()), (&[][..], &[][..]));
        let hosts: Vec<String> =
            loaded.config.sites.iter().flat_map(|site| &site.hosts).map(ToString::to_string).collect();
        assert_eq!(hosts, shop::HOSTS);

        let authority = LocalCa::new("Vitrine demo").expect("an authority");
        let certificates = certificates(&authority).expect("certificates");
        let served: Vec<_> =
            certificates.iter().map(|served| (served.names[0].to_string(), served.key_type.label())).collect();
        let [first, second] = shop::HOSTS.map(str::to_owned);
        assert_eq!(served, [(first.clone(), "ecdsa"), (first, "rsa"), (second, "ecdsa")]);
    }
}
