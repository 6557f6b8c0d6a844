//! The sites of all files, and who has a host that two of them want.
//!
//! The main file comes first. Among included files, what serves goes before what is new: whoever adds or spoils a file can
//! take nothing from a site that serves. A site that loses, or whose file tells nothing, stays as it was.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::claims::Claims;
use super::document::{Document, Syntax};
use super::include::{Included, Silent};
use super::keys;
use super::load::Loaded;
use super::reader::{Pad, Section};
use super::remark::{Rejected, RejectedPart, Remark};
use super::site::{Ground, ReadSite};
use crate::live::SiteSpec;

/// The sites of all files, and what is said about them.
#[derive(Default)]
pub(super) struct Sites {
    pub(super) specs: Vec<SiteSpec>,
    pub(super) origins: Vec<PathBuf>,
    pub(super) kept: Vec<String>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) warnings: Vec<Remark>,
}

/// The sites of the main file; what is wrong with them is on its pad.
#[derive(Default)]
pub(super) struct MainSites {
    ground: Ground,
    specs: Vec<SiteSpec>,
    claims: Claims,
}

impl MainSites {
    /// None yet.
    pub(super) fn with(ground: Ground) -> Self {
        Self { ground, ..Self::default() }
    }

    /// Reads one site.
    pub(super) fn read<'a>(&mut self, pad: &Pad<'a>, table: &'a Spanned<DeValue<'a>>) {
        let site_pad = Pad::new(pad.document);
        let mut site = ReadSite::read(&site_pad, table);
        site.agree(&site_pad, &self.ground, &self.specs);
        let file = &pad.document.file;
        for Remark { line, key, text, .. } in self.claims.conflicts(file, &site, false) {
            site_pad.mistake(line.unwrap_or(1), &key, text);
        }
        if site_pad.is_clean() {
            self.claims.take(file, &site);
            self.specs.extend(site.finish(&self.ground.orders));
        }
        pad.absorb(site_pad);
    }

    /// Adds what is included, beside what serves now.
    pub(super) fn with_included(self, pad: &Pad<'_>, included: &Included, serving: Option<&Loaded>) -> Sites {
        let main = &pad.document.file;
        let incumbents = serving.map(|serving| Incumbents::of(serving, main)).unwrap_or_default();
        let mut reading = Reading { main: &self, candidates: Vec::new(), rejected: Vec::new(), warnings: Vec::new() };
        for silent in &included.silent {
            reading.hear(silent, pad, incumbents.of_pattern(silent).next().is_some());
        }
        for file in &included.files {
            reading.read_file(file, Document::read(file).as_ref(), incumbents.of_file(file).next().is_some());
        }
        for (file, document) in &included.recorded {
            reading.read_file(file, document.as_ref(), incumbents.of_file(file).next().is_some());
        }
        let Reading { candidates, rejected, warnings, .. } = reading;

        let mut contest = Contest { main: self.claims, candidates, kept: BTreeSet::new(), incumbents };
        contest.keep_what_was_rejected(&rejected, &included.silent);
        let wrong = contest.settle();

        let origins = vec![main.clone(); self.specs.len()];
        let mut sites = Sites { specs: self.specs, origins, kept: Vec::new(), rejected, warnings };
        for (candidate, mistakes) in contest.candidates.into_iter().zip(wrong) {
            let Candidate { file, site, .. } = candidate;
            if mistakes.is_empty() {
                sites.specs.extend(site.finish(&self.ground.orders));
                sites.origins.push(file);
            } else {
                sites.rejected.push(Rejected { file, part: RejectedPart::Site(site.name()), mistakes });
            }
        }
        sites.rejected.sort_by(|one, other| one.file.cmp(&other.file));
        for Incumbent { file, spec } in contest.kept.into_iter().map(|kept| &contest.incumbents.sites[kept]) {
            sites.kept.push(spec.name.clone());
            sites.specs.push((*spec).clone());
            sites.origins.push(file.to_path_buf());
        }
        sites
    }
}

/// The sites of included files that serve now.
#[derive(Default)]
struct Incumbents<'a> {
    sites: Vec<Incumbent<'a>>,
    /// The place of each, by file and name.
    by_file: HashMap<&'a Path, HashMap<&'a str, usize>>,
}

