//! What a registration changes: carriers, vehicles and terminals that are asked for, against those that exist. One
//! plan becomes one submission.

use std::collections::BTreeMap;

use model::{Carrier, CarrierId, Change, Plate, Registry, Scope, Terminal, TerminalId, Timestamp, Vehicle, VehicleId};
use store::Stranger;

use crate::change::random_id;
use crate::lookup;
use crate::problem::{Kind, Problem};

/// Longest name of a carrier, in characters.
const CARRIER_NAME_MAX: usize = 200;

/// Changes that bring the registry to where it is wanted.
pub(crate) struct Plan<'a> {
    registry: &'a Registry,
    scope: Scope,
    now: Timestamp,
    new_carriers: BTreeMap<String, CarrierId>,
    changes: Vec<Change>,
}

impl<'a> Plan<'a> {
    pub(crate) const fn new(registry: &'a Registry, scope: Scope, now: Timestamp) -> Self {
        Self { registry, scope, now, new_carriers: BTreeMap::new(), changes: Vec::new() }
    }

    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    pub(crate) const fn len(&self) -> usize {
        self.changes.len()
    }

    /// A carrier by id or name; an unknown name becomes one. Whoever sees only one carrier's rows writes only those.
    pub(crate) fn carrier(&mut self, text: Option<&str>) -> Result<Option<CarrierId>, Problem> {
        let wanted = text.map(str::trim).filter(|text| !text.is_empty());
        let found = wanted.map(|text| self.find_carrier(text)).transpose()?.flatten();
        match (self.scope, wanted, found) {
            (Scope::Carrier(own), None, _) => Ok(Some(own)),
            (Scope::Carrier(own), Some(_), Some(found)) if found == own => Ok(Some(own)),
            (Scope::Carrier(_), Some(_), _) => {
                Err(Problem::new(Kind::Forbidden, "only your own carrier").about("carrier"))
            }
            (Scope::All, Some(name), None) => self.new_carrier(name).map(Some),
            (Scope::All, _, found) => Ok(found),
        }
    }

    fn find_carrier(&self, text: &str) -> Result<Option<CarrierId>, Problem> {
        match (lookup::carrier(self.registry, text), text.parse::<CarrierId>()) {
            (Some(id), _) => Ok(Some(id)),
            (None, Ok(_)) => Err(Problem::invalid("carrier", format_args!("no carrier {text}"))),
            (None, Err(_)) => Ok(self.new_carriers.get(text).copied()),
        }
    }

    fn new_carrier(&mut self, name: &str) -> Result<CarrierId, Problem> {
        if name.chars().count() > CARRIER_NAME_MAX || name.contains(char::is_control) {
            let detail = format!("a carrier's name is one line of at most {CARRIER_NAME_MAX} characters");
            return Err(Problem::invalid("carrier", detail));
        }
        let id = CarrierId(random_id()?);
        self.new_carriers.insert(name.to_owned(), id);
        self.changes.push(Change::CarrierPut(Carrier { id, name: name.to_owned() }));
        Ok(id)
    }

    /// A vehicle that does not exist yet.
    pub(crate) fn new_vehicle(&mut self, plate: Plate, carrier: Option<CarrierId>) -> Result<Vehicle, Problem> {
        let vehicle = Vehicle { id: VehicleId(random_id()?), plate: Some(plate), carrier, ..Vehicle::default() };
        self.changes.push(Change::VehiclePut(vehicle.clone()));
        Ok(vehicle)
    }

    /// The vehicle with that plate, made or given to the carrier as needed. A terminal that came in before anybody
    /// knew its plate keeps its vehicle, and the vehicle gets the plate.
    pub(crate) fn vehicle(
        &mut self,
        plate: Plate,
        carrier: Option<CarrierId>,
        terminal: Option<TerminalId>,
        describe: impl FnOnce(&mut Vehicle),
    ) -> Result<Vehicle, Problem> {
        let nameless = || {
            let vehicle = self.registry.vehicle(self.registry.terminal(terminal?)?.vehicle()?)?;
            vehicle.plate.is_none().then_some(vehicle)
        };
        let Some(known) = self.registry.vehicle_by_plate(&plate).or_else(nameless) else {
            let mut vehicle =
                Vehicle { id: VehicleId(random_id()?), plate: Some(plate), carrier, ..Vehicle::default() };
            describe(&mut vehicle);
            self.changes.push(Change::VehiclePut(vehicle.clone()));
            return Ok(vehicle);
        };
        let carrier = carrier.or(known.carrier);
        let mut wanted = Vehicle { plate: Some(plate), carrier, ..Vehicle::clone(known) };
        describe(&mut wanted);
        if !self.scope.sees(known.carrier) {
            return Err(Problem::new(Kind::Conflict, "the plate is in use").about("plate"));
        }
        if wanted != **known {
            self.changes.push(Change::VehiclePut(wanted.clone()));
        }
        Ok(wanted)
    }

    /// Lets a terminal speak for a vehicle from now on, or since ever when it never spoke for another. What is already
    /// so is left alone. An unknown terminal is described as it described itself.
    pub(crate) fn terminal(&mut self, id: TerminalId, vehicle: VehicleId, stranger: Option<Stranger>) {
        let known = self.registry.terminal(id);
        if !known.is_some_and(|terminal| terminal.admitted) {
            let described = |t: &&std::sync::Arc<Terminal>| !t.maker.is_empty() || !t.device.is_empty();
            let (maker, model, device) = match (known.filter(described), stranger) {
                (Some(t), _) => (t.maker.clone(), t.model.clone(), t.device.clone()),
                (None, Some(s)) => (s.maker, s.model, s.device),
                (None, None) => Default::default(),
            };
            self.changes.push(Change::TerminalPut { terminal: id, maker, model, device });
        }
        let bound = known.and_then(|terminal| terminal.vehicle());
        if bound != Some(vehicle) {
            let from = if bound.is_some() { self.now } else { Timestamp::MIN };
            self.changes.push(Change::Bind { terminal: id, vehicle, from });
        }
    }
}
