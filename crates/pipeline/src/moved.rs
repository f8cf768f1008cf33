//! Fixes that are another vehicle's than was thought: a binding was recorded after what it holds for. Where they went
//! wrong they stay, and count no more; the right vehicle gets them as well.

use model::{Change, Fix, Registry, TerminalId, Timestamp, VehicleId};

/// A terminal speaks for another vehicle from an event time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rebound {
    pub(crate) terminal: TerminalId,
    pub(crate) vehicle: VehicleId,
    pub(crate) from: Timestamp,
    /// For whom it spoke from there on, as was thought.
    pub(crate) before: Vec<VehicleId>,
}

impl Rebound {
    /// What a change, which the registry does not know yet, makes of earlier fixes; `None` when it is nothing.
    pub(crate) fn of(change: &Change, registry: &Registry) -> Option<Self> {
        let Change::Bind { terminal, vehicle, from } = *change else { return None };
        let bindings = &registry.terminal(terminal)?.bindings;
        let ends = bindings.iter().skip(1).map(|next| next.from).chain([Timestamp::MAX]);
        let reached = bindings.iter().zip(ends).filter(|(binding, to)| *to > from && binding.vehicle != vehicle);
        let mut before: Vec<_> = reached.map(|(binding, _)| binding.vehicle).collect();
        before.sort_unstable();
        before.dedup();
        (!before.is_empty()).then_some(Self { terminal, vehicle, from, before })
    }

    /// Whether a stored fix of one of those before belongs to the vehicle now.
    pub(crate) fn takes(&self, fix: &Fix, registry: &Registry) -> bool {
        fix.terminal == self.terminal
            && fix.is_dated()
            && registry.vehicle_at(fix.terminal, fix.time) == Some(self.vehicle)
    }
}

/// Tells which of the fixes that are stored with a vehicle are its own.
pub(crate) struct Own<'a> {
    registry: &'a Registry,
    vehicle: VehicleId,
    /// The terminal of the last fix, and whether it speaks for this vehicle at all times.
    last: Option<(TerminalId, bool)>,
}

impl<'a> Own<'a> {
    pub(crate) const fn new(registry: &'a Registry, vehicle: VehicleId) -> Self {
        Self { registry, vehicle, last: None }
    }

    pub(crate) fn has(&mut self, fix: &Fix) -> bool {
        let (_, always) = match self.last {
            Some(last) if last.0 == fix.terminal => last,
            _ => *self.last.insert((fix.terminal, self.is_always(fix.terminal))),
        };
        always || self.registry.owns(self.vehicle, fix)
    }

    fn is_always(&self, terminal: TerminalId) -> bool {
        let bindings = self.registry.terminal(terminal).map(|terminal| &terminal.bindings[..]);
        bindings.unwrap_or_default().iter().all(|binding| binding.vehicle == self.vehicle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::ControlRecord;

    #[test]
    fn only_who_was_thought_to_be_spoken_for_loses_fixes() {
        let terminal = TerminalId::from_wire(&[1, 0x39]);
        let mut registry = Registry::default();
        // From, vehicle, and who loses.
        let cases: [(i64, u64, &[u64]); 6] =
            [(i64::MIN, 1, &[]), (100, 2, &[1]), (200, 3, &[2]), (150, 4, &[2, 3]), (150, 4, &[]), (0, 1, &[2, 4])];
        for ((from, vehicle, before), seq) in cases.into_iter().zip(1..) {
            let change = Change::Bind { terminal, vehicle: VehicleId(vehicle), from: Timestamp(from) };
            let found = Rebound::of(&change, &registry).map(|rebound| rebound.before).unwrap_or_default();
            assert_eq!(found, before.iter().copied().map(VehicleId).collect::<Vec<_>>(), "{from} {vehicle}");
            registry.apply(&ControlRecord { seq, recorded_at: Timestamp(0), actor: "t".into(), change });
        }
    }
}
