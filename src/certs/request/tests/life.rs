//! What becomes of a request and of its key.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::certs::certificate::Certificate;
use crate::certs::folders::MAIN;
use crate::certs::parts::Parts;
use crate::certs::password::Password;
use crate::certs::request::*;
use crate::certs::testing::Chain;
use crate::store::{Expected, Key, Store};

const NOW: i64 = 1_790_000_000;

fn details(kind: &str, name: &str) -> Details {
    let draft = Draft { kind: kind.into(), common_name: name.into(), ..Draft::default() };
    draft.read().expect("a form")
}

fn opened(store: &Store) -> Requests {
    Requests::open(store.clone(), Path::new("state")).expect("opened")
}

fn created(requests: &Requests, kind: &str, name: &str) -> String {
    let listed = requests.create(details(kind, name), Order::default(), None, NOW).expect("a request");
    listed.request.id.to_string()
}

/// A certificate for the key of a request.
fn issued(store: &Store, id: &str) -> Parts {
    let item = store.read(&Key::of(&["requests", id, "key.pem"]).expect("a key")).expect("readable").expect("there");
    let leaf = Chain::new().for_key(&["shop.example"], str::from_utf8(&item.content).expect("PEM"));
    Parts::read(leaf.chain().as_bytes(), &Password::Absent, &Default::default()).expect("certificates")
}

fn other() -> Parts {
    let leaf = Chain::new().leaf(&["shop.example"]);
    Parts::read(leaf.chain().as_bytes(), &Password::Absent, &Default::default()).expect("certificates")
}

/// Whether a certificate completed anything.
fn answer(requests: &Requests, parts: &Parts) -> bool {
    let [leaf, issuers @ ..] = &parts.certificates[..] else { panic!("a certificate") };
    requests.answered(Answer::kept_here(leaf, issuers, "upload"), NOW + 5).expect("kept").is_some()
}

fn status(requests: &Requests, id: &str) -> RequestStatus {
    requests.find(id).expect("a request").status
}

fn offered(requests: &Requests) -> Vec<String> {
    requests.offer().files(MAIN, |_| true).map(|file| file.path.display().to_string()).collect()
}

#[test]
fn a_request_and_its_key_are_there_again_after_a_restart_and_for_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let id = {
        let store = Store::open(folder.path()).expect("a store");
        created(&opened(&store), "server", "*.shop.example")
    };
    let store = Store::open(folder.path()).expect("a store");
    let requests = opened(&store);
    let listed = requests.find(&id).expect("a request");
    assert_eq!(listed.request.details, details("server", "*.shop.example"));
    assert_eq!((listed.status, listed.request.created), (RequestStatus::Pending, NOW));
    assert!(id.starts_with("wildcard.shop.example-"), "{id}");
    assert_eq!(offered(&requests), [format!("state/requests/{id}/key.pem")]);
    let place = folder.path().join("requests").join(&id);
    assert_eq!(std::fs::read_to_string(place.join("request.pem")).expect("read"), *listed.request.pem);
    for name in ["key.pem", "request.pem", "meta.json"] {
        let mode = place.join(name).metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let key = std::fs::read_to_string(place.join("key.pem")).expect("read");
    assert_eq!(openssl::public_of_key(&key), openssl::public_of_request(&listed.request.pem));
}

#[test]
fn only_a_certificate_for_its_key_completes_a_request() {
    let store = Store::in_memory();
    let requests = opened(&store);
    let id = created(&requests, "server", "shop.example");
    let before = requests.find(&id).expect("a request").request.revision;
    assert!(!answer(&requests, &other()));
    assert_eq!(requests.find(&id).expect("a request").request.revision, before);
    assert_eq!((status(&requests, &id), offered(&requests).len()), (RequestStatus::Pending, 1));

    let certificate = issued(&store, &id);
    assert!(answer(&requests, &certificate));
    assert!(!answer(&requests, &certificate), "the same once more is nothing new");
    for requests in [&requests, &opened(&store)] {
        let listed = requests.find(&id).expect("a request");
        assert_eq!((listed.status, offered(requests).len()), (RequestStatus::Completed, 1));
        let answer = listed.request.answer().expect("an answer");
        assert_eq!((&*answer.subject, &*answer.issuer, &*answer.from), ("shop.example", "Test Intermediate", "upload"));
        assert_eq!((answer.received, answer.chain.as_deref()), (NOW + 5, None));
    }
}

