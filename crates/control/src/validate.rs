//! What a change must be before it is recorded. What is recorded is never refused later.

use model::{Carrier, Change, Command, CommandBody, ControlError, Registry, Vehicle};

use crate::{case, door, ground, zone};

/// Longest name, text or setting, characters.
pub(crate) const NAME_MAX: usize = 200;
pub(crate) const DETAIL_MAX: usize = 2000;
/// Longest text to the cab, bytes in GB 18030: a packet takes 1,023, less flag and type (JT/T 808-2019 8.17).
const TEXT_BYTES_MAX: usize = 1021;

pub(crate) fn invalid(field: &str, message: impl Into<String>) -> ControlError {
    ControlError::Invalid { field: field.to_owned(), message: message.into() }
}

/// Most divisions that a vehicle is licensed for, and most lots that it belongs to.
const SCOPE_MAX: usize = 32;
const HOME_MAX: usize = 32;

/// Checks a change by `actor` against the registry that it is to be applied to.
pub(crate) fn validate(change: &Change, registry: &Registry, actor: &str) -> Result<(), ControlError> {
    match change {
        Change::CarrierPut(put) => carrier(put, registry),
        Change::VehiclePut(put) => vehicle(put, registry),
        Change::TerminalPut { maker, model, device, .. } => [("maker", maker), ("model", model), ("device", device)]
            .into_iter()
            .try_for_each(|(field, value)| text(field, value, 0, NAME_MAX)),
        Change::Bind { terminal, vehicle, .. } => {
            let missing = |name: String| ControlError::NotFound(name);
            registry.terminal(*terminal).ok_or_else(|| missing(format!("no terminal {terminal}")))?;
            registry.vehicle(*vehicle).map(|_| ()).ok_or_else(|| missing(format!("no vehicle {vehicle}")))
        }
        Change::Revoke { terminal } => registry
            .terminal(*terminal)
            .map(|_| ())
            .ok_or_else(|| ControlError::NotFound(format!("no terminal {terminal}"))),
        Change::ZonePut(put) => zone::put(put, registry, actor),
        Change::ZoneDelete { id } => {
            registry.zone(*id).map(|_| ()).ok_or_else(|| ControlError::NotFound(format!("no zone {id}")))
        }
        Change::CommandRequest(request) => command(request, registry),
        Change::SettingPut { key, value } => {
            text("key", key, 1, NAME_MAX)?;
            text("value", value, 0, DETAIL_MAX)?;
            ground::setting(key, value)
        }
        Change::Audit { action, subject, detail } => {
            text("action", action, 1, NAME_MAX)?;
            text("subject", subject, 0, NAME_MAX)?;
            text("detail", detail, 0, DETAIL_MAX)
        }
        Change::RuleRevision { revision } if *revision < registry.rule_revision() => Err(ControlError::Conflict(
            format!("facts are already judged by rule revision {}: this program is older", registry.rule_revision()),
        )),
        Change::RuleRevision { .. } => Ok(()),
        Change::ForwarderPut(put) => door::forwarder(put, registry),
        Change::ForwarderDelete { id } => {
            registry.forwarder(*id).map(|_| ()).ok_or_else(|| ControlError::NotFound(format!("no forwarder {id}")))
        }
        Change::DenyPut { network, reason } => door::deny(*network, reason, registry),
        Change::DenyDelete { network } => {
            let known = registry.denied().any(|(denied, _)| denied == *network);
            known.then_some(()).ok_or_else(|| ControlError::NotFound(format!("{network} is not denied")))
        }
        Change::HoldPut(put) => door::hold(put, registry),
        Change::HoldRelease { id } => {
            registry.hold(*id).map(|_| ()).ok_or_else(|| ControlError::NotFound(format!("no hold {id}")))
        }
        Change::BaseTaken(_) => Ok(()),
        Change::ZoneDraft(put) => zone::draft(put, registry),
        Change::ZoneDraftDrop { id } => zone::drop_draft(*id, registry),
        Change::ZoneVoid { id, revision, reason } => zone::void(*id, *revision, reason, registry),
        Change::PermitPut(put) => ground::permit(put, registry),
        Change::PermitRevoke { id, reason } => ground::revoke(*id, reason, registry),
        Change::CalendarPut { days } => ground::calendar(days),
        Change::RoadPut(put) => ground::road(put, registry),
        Change::RoadDelete { id } => {
            registry.records().road(*id).map(|_| ()).ok_or_else(|| ControlError::NotFound(format!("no road {id}")))
        }
        Change::DriverPut(put) => ground::driver(put, registry),
        Change::DriverOn(on) => ground::driver_on(on, registry),
        Change::LoadPut(put) => ground::load(put, registry),
        Change::CaseStep(step) => case::step(step, registry),
    }
}

