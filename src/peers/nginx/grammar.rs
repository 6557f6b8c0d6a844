//! nginx's own grammar: words, quotes, escapes, comments, blocks, and `include` (`ngx_conf_file.c`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::peers::files::Files;
use crate::peers::plan::{Place, shown};

/// A directive with what follows its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) words: Vec<String>,
    /// What stands in its braces, if it has any.
    pub(super) block: Option<Vec<Self>>,
    pub(super) place: Place,
}

impl Directive {
    /// The first word behind the name.
    pub(super) fn first(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// For a sentence.
    pub(super) fn shown(&self) -> String {
        shown(std::iter::once(self.name.as_str()).chain(self.words.iter().map(String::as_str)))
    }
}

/// Reads the main file and all that it includes. Relative names count from its folder, as for nginx.
pub(super) fn read(path: &Path, files: &Files) -> Result<Vec<Directive>, String> {
    let text = files.main(path)?;
    let prefix = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut reader = Reader { files, prefix, left: MOST_FILES };
    reader.parse(path, &text, 0)
}

struct Reader<'a> {
    files: &'a Files,
    prefix: PathBuf,
    /// Files that may still be read: one that includes itself comes to an end.
    left: usize,
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

impl Reader<'_> {
    fn parse(&mut self, path: &Path, text: &str, depth: usize) -> Result<Vec<Directive>, String> {
        let file: Arc<Path> = path.into();
        let mut lexer = Lexer { rest: text.chars().collect(), at: 0, line: 1 };
        let wrong = |line: usize, what: &str| format!("{}: {what}", Place { file: file.clone(), line });
        // The blocks that are open, each with its head.
        let mut open: Vec<(Directive, Vec<Directive>)> = Vec::new();
        let (mut done, mut words, mut begun) = (Vec::new(), Vec::new(), 1);
        while let Some((token, line)) = lexer.next().map_err(|line| wrong(line, "a quote is not closed"))? {
            if words.is_empty() {
                begun = line;
            }
            let head = |words: &mut Vec<String>| {
                let name = if words.is_empty() { String::new() } else { words.remove(0) };
                let place = Place { file: file.clone(), line: begun };
                Directive { name, words: std::mem::take(words), block: None, place }
            };
            match token {
                Token::Word(word) => words.push(word),
                Token::End => {
                    let directive = head(&mut words);
                    let found = match directive.name.as_str() {
                        "" => return Err(wrong(line, "unexpected ';'")),
                        "include" => self.include(&directive, depth + open.len())?,
                        _ => vec![directive],
                    };
                    open.last_mut().map_or(&mut done, |(_, list)| list).extend(found);
                }
                Token::Open => {
                    let directive = head(&mut words);
                    if directive.name.is_empty() || depth + open.len() >= DEEPEST {
                        return Err(wrong(line, "unexpected '{'"));
                    }
                    open.push((directive, Vec::new()));
                }
                Token::Close => {
                    let Some((mut directive, list)) = open.pop().filter(|_| words.is_empty()) else {
                        return Err(wrong(line, "unexpected '}'"));
                    };
                    directive.block = Some(list);
                    open.last_mut().map_or(&mut done, |(_, list)| list).push(directive);
                }
            }
        }
        match open.last() {
            Some((directive, _)) => Err(format!("{}: the block is not closed", directive.place)),
            None if !words.is_empty() => Err(wrong(begun, "the directive does not end with ';'")),
            None => Ok(done),
        }
    }

    fn include(&mut self, directive: &Directive, depth: usize) -> Result<Vec<Directive>, String> {
        let pattern = self.prefix.join(directive.first());
        let has_pattern = directive.first().contains(['*', '?', '[']);
        let found = if has_pattern { self.files.matching(&pattern) } else { vec![pattern] };
        let mut all = Vec::new();
        for path in found {
            if self.left == 0 || depth >= DEEPEST {
                return Err(format!("{}: files include each other without end", directive.place));
            }
            self.left -= 1;
            let text = self.files.text(&path);
            let text = text.map_err(|why| format!("{}: include {}: {why}", directive.place, path.display()))?;
            all.extend(self.parse(&path, &text, depth + 1)?);
        }
        Ok(all)
    }
}

