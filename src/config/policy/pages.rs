//! `site.error_pages` and `[site.maintenance]`: what visitors see while the shop cannot answer.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::config::document::read_regular;
use crate::config::place;
use crate::config::reader::Section;
use crate::config::value;
use crate::live::{Access, ErrorPages, Maintenance, RETRY_AFTER};

/// `site.error_pages`
pub(super) fn read(site: &Section<'_>) -> Option<ErrorPages> {
    let folder = site.value("error_pages", value::path)?;
    let (mut by_status, mut maintenance) = (Vec::new(), None);
    let wrong = |text: String| site.pad.mistake(folder.line, "site.error_pages", text);
    let entries = match fs::read_dir(&folder.value) {
        Ok(entries) => entries,
        Err(error) => {
            wrong(format!("{}: cannot be read as a folder: {error}", folder.value.display()));
            return None;
        }
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    for name in names {
        let status =
            name.strip_suffix(".html").and_then(|stem| stem.parse().ok()).filter(|code| STATUSES.contains(code));
        if status.is_none() && name != MAINTENANCE {
            continue;
        }
        match page(&folder.value.join(&name)) {
            Ok(page) => match status {
                Some(status) => by_status.push((status, page)),
                None => maintenance = Some(page),
            },
            Err(why) => wrong(format!("{}: {why}", folder.value.join(&name).display())),
        }
    }
    if by_status.is_empty() && maintenance.is_none() {
        let text = format!("{}: holds no page; name them after their status, such as 404.html", folder.value.display());
        site.pad.warning(folder.line, "site.error_pages", text);
    }
    by_status.sort_unstable_by_key(|(status, _)| *status);
    Some(ErrorPages { folder: folder.value, by_status: by_status.into(), maintenance })
}

/// `[site.maintenance]`
pub(super) fn maintenance(site: &Section<'_>) -> Option<Maintenance> {
    let section = site.table_of("maintenance", "site.maintenance");
    let on = section.value_or("on", value::switch, false);
    let retry_after = section.bounded("retry_after", value::duration, RETRY_AFTER, SOONEST..=LATEST).value;
    let allow = section.list("allow", place::network).map(|list| list.value).unwrap_or_default();
    let allow: Vec<_> = allow.into_iter().map(|network| network.value).collect();
    let allow = (!allow.is_empty()).then(|| Access::new(&allow, &[]));
    section.is_there().then_some(Maintenance { on, retry_after, allow })
}

fn page(file: &Path) -> Result<Bytes, String> {
    let content = read_regular(file)?;
    match content.len() {
        0 => Err("expected a page, found an empty file".into()),
        length if length > LARGEST => Err(format!("expected at most 256 KiB, found {length} octets")),
        _ => Ok(content.into()),
    }
}

const MAINTENANCE: &str = "maintenance.html";
const STATUSES: std::ops::RangeInclusive<u16> = 400..=599;
/// Each is held in memory, for every site that has it.
const LARGEST: usize = 256 * 1024;
/// Long enough that crawlers do not come each minute.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(30 * 86_400);
