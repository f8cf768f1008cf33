//! The house from outside: a server process, terminals that speak to it over TCP, and readers that ask it over HTTP.
//! Of ours it imports the wire only, so that a mistake in the server is not made twice.

// This is test code that lives in a library so that several tests can share it.
#![allow(clippy::panic)]

pub mod crash;
pub mod server;
pub mod truck;

/// A proof that can fail: what it found, or why the promise is broken.
pub type Proof = Result<String, String>;
