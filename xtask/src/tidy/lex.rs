//! Just enough of Rust's grammar to count lines and find declarations: comments and literals are blanked, the rest
//! is cut into words and signs. Macros are not expanded.

use std::ops::Range;

/// The text with comments and the contents of literals blanked; every byte keeps its place and its line.
pub(super) fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end == at {
            at += 1;
            // A word swallows its own letters, so that the r of `for"` never begins a raw string.
            while at < bytes.len() && is_word(bytes[at - 1]) && is_word(bytes[at]) {
                at += 1;
            }
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    // Only whole characters were blanked, because literals and comments begin and end at ASCII.
    String::from_utf8_lossy(&out).into_owned()
}

const fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none does.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return at + block_comment(rest);
    }
    // b, c, r and their unions may stand before the quote.
    let prefix = rest.iter().take(2).take_while(|b| b"bcr".contains(b)).count();
    for letters in (0..=prefix).rev() {
        let tail = &rest[letters..];
        let is_raw = letters > 0 && rest[letters - 1] == b'r';
        let hashes = if is_raw { tail.iter().take_while(|b| **b == b'#').count() } else { 0 };
        match tail.get(hashes) {
            Some(b'"') if is_raw => return at + letters + raw_string(tail, hashes),
            Some(b'"') => return at + letters + quoted(tail, b'"'),
            Some(b'\'') if letters == 0 || rest[..letters] == *b"b" => {
                let length = char_literal(tail);
                return if length == 0 { at } else { at + letters + length };
            }
            _ => {}
        }
    }
    at
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
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

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8], hashes: usize) -> usize {
    let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = hashes + 1;
    let found = rest[body..].windows(closing.len()).position(|window| window == closing);
    found.map_or(rest.len(), |at| body + at + closing.len())
}

/// Length of a character literal; 0 for a lifetime.
fn char_literal(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return quoted(rest, b'\'');
    }
    // One character, of one to four bytes, then the closing quote.
    (2..=5).find(|at| rest.get(*at) == Some(&b'\'') && utf8_length(rest[1]) + 1 == *at).map_or(0, |at| at + 1)
}

const fn utf8_length(first: u8) -> usize {
    match first {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    }
}

/// A word or a sign with its line, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub line: usize,
    pub text: &'a str,
}

/// The words and signs of a masked text.
pub(super) fn tokens(masked: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (index, line) in masked.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let wordy = |c: char| c == '_' || c.is_alphanumeric();
            let length = if wordy(first) { rest.find(|c| !wordy(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
            let (text, tail) = rest.split_at(length);
            if !first.is_whitespace() {
                found.push(Token { line: index + 1, text });
            }
            rest = tail;
        }
    }
    found
}

/// Whether the tokens from `at` on are these.
pub(super) fn follows(tokens: &[Token<'_>], at: usize, words: &[&str]) -> bool {
    tokens.get(at..at + words.len()).is_some_and(|found| found.iter().zip(words).all(|(t, w)| t.text == *w))
}

/// The index of the brace that closes the one at `open`; the last token when none does.
pub(super) fn closing_brace(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "{" => depth += 1,
            "}" if depth == 1 => return index,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    tokens.len().saturating_sub(1)
}

/// The index of the first `{` or `;` outside parentheses and brackets, from `at` on: where an item's body begins, or
/// where an item without one ends.
pub(super) fn body_or_end(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "{" | ";" if depth == 0 => return Some(index),
            _ => {}
        }
    }
    None
}

/// The tokens that `#[cfg(test)]` takes out of a shipped build, as ranges.
pub(super) fn test_items(tokens: &[Token<'_>]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if follows(tokens, at, &["#", "[", "cfg", "(", "test", ")", "]"])
            && let Some(body) = body_or_end(tokens, at + 7)
        {
            let end = if tokens[body].text == "{" { closing_brace(tokens, body) } else { body };
            ranges.push(at..end + 1);
            at = end;
        }
        at += 1;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_comments_and_literals_only() {
        let cases: &[(&str, &[&str])] = &[
            ("a // b\nc", &["// b"]),
            ("a /* b /* c */ d */ e", &["/* b /* c */ d */"]),
            (r#"x("{\"}")y"#, &[r#""{\"}""#]),
            (r##"x(r#"}"{"#)y"##, &[r##"r#"}"{"#"##]),
            ("f::<'a>('{', b'}', '\\'', '\u{7981}', 'b)", &["'{'", "b'}'", "'\\''", "'\u{7981}'"]),
            ("for\"{\" in", &["\"{\""]),
            ("r#type c\"{\" br\"{\"", &["c\"{\"", "br\"{\""]),
            ("let a = b\"\\\\\"; }", &["b\"\\\\\""]),
        ];
        for (text, literals) in cases {
            let wanted = literals.iter().fold((*text).to_owned(), |t, l| t.replacen(l, &" ".repeat(l.len()), 1));
            assert_eq!(mask(text), wanted, "{text}");
        }
    }

    #[test]
    fn finds_bodies_and_tests() {
        let masked =
            mask("fn a(x: [u8; 2]) -> u8 { if x { 1 } else { 2 } }\n#[cfg(test)]\nmod t { fn b() {} }\nfn c();");
        let tokens = tokens(&masked);
        let open = body_or_end(&tokens, 0).expect("a body");
        assert_eq!(tokens[open].text, "{");
        assert_eq!(tokens[closing_brace(&tokens, open) + 1].text, "#");
        let tests = test_items(&tokens);
        assert_eq!(tests.len(), 1);
        assert_eq!(tokens[tests[0].end].text, "fn");
        assert_eq!(tokens[tests[0].end].line, 4);
    }
}
