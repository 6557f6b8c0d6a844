//! A form with files (`multipart/form-data`, RFC 7578).
//!
//! Read in place: forms carry private keys and passwords, so there is one buffer, wiped when dropped, and parts are ranges of it.
//! The crates for this stream, which copies through buffers that nobody wipes.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::admin::problem::{Kind, Problem};
use crate::words::refusal::Refusal;

/// The parts of a form.
#[derive(Default)]
pub(in crate::admin) struct Form {
    content: Zeroizing<Vec<u8>>,
    parts: Vec<Part>,
}

/// One of them.
struct Part {
    name: &'static str,
    file: Option<String>,
    range: Range<usize>,
}

/// A file of a form.
pub(in crate::admin) struct FormFile<'a> {
    /// What the client calls it; only to be shown.
    pub(in crate::admin) name: Option<&'a str>,
    /// What is in it.
    pub(in crate::admin) content: &'a [u8],
}

impl Form {
    /// Reads a form whose parts have `known` names.
    pub(in crate::admin) fn read(
        content: Zeroizing<Vec<u8>>,
        boundary: &str,
        known: &'static [&'static str],
    ) -> Result<Self, Problem> {
        let mut parts = Vec::new();
        for range in ranges(&content, boundary)? {
            let (head, start) = head(&content, range.clone())?;
            let range = start..range.end;
            let Some(name) = known.iter().find(|known| **known == head.name) else {
                let known = known.join(", ");
                return Err(Problem::malformed(format!("expected parts named {known}, found {:?}", head.name))
                    .because(Refusal::Unlike));
            };
            if range.len() > LARGEST_PART {
                let text = format!("the part {name}: expected at most {LARGEST_PART} octets, found {}", range.len());
                return Err(Problem::new(Kind::TooLarge, text));
            }
            if parts.len() == MOST_PARTS {
                return Err(Problem::malformed(format!("expected at most {MOST_PARTS} parts, found more"))
                    .because(Refusal::Unlike));
            }
            parts.push(Part { name, file: head.file, range });
        }
        Ok(Self { content, parts })
    }

    /// A form of these parts: the name of each, that of its file if it is one, and what is in it.
    pub(in crate::admin) fn of(parts: &[(&'static str, Option<&str>, &[u8])]) -> Self {
        // Of its size from the start: a buffer that grows leaves copies behind.
        let size = parts.iter().map(|(_, _, content)| content.len()).sum();
        let mut form = Self { content: Zeroizing::new(Vec::with_capacity(size)), parts: Vec::new() };
        for (name, file, content) in parts {
            let start = form.content.len();
            form.content.extend_from_slice(content);
            let (file, range) = (file.map(str::to_owned), start..form.content.len());
            form.parts.push(Part { name, file, range });
        }
        form
    }

    /// The same again, in memory of its own.
    pub(in crate::admin) fn again(&self) -> Self {
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|part| (part.name, part.file.as_deref(), &self.content[part.range.clone()]))
            .collect();
        Self::of(&parts)
    }

    /// The parts of a name, in order.
    pub(in crate::admin) fn files(&self, name: &str) -> impl Iterator<Item = FormFile<'_>> {
        let named = self.parts.iter().filter(move |part| part.name == name);
        named.map(|part| FormFile { name: part.file.as_deref(), content: &self.content[part.range.clone()] })
    }

    /// The one part of a name as text.
    pub(in crate::admin) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut files = self.files(name);
        match (files.next(), files.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => {
                Err(Problem::malformed(format!("the part {name} is there twice; take one out"))
                    .because(Refusal::Unlike))
            }
            (Some(file), None) => match std::str::from_utf8(file.content) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(Problem::malformed(format!("the part {name}: expected UTF-8, found other octets"))
                    .because(Refusal::Unlike)),
            },
        }
    }
}

/// Where each part lies, its head included (RFC 2046 §5.1.1).
fn ranges(content: &[u8], boundary: &str) -> Result<Vec<Range<usize>>, Problem> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let broken = || Problem::malformed("the form's parts are not as its Content-Type says; let the client set both");
    // The first may stand at the very start, without a line before it.
    let mut at = match content.strip_prefix(&delimiter[2..]) {
        Some(_) => delimiter.len() - 2,
        None => find(content, 0, &delimiter).ok_or_else(broken)? + delimiter.len(),
    };
    let mut found = Vec::new();
    loop {
        if content[at..].starts_with(b"--") {
            return Ok(found);
        }
        // Blanks may have been added behind a boundary on the way.
        let padding = content[at..].iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
        let start = content[at + padding..].strip_prefix(b"\r\n").map(|rest| content.len() - rest.len());
        let start = start.ok_or_else(broken)?;
        // A part without fields begins with the line that ends its head, which the delimiter may share.
        let end = find(content, start - 2, &delimiter).ok_or_else(broken)?;
        found.push(start..end.max(start));
        at = end + delimiter.len();
    }
}

fn find(content: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    content[from..].windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}

/// What the head of a part says.
struct Head {
    name: String,
    file: Option<String>,
}

