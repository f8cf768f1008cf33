//! Registration of terminals (终端注册, 0x0100) as changes of the registry.

use model::{Change, ControlError, Plate, Registry, TerminalId, Timestamp, Vehicle, VehicleId};

use crate::random_id;

/// What a terminal says when it registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registering {
    /// The plate that it claims.
    pub plate: Option<Plate>,
    /// Manufacturer id (制造商ID).
    pub maker: String,
    /// Model (终端型号).
    pub model: String,
    /// Terminal id (终端ID).
    pub device: String,
}

/// The changes that admit whoever asks (`open` admission): the vehicle exists, the terminal is bound to it. A
/// repeated plate is the same vehicle; a terminal that is already bound to it changes nothing.
///
/// # Errors
/// When no identity can be made.
pub fn open_registration(
    registry: &Registry,
    terminal: TerminalId,
    registering: &Registering,
    now: Timestamp,
) -> Result<Vec<Change>, ControlError> {
    let mut changes = Vec::new();
    let known = registry.terminal(terminal);
    let bound = known.and_then(|known| known.vehicle());
    let vehicle = match wanted(registry, bound, registering) {
        Some(vehicle) => vehicle,
        None => {
            let id = VehicleId(random_id()?);
            let plate = registering.plate.clone();
            changes.push(Change::VehiclePut(Vehicle { id, plate, ..Vehicle::default() }));
            id
        }
    };
    if known.is_none_or(|known| !known.admitted || is_described_otherwise(known, registering)) {
        changes.push(Change::TerminalPut {
            terminal,
            maker: clean(&registering.maker),
            model: clean(&registering.model),
            device: clean(&registering.device),
        });
    }
    if bound != Some(vehicle) {
        // The first binding holds for all time: what the terminal stored before it was known is about its vehicle.
        let from = if bound.is_none() { Timestamp::MIN } else { now };
        changes.push(Change::Bind { terminal, vehicle, from });
    }
    Ok(changes)
}

/// The vehicle that a registration is about, when it exists: by its plate; without a plate the one that the terminal
/// is bound to already.
fn wanted(registry: &Registry, bound: Option<VehicleId>, registering: &Registering) -> Option<VehicleId> {
    match &registering.plate {
        Some(plate) => registry.vehicle_by_plate(plate).map(|vehicle| vehicle.id),
        None => bound,
    }
}

fn is_described_otherwise(known: &model::Terminal, registering: &Registering) -> bool {
    known.maker != clean(&registering.maker)
        || known.model != clean(&registering.model)
        || known.device != clean(&registering.device)
}

/// What terminals put into text fields is not always text.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ControlRecord, PlateColour};

    fn apply(registry: &mut Registry, changes: Vec<Change>) -> usize {
        let count = changes.len();
        for change in changes {
            let seq = registry.seq() + 1;
            registry.apply(&ControlRecord { seq, recorded_at: Timestamp(0), actor: String::new(), change });
        }
        count
    }

    #[test]
    fn whoever_asks_is_admitted_once() {
        let mut registry = Registry::default();
        let plate = |text| Plate::new(text, PlateColour::YELLOW).ok();
        let (a, b) = (TerminalId::from_wire(&[1]), TerminalId::from_wire(&[2]));
        let first = Registering { plate: plate("云D12345"), ..Registering::default() };
        let mut register = |terminal, registering: &Registering| {
            let changes = open_registration(&registry, terminal, registering, Timestamp(9)).expect("made");
            apply(&mut registry, changes)
        };
        assert_eq!(register(a, &first), 3);
        assert_eq!(register(a, &first), 0, "again");
        assert_eq!(register(b, &first), 2, "a second terminal on the same plate");
        assert_eq!(register(a, &Registering::default()), 0, "no plate any more: the binding stays");
        assert_eq!(
            register(a, &Registering { plate: plate("云D99999"), ..first.clone() }),
            2,
            "moved to another truck"
        );
        assert_eq!(registry.vehicle_count(), 2);
        let terminal = registry.terminal(a).expect("known");
        assert_eq!(terminal.bindings.iter().map(|b| b.from).collect::<Vec<_>>(), [Timestamp::MIN, Timestamp(9)]);
    }
}
