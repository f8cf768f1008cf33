//! What a forwarding platform, an entry of the deny list and a hold must be before they are recorded.

use model::{ControlError, Forwarder, Hold, Network, Registry};

use crate::validate::{DETAIL_MAX, NAME_MAX, invalid, text};

/// Networks that one platform may connect from.
const NETWORKS_MAX: usize = 64;
/// Entries of the deny list: every new connection is held against all of them.
const DENIED_MAX: usize = 1_000;
/// Vehicles that one account may list.
const VEHICLES_MAX: usize = 100_000;
/// Holds at a time.
const HOLDS_MAX: usize = 10_000;

pub(crate) fn forwarder(put: &Forwarder, registry: &Registry) -> Result<(), ControlError> {
    text("name", &put.name, 1, NAME_MAX)?;
    if put.networks.is_empty() || put.networks.len() > NETWORKS_MAX {
        return Err(invalid("networks", format!("must be 1 to {NETWORKS_MAX}")));
    }
    for network in &put.networks {
        if network.prefix() == 0 {
            return Err(invalid("networks", format!("{network} is the whole world: name the platform's addresses")));
        }
        let overlaps = |other: &Network| other.contains(network.address()) || network.contains(other.address());
        let taken = registry.all_forwarders().find(|f| f.id != put.id && f.networks.iter().any(overlaps));
        if let Some(other) = taken {
            return Err(ControlError::Conflict(format!(
                "{network} overlaps a network of {} ({})",
                other.id, other.name
            )));
        }
    }
    if let Some(vehicles) = &put.vehicles {
        if vehicles.len() > VEHICLES_MAX {
            return Err(invalid("vehicles", format!("must be at most {VEHICLES_MAX}")));
        }
        if !vehicles.is_sorted_by(|a, b| a < b) {
            return Err(invalid("vehicles", "must be ascending, each once"));
        }
        if let Some(unknown) = vehicles.iter().find(|vehicle| registry.vehicle(**vehicle).is_none()) {
            return Err(ControlError::NotFound(format!("no vehicle {unknown}")));
        }
    }
    Ok(())
}

pub(crate) fn deny(network: Network, reason: &str, registry: &Registry) -> Result<(), ControlError> {
    text("reason", reason, 0, NAME_MAX)?;
    if network.prefix() == 0 {
        return Err(invalid("network", format!("{network} is the whole world")));
    }
    if registry.denied().count() >= DENIED_MAX && registry.denied().all(|(denied, _)| denied != network) {
        return Err(ControlError::Conflict(format!("the deny list has {DENIED_MAX} entries: delete some first")));
    }
    Ok(())
}

pub(crate) fn hold(put: &Hold, registry: &Registry) -> Result<(), ControlError> {
    text("reason", &put.reason, 1, DETAIL_MAX)?;
    if put.from >= put.to {
        return Err(invalid("to", format!("must be after from ({})", put.from)));
    }
    if let Some(vehicle) = put.vehicle
        && registry.vehicle(vehicle).is_none()
    {
        return Err(ControlError::NotFound(format!("no vehicle {vehicle}")));
    }
    if registry.holds().count() >= HOLDS_MAX {
        return Err(ControlError::Conflict(format!("there are {HOLDS_MAX} holds: release some first")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Change, ControlRecord, ForwarderId, HoldId, Timestamp, VehicleId};

    fn platform(id: u64, networks: &[&str], vehicles: Option<&[u64]>) -> Forwarder {
        Forwarder {
            id: ForwarderId(id),
            name: format!("platform {id}"),
            networks: networks.iter().map(|network| network.parse().expect("network")).collect(),
            code_epoch: None,
            vehicles: vehicles.map(|list| list.iter().map(|id| VehicleId(*id)).collect()),
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut registry = Registry::default();
        let change = Change::ForwarderPut(platform(1, &["10.20.0.0/16"], None));
        registry.apply(&ControlRecord { seq: 1, recorded_at: Timestamp(0), actor: String::new(), change });
        let cases = [
            (platform(2, &["10.21.0.0/16"], None), None),
            (platform(1, &["10.20.0.0/16"], None), None),
            (platform(2, &["10.20.3.4"], None), Some("overlaps")),
            (platform(2, &["10.0.0.0/8"], None), Some("overlaps")),
            (platform(2, &["0.0.0.0/0"], None), Some("whole world")),
            (platform(2, &[], None), Some("1 to 64")),
            (platform(2, &["10.21.0.1"], Some(&[3])), Some("no vehicle")),
            (platform(2, &["10.21.0.1"], Some(&[4, 3])), Some("ascending")),
        ];
        for (put, expected) in cases {
            let outcome = forwarder(&put, &registry).map_err(|error| error.to_string());
            match expected {
                None => assert_eq!(outcome, Ok(()), "{put:?}"),
                Some(part) => assert!(outcome.as_ref().is_err_and(|error| error.contains(part)), "{outcome:?}"),
            }
        }
        let hold = |from, to| Hold { id: HoldId(1), vehicle: None, from, to, reason: "x".into() };
        assert!(super::hold(&hold(Timestamp(5), Timestamp(5)), &registry).is_err());
        assert!(super::hold(&hold(Timestamp(4), Timestamp(5)), &registry).is_ok());
    }
}
