//! The tasks that start one tool each: generator, kill loop, fuzzer, benchmarks. How their command lines look is
//! written down here once; the suite uses the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::shell::{self, command, exists};
use crate::{Failure, Outcome, workspace};

pub(crate) const PROTO_HELP: &str = "\
Usage: cargo xtask proto [--check]

Makes the Rust of every contract in proto/ again (table in xtask/src/bin/protogen.rs). Builds its generator first,
which takes half a minute once; needs no protoc.

  --check   write nothing; fail when a checked-in file differs

Example:
  cargo xtask proto --check
";

pub(crate) const CRASH_HELP: &str = "\
Usage: cargo xtask crash [--rounds N]

Kills the server at random moments under load (reports, batches, parts of messages, datagrams) and checks over HTTP
that every acknowledged position is in its track exactly once; in the end that the chain verifies and that a replay
gives the same views. Prints how soon the server was ready after each kill, and fails beyond ten seconds. A round
takes one to three seconds.

  --rounds N   how often it is killed (default 20)

Example:
  cargo xtask crash --rounds 1000
";

pub(crate) const SOAK_HELP: &str = "\
Usage: cargo xtask soak [--minutes N] [--vehicles N] [--interval SECONDS] [--hostile N] [--backlog HOURS] [--json FILE]

Runs the release server under a mixed load: connected, late, in parts, over a forwarding platform, over datagrams, in
reconnect storms, beside hostile clients and readers over HTTP. Looks every ten seconds at memory, open files, threads,
data, lag and latency. Then stops it, verifies and replays the journal, and reads every acknowledged position back.
Fails when anything was lost, doubled or invented, or when memory grows after warm-up.

  --minutes N         how long the load lasts (default 30)
  --vehicles N        trucks, all kinds together (default 1000)
  --interval SECONDS  between two positions of a truck (default 2)
  --hostile N         hostile connections (default 200)
  --backlog HOURS     what the trucks with messages in parts bring when they come (default 1)
  --json FILE         write all that was seen

Example:
  cargo xtask soak --minutes 30 --vehicles 2000
";

pub(crate) const FUZZ_HELP: &str = "\
Usage: cargo xtask fuzz [--seconds N]

Runs every fuzz target of crates/jt808 on the stable toolchain, from its seeds. Installs cargo-fuzz when it is
missing. What it learns stays in crates/jt808/fuzz/corpus; what it breaks, in crates/jt808/fuzz/artifacts.

  --seconds N   how long each target runs (default 20)

Example:
  cargo xtask fuzz --seconds 600
";

pub(crate) const BENCH_HELP: &str = "\
Usage: cargo xtask bench [ARGUMENTS]

Builds the server and measures it beside its peers; arguments go to the benches program as they are (`--help` lists
them), and without any all is measured, in ten minutes or so. `all --full` takes medians of five rounds of a minute.

Examples:
  cargo xtask bench
  cargo xtask bench ingest --window 16 --seconds 20
  cargo xtask bench all --full --json figures.json
";

pub(crate) const JUDGE_HELP: &str = "\
Usage: cargo xtask judge [--seeds N] [--from SEED] [--family NAME] [--cases N]

Drives simulated trucks whose true path is known through zones, gives the rules what a terminal would report of them,
and prints for each rule and family of scenes: recall and precision (of all, and of what can be told from the reports),
how far enter and leave are off, the stated bounds and how often they are true; beside point in polygon at the fixes.

  --seeds N       scenes of each family (default 100)
  --from SEED     first seed (default 1000000; thresholds were chosen on seeds from 1 on)
  --family NAME   this family only (table in tests/judge/src/family.rs)
  --cases N       list up to N cases that went wrong of each rule and family (default 0)

Example:
  cargo xtask judge --seeds 500 --family night-outside --cases 10
";

const FUZZ_FOLDER: &str = "crates/jt808/fuzz";
/// The kill loop, in the package `tests`. Without nextest it is found by its path in the test binary `it`.
const KILL_LOOP: Chosen =
    Chosen { nextest: "package(hazwatch-tests) & test(/kill_loop$/)", libtest: "kill::kill_loop" };
