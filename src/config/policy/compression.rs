//! `[site.compression]`

use toml::de::DeValue;

use crate::config::reader::Section;
use crate::config::value::{self, Size, expected};
use crate::live::{Coding, Compression};

/// What is said; `None`: nothing.
pub(super) fn read(site: &Section<'_>) -> Option<Compression> {
    let section = site.table_of("compression", "site.compression");
    let on = section.value_or("on", value::switch, false);
    let types = section.list("types", media_type).map(|list| list.value);
    let size = |value: &DeValue<'_>| value::size(value).map(Size);
    let min_size = section.bounded("min_size", size, Size(MIN_SIZE), Size(0)..=Size(1 << 30)).value.0;
    let codings = section.filled_list("algorithms", coding).map(|list| list.value);
    if let Some(codings) = &codings {
        for (index, coding) in codings.iter().enumerate() {
            if codings[..index].iter().any(|earlier| earlier.value == coding.value) {
                let text = format!("{:?} stands there twice; take one out", coding.value.token());
                section.pad.mistake(coding.line, "site.compression.algorithms", text);
            }
        }
    }
    section.is_there().then(|| Compression {
        on,
        types: types
            .map_or_else(|| TYPES.map(Into::into).into(), |types| types.into_iter().map(|kind| kind.value).collect()),
        min_size,
        codings: codings
            .map_or_else(|| CODINGS.into(), |codings| codings.into_iter().map(|coding| coding.value).collect()),
    })
}

/// `"text/html"` or `"text/*"`.
fn media_type(value: &DeValue<'_>) -> Result<Box<str>, String> {
    let what = "a media type such as \"text/html\" or \"text/*\"";
    let text = value.as_str().ok_or_else(|| expected(what, value))?;
    let sound = |part: &str| {
        !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&octet))
    };
    match text.split_once('/') {
        Some((kind, below)) if sound(kind) && (below == "*" || sound(below)) => Ok(text.to_ascii_lowercase().into()),
        _ => Err(expected(what, value)),
    }
}

fn coding(value: &DeValue<'_>) -> Result<Coding, String> {
    let found = CODINGS.into_iter().find(|coding| value.as_str() == Some(coding.token()));
    found.ok_or_else(|| expected("\"zstd\", \"br\" or \"gzip\"", value))
}

/// From the one that costs least for what it saves.
const CODINGS: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];
/// What has less fits into a packet with its head.
const MIN_SIZE: u64 = 1024;
/// Texts. Pictures, films and fonts are compressed by their makers.
const TYPES: [&str; 17] = [
    "text/html",
    "text/css",
    "text/plain",
    "text/javascript",
    "text/xml",
    "text/csv",
    "text/markdown",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/problem+json",
    "application/xml",
    "application/rss+xml",
    "application/atom+xml",
    "application/xhtml+xml",
    "image/svg+xml",
];
