//! HTTP/1.1 messages, read by a reader that is none of the edge's.

use std::io::{self, BufRead, Read};

/// Start line and fields; names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) start: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Head {
    /// The next head; `None` when the peer has ended before it.
    pub(crate) fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(start) = line(reader)? else { return Ok(None) };
        Ok(Some(Self { start, fields: fields(reader)? }))
    }

    /// A field's value, if it stands there exactly once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        match self.all(name)[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    /// A field's values in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }

    /// How the body that follows is framed.
    pub(crate) fn framing(&self) -> Framing {
        if self.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Framing::Chunked;
        }
        match self.field("content-length") {
            Some(length) => Framing::Length(length.parse().expect("a length")),
            None => Framing::None,
        }
    }
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// A body and the trailers behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Content {
    /// Reads a body to its end.
    pub(crate) fn read(reader: &mut impl BufRead, framing: Framing) -> io::Result<Self> {
        let mut content = Self::default();
        match framing {
            Framing::None => {}
            Framing::Length(length) => {
                reader.take(length).read_to_end(&mut content.bytes)?;
                if content.bytes.len() as u64 != length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Framing::UntilClose => drop(reader.read_to_end(&mut content.bytes)?),
            Framing::Chunked => loop {
                let size = line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let size = u64::from_str_radix(size.split(';').next().unwrap_or_default(), 16)
                    .map_err(|_| io::Error::other(format!("{size:?} is no chunk size")))?;
                if size == 0 {
                    content.trailers = fields(reader)?;
                    break;
                }
                let before = content.bytes.len() as u64;
                reader.take(size).read_to_end(&mut content.bytes)?;
                let end = line(reader)?;
                if content.bytes.len() as u64 - before != size || end.as_deref() != Some("") {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            },
        }
        Ok(content)
    }
}

/// A response with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) content: Content,
}

impl Response {
    /// Reads one, interim responses passed over.
    pub(crate) fn read(reader: &mut impl BufRead, to_head: bool) -> io::Result<Self> {
        loop {
            let response = Self::read_any(reader, to_head)?;
            if response.status >= 200 || response.status == 101 {
                return Ok(response);
            }
        }
    }

    /// Reads one, interim or not.
    pub(crate) fn read_any(reader: &mut impl BufRead, to_head: bool) -> io::Result<Self> {
        let head = Head::read(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.start.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("{:?} is no status line", head.start)))?;
        let bodiless = to_head || status < 200 || status == 204 || status == 304;
        let framing = match head.framing() {
            _ if bodiless => Framing::None,
            Framing::None => Framing::UntilClose,
            framing => framing,
        };
        let content = Content::read(reader, framing)?;
        Ok(Self { status, head, content })
    }

    /// One of HTTP/2 as it would read in HTTP/1.1.
    pub(crate) fn of(head: &http::response::Parts, body: &[u8]) -> Self {
        let value = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let fields = head.headers.iter().map(|(name, said)| (name.as_str().to_owned(), value(said))).collect();
        let head_line = Head { start: format!("HTTP/2 {}", head.status), fields };
        let content = Content { bytes: body.to_vec(), trailers: Vec::new() };
        Self { status: head.status.as_u16(), head: head_line, content }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content.bytes).into_owned()
    }

    /// The body, if it is JSON.
    pub(crate) fn try_json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.content.bytes).ok()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.content.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

fn fields(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(fields);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| io::Error::other(format!("{line:?} is no field")))?;
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut octets = Vec::new();
    reader.read_until(b'\n', &mut octets)?;
    if octets.is_empty() {
        return Ok(None);
    }
    if !octets.ends_with(b"\r\n") {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "half a line"));
    }
    octets.truncate(octets.len() - 2);
    Ok(Some(octets.iter().map(|octet| char::from(*octet)).collect()))
}
