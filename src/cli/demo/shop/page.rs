//! The shops' pages. What a client sent is shown in them, so every value is escaped on its way in.

use std::borrow::Cow;

use http::header::{FORWARDED, HOST};
use http::{HeaderName, Request, Response, StatusCode};

use super::content::{Front, HOSTS};
use super::{Body, HTML, text};

/// A shop's own page.
pub(super) fn home<B>(front: &Front, request: &Request<B>) -> Response<Body> {
    let neighbour = front.neighbour();
    let port = port(request);
    let page = fill(
        HOME,
        &[
            ("theme", front.theme.into()),
            ("name", escaped(front.name)),
            ("motto", escaped(front.motto)),
            ("products", products(front).into()),
            ("received", received(request).into()),
            ("neighbour", escaped(neighbour.name)),
            ("neighbour-address", format!("//{}{port}/", neighbour.host).into()),
        ],
    );
    text(HTML, page)
}

/// What is said where there is nothing.
pub(super) fn lost<B>(request: &Request<B>) -> Response<Body> {
    let port = port(request);
    let doors = HOSTS.map(|host| format!("<a href=\"//{host}{port}/\">{host}</a>")).join(" · ");
    let page = fill(LOST, &[("path", escaped(request.uri().path())), ("doors", doors.into())]);
    let mut response = text(HTML, page);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// How the pages look.
pub(super) const STYLE: &str = include_str!("style.css");
/// What the pages try out.
pub(super) const SCRIPT: &str = include_str!("page.js");

fn products(front: &Front) -> String {
    let product = |product: &super::content::Product| {
        fill(
            PRODUCT,
            &[
                ("name", escaped(product.name)),
                ("note", escaped(product.note)),
                ("price", escaped(product.price)),
                ("drawing", product.drawing.into()),
            ],
        )
    };
    front.products.iter().map(product).collect()
}

/// The rows of what the edge passed on.
fn received<B>(request: &Request<B>) -> String {
    let row = |name: &str, value: &str| {
        format!("<tr><th scope=\"row\">{}</th><td><code>{}</code></td></tr>\n", escaped(name), escaped(value))
    };
    let mut rows = row("Request", &format!("{} {} {:?}", request.method(), request.uri(), request.version()));
    for (title, name) in SHOWN {
        let mut values = request.headers().get_all(&name).iter().peekable();
        if values.peek().is_none() {
            rows.push_str(&format!("<tr><th scope=\"row\">{title}</th><td class=\"none\">not sent</td></tr>\n"));
        }
        for value in values {
            rows.push_str(&row(title, &String::from_utf8_lossy(value.as_bytes())));
        }
    }
    rows
}

/// The port the client used, with its colon, for links to the shop next door. Digits alone: it needs no escaping.
fn port<B>(request: &Request<B>) -> &str {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match host.rfind(':') {
        Some(colon) if host[colon + 1..].bytes().all(|byte| byte.is_ascii_digit()) => &host[colon..],
        _ => "",
    }
}

/// Puts values in place of `{{name}}`, in one pass: a value that looks like a place stays a value.
fn fill(template: &str, values: &[(&str, Cow<'_, str>)]) -> String {
    let mut page = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, behind)| Some((before, behind.split_once("}}")?)))
    {
        page.push_str(before);
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            page.push_str(value);
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

/// For the text of an element and for an attribute in double quotes.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe.into()
}

const HOME: &str = include_str!("home.html");
const LOST: &str = include_str!("lost.html");
const PRODUCT: &str = include_str!("product.html");
const SHOWN: [(&str, HeaderName); 6] = [
    ("Host", HOST),
    ("X-Forwarded-For", HeaderName::from_static("x-forwarded-for")),
    ("X-Forwarded-Proto", HeaderName::from_static("x-forwarded-proto")),
    ("X-Forwarded-Host", HeaderName::from_static("x-forwarded-host")),
    ("Forwarded", FORWARDED),
    ("X-Request-Id", HeaderName::from_static("x-request-id")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_a_value() {
        let values = [("a", escaped("<b>{{b}}</b> & \"'")), ("b", "never".into())];
        assert_eq!(fill("[{{a}}] {{unknown}} {{b", &values), "[&lt;b&gt;{{b}}&lt;/b&gt; &amp; &quot;&#39;]  {{b");
    }

    #[test]
    fn links_keep_the_port_and_nothing_else() {
        for (host, expected) in [("a:8443", ":8443"), ("a", ""), ("a:8443/x", ""), ("a:\"", ""), ("a:", ":")] {
            let request = Request::builder().header(HOST, host).body(()).expect("a request");
            assert_eq!(port(&request), expected, "{host}");
        }
    }
}
