//! A form with files, as it is sent (`multipart/form-data`, RFC 7578).

use bytes::Bytes;
use zeroize::Zeroizing;

use super::Content;

/// A part of it.
pub struct FormPart {
    /// What it is.
    pub name: &'static str,
    /// The name of a file, to be shown.
    pub file: Option<String>,
    /// What is in it; it may be a secret.
    pub content: Zeroizing<Vec<u8>>,
}

/// A form as it is sent, in one buffer that is wiped when it has gone.
pub(super) fn form(parts: &[FormPart]) -> Content {
    let holds = |boundary: &str| {
        parts.iter().any(|part| part.content.windows(boundary.len()).any(|window| window == boundary.as_bytes()))
    };
    let boundaries = (0_u64..).map(|number| format!("vitrine-form-boundary-{number}"));
    let boundary = boundaries.into_iter().find(|boundary| !holds(boundary)).unwrap_or_default();
    let heads: Vec<String> = parts
        .iter()
        .map(|part| {
            let file = part.file.as_ref().map(|file| {
                let file: String = file.chars().filter(|letter| !letter.is_control()).collect();
                format!("; filename=\"{}\"", file.replace('\\', "\\\\").replace('"', "\\\""))
            });
            let name = part.name;
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{}\r\n\r\n",
                file.unwrap_or_default()
            )
        })
        .collect();
    let end = format!("--{boundary}--\r\n");
    let size = parts.iter().zip(&heads).map(|(part, head)| part.content.len() + head.len() + 2).sum::<usize>();
    let mut content = Zeroizing::new(Vec::with_capacity(size + end.len()));
    for (part, head) in parts.iter().zip(&heads) {
        for piece in [head.as_bytes(), &part.content, b"\r\n"] {
            content.extend_from_slice(piece);
        }
    }
    content.extend_from_slice(end.as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), Bytes::from_owner(content))
}