struct Incumbent<'a> {
    file: &'a Path,
    spec: &'a SiteSpec,
}

impl<'a> Incumbents<'a> {
    fn of(serving: &'a Loaded, main: &Path) -> Self {
        let mut incumbents = Self::default();
        for (file, spec) in serving.origins.iter().zip(&serving.config.sites).filter(|(file, _)| *file != main) {
            incumbents.by_file.entry(file).or_default().insert(&spec.name, incumbents.sites.len());
            incumbents.sites.push(Incumbent { file, spec });
        }
        incumbents
    }

    fn of_file(&self, file: &Path) -> impl Iterator<Item = usize> {
        self.by_file.get(file).into_iter().flat_map(HashMap::values).copied()
    }

    fn of_pattern(&self, pattern: &Silent) -> impl Iterator<Item = usize> {
        let files = self.by_file.iter().filter(move |(file, _)| pattern.would_include(file));
        files.flat_map(|(_, sites)| sites.values()).copied()
    }

    /// What the candidate was before: the site of its name in its file.
    fn before(&self, candidate: &Candidate) -> Option<usize> {
        let name = &candidate.site.name.as_ref()?.value;
        self.by_file.get(&*candidate.file)?.get(name.as_str()).copied()
    }
}

/// A site of an included file as it is written now.
struct Candidate {
    file: PathBuf,
    site: ReadSite,
    /// What is wrong with it whatever the others say, or why it lost.
    mistakes: Vec<Remark>,
    has_lost: bool,
}

/// What the included files say, each by itself.
struct Reading<'s> {
    main: &'s MainSites,
    candidates: Vec<Candidate>,
    rejected: Vec<Rejected>,
    warnings: Vec<Remark>,
}

impl Reading<'_> {
    fn reject(&mut self, file: &Path, part: RejectedPart, mistakes: Vec<Remark>) {
        self.rejected.push(Rejected { file: file.into(), part, mistakes });
    }

    /// Notes a pattern that nothing comes from. An unmounted volume reads as an empty folder, or as none: neither is a word that
    /// its sites may go.
    fn hear(&mut self, silent: &Silent, pad: &Pad<'_>, serves: bool) {
        let Silent { line, why, .. } = silent;
        let (file, part, stay) = match (serves, silent.is_empty) {
            (false, _) => return pad.warning(*line, "include", format!("{why}; no site comes from it")),
            (true, true) => (silent.path(), RejectedPart::Pattern, PATTERN_STAYS),
            (true, false) => (silent.folder.clone(), RejectedPart::Folder, FOLDER_STAYS),
        };
        let (main, text) = (pad.document.file.clone(), format!("{why}{stay}"));
        self.reject(&file, part, vec![Remark { file: main, line: Some(*line), key: "include".into(), text }]);
    }

    /// Reads one file. A mistake in a site leaves out that site, broken syntax the file.
    fn read_file(&mut self, file: &Path, document: Result<&Document, &Remark>, serves: bool) {
        let document = match document {
            Ok(document) => document,
            Err(remark) => return self.reject(file, RejectedPart::File, vec![remark.clone()]),
        };
        let (table, syntax) = document.parse();
        let is_broken = !syntax.remarks.is_empty();
        if table.is_empty() && !is_broken {
            return self.find_empty(document, serves);
        }
        let pad = Pad::new(document);
        let top = Section::top_of_included(&pad, &table);
        for entry in top.entries().filter(|entry| entry.value != "site") {
            pad.mistake(entry.line, &entry.value.escape_debug().to_string(), keys::why_not_included(entry.value));
        }
        for table in top.tables("site") {
            let site_pad = Pad::new(document);
            let mut site = ReadSite::read(&site_pad, table);
            site.agree(&site_pad, &self.main.ground, &self.main.specs);
            // The rest of a broken file is read to tell everything at once.
            if is_broken {
                pad.absorb(site_pad);
                continue;
            }
            let (mistakes, warnings) = site_pad.finish(Syntax::sound());
            self.warnings.extend(warnings);
            self.candidates.push(Candidate { file: file.into(), site, mistakes, has_lost: false });
        }
        let (wrong, warnings) = pad.finish(syntax);
        self.warnings.extend(warnings);
        if !wrong.is_empty() {
            let part = if is_broken { RejectedPart::File } else { RejectedPart::Other };
            self.reject(file, part, wrong);
        }
    }

    /// A disk that is full, and whoever truncates before writing, leave an empty file: it is no word that its sites may go. A
    /// file that never had one and says why is meant so.
    fn find_empty(&mut self, document: &Document, serves: bool) {
        let file = &document.file;
        let remark = |text: &str| Remark { file: file.clone(), line: None, key: String::new(), text: text.into() };
        if serves {
            let text = "expected [[site]], found nothing; its sites stay as they were, delete the file to remove them";
            self.reject(file, RejectedPart::File, vec![remark(text)]);
        } else if document.is_blank() {
            self.warnings.push(remark("expected [[site]], found nothing; no site comes from it"));
        }
    }
}