#[test]
fn a_renewal_with_the_same_key_is_the_same_request_to_the_letter() {
    let store = Store::in_memory();
    let requests = opened(&store);
    let id = created(&requests, "server", "shop.example");
    assert!(matches!(requests.renew_with_same_key(&id, NOW), Err(RequestError::Open)));
    let first = issued(&store, &id);
    assert!(answer(&requests, &first));
    let pem = requests.find(&id).expect("a request").request.pem.clone();

    let renewing = requests.renew_with_same_key(&id, NOW + 10).expect("renewed");
    assert_eq!((renewing.status, &renewing.request.pem), (RequestStatus::Renewing, &pem));
    assert!(matches!(requests.renew_with_same_key(&id, NOW), Err(RequestError::Open)));
    assert!(!answer(&requests, &first), "the old certificate is no renewal");
    assert_eq!(status(&opened(&store), &id), RequestStatus::Renewing);
    assert!(answer(&requests, &issued(&store, &id)));
    let done = requests.find(&id).expect("a request");
    assert_eq!((done.status, done.request.answers.len()), (RequestStatus::Completed, 2));
}

#[test]
fn a_renewal_with_a_new_key_takes_the_place_of_the_old_one_once_its_certificate_is_here() {
    let store = Store::in_memory();
    let requests = opened(&store);
    let old = created(&requests, "server", "shop.example");
    let renew = |requests: &Requests| {
        let details = requests.find(&old).expect("a request").request.details.clone();
        requests.renew_with_new_key(&old, details, NOW + 10).map(|listed| listed.request.id.to_string())
    };
    assert!(matches!(renew(&requests), Err(RequestError::Open)));
    assert!(answer(&requests, &issued(&store, &old)));

    let new = renew(&requests).expect("a renewal");
    assert!(matches!(renew(&requests), Err(RequestError::Open)));
    let listed = requests.find(&old).expect("a request");
    assert_eq!((listed.status, listed.renewed_by.as_deref()), (RequestStatus::Renewing, Some(&*new)));
    assert_eq!(status(&requests, &new), RequestStatus::Pending);
    assert_ne!(listed.request.key_id(), requests.find(&new).expect("a request").request.key_id());
    // Both keys stay: the certificate of the old one is being served.
    assert_eq!(offered(&requests).len(), 2);

    requests.discard(&new).expect("discarded");
    assert_eq!(status(&requests, &old), RequestStatus::Completed);
    let new = renew(&requests).expect("a renewal");
    assert!(answer(&requests, &issued(&store, &new)));
    for requests in [&requests, &opened(&store)] {
        assert_eq!(
            (status(requests, &old), status(requests, &new)),
            (RequestStatus::Replaced, RequestStatus::Completed)
        );
    }
    assert_eq!(requests.list().iter().map(|listed| &*listed.request.id).collect::<Vec<_>>(), [&*new, &*old]);
}

#[test]
fn a_change_of_what_somebody_else_has_changed_meanwhile_is_refused() {
    let store = Store::in_memory();
    let requests = opened(&store);
    let id = created(&requests, "server", "shop.example");
    let seen = requests.find(&id).expect("a request").request.revision;
    let order = |number: &str| OrderDraft { number: number.into(), ..OrderDraft::default() }.read().expect("an order");
    let amended = requests.amend(&id, seen, order("1"), vec!["shop.example".into()]).expect("amended");
    assert!(matches!(requests.amend(&id, seen, order("2"), Vec::new()), Err(RequestError::Changed)));
    assert_ne!(amended.request.revision, seen);
    for requests in [&requests, &opened(&store)] {
        let request = requests.find(&id).expect("a request").request;
        assert_eq!(
            (request.order.number.as_deref(), &*request.details.sites),
            (Some("1"), &["shop.example".into()][..])
        );
        assert_eq!(request.revision, amended.request.revision);
    }
}

#[test]
fn a_key_whose_request_is_spoilt_stays_and_goes_on_finding_its_certificate() {
    let store = Store::in_memory();
    let id = created(&opened(&store), "server", "shop.example");
    let meta = Key::of(&["requests", &id, "meta.json"]).expect("a key");
    store.put(&meta, b"{\"request\": 7}", Expected::Anything).expect("written");
    let requests = opened(&store);
    assert_eq!((requests.list().len(), offered(&requests).len()), (0, 1));
    assert!(requests.damages()[0].starts_with(&format!("{id}: meta.json: ")), "{:?}", requests.damages());
    assert!(!answer(&requests, &issued(&store, &id)));

    let other = created(&requests, "server", "other.example");
    let key = Key::of(&["requests", &other, "key.pem"]).expect("a key");
    store.put(&key, b"-----BEGIN PRIVATE KEY-----", Expected::Anything).expect("written");
    let requests = opened(&store);
    assert_eq!((requests.damages().len(), offered(&requests).len()), (2, 1));
    requests.discard(&id).expect("discarded");
    assert_eq!(opened(&store).damages().len(), 1);
}

