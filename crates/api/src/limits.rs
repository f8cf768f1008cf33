//! Counters with a ceiling: failed logins a minute, live feeds a user.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use model::Timestamp;
use parking_lot::Mutex;

const MINUTE_US: i64 = 60_000_000;
/// Keys that are remembered at most; beyond it nobody may log in until the minute is over.
const KEYS_MAX: usize = 100_000;

/// Attempts of one key that may wait for their verdict at the same time: a burst ends here, however fast it comes.
const PENDING_MAX: u32 = 64;

/// What is known of a key in the running minute.
#[derive(Clone, Copy, Default)]
struct Attempts {
    failed: u32,
    pending: u32,
}

/// Failed logins in the running minute, by key.
#[derive(Default)]
pub(crate) struct LoginLimiter {
    minute: Mutex<(i64, BTreeMap<String, Attempts>)>,
}

impl LoginLimiter {
    /// Begins an attempt under all keys, each with the failures that it may have, or refuses it.
    ///
    /// # Errors
    /// With the seconds until the next minute when a key has no attempt left.
    pub(crate) fn begin(&self, keys: &[(String, u32)], now: Timestamp) -> Result<(), u64> {
        let minute = now.0.div_euclid(MINUTE_US);
        let mut state = self.minute.lock();
        if state.0 != minute {
            *state = (minute, BTreeMap::new());
        }
        let known = &mut state.1;
        let spent = keys.iter().any(|(key, failures_max)| {
            known.get(key).is_some_and(|a| a.failed >= *failures_max || a.pending >= PENDING_MAX)
        });
        if spent || known.len() + keys.len() > KEYS_MAX {
            let left_us = MINUTE_US - now.0.rem_euclid(MINUTE_US);
            return Err(left_us.unsigned_abs().div_ceil(1_000_000));
        }
        for (key, _) in keys {
            known.entry(key.clone()).or_default().pending += 1;
        }
        Ok(())
    }

    /// Ends an attempt. One that is never ended goes on pending until the minute is over.
    pub(crate) fn end(&self, keys: &[(String, u32)], failed: bool) {
        let mut state = self.minute.lock();
        for (key, _) in keys {
            if let Some(attempts) = state.1.get_mut(key) {
                attempts.pending = attempts.pending.saturating_sub(1);
                attempts.failed += u32::from(failed);
            }
        }
    }
}

/// The part of an address that one household or company holds: IPv6 hands out a /64 to each.
pub(crate) fn address_key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Live feeds by user.
#[derive(Default)]
pub(crate) struct Feeds {
    open: Mutex<BTreeMap<String, usize>>,
}

impl Feeds {
    /// A place for a feed, until it is dropped; `None` when there is none.
    pub(crate) fn take(self: &Arc<Self>, user: &str, per_user_max: usize, max: usize) -> Option<Feed> {
        let mut open = self.open.lock();
        let own = open.get(user).copied().unwrap_or(0);
        if own >= per_user_max || open.values().sum::<usize>() >= max {
            return None;
        }
        open.insert(user.to_owned(), own + 1);
        Some(Feed { feeds: Arc::clone(self), user: user.to_owned() })
    }

    /// How many feeds are open.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().values().sum()
    }
}

/// A place for a feed.
pub(crate) struct Feed {
    feeds: Arc<Feeds>,
    user: String,
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut open = self.feeds.open.lock();
        match open.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_minute() {
        let limiter = LoginLimiter::default();
        let keys = [("a".to_owned(), 2), ("b".to_owned(), 9)];
        let attempt = |second, failed| {
            let begun = limiter.begin(&keys, Timestamp::from_secs(second));
            limiter.end(&keys, failed);
            begun
        };
        for (second, failed, expect) in
            [(0, true, Ok(())), (1, false, Ok(())), (2, true, Ok(())), (50, false, Err(10)), (60, false, Ok(()))]
        {
            assert_eq!(attempt(second, failed), expect, "{second}");
        }
    }

    #[test]
    fn a_burst_ends_before_its_verdicts() {
        let limiter = LoginLimiter::default();
        let keys = [("a".to_owned(), 1)];
        let begun = (0..100).filter(|_| limiter.begin(&keys, Timestamp::from_secs(0)).is_ok()).count();
        assert_eq!(begun, PENDING_MAX as usize);
    }

    #[test]
    fn neighbours_share_a_key() {
        for (address, key) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(address_key(address.parse().unwrap()), key);
        }
    }

    #[test]
    fn feeds_have_places() {
        let feeds = Arc::new(Feeds::default());
        let first = feeds.take("a", 1, 2);
        assert!(first.is_some() && feeds.take("a", 1, 2).is_none());
        let second = feeds.take("b", 1, 2);
        assert!(second.is_some() && feeds.take("c", 1, 2).is_none());
        drop(first);
        assert!(feeds.take("a", 1, 2).is_some());
        assert_eq!(feeds.count(), 1, "the last one was dropped at once");
    }
}
