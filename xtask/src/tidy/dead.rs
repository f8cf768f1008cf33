//! Files that nothing leads to: modules that no `mod` declares, data that no text names, migrations out of order.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::lex;
use crate::workspace::{Files, Package, Source};

/// Every Rust file of a package is reached from one of its targets.
pub(super) fn modules<'a>(packages: impl Iterator<Item = &'a Package>, sources: &[Source]) -> Vec<Finding> {
    let rust: BTreeMap<&str, &Source> =
        sources.iter().filter(|source| source.is_rust()).map(|source| (source.path.as_str(), source)).collect();
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<(String, bool)> = Vec::new();
    for package in packages {
        waiting.extend(package.targets.iter().map(|target| (target.clone(), true)));
    }
    while let Some((path, is_root)) = waiting.pop() {
        let Some(source) = rust.get(path.as_str()) else { continue };
        if !reached.insert(path.clone()) {
            continue;
        }
        for candidate in children(source, is_root) {
            waiting.push((candidate, false));
        }
    }
    rust.keys()
        .filter(|path| !reached.contains(**path))
        .map(|path| Finding::new(path, 1, "no `mod` leads to this file: declare it, or delete it"))
        .collect()
}

/// Where the modules that a file declares may lie.
fn children(source: &Source, is_root: bool) -> Vec<String> {
    let (folder, name) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let stem = name.strip_suffix(".rs").unwrap_or(name);
    let base = if is_root || stem == "mod" { folder.to_owned() } else { format!("{folder}/{stem}") };
    let masked = lex::mask(&source.text);
    let tokens = lex::tokens(&masked);
    let mut candidates = Vec::new();
    // Modules with a body that the current token lies in: name and index of the closing brace.
    let mut inside: Vec<(&str, usize)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        inside.retain(|(_, end)| at < *end);
        let [Some(name), Some(sign)] = [tokens.get(at + 1), tokens.get(at + 2)] else { break };
        if token.text != "mod" {
            continue;
        }
        match sign.text {
            "{" => inside.push((name.text, lex::closing_brace(&tokens, at + 2))),
            ";" => {
                let path: String = inside.iter().map(|(outer, _)| format!("/{outer}")).collect();
                candidates.push(format!("{base}{path}/{}.rs", name.text));
                candidates.push(format!("{base}{path}/{}/mod.rs", name.text));
            }
            _ => {}
        }
    }
    candidates.extend(named_paths(&source.text).map(|path| format!("{folder}/{path}")));
    candidates
}

/// What `#[path = "..."]` attributes name.
fn named_paths(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]"))
}

/// Folders whose files are there to be used by something.
const DATA: &[&str] = &["proto/", "migrations/", "config/"];

/// Every data file, or the folder that it lies in, is named by some other text.
pub(super) fn data_files(files: &Files) -> Vec<Finding> {
    let paths = files.texts.iter().map(|source| source.path.as_str()).chain(files.binaries.iter().map(String::as_str));
    let is_named = |path: &str| {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        // A folder of one step (`proto`) is an everyday word and names nothing.
        let folder = Some(folder).filter(|folder| folder.contains('/'));
        files.texts.iter().filter(|source| source.path != path).any(|source| {
            source.text.contains(name) || source.is_rust() && folder.is_some_and(|folder| source.text.contains(folder))
        })
    };
    paths
        .filter(|path| DATA.iter().any(|start| path.starts_with(start)) && !is_named(path))
        .map(|path| Finding::new(path, 1, "nothing names this file: use it, or delete it"))
        .collect()
}

/// Migrations are named `YYYYMMDDHHMM_name.sql`, and no two of a folder have the same instant.
pub(super) fn migrations(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for path in sources.iter().map(|source| source.path.as_str()).filter(|path| path.starts_with("migrations/")) {
        let Some((folder, name)) = path.rsplit_once('/').filter(|(_, name)| name.ends_with(".sql")) else { continue };
        let (instant, rest) = name.split_once('_').unwrap_or(("", name));
        if instant.len() != 12 || !instant.bytes().all(|byte| byte.is_ascii_digit()) || rest == ".sql" {
            findings.push(Finding::new(path, 1, "name it YYYYMMDDHHMM_name.sql, so that migrations sort"));
        } else if !seen.insert((folder, instant)) {
            findings.push(Finding::new(path, 1, "another migration has this instant: take a later one"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(targets: &[&str]) -> Package {
        Package {
            name: "hazwatch-a".into(),
            manifest: "crates/a/Cargo.toml".into(),
            dependencies: Vec::new(),
            targets: targets.iter().map(|target| (*target).into()).collect(),
        }
    }

    fn paths(findings: Vec<Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.path).collect()
    }

    #[test]
    fn modules_are_followed() {
        let sources = [
            Source::new(
                "crates/a/src/lib.rs",
                "mod b;\npub(crate) mod c;\nmod inline { mod d; }\n// mod dead;\n#[path = \"x_tests.rs\"]\nmod tests;\n",
            ),
            Source::new("crates/a/src/x_tests.rs", ""),
            Source::new("crates/a/src/b.rs", "mod e;"),
            Source::new("crates/a/src/b/e.rs", ""),
            Source::new("crates/a/src/c/mod.rs", "mod f;"),
            Source::new("crates/a/src/c/f.rs", ""),
            Source::new("crates/a/src/inline/d.rs", ""),
            Source::new("crates/a/tests/it/main.rs", "mod g;"),
            Source::new("crates/a/tests/it/g.rs", ""),
            Source::new("crates/a/src/dead.rs", "mod deader;"),
            Source::new("crates/a/src/dead/deader.rs", ""),
        ];
        let package = package(&["crates/a/src/lib.rs", "crates/a/tests/it/main.rs"]);
        let found = paths(modules([&package].into_iter(), &sources));
        assert_eq!(found, ["crates/a/src/dead.rs", "crates/a/src/dead/deader.rs"]);
    }

    #[test]
    fn data_is_named_or_dead() {
        let texts = vec![
            Source::new("crates/a/src/lib.rs", "//! Reads `proto/x.proto`, migrations/sqlite/views."),
            Source::new("proto/x.proto", ""),
            Source::new("proto/y.proto", "y.proto"),
            Source::new("migrations/sqlite/views/202611230000_a.sql", ""),
            Source::new("config/hazwatch.example.toml", ""),
        ];
        let found = paths(data_files(&Files { texts, binaries: vec!["config/x.bin".into()] }));
        assert_eq!(found, ["proto/y.proto", "config/hazwatch.example.toml", "config/x.bin"]);
    }

    #[test]
    fn migrations_sort() {
        let names = ["202611230900_a.sql", "202611230900_b.sql", "1_a.sql", "202611231000_.sql", "README.md"];
        let sources: Vec<_> = names.iter().map(|name| Source::new(&format!("migrations/sqlite/{name}"), "")).collect();
        let found = paths(migrations(&sources));
        assert_eq!(found, names[1..4].iter().map(|name| format!("migrations/sqlite/{name}")).collect::<Vec<_>>());
    }
}
