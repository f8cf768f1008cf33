//! Running other programs: output goes to the terminal, or comes back as text.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// A program with its arguments, to be run in the root of the workspace.
pub(crate) fn command(root: &Path, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root);
    command
}

/// Runs to the end, output on the terminal.
pub(crate) fn run(mut command: Command) -> Result<(), Failure> {
    let line = describe(&command);
    println!("$ {line}");
    let status = command.status().map_err(|e| Failure::Broken(format!("cannot run `{line}`: {e}")))?;
    if status.success() { Ok(()) } else { Err(Failure::Found(format!("`{line}` failed ({status})"))) }
}

/// Runs to the end and gives back what it printed.
pub(crate) fn output(mut command: Command) -> Result<String, Failure> {
    let line = describe(&command);
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|e| Failure::Broken(format!("cannot run `{line}`: {e}")))?;
    if !output.status.success() {
        return Err(Failure::Broken(format!("`{line}` failed ({})", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| Failure::Broken(format!("`{line}` did not print UTF-8")))
}

/// Runs to the end and gives back all that it printed; shows it only when it failed.
pub(crate) fn quiet(mut command: Command) -> Result<String, Failure> {
    let line = describe(&command);
    println!("$ {line}");
    let output = command.output().map_err(|e| Failure::Broken(format!("cannot run `{line}`: {e}")))?;
    let log = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.success() {
        return Ok(log);
    }
    println!("{log}");
    Err(Failure::Found(format!("`{line}` failed ({})", output.status)))
}

/// Whether a program answers at all.
pub(crate) fn exists(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The line that a person would type; variables that were set come first.
fn describe(command: &Command) -> String {
    let quote = |word: &OsStr| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
        if !word.is_empty() && word.chars().all(plain) { word.into_owned() } else { format!("'{word}'") }
    };
    let variables =
        command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quote(value?))));
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(quote);
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_a_line_that_can_be_typed() {
        let mut c = command(Path::new("."), "cargo", &["test", "-E", "not test(x)"]);
        c.env("ROUNDS", "3");
        assert_eq!(describe(&c), "ROUNDS=3 cargo test -E 'not test(x)'");
    }

    #[test]
    fn tells_failure_from_absence() {
        let here = Path::new(".");
        assert!(matches!(run(command(here, "false", &[])), Err(Failure::Found(_))));
        assert!(matches!(run(command(here, "no-such-program-here", &[])), Err(Failure::Broken(_))));
        assert_eq!(output(command(here, "echo", &["x"])).expect("echo"), "x\n");
        assert!(matches!(quiet(command(here, "false", &[])), Err(Failure::Found(_))));
        assert_eq!(quiet(command(here, "echo", &["y"])).expect("echo"), "y\n");
        assert!(!exists("no-such-program-here", &[]));
    }
}