struct Lexer {
    rest: Vec<char>,
    at: usize,
    line: usize,
}

impl Lexer {
    fn take(&mut self) -> Option<char> {
        let letter = self.rest.get(self.at).copied()?;
        self.at += 1;
        self.line += usize::from(letter == '\n');
        Some(letter)
    }

    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    /// The next token and its line; the line of a quote that is not closed.
    fn next(&mut self) -> Result<Option<(Token, usize)>, usize> {
        while let Some(letter) = self.peek() {
            match letter {
                letter if letter.is_whitespace() => drop(self.take()),
                '#' => while self.take().is_some_and(|letter| letter != '\n') {},
                _ => break,
            }
        }
        let line = self.line;
        let token = match self.peek() {
            None => return Ok(None),
            Some(';') => Token::End,
            Some('{') => Token::Open,
            Some('}') => Token::Close,
            Some(quote @ ('"' | '\'')) => {
                self.take();
                return Ok(Some((Token::Word(self.quoted(quote).ok_or(line)?), line)));
            }
            Some(_) => return Ok(Some((Token::Word(self.word()), line))),
        };
        self.take();
        Ok(Some((token, line)))
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut word = String::new();
        loop {
            match self.take()? {
                letter if letter == quote => return Some(word),
                '\\' => word.extend(self.escaped()),
                letter => word.push(letter),
            }
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(letter) = self.peek() {
            match letter {
                ';' => break,
                // `${name}` is a variable.
                '{' if word.ends_with('$') => {
                    while let Some(letter) = self.take() {
                        word.push(letter);
                        if letter == '}' {
                            break;
                        }
                    }
                }
                '{' => break,
                letter if letter.is_whitespace() => break,
                '\\' => {
                    self.take();
                    word.extend(self.escaped());
                }
                letter => {
                    self.take();
                    word.push(letter);
                }
            }
        }
        word
    }

    /// What a backslash and what follows it stand for: before anything else the backslash stays, as regular expressions need it.
    fn escaped(&mut self) -> Vec<char> {
        match self.take() {
            Some('t') => vec!['\t'],
            Some('r') => vec!['\r'],
            Some('n') => vec!['\n'],
            Some(letter @ ('"' | '\'' | '\\')) => vec![letter],
            Some(letter) => vec!['\\', letter],
            None => vec!['\\'],
        }
    }
}

const MOST_FILES: usize = 20_000;
/// Blocks in blocks, and files in files.
const DEEPEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Directive>, String> {
        read(Path::new("/etc/nginx/nginx.conf"), &Files::only(text))
    }

    #[test]
    fn words_quotes_escapes_and_comments_are_nginxs() {
        let found = parsed("a 'x; y' \"q\\\"q\" b\\.c ${v}w; # no\nb{c d#e;}\n").expect("parsed");
        let place = |line| Place { file: Path::new("/etc/nginx/nginx.conf").into(), line };
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let inner = Directive { name: "c".into(), words: words(&["d#e"]), block: None, place: place(2) };
        assert_eq!(
            found,
            [
                Directive {
                    name: "a".into(),
                    words: words(&["x; y", "q\"q", "b\\.c", "${v}w"]),
                    block: None,
                    place: place(1)
                },
                Directive { name: "b".into(), words: Vec::new(), block: Some(vec![inner]), place: place(2) },
            ]
        );
    }

    #[test]
    fn what_is_broken_is_told_with_its_line() {
        for (text, said) in [
            ("a;\nb", "/etc/nginx/nginx.conf:2: the directive does not end with ';'"),
            ("a;\n}", "/etc/nginx/nginx.conf:2: unexpected '}'"),
            ("http {\n a;", "/etc/nginx/nginx.conf:1: the block is not closed"),
            ("a 'b", "/etc/nginx/nginx.conf:1: a quote is not closed"),
            ("include x;", "/etc/nginx/nginx.conf:1: include /etc/nginx/x: there is no such file"),
        ] {
            assert_eq!(parsed(text), Err(said.into()), "{text}");
        }
    }
}
