//! Who has a host that two included files want, while a configuration serves.

use super::super::*;
use super::included::{Folder, names, site};

/// A host list that begins with `first`.
fn hosts(names: &[&str]) -> String {
    site(&names.join("\", \""))
}

fn served(loaded: &Loaded) -> Vec<String> {
    loaded.config.sites.iter().map(|site| format!("{}: {}", site.name, site.hosts.len())).collect()
}

#[test]
fn what_serves_goes_before_a_new_file_whatever_their_names() {
    let folder = Folder::new(&[("sites.d/shop.toml", &hosts(&["a.example", "www.a.example"]))]);
    let serving = folder.good();
    folder.write("sites.d/00-test.toml", &(site("new.example") + &site("www.a.example")));
    let next = folder.again(&serving);
    assert_eq!(names(&next), ["shop.example", "new.example", "a.example"]);
    assert_eq!(next.kept, Vec::<String>::new());
    assert_eq!(
        folder.rejected(&next),
        ["sites.d/00-test.toml:5: site.hosts: \"www.a.example\" is a host of the site \"a.example\" at \
          sites.d/shop.toml:2 already; a host has one site (site \"www.a.example\" is left out)"]
    );
    // Nothing serves at a start: the order of the paths decides, and says so.
    assert_eq!(names(&folder.good()), ["shop.example", "new.example", "www.a.example"]);
}

#[test]
fn a_site_that_reaches_for_anothers_host_stays_as_it_was() {
    let folder = Folder::new(&[
        ("sites.d/a.toml", &hosts(&["a.example", "www.a.example"])),
        ("sites.d/z.toml", &site("z.example")),
    ]);
    let serving = folder.good();
    folder.write("sites.d/a.toml", &hosts(&["a.example", "z.example"]));
    // What it was is not free either, although its new text gives it up.
    folder.write("sites.d/0.toml", &site("www.a.example"));
    let next = folder.again(&serving);
    assert_eq!(served(&next), ["shop.example: 1", "z.example: 1", "a.example: 2"]);
    assert_eq!(next.kept, ["a.example"]);
    let rejected = folder.rejected(&next);
    assert_eq!(rejected.len(), 2, "{rejected:?}");
    assert!(rejected[0].starts_with("sites.d/0.toml:2: ") && rejected[0].contains("of sites.d/a.toml"), "{rejected:?}");
    assert!(rejected[1].starts_with("sites.d/a.toml:2: ") && rejected[1].contains("sites.d/z.toml:2"), "{rejected:?}");
}

#[test]
fn a_host_moves_from_file_to_file_in_one_step() {
    let folder = Folder::new(&[("sites.d/b.toml", &hosts(&["b.example", "moving.example"]))]);
    let serving = folder.good();
    folder.write("sites.d/b.toml", &site("b.example"));
    for file in ["sites.d/a.toml", "sites.d/c.toml"] {
        folder.write(file, &site("moving.example"));
        let next = folder.again(&serving);
        assert_eq!((next.config.sites.len(), folder.rejected(&next)), (3, Vec::new()), "{file}");
        std::fs::remove_file(folder.path(file)).expect("removed");
    }
}

#[test]
fn the_main_file_goes_before_everything_included() {
    let folder = Folder::new(&[("sites.d/a.toml", &hosts(&["a.example", "www.a.example"]))]);
    let serving = folder.good();
    folder.write("v.toml", &format!("include = [\"sites.d/*.toml\"]\n{}", site("www.a.example")));
    let next = folder.again(&serving);
    assert_eq!((names(&next), next.rejected.len()), (vec!["www.a.example"], 1));
}

#[test]
fn a_copy_in_the_same_file_does_not_replace_the_original() {
    let named = |host: &str| site(host) + "name = \"shop\"\n";
    let folder = Folder::new(&[("sites.d/a.toml", &named("a.example"))]);
    let serving = folder.good();
    folder.write("sites.d/a.toml", &(named("copy.example") + &named("a.example")));
    let next = folder.again(&serving);
    assert_eq!(next.config.sites[1], serving.config.sites[1]);
    assert_eq!((next.kept, next.rejected.len()), (vec!["shop".to_owned()], 2));
}

#[test]
fn a_folder_that_cannot_be_read_and_an_empty_file_keep_their_sites() {
    let folder = Folder::new(&[("sites.d/a.toml", &site("a.example")), ("sites.d/b.toml", &site("b.example"))]);
    let serving = folder.good();
    folder.write("sites.d/a.toml", "# nothing\n");
    folder.write("sites.d/c.toml", "");
    folder.write("sites.d/d.toml", "# the shops come later\n");
    let next = folder.again(&serving);
    assert_eq!(
        (names(&next), &next.kept[..]),
        (vec!["shop.example", "b.example", "a.example"], &["a.example".into()][..])
    );
    assert_eq!(
        folder.rejected(&next),
        [
            "sites.d/a.toml: expected [[site]], found nothing; its sites stay as they were, delete the file to remove them \
          (the whole file is left out)"
        ]
    );
    let warned: Vec<_> = next.warnings.iter().map(|warning| folder.short(warning)).collect();
    assert_eq!(warned, ["sites.d/c.toml: expected [[site]], found nothing; no site comes from it"]);

    std::fs::rename(folder.path("sites.d"), folder.path("away")).expect("moved");
    let next = folder.again(&next);
    assert_eq!((names(&next), next.kept.len()), (vec!["shop.example", "b.example", "a.example"], 2));
    assert_eq!(
        folder.rejected(&next),
        [
            "v.toml:1: include: the folder \"sites.d/\" cannot be read: No such file or directory (os error 2); its sites \
          stay as they were, take the pattern out to remove them (the whole folder is left out)"
        ]
    );
    // An include that is taken out is the operator's word.
    folder.write("v.toml", super::SITE);
    assert_eq!(names(&folder.again(&next)), ["shop.example"]);
}
