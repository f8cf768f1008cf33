//! What can go wrong before or around a run. A server that refuses, stalls or dies is not an error here: that is
//! what the fleet is for, and the report tells it.

use std::io;
use std::path::PathBuf;

/// Why a run could not begin or its ledger could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// Options that make no sense. The operator's to mend.
    #[error("{0}")]
    Usage(String),
    /// The server's name or address is none.
    #[error("no such address: {to}")]
    Resolve {
        /// What was given.
        to: String,
        /// Why.
        source: io::Error,
    },
    /// More connections than the process may open files.
    #[error("{needed} connections need more open files than the {limit} this process may have (ulimit -n)")]
    OpenFiles {
        /// Files needed.
        needed: u64,
        /// Files allowed.
        limit: u64,
    },
    /// The ledger cannot be written or read.
    #[error("ledger {path}")]
    Ledger {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of the ledger, not its last, is no ledger line.
    #[error("ledger {path}, line {line}")]
    LedgerLine {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}
