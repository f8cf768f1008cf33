//! The window: HTTP, the live feed, permissions. It decides nothing: changes go to the control room through
//! [`ControlPort`](model::ControlPort), reads come from the store and the registry, each with the caller's scope.
//!
//! - [`ROUTES`]: who may do what; the guard enforces this table and nothing else.
//! - [`router`]: every route over the rooms in [`Deps`].
//! - [`serve`]: the socket in front of it.
//! - [`openapi_json`]: the description, derived from the handlers.

#![allow(unused_qualifications, reason = "the derives of utoipa repeat paths")]

mod access;
mod app;
mod cases;
mod change;
mod commands;
mod config;
mod custody;
mod door;
mod drafts;
mod dto;
mod envelope;
mod events;
mod extract;
mod facts;
mod ground;
mod ground_imports;
mod guard;
mod history;
mod imports;
mod limits;
mod lookup;
mod lots;
mod metrics;
mod openapi;
mod permits;
mod preview;
mod problem;
mod register;
mod registry_imports;
mod rulebook;
mod serve;
mod service;
mod sessions;
mod settings;
mod terminals;
mod tracks;
mod users;
mod vehicles;
mod zones;

pub use access::{Access, ROUTES, Route};
pub use app::router;
pub use config::{Clock, Config, Deps};
pub use openapi::openapi_json;
pub use serve::{Limits, serve};
