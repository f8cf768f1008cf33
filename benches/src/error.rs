//! Why a bench gives no figures.

use std::io;

/// Why a bench gives no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The system refuses.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another part refuses.
    #[error("cannot {what}")]
    Other {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A child did not do as it was told.
    #[error("{0}")]
    Child(String),
    /// The figures would be of something else than they claim.
    #[error("the result is wrong: {0}")]
    Wrong(String),
}

impl Failure {
    /// For `map_err` of what the system does.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// For `map_err` of what other parts do.
    pub(crate) fn other<E>(what: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Self::Other { what, source: source.into() }
    }
}
