//! From a file and what it includes to a [`Config`], or to everything that is wrong with them.

use std::path::{Path, PathBuf};

use super::document::{Document, NO_SUCH_FILE, Syntax};
use super::include::Included;
use super::reader::{Pad, Section};
use super::remark::{Mistakes, Rejected, RejectedPart, Remark};
use super::site::{Claims, ReadSite};
use super::{Config, UnknownName, bounds, keys, sections};
use crate::live::SiteSpec;

/// A configuration that holds, with what must be said about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What to serve.
    pub config: Config,
    /// What was left out of included files, to be told loudly.
    pub rejected: Vec<Rejected>,
    /// What holds and may still not be meant.
    pub warnings: Vec<Remark>,
    /// Every file that was read and every folder that was looked into, for watching.
    pub sources: Vec<PathBuf>,
    /// The file each of `config.sites` came from, in the same order.
    pub origins: Vec<PathBuf>,
}

impl Loaded {
    /// Keeps serving what an included file defined before it broke: sites of `serving` whose file, or they themselves,
    /// were rejected now, as long as nothing else has taken their name or one of their hosts. Returns the names kept.
    pub fn keep_rejected(&mut self, serving: &Self) -> Vec<String> {
        let mut kept = Vec::new();
        for (site, origin) in serving.config.sites.iter().zip(&serving.origins) {
            let is_rejected = self.rejected.iter().any(|rejected| {
                rejected.file == *origin
                    && match &rejected.part {
                        RejectedPart::File | RejectedPart::Site(None) => true,
                        RejectedPart::Site(Some(name)) => *name == site.name,
                        RejectedPart::Other => false,
                    }
            });
            let is_taken =
                |other: &SiteSpec| other.name == site.name || other.hosts.iter().any(|host| site.hosts.contains(host));
            if is_rejected && !self.config.sites.iter().any(is_taken) {
                self.config.sites.push(site.clone());
                self.origins.push(origin.clone());
                kept.push(site.name.clone());
            }
        }
        kept
    }
}

/// Reads `path` and what it includes.
pub(super) fn load(path: &Path) -> Result<Loaded, Mistakes> {
    let document = Document::read(path).map_err(|mut remark| {
        if remark.text == NO_SUCH_FILE {
            remark.text += "; try `vitrine demo`, or begin with a copy of config/vitrine.toml";
        }
        remark
    })?;
    assemble(&document)
}

/// The same for a text that is already there.
pub(super) fn parse(path: &Path, text: String) -> Result<Loaded, Mistakes> {
    assemble(&Document::new(path, text))
}

fn assemble(main: &Document) -> Result<Loaded, Mistakes> {
    let (table, syntax) = main.parse();
    let pad = Pad::new(main);
    let (config, sites, included) = read_everything(&Section::top(&pad, &table));

    let (mut mistakes, mut warnings) = pad.finish(syntax);
    if !mistakes.is_empty() {
        mistakes.extend(sites.rejected.into_iter().flat_map(|rejected| rejected.mistakes));
        return Err(Mistakes::new(mistakes));
    }
    warnings.extend(sites.warnings);
    let sources = std::iter::once(main.file.clone()).chain(included.folders).chain(included.files).collect();
    Ok(Loaded { config, rejected: sites.rejected, warnings, sources, origins: sites.origins })
}

/// The configuration, which is worth something only if the pad of `top` is clean.
pub(super) fn read_everything(top: &Section<'_>) -> (Config, Sites, Included) {
    let mut sites = Sites::default();
    for table in top.tables("site") {
        let site_pad = Pad::new(top.pad.document);
        sites.read(&site_pad, table);
        top.pad.absorb(site_pad);
    }
    let included = Included::find(top);
    for file in &included.files {
        sites.read_file(file);
    }
    let config = settings(top, std::mem::take(&mut sites.specs), !sites.rejected.is_empty());
    (config, sites, included)
}

