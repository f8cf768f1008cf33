//! The changes of the door and of custody (forwarders, deny list, holds, bases) to and from their bytes.

use bytes::Bytes;
use model::{Base, Forwarder, ForwarderId, Hold, HoldId, Network, Position, Timestamp, VehicleId};

use crate::proto::control as pb;

pub(crate) fn encode_forwarder(forwarder: &Forwarder) -> pb::Forwarder {
    pb::Forwarder {
        id: forwarder.id.0,
        name: forwarder.name.clone(),
        networks: forwarder.networks.iter().map(Network::to_string).collect(),
        code_epoch: forwarder.code_epoch,
        vehicles: forwarder.vehicles.iter().flatten().map(|vehicle| vehicle.0).collect(),
        listed: forwarder.vehicles.is_some(),
    }
}

pub(crate) fn decode_forwarder(forwarder: pb::Forwarder) -> Result<Forwarder, &'static str> {
    let networks = forwarder.networks.iter().map(|network| decode_network(network)).collect::<Result<_, _>>()?;
    Ok(Forwarder {
        id: ForwarderId(forwarder.id),
        name: forwarder.name,
        networks,
        code_epoch: forwarder.code_epoch,
        vehicles: forwarder.listed.then(|| forwarder.vehicles.into_iter().map(VehicleId).collect()),
    })
}

pub(crate) fn decode_network(text: &str) -> Result<Network, &'static str> {
    text.parse().map_err(|_| "a network that cannot be read")
}

pub(crate) fn encode_hold(hold: &Hold) -> pb::Hold {
    pb::Hold {
        id: hold.id.0,
        vehicle: hold.vehicle.map(|vehicle| vehicle.0),
        from_us: hold.from.0,
        to_us: hold.to.0,
        reason: hold.reason.clone(),
    }
}

pub(crate) fn decode_hold(hold: pb::Hold) -> Hold {
    Hold {
        id: HoldId(hold.id),
        vehicle: hold.vehicle.map(VehicleId),
        from: Timestamp(hold.from_us),
        to: Timestamp(hold.to_us),
        reason: hold.reason,
    }
}

pub(crate) fn encode_base(base: &Base) -> pb::Base {
    pb::Base {
        seq: base.position.seq,
        head: Bytes::copy_from_slice(&base.head),
        sha256: Bytes::copy_from_slice(&base.sha256),
        bytes: base.bytes,
        control_seq: base.control_seq,
        shard: u32::from(base.position.shard),
    }
}

pub(crate) fn decode_base(base: &pb::Base) -> Result<Base, &'static str> {
    let hash = |bytes: &Bytes| bytes[..].try_into().map_err(|_| "a hash of another length");
    let shard = base.shard.try_into().map_err(|_| "a shard that is not known")?;
    Ok(Base {
        position: Position { shard, seq: base.seq },
        head: hash(&base.head)?,
        sha256: hash(&base.sha256)?,
        bytes: base.bytes,
        control_seq: base.control_seq,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use model::Change;

    /// One of each, for the round trip beside the other changes.
    pub(crate) fn changes() -> Vec<Change> {
        let networks = vec!["10.20.0.0/16".parse().expect("network"), "2001:db8::1".parse().expect("network")];
        let listed = Forwarder {
            id: ForwarderId(4),
            name: "省平台".into(),
            networks: networks.clone(),
            code_epoch: Some(2),
            vehicles: Some(vec![VehicleId(1), VehicleId(7)]),
        };
        let open = Forwarder { code_epoch: None, vehicles: None, ..listed.clone() };
        let none = Forwarder { vehicles: Some(Vec::new()), ..listed.clone() };
        let hold = Hold {
            id: HoldId(5),
            vehicle: Some(VehicleId(3)),
            from: Timestamp(-1),
            to: Timestamp(9),
            reason: "事故 12".into(),
        };
        let base = Base {
            position: Position { shard: 0, seq: 77 },
            head: [7; 32],
            sha256: [9; 32],
            bytes: 1 << 40,
            control_seq: 12,
        };
        vec![
            Change::ForwarderPut(listed),
            Change::ForwarderPut(open),
            Change::ForwarderPut(none),
            Change::ForwarderDelete { id: ForwarderId(4) },
            Change::DenyPut { network: networks[0], reason: "scans".into() },
            Change::DenyDelete { network: networks[1] },
            Change::HoldPut(hold.clone()),
            Change::HoldPut(Hold { vehicle: None, ..hold }),
            Change::HoldRelease { id: HoldId(5) },
            Change::BaseTaken(base),
        ]
    }
}
