//! Files that others include, whole and broken.

use std::fs;
use std::path::PathBuf;

use super::super::*;
use super::{SITE, warnings};

/// A folder with `v.toml` that includes `sites.d/*.toml`, and these files.
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        Self::with_main(&format!("include = [\"sites.d/*.toml\"]\n{SITE}"), files)
    }

    fn with_main(main: &str, files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(folder.path("sites.d")).expect("a folder");
        folder.write("v.toml", main);
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self) -> Result<Loaded, Mistakes> {
        Config::load(&self.path("v.toml"))
    }

    pub(super) fn good(&self) -> Loaded {
        self.load().unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    /// What is said, with the folder's own name taken out.
    pub(super) fn short(&self, said: impl std::fmt::Display) -> String {
        said.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }

    /// Reads it again beside what serves.
    pub(super) fn again(&self, serving: &Loaded) -> Loaded {
        Config::reload(&self.path("v.toml"), serving).unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    pub(super) fn rejected(&self, loaded: &Loaded) -> Vec<String> {
        loaded.rejected.iter().map(|rejected| self.short(rejected)).collect()
    }
}

pub(super) fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.config.sites.iter().map(|site| site.name.as_str()).collect()
}

pub(super) fn site(host: &str) -> String {
    format!("[[site]]\nhosts = [\"{host}\"]\nupstreams = [\"http://127.0.0.1:1\"]\n")
}

#[test]
fn included_sites_follow_in_order_of_their_paths() {
    let folder = Folder::new(&[
        ("sites.d/b.toml", &site("b.example")),
        ("sites.d/a.toml", &(site("a2.example") + &site("a1.example"))),
        ("sites.d/c.txt", "not looked at"),
        ("sites.d/.d.toml", "not looked at"),
    ]);
    let loaded = folder.good();
    assert_eq!(names(&loaded), ["shop.example", "a2.example", "a1.example", "b.example"]);
    let paths = |names: &[&str]| names.iter().map(|name| folder.path(name)).collect::<Vec<_>>();
    assert_eq!(loaded.sources, paths(&["v.toml", "sites.d/", "sites.d/a.toml", "sites.d/b.toml"]));
    assert_eq!(loaded.origins, paths(&["v.toml", "sites.d/a.toml", "sites.d/a.toml", "sites.d/b.toml"]));
    assert_eq!((warnings(&loaded), folder.rejected(&loaded)), (String::new(), Vec::new()));
}

#[test]
fn a_mistake_in_an_included_site_leaves_out_that_site_alone() {
    let folder = Folder::new(&[
        (
            "sites.d/a.toml",
            &(site("a.example") + "[[site]]\nhosts = [\"x.example\"]\nupstreams = 5\n" + &site("b.example")),
        ),
        ("sites.d/b.toml", &site("c.example")),
    ]);
    let loaded = folder.good();
    assert_eq!(names(&loaded), ["shop.example", "a.example", "b.example", "c.example"]);
    assert_eq!(
        folder.rejected(&loaded),
        ["sites.d/a.toml:6: site.upstreams: expected a list, found 5 (site \"x.example\" is left out)"]
    );
    assert_eq!(loaded.rejected[0].part, RejectedPart::Site(Some("x.example".into())));
}

#[test]
fn broken_syntax_leaves_out_that_file_alone_and_says_everything_in_it() {
    let folder = Folder::new(&[
        ("sites.d/a.toml", &(site("a.example") + "[[site]]\nhosts = [\"x.example\"\nupstreams = 5\n")),
        ("sites.d/b.toml", &site("b.example")),
    ]);
    let loaded = folder.good();
    assert_eq!(names(&loaded), ["shop.example", "b.example"]);
    assert_eq!(loaded.rejected.len(), 1);
    assert_eq!(loaded.rejected[0].part, RejectedPart::File);
    let said = folder.rejected(&loaded).concat();
    assert!(said.starts_with("sites.d/a.toml:6: syntax error at column "), "{said}");
    assert!(said.ends_with(" (the whole file is left out)"), "{said}");
}

#[test]
fn an_included_file_holds_sites_alone_and_these_stay() {
    let folder = Folder::new(&[(
        "sites.d/a.toml",
        &("[limits]\nheaders = 1\n[loud]\n[acme]\n".to_owned() + &site("a.example")),
    )]);
    let loaded = folder.good();
    assert_eq!(names(&loaded), ["shop.example", "a.example"]);
    assert_eq!(loaded.config.limits, Limits::default());
    assert_eq!(
        folder.rejected(&loaded),
        ["sites.d/a.toml:1: limits: belongs in the main file; an included file holds [[site]] alone (this is \
             left out)\n\
          sites.d/a.toml:3: loud: unknown key; an included file holds [[site]] alone (this is left out)\n\
          sites.d/a.toml:4: acme: belongs in the main file; an included file holds [[site]] alone (this is left out)"]
    );
}

