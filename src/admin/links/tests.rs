//! What a one-time link is good for.

use super::*;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn wanted(expires: i64) -> Wanted {
    let sites = vec!["shop.example".to_owned()];
    Wanted { note: "for Anna".into(), sites, request: None, goes_live: false, by: "user 0".into(), expires }
}

fn found() -> Found {
    Found {
        fingerprint: "0a".into(),
        subject: "shop.example".into(),
        issuer: "CA".into(),
        names: vec!["shop.example".into()],
        not_after: "2027-01-01T00:00:00Z".into(),
    }
}

#[test]
fn a_link_is_used_once_and_its_secret_is_nowhere_kept() {
    let store = Store::in_memory();
    let links = Links::open(store.clone()).expect("open");
    let (link, secret) = links.make(wanted(200), 100).expect("made");
    assert_eq!(links.by_secret(&secret, PEER).expect("there"), link);
    assert!(links.open_up(&link.id, 110).expect("opened") && !links.open_up(&link.id, 120).expect("opened"));
    let parcel = Parcel {
        pieces: vec![("shop é.pfx".into(), vec![0, 1, 255].into())],
        password: Some(Zeroizing::new("hunter 2".into())),
    };
    let used = links.use_up(&link.id, found(), Some(&parcel), 130).expect("used");
    assert_eq!((used.fate, used.opened), (Fate::Waiting, Some(110)));
    assert!(matches!(links.use_up(&link.id, found(), None, 140), Err(NotLinked::Not(Fate::Waiting))));
    assert!(parcel_key(&link.id).is_secret());

    let again = Links::open(store.clone()).expect("open");
    assert_eq!(again.list(), [used]);
    let kept = again.parcel(&link.id).expect("kept");
    assert_eq!((kept.pieces, kept.password), (parcel.pieces, parcel.password));
    let file = store.read(&key(&link.id)).expect("read").expect("there");
    assert!(!String::from_utf8_lossy(&file.content).contains(secret.as_str()));
    assert_eq!(again.end(&link.id, Fate::Taken).expect("taken").fate, Fate::Taken);
    assert!(store.read(&parcel_key(&link.id)).expect("read").is_none());
    assert!(matches!(again.end(&link.id, Fate::Revoked), Err(NotLinked::Not(Fate::Taken))));
}

#[test]
fn what_is_over_revoked_or_spoiled_takes_nothing() {
    let links = Links::open(Store::in_memory()).expect("open");
    let (over, _) = links.make(wanted(200), 100).expect("made");
    assert!(matches!(links.use_up(&over.id, found(), None, 200), Err(NotLinked::Over)));
    assert_eq!((over.state(199), over.state(200)), ("open", "expired"));
    let (revoked, _) = links.make(wanted(200), 100).expect("made");
    links.end(&revoked.id, Fate::Revoked).expect("revoked");
    assert!(matches!(links.use_up(&revoked.id, found(), None, 110), Err(NotLinked::Not(Fate::Revoked))));
    let (spoiled, _) = links.make(wanted(200), 100).expect("made");
    let fates: Vec<_> = (0..MOST_WRONG).map(|_| links.count_wrong(&spoiled.id).expect("counted").fate).collect();
    assert_eq!(fates.last(), Some(&Fate::Spoiled));
    assert!(fates[..fates.len() - 1].iter().all(|fate| *fate == Fate::Open));
    // A month after their end they are forgotten.
    links.make(wanted(REMEMBERED + 500), REMEMBERED + 201).expect("made");
    assert_eq!(links.list().len(), 1);
}

#[test]
fn one_hands_in_at_a_time_and_guesses_are_slowed_down() {
    let links = Links::open(Store::in_memory()).expect("open");
    let (link, _) = links.make(wanted(200), 100).expect("made");
    let turn = links.take_turn(&link.id).expect("a turn");
    assert!(matches!(links.take_turn(&link.id), Err(NotLinked::Busy)));
    drop(turn);
    assert!(links.take_turn(&link.id).is_ok());
    let guesses: Vec<_> = (0..20).map(|_| links.by_secret("0a", PEER)).collect();
    assert!(matches!(guesses[0], Err(NotLinked::Unknown)) && matches!(guesses[19], Err(NotLinked::Guessed(_))));
}
