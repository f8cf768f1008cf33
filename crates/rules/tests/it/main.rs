//! The judgement from outside: scenarios as data, and properties over random drives.

mod bounds;
mod drive;
mod properties;
mod scenarios;
