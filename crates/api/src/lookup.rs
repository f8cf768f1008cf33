//! From what people write to what is meant: vehicles by id, plate or phone, zones and carriers by id or name. What the
//! scope does not see does not exist.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use model::{CarrierId, Plate, PlateColour, Registry, Scope, TerminalId, Vehicle, VehicleId};

use crate::problem::{Kind, Problem};

/// A vehicle by `v_...`, plate with colour (`云D12345:2`), plate alone where it is unique, or its terminal's phone.
pub(crate) fn vehicle(registry: &Registry, scope: Scope, reference: &str) -> Result<Arc<Vehicle>, Problem> {
    let seen = |vehicle: &&Arc<Vehicle>| scope.sees(vehicle.carrier);
    let exact = exact(registry, reference).filter(seen).cloned();
    if let Some(vehicle) = exact {
        return Ok(vehicle);
    }
    let Ok(plate) = Plate::new(reference, PlateColour::YELLOW) else {
        return Err(unknown(reference));
    };
    let same_text: Vec<_> = registry.vehicles_by_plate_text(&plate.text).filter(seen).collect();
    match same_text.as_slice() {
        [] => Err(unknown(reference)),
        [one] => Ok(Arc::clone(one)),
        many => {
            let candidates: Vec<_> = many.iter().filter_map(|v| v.plate.as_ref().map(Plate::to_string)).collect();
            let detail = format!("{reference} is {} vehicles: {}", many.len(), candidates.join(", "));
            Err(Problem::new(Kind::Conflict, detail).candidates(candidates))
        }
    }
}

fn exact<'a>(registry: &'a Registry, reference: &str) -> Option<&'a Arc<Vehicle>> {
    if let Ok(id) = reference.parse::<VehicleId>() {
        return registry.vehicle(id);
    }
    if let Ok(plate) = reference.parse::<Plate>() {
        return registry.vehicle_by_plate(&plate);
    }
    let phone = reference.parse::<TerminalId>().ok()?;
    registry.vehicle(registry.terminal(phone)?.vehicle()?)
}

fn unknown(reference: &str) -> Problem {
    let reference: String = reference.chars().take(64).collect();
    Problem::not_found(format_args!("vehicle {reference:?}"))
}

/// A filter's vehicle: refused by its parameter.
pub(crate) fn vehicle_filter(
    registry: &Registry,
    scope: Scope,
    reference: Option<&str>,
) -> Result<Option<VehicleId>, Problem> {
    let found = reference.map(|text| vehicle(registry, scope, text)).transpose();
    found.map(|vehicle| vehicle.map(|v| v.id)).map_err(|problem| problem.about("vehicle"))
}

/// A carrier that exists, by id or exact name; `None` when there is none such.
pub(crate) fn carrier(registry: &Registry, text: &str) -> Option<CarrierId> {
    match text.parse::<CarrierId>() {
        Ok(id) => registry.carrier(id).map(|carrier| carrier.id),
        Err(_) => registry.carrier_by_name(text.trim()).map(|carrier| carrier.id),
    }
}

/// An id in a path: what cannot be an id does not exist.
pub(crate) fn id<T: FromStr>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| {
        let text: String = text.chars().take(64).collect();
        Problem::not_found(format_args!("{what} {text:?}"))
    })
}

/// A terminal's phone in a path.
pub(crate) fn phone(text: &str) -> Result<TerminalId, Problem> {
    text.parse().map_err(|e| Problem::new(Kind::Malformed, e).about("phone"))
}

/// A cursor from `next`.
pub(crate) fn cursor<T: FromStr<Err: Display>>(text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(str::parse).transpose().map_err(|e: T::Err| Problem::new(Kind::Malformed, e).about("cursor"))
}
