//! A source file as the rules see it: which paths it names, on which line, and whether only its tests do.

/// One file of `src/`.
pub(crate) struct Source {
    /// Relative to `src/`, with slashes.
    pub(crate) path: String,
    /// As on disk.
    pub(crate) text: String,
    tokens: Vec<Token>,
}

/// A path as the code names it, `use` groups taken apart: `use a::{b, c::d as e}` names `a::b` and `a::c::d`.
#[derive(Debug, PartialEq)]
pub(crate) struct Path {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// Named by test code only.
    pub(crate) test: bool,
    /// The name a `use` gives it here.
    alias: Option<String>,
    /// Inline modules around it.
    inline: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut tokens = tokens(text);
        mark_tests(&mut tokens);
        Self { path: path.to_owned(), text: text.to_owned(), tokens }
    }

    /// `proxy/tls/hello` for `proxy/tls/hello.rs`, `proxy/tls` for `proxy/tls/mod.rs`.
    pub(crate) fn module(&self) -> &str {
        let stem = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        stem.strip_suffix("/mod").unwrap_or(stem)
    }

    /// The module right under the crate's root that the file belongs to.
    pub(crate) fn top(&self) -> &str {
        self.module().split('/').next().unwrap_or_default()
    }

    /// The modules that exist for tests alone, as [`Self::module`] would say them: `#[cfg(test)] mod tests;`.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let declared = self.tokens.windows(3).filter(|three| three[0].is("mod") && three[2].is(";") && three[0].test);
        declared.map(|three| format!("{}/{}", self.module(), three[1].text)).collect()
    }

    pub(crate) fn mark_as_test(&mut self) {
        self.tokens.iter_mut().for_each(|token| token.test = true);
    }

    /// Modules right under the crate's root that the file names, with the line: by `crate::`, by the library's name or by
    /// a chain of `super`. The root itself (`use crate::*`) is named `*`.
    pub(crate) fn roots(&self, library: &str) -> Vec<Path> {
        let depth = if matches!(self.module(), "lib" | "main") { 0 } else { self.module().split('/').count() };
        let mut roots = Vec::new();
        for mut path in self.paths() {
            let supers = path.segments.iter().skip_while(|s| *s == "self").take_while(|s| *s == "super").count();
            let selves = path.segments.iter().take_while(|s| *s == "self").count();
            let skip = if path.segments[0] == "crate" || path.segments[0] == library {
                1
            } else if supers > 0 && supers == depth + path.inline {
                selves + supers
            } else {
                continue;
            };
            path.segments.drain(..skip);
            if path.segments.is_empty() {
                path.segments.push("*".to_owned());
            }
            roots.push(path);
        }
        roots
    }

    /// Crates that the file names, each path once per place: the first segment, unless it is a module or a name of the file.
    pub(crate) fn crates(&self) -> Vec<Path> {
        let paths = self.paths();
        let local = |name: &str| {
            let declared = self.tokens.windows(2).any(|two| two[0].is("mod") && two[1].is(name));
            declared || paths.iter().any(|path| path.segments.len() > 1 && path.alias.as_deref() == Some(name))
        };
        let outside = |path: &Path| !matches!(&*path.segments[0], "crate" | "self" | "super" | "Self");
        let kept: Vec<_> = paths.iter().map(|path| outside(path) && !local(&path.segments[0])).collect();
        paths.into_iter().zip(kept).filter_map(|(path, keep)| keep.then_some(path)).collect()
    }

    /// The text of every token outside comments and literals.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.tokens.iter().map(|token| (token.line, &*token.text))
    }

    fn paths(&self) -> Vec<Path> {
        let mut walk = Walk { tokens: &self.tokens, at: 0, braces: 0, mods: Vec::new(), found: Vec::new() };
        walk.file();
        walk.found
    }
}

struct Walk<'a> {
    tokens: &'a [Token],
    at: usize,
    braces: usize,
    mods: Vec<usize>,
    found: Vec<Path>,
}