/// Who of the included sites has what.
struct Contest<'a> {
    main: Claims,
    candidates: Vec<Candidate>,
    incumbents: Incumbents<'a>,
    /// The incumbents that stay as they were.
    kept: BTreeSet<usize>,
}

impl Contest<'_> {
    /// Keeps the incumbents of which nothing sound is said now.
    fn keep_what_was_rejected(&mut self, rejected: &[Rejected], silent: &[Silent]) {
        let Self { main, candidates, incumbents, kept } = self;
        let mut unsound: Vec<usize> = silent.iter().flat_map(|silent| incumbents.of_pattern(silent)).collect();
        for Rejected { file, part, .. } in rejected {
            if *part == RejectedPart::File {
                unsound.extend(incumbents.of_file(file));
            }
        }
        let named: BTreeSet<usize> = candidates.iter().filter_map(|candidate| incumbents.before(candidate)).collect();
        for candidate in candidates.iter().filter(|candidate| !candidate.mistakes.is_empty()) {
            match candidate.site.name() {
                Some(_) => unsound.extend(incumbents.before(candidate)),
                // It may be any of those that nothing else in the file speaks of.
                None => unsound.extend(incumbents.of_file(&candidate.file).filter(|index| !named.contains(index))),
            }
        }
        kept.extend(unsound.into_iter().filter(|index| main.leave_free(incumbents.sites[*index].spec)));
    }

    /// What is wrong with each candidate; those with nothing are in.
    fn settle(&mut self) -> Vec<Vec<Remark>> {
        let Self { main, candidates, incumbents, kept } = self;
        loop {
            let mut claims = main.clone();
            for Incumbent { file, spec } in kept.iter().map(|index| &incumbents.sites[*index]) {
                claims.keep(file, spec);
            }
            for candidate in candidates.iter().filter(|candidate| candidate.mistakes.is_empty()) {
                if let Some(index) = incumbents.before(candidate).filter(|index| !kept.contains(index)) {
                    claims.reserve(&candidate.file, &candidate.site, incumbents.sites[index].spec);
                }
            }
            let mut some_stay = false;
            let mut wrong = Vec::with_capacity(candidates.len());
            for candidate in candidates.iter_mut() {
                let is_sound = candidate.mistakes.is_empty();
                let mut conflicts = match candidate.has_lost {
                    true => Vec::new(),
                    false => claims.conflicts(&candidate.file, &candidate.site, !is_sound),
                };
                if is_sound && conflicts.is_empty() {
                    claims.take(&candidate.file, &candidate.site);
                } else if is_sound
                    && let Some(index) = incumbents.before(candidate)
                    && main.leave_free(incumbents.sites[index].spec)
                    && kept.insert(index)
                {
                    // What it was has claims of its own, so everybody is asked again.
                    some_stay = true;
                    candidate.has_lost = true;
                    candidate.mistakes.append(&mut conflicts);
                }
                let mut mistakes = candidate.mistakes.clone();
                mistakes.extend(conflicts);
                mistakes.sort_by_key(|mistake| mistake.line);
                wrong.push(mistakes);
            }
            if !some_stay {
                return wrong;
            }
        }
    }
}

const FOLDER_STAYS: &str = "; its sites stay as they were, take the pattern out to remove them";
const PATTERN_STAYS: &str = " any more, which is taken for an accident; its sites stay as they were, take the pattern out to \
                             remove them, or put a file there";