fn settings(top: &Section<'_>, sites: Vec<SiteSpec>, some_rejected: bool) -> Config {
    let mut listeners = Vec::new();
    let edge = sections::edge(&top.table("edge"), &mut listeners);
    let admin = sections::admin(&top.table("admin"), &mut listeners);
    sections::check_listeners(top, listeners);

    let (tls, default_line) = sections::tls(&top.table("tls"));
    if let UnknownName::Default(host) = &tls.unknown_name {
        let covered = sites.iter().flat_map(|site| &site.hosts).any(|pattern| pattern.covers(host.as_str()));
        let text = format!("expected a host of one of the sites, found \"{host}\"");
        match (covered, some_rejected) {
            (true, _) => {}
            // The site may be among those left out, and their mistakes must not stop the others.
            (false, true) => top.pad.warning(default_line, "tls.default_site", text + "; unknown names are refused"),
            (false, false) => top.pad.missing(default_line, "tls.default_site", text),
        }
    }
    if sites.is_empty() && top.pad.is_clean() {
        top.pad.warning(1, "site", "there is no site: every name is unknown and every request gets 404");
    }
    Config {
        edge,
        tls,
        limits: bounds::limits(&top.table("limits")),
        certificates: sections::certificates(&top.table("certificates")),
        admin,
        log: sections::log(&top.table("log")),
        access_log: sections::access_log(&top.table("access_log")),
        sites,
    }
}

/// The sites so far, of all files.
#[derive(Default)]
pub(super) struct Sites {
    specs: Vec<SiteSpec>,
    origins: Vec<PathBuf>,
    claims: Claims,
    rejected: Vec<Rejected>,
    warnings: Vec<Remark>,
}

impl Sites {
    /// Reads one site; what is wrong is on the pad. Returns its name when that could be read.
    fn read<'a>(&mut self, pad: &'a Pad<'a>, table: &'a toml::Spanned<toml::de::DeValue<'a>>) -> Option<String> {
        let site = ReadSite::read(pad, table);
        self.claims.add(pad, &site);
        let name = site.name();
        if let Some(spec) = site.finish(pad) {
            self.specs.push(spec);
            self.origins.push(pad.document.file.clone());
        }
        name
    }

    /// Reads an included file. A mistake in a site leaves out that site, broken syntax the file.
    fn read_file(&mut self, file: &Path) {
        let reject = |part, mistakes| Rejected { file: file.into(), part, mistakes };
        let document = match Document::read(file) {
            Ok(document) => document,
            Err(remark) => return self.rejected.push(reject(RejectedPart::File, vec![remark])),
        };
        let (table, syntax) = document.parse();
        let is_broken = !syntax.remarks.is_empty();

        let pad = Pad::new(&document);
        let top = Section::top_of_included(&pad, &table);
        for entry in top.entries().filter(|entry| entry.value != "site") {
            let text = match keys::of("").contains(&entry.value) {
                true => "belongs in the main file; an included file holds [[site]] alone",
                false => "unknown key; an included file holds [[site]] alone",
            };
            pad.mistake(entry.line, &entry.value.escape_debug().to_string(), text);
        }
        let tables = top.tables("site");
        // The rest of a broken file is read to tell everything at once, and claims nothing.
        let mut nowhere = Self::default();
        for table in tables {
            let site_pad = Pad::new(&document);
            if is_broken {
                nowhere.read(&site_pad, table);
                pad.absorb(site_pad);
                continue;
            }
            let name = self.read(&site_pad, table);
            let (wrong, warnings) = site_pad.finish(Syntax::sound());
            self.warnings.extend(warnings);
            if !wrong.is_empty() {
                self.rejected.push(reject(RejectedPart::Site(name), wrong));
            }
        }
        let (wrong, warnings) = pad.finish(syntax);
        self.warnings.extend(warnings);
        if !wrong.is_empty() {
            let part = if is_broken { RejectedPart::File } else { RejectedPart::Other };
            self.rejected.push(reject(part, wrong));
        }
    }
}
