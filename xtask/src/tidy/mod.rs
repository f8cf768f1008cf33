//! What the compiler does not check: who may import whom, what a file begins with, how long things get, what nobody
//! uses, what must not be written down. Each check is a function of what lies in the repository.

mod dead;
mod imports;
mod lengths;
mod lex;
mod pure;
mod text;

use crate::args::Args;
use crate::workspace::{self, Files, Metadata};
use crate::{Failure, Outcome};

pub(crate) const HELP: &str = "\
Usage: cargo xtask tidy

Checks what the compiler does not: the import table (docs in ARCHITECTURE.md, table in xtask/src/tidy/imports.rs),
the clocks and trigonometry that judgement may not use, the `//!` line, lengths of files and functions
(xtask/ratchet.txt), dead files, texts. Prints file:line and how to mend it. Formatting is `cargo fmt`'s.

Example:
  cargo xtask tidy
";

/// Packages outside the workspace, with manifests of their own.
const OUTSIDE: &[&str] = &["crates/jt808/fuzz/Cargo.toml"];

/// Generated files: their shape is not ours.
const GENERATED: &[&str] = &["crates/journal/src/proto/control.rs", "crates/journal/src/proto/journal.rs"];

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// From 1.
    line: usize,
    /// What is wrong and how to mend it.
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.into(), line, text: text.into() }
    }
}

/// The repository as the checks see it.
struct Repository {
    files: Files,
    house: Metadata,
    outside: Vec<Metadata>,
    ratchet: String,
}

type Check = fn(&Repository) -> Vec<Finding>;

/// Every check there is.
const CHECKS: &[(&str, Check)] = &[
    ("imports", |r| imports::check(&r.house.packages, &r.files.texts)),
    ("pure rooms", |r| pure::check(&r.files.texts)),
    ("texts", |r| text::check(&r.files.texts)),
    ("lengths", |r| lengths::check(&r.files.texts, &r.ratchet)),
    ("modules", |r| dead::modules(r.all_packages(), &r.files.texts)),
    ("named files", |r| dead::data_files(&r.files)),
    ("migrations", |r| dead::migrations(&r.files.texts)),
];

impl Repository {
    fn read() -> Result<Self, Failure> {
        let root = workspace::root();
        let files = workspace::files(&root)?;
        let house = workspace::metadata(&root, "Cargo.toml")?;
        let there = |manifest: &&&str| files.texts.iter().any(|file| file.path == **manifest);
        let outside = OUTSIDE
            .iter()
            .filter(there)
            .map(|manifest| workspace::metadata(&root, manifest))
            .collect::<Result<_, _>>()?;
        let ratchet = files.texts.iter().find(|file| file.path == lengths::RATCHET).map(|file| file.text.clone());
        Ok(Self { files, house, outside, ratchet: ratchet.unwrap_or_default() })
    }

    fn all_packages(&self) -> impl Iterator<Item = &workspace::Package> {
        self.house.packages.iter().chain(self.outside.iter().flat_map(|metadata| &metadata.packages))
    }
}

/// `cargo xtask tidy`.
pub(crate) fn run(args: Args) -> Outcome {
    args.finish()?;
    let repository = Repository::read()?;
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|(_, check)| check(&repository)).collect();
    findings.sort();
    for Finding { path, line, text } in &findings {
        println!("{path}:{line}: {text}");
    }
    match findings.len() {
        0 => {
            let names: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
            println!("tidy: {} files, nothing to mend ({})", repository.files.texts.len(), names.join(", "));
            Ok(())
        }
        count => Err(Failure::Found(format!("{count} to mend"))),
    }
}
