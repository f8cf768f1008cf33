//! What can go wrong with a simulated disk, and when: by order, or by chance from a seed.

use std::io;

/// What is asked of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Making a file.
    Create,
    /// Opening a file, for reading or appending.
    Open,
    /// Appending.
    Append,
    /// Syncing.
    Sync,
    /// Cutting.
    Truncate,
    /// Reading.
    Read,
    /// Giving a file another name.
    Rename,
    /// Removing a file.
    Remove,
}

impl Op {
    pub(super) const COUNT: usize = 8;

    const fn writes(self) -> bool {
        !matches!(self, Self::Open | Self::Read)
    }
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which calls.
    pub op: Op,
    /// How many of them go well before, from now on.
    pub after: u64,
    /// How many go wrong then; [`u64::MAX`] for all until [`super::SimDisk::heal`].
    pub times: u64,
    /// What the caller gets.
    pub error: io::ErrorKind,
    /// How much is done all the same, per mille: bytes of an append; bytes that a failed sync brought to the disk (the
    /// rest is lost, though reads still return it); with a create, 1000 leaves a file whose name a power cut may take.
    pub done_per_mille: u16,
}

impl Fault {
    /// The next call of this kind fails as a whole, once.
    #[must_use]
    pub const fn once(op: Op, error: io::ErrorKind) -> Self {
        Self { op, after: 0, times: 1, error, done_per_mille: 0 }
    }

    /// All calls of this kind fail as a whole.
    #[must_use]
    pub const fn always(op: Op, error: io::ErrorKind) -> Self {
        Self { times: u64::MAX, ..Self::once(op, error) }
    }

    /// The same, after so many that go well.
    #[must_use]
    pub const fn after(self, calls: u64) -> Self {
        Self { after: calls, ..self }
    }

    /// The same, with a part done all the same.
    #[must_use]
    pub const fn partly(self, done_per_mille: u16) -> Self {
        Self { done_per_mille, ..self }
    }
}

/// Faults by chance: of 10,000 calls of a kind, so many go wrong. All zero: none.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultPlan {
    /// Appends that fail, after a part was written.
    pub append: u16,
    /// Syncs that fail; what was not synced is then lost, wholly or in part.
    pub sync: u16,
    /// Files that are not made, or not durably.
    pub create: u16,
    /// Cuts that fail.
    pub truncate: u16,
    /// Reads that fail.
    pub read: u16,
    /// How many calls in a row a fault may last at most; 0 is taken for 1.
    pub streak_max: u16,
    /// Bytes that fit the disk.
    pub capacity_bytes: Option<u64>,
}

impl FaultPlan {
    const fn of(&self, op: Op) -> u16 {
        match op {
            Op::Append => self.append,
            Op::Sync => self.sync,
            Op::Create => self.create,
            Op::Truncate => self.truncate,
            Op::Read => self.read,
            Op::Open | Op::Rename | Op::Remove => 0,
        }
    }
}

/// All that is to go wrong with one disk.
#[derive(Clone, Default)]
pub(super) struct Faults {
    calls: [u64; Op::COUNT],
    /// Until which call of its kind a streak lasts.
    streaks: [u64; Op::COUNT],
    ordered: Vec<Fault>,
    chance: Option<(u64, FaultPlan)>,
    read_only: bool,
}

/// What a call that goes wrong does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mishap {
    pub(super) error: io::ErrorKind,
    pub(super) done_per_mille: u16,
}

impl Mishap {
    pub(super) fn error(self) -> io::Error {
        io::Error::new(self.error, "simulated")
    }
}

impl Faults {
    pub(super) fn by_chance(seed: u64, plan: FaultPlan) -> Self {
        Self { chance: Some((seed, plan)), ..Self::default() }
    }

    pub(super) fn order(&mut self, fault: Fault) {
        self.ordered.push(fault);
    }

    pub(super) fn make_read_only(&mut self) {
        self.read_only = true;
    }

    /// Nothing goes wrong any more.
    pub(super) fn heal(&mut self) {
        self.ordered.clear();
        self.chance = None;
        self.read_only = false;
    }

    pub(super) fn calls(&self, op: Op) -> u64 {
        self.calls[op as usize]
    }

    /// Counts a call; says whether it goes wrong.
    pub(super) fn call(&mut self, op: Op) -> Option<Mishap> {
        let number = self.calls[op as usize];
        self.calls[op as usize] += 1;
        if self.read_only && op.writes() {
            return Some(Mishap { error: io::ErrorKind::ReadOnlyFilesystem, done_per_mille: 0 });
        }
        self.ordered(op).or_else(|| self.chance(op, number))
    }

    fn ordered(&mut self, op: Op) -> Option<Mishap> {
        let mut mishap = None;
        for fault in self.ordered.iter_mut().filter(|fault| fault.op == op) {
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 && mishap.is_none() {
                fault.times -= 1;
                mishap = Some(Mishap { error: fault.error, done_per_mille: fault.done_per_mille });
            }
        }
        mishap
    }

    /// Depends on the seed, the kind and the number of the call only, so that threads that read do not change what
    /// happens to the one that writes.
    fn chance(&mut self, op: Op, number: u64) -> Option<Mishap> {
        let (seed, plan) = self.chance?;
        let dice = mix(seed ^ (op as u64).rotate_left(56) ^ number);
        let (roll, rest) = (dice % 10_000, dice / 10_000);
        if number >= self.streaks[op as usize] {
            if roll >= u64::from(plan.of(op)) {
                return None;
            }
            self.streaks[op as usize] = number + 1 + rest % u64::from(plan.streak_max.max(1));
        }
        let error = [io::ErrorKind::Other, io::ErrorKind::StorageFull][(rest >> 16) as usize % 2];
        Some(Mishap { error, done_per_mille: ((rest >> 20) % 1001) as u16 })
    }
}

/// SplitMix64: spreads neighbouring numbers.
pub(super) const fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
