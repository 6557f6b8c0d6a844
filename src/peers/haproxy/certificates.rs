//! `crt`, `crt-list`, `crt-store`, `acme`: where certificates lie, and who has them issued.

use std::path::{Path, PathBuf};

use super::Reading;
use super::lines::{self, Line, Section};
use crate::live::OrderedKey;
use crate::name::HostPattern;
use crate::peers::certbot::Lineage;
use crate::peers::challenges::some_of;
use crate::peers::files::Unfit;
use crate::peers::issuers::LETS_ENCRYPT;
use crate::peers::plan::{Account, AccountKey, Place};

/// A certificate as `bind` finds it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    pub(super) files: Vec<PathBuf>,
    /// Its names, as far as the configuration says them.
    pub(super) names: Vec<String>,
    /// Whether an `acme` section has it issued.
    pub(super) is_managed: bool,
}

/// What a listener has to show.
#[derive(Default)]
pub(super) struct Shown {
    /// Each name, and whether its certificate is issued by ACME.
    pub(super) names: Vec<(HostPattern, bool)>,
}

impl Reading<'_> {
    /// `acme NAME`: an authority, and the account there (HAProxy 3.2).
    pub(super) fn acme(&mut self, section: &Section) {
        let value = |key: &str| section.lines.iter().find(|line| line.word(0) == key);
        let directory = value("directory").map_or(LETS_ENCRYPT, |line| line.word(1)).to_owned();
        self.plan.add_authority(&directory, None);
        self.plan.terms_agreed = true;
        let contact: Vec<String> = value("contact").iter().map(|line| line.word(1).to_owned()).collect();
        contact.iter().for_each(|mail| self.plan.add_contact(mail));
        let named = value("account-key").or_else(|| value("account"));
        let default = format!("{}.account.key", section.name());
        let file = self.folder.join(named.map_or(default.as_str(), |line| line.word(1)));
        let place = named.map_or(&section.head.place, |line| &line.place).clone();
        for line in &section.lines {
            match (line.word(0), line.word(1)) {
                ("directory" | "contact" | "account-key" | "account" | "map", _) => {}
                ("challenge", word) if word.eq_ignore_ascii_case("http-01") => {}
                ("challenge", word) => {
                    let text = format!("names are shown by {word}, and how is not carried over");
                    self.plan.note(
                        &line.place,
                        text,
                        "say in [[acme.dns]] how records are written, or let each name lead to this edge",
                    );
                }
                ("keytype", _) => {}
                ("bits", "2048") | ("curves", "P-256") | ("reuse-key", "off") => {}
                ("bits", bits) => self.plan.note_key(&line.place, &format!("RSA of {bits} bits"), OrderedKey::Rsa),
                ("curves", curve) => self.plan.note_key(&line.place, &format!("ECDSA on {curve}"), OrderedKey::Ecdsa),
                ("reuse-key", _) => self.plan.set("acme", "reuse_key", "true"),
                ("profile", profile) => self.plan.ask_profile(&directory, profile, &line.place),
                _ => self.unknown(line),
            }
        }
        if self.plan.accounts.iter().any(|known| known.directory == directory) {
            self.plan.left_out(
                &place,
                format!("this is a second account at {directory}, and an authority has one here"),
                "",
            );
        } else if self.files.is_file(&file) {
            let contact = contact.iter().map(|mail| format!("mailto:{mail}")).collect();
            self.plan.accounts.push(Account { directory, url: None, key: AccountKey::Pem(file), contact, place });
        } else {
            let text = format!("the account's key is not at {}", file.display());
            self.plan.left_out(&place, text, "Vitrine opens a new account with its first order");
        }
    }

    /// `keytype` of all `acme` sections: ECDSA where one says nothing.
    pub(super) fn key_types(&mut self, sections: &[Section]) {
        let acme = sections.iter().filter(|section| section.kind() == "acme");
        let is_rsa = |line: &&Line| line.word(0) == "keytype" && line.word(1).eq_ignore_ascii_case("rsa");
        let said: Vec<Option<&Line>> = acme.map(|section| section.lines.iter().find(is_rsa)).collect();
        let Some(first) = said.iter().flatten().next() else { return };
        if said.iter().all(Option::is_some) {
            self.plan.set("acme", "key_types", "[\"rsa\"]");
        } else {
            let text = "some certificates have RSA keys and some ECDSA, and which site's is not carried over: ECDSA holds for all";
            self.plan.left_out(
                &first.place,
                text,
                "say site.key_types = [\"rsa\"], or both types, where clients need RSA",
            );
        }
    }

    /// `crt-store`: certificates under names of their own (HAProxy 3.0).
    pub(super) fn store(&mut self, section: &Section, all: &[Section]) {
        let base = |key: &str, default: &Path| {
            let line = section.lines.iter().find(|line| line.word(0) == key);
            line.map_or_else(|| default.to_owned(), |line| line.word(1).into())
        };
        let (crt_base, key_base) = (base("crt-base", &self.crt_base.clone()), base("key-base", &self.key_base.clone()));
        for line in &section.lines {
            match line.word(0) {
                "crt-base" | "key-base" => {}
                "load" => {
                    let Some(crt) = line.after("crt") else { continue };
                    let key = line.after("key").map(|key| key_base.join(key));
                    let files = std::iter::once(crt_base.join(crt)).chain(key).collect();
                    let is_managed = line
                        .after("acme")
                        .is_some_and(|acme| all.iter().any(|one| one.kind() == "acme" && one.name() == acme));
                    let names = line.after("domains").unwrap_or_default();
                    let names =
                        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
                    let short = line.after("alias").unwrap_or(crt);
                    let stored = Stored { files, names, is_managed };
                    if section.name().is_empty() {
                        self.stored.insert(crt_base.join(crt).display().to_string(), stored.clone());
                        self.stored.insert(short.to_owned(), stored.clone());
                    }
                    self.stored.insert(format!("@{}/{short}", section.name()), stored);
                }
                _ => self.unknown(line),
            }
        }
    }

    /// `crt PATH` and `crt-list PATH` of a `bind` line.
    pub(super) fn shown(&mut self, bind: &Line) -> Shown {
        let mut shown = Shown::default();
        for pair in bind.words.windows(2) {
            match pair[0].as_str() {
                "crt" => self.show(&pair[1], &bind.place, &mut shown),
                "crt-list" => self.show_list(&pair[1], &bind.place, &mut shown),
                _ => {}
            }
        }
        shown
    }

    /// `ssl-f-use crt PATH…`, which a frontend may have for all of its listeners.
    pub(super) fn use_certificate(&mut self, line: &Line, shown: &mut Shown) {
        let Some(crt) = line.after("crt") else { return };
        let is_managed = line.after("acme").is_some();
        if !is_managed {
            return self.show(crt, &line.place, shown);
        }
        let names = line.after("domains").unwrap_or_default();
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let files = self.with_key(&self.crt_base.join(crt));
        self.add(&Stored { files, names, is_managed }, &line.place, shown);
    }

    fn show(&mut self, text: &str, place: &Place, shown: &mut Shown) {
        let path = self.crt_base.join(text);
        let found = self.stored.get(text).or_else(|| self.stored.get(&path.display().to_string()));
        if let Some(stored) = found.cloned() {
            return self.add(&stored, place, shown);
        }
        if text.starts_with('@') {
            let said = format!("{text:?} is in no crt-store");
            return self.plan.left_out(place, said, "put the certificate into the drop folder");
        }
        if self.files.is_folder(&path) {
            let all = self.files.list(&path);
            let beside = |file: &&PathBuf| !SIBLINGS.iter().any(|end| file.to_string_lossy().ends_with(end));
            for file in all.iter().filter(beside) {
                self.add(&Stored { files: self.with_key(file), ..Stored::default() }, place, shown);
            }
            return;
        }
        self.add(&Stored { files: self.with_key(&path), ..Stored::default() }, place, shown);
    }

    /// The key may lie beside its certificate as FILE.key.
    fn with_key(&self, file: &Path) -> Vec<PathBuf> {
        let mut key = file.as_os_str().to_owned();
        key.push(".key");
        let key = PathBuf::from(key);
        if self.files.is_file(&key) { vec![file.to_owned(), key] } else { vec![file.to_owned()] }
    }

    fn show_list(&mut self, text: &str, place: &Place, shown: &mut Shown) {
        let path = self.crt_base.join(text);
        let list = match self.files.text(&path) {
            Ok(list) => list,
            Err(why) => return self.plan.left_out(place, format!("crt-list {}: {why}", path.display()), ""),
        };
        for (index, line) in list.lines().enumerate() {
            let place = Place { file: path.as_path().into(), line: index + 1 };
            let Some(words) = lines::words(line) else {
                self.plan.left_out(&place, "a quote is not closed", "mend the line");
                continue;
            };
            let Some(first) = words.first() else { continue };
            if words.get(1).is_some_and(|word| word.starts_with('[')) {
                let options = words.iter().skip(1).take_while(|word| !word.ends_with(']')).count() + 1;
                let options = words.iter().skip(1).take(options).cloned().collect::<Vec<_>>().join(" ");
                if options.contains("verify") || options.contains("ca-file") {
                    let said = format!("{options} asks clients for certificates, which is not carried over");
                    self.plan.left_out(&place, said, "see [site.tls]; until it is set, this name is open to everybody");
                } else {
                    self.plan.note(&place, format!("{options} is not carried over"), "");
                }
            }
            self.show(first, &place, shown);
        }
    }

    fn add(&mut self, stored: &Stored, place: &Place, shown: &mut Shown) {
        let lineage = stored.files.first().and_then(|file| Lineage::of_file(file, self.files));
        let is_managed = stored.is_managed || lineage.is_some();
        if let Some(lineage) = &lineage {
            lineage.add_to(&mut self.plan, self.files);
            if lineage.key_type().is_some() {
                let text = "certbot's key is RSA, and what is ordered next has an ECDSA key";
                self.plan.note(place, text, "say site.key_types = [\"rsa\"], or both types, where clients need RSA");
            }
        }
        let there: Vec<PathBuf> = stored.files.iter().filter(|file| self.files.is_file(file)).cloned().collect();
        let names = match self.files.certificates_in(&there, None) {
            Ok(names) => {
                if lineage.is_none() {
                    let name = names.first().map(ToString::to_string).unwrap_or_default();
                    self.plan.add_certificate(&name, there, place);
                }
                names
            }
            Err(unfit) => {
                let names = self.plan.hosts(place, stored.names.iter().map(String::as_str));
                // What ACME has not issued yet is ordered here.
                if names.is_empty() || !is_managed {
                    self.unfit(unfit, stored, place);
                }
                names
            }
        };
        for name in names {
            // What is there twice counts once, by where it comes first.
            shown.names.push((name, is_managed));
        }
    }

    /// Tells of files that could not be served. HAProxy may run on with what they held when it was started.
    fn unfit(&mut self, unfit: Option<Unfit>, stored: &Stored, place: &Place) {
        let (text, mend) = match unfit {
            Some(Unfit { file, names, reason, mend }) if !names.is_empty() => {
                (format!("{} for {}: {reason}", file.display(), some_of(&names)), format!("{mend}; {ANEW}"))
            }
            _ => {
                let listed: Vec<String> = stored.files.iter().map(|file| file.display().to_string()).collect();
                let mend = "put it into the drop folder; vitrine inspect says what a file holds".to_owned();
                (format!("no certificate with its key can be read from {}", listed.join(" and ")), mend)
            }
        };
        self.plan.left_out(place, text, mend);
    }
}

const ANEW: &str = "then import again, or put both into the drop folder";
/// What HAProxy finds beside a certificate, and takes for none.
const SIBLINGS: [&str; 4] = [".key", ".ocsp", ".issuer", ".sctl"];
