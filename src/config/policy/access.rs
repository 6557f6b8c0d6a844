//! `allow` and `deny`, of a site and of a route.

use ipnet::IpNet;

use crate::config::place;
use crate::config::reader::Section;
use crate::live::Access;

/// What `section` says; `None`: nothing.
pub(super) fn read(section: &Section<'_>) -> Option<Access> {
    let networks = |key| -> Vec<IpNet> {
        let list = section.list(key, place::network).map(|list| list.value).unwrap_or_default();
        list.into_iter().map(|network| network.value).collect()
    };
    let (allow, deny) = (networks("allow"), networks("deny"));
    (section.has("allow") || section.has("deny")).then(|| Access::new(&allow, &deny))
}
