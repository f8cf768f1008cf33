//! What can go wrong in the memory, by blame: the caller, the operator's files, or the engine.

use std::path::PathBuf;

/// Whatever the engine says, kept as the source of an error without naming the engine.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It does not exist, or the scope of the question does not see it: the two must look alike.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The answer is larger than the caller allowed.
    #[error("more than {limit} rows: ask for a shorter time")]
    TooMany {
        /// What the caller allowed.
        limit: usize,
    },
    /// The name is in use.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// The request makes no sense.
    #[error("{0}")]
    Refused(&'static str),
    /// Stored bytes are damaged, or were written by something newer. Views can be rebuilt by a replay.
    #[error("{what} is damaged: {why}")]
    Corrupt {
        /// Which row or file.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A newer binary has been here: its schema is unknown to this one.
    #[error("{} has schema {found}, this binary knows only up to {known}: use the newer binary", path.display())]
    NewerSchema {
        /// Which database.
        path: PathBuf,
        /// Its newest migration.
        found: i64,
        /// The newest migration of this binary.
        known: i64,
    },
    /// A migration that has run differs from the one in this binary.
    #[error("{}: migration {version} is not the one that this binary would have run", path.display())]
    ForeignSchema {
        /// Which database.
        path: PathBuf,
        /// Which migration.
        version: i64,
    },
    /// Somebody else is writing to the database.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// Which database.
        path: PathBuf,
    },
    /// The folder or file cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The engine failed.
    #[error("cannot {doing}")]
    Engine {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Cause,
    },
}

impl StoreError {
    /// Something in the views is damaged: says what helps.
    pub(crate) fn corrupt(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        const REMEDY: &str = "stop the server and delete views.db: it is rebuilt from the journal";
        Self::Corrupt { what: what.into(), why: format!("{why}; {REMEDY}") }
    }

    /// Something in the users' database is damaged, which nothing can rebuild.
    pub(crate) fn corrupt_users(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Corrupt { what: what.into(), why: format!("{why}; restore app.db from a backup") }
    }
}
