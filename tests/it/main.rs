//! One binary for all tests of the house from outside.

mod contract;
mod custody;
mod doors;
mod edges;
mod garbage;
mod kill;
mod parts;
mod replay;
