//! Changes to and from their bytes in the control chain (`proto/hazwatch/control/v1`).

use bytes::Bytes;
use model::{
    Carrier, CarrierId, Change, Command, CommandBody, CommandId, CommandOrigin, ControlRecord, Coord, Direction,
    EffectId, ForwarderId, Geometry, HoldId, LineString, MultiPolygon, Plate, PlateColour, Polygon, Timestamp, Vehicle,
    VehicleId, Zone, ZoneId, ZoneKind, ZoneRule,
};
use prost::Message;

use crate::door_codec;
use crate::proto::control as pb;
use crate::record::{terminal_bytes, terminal_from_bytes};

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
        Change::ZonePut(zone) => pb::entry::Change::ZonePut(encode_zone(zone)),
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
    };
    pb::Entry { seq, actor: actor.to_owned(), change: Some(change) }.encode_to_vec().into()
}

fn encode_zone(zone: &Zone) -> pb::Zone {
    let geometry = match &zone.geometry {
        Geometry::Polygon(shape) => pb::zone::Geometry::Polygon(pb::MultiPolygon {
            polygons: shape
                .iter()
                .map(|polygon| pb::Polygon {
                    rings: std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(encode_line).collect(),
                })
                .collect(),
        }),
        Geometry::Circle { centre, radius_m } => pb::zone::Geometry::Circle(pb::Circle {
            centre: Some(pb::Coord { lon: centre.x, lat: centre.y }),
            radius_m: *radius_m,
        }),
        Geometry::Corridor { axis, half_width_m, direction } => pb::zone::Geometry::Corridor(pb::Corridor {
            axis: Some(encode_line(axis)),
            half_width_m: *half_width_m,
            direction: *direction as u32,
        }),
    };
    pb::Zone {
        id: zone.id.0,
        revision: zone.revision,
        name: zone.name.clone(),
        kind: zone.kind as u32,
        geometry: Some(geometry),
        rules: zone.rules.iter().map(encode_rule).collect(),
        source_crs: zone.source_crs.clone(),
        legal_basis: zone.legal_basis.clone(),
        valid_from_us: zone.valid_from.map(|t| t.0),
        valid_to_us: zone.valid_to.map(|t| t.0),
    }
}

fn encode_rule(rule: &ZoneRule) -> pb::ZoneRule {
    let rule = match rule {
        ZoneRule::Forbidden => pb::zone_rule::Rule::Forbidden(pb::Forbidden {}),
    };
    pb::ZoneRule { rule: Some(rule) }
}

fn encode_line(line: &LineString) -> pb::Line {
    pb::Line { coords: line.coords().flat_map(|c| [c.x, c.y]).collect() }
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
        pb::entry::Change::VehiclePut(v) => Change::VehiclePut(decode_vehicle(v)),
        pb::entry::Change::TerminalPut(t) => {
            Change::TerminalPut { terminal: terminal(t.terminal)?, maker: t.maker, model: t.model, device: t.device }
        }
        pb::entry::Change::Bind(b) => {
            Change::Bind { terminal: terminal(b.terminal)?, vehicle: VehicleId(b.vehicle), from: Timestamp(b.from_us) }
        }
        pb::entry::Change::Revoke(r) => Change::Revoke { terminal: terminal(r.terminal)? },
        pb::entry::Change::ZonePut(zone) => Change::ZonePut(decode_zone(zone)?),
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
    })
}

fn decode_vehicle(v: pb::Vehicle) -> Vehicle {
    let colour = PlateColour(u8::try_from(v.plate_colour).unwrap_or(9));
    let plate = (!v.plate.is_empty()).then(|| Plate { text: v.plate.into_boxed_str(), colour });
    Vehicle { id: VehicleId(v.id), plate, carrier: v.carrier.map(CarrierId) }
}