/// Proofs that the promises' tests can fail: `<proof>_sees_<what was broken>`.
const SABOTAGE: Chosen = Chosen { nextest: "package(hazwatch-tests) & test(/_sees_/)", libtest: "_sees_" };

/// Tests that have a step of their own, as either runner finds them.
struct Chosen {
    nextest: &'static str,
    libtest: &'static str,
}

/// How all tests are built, so that everything is built once: one profile, one set of features.
const BUILD: &[&str] = &["--workspace", "--features", "sabotage,xtask/proto"];

/// What the tools need to know.
pub(crate) struct House {
    pub root: PathBuf,
    target_dir: PathBuf,
    has_nextest: bool,
}

impl House {
    pub(crate) fn open() -> Result<Self, Failure> {
        let root = workspace::root();
        let target_dir = workspace::metadata(&root, "Cargo.toml")?.target_dir;
        Ok(Self { root, target_dir, has_nextest: exists("cargo", &["nextest", "--version"]) })
    }

    /// Builds the binaries that tests start.
    pub(crate) fn build(&self) -> Outcome {
        shell::run(command(&self.root, "cargo", &[&["build", "--profile", "ci", "--bins"], BUILD].concat()))
    }

    /// Holds the checked-in contracts against the generator that was just built.
    pub(crate) fn proto_check(&self) -> Outcome {
        let protogen = self.target_dir.join("ci/protogen");
        shell::run(command(&self.root, &protogen.to_string_lossy(), &[".", "--check"]))
    }

    /// All tests but those that have a step of their own.
    pub(crate) fn tests(&self) -> Outcome {
        let test = if self.has_nextest {
            let others = format!("not (({}) | ({}))", KILL_LOOP.nextest, SABOTAGE.nextest);
            self.with_binary(&["nextest", "run", "--cargo-profile", "ci"], &["--no-fail-fast", "-E", &others])
        } else {
            // libtest cannot say "of this package", so short proofs run here too rather than too much being left out.
            let rest = ["--no-fail-fast", "--", "--skip", KILL_LOOP.libtest];
            self.with_binary(&["test", "--profile", "ci", "--lib", "--bins", "--tests"], &rest)
        };
        shell::run(test)
    }

    /// The examples in the documentation, which nextest does not run.
    pub(crate) fn doc_tests(&self) -> Outcome {
        shell::run(command(&self.root, "cargo", &[&["test", "--profile", "ci", "--doc"], BUILD].concat()))
    }

    /// The proofs that the promises' tests go red when a promise is broken.
    pub(crate) fn sabotage(&self) -> Outcome {
        self.chosen_tests(&SABOTAGE, &[], None)
    }

    /// The kill loop.
    pub(crate) fn crash(&self, rounds: u32) -> Outcome {
        self.chosen_tests(&KILL_LOOP, &["--exact"], Some(("HAZWATCH_CRASH_ROUNDS", rounds.to_string())))
    }

    /// Runs some tests of the package `tests`, output on the terminal; fails when there are none.
    fn chosen_tests(&self, chosen: &Chosen, exact: &[&str], variable: Option<(&str, String)>) -> Outcome {
        let mut test = if self.has_nextest {
            let args = ["--no-capture", "--run-ignored", "all", "-E", chosen.nextest];
            self.with_binary(&["nextest", "run", "--cargo-profile", "ci"], &args)
        } else {
            let filter = [&["--test", "it", "--", chosen.libtest, "--include-ignored"], exact].concat();
            let list =
                shell::output(self.with_binary(&["test", "--profile", "ci"], &[&filter[..], &["--list"]].concat()))?;
            if !list.lines().any(|line| line.ends_with(": test")) {
                return Err(Failure::Found(format!("there is no test {:?}", chosen.libtest)));
            }
            self.with_binary(
                &["test", "--profile", "ci"],
                &[&filter[..], &["--nocapture", "--test-threads=1"]].concat(),
            )
        };
        test.envs(variable);
        shell::run(test)
    }

    /// A cargo command over the workspace that tells tests where the server's binary lies.
    fn with_binary(&self, before: &[&str], after: &[&str]) -> Command {
        let mut cargo = command(&self.root, "cargo", &[before, BUILD, after].concat());
        cargo.env("HAZWATCH_BIN", self.target_dir.join("ci/hazwatch"));
        cargo
    }

