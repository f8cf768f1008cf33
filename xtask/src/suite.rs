//! `cargo xtask test`: every check and test there is, in one order, with a table at the end.

use std::time::{Duration, Instant};

use crate::args::Args;
use crate::shell::{self, command, exists};
use crate::tools::{House, install};
use crate::{Failure, Outcome, tidy};

pub(crate) const HELP: &str = "\
Usage: cargo xtask test [--all] [--only STEP,...] [--rounds N] [--seconds N]

Runs every check and test, the quick ones first, and ends with a table. A step that fails does not stop the others.
Installs what is missing: a C++ compiler from Debian when it is root (else it prints the line), cargo-fuzz by cargo.

  --all         also compile cargo-deny when it is missing (it takes minutes); without it that step is skipped
  --only STEPS  these steps only: tools format tidy clippy deny build proto test doctest sabotage crash fuzz
  --rounds N    rounds of the kill loop (default 20)
  --seconds N   seconds for each fuzz target (default 20)

Examples:
  cargo xtask test
  cargo xtask test --only format,tidy,clippy
";

struct Suite {
    house: House,
    all: bool,
    rounds: u32,
    seconds: u32,
}

enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

struct Step {
    name: &'static str,
    /// Without this step there is no point in this one.
    after: Option<&'static str>,
    run: fn(&Suite) -> Result<Verdict, Failure>,
}

/// The order. Cheap before dear; what is built by one step is used by the next.
const STEPS: &[Step] = &[
    Step { name: "tools", after: None, run: |_| passed(tools()) },
    Step { name: "format", after: None, run: |suite| passed(suite.format()) },
    Step { name: "tidy", after: None, run: |_| passed(tidy::run(Args::new(Vec::new()))) },
    Step { name: "clippy", after: None, run: |suite| passed(suite.clippy()) },
    Step { name: "deny", after: None, run: Suite::deny },
    Step { name: "build", after: None, run: |suite| passed(suite.house.build()) },
    Step { name: "proto", after: Some("build"), run: |suite| passed(suite.house.proto_check()) },
    Step { name: "test", after: Some("build"), run: |suite| passed(suite.house.tests()) },
    Step { name: "doctest", after: Some("build"), run: |suite| passed(suite.house.doc_tests()) },
    Step { name: "sabotage", after: Some("build"), run: |suite| passed(suite.house.sabotage()) },
    Step { name: "crash", after: Some("build"), run: |suite| passed(suite.house.crash(suite.rounds)) },
    Step { name: "fuzz", after: None, run: |suite| passed(suite.house.fuzz(suite.seconds)) },
];

fn passed(outcome: Outcome) -> Result<Verdict, Failure> {
    outcome.map(|()| Verdict::Passed)
}

impl Suite {
    fn format(&self) -> Outcome {
        shell::run(command(&self.house.root, "cargo", &["fmt", "--all", "--check"]))?;
        let fuzz = ["fmt", "--manifest-path", "crates/jt808/fuzz/Cargo.toml", "--check"];
        shell::run(command(&self.house.root, "cargo", &fuzz))
    }

