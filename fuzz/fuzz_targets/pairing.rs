//! Fills a folder with up to four files of any content beside a good pair: the good pair is always found, and the files'
//! order does not matter. The good pair's authority is trusted, so that what the files hold is also tried as a way to a root.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run pairing`

#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use vitrine::certs::{Issued, KeyKind, LocalCa, Roots, Terms, survey, valid_for};
use vitrine::name::HostPattern;

static AUTHORITY: LazyLock<LocalCa> = LazyLock::new(|| LocalCa::new("Fuzz").expect("an authority"));

static GOOD: LazyLock<Issued> = LazyLock::new(|| {
    let name = HostPattern::parse("good.example").expect("a name");
    AUTHORITY.issue(&[name], valid_for(30), KeyKind::Ecdsa).expect("issued")
});

static TERMS: LazyLock<Arc<Terms>> = LazyLock::new(|| {
    let root = (Path::new("root.pem"), AUTHORITY.root_pem().as_bytes());
    let roots = Roots::of_the_web_and([root]).expect("a root");
    Arc::new(Terms { roots, ..Terms::default() })
});

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("vitrine-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("created");
    folder
});

fuzz_target!(|content: &[u8]| {
    let files: Vec<&[u8]> = content.splitn(4, |byte| *byte == 0).collect();
    let found = [false, true].map(|backwards| {
        fs::remove_dir_all(&*FOLDER).expect("emptied");
        fs::create_dir(&*FOLDER).expect("created");
        for (number, file) in files.iter().enumerate() {
            let place = if backwards { files.len() - number } else { number + 1 };
            fs::write(FOLDER.join(format!("{place}.pem")), file).expect("written");
        }
        fs::write(FOLDER.join("good.crt"), &GOOD.chain).expect("written");
        fs::write(FOLDER.join("good.key"), GOOD.key.as_bytes()).expect("written");
        let survey = survey(&**FOLDER, Arc::clone(&TERMS));
        let mut fingerprints: Vec<_> =
            survey.certificates.iter().map(|served| served.facts.fingerprint.clone()).collect();
        fingerprints.sort();
        fingerprints
    });
    assert!(!found[0].is_empty(), "the good pair was lost");
    assert_eq!(found[0], found[1], "the order of files decided");
});
