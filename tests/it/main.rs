//! One binary for all tests of the house from outside.

mod contract;
mod garbage;
mod kill;
mod replay;
