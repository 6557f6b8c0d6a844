//! What is told of a refusal in the reader's language, on the page that is refused and in the record of it later.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Kind;
use crate::admin::panel::FlawView;
use crate::overview::Said;
use crate::words::Language;
use crate::words::refusal::Refusal;
use crate::words::said::SaidWords;

/// By the refusal, or else by its kind, which says less: then what was answered is quoted beside.
pub(super) fn said(words: &SaidWords, refusal: Option<&Refusal>, kind: Option<Kind>, detail: &str) -> Said {
    let quote = || Some(detail.to_owned()).filter(|_| kind.is_none_or(Kind::is_about_more));
    match refusal {
        Some(why) => Said { text: (words.refused.text)(why), quote: (words.refused.quote)(why).map(str::to_owned) },
        None => {
            Said { text: kind.map(|kind| (words.refused.sort)(kind.code())).unwrap_or_default().into(), quote: quote() }
        }
    }
}

/// As the record has it: the code of the refusal, or that of its kind; with what is particular to it.
pub(super) fn written(refusal: Option<&Refusal>, kind: Kind, flaws: Option<&Value>) -> Option<Value> {
    let by_kind = || match flaws.and_then(Value::as_array) {
        Some(flaws) => {
            // Without its sentences, which the detail has.
            let part = |flaw: &Value| json!({ "file": flaw["file"], "code": flaw["code"], "about": flaw["about"] });
            json!({ "code": kind.code(), "details": flaws.iter().map(part).collect::<Vec<_>>() })
        }
        None => json!({ "code": kind.code() }),
    };
    refusal.map_or_else(|| Some(by_kind()), Refusal::written)
}

/// What a record has of a refusal, in the reader's language; `None`: its code says nothing to a reader here.
pub(in crate::admin) fn recorded(why: &Value, detail: &str, language: Language) -> Option<Said> {
    let words = language.said()?;
    if let Some(refusal) = Refusal::read(why) {
        return Some(said(words, Some(&refusal), None, detail));
    }
    let kind = Kind::of_code(why["code"].as_str()?)?;
    let flaws = why["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let flaws: Vec<_> = flaws.iter().filter_map(|flaw| flaw_said(flaw, language)).collect();
    match flaws.is_empty() {
        true => Some(said(words, None, Some(kind), detail)),
        false => Some(Said::own(flaws.join(" "))),
    }
}

fn flaw_said(flaw: &Value, language: Language) -> Option<String> {
    let flaw = FlawView::deserialize(flaw).ok()?;
    let (reason, mend) = (flaw.reason(&language), flaw.mend(&language));
    (!reason.is_empty()).then(|| format!("{}: {reason}. {mend}", flaw.file))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_of_a_record_is_read_again_and_said_in_german() {
        let unknown = serde_json::from_value::<Refusal>(json!({ "code": "none" })).expect_err("no such code");
        let unknown = unknown.to_string();
        let codes: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
        assert!(codes.len() > 90, "{unknown}");
        let particular = [
            json!("x"),
            json!("user"),
            json!("socket"),
            json!(3),
            json!(["x", "y"]),
            json!(["user", "x"]),
            json!(["name", { "line": 3 }]),
        ];
        let mut texts = BTreeSet::new();
        for code in &codes {
            let with = |details: &Value| Refusal::read(&json!({ "code": code, "details": details }));
            let refusal = particular.iter().find_map(with).or_else(|| Refusal::read(&json!({ "code": code })));
            let refusal = refusal.expect(code);
            let written = refusal.written().expect(code);
            assert_eq!((&written["code"], Refusal::read(&written)), (&json!(code), Some(refusal)), "{written}");
            // Whoever reads a code knows which of the two it is.
            assert_eq!(Kind::of_code(code), None);
            let Said { text, quote } = recorded(&written, "in English", Language::De).expect(code);
            assert!(quote.is_none_or(|quote| quote == "x"), "{code}: {text}");
            assert!(!text.contains("English") && texts.insert(text.clone()), "{code}: {text}");
        }
        assert_eq!(Refusal::Own("hier").written(), None);
    }

    #[test]
    fn a_kind_says_less_and_quotes_what_was_answered() {
        let told = |why: Value| recorded(&why, "in English", Language::De);
        for kind in Kind::ALL {
            let why = written(None, kind, None).expect("a code");
            assert_eq!(why, json!({ "code": kind.code() }));
            let Said { text, quote } = told(why).expect("known");
            assert!(!text.is_empty() && quote.is_some() == kind.is_about_more(), "{kind:?}");
        }
        let flaws = json!([{ "file": "a.pem", "code": "empty", "reason": "it is", "mend": "another", "about": [] }]);
        let why = written(None, Kind::Rejected, Some(&flaws)).expect("a code");
        assert_eq!(why["details"], json!([{ "file": "a.pem", "code": "empty", "about": [] }]));
        let Said { text, quote } = told(why).expect("known");
        assert!(text.starts_with("a.pem: ") && text.len() > "a.pem: . ".len() && quote.is_none(), "{text}");
        // What is left of a list that was too long, and what a later edge says.
        assert_eq!(told(json!({ "code": "last-good" })), None);
        assert_eq!(told(json!({ "code": "of-tomorrow" })), None);
        assert_eq!(told(json!(7)), None);
        assert_eq!(recorded(&json!({ "code": "conflict" }), "in English", Language::En), None);
    }
}
