//! The window from outside: a router over a real store and small rooms behind the ports.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails, in its helpers too")]

mod access;
mod cases;
mod contract;
mod custody;
mod events;
mod ground;
mod preview;
mod registry;
mod socket;
mod support;
mod zones;
