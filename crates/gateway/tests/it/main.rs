//! The gateway over real sockets, on a journal whose disk can be held, counted and broken.

mod commands;
mod durability;
mod forwarders;
mod harness;
mod limits;
mod overload;
mod parts;
mod proxy;
mod sessions;
mod stream;
mod udp;
