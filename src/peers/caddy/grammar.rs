//! The Caddyfile's own grammar: tokens, quotes, comments, blocks, snippets, `import` and what the environment sets
//! (`caddyconfig/caddyfile`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::peers::files::Files;
use crate::peers::plan::{Place, shown};

/// A line, and what stands in its braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) words: Vec<String>,
    pub(super) block: Option<Vec<Self>>,
    pub(super) place: Place,
}

impl Segment {
    pub(super) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    /// What follows the first word.
    pub(super) fn rest(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    pub(super) fn inner(&self) -> &[Self] {
        self.block.as_deref().unwrap_or_default()
    }

    /// For a sentence.
    pub(super) fn shown(&self) -> String {
        shown(self.words.iter().map(String::as_str))
    }
}

/// Reads a Caddyfile and all that it imports, snippets put in their places.
pub(super) fn read(path: &Path, files: &Files) -> Result<Vec<Segment>, String> {
    let text = files.main(path)?;
    if path.extension().is_some_and(|extension| extension == "json") || text.trim_start().starts_with("{\"") {
        return Err(format!("{}: this is Caddy's JSON; name the Caddyfile that it was made of", path.display()));
    }
    let mut reader = Reader { files, snippets: HashMap::new(), left: MOST_IMPORTS };
    let segments = parse(path, &text)?;
    reader.expand(segments, &[], (0, true))
}

struct Reader<'a> {
    files: &'a Files,
    snippets: HashMap<String, Vec<Segment>>,
    /// Imports that may still be followed.
    left: usize,
}

impl Reader<'_> {
    /// `is_top`: no block is around.
    fn expand(
        &mut self,
        segments: Vec<Segment>,
        arguments: &[String],
        (depth, is_top): (usize, bool),
    ) -> Result<Vec<Segment>, String> {
        let mut all = Vec::new();
        for mut segment in segments {
            segment.words = segment.words.iter().map(|word| filled(word, arguments)).collect();
            let name = segment.word(0).strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).map(str::to_owned);
            if let Some(name) = name.filter(|_| is_top) {
                self.snippets.insert(name, segment.block.take().unwrap_or_default());
                continue;
            }
            if segment.word(0) == "import" {
                all.extend(self.import(&segment, (depth, is_top))?);
                continue;
            }
            if let Some(block) = segment.block.take() {
                segment.block = Some(self.expand(block, arguments, (depth + 1, false))?);
            }
            all.push(segment);
        }
        Ok(all)
    }

    fn import(&mut self, segment: &Segment, (depth, is_top): (usize, bool)) -> Result<Vec<Segment>, String> {
        if self.left == 0 || depth > DEEPEST {
            return Err(format!("{}: imports lead to each other without end", segment.place));
        }
        self.left -= 1;
        let arguments = segment.words.get(2..).unwrap_or_default();
        if let Some(snippet) = self.snippets.get(segment.word(1)).cloned() {
            return self.expand(snippet, arguments, (depth + 1, is_top));
        }
        let base = segment.place.file.parent().unwrap_or(Path::new("")).to_owned();
        let pattern: PathBuf = base.join(segment.word(1));
        let has_pattern = segment.word(1).contains(['*', '?', '[']);
        let found = if has_pattern { self.files.matching(&pattern) } else { vec![pattern] };
        let mut all = Vec::new();
        for path in found {
            let text = self.files.text(&path);
            let text = text.map_err(|why| format!("{}: import {}: {why}", segment.place, path.display()))?;
            all.extend(self.expand(parse(&path, &text)?, arguments, (depth + 1, is_top))?);
        }
        Ok(all)
    }
}

/// With `{args[0]}` and `{args.0}` replaced.
fn filled(word: &str, arguments: &[String]) -> String {
    let mut word = word.to_owned();
    if word.contains("{args") {
        for (index, argument) in arguments.iter().enumerate() {
            word =
                word.replace(&format!("{{args[{index}]}}"), argument).replace(&format!("{{args.{index}}}"), argument);
        }
    }
    word
}

struct Token {
    text: String,
    line: usize,
    is_quoted: bool,
}

