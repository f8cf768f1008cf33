//! Faults on purpose, to prove that the checks above this room find them. Only with the feature `sabotage`, and then
//! only as the environment variable `HAZWATCH_SABOTEUR` says; otherwise all of it compiles to nothing.

#[cfg(feature = "sabotage")]
fn is(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("HAZWATCH_SABOTEUR").unwrap_or_default()) == name
}

#[cfg(not(feature = "sabotage"))]
const fn is(_name: &str) -> bool {
    false
}

/// `dedupe-off`: a fix that came twice is two fixes.
#[cfg_attr(not(feature = "sabotage"), allow(clippy::missing_const_for_fn))]
pub(crate) fn keeps_duplicates() -> bool {
    is("dedupe-off")
}

/// `change-fix`: one fix of each segment is stored a little faster than it was.
#[cfg_attr(not(feature = "sabotage"), allow(clippy::missing_const_for_fn))]
pub(crate) fn changes_a_fix() -> bool {
    is("change-fix")
}

/// `change-fact-revision`: facts are stored under the next revision.
pub(crate) fn revision(revision: u32) -> u32 {
    if is("change-fact-revision") { revision.wrapping_add(1) } else { revision }
}
