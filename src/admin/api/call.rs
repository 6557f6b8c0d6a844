//! One request to the interface, read and allowed.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::error::Category;
use zeroize::Zeroizing;

use super::conditions::Conditions;
use super::form::Form;
use super::query::Query;
use super::route::Takes;
use crate::admin::Sources;
use crate::admin::problem::{Kind, Problem};
use crate::admin::rights::Caller;
use crate::admin::upload::Upload;
use crate::words::refusal::Refusal;

/// What an operation is given. Its body may hold secrets; so it cannot be printed.
pub(super) struct Call {
    /// Who asks.
    pub(super) caller: Caller,
    /// Of what.
    pub(super) sources: Arc<Sources>,
    /// What stands behind the `?`.
    pub(super) query: Query,
    /// What the path says.
    pub(super) parameters: Vec<(&'static str, String)>,
    /// What was sent along.
    pub(super) content: Content,
    /// What must be so.
    pub(super) conditions: Conditions,
}

impl Call {
    /// What stands in the path where the operation's pattern has `{name}`.
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(found, _)| *found == name).map_or("", |(_, value)| value)
    }

    /// The JSON that was sent.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        match &self.content {
            Content::Json(json) => serde_json::from_slice(json).map_err(|error| {
                let text = words(&error);
                let why = refusal(&error, &text);
                Problem::malformed(text).because(why)
            }),
            _ => Err(Problem::malformed("expected a JSON document, found no body")),
        }
    }

    /// The form that was sent.
    pub(super) fn form(&self) -> Result<&Form, Problem> {
        match &self.content {
            Content::Form(form) => Ok(form),
            _ => Err(Problem::malformed("expected a form with files, found no body")),
        }
    }
}

/// What was sent along.
pub(in crate::admin) enum Content {
    /// Nothing.
    None,
    /// A document.
    Json(Zeroizing<Vec<u8>>),
    /// A form.
    Form(Form),
}

impl Content {
    /// Takes what the operation wants. Whatever else there is has no bearing on it and is left.
    pub(in crate::admin) async fn take(
        upload: &mut Upload,
        media_type: Option<&str>,
        takes: Takes,
    ) -> Result<Self, Problem> {
        let media = media_type.map(MediaType::read);
        let essence = media.as_ref().map(|media| media.essence.as_str());
        match (takes, essence) {
            (Takes::Nothing, _) => Ok(Self::None),
            (Takes::Json, Some("application/json")) => Ok(Self::Json(upload.take(LARGEST_DOCUMENT).await?)),
            (Takes::Form(names), Some("multipart/form-data")) => {
                let boundary = media.as_ref().and_then(|media| media.boundary.as_deref());
                let boundary = boundary.ok_or_else(|| {
                    Problem::malformed("the Content-Type multipart/form-data has no boundary; let the client set it")
                })?;
                Ok(Self::Form(Form::read(upload.take(LARGEST_FORM).await?, boundary, names)?))
            }
            (_, None) if upload.is_empty() => Ok(Self::None),
            (takes, found) => {
                let expected = takes.media_type();
                let found = found.map_or_else(|| "none".to_owned(), |found| format!("{found:?}"));
                Err(Problem::new(Kind::MediaType, format!("expected the Content-Type {expected}, found {found}")))
            }
        }
    }
}

impl Takes {
    /// What its Content-Type is.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Json => "application/json",
            Self::Form(_) => "multipart/form-data",
        }
    }
}

/// A Content-Type (RFC 9110 §8.3.1).
struct MediaType {
    essence: String,
    boundary: Option<String>,
}

impl MediaType {
    fn read(value: &str) -> Self {
        let mut parts = value.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let named = parts.filter_map(|part| part.split_once('='));
        let boundary = named.filter(|(name, _)| name.eq_ignore_ascii_case("boundary")).map(|(_, value)| value);
        let boundary = boundary.map(|value| value.trim_matches('"').to_owned()).next();
        Self { essence, boundary: boundary.filter(|boundary| (1..=LONGEST_BOUNDARY).contains(&boundary.len())) }
    }
}

