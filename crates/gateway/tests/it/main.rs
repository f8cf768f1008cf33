//! The gateway over real sockets, on a journal whose disk can be held, counted and broken.

mod commands;
mod durability;
mod harness;
mod limits;
mod sessions;
mod stream;