impl Walk<'_> {
    fn file(&mut self) {
        while self.at < self.tokens.len() {
            if self.peek("use") && !self.tokens.get(self.at + 1).is_some_and(|next| next.is("<")) {
                self.at += 1;
                self.use_tree(Vec::new());
            } else if self.tokens[self.at].is_word() {
                self.expression();
            } else {
                match &*self.tokens[self.at].text {
                    "{" => {
                        let inline = self.at >= 2 && self.tokens[self.at - 2].is("mod");
                        self.braces += 1;
                        self.mods.extend(inline.then_some(self.braces));
                    }
                    "}" => {
                        self.mods.pop_if(|depth| *depth == self.braces);
                        self.braces = self.braces.saturating_sub(1);
                    }
                    _ => {}
                }
                self.at += 1;
            }
        }
    }

    fn expression(&mut self) {
        let first = self.at;
        let mut segments = vec![self.word()];
        while self.peek("::") && self.tokens.get(self.at + 1).is_some_and(Token::is_word) {
            self.at += 1;
            segments.push(self.word());
        }
        // `value.field` and the tail of `<T as Trait>::item` or `name::<T>::item` start no path; `::name` does
        let before = |back: usize| first.checked_sub(back).map(|at| &self.tokens[at]);
        let tail = before(1).is_some_and(|b| b.is("::")) && before(2).is_some_and(|b| b.is(">") || b.is_word());
        let field = before(1).is_some_and(|b| b.is(".")) && !before(2).is_some_and(|b| b.is("."));
        if segments.len() > 1 && !tail && !field {
            self.add(first, segments, None);
        }
    }

    fn use_tree(&mut self, mut prefix: Vec<String>) {
        let first = self.at;
        while self.at < self.tokens.len() {
            if self.peek("{") {
                self.at += 1;
                while self.at < self.tokens.len() && !self.peek("}") {
                    self.use_tree(prefix.clone());
                    self.at += usize::from(self.peek(","));
                }
                self.at += 1;
                return;
            }
            if self.peek(";") || self.peek(",") || self.peek("}") {
                break;
            }
            if self.peek("as") {
                self.at += 1;
                let alias = self.word();
                return self.add(first, prefix, Some(alias));
            }
            if !self.peek("::") {
                prefix.push(self.tokens[self.at].text.clone());
            }
            self.at += 1;
        }
        if prefix.len() > 1 && prefix.last().is_some_and(|last| last == "self") {
            prefix.pop();
        }
        let alias = prefix.last().cloned();
        self.add(first, prefix, alias);
    }

    fn add(&mut self, first: usize, segments: Vec<String>, alias: Option<String>) {
        let Some(token) = self.tokens.get(first).filter(|_| !segments.is_empty()) else { return };
        self.found.push(Path { line: token.line, segments, test: token.test, alias, inline: self.mods.len() });
    }

    fn word(&mut self) -> String {
        self.at += 1;
        self.tokens.get(self.at - 1).map(|token| token.text.clone()).unwrap_or_default()
    }

    fn peek(&self, text: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.is(text))
    }
}

struct Token {
    line: usize,
    text: String,
    test: bool,
}

impl Token {
    fn is(&self, text: &str) -> bool {
        self.text == text
    }

    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c == '_' || c.is_alphabetic())
    }
}

/// Marks the item behind each `#[cfg(test)]`, and the whole file behind `#![cfg(test)]`.
fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        let inner = tokens.get(at + 1).is_some_and(|token| token.is("!"));
        let open = at + 1 + usize::from(inner);
        if !tokens[at].is("#") || !tokens.get(open).is_some_and(|token| token.is("[")) {
            at += 1;
            continue;
        }
        let close = closing(tokens, open);
        let has = |word: &str| tokens[open..close].iter().any(|token| token.is(word));
        let end = match has("cfg") && has("test") && !has("not") {
            true if inner => tokens.len(),
            true => item_end(tokens, close),
            false => close,
        };
        if end > close {
            tokens[at..end].iter_mut().for_each(|token| token.test = true);
        }
        at = end.max(at + 1);
    }
}

/// Behind the `;` or the closing brace that ends the item which starts at `at`.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while at < tokens.len() {
        match &*tokens[at].text {
            ";" => return at + 1,
            "{" => return closing(tokens, at),
            "(" | "[" => at = closing(tokens, at),
            _ => at += 1,
        }
    }
    at
}

/// Behind the bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match &*token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Words, `::` and single signs; comments, strings, characters, lifetimes and numbers left out.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let start = at;
        let rest = &chars[at..];
        let mut kept = None;
        match rest {
            ['/', '/', ..] => at += rest.iter().take_while(|c| **c != '\n').count(),
            ['/', '*', ..] => at += block_comment(rest),
            ['"', ..] => at += quoted(rest, '"'),
            ['b' | 'c', '"', ..] => at += 1 + quoted(&rest[1..], '"'),
            ['b', '\'', ..] => at += 1 + quoted(&rest[1..], '\''),
            ['\'', '\\', ..] | ['\'', _, '\'', ..] => at += quoted(rest, '\''),
            ['\'', ..] => at += 1 + word_length(&rest[1..]),
            ['0'..='9', ..] => at += word_length(rest),
            [':', ':', ..] => {
                kept = Some("::".to_owned());
                at += 2;
            }
            [c, ..] if *c == '_' || c.is_alphabetic() => {
                if let Some(length) = raw_string(rest) {
                    at += length;
                } else {
                    let prefix = if rest.starts_with(&['r', '#']) { 2 } else { 0 };
                    at += prefix + word_length(&rest[prefix..]);
                    kept = Some(chars[start + prefix..at].iter().collect());
                }
            }
            [c, ..] => {
                kept = (!c.is_whitespace()).then(|| c.to_string());
                at += 1;
            }
            [] => {}
        }
        tokens.extend(kept.map(|text| Token { line, text, test: false }));
        line += chars[start..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn word_length(rest: &[char]) -> usize {
    rest.iter().take_while(|c| **c == '_' || c.is_alphanumeric()).count()
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw_string(rest: &[char]) -> Option<usize> {
    let prefix = match rest {
        ['r', ..] => 1,
        ['b' | 'c', 'r', ..] => 2,
        _ => return None,
    };
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let body = prefix + hashes + 1;
    if rest.get(body - 1) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let length = rest[body..].windows(end.len()).position(|window| window == end);
    Some(length.map_or(rest.len(), |length| body + length + end.len()))
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}
