//! What ends a command, with its exit code: 0 good, 1 failed, 2 usage.

use std::error::Error;
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The words or files that it was given are wrong.
    Usage(String),
    /// It could not be done.
    Failed(String, Option<Box<dyn Error + Send + Sync>>),
}

impl Failure {
    /// It could not be done, because of `source`.
    pub(crate) fn because(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Failed(what.into(), Some(Box::new(source)))
    }

    /// It could not be done.
    pub(crate) fn plain(what: impl Into<String>) -> Self {
        Self::Failed(what.into(), None)
    }

    /// Says why on stderr, with the whole chain of causes, and gives the exit code.
    #[expect(clippy::print_stderr, reason = "the last word of a command belongs to whoever typed it")]
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Usage(message) => {
                eprintln!("error: {message}");
                ExitCode::from(2)
            }
            Self::Failed(message, source) => {
                eprintln!("error: {message}");
                let mut cause: Option<&dyn Error> = source.as_deref().map(|e| e as &dyn Error);
                let mut said = message.clone();
                while let Some(error) = cause {
                    // Some errors say their cause themselves.
                    let text = error.to_string();
                    if !said.contains(&text) {
                        eprintln!("  because: {text}");
                    }
                    said = text;
                    cause = error.source();
                }
                ExitCode::from(1)
            }
        }
    }
}
