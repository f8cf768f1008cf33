//! Changes to and from their bytes in the control chain (`proto/hazwatch/control/v1`).

use bytes::Bytes;
use model::{
    Carrier, CarrierId, Change, Command, CommandBody, CommandId, CommandOrigin, ControlRecord, Division, EffectId,
    ForwarderId, HoldId, PermitId, Plate, PlateColour, RoadId, Timestamp, Vehicle, VehicleId, VehicleUse, ZoneId,
};
use prost::Message;

use crate::proto::control as pb;
use crate::record::{terminal_bytes, terminal_from_bytes};
use crate::{door_codec, ground_codec, zone_codec};

/// A control record that this program cannot read: damaged, or written by a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("control record {seq}: {what} (written by a newer version?)")]
pub struct ChangeCodecError {
    /// Its number, 0 when not even that can be read.
    pub seq: u64,
    /// What is missing.
    pub what: &'static str,
}

pub(crate) fn encode(seq: u64, actor: &str, change: &Change) -> Bytes {
    let change = match change {
        Change::CarrierPut(c) => pb::entry::Change::CarrierPut(pb::Carrier { id: c.id.0, name: c.name.clone() }),
        Change::VehiclePut(v) => pb::entry::Change::VehiclePut(pb::Vehicle {
            id: v.id.0,
            plate: v.plate.as_ref().map_or_else(String::new, |p| p.text.to_string()),
            plate_colour: v.plate.as_ref().map_or(0, |p| u32::from(p.colour.0)),
            carrier: v.carrier.map(|c| c.0),
            kind: if v.kind == VehicleUse::default() { 0 } else { v.kind as u32 },
            scope: v.scope.iter().map(|division| u32::from(division.number())).collect(),
            home: v.home.iter().map(|zone| zone.0).collect(),
        }),
        Change::TerminalPut { terminal, maker, model, device } => pb::entry::Change::TerminalPut(pb::TerminalPut {
            terminal: terminal_bytes(*terminal),
            maker: maker.clone(),
            model: model.clone(),
            device: device.clone(),
        }),
        Change::Bind { terminal, vehicle, from } => pb::entry::Change::Bind(pb::Bind {
            terminal: terminal_bytes(*terminal),
            vehicle: vehicle.0,
            from_us: from.0,
        }),
        Change::Revoke { terminal } => pb::entry::Change::Revoke(pb::Revoke { terminal: terminal_bytes(*terminal) }),
        Change::ZonePut(zone) => pb::entry::Change::ZonePut(zone_codec::encode_zone(zone)),
        Change::ZoneDelete { id } => pb::entry::Change::ZoneDelete(pb::ZoneDelete { id: id.0 }),
        Change::CommandRequest(command) => pb::entry::Change::CommandRequest(encode_command(command)),
        Change::SettingPut { key, value } => {
            pb::entry::Change::SettingPut(pb::Setting { key: key.clone(), value: value.clone() })
        }
        Change::Audit { action, subject, detail } => pb::entry::Change::Audit(pb::Audit {
            action: action.clone(),
            subject: subject.clone(),
            detail: detail.clone(),
        }),
        Change::RuleRevision { revision } => pb::entry::Change::RuleRevision(pb::RuleRevision { revision: *revision }),
        Change::ForwarderPut(forwarder) => pb::entry::Change::ForwarderPut(door_codec::encode_forwarder(forwarder)),
        Change::ForwarderDelete { id } => pb::entry::Change::ForwarderDelete(pb::ForwarderDelete { id: id.0 }),
        Change::DenyPut { network, reason } => {
            pb::entry::Change::DenyPut(pb::Deny { network: network.to_string(), reason: reason.clone() })
        }
        Change::DenyDelete { network } => {
            pb::entry::Change::DenyDelete(pb::Deny { network: network.to_string(), reason: String::new() })
        }
        Change::HoldPut(hold) => pb::entry::Change::HoldPut(door_codec::encode_hold(hold)),
        Change::HoldRelease { id } => pb::entry::Change::HoldRelease(pb::HoldRelease { id: id.0 }),
        Change::BaseTaken(base) => pb::entry::Change::BaseTaken(door_codec::encode_base(base)),
        Change::ZoneDraft(zone) => pb::entry::Change::ZoneDraft(zone_codec::encode_zone(zone)),
        Change::ZoneDraftDrop { id } => pb::entry::Change::ZoneDraftDrop(pb::ZoneDelete { id: id.0 }),
        Change::ZoneVoid { id, revision, reason } => {
            pb::entry::Change::ZoneVoid(pb::ZoneVoid { id: id.0, revision: *revision, reason: reason.clone() })
        }
        Change::PermitPut(permit) => pb::entry::Change::PermitPut(ground_codec::encode_permit(permit)),
        Change::PermitRevoke { id, reason } => {
            pb::entry::Change::PermitRevoke(pb::PermitRevoke { id: id.0, reason: reason.clone() })
        }
        Change::CalendarPut { days } => pb::entry::Change::CalendarPut(ground_codec::encode_calendar(days)),
        Change::RoadPut(road) => pb::entry::Change::RoadPut(ground_codec::encode_road(road)),
        Change::RoadDelete { id } => pb::entry::Change::RoadDelete(pb::RoadDelete { id: id.0 }),
        Change::DriverPut(driver) => pb::entry::Change::DriverPut(ground_codec::encode_driver(driver)),
        Change::DriverOn(on) => pb::entry::Change::DriverOn(ground_codec::encode_driver_on(on)),
        Change::LoadPut(load) => pb::entry::Change::LoadPut(ground_codec::encode_load(load)),
        Change::CaseStep(step) => pb::entry::Change::CaseStep(ground_codec::encode_step(step)),
    };
    pb::Entry { seq, actor: actor.to_owned(), change: Some(change) }.encode_to_vec().into()
}

