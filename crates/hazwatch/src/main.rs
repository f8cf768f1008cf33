//! The house.
fn main() {}
