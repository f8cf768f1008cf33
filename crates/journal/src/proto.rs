//! The binary contracts of `proto/`, as generated code.

// Generated: its shape is not ours to lint.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub(crate) mod control;
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub(crate) mod journal;