fn encode_command(command: &Command) -> pb::Command {
    let body = match &command.body {
        CommandBody::Text { text, urgent, spoken } => {
            pb::command::Body::Text(pb::Text { text: text.clone(), urgent: *urgent, spoken: *spoken })
        }
        CommandBody::Locate => pb::command::Body::Locate(pb::Locate {}),
    };
    let effect = match command.origin {
        CommandOrigin::Person => Bytes::new(),
        CommandOrigin::Effect(effect) => Bytes::copy_from_slice(&effect.0.to_be_bytes()),
    };
    pb::Command {
        id: command.id.0,
        terminal: terminal_bytes(command.terminal),
        body: Some(body),
        effect,
        expires_at_us: command.expires_at.0,
    }
}

pub(crate) fn decode(raw: Bytes, recorded_at: Timestamp) -> Result<ControlRecord, ChangeCodecError> {
    let entry = pb::Entry::decode(raw).map_err(|_| ChangeCodecError { seq: 0, what: "cannot be decoded" })?;
    let seq = entry.seq;
    let missing = |what| ChangeCodecError { seq, what };
    let change = decode_change(entry.change.ok_or(missing("its change is not known"))?).map_err(missing)?;
    Ok(ControlRecord { seq, recorded_at, actor: entry.actor, change })
}

