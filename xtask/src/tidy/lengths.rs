//! Lengths as a ratchet: files and functions that are too long today are listed with their length, and the list may
//! only shrink.

use std::collections::BTreeMap;

use super::lex::{self, Token};
use super::{Finding, GENERATED};
use crate::workspace::Source;

/// The list of those that are too long.
pub(super) const RATCHET: &str = "xtask/ratchet.txt";

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// What is measured: `file PATH` or `fn PATH NAME`, as the ratchet writes it.
type Lengths = BTreeMap<String, Measured>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Measured {
    path: String,
    line: usize,
    lines: usize,
}

/// Checks all Rust files against the limits and the ratchet.
pub(super) fn check(sources: &[Source], ratchet: &str) -> Vec<Finding> {
    let mut too_long = Lengths::new();
    for source in sources.iter().filter(|source| source.is_rust() && !GENERATED.contains(&source.path.as_str())) {
        measure(source, &mut too_long);
    }
    let mut findings = Vec::new();
    let mut listed = BTreeMap::new();
    for (index, line) in ratchet.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        match line.rsplit_once(' ').and_then(|(key, lines)| Some((key, lines.parse::<usize>().ok()?))) {
            Some((key, lines)) => drop(listed.insert(key, (index + 1, lines))),
            None => findings.push(Finding::new(RATCHET, index + 1, "write `file PATH LINES` or `fn PATH NAME LINES`")),
        }
    }
    for (key, (line, allowed)) in &listed {
        let is = too_long.get(*key).map_or(0, |measured| measured.lines);
        if is == 0 {
            findings.push(Finding::new(RATCHET, *line, format!("`{key}` is short enough now: take this line out")));
        } else if is < *allowed {
            findings.push(Finding::new(RATCHET, *line, format!("`{key}` has shrunk: lower this line to {is}")));
        }
    }
    for (key, measured) in &too_long {
        let (limit, what) =
            if key.starts_with("file ") { (FILE_LINES_MAX, "file") } else { (FUNCTION_LINES_MAX, "function") };
        let allowed = listed.get(key.as_str()).map_or(limit, |(_, lines)| *lines);
        if measured.lines > allowed {
            let text = format!("this {what} has {} lines, {allowed} are allowed: split it by purpose", measured.lines);
            findings.push(Finding::new(&measured.path, measured.line, text));
        }
    }
    findings
}

/// Adds what is beyond the limits.
fn measure(source: &Source, too_long: &mut Lengths) {
    let path = &source.path;
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        too_long.insert(format!("file {path}"), Measured { path: path.clone(), line: FILE_LINES_MAX, lines });
    }
    let masked = lex::mask(&source.text);
    for (name, line, lines) in functions(&lex::tokens(&masked)) {
        if lines > FUNCTION_LINES_MAX {
            let entry = too_long.entry(format!("fn {path} {name}"));
            let longest = entry.or_insert(Measured { path: path.clone(), line, lines });
            if lines > longest.lines {
                *longest = Measured { path: path.clone(), line, lines };
            }
        }
    }
}

/// Name, first line and number of lines of every function with a body, from `fn` to the closing brace.
fn functions<'a>(tokens: &[Token<'a>]) -> Vec<(&'a str, usize, usize)> {
    let is_name = |text: &str| text.starts_with(|c: char| c == '_' || c.is_alphabetic());
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "fn") {
        let Some(name) = tokens.get(at + 1).filter(|next| is_name(next.text)) else { continue };
        let Some(body) = lex::body_or_end(tokens, at + 2).filter(|body| tokens[*body].text == "{") else { continue };
        let last = tokens[lex::closing_brace(tokens, body)].line;
        found.push((name.text, token.line, last - token.line + 1));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}(x: [u8; 2]) {{\n{}}}\n", "    let _ = \"}\";\n".repeat(lines - 2))
    }

    #[test]
    fn functions_are_measured() {
        let text =
            format!("trait T {{ fn none(); }}\ntype F = fn(u8) -> u8;\n{}{}", function("a", 3), function("b", 5));
        let masked = lex::mask(&text);
        assert_eq!(functions(&lex::tokens(&masked)), [("a", 3, 3), ("b", 6, 5)]);
    }

    #[test]
    fn limits_hold_where_nothing_is_listed() {
        let at_limit = format!("{}{}", function("a", 70), "//\n".repeat(530));
        assert_eq!(check(&[Source::new("a.rs", &at_limit)], ""), []);
        let beyond = format!("{}{}", function("a", 71), "//\n".repeat(530));
        let found = check(&[Source::new("a.rs", &beyond)], "");
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [600, 1], "{found:?}");
        assert_eq!(check(&[Source::new(GENERATED[0], &beyond)], ""), []);
    }

    #[test]
    fn the_ratchet_only_shrinks() {
        let source = [Source::new("a.rs", &function("a", 80))];
        let cases = [
            ("# why\n\nfn a.rs a 80\n", None),
            ("fn a.rs a 79\n", Some("80 lines, 79 are allowed")),
            ("fn a.rs a 90\n", Some("lower this line to 80")),
            ("fn a.rs a 80\nfn a.rs b 80\n", Some("take this line out")),
            ("fn a.rs a 80\nnonsense\n", Some("write `file PATH LINES`")),
        ];
        for (ratchet, wanted) in cases {
            let found = check(&source, ratchet);
            assert_eq!(found.len(), usize::from(wanted.is_some()), "{ratchet}: {found:?}");
            assert!(wanted.is_none_or(|text| found[0].text.contains(text)), "{ratchet}: {found:?}");
        }
    }
}
