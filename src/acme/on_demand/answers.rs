//! What was answered lately. Only names that were asked about are kept, and those are few.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Answer;
use crate::name::HostName;

/// Until when each name is not asked about again.
#[derive(Default)]
pub(super) struct Answers(HashMap<HostName, Instant>);

impl Answers {
    pub(super) fn is_known(&mut self, name: &HostName, now: Instant) -> bool {
        self.0.retain(|_, until| *until > now);
        self.0.contains_key(name)
    }

    /// Keeps what is known of a name as long as it may be relied on.
    pub(super) fn keep(&mut self, name: &HostName, answer: &Answer, now: Instant) {
        let time = match answer {
            Answer::No => NO,
            // It is being asked about, or it is about to be a site.
            Answer::Limited | Answer::Yes => SOON,
            Answer::Failed(_) => FAILED,
        };
        self.0.insert(name.clone(), now + time);
    }
}

/// Whoever has just entered a shop wants to see it within the hour.
const NO: Duration = Duration::from_mins(10);
const SOON: Duration = Duration::from_mins(5);
const FAILED: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_a_while() {
        let (mut answers, now) = (Answers::default(), Instant::now());
        let name = |text: &str| HostName::parse(text).expect("a name");
        answers.keep(&name("no.example"), &Answer::No, now);
        answers.keep(&name("failed.example"), &Answer::Failed("why".into()), now);
        assert!(answers.is_known(&name("no.example"), now) && !answers.is_known(&name("other.example"), now));
        assert!(!answers.is_known(&name("failed.example"), now + FAILED));
        assert!(answers.is_known(&name("no.example"), now + NO - Duration::from_secs(1)));
        assert!(!answers.is_known(&name("no.example"), now + NO) && answers.0.is_empty());
    }
}
