//! Whose position a report is, without a walk through the registry for each frame: a fixed cache in front of it.

use model::{Registry, TerminalId, Timestamp, VehicleId};

/// Entries; those that fall on one place push each other out. 2 MiB.
const ENTRIES: usize = 1 << 16;

#[derive(Clone, Copy, Default)]
struct Entry {
    terminal: u128,
    /// [`Registry::seq`] when it was looked up: it holds as long as nothing was recorded since. 0: empty.
    seq: u64,
    vehicle: VehicleId,
}

/// Terminals that speak for one vehicle at all times, which is nearly every one.
pub(crate) struct Bindings {
    entries: Vec<Entry>,
}

impl Default for Bindings {
    fn default() -> Self {
        Self { entries: vec![Entry::default(); ENTRIES] }
    }
}

impl Bindings {
    /// [`Registry::vehicle_at`].
    pub(crate) fn vehicle_at(
        &mut self,
        registry: &Registry,
        terminal: TerminalId,
        time: Timestamp,
    ) -> Option<VehicleId> {
        let number = terminal.value();
        let folded = (number as u64 ^ (number >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let entry = self.entries.get_mut((folded >> 48) as usize)?;
        if entry.terminal == number && entry.seq == registry.seq() && entry.seq != 0 {
            return Some(entry.vehicle);
        }
        let known = registry.terminal(terminal)?;
        if let [only] = &known.bindings[..]
            && only.from == Timestamp::MIN
        {
            *entry = Entry { terminal: number, seq: registry.seq(), vehicle: only.vehicle };
        }
        known.vehicle_at(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Change, ControlRecord};

    #[test]
    fn it_says_what_the_registry_says() {
        let mut registry = Registry::default();
        let mut bindings = Bindings::default();
        let terminal = TerminalId::from_wire(&[1, 0x39]);
        let steps = [(Timestamp::MIN, 1), (Timestamp(1000), 2)];
        assert_eq!(bindings.vehicle_at(&registry, TerminalId::from_wire(&[]), Timestamp(0)), None);
        for ((from, vehicle), seq) in steps.into_iter().zip(1..) {
            let change = Change::Bind { terminal, vehicle: VehicleId(vehicle), from };
            registry.apply(&ControlRecord { seq, recorded_at: Timestamp(0), actor: "t".into(), change });
            for time in [Timestamp::MIN, Timestamp(999), Timestamp(1000), Timestamp::MAX] {
                for _ in 0..2 {
                    let found = bindings.vehicle_at(&registry, terminal, time);
                    assert_eq!(found, registry.vehicle_at(terminal, time), "{time:?} after {seq}");
                }
            }
        }
    }
}