    fn clippy(&self) -> Outcome {
        // The tests' profile, so that build scripts and macros are built once for both.
        let args =
            ["clippy", "--profile", "ci", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
        shell::run(command(&self.house.root, "cargo", &args))
    }

    fn deny(&self) -> Result<Verdict, Failure> {
        if self.all {
            install("deny", "cargo-deny")?;
        } else if !exists("cargo", &["deny", "--version"]) {
            return Ok(Verdict::Skipped("cargo-deny is not installed; --all compiles it".into()));
        }
        // Advisories need a database from outside; these three need only the lock file.
        passed(shell::run(command(
            &self.house.root,
            "cargo",
            &["deny", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"],
        )))
    }
}

/// What the other steps start: parts of the toolchain, and a compiler, because SQLite, zstd and libFuzzer are C and C++.
fn tools() -> Outcome {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !exists("cargo", &[subcommand, "--version"]) {
            return Err(Failure::Broken(format!("{component} is missing; run `rustup component add {component}`")));
        }
    }
    if ["cc", "c++"].iter().all(|program| exists(program, &["--version"])) {
        return Ok(());
    }
    let here = std::path::Path::new(".");
    let is_root = shell::output(command(here, "id", &["-u"])).is_ok_and(|id| id.trim() == "0");
    if !is_root || !exists("apt-get", &["--version"]) {
        return Err(Failure::Broken("a C++ compiler is missing; run `sudo apt-get install -y g++`".into()));
    }
    shell::run(command(here, "apt-get", &["update", "-q"]))?;
    shell::run(command(here, "apt-get", &["install", "-q", "-y", "--no-install-recommends", "g++"]))
}

/// `cargo xtask test`.
pub(crate) fn run(mut args: Args) -> Outcome {
    let only = args.value("--only")?;
    let (all, rounds, seconds) = (args.flag("--all"), args.number("--rounds", 20)?, args.number("--seconds", 20)?);
    args.finish()?;
    let steps = choose(only.as_deref())?;
    let suite = Suite { house: House::open()?, all, rounds, seconds };
    let mut results: Vec<(&str, Verdict, Duration)> = Vec::new();
    for step in steps {
        println!("\n== {}", step.name);
        let started = Instant::now();
        let is_bad = |name| results.iter().any(|(n, v, _)| *n == name && !matches!(v, Verdict::Passed));
        let verdict = match step.after.filter(|name| is_bad(*name)) {
            Some(name) => Verdict::Skipped(format!("{name} did not succeed")),
            None => (step.run)(&suite).unwrap_or_else(|failure| Verdict::Failed(failure.reason())),
        };
        match &verdict {
            Verdict::Passed => {}
            Verdict::Failed(reason) => println!("failed: {reason}"),
            Verdict::Skipped(reason) => println!("skipped: {reason}"),
        }
        results.push((step.name, verdict, started.elapsed()));
    }
    print!("{}", table(&results));
    let failed: Vec<&str> = results.iter().filter(|r| matches!(r.1, Verdict::Failed(_))).map(|r| r.0).collect();
    if failed.is_empty() { Ok(()) } else { Err(Failure::Found(format!("failed: {}", failed.join(", ")))) }
}

/// The steps that were asked for, in their order.
fn choose(only: Option<&str>) -> Result<Vec<&'static Step>, Failure> {
    let Some(list) = only else { return Ok(STEPS.iter().collect()) };
    let names: Vec<&str> = list.split(',').collect();
    if let Some(unknown) = names.iter().find(|name| !STEPS.iter().any(|step| step.name == **name)) {
        return Err(Failure::Usage(format!("there is no step {unknown:?}")));
    }
    Ok(STEPS.iter().filter(|step| names.contains(&step.name)).collect())
}

fn table(results: &[(&str, Verdict, Duration)]) -> String {
    let mut text = String::from("\nstep       time    result\n");
    let mut counts = [0; 3];
    for (name, verdict, took) in results {
        let (kind, words) = match verdict {
            Verdict::Passed => (0, "passed".to_owned()),
            Verdict::Failed(reason) => (1, format!("FAILED  {reason}")),
            Verdict::Skipped(reason) => (2, format!("skipped ({reason})")),
        };
        counts[kind] += 1;
        let seconds = took.as_secs();
        text += &format!("{name:<9} {:>2}:{:02}    {words}\n", seconds / 60, seconds % 60);
    }
    let [passed, failed, skipped] = counts;
    text + &format!("\nsteps: {passed} passed, {failed} failed, {skipped} skipped\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_by_name_and_keep_their_order() {
        let names = |only| choose(only).map(|steps| steps.iter().map(|step| step.name).collect::<Vec<_>>());
        assert_eq!(names(Some("clippy,format")).expect("both exist"), ["format", "clippy"]);
        assert_eq!(names(None).expect("all").len(), STEPS.len());
        assert!(names(Some("format,nonsense")).is_err());
    }

    #[test]
    fn the_help_names_every_step_in_order() {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        assert!(HELP.contains(&format!("these steps only: {}\n", names.join(" "))));
        for (index, step) in STEPS.iter().enumerate() {
            assert!(step.after.is_none_or(|name| names[..index].contains(&name)), "{}", step.name);
        }
    }

    #[test]
    fn the_table_counts() {
        let results = [
            ("format", Verdict::Passed, Duration::from_secs(1)),
            ("test", Verdict::Failed("`cargo test` failed".into()), Duration::from_secs(125)),
            ("deny", Verdict::Skipped("absent".into()), Duration::ZERO),
        ];
        let wanted = "\nstep       time    result\nformat     0:01    passed\ntest       2:05    FAILED  `cargo test` failed\n\
                      deny       0:00    skipped (absent)\n\nsteps: 1 passed, 1 failed, 1 skipped\n";
        assert_eq!(table(&results), wanted);
    }
}
