//! Room `intake`.
