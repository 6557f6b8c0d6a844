//! What pages consist of beside themselves: embedded, and named by their content, so that browsers keep them for good.

use std::sync::LazyLock;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use crate::admin::problem::{Answer, Problem, asset};
use crate::store::Revision;

/// Where pages find them.
pub(in crate::admin) struct Assets {
    /// The stylesheet.
    pub(in crate::admin) style: String,
    /// The script, without which everything works too.
    pub(in crate::admin) script: String,
    /// The picture for the tab.
    pub(in crate::admin) icon: String,
}

/// The one set there is.
pub(in crate::admin) static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let [style, script, icon] = FILES.map(|file| file.path());
    Assets { style, script, icon }
});

/// Something embedded.
struct File {
    name: &'static str,
    extension: &'static str,
    media_type: &'static str,
    content: &'static str,
}

const FILES: [File; 3] = [
    File {
        name: "panel",
        extension: "css",
        media_type: "text/css; charset=utf-8",
        content: include_str!("assets/panel.css"),
    },
    File {
        name: "panel",
        extension: "js",
        media_type: "text/javascript; charset=utf-8",
        content: include_str!("assets/panel.js"),
    },
    File { name: "icon", extension: "svg", media_type: "image/svg+xml", content: include_str!("assets/icon.svg") },
];

impl File {
    fn tag(&self) -> String {
        Revision::of(self.content.as_bytes()).to_string()
    }

    fn path(&self) -> String {
        format!("{BELOW}{}.{}.{}", self.name, &self.tag()[..SHORT], self.extension)
    }
}

/// Answers for what lies below `/assets/`; `None`: something else is asked for.
pub(super) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Option<Result<Answer, Problem>> {
    path.strip_prefix(BELOW)?;
    let Some(file) = FILES.iter().find(|file| file.path() == path) else { return Some(Err(Problem::unknown(path))) };
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Some(Err(Problem::method("GET, HEAD")));
    }
    let tag = format!("\"{}\"", file.tag());
    let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag))
    });
    let (status, content) = if is_known { (StatusCode::NOT_MODIFIED, "") } else { (StatusCode::OK, file.content) };
    let mut answer = asset(status, file.media_type, content);
    let fields = answer.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(FOR_GOOD));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        fields.insert(header::ETAG, tag);
    }
    Some(Ok(answer))
}

const BELOW: &str = "/assets/";
/// Digits of the tag in a name: as many as tell one version from all others.
const SHORT: usize = 16;
/// A name that says what it holds holds it for ever.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, known: Option<&str>) -> (u16, String) {
        let mut headers = HeaderMap::new();
        if let Some(known) = known {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(known).expect("a field"));
        }
        let answer = answer(&Method::GET, path, &headers).expect("below /assets/").unwrap_or_else(Answer::from);
        let tag = answer.headers().get(header::ETAG).map(|tag| tag.to_str().expect("text").to_owned());
        (answer.status().as_u16(), tag.unwrap_or_default())
    }

    #[test]
    fn what_is_embedded_is_kept_for_good_under_the_name_of_its_content() {
        for path in [&ASSETS.style, &ASSETS.script, &ASSETS.icon] {
            let (status, tag) = asked(path, None);
            assert_eq!((status, tag.len()), (200, 66), "{path}");
            assert_eq!(asked(path, Some(&tag)).0, 304, "{path}");
            assert_eq!(asked(path, Some("\"another\"")).0, 200, "{path}");
        }
        assert_eq!(asked("/assets/panel.css", None).0, 404);
        assert!(answer(&Method::GET, "/sites", &HeaderMap::new()).is_none());
    }
}