#[test]
fn what_is_not_for_the_edge_to_serve_is_set_aside_and_kept_with_its_chain() {
    let store = Store::in_memory();
    let requests = opened(&store);
    let id = created(&requests, "apple-payment-processing", "merchant.example");
    let offer = requests.offer();
    let key = requests.find(&id).expect("a request").request.key_id();
    assert_eq!((offer.keys.len(), offer.aside.contains_key(&key)), (0, true));
    let certificate = issued(&store, &id);
    assert!(answer(&requests, &certificate));
    let request = opened(&store).find(&id).expect("a request").request;
    let chain = request.answer().expect("an answer").chain.clone().expect("a chain");
    let kept = Parts::read(chain.as_bytes(), &Password::Absent, &Default::default()).expect("certificates");
    let fingerprints = |parts: &Parts| {
        parts.certificates.iter().map(|one: &std::sync::Arc<Certificate>| one.fingerprint).collect::<Vec<_>>()
    };
    assert_eq!((fingerprints(&kept), kept.certificates.len()), (fingerprints(&certificate), 2));
}

#[test]
fn the_validation_file_is_shown_at_every_name_and_goes_with_the_request() {
    let store = Store::in_memory();
    let requests = opened(&store);
    let draft = Draft { names: vec!["shop.example".into(), "*.cafe.example".into()], ..Draft::default() };
    let file = ValidationFileDraft { name: "fileauth.txt".into(), content: "abc\n".into() };
    let order = OrderDraft { validation_file: Some(file), ..OrderDraft::default() };
    let listed =
        requests.create(draft.read().expect("a form"), order.read().expect("an order"), None, NOW).expect("a request");
    let shown = |requests: &Requests| {
        let objects = requests.offer().objects;
        objects.iter().map(|(host, name, _)| format!("{host} {name}")).collect::<Vec<_>>()
    };
    let expected = ["shop.example pki-validation/fileauth.txt", "cafe.example pki-validation/fileauth.txt"];
    assert_eq!(
        (shown(&requests), shown(&opened(&store))),
        (expected.map(str::to_owned).to_vec(), expected.map(str::to_owned).to_vec())
    );
    assert_eq!(&requests.offer().objects[0].2.content[..], b"abc\n");
    requests.discard(&listed.request.id).expect("discarded");
    assert_eq!(shown(&requests), [""; 0]);
    assert!(matches!(requests.discard(&listed.request.id), Err(RequestError::Unknown)));
    assert_eq!(store.names(&Key::known(&["requests"])).expect("listed"), [""; 0]);
}

#[test]
fn a_reminder_is_due_from_its_day_on_until_the_certificate_is_here() {
    let store = Store::in_memory();
    let requests = opened(&store);
    let reminder = ReminderDraft { date: "2026-12-31".into(), contacts: vec!["ops@shop.example".into()] };
    let order = OrderDraft { reminder: Some(reminder), ..OrderDraft::default() }.read().expect("an order");
    let id =
        requests.create(details("server", "shop.example"), order, None, NOW).expect("a request").request.id.clone();
    let due = 1_798_675_200;
    assert_eq!(requests.reminders(due - 1), [""; 0]);
    assert_eq!(requests.reminders(due), [format!("{id} (since 2026-12-31)")]);
    assert!(answer(&requests, &issued(&store, &id)));
    assert_eq!(requests.reminders(due), [""; 0]);
}

#[test]
fn what_comes_back_is_read_in_any_form_and_held_against_the_key() {
    let store = Store::in_memory();
    let requests = opened(&store);
    let id = created(&requests, "server", "shop.example");
    let request = requests.find(&id).expect("a request").request;
    let item = store.read(&Key::of(&["requests", &id, "key.pem"]).expect("a key")).expect("readable").expect("there");
    let key = str::from_utf8(&item.content).expect("PEM");
    let (chain, stranger) = (Chain::new(), Chain::new().leaf(&["other.example"]));
    let (old, new) = (chain.for_key(&["shop.example"], key), chain.for_key(&["shop.example", "www.shop.example"], key));
    let read = |content: &[u8]| {
        Returned::read(&[content], &request)
            .map(|found| found.leaf.fingerprint)
            .map_err(|flaw| (flaw.code, flaw.reason))
    };
    let fingerprint = |pem: &str| {
        let parts = Parts::read(pem.as_bytes(), &Password::Absent, &Default::default()).expect("a certificate");
        parts.certificates[0].fingerprint
    };
    assert_eq!(read(old.chain().as_bytes()), Ok(fingerprint(&old.certificate)));
    assert_eq!(read(format!("{}{}", chain.root, new.chain()).as_bytes()), Ok(fingerprint(&new.certificate)));
    assert_eq!(read(&openssl::der(&new.certificate)), Ok(fingerprint(&new.certificate)));
    assert_eq!(read(&openssl::pkcs7(&new.chain())), Ok(fingerprint(&new.certificate)));

    let (code, reason) = read(stranger.chain().as_bytes()).expect_err("another key's");
    assert_eq!(code, "key-mismatch");
    assert!(reason.contains("\"other.example\" by \"Test Intermediate\""), "{reason}");
    assert_eq!(read(new.whole().as_bytes()).expect_err("a key").0, "holds-key");
    assert_eq!(read(b"hello").expect_err("nothing").0, "nothing");
    assert_eq!(read(request.pem.as_bytes()).expect_err("a request").0, "certificate-request");
}