#[test]
fn an_included_site_never_takes_a_host_from_another() {
    let folder = Folder::new(&[("sites.d/a.toml", &site("SHOP.example")), ("sites.d/b.toml", &site("b.example"))]);
    let loaded = folder.good();
    assert_eq!(names(&loaded), ["shop.example", "b.example"]);
    assert_eq!(
        folder.rejected(&loaded),
        ["sites.d/a.toml:2: site.hosts: \"shop.example\" is a host of the site \"shop.example\" at v.toml:3 \
             already; a host \
          has one site (site \"shop.example\" is left out)"]
    );
}

#[test]
fn mistakes_of_the_main_file_and_of_included_ones_are_told_together() {
    let main = format!("include = [\"sites.d/*.toml\"]\n[limits]\nheaders = 0\n{SITE}");
    let folder = Folder::with_main(
        &main,
        &[(
            "sites.d/a.toml",
            "[[site]]\nhosts = [\"a.example\"]\nupstreams = \
    5\n",
        )],
    );
    let mistakes = folder.load().expect_err("two mistakes");
    assert_eq!(
        folder.short(mistakes),
        "v.toml:3: limits.headers: expected a whole number of 1 to 1000, found 0\n\
         sites.d/a.toml:3: site.upstreams: expected a list, found 5"
    );
}

#[test]
fn a_default_site_that_was_left_out_does_not_stop_the_others() {
    let main = format!(
        "include = [\"sites.d/*.toml\"]\n[tls]\nunknown_name = \"default\"\ndefault_site = \"a.example\"\n{SITE}"
    );
    let folder = Folder::with_main(
        &main,
        &[(
            "sites.d/a.toml",
            "[[site]]\nhosts = [\"a.example\"]\nupstreams = \
    5\n",
        )],
    );
    let loaded = folder.good();
    assert_eq!(names(&loaded), ["shop.example"]);
    assert_eq!(
        folder.short(warnings(&loaded)),
        "v.toml:4: tls.default_site: expected a host of one of the sites, found \"a.example\"; unknown names are \
         refused"
    );
}

#[test]
fn a_pattern_without_files_is_a_warning_and_its_folder_is_watched() {
    let main = format!("include = [\"./sites.d/*.toml\", \"gone/*.toml\", \"v.tom?\"]\n{SITE}");
    let folder = Folder::with_main(&main, &[]);
    let loaded = folder.good();
    assert_eq!(
        folder.short(warnings(&loaded)),
        "v.toml:1: include: no file matches \"*.toml\" in \"sites.d/\"; no site comes from it\n\
         v.toml:1: include: the folder \"gone/\" cannot be read: No such file or directory (os error 2); no site \
         comes from it"
    );
    assert_eq!(loaded.sources, [folder.path("v.toml"), folder.path(""), folder.path("gone/"), folder.path("sites.d/")]);
}

#[test]
fn patterns_that_cannot_be_meant_are_refused() {
    for (pattern, mend) in [
        ("*/a.toml", "'*' and '?' may stand in the last part alone"),
        ("sites.d/", "name the files, such as *.toml"),
        ("", "name the files, such as *.toml"),
    ] {
        let folder = Folder::with_main(&format!("include = [\"{pattern}\"]\n{SITE}"), &[]);
        assert_eq!(
            folder.short(folder.load().expect_err("a mistake")),
            format!("v.toml:1: include: expected a path such as \"sites.d/*.toml\", found \"{pattern}\"; {mend}")
        );
    }
}

#[test]
fn what_an_included_file_cannot_be_read_for_leaves_it_out() {
    let folder = Folder::new(&[("sites.d/a.toml", &site("a.example"))]);
    fs::create_dir(folder.path("sites.d/b.toml")).expect("a folder");
    std::os::unix::fs::symlink("nowhere", folder.path("sites.d/c.toml")).expect("a link");
    let loaded = folder.good();
    assert_eq!(names(&loaded), ["shop.example", "a.example"]);
    assert_eq!(
        folder.rejected(&loaded),
        [
            "sites.d/b.toml: expected a regular file, found a folder (the whole file is left out)",
            "sites.d/c.toml: there is no such file (the whole file is left out)"
        ]
    );
}