fn parse(path: &Path, text: &str) -> Result<Vec<Segment>, String> {
    let file: Arc<Path> = path.into();
    let place = |line| Place { file: file.clone(), line };
    let tokens = tokens(text).map_err(|line| format!("{}: a quote is not closed", place(line)))?;
    let mut open: Vec<(Segment, Vec<Segment>)> = Vec::new();
    let mut done = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        // Up to the end of the line; at the top, addresses go on behind a comma.
        let first = &tokens[at];
        let (mut words, mut line, mut opens) = (Vec::new(), first.line, false);
        if first.text == "}" && !first.is_quoted {
            let Some((mut segment, list)) = open.pop() else {
                return Err(format!("{}: unexpected '}}'", place(first.line)));
            };
            segment.block = Some(list);
            open.last_mut().map_or(&mut done, |(_, list)| list).push(segment);
            at += 1;
            continue;
        }
        while let Some(token) = tokens.get(at) {
            let goes_on = open.is_empty() && words.last().is_some_and(|word: &String| word.ends_with(','));
            if token.line != line && !goes_on || token.text == "}" && !token.is_quoted {
                break;
            }
            line = token.line + token.text.matches('\n').count();
            at += 1;
            let ends_line = tokens.get(at).is_none_or(|next| next.line != token.line);
            if token.text == "{" && !token.is_quoted && (ends_line || words.is_empty()) {
                opens = true;
                break;
            }
            words.push(token.text.clone());
        }
        let segment = Segment { words, block: None, place: place(first.line) };
        if opens {
            if open.len() >= DEEPEST {
                return Err(format!("{}: blocks lie too deep in each other", segment.place));
            }
            open.push((segment, Vec::new()));
        } else {
            open.last_mut().map_or(&mut done, |(_, list)| list).push(segment);
        }
    }
    match open.last() {
        Some((segment, _)) => Err(format!("{}: the block is not closed", segment.place)),
        None => Ok(done),
    }
}

/// The tokens; or the line of a quote that is not closed.
fn tokens(text: &str) -> Result<Vec<Token>, usize> {
    let text = with_environment(text);
    let mut letters = text.chars().peekable();
    let (mut tokens, mut line) = (Vec::new(), 1);
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => line += 1,
            letter if letter.is_whitespace() => {}
            '#' => while letters.next_if(|letter| *letter != '\n').is_some() {},
            // A line may go on behind a backslash.
            '\\' if letters.peek() == Some(&'\n') => drop(letters.next()),
            quote @ ('"' | '`') => {
                let (begun, mut word) = (line, String::new());
                loop {
                    match letters.next().ok_or(begun)? {
                        letter if letter == quote => break,
                        '\\' if quote == '"' && letters.peek() == Some(&'"') => word.extend(letters.next()),
                        letter => {
                            line += usize::from(letter == '\n');
                            word.push(letter);
                        }
                    }
                }
                tokens.push(Token { text: word, line: begun, is_quoted: true });
            }
            letter => {
                let mut word = String::from(letter);
                while let Some(next) = letters.next_if(|letter| !letter.is_whitespace()) {
                    word.push(next);
                }
                tokens.push(Token { text: word, line, is_quoted: false });
            }
        }
    }
    Ok(tokens)
}

/// With `{$NAME:default}` replaced by its default: what the peer's own environment holds is not known here.
fn with_environment(text: &str) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{$") {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let Some(end) = from.find('}').filter(|end| !from[..*end].contains(char::is_whitespace)) else {
            filled.push_str("{$");
            rest = &from[2..];
            continue;
        };
        match from[2..end].split_once(':') {
            Some((_, default)) => filled.push_str(default),
            // Left as it is, and so told of where it is met.
            None => filled.push_str(&from[..=end]),
        }
        rest = &from[end + 1..];
    }
    filled.push_str(rest);
    filled
}

const MOST_IMPORTS: usize = 10_000;
const DEEPEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Words and blocks alone.
    fn told(segments: &[Segment]) -> String {
        let one = |segment: &Segment| match &segment.block {
            Some(block) => format!("{}{{{}}}", segment.words.join("|"), told(block)),
            None => segment.words.join("|"),
        };
        segments.iter().map(one).collect::<Vec<_>>().join(";")
    }

    fn parsed(text: &str) -> Result<String, String> {
        read(Path::new("/etc/caddy/Caddyfile"), &Files::only(text)).map(|segments| told(&segments))
    }

    #[test]
    fn tokens_blocks_snippets_and_arguments_are_caddys() {
        for (text, wanted) in [
            ("{\n email a@b.example # me\n}\n", "{email|a@b.example}"),
            ("a.example,\nb.example {\n x \"y \\\" z\" `q\"`\n}", "a.example,|b.example{x|y \" z|q\"}"),
            ("(s) {\n x {args[0]} {args.1}\n}\na {\n import s 1 2\n}", "a{x|1|2}"),
            ("a.example\nreverse_proxy {$UP:b:80}", "a.example;reverse_proxy|b:80"),
            ("a {\n b {host} \\\n c\n}", "a{b|{host}|c}"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_broken_is_told_with_its_line() {
        for (text, said) in [
            ("a {\n x", "/etc/caddy/Caddyfile:1: the block is not closed"),
            ("a\n}", "/etc/caddy/Caddyfile:2: unexpected '}'"),
            ("\"a", "/etc/caddy/Caddyfile:1: a quote is not closed"),
            ("(s) {\n import s\n}\nimport s", "/etc/caddy/Caddyfile:2: imports lead to each other without end"),
            ("import x", "/etc/caddy/Caddyfile:1: import /etc/caddy/x: there is no such file"),
        ] {
            assert_eq!(parsed(text), Err(said.into()), "{text}");
        }
    }
}
