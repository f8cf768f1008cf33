//! Answers leave from here: after each commit, threads of their own write to the sockets of all that landed, without
//! waking the connections' tasks. Waking one for each answer costs more than the answer.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::metrics::{Meter, Metrics};

/// Somebody to whom answers are owed.
pub(crate) trait Owed: Send + Sync {
    /// Writes what is durable. Called on a flusher's thread; must not wait for anything.
    fn answer(&self, pass: &mut Pass<'_>);
}

/// What a thread that answers carries from one to the next.
pub(crate) struct Pass<'a> {
    /// Where answers are encoded; left empty.
    pub(crate) out: Vec<u8>,
    pub(crate) meter: Meter<'a>,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(metrics: &'a Metrics) -> Self {
        Self { out: Vec::new(), meter: Meter::new(metrics) }
    }
}

#[derive(Default)]
struct Queue {
    landed: Vec<Arc<dyn Owed>>,
    stopped: bool,
}

#[derive(Default)]
struct Shard {
    queue: Mutex<Queue>,
    ring: Condvar,
}

/// The queues of all that landed, one for each flusher. Each connection is in one at most once, so they are bounded.
pub(crate) struct Flush(Vec<Shard>);

impl Flush {
    /// For a machine with that many processors.
    pub(crate) fn new(processors: usize) -> Self {
        Self((0..(processors / 2).clamp(1, 8)).map(|_| Shard::default()).collect())
    }

    /// Queues somebody by its number; it is answered after [`Flush::ring`] at the latest.
    pub(crate) fn push(&self, number: u64, owed: Arc<dyn Owed>) {
        if let Some(shard) = self.0.get((number % self.0.len() as u64) as usize) {
            shard.queue.lock().landed.push(owed);
        }
    }

    /// A commit is over: wakes those that have something to do.
    pub(crate) fn ring(&self) {
        for shard in &self.0 {
            if !shard.queue.lock().landed.is_empty() {
                shard.ring.notify_one();
            }
        }
    }

    /// Starts the flushers.
    pub(crate) fn start(self: &Arc<Self>, metrics: &Metrics) -> std::io::Result<Flushers> {
        let mut flushers = Flushers { flush: self.clone(), threads: Vec::new() };
        for shard in 0..self.0.len() {
            let (flush, metrics) = (self.clone(), metrics.clone());
            let thread = std::thread::Builder::new().name("answers".into());
            flushers.threads.push(thread.spawn(move || flush.serve(shard, &metrics))?);
        }
        Ok(flushers)
    }

    fn serve(&self, shard: usize, metrics: &Metrics) {
        let Some(shard) = self.0.get(shard) else { return };
        let mut pass = Pass::new(metrics);
        let mut landed = Vec::new();
        loop {
            {
                let mut queue = shard.queue.lock();
                while queue.landed.is_empty() {
                    if queue.stopped {
                        return;
                    }
                    shard.ring.wait(&mut queue);
                }
                std::mem::swap(&mut queue.landed, &mut landed);
            }
            landed.drain(..).for_each(|owed: Arc<dyn Owed>| owed.answer(&mut pass));
            pass.meter.flush();
        }
    }
}

/// The running flushers. Dropped, they answer what is queued and end.
pub(crate) struct Flushers {
    flush: Arc<Flush>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Flushers {
    fn drop(&mut self) {
        for shard in &self.flush.0 {
            shard.queue.lock().stopped = true;
            shard.ring.notify_one();
        }
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}