fn decode_change(change: pb::entry::Change) -> Result<Change, &'static str> {
    let terminal = |bytes: Bytes| terminal_from_bytes(&bytes).ok_or("no terminal");
    Ok(match change {
        pb::entry::Change::CarrierPut(c) => Change::CarrierPut(Carrier { id: CarrierId(c.id), name: c.name }),
        pb::entry::Change::VehiclePut(v) => Change::VehiclePut(decode_vehicle(v)?),
        pb::entry::Change::TerminalPut(t) => {
            Change::TerminalPut { terminal: terminal(t.terminal)?, maker: t.maker, model: t.model, device: t.device }
        }
        pb::entry::Change::Bind(b) => {
            Change::Bind { terminal: terminal(b.terminal)?, vehicle: VehicleId(b.vehicle), from: Timestamp(b.from_us) }
        }
        pb::entry::Change::Revoke(r) => Change::Revoke { terminal: terminal(r.terminal)? },
        pb::entry::Change::ZonePut(zone) => Change::ZonePut(zone_codec::decode_zone(zone)?),
        pb::entry::Change::ZoneDelete(z) => Change::ZoneDelete { id: ZoneId(z.id) },
        pb::entry::Change::CommandRequest(command) => Change::CommandRequest(decode_command(command)?),
        pb::entry::Change::SettingPut(s) => Change::SettingPut { key: s.key, value: s.value },
        pb::entry::Change::Audit(a) => Change::Audit { action: a.action, subject: a.subject, detail: a.detail },
        pb::entry::Change::RuleRevision(r) => Change::RuleRevision { revision: r.revision },
        pb::entry::Change::ForwarderPut(f) => Change::ForwarderPut(door_codec::decode_forwarder(f)?),
        pb::entry::Change::ForwarderDelete(f) => Change::ForwarderDelete { id: ForwarderId(f.id) },
        pb::entry::Change::DenyPut(d) => {
            Change::DenyPut { network: door_codec::decode_network(&d.network)?, reason: d.reason }
        }
        pb::entry::Change::DenyDelete(d) => Change::DenyDelete { network: door_codec::decode_network(&d.network)? },
        pb::entry::Change::HoldPut(h) => Change::HoldPut(door_codec::decode_hold(h)),
        pb::entry::Change::HoldRelease(h) => Change::HoldRelease { id: HoldId(h.id) },
        pb::entry::Change::BaseTaken(b) => Change::BaseTaken(door_codec::decode_base(&b)?),
        pb::entry::Change::ZoneDraft(zone) => Change::ZoneDraft(zone_codec::decode_zone(zone)?),
        pb::entry::Change::ZoneDraftDrop(z) => Change::ZoneDraftDrop { id: ZoneId(z.id) },
        pb::entry::Change::ZoneVoid(z) => Change::ZoneVoid { id: ZoneId(z.id), revision: z.revision, reason: z.reason },
        pb::entry::Change::PermitPut(p) => Change::PermitPut(ground_codec::decode_permit(p)?),
        pb::entry::Change::PermitRevoke(p) => Change::PermitRevoke { id: PermitId(p.id), reason: p.reason },
        pb::entry::Change::CalendarPut(c) => Change::CalendarPut { days: ground_codec::decode_calendar(c)? },
        pb::entry::Change::RoadPut(r) => Change::RoadPut(ground_codec::decode_road(r)?),
        pb::entry::Change::RoadDelete(r) => Change::RoadDelete { id: RoadId(r.id) },
        pb::entry::Change::DriverPut(d) => Change::DriverPut(ground_codec::decode_driver(d)),
        pb::entry::Change::DriverOn(d) => Change::DriverOn(ground_codec::decode_driver_on(&d)),
        pb::entry::Change::LoadPut(l) => Change::LoadPut(ground_codec::decode_load(l)?),
        pb::entry::Change::CaseStep(c) => Change::CaseStep(ground_codec::decode_step(c)?),
    })
}

fn decode_vehicle(v: pb::Vehicle) -> Result<Vehicle, &'static str> {
    let colour = PlateColour(u8::try_from(v.plate_colour).unwrap_or(9));
    let plate = (!v.plate.is_empty()).then(|| Plate { text: v.plate.into_boxed_str(), colour });
    let scope = v.scope.into_iter().map(Division::from_number).collect::<Option<_>>();
    Ok(Vehicle {
        id: VehicleId(v.id),
        plate,
        carrier: v.carrier.map(CarrierId),
        kind: VehicleUse::from_number(v.kind).ok_or("a use of a vehicle that is not known")?,
        scope: scope.ok_or("a class of goods that is not known")?,
        home: v.home.into_iter().map(ZoneId).collect(),
    })
}

