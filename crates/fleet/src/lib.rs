//! Room `fleet`.
mod geo;
mod gnss;
mod path;
mod roads;
mod seed;
mod truck;
