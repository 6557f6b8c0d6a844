//! Every page of the panel that a link leads to, as somebody sees them who has no script.

use std::collections::BTreeMap;

use super::browser::Browser;
use super::edge::Edge;
use super::message::Response;
use super::talk::Talk;

/// What was seen at each address, in the order of these.
pub(crate) struct Walk(pub(crate) BTreeMap<String, Response>);

impl Walk {
    /// Follows all links from a page on, whatever they lead to.
    pub(crate) fn from(place: &str, mut open: impl FnMut(&str) -> Response) -> Self {
        let (mut seen, mut next) = (BTreeMap::new(), vec![place.to_owned()]);
        while let Some(place) = next.pop() {
            if seen.contains_key(&place) {
                continue;
            }
            assert!(seen.len() < 300, "there is no end of links: {place}");
            let page = open(&place);
            next.extend(links(&page.text()));
            seen.insert(place, page);
        }
        Self(seen)
    }

    /// What whoever has come through the socket sees, in a language.
    pub(crate) fn in_language(edge: &Edge, language: &str) -> Self {
        Self::from("/sites", |place| page_in(edge, language, place))
    }

    /// What somebody sees who has signed in.
    pub(crate) fn of(browser: &mut Browser) -> Self {
        Self::from("/sites", |place| browser.open(place))
    }
}

/// A page as whoever has come through the socket sees it, in a language.
pub(crate) fn page_in(edge: &Edge, language: &str, place: &str) -> Response {
    let fields = format!("host: localhost\r\naccept: text/html\r\naccept-language: {language}\r\n");
    let mut talk = Talk::unix(&edge.setup.state().join("admin.sock")).expect("admin.sock");
    talk.ask(format!("GET {place} HTTP/1.1\r\n{fields}content-length: 0\r\n\r\n"))
}

/// Where the links of a page lead.
fn links(page: &str) -> Vec<String> {
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let own = links.filter(|link| link.starts_with('/') && !link.starts_with("/assets/"));
    own.map(|link| link.replace("&amp;", "&").replace("&#38;", "&")).collect()
}
