//! Tasks of the workspace, started as `cargo xtask TASK`. Nothing here is shipped, and nothing that is shipped
//! depends on it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task talks to a terminal")]

mod args;
mod shell;
mod suite;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use args::Args;

/// Why a task did not succeed.
#[derive(Debug)]
enum Failure {
    /// The caller asked for something that does not exist. Exit code 2.
    Usage(String),
    /// What was checked is not good, and the reasons are already printed. Exit code 1.
    Found(String),
    /// The task itself could not be done. Exit code 1.
    Broken(String),
}

impl Failure {
    fn reason(self) -> String {
        match self {
            Self::Usage(reason) | Self::Found(reason) | Self::Broken(reason) => reason,
        }
    }
}

type Outcome = Result<(), Failure>;

struct Task {
    name: &'static str,
    summary: &'static str,
    help: &'static str,
    run: fn(Args) -> Outcome,
}

const TASKS: &[Task] = &[
    Task { name: "test", summary: "run every check and test there is", help: suite::HELP, run: suite::run },
    Task { name: "tidy", summary: "check what the compiler does not", help: tidy::HELP, run: tidy::run },
    Task { name: "proto", summary: "make Rust out of proto/", help: tools::PROTO_HELP, run: tools::proto },
    Task {
        name: "crash",
        summary: "kill the server under load, again and again",
        help: tools::CRASH_HELP,
        run: tools::crash,
    },
    Task {
        name: "soak",
        summary: "run the server under everything at once, for long",
        help: tools::SOAK_HELP,
        run: tools::soak,
    },
    Task { name: "fuzz", summary: "feed garbage to the decoders", help: tools::FUZZ_HELP, run: tools::fuzz },
    Task {
        name: "judge",
        summary: "hold the judgement against scenes with a known truth",
        help: tools::JUDGE_HELP,
        run: tools::judge,
    },
    Task { name: "bench", summary: "measure beside the peers", help: tools::BENCH_HELP, run: tools::bench },
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(name) = words.next() else {
        eprint!("{}", overview());
        return ExitCode::from(2);
    };
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        print!("{}", overview());
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprint!("xtask: there is no task {name:?}\n\n{}", overview());
        return ExitCode::from(2);
    };
    let words: Vec<String> = words.collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{}", task.help);
        return ExitCode::SUCCESS;
    }
    match (task.run)(Args::new(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(reason)) => {
            eprintln!("xtask {name}: {reason}\n\n{}", task.help);
            ExitCode::from(2)
        }
        Err(Failure::Found(reason) | Failure::Broken(reason)) => {
            eprintln!("xtask {name}: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn overview() -> String {
    let mut text = String::from("Usage: cargo xtask TASK [OPTIONS]      (`cargo xtask TASK --help` for each)\n\n");
    for task in TASKS {
        text += &format!("  {:<8}{}\n", task.name, task.summary);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_has_help_with_an_example() {
        for task in TASKS {
            let usage = format!("Usage: cargo xtask {}", task.name);
            let example = format!("  cargo xtask {}", task.name);
            assert!(task.help.starts_with(&usage) && task.help.contains("Example"), "{}", task.name);
            assert!(task.help.contains(&example), "{}", task.name);
            assert!(overview().contains(task.summary), "{}", task.name);
        }
    }
}
