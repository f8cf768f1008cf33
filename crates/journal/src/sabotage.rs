//! Saboteurs: ways to break a promise on purpose, so that the test that proves it can be seen to fail. They exist
//! only in builds with the feature `sabotage`; elsewhere every question is a constant `false`.

/// Whether the named saboteur (environment variable `HAZWATCH_SABOTEUR`) is at work.
#[cfg(feature = "sabotage")]
#[must_use]
pub fn is_active(name: &str) -> bool {
    use std::sync::OnceLock;
    static ACTIVE: OnceLock<Option<String>> = OnceLock::new();
    ACTIVE.get_or_init(|| std::env::var("HAZWATCH_SABOTEUR").ok()).as_deref() == Some(name)
}

/// Whether the named saboteur is at work: never, in this build.
#[cfg(not(feature = "sabotage"))]
#[must_use]
pub const fn is_active(_name: &str) -> bool {
    false
}
