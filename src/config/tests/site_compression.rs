//! `[site.compression]`, `[site.connections]` and `[site.route.rate_limit]`: what is read, and what is refused.

use super::{parse, wrong_alone};
use crate::live::{Coding, Connections};

const SITE: &str = "[[site]]\nhosts = [\"a.example\"]\nupstreams = [\"http://127.0.0.1:1\"]\n";

#[test]
fn what_is_wrong_is_said_with_what_may_stand_there() {
    for (text, mistake) in [
        (
            "[site.compression]\ntypes = [\"html\"]",
            "v.toml:5: site.compression.types: expected a media type such as \"text/html\" or \"text/*\", found \"html\"",
        ),
        (
            "[site.compression]\nalgorithms = [\"deflate\"]",
            "v.toml:5: site.compression.algorithms: expected \"zstd\", \"br\" or \"gzip\", found \"deflate\"",
        ),
        (
            "[site.compression]\nalgorithms = [\"br\", \"br\"]",
            "v.toml:5: site.compression.algorithms: \"br\" stands there twice; take one out",
        ),
        (
            "[site.connections]\nipv4_prefix = 24",
            "v.toml:4: site.connections.per_client: is needed: how many requests of each client network may be under way, such as 20",
        ),
        (
            "[[site.route]]\npath = \"/x\"\nupstreams = [\"http://127.0.0.1:1\"]\n[site.route.rate_limit]\nburst = 1",
            "v.toml:7: site.route.rate_limit.rate: is needed: how often each client network may ask, such as \"10/s\"",
        ),
    ] {
        assert_eq!(wrong_alone(&format!("{SITE}{text}\n")), mistake, "{text}");
    }
}

#[test]
fn what_is_not_said_has_its_default() {
    let rules = "[site.compression]\non = true\nalgorithms = [\"gzip\"]\ntypes = [\"Text/*\"]\n[site.connections]\nper_client = 7\n";
    let loaded = parse(&format!("{SITE}{rules}")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let policy = &loaded.config.sites[0].policy;
    let compression = policy.compression.as_ref().expect("compression");
    assert_eq!((compression.on, compression.min_size, &*compression.codings), (true, 1024, &[Coding::Gzip][..]));
    assert!(compression.takes("text/css") && !compression.takes("application/json"));
    assert_eq!(policy.connections, Some(Connections { per_client: 7, ipv4_prefix: 32, ipv6_prefix: 64 }));
}
