//! What was uploaded and judged, and waits for the word that it may go live. Keys never go back to the browser for that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand;
use tokio::time::{Instant, sleep_until};

use crate::admin::api::Form;
use crate::admin::problem::{Kind, Problem};
use crate::words::refusal::Refusal;

/// All that wait, in memory alone: few, for a while, each for who sent it. Clones are the same.
#[derive(Clone, Default)]
pub(in crate::admin) struct Drafts(Arc<Mutex<Vec<Draft>>>);

/// One of them. It may hold keys and passwords; so it cannot be printed.
struct Draft {
    id: String,
    who: String,
    form: Form,
    request: Option<String>,
    until: Instant,
}

/// What one who sent a draft gets of it.
pub(super) struct Taken {
    /// As it was sent.
    pub(super) form: Form,
    /// The request that it is the answer to.
    pub(super) request: Option<String>,
}

impl Drafts {
    /// Keeps what `who` sent, and gives the name for it. Of too many the oldest of the same goes first.
    pub(super) fn keep(&self, who: String, form: Form, request: Option<String>) -> Result<String, Problem> {
        let mut octets = [0; 16];
        rand::fill(&mut octets).map_err(|_| {
            Problem::new(Kind::Internal, "the system gives no random numbers").because(Refusal::NoRandomness)
        })?;
        let id: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let until = Instant::now() + LIFETIME;
        let mut drafts = self.lock();
        let own = |drafts: &[Draft]| drafts.iter().filter(|draft| draft.who == who).count();
        if own(&drafts) >= MOST_OF_ONE {
            let oldest = drafts.iter().position(|draft| draft.who == who);
            oldest.map(|oldest| drafts.remove(oldest));
        }
        if drafts.len() >= MOST {
            let text = "too many uploads wait for a word; confirm or discard some, or try again in a while";
            return Err(Problem::new(Kind::Conflict, text).because(Refusal::DraftsFull));
        }
        drafts.push(Draft { id: id.clone(), who, form, request, until });
        drop(drafts);
        let all = self.clone();
        tokio::spawn(async move {
            sleep_until(until).await;
            all.forget_old();
        });
        Ok(id)
    }

    /// A copy of what `who` sent under this name.
    pub(super) fn look(&self, who: &str, id: &str) -> Result<Taken, Problem> {
        self.forget_old();
        let drafts = self.lock();
        let draft = drafts.iter().find(|draft| draft.id == id && draft.who == who);
        let taken = |draft: &Draft| Taken { form: draft.form.again(), request: draft.request.clone() };
        draft.map(taken).ok_or_else(|| {
            let text = "what was uploaded waited for too long, or was confirmed or discarded already; upload it again";
            Problem::new(Kind::NotFound, text).because(Refusal::DraftGone)
        })
    }

    /// Forgets it.
    pub(super) fn discard(&self, who: &str, id: &str) {
        self.lock().retain(|draft| draft.id != id || draft.who != who);
    }

    fn forget_old(&self) {
        let now = Instant::now();
        self.lock().retain(|draft| draft.until > now);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Draft>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Enough to read a judgement and to ask somebody.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Of one person; who goes back and forth leaves some behind.
const MOST_OF_ONE: usize = 4;
/// Each is at most 2 MiB.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form::of(&[("password", None, b"secret")])
    }

    fn problem(result: Result<Taken, Problem>) -> Option<Kind> {
        result.err().map(|problem| problem.kind())
    }

    #[tokio::test(start_paused = true)]
    async fn a_draft_is_for_who_sent_it_and_for_a_quarter_of_an_hour() {
        let drafts = Drafts::default();
        let id = drafts.keep("user 0".into(), form(), Some("shop".into())).expect("kept");
        let taken = drafts.look("user 0", &id).expect("there");
        assert_eq!((taken.form.text("password"), taken.request.as_deref()), (Ok(Some("secret")), Some("shop")));
        assert_eq!(problem(drafts.look("user 7", &id)), Some(Kind::NotFound));
        drafts.discard("user 7", &id);
        assert!(drafts.look("user 0", &id).is_ok());
        tokio::time::advance(LIFETIME - Duration::from_secs(1)).await;
        assert!(drafts.look("user 0", &id).is_ok());
        tokio::time::advance(Duration::from_secs(2)).await;
        tokio::task::yield_now().await;
        assert!(drafts.lock().is_empty(), "nobody looked, and it is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_takes_the_room_of_all() {
        let drafts = Drafts::default();
        let keep = |who: &str| drafts.keep(who.into(), form(), None);
        let first = keep("a").expect("kept");
        let others: Vec<_> = (0..MOST_OF_ONE).map(|_| keep("a").expect("kept")).collect();
        assert_eq!(problem(drafts.look("a", &first)), Some(Kind::NotFound));
        assert!(others.iter().all(|id| drafts.look("a", id).is_ok()));
        for who in ["b", "c", "d"] {
            (0..MOST_OF_ONE).for_each(|_| drop(keep(who).expect("kept")));
        }
        assert_eq!(keep("e").map_err(|problem| problem.kind()), Err(Kind::Conflict));
        let of_b = drafts.lock().iter().find(|draft| draft.who == "b").expect("one").id.clone();
        drafts.discard("b", &of_b);
        assert!(keep("e").is_ok());
    }
}
