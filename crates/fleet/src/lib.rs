//! Room `fleet`.