#[test]
fn what_a_broken_included_file_defined_is_kept_on_reload() {
    let folder = Folder::new(&[
        ("sites.d/a.toml", &(site("a1.example") + &site("a2.example"))),
        ("sites.d/b.toml", &(site("b1.example") + &site("b2.example"))),
        ("sites.d/c.toml", &site("c.example")),
    ]);
    let serving = folder.good();
    folder.write("sites.d/a.toml", "broken");
    folder.write("sites.d/b.toml", "[[site]]\nhosts = [\"b1.example\"]\nupstreams = 5\n");
    folder.write("sites.d/c.toml", &site("a2.example"));
    let next = folder.again(&serving);
    assert_eq!(next.kept, ["a1.example", "a2.example", "b1.example"]);
    assert_eq!(names(&next), ["shop.example", "a1.example", "a2.example", "b1.example"]);
    let paths = ["v.toml", "sites.d/a.toml", "sites.d/a.toml", "sites.d/b.toml"];
    assert_eq!(next.origins, paths.map(|path| folder.path(path)));
    assert_eq!(
        folder.rejected(&next)[2],
        "sites.d/c.toml:2: site.hosts: \"a2.example\" is a host of the site \"a2.example\" of sites.d/a.toml, which \
         stays as it was; a host has one site (site \"a2.example\" is left out)"
    );
    assert_eq!(folder.again(&next), next, "and so it goes on");
}

#[test]
fn a_slip_in_the_first_host_does_not_rename_the_site_and_what_it_was_is_kept() {
    let folder = Folder::new(&[("sites.d/a.toml", &site("a.example\", \"b.example"))]);
    let serving = folder.good();
    folder.write("sites.d/a.toml", &site("a example\", \"b.example"));
    let next = folder.again(&serving);
    assert_eq!(next.rejected[0].part, RejectedPart::Site(None));
    assert_eq!((next.kept.len(), names(&next)), (1, vec!["shop.example", "a.example"]));
    assert_eq!(next.rejected[0].mistakes.len(), 1, "{:?}", next.rejected);
}

#[test]
fn what_a_pattern_included_is_kept_when_it_matches_nothing_any_more() {
    let main = format!("include = [\"sites.d/*.toml\", \"sites.d/*.shop\"]\n{SITE}");
    let folder = Folder::with_main(
        &main,
        &[
            ("sites.d/a.toml", &site("a.example")),
            ("sites.d/b.toml", &site("b.example")),
            ("sites.d/c.shop", &site("c.example")),
            ("sites.d/d.shop", &site("d.example")),
        ],
    );
    let serving = folder.good();
    for file in ["a.toml", "b.toml", "d.shop"] {
        fs::remove_file(folder.path("sites.d").join(file)).expect("removed");
    }
    // The rest applies.
    folder.write("v.toml", &(main.clone() + &site("e.example")));
    let next = folder.again(&serving);
    assert_eq!(names(&next), ["shop.example", "e.example", "c.example", "a.example", "b.example"]);
    assert_eq!(next.kept, ["a.example", "b.example"]);
    assert_eq!(
        folder.rejected(&next),
        [
            "v.toml:1: include: no file matches \"*.toml\" in \"sites.d/\" any more, which is taken for an accident; its sites \
          stay as they were, take the pattern out to remove them, or put a file there (all of the pattern is left out)"
        ]
    );
    assert_eq!((next.rejected[0].part.clone(), warnings(&next)), (RejectedPart::Pattern, String::new()));
    assert_eq!(folder.again(&next), next, "and so it goes on");
    // Any file there is a word, and one without a pattern too.
    folder.write("sites.d/none.toml", "# no shop now\n");
    assert_eq!(names(&folder.again(&next)), ["shop.example", "e.example", "c.example"]);
    fs::remove_file(folder.path("sites.d/none.toml")).expect("removed");
    folder.write("v.toml", &main.replace("\"sites.d/*.toml\", ", ""));
    assert_eq!(names(&folder.again(&next)), ["shop.example", "c.example"]);
    // At a start there is nothing to keep.
    folder.write("v.toml", &main);
    let started = folder.good();
    assert_eq!((names(&started), started.rejected.len()), (vec!["shop.example", "c.example"], 0));
    assert_eq!(
        folder.short(warnings(&started)),
        "v.toml:1: include: no file matches \"*.toml\" in \"sites.d/\"; no site comes from it"
    );
}