fn decode_zone(zone: pb::Zone) -> Result<Zone, &'static str> {
    let geometry = match zone.geometry.ok_or("no geometry that is known")? {
        pb::zone::Geometry::Polygon(shape) => Geometry::Polygon(MultiPolygon::new(
            shape.polygons.iter().map(decode_polygon).collect::<Option<_>>().ok_or("a polygon without ring")?,
        )),
        pb::zone::Geometry::Circle(circle) => {
            let centre = circle.centre.ok_or("a circle without centre")?;
            Geometry::Circle { centre: Coord { x: centre.lon, y: centre.lat }, radius_m: circle.radius_m }
        }
        pb::zone::Geometry::Corridor(corridor) => Geometry::Corridor {
            axis: decode_line(&corridor.axis.ok_or("a corridor without axis")?),
            half_width_m: corridor.half_width_m,
            direction: match corridor.direction {
                0 => Direction::Both,
                1 => Direction::Forward,
                2 => Direction::Backward,
                _ => return Err("a direction that is not known"),
            },
        },
    };
    let rules = zone.rules.into_iter().map(decode_rule).collect::<Option<_>>().ok_or("a rule that is not known")?;
    Ok(Zone {
        id: ZoneId(zone.id),
        revision: zone.revision,
        name: zone.name,
        kind: ZoneKind::from_number(zone.kind).ok_or("a kind of zone that is not known")?,
        geometry,
        rules,
        source_crs: zone.source_crs,
        legal_basis: zone.legal_basis,
        valid_from: zone.valid_from_us.map(Timestamp),
        valid_to: zone.valid_to_us.map(Timestamp),
        recorded_at: Timestamp::default(),
    })
}

const fn decode_rule(rule: pb::ZoneRule) -> Option<ZoneRule> {
    match rule.rule {
        Some(pb::zone_rule::Rule::Forbidden(_)) => Some(ZoneRule::Forbidden),
        None => None,
    }
}

fn decode_polygon(polygon: &pb::Polygon) -> Option<Polygon> {
    let mut rings = polygon.rings.iter().map(decode_line);
    let outer = rings.next()?;
    Some(Polygon::new(outer, rings.collect()))
}

fn decode_line(line: &pb::Line) -> LineString {
    let points = line.coords.chunks_exact(2).map(|pair| Coord { x: pair[0], y: pair[1] });
    LineString::new(points.collect())
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

    fn square(side: f64) -> LineString {
        LineString::from(vec![(0.0, 0.0), (side, 0.0), (side, side), (0.0, 0.0)])
    }

    fn zone(geometry: Geometry) -> Change {
        Change::ZonePut(Zone {
            id: ZoneId(3),
            revision: 2,
            name: "白石江特大桥".into(),
            kind: ZoneKind::VeryLargeBridge,
            geometry,
            rules: vec![ZoneRule::Forbidden],
            source_crs: "gcj02".into(),
            legal_basis: "公告 1".into(),
            valid_from: Some(Timestamp(-5)),
            valid_to: None,
            recorded_at: Timestamp::default(),
        })
    }

    #[test]
    fn every_change_round_trips() {
        let terminal = TerminalId::from_wire(&[0x13, 0x91]);
        let command = |body, origin| {
            Change::CommandRequest(Command { id: CommandId(9), terminal, body, origin, expires_at: Timestamp(77) })
        };
        let plate = Plate::new("云D12345", PlateColour(93)).expect("plate");
        let changes = [
            Change::CarrierPut(Carrier { id: CarrierId(1), name: "曲靖危运".into() }),
            Change::VehiclePut(Vehicle { id: VehicleId(1), plate: Some(plate), carrier: Some(CarrierId(0)) }),
            Change::VehiclePut(Vehicle { id: VehicleId(1), plate: None, carrier: None }),
            Change::TerminalPut { terminal, maker: "m".into(), model: "x".into(), device: "d".into() },
            Change::Bind { terminal, vehicle: VehicleId(1), from: Timestamp::MIN },
            Change::Revoke { terminal },
            zone(Geometry::Polygon(MultiPolygon::new(vec![Polygon::new(square(9.0), vec![square(1.0)])]))),
            zone(Geometry::Circle { centre: Coord { x: 103.8, y: 25.5 }, radius_m: 300.5 }),
            zone(Geometry::Corridor { axis: square(2.0), half_width_m: 12.0, direction: Direction::Backward }),
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
        let changes = changes.into_iter().chain(door_codec::tests::changes());
        for change in changes {
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