    /// Every fuzz target for that long. libFuzzer's own chatter is shown only when it found something.
    pub(crate) fn fuzz(&self, seconds: u32) -> Outcome {
        install("fuzz", "cargo-fuzz")?;
        let fuzz = |args: &[&str]| command(&self.root, "cargo", &[&["fuzz"], args].concat());
        let targets = shell::output(fuzz(&["list", "--fuzz-dir", FUZZ_FOLDER]))?;
        shell::run(fuzz(&["build", "--fuzz-dir", FUZZ_FOLDER, "-s", "none"]))?;
        let duration = format!("-max_total_time={seconds}");
        for target in targets.lines() {
            let [corpus, seeds] = ["corpus", "seeds"].map(|kind| format!("{FUZZ_FOLDER}/{kind}/{target}"));
            for folder in [&corpus, &seeds] {
                let made = std::fs::create_dir_all(self.root.join(folder));
                made.map_err(|e| Failure::Broken(format!("cannot make {folder}: {e}")))?;
            }
            let args = ["run", "--fuzz-dir", FUZZ_FOLDER, "-s", "none", target, &corpus, &seeds];
            let libfuzzer = ["--", &duration, "-rss_limit_mb=2048", "-print_final_stats=1"];
            let log = shell::quiet(fuzz(&[args.as_slice(), &libfuzzer].concat()))?;
            let runs = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
            println!("{target}: {} inputs, nothing found", runs.unwrap_or("?").trim());
        }
        Ok(())
    }
}

/// Makes sure of a cargo subcommand; installs it when it is missing.
pub(crate) fn install(subcommand: &str, package: &str) -> Outcome {
    if exists("cargo", &[subcommand, "--version"]) {
        return Ok(());
    }
    let install = command(Path::new("."), "cargo", &["install", "--locked", package]);
    shell::run(install).map_err(|_| {
        Failure::Broken(format!(
            "{package} is missing and could not be installed; run `cargo install --locked {package}`"
        ))
    })
}

/// `cargo xtask proto`.
pub(crate) fn proto(mut args: Args) -> Outcome {
    let check = args.flag("--check");
    args.finish()?;
    let mut protogen = command(&workspace::root(), "cargo", &["run", "-q", "-p", "xtask", "--features", "proto"]);
    protogen.args(["--bin", "protogen", "--", "."]).args(check.then_some("--check"));
    shell::run(protogen)
}

/// `cargo xtask crash`.
pub(crate) fn crash(mut args: Args) -> Outcome {
    let rounds = args.number("--rounds", 20)?;
    args.finish()?;
    let house = House::open()?;
    house.build()?;
    house.crash(rounds)
}

/// `cargo xtask fuzz`.
pub(crate) fn fuzz(mut args: Args) -> Outcome {
    let seconds = args.number("--seconds", 20)?;
    args.finish()?;
    House::open()?.fuzz(seconds)
}

/// `cargo xtask bench`.
pub(crate) fn bench(args: Args) -> Outcome {
    let words = args.rest();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    benches(if words.is_empty() { &["all"] } else { &words })
}

/// `cargo xtask soak`.
pub(crate) fn soak(args: Args) -> Outcome {
    let words = args.rest();
    benches(&["soak"].into_iter().chain(words.iter().map(String::as_str)).collect::<Vec<_>>())
}

/// `cargo xtask judge`.
pub(crate) fn judge(args: Args) -> Outcome {
    let words = args.rest();
    let run = ["run", "--quiet", "--profile", "ci", "-p", "hazwatch-judge", "--"];
    let words: Vec<&str> = run.into_iter().chain(words.iter().map(String::as_str)).collect();
    shell::run(command(&workspace::root(), "cargo", &words))
}

/// Builds the server and runs the benches program beside it.
fn benches(words: &[&str]) -> Outcome {
    let root = workspace::root();
    shell::run(command(&root, "cargo", &["build", "--release", "-p", "hazwatch", "-p", "hazwatch-benches"]))?;
    let run = ["run", "--quiet", "--release", "-p", "hazwatch-benches", "--"];
    shell::run(command(&root, "cargo", &[&run, words].concat()))
}
