//! How the threads of the server share the memory that they have given back.

/// Under which name the C library is told how many arenas it may keep.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Lets the C library keep two arenas of memory, not eight for each processor. What a thread gives back stays in its
/// arena: with twenty threads that take turns at large pieces (checkpoints, answers to queries), the same few MiB stay
/// behind in one arena after the other, for hours.
///
/// The library asks its environment only when a program begins, so the program begins again, as the same process. Who has
/// set the variable has decided already.
pub(crate) fn keep_few_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if std::env::var_os(ARENAS).is_none() {
        use std::os::unix::process::CommandExt;
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_else(|| "hazwatch".into());
        let Ok(program) = std::env::current_exe() else { return };
        // It returns only when it could not: then it goes on as it is, with more memory.
        let _ = std::process::Command::new(program).arg0(name).args(arguments).env(ARENAS, "2").exec();
    }
}
