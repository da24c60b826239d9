//! Just enough of Rust's grammar to tell code from comments, strings and tests.

use std::ops::Range;

/// A source text in two blanked forms. Both have the length and the line breaks of the original,
/// so that an offset in one is an offset in the other.
#[derive(Debug)]
pub(crate) struct Source {
    /// Comments, strings and characters blanked.
    pub(crate) code: String,
    /// Comments blanked, strings kept.
    pub(crate) uncommented: String,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let mut code = text.as_bytes().to_vec();
        let mut uncommented = code.clone();
        let mut at = 0;
        while at < text.len() {
            let (token, end) = token(text, at);
            match token {
                Token::Comment => {
                    blank(&mut code, at..end);
                    blank(&mut uncommented, at..end);
                }
                Token::Literal => blank(&mut code, at..end),
                Token::Code => {}
            }
            at = end;
        }
        Self {
            code: utf8(&code),
            uncommented: utf8(&uncommented),
        }
    }

    /// The code with every item under `#[cfg(test)]` blanked as well.
    pub(crate) fn shipped_code(&self) -> String {
        let mut bytes = self.code.as_bytes().to_vec();
        for item in test_items(&self.code) {
            blank(&mut bytes, item.span);
        }
        utf8(&bytes)
    }
}

/// An item under `#[cfg(test)]`, from the attribute to its last byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestItem {
    pub(crate) span: Range<usize>,
    /// `mod name { … }`, as against a function, an import or `mod name;`.
    pub(crate) is_inline_module: bool,
}

/// The items under `#[cfg(test)]` in blanked code.
pub(crate) fn test_items(code: &str) -> Vec<TestItem> {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut items = Vec::new();
    let mut from = 0;
    while let Some(found) = code.get(from..).and_then(|rest| rest.find(ATTRIBUTE)) {
        let start = from + found;
        let body = skip_attributes(code, start + ATTRIBUTE.len());
        let end = item_end(code, body);
        let is_module = code.get(body..end).is_some_and(|it| it.starts_with("mod "));
        let has_body = code.get(body..end).is_some_and(|it| it.ends_with('}'));
        items.push(TestItem {
            span: start..end,
            is_inline_module: is_module && has_body,
        });
        from = end;
    }
    items
}

/// Offset just after the bracket that closes the one at `open`; the text's end if there is none.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Line of an offset, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

/// Whether a byte may be part of an identifier.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn skip_attributes(code: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = code.get(at..).unwrap_or_default();
        at += rest.len() - rest.trim_start().len();
        if !rest.trim_start().starts_with("#[") {
            return at;
        }
        at = closing(code, at + 1);
    }
}

/// End of the item at `start`: its closing brace, or its semicolon if that comes first.
fn item_end(code: &str, start: usize) -> usize {
    let is_import = code.get(start..).is_some_and(|it| it.starts_with("use "));
    let mut at = start;
    while let Some(byte) = code.as_bytes().get(at) {
        match byte {
            b';' => return at + 1,
            b'{' if !is_import => return closing(code, at),
            b'{' | b'(' | b'[' => at = closing(code, at),
            _ => at += 1,
        }
    }
    code.len()
}

enum Token {
    Code,
    Comment,
    Literal,
}

/// The token at `at` and its end. Code is returned byte by byte, identifiers whole.
fn token(text: &str, at: usize) -> (Token, usize) {
    let rest = text.get(at..).unwrap_or_default();
    if rest.starts_with("//") {
        let length = rest.find('\n').unwrap_or(rest.len());
        return (Token::Comment, at + length);
    }
    if rest.starts_with("/*") {
        return (Token::Comment, at + block_comment(rest));
    }
    if let Some(length) = literal(rest) {
        return (Token::Literal, at + length);
    }
    let word = rest.bytes().take_while(|byte| is_word(*byte)).count();
    let one = rest.chars().next().map_or(1, char::len_utf8);
    (Token::Code, at + word.max(one))
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        let here = rest.as_bytes().get(at..).unwrap_or_default();
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth = depth.saturating_sub(1);
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Length of the string or character literal that `rest` starts with.
fn literal(rest: &str) -> Option<usize> {
    if rest.starts_with('\'') {
        return character(rest);
    }
    let prefix = rest
        .bytes()
        .take_while(|byte| matches!(byte, b'b' | b'c' | b'r'))
        .count();
    if prefix > 2 {
        return None;
    }
    let after = rest.get(prefix..)?;
    if rest.get(..prefix)?.ends_with('r') {
        let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
        let body = after.get(hashes..)?.strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let length = body
            .find(&close)
            .map_or(body.len(), |found| found + close.len());
        return Some(prefix + hashes + 1 + length);
    }
    if after.starts_with('"') {
        return Some(prefix + quoted(after, b'"'));
    }
    (prefix == 1 && after.starts_with('\'')).then(|| prefix + quoted(after, b'\''))
}

/// Length of a character literal; none for a lifetime or a label.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.chars().skip(1);
    let first = chars.next()?;
    if first == '\\' {
        return Some(quoted(rest, b'\''));
    }
    (chars.next()? == '\'').then(|| 2 + first.len_utf8())
}

/// Length of a quoted literal with backslash escapes, quotes included.
fn quoted(rest: &str, quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
        } else if byte == quote {
            return at + 1;
        }
    }
    rest.len()
}

fn blank(bytes: &mut [u8], span: Range<usize>) {
    for byte in bytes.get_mut(span).unwrap_or_default() {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked_in_place() {
        let text = "a /* x /* y */ z */ \"//\" // b\nr#\"\"q\"#;'\\'';'é'; &'a str";
        let source = Source::new(text);
        assert_eq!(source.code.len(), text.len());
        let kept: Vec<&str> = source.code.split_whitespace().collect();
        assert_eq!(kept, ["a", ";", ";", ";", "&'a", "str"]);
        assert!(source.uncommented.contains("\"//\""));
        assert!(!source.uncommented.contains('b'));
    }

    #[test]
    fn raw_identifiers_and_words_that_end_in_r_are_code() {
        let source = Source::new("let r#type = for_r; br\"x\"; b'x'; attr");
        assert_eq!(
            source.code.trim_end(),
            "let r#type = for_r;      ;     ; attr"
        );
    }

    #[test]
    fn test_items_end_with_the_item() {
        let text = "#[cfg(test)]\nuse a::{b, c};\nkeep();\n#[cfg(test)]\n#[path = \"x\"]\nmod t {\n fn f() { {} }\n}\nkeep2();\n#[cfg(test)]\nmod u;\n";
        let source = Source::new(text);
        let shipped = source.shipped_code();
        let words: Vec<&str> = shipped.split_whitespace().collect();
        assert_eq!(words, ["keep();", "keep2();"]);
        let modules: Vec<bool> = test_items(&source.code)
            .iter()
            .map(|item| item.is_inline_module)
            .collect();
        assert_eq!(modules, [false, true, false]);
    }

    #[test]
    fn a_brace_in_a_string_does_not_close_a_module() {
        let source = Source::new("#[cfg(test)]\nmod t { const A: &str = \"}\"; }\nafter();");
        assert_eq!(source.shipped_code().trim(), "after();");
    }

    #[test]
    fn lines_count_from_one() {
        assert_eq!(line_of("a\nb\nc", 0), 1);
        assert_eq!(line_of("a\nb\nc", 4), 3);
    }
}