/// Reads a part's head and gives where its content begins.
fn head(content: &[u8], range: Range<usize>) -> Result<(Head, usize), Problem> {
    let part = &content[range.clone()];
    let end = find(part, 0, b"\r\n\r\n").filter(|end| *end <= LONGEST_HEAD);
    let end = end.ok_or_else(|| Problem::malformed("a part of the form has no head, or one of unusual length"))?;
    let unnamed = || Problem::malformed("a part of the form has no name in its Content-Disposition");
    let text = std::str::from_utf8(&part[..end]).map_err(|_| unnamed())?;
    let fields = text.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut dispositions = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-disposition"));
    let (Some((_, disposition)), None) = (dispositions.next(), dispositions.next()) else { return Err(unnamed()) };
    let head = disposed(disposition.trim()).ok_or_else(unnamed)?;
    Ok((head, range.start + end + 4))
}

/// Reads a Content-Disposition as browsers and curl write it.
fn disposed(value: &str) -> Option<Head> {
    let mut rest = value.strip_prefix("form-data")?.trim_start();
    let (mut name, mut file) = (None, None);
    while let Some(parameter) = rest.strip_prefix(';') {
        let (key, behind) = parameter.split_once('=')?;
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = behind.find(';').unwrap_or(behind.len());
                (behind[..end].trim().to_owned(), &behind[end..])
            }
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => name = Some(value),
            "filename" => file = Some(value),
            _ => {}
        }
        rest = behind.trim_start();
    }
    rest.is_empty().then_some(())?;
    Some(Head { name: name?, file })
}

/// A quoted string behind its first quote, and what follows its last.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    loop {
        match letters.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(letters.next()?.1),
            (_, letter) => value.push(letter),
        }
    }
}

/// As long as a file in the drop folder may be.
const LARGEST_PART: usize = 1024 * 1024;
/// A chain and a key for each kind, and then some.
const MOST_PARTS: usize = 32;
/// Three fields, one of them with a long file name.
const LONGEST_HEAD: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &[&str] = &["file", "password"];

    fn read(content: &str) -> Result<Form, Problem> {
        Form::read(Zeroizing::new(content.as_bytes().to_vec()), "limit", KNOWN)
    }

    fn detail(content: &str) -> String {
        match read(content) {
            Ok(_) => "read".into(),
            Err(problem) => format!("{problem:?}"),
        }
    }

    #[test]
    fn files_and_texts_come_out_as_they_went_in() {
        let form = read(
            "a preamble\r\n--limit  \r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".pem\"\r\n\
             Content-Type: application/x-pem-file\r\n\r\none\r\n--lim\r\n\r\n--limit\r\n\
             content-disposition: form-data; name=file\r\n\r\n\r\n--limit\r\n\
             Content-Disposition: form-data; name=\"password\"\r\n\r\nünlock\r\n--limit--\r\nan epilogue",
        );
        let form = form.unwrap_or_else(|problem| panic!("{problem:?}"));
        let files: Vec<_> = form.files("file").map(|file| (file.name, file.content)).collect();
        assert_eq!(files, [(Some("a \"b\".pem"), &b"one\r\n--lim\r\n"[..]), (None, b"")]);
        assert_eq!(form.text("password"), Ok(Some("ünlock")));
        assert_eq!(form.text("pin"), Ok(None));
        assert!(form.text("file").is_err());
    }

    #[test]
    fn a_form_can_be_made_of_its_parts() {
        let form = Form::of(&[("file", Some("a.pem"), b"one"), ("password", None, b""), ("file", None, b"two")]);
        let files: Vec<_> = form.files("file").map(|file| (file.name, file.content)).collect();
        assert_eq!(files, [(Some("a.pem"), &b"one"[..]), (None, b"two")]);
        assert_eq!(form.text("password"), Ok(Some("")));
    }

    #[test]
    fn a_form_that_is_none_is_told() {
        for (content, expected) in [
            ("", "parts are not as"),
            ("--limit", "parts are not as"),
            ("--limit\r\n", "parts are not as"),
            ("--limit\r\n--limit--", "has no head"),
            ("--limit\r\n\r\nx\r\n--limit--", "has no head"),
            ("--limit\r\nContent-Disposition: form-data\r\n\r\nx\r\n--limit--", "no name"),
            ("--limit\r\nContent-Disposition: form-data; name=\"fi\r\n\r\nx\r\n--limit--", "no name"),
            ("--limit\r\nContent-Disposition: form-data; name=secret\r\n\r\nx\r\n--limit--", "found \\\"secret\\\""),
            ("--limit\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--other--", "parts are not as"),
        ] {
            let detail = detail(content);
            assert!(detail.contains(expected), "{content:?}: {detail}");
        }
    }

    #[test]
    fn a_part_has_a_bound_of_its_own() {
        let part = |size: usize| {
            let content = "x".repeat(size);
            format!("--limit\r\nContent-Disposition: form-data; name=file\r\n\r\n{content}\r\n--limit--")
        };
        assert_eq!(detail(&part(LARGEST_PART)), "read");
        assert!(detail(&part(LARGEST_PART + 1)).contains("TooLarge"));
        let many = "--limit\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n".repeat(MOST_PARTS + 1);
        assert!(detail(&format!("{many}--limit--")).contains("at most 32 parts"));
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_makes_it_panic(pieces in proptest::collection::vec(0..8_usize, 0..24)) {
            let pieces = pieces.into_iter().map(|piece| {
                ["--limit", "\r\n", "--", " ", "Content-Disposition: form-data; name=file", "\r\n\r\n", "x\"\\", ";="][piece]
            });
            let _ = read(&pieces.collect::<String>());
        }
    }
}
