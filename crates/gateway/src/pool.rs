//! Memory that all terminals share for one purpose: whoever takes some of it holds a share, and gives it back by
//! dropping it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct Pool {
    taken: AtomicUsize,
    bytes_max: usize,
}

impl Pool {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { taken: AtomicUsize::new(0), bytes_max }
    }

    /// Whether nobody should take more. What it then holds may be beyond its limit by what one of them took last.
    pub(crate) fn is_full(&self) -> bool {
        self.taken() >= self.bytes_max
    }

    /// Bytes that all shares hold.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// What one of them has taken.
pub(crate) struct Share {
    pub(crate) pool: Arc<Pool>,
    bytes: usize,
}

impl Share {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool, bytes: 0 }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// It takes so many bytes by now.
    pub(crate) fn set(&mut self, bytes: usize) {
        self.pool.taken.fetch_add(bytes, Ordering::Relaxed);
        self.pool.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}
