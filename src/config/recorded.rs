//! Sites that came through the API: `sites/<site>.json` in the state folder, each `{"site": {…the keys of [[site]]…}}`.
//!
//! They are read as included files are, by the same code and under the same rules: what stands in the configuration's own file
//! goes before them, and what serves before what is new.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::document::Document;
use super::reader::{Pad, Section};
use super::remark::Remark;
use super::site::ReadSite;
use super::upstream_tls::TermsJudge;

/// What is about to be changed in the folder of recorded sites, for a look at what would come of it, and what is looked at besides.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The state folder that is in use; without it, the one that is written in the configuration now.
    pub state: Option<PathBuf>,
    /// The content of each file that is about to be written; `None` when it is about to be deleted.
    pub files: BTreeMap<String, Option<String>>,
    /// Who looks into the files by which upstreams over TLS are known; without it, they are only read.
    pub judge: Option<TermsJudge>,
}

/// A site that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSite {
    /// Its name.
    pub name: String,
}

impl NewSite {
    /// Looks at what a site says of itself, whoever else there is.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its key.
    pub fn read(site: &Value) -> Result<Self, Vec<String>> {
        let words = |remark: Remark| format!("{}: {}", remark.key, remark.text);
        let document = document(Path::new("site"), &serde_json::json!({ "site": site })).map_err(|text| vec![text])?;
        let Some(document) = document else { return Err(vec!["site: expected an object".into()]) };
        let (table, syntax) = document.parse();
        let pad = Pad::new(&document);
        let top = Section::top_of_included(&pad, &table);
        let name = top.tables("site").first().and_then(|table| ReadSite::read(&pad, table).name());
        let (mistakes, _) = pad.finish(syntax);
        match name {
            Some(name) if mistakes.is_empty() => Ok(Self { name }),
            _ => Err(mistakes.into_iter().map(words).collect()),
        }
    }
}

/// Where a site of this name is recorded, below the state folder.
#[must_use]
pub fn file_of(site: &str) -> String {
    format!("{site}.json")
}

/// The recorded sites of a state folder, each as a document or as what is wrong with it.
pub(super) fn find(state: &Path, draft: &Draft) -> BTreeMap<PathBuf, Result<Document, Remark>> {
    let folder = state.join("sites");
    let mut found = BTreeMap::new();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => {
            let text = format!("the folder cannot be read: {error}");
            found.insert(folder.clone(), Err(remark(&folder, text)));
            BTreeSet::new()
        }
    };
    let names: BTreeSet<String> = entries.into_iter().chain(draft.files.keys().cloned()).collect();
    for name in names.into_iter().filter(|name| name.ends_with(".json") && !name.starts_with('.')) {
        let file = folder.join(&name);
        let content = match draft.files.get(&name) {
            Some(Some(content)) => Ok(content.clone().into_bytes()),
            Some(None) => continue,
            None => super::document::read_regular(&file),
        };
        let broken = |_| "expected {\"site\": {…}}, found something else; restore it from a backup".to_owned();
        let read = content.and_then(|content| serde_json::from_slice(&content).map_err(broken));
        match read.and_then(|content: Value| document(&file, &content)) {
            Ok(None) => {}
            Ok(Some(document)) => drop(found.insert(file, Ok(document))),
            Err(text) => drop(found.insert(file.clone(), Err(remark(&file, text)))),
        }
    }
    found
}

/// A record as the configuration file would have it, on one line as in the file; `None` when it is about no site of its own.
fn document(file: &Path, record: &Value) -> Result<Option<Document>, String> {
    let Some(site) = record.get("site") else { return Ok(None) };
    let mut text = "site = [".to_owned();
    write(&mut text, site)?;
    text.push_str("]\n");
    Ok(Some(Document::new(file, text)))
}

/// JSON as TOML.
fn write(text: &mut String, value: &Value) -> Result<(), String> {
    match value {
        Value::Null => return Err("null is no value here; leave the key out".into()),
        Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
        Value::String(string) => write_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(text, item)?;
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (at, (key, value)) in members.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_string(text, key);
                text.push('=');
                write(text, value)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

/// TOML's strings are JSON's, but for DEL.
fn write_string(text: &mut String, string: &str) {
    text.push_str(&Value::from(string).to_string().replace('\u{7f}', "\\u007f"));
}

fn remark(file: &Path, text: String) -> Remark {
    Remark { file: file.into(), line: None, key: String::new(), text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_site_is_judged_as_if_it_stood_in_the_configuration() {
        let good = json!({ "hosts": ["Shop.example", "*.shop.example"], "upstreams": ["http://127.0.0.1:1"] });
        assert_eq!(NewSite::read(&good), Ok(NewSite { name: "shop.example".into() }));
        let named = json!({ "name": "shop", "hosts": ["a.example"], "route": [
            { "path": "/api", "upstreams": ["http://127.0.0.1:1"] }
        ]});
        assert_eq!(NewSite::read(&named), Ok(NewSite { name: "shop".into() }));
        for (site, expected) in [
            (json!({}), "site.hosts: is needed"),
            (json!({ "hosts": ["a.example"] }), "site.upstreams: is needed"),
            (json!({ "hosts": "a.example", "upstreams": ["http://127.0.0.1:1"] }), "site.hosts: expected"),
            (json!({ "hosts": ["a..b"], "upstreams": ["http://127.0.0.1:1"] }), "site.hosts: \"a..b\" is not"),
            (json!({ "hosts": ["a.example"], "upstreams": ["ftp://x"] }), "site.upstreams: expected"),
            (json!({ "hosts": ["a.example"], "upstreams": ["http://127.0.0.1:1"], "hsot": 1 }), "site.hsot: "),
            (json!({ "hosts": [null] }), "null is no value here"),
            (json!([]), "site: expected a table"),
            (json!(7), "site: expected a table"),
            (json!("\u{7f}\"\\\n\u{1}"), "site: expected a table"),
            (json!({ "\u{7f}\"\\\n\u{1}": {} }), "site."),
        ] {
            let mistakes = NewSite::read(&site).expect_err("a mistake");
            assert!(mistakes.iter().any(|mistake| mistake.starts_with(expected)), "{site}: {mistakes:?}");
        }
    }
}
