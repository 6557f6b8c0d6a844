//! Somebody at a browser: signs in, keeps the cookie, and shows the token with what he changes.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::edge::Edge;
use super::message::Response;
use super::talk::Talk;

/// A browser at an edge's admin listener.
pub(crate) struct Browser {
    edge: SocketAddr,
    /// `name=value`, as it is sent back.
    pub(crate) cookie: Option<String>,
    /// What changes show beside it.
    pub(crate) csrf: String,
}

impl Browser {
    /// Nobody so far.
    pub(crate) fn at(edge: &Edge) -> Self {
        Self { edge: edge.admin, cookie: None, csrf: String::new() }
    }

    /// Somebody who has signed in.
    pub(crate) fn signed_in(edge: &Edge, user: &str, password: &str) -> Self {
        let mut browser = Self::at(edge);
        let answer = browser.sign_in(user, password);
        assert_eq!(answer.status, 201, "{}", answer.text());
        browser
    }

    /// Signs in, if it can.
    pub(crate) fn sign_in(&mut self, user: &str, password: &str) -> Response {
        self.ask("POST", "/api/v1/session", Some(&json!({ "user": user, "password": password })))
    }

    /// A question.
    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.ask("GET", path, None)
    }

    /// Asks the API as a page's script does, and keeps what comes back.
    pub(crate) fn ask(&mut self, method: &str, path: &str, order: Option<&Value>) -> Response {
        let mut fields = self.cookie_field();
        if self.cookie.is_some() {
            fields += &format!("x-csrf-token: {}\r\n", self.csrf);
        }
        if method == "PATCH" {
            fields += "if-match: *\r\n";
        }
        let content = order.map(Value::to_string).unwrap_or_default();
        if order.is_some() {
            fields += "content-type: application/json\r\n";
        }
        let answer = self.send(&format!("{method} {path}"), &fields, &content);
        self.keep(&answer);
        if let Some(csrf) = answer.try_json().and_then(|answer| answer["csrf"].as_str().map(str::to_owned)) {
            self.csrf = csrf;
        }
        answer
    }

    /// Sends a form of a page, as a browser without a script does.
    pub(crate) fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let part = |(name, value): &(&str, &str)| {
            format!("--limit\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let content = fields.iter().map(part).collect::<String>() + "--limit--\r\n";
        let head = "accept: text/html\r\ncontent-type: multipart/form-data; boundary=limit\r\n".to_owned();
        let answer = self.send(&format!("POST {path}"), &(head + &self.cookie_field()), &content);
        self.keep(&answer);
        answer
    }

    /// Opens a page, and keeps the token of its forms.
    pub(crate) fn open(&mut self, path: &str) -> Response {
        let answer = self.send(&format!("GET {path}"), &format!("accept: text/html\r\n{}", self.cookie_field()), "");
        if let Some((_, rest)) = answer.text().split_once("name=\"csrf\" value=\"") {
            self.csrf = rest.split('"').next().unwrap_or_default().to_owned();
        }
        answer
    }

    fn cookie_field(&self) -> String {
        self.cookie.as_ref().map(|cookie| format!("cookie: {cookie}\r\n")).unwrap_or_default()
    }

    fn keep(&mut self, answer: &Response) {
        if let Some(cookie) = answer.field("set-cookie") {
            let pair = cookie.split(';').next().expect("a pair").to_owned();
            self.cookie = (!pair.ends_with('=')).then_some(pair);
        }
    }

    /// Sends a request as it is.
    pub(crate) fn send(&self, line: &str, fields: &str, content: &str) -> Response {
        let origin = format!("host: {0}\r\norigin: http://{0}\r\nuser-agent: test/1\r\n", self.edge);
        let length = content.len();
        Talk::plain(self.edge)
            .ask(format!("{line} HTTP/1.1\r\n{origin}{fields}content-length: {length}\r\n\r\n{content}"))
    }
}

impl Edge {
    /// A new user with a password of his own.
    pub(crate) fn user(&self, name: &str, role: &str) -> Browser {
        let order = json!({ "name": name, "role": role, "password": PASSWORD });
        let made = self.order_api("POST", "/api/v1/users", &order);
        assert_eq!(made.status, 201, "{}", made.text());
        Browser::signed_in(self, name, PASSWORD)
    }
}

/// Of those who are made by [`Edge::user`].
pub(crate) const PASSWORD: &str = "correct horse battery";