fn carrier(put: &Carrier, registry: &Registry) -> Result<(), ControlError> {
    text("carrier.name", &put.name, 1, NAME_MAX)?;
    match registry.carrier_by_name(&put.name) {
        Some(other) if other.id != put.id => {
            Err(ControlError::Conflict(format!("carrier {:?} exists as {}", put.name, other.id)))
        }
        _ => Ok(()),
    }
}

fn vehicle(put: &Vehicle, registry: &Registry) -> Result<(), ControlError> {
    if let Some(plate) = &put.plate
        && let Some(other) = registry.vehicle_by_plate(plate).filter(|other| other.id != put.id)
    {
        return Err(ControlError::Conflict(format!("plate {plate} belongs to vehicle {}", other.id)));
    }
    if put.scope.len() > SCOPE_MAX {
        return Err(invalid("scope", format!("must be at most {SCOPE_MAX}")));
    }
    if put.home.len() > HOME_MAX {
        return Err(invalid("home", format!("must be at most {HOME_MAX}")));
    }
    if let Some(zone) = put.home.iter().find(|zone| registry.zone_revision(**zone) == 0) {
        return Err(ControlError::NotFound(format!("no zone {zone}")));
    }
    match put.carrier {
        Some(carrier) if registry.carrier(carrier).is_none() => {
            Err(ControlError::NotFound(format!("no carrier {carrier}")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn text(field: &str, value: &str, min: usize, max: usize) -> Result<(), ControlError> {
    let length = value.chars().count();
    if length < min || length > max {
        return Err(invalid(field, format!("must have {min} to {max} characters, has {length}")));
    }
    if value.chars().any(|c| c.is_control() && c != '\n') {
        return Err(invalid(field, "must not contain control characters"));
    }
    Ok(())
}

fn command(command: &Command, registry: &Registry) -> Result<(), ControlError> {
    let Some(terminal) = registry.terminal(command.terminal) else {
        return Err(ControlError::NotFound(format!("no terminal {}", command.terminal)));
    };
    if !terminal.admitted {
        return Err(ControlError::Conflict(format!("terminal {} is not admitted", command.terminal)));
    }
    if let CommandBody::Text { text: message, .. } = &command.body {
        text("text", message, 1, TEXT_BYTES_MAX)?;
        let bytes: usize = message.chars().map(gb18030_len_max).sum();
        if bytes > TEXT_BYTES_MAX {
            return Err(invalid("text", format!("takes {bytes} bytes in GBK, {TEXT_BYTES_MAX} fit")));
        }
    }
    Ok(())
}

/// How many bytes a character takes at most: two in the blocks that GBK holds whole, four where it may not be in it.
const fn gb18030_len_max(c: char) -> usize {
    match c {
        '\0'..='\x7f' => 1,
        '\u{3001}'..='\u{3011}' | '\u{4e00}'..='\u{9fa5}' | '\u{ff01}'..='\u{ff5e}' => 2,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{CarrierId, ControlRecord, Plate, PlateColour, TerminalId, Timestamp, VehicleId};

    fn vehicle(id: u64, plate: &str, carrier: Option<u64>) -> Change {
        let plate = Plate::new(plate, PlateColour::YELLOW).expect("plate");
        Change::VehiclePut(Vehicle {
            id: VehicleId(id),
            plate: Some(plate),
            carrier: carrier.map(CarrierId),
            ..Vehicle::default()
        })
    }

    #[test]
    fn contradictions_are_refused() {
        let mut registry = Registry::default();
        let change = vehicle(1, "云D12345", None);
        registry.apply(&ControlRecord { seq: 1, recorded_at: Timestamp(0), actor: String::new(), change });
        let terminal = TerminalId::from_wire(&[1]);
        let cases: [(Change, Result<(), &str>); 7] = [
            (vehicle(1, "云D12345", None), Ok(())),
            (vehicle(2, "云D12345", None), Err("belongs to vehicle v_0000000000001")),
            (vehicle(2, "云D54321", Some(9)), Err("no carrier")),
            (Change::Revoke { terminal }, Err("no terminal 1")),
            (Change::Bind { terminal, vehicle: VehicleId(1), from: Timestamp::MIN }, Err("no terminal 1")),
            (Change::ZoneDelete { id: model::ZoneId(4) }, Err("no zone")),
            (
                Change::Audit { action: "x\u{7}".into(), subject: String::new(), detail: String::new() },
                Err("control characters"),
            ),
        ];
        for (change, expected) in cases {
            match (validate(&change, &registry, "admin"), expected) {
                (Ok(()), Ok(())) => {}
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (outcome, _) => panic!("{change:?}: {outcome:?}"),
            }
        }
    }
}
