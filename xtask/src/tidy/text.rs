//! What every text must have and what none may: a `//!` line, a last newline, nothing left for later, nothing about
//! the machine that it was written on.

use super::Finding;
use crate::workspace::Source;

/// Words that put work off. Written in halves, so that this file passes its own check.
const LATER: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!"), concat!("unimple", "mented!")];

/// Beginnings of paths that exist on one machine only.
const MACHINE: &[&str] = &[concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// How the hosts that package managers talk to begin; whoever builds chooses their own.
const HOSTS: &[&str] = &[
    concat!("//regis", "try."),
    concat!("//in", "dex."),
    concat!("//sta", "tic."),
    concat!("//pro", "xy."),
    concat!("//de", "b."),
];

/// Lock files name their sources; tools write them.
const LOCKS: &[&str] = &["Cargo.lock", "package-lock.json"];

/// Whole files of bytes that only happen to be readable.
const SAMPLES: &[&str] = &["/fuzz/seeds/"];

/// Checks every text.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    sources.iter().filter(|source| !SAMPLES.iter().any(|part| source.path.contains(part))).flat_map(file).collect()
}

fn file(source: &Source) -> Vec<Finding> {
    let path = source.path.as_str();
    let mut findings = Vec::new();
    if source.is_rust() && !source.text.starts_with("//! ") {
        findings.push(Finding::new(path, 1, "the first line says what the file is for: begin it with `//! `"));
    }
    if !source.text.is_empty() && !source.text.ends_with('\n') {
        findings.push(Finding::new(path, source.text.lines().count(), "end the last line with a newline"));
    }
    let is_lock = LOCKS.iter().any(|lock| path.ends_with(lock));
    for (index, line) in source.text.lines().enumerate() {
        let mut say = |text: String| findings.push(Finding::new(path, index + 1, text));
        if source.is_rust() && line.contains('\t') {
            say("a tab: indent with four spaces".into());
        }
        if let Some(word) = LATER.iter().find(|word| has_word(line, word)) {
            say(format!("{word}: do it now, or open an issue and leave no trace here"));
        }
        if let Some(start) = MACHINE.iter().find(|start| has_path(line, start)) {
            say(format!("{start}... exists on one machine only: use a path relative to the repository"));
        }
        if let Some(host) = HOSTS.iter().find(|host| !is_lock && line.contains(**host)) {
            say(format!("{host}: name the package, not the host that serves it"));
        }
    }
    findings
}

/// Whether the word stands alone, not as part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let wordy = |c: char| c == '_' || c.is_ascii_alphanumeric();
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(wordy) && (word.ends_with('!') || !after.is_some_and(wordy))
    })
}

/// Whether an absolute path begins with it (and not `../work/` or a URL that goes on with it).
fn has_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || "._-}~/".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&[Source::new(path, text)]).len()
    }

    #[test]
    fn good_texts_pass() {
        for (path, text) in [
            ("a.rs", "//! A file.\n\nfn todo_list() {}\n"),
            ("a.md", "Work at home/ or https://example.com/in/x, METHODS TODOS\n"),
            ("config/a.toml", ""),
            ("Cargo.lock", concat!("source = \"https://in", "dex.example/\"\n")),
            ("crates/jt808/fuzz/seeds/message/a", "~no newline"),
        ] {
            assert_eq!(found(path, text), 0, "{path}: {text}");
        }
    }

    #[test]
    fn bad_texts_are_found() {
        for (path, text) in [
            ("a.rs", "// A file.\n"),
            ("a.rs", "//! A file."),
            ("a.rs", "//! A file.\n\tfn a() {}\n"),
            ("a.rs", concat!("//! A file.\n// TO", "DO: more\n")),
            ("a.rs", concat!("//! A file.\nfn a() { to", "do!() }\n")),
            ("a.sql", concat!("-- FIX", "ME\n")),
            ("a.md", concat!("run it in /ho", "me/main\n")),
            ("a.toml", concat!("dir = \"/ro", "ot/x\"\n")),
            ("a.md", concat!("from https://regis", "try.example/x\n")),
        ] {
            assert_eq!(found(path, text), 1, "{path}: {text}");
        }
    }
}
