//! What the system knows of a process: memory, and processor time by thread. Reads /proc, and a clock.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::error::Failure;

/// Time that all threads of this process have been on a processor so far, those that have ended included.
pub(crate) fn own_cpu() -> Duration {
    let at = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(at.tv_sec.unsigned_abs(), u32::try_from(at.tv_nsec).unwrap_or(0))
}

/// Resident memory of a process, bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64, Failure> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).map_err(Failure::io("read the memory of a server"))?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
    kib.map(|kib: u64| kib * 1_024).ok_or_else(|| Failure::Wrong(format!("no VmRSS in /proc/{pid}/status")))
}

/// Seconds on a processor so far, by name of thread, numbers at its end left out. Threads that have ended are missing.
pub(crate) fn cpu_s(pid: u32) -> BTreeMap<String, f64> {
    let mut by_name = BTreeMap::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return by_name };
    for task in tasks.flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let name = read("comm").trim().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
        let ns: f64 = read("schedstat").split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0);
        *by_name.entry(name).or_default() += ns / 1e9;
    }
    by_name
}

/// What each thread used between two readings.
pub(crate) fn cpu_between(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    after.iter().map(|(name, s)| (name.clone(), s - before.get(name).copied().unwrap_or(0.0))).collect()
}

/// Entries of a folder of the process in /proc, as `fd` or `task`.
pub(crate) fn entries(pid: u32, what: &str) -> usize {
    fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count)
}

/// The kind of file system under a folder, as /proc/mounts calls it.
pub(crate) fn file_system(folder: &std::path::Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let fields = mounts.lines().filter_map(|line| {
        let mut parts = line.split(' ').skip(1);
        Some((parts.next()?, parts.next()?))
    });
    let under = fields.filter(|(at, _)| folder.starts_with(at));
    under.max_by_key(|(at, _)| at.len()).map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_known() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).expect("memory") > 100_000);
        assert!(!cpu_s(pid).is_empty());
        assert!(resident_bytes(u32::MAX).is_err() && cpu_s(u32::MAX).is_empty());
        assert_ne!(file_system(std::path::Path::new("/proc")), "unknown");
    }
}
