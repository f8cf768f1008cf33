//! The judgement from outside: scenarios as data, and properties over random drives.

mod bounds;
mod drive;
mod motion;
mod properties;
mod scenarios;
mod warnings;
mod watch;
mod zone_rules;
