//! What sticky cookies are signed with: it lies in the state folder, so that a restart sends nobody to another upstream.

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::door::unusable;
use super::error::StartError;
use crate::live::{StickyKey, UpstreamStates};
use crate::store::{Expected, Key, Store};

/// Upstreams of which nothing is known yet but the key. It is made at the first start, not when a site first wants it: no reload can fail
/// for want of it.
///
/// # Errors
/// When the state folder does not give it, or does not take it.
pub(super) fn states(store: &Store) -> Result<UpstreamStates, StartError> {
    let key = Key::known(&["sticky", "secret"]);
    let kept = store.read(&key).map_err(unusable)?.map(|item| item.content);
    let secret = match kept.as_deref().and_then(|octets| octets.as_slice().try_into().ok()) {
        Some(kept) => Zeroizing::new(kept),
        // What is no key of ours is replaced: all it costs is that clients may get another upstream once.
        None => {
            let mut secret = Zeroizing::new([0; 32]);
            rand::fill(&mut *secret).map_err(|_| StartError::Runtime("the system gives no randomness".into()))?;
            store.put(&key, &*secret, Expected::Anything).map_err(unusable)?;
            secret
        }
    };
    Ok(UpstreamStates::keyed(StickyKey::new(&secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_a_broken_one_anew() {
        let store = Store::in_memory();
        let key = Key::known(&["sticky", "secret"]);
        let kept = || store.read(&key).expect("the state").expect("a key").content;
        assert!(key.is_secret());
        states(&store).expect("a key");
        let first = kept();
        assert_eq!(first.len(), 32);
        states(&store).expect("the same");
        assert_eq!(kept(), first);
        store.put(&key, b"short", Expected::Anything).expect("put");
        states(&store).expect("another");
        assert!(kept().len() == 32 && kept() != first);
    }
}
