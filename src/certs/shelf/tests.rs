//! When the shelf is to be stepped again.

use super::*;
use crate::certs::scan::Scanner;
use crate::certs::testing::Chain;

#[test]
fn half_a_replacement_is_looked_at_again_before_a_restless_folder_would_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).expect("written");
    let chain = Chain::new();
    let (old, new) = (chain.leaf(&["shop.example"]), chain.leaf(&["shop.example"]));
    let (mut scanner, mut shelf) = (Scanner::new(folder.path()), Shelf::new(folder.path(), None));
    let mut look = |shelf: &mut Shelf| {
        let now = Moment { steady: Instant::now(), unix: time::OffsetDateTime::now_utc().unix_timestamp() };
        shelf.step(&scanner.scan(), &Offer::default(), Vec::new(), now);
        now.steady
    };

    put("shop.crt", &old.certificate);
    put("shop.key", &old.key);
    look(&mut shelf);
    assert_eq!(shelf.torn, None);
    put("shop.key", &new.key);
    let looked = look(&mut shelf);
    assert_eq!(shelf.next_look(), Some(looked + SECOND_HALF));
    put("shop.crt", &new.certificate);
    look(&mut shelf);
    assert_eq!((shelf.torn, shelf.certificates().len()), (None, 1));
}