/// What is wrong with a document, and where. Its values may be secrets: nothing of them is repeated.
fn words(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
    let what = match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => text,
        Category::Data => match text.rfind(EXPECTED) {
            Some(at) => &text[at + ", ".len()..],
            None if text.starts_with("missing field ") || text.starts_with("duplicate field ") => text,
            None => "this is not what /api/v1/openapi.json describes",
        },
    };
    format!("the JSON document, line {line}, column {column}: {what}")
}

/// The same as a code. What is offered stands in the text between backticks.
fn refusal(error: &serde_json::Error, text: &str) -> Refusal {
    if !error.to_string().starts_with("unknown variant ") {
        return Refusal::Unlike;
    }
    let offered: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    Refusal::NotOffered(offered.join(", "))
}

/// What comes before the harmless part of what serde says.
const EXPECTED: &str = ", expected ";
/// Some hundred times what any order has to say.
const LARGEST_DOCUMENT: usize = 64 * 1024;
/// A certificate, its chain, its key and their password, each as long as a file may be.
const LARGEST_FORM: usize = 2 * 1024 * 1024;
/// RFC 2046 §5.1.1
const LONGEST_BOUNDARY: usize = 70;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code)]
        name: String,
        #[expect(dead_code)]
        days: u8,
        #[expect(dead_code)]
        role: Option<Role>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Role {
        Read,
    }

    #[test]
    fn a_mistake_in_a_document_is_told_without_repeating_its_values() {
        let place = |column: usize| format!("the JSON document, line 1, column {column}: ");
        for (text, expected) in [
            (r#"{"name":"hunter2","days":1"#, place(26) + "EOF while parsing an object"),
            (r#"{"name":hunter2}"#, place(9) + "expected value"),
            (r#"{"name":"hunter2"}"#, place(18) + "missing field `days`"),
            (r#"{"name":"x","days":"hunter2"}"#, place(28) + "expected u8"),
            (r#"{"name":"x","days":"a, expected hunter2"}"#, place(40) + "expected u8"),
            (r#"{"name":"x","days":300}"#, place(22) + "expected u8"),
            (r#"{"hunter2":"x"}"#, place(10) + "expected one of `name`, `days`, `role`"),
            (r#"{"name":"x","days":1,"role":"hunter2"}"#, place(37) + "expected `read`"),
        ] {
            let error = serde_json::from_str::<Order>(text).expect_err("wrong");
            assert_eq!(words(&error), expected, "{text}: {error}");
        }
    }

    #[test]
    fn a_choice_that_nothing_offers_is_told_with_what_is() {
        let refused = |text: &str| {
            let error = serde_json::from_str::<Order>(text).expect_err("wrong");
            refusal(&error, &words(&error))
        };
        let offered = Refusal::NotOffered("read".into());
        assert_eq!(refused(r#"{"name":"x","days":1,"role":"`hunter2`"}"#), offered);
        for text in [r#"{"name":"x","days":300}"#, r#"{"hunter2":"x"}"#, r#"{"name":"#] {
            assert_eq!(refused(text), Refusal::Unlike, "{text}");
        }
    }

    #[test]
    fn a_content_type_is_read_whatever_its_case_and_quotes() {
        let read = |value: &str| {
            let MediaType { essence, boundary } = MediaType::read(value);
            (essence, boundary)
        };
        let json = "application/json".to_owned();
        assert_eq!(read("Application/JSON; charset=utf-8"), (json, None));
        let form = || "multipart/form-data".to_owned();
        assert_eq!(read("multipart/form-data; Boundary=\"a b\""), (form(), Some("a b".into())));
        assert_eq!(read("multipart/form-data;boundary=x; y=z"), (form(), Some("x".into())));
        assert_eq!(read("multipart/form-data; boundary="), (form(), None));
        assert_eq!(read(&format!("multipart/form-data; boundary={}", "x".repeat(71))), (form(), None));
    }
}
