//! Counters with a ceiling: failed logins a minute, live feeds a user.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use model::Timestamp;
use parking_lot::Mutex;

const MINUTE_US: i64 = 60_000_000;
/// Keys that are remembered at most; beyond it nobody may log in until the minute is over.
const KEYS_MAX: usize = 100_000;

/// Failed logins in the running minute, by key.
#[derive(Default)]
pub(crate) struct LoginLimiter {
    minute: Mutex<(i64, BTreeMap<String, u32>)>,
}

impl LoginLimiter {
    /// Counts an attempt against all keys, or none of them.
    ///
    /// # Errors
    /// With the seconds until the next minute when a key has no attempt left.
    pub(crate) fn charge(&self, keys: &[(String, u32)], now: Timestamp) -> Result<(), u64> {
        let minute = now.0.div_euclid(MINUTE_US);
        let mut state = self.minute.lock();
        if state.0 != minute {
            *state = (minute, BTreeMap::new());
        }
        let counts = &mut state.1;
        let spent = keys.iter().any(|(key, max)| counts.get(key).copied().unwrap_or(0) >= *max);
        if spent || counts.len() + keys.len() > KEYS_MAX {
            let left_us = MINUTE_US - now.0.rem_euclid(MINUTE_US);
            return Err(left_us.unsigned_abs().div_ceil(1_000_000));
        }
        for (key, _) in keys {
            *counts.entry(key.clone()).or_default() += 1;
        }
        Ok(())
    }

    /// Takes an attempt back: it succeeded.
    pub(crate) fn refund(&self, keys: &[(String, u32)]) {
        let mut state = self.minute.lock();
        for (key, _) in keys {
            if let Some(count) = state.1.get_mut(key) {
                *count = count.saturating_sub(1);
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
        let at = |s: i64| Timestamp::from_secs(s);
        assert_eq!(limiter.charge(&keys, at(0)), Ok(()));
        assert_eq!(limiter.charge(&keys, at(1)), Ok(()));
        assert_eq!(limiter.charge(&keys, at(50)), Err(10));
        limiter.refund(&keys);
        assert_eq!(limiter.charge(&keys, at(51)), Ok(()));
        assert_eq!(limiter.charge(&keys, at(60)), Ok(()), "a new minute");
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