fn decode_command(command: pb::Command) -> Result<Command, &'static str> {
    let body = match command.body.ok_or("a command that is not known")? {
        pb::command::Body::Text(t) => CommandBody::Text { text: t.text, urgent: t.urgent, spoken: t.spoken },
        pb::command::Body::Locate(_) => CommandBody::Locate,
    };
    let origin = match command.effect.first_chunk::<16>() {
        Some(effect) => CommandOrigin::Effect(EffectId(u128::from_be_bytes(*effect))),
        None => CommandOrigin::Person,
    };
    Ok(Command {
        id: CommandId(command.id),
        terminal: terminal_from_bytes(&command.terminal).ok_or("no terminal")?,
        body,
        origin,
        expires_at: Timestamp(command.expires_at_us),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::TerminalId;

    /// The first records of each kind that ever were, in the order of [`changes`]: such bytes lie in journals.
    const GOLDEN: &str = include_str!("change_codec.hex");

    fn changes() -> Vec<Change> {
        let plain = zone_codec::tests::plain();
        let terminal = TerminalId::from_wire(&[0x13, 0x91]);
        let command = |body, origin| {
            Change::CommandRequest(Command { id: CommandId(9), terminal, body, origin, expires_at: Timestamp(77) })
        };
        let plate = Plate::new("云D12345", PlateColour(93)).expect("plate");
        let vehicle = Vehicle { id: VehicleId(1), ..Vehicle::default() };
        let changes = [
            Change::CarrierPut(Carrier { id: CarrierId(1), name: "曲靖危运".into() }),
            Change::VehiclePut(Vehicle { plate: Some(plate), carrier: Some(CarrierId(0)), ..vehicle.clone() }),
            Change::VehiclePut(vehicle),
            Change::TerminalPut { terminal, maker: "m".into(), model: "x".into(), device: "d".into() },
            Change::Bind { terminal, vehicle: VehicleId(1), from: Timestamp::MIN },
            Change::Revoke { terminal },
            plain[0].clone(),
            plain[1].clone(),
            plain[2].clone(),
            Change::ZoneDelete { id: ZoneId(3) },
            command(
                CommandBody::Text { text: "请减速".into(), urgent: true, spoken: false },
                CommandOrigin::Effect(EffectId(u128::MAX - 1)),
            ),
            command(CommandBody::Locate, CommandOrigin::Person),
            Change::SettingPut { key: "k".into(), value: "v".into() },
            Change::Audit { action: "a".into(), subject: "s".into(), detail: "d".into() },
            Change::RuleRevision { revision: 4 },
        ];
        changes.into_iter().chain(door_codec::tests::changes()).collect()
    }

    #[test]
    fn old_records_are_still_written_and_read_the_same() {
        assert_eq!(GOLDEN.lines().count(), changes().len());
        for (golden, change) in GOLDEN.lines().zip(changes()) {
            assert_eq!(hex::encode(encode(12, "admin", &change)), golden, "{}", change.name());
        }
    }

    #[test]
    fn every_change_round_trips() {
        let (zones, ground) = (zone_codec::tests::changes(), ground_codec::tests::changes());
        for change in changes().into_iter().chain(zones).chain(ground) {
            let record = decode(encode(12, "admin", &change), Timestamp(8)).expect("readable");
            assert_eq!(record, ControlRecord { seq: 12, recorded_at: Timestamp(8), actor: "admin".into(), change });
        }
    }

    #[test]
    fn an_unknown_change_stops_the_reader() {
        let newer = pb::Entry { seq: 5, actor: String::new(), change: None }.encode_to_vec();
        assert_eq!(decode(newer.into(), Timestamp(0)).map_err(|e| e.seq), Err(5));
    }
}
