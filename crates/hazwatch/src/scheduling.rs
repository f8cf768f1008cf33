//! How the threads of the server share the processors with each other.

/// Makes the calling thread, and all that it starts from now on, one that takes turns (`SCHED_BATCH`): when it wakes up
/// it waits until whoever runs has used its share, instead of interrupting. A server of many small messages else spends
/// itself on being interrupted: each packet wakes a reader, each commit the answers, each of them for a handful of
/// positions. Waiting makes the handfuls larger; on a processor that is idle nothing waits.
///
/// Who starts it with another niceness has decided otherwise already, and nothing is changed.
pub(crate) fn take_turns() {
    #[cfg(target_os = "linux")]
    if let Err(error) = batch() {
        tracing::debug!(%error, "threads interrupt each other");
    }
}

#[cfg(target_os = "linux")]
fn batch() -> Result<(), thread_priority::Error> {
    use thread_priority::unix::{NormalThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id};
    use thread_priority::{ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy};

    /// Niceness 0 in the scale of the library, from 0 to 100.
    const USUAL: u8 = 50;
    if rustix::process::getpriority_process(None).unwrap_or_default() != 0 {
        return Ok(());
    }
    let usual = ThreadPriority::Crossplatform(
        ThreadPriorityValue::try_from(USUAL)
            .map_err(|_| thread_priority::Error::Priority("the library has another scale"))?,
    );
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    set_thread_priority_and_policy(thread_native_id(), usual, policy)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn threads_started_afterwards_take_turns_too() {
        let own = std::thread::spawn(|| {
            take_turns();
            std::thread::spawn(|| std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default()).join()
        });
        let stat = own.join().expect("joins").expect("joins");
        // Field 41, the policy; counted from field 3, which follows the name in brackets. SCHED_BATCH is 3.
        let policy = stat.rsplit(')').next().and_then(|fields| fields.split_whitespace().nth(38));
        let is_usual = rustix::process::getpriority_process(None).is_ok_and(|niceness| niceness == 0);
        assert_eq!(policy, Some(if is_usual { "3" } else { "0" }));
    }
}
