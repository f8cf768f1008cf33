//! The registry: carriers, vehicles, terminals with their dated bindings, zones and settings, as a fold over the
//! control stream. Cloning it is cheap (the maps share their structure), so a lane holds the registry that was in
//! force at its place in the journal while the next one is being made.

use std::net::IpAddr;
use std::sync::Arc;

use imbl::OrdMap;

use crate::{
    Base, Binding, Carrier, CarrierId, Change, CommandId, CommandOrigin, ControlRecord, EffectId, Fix, Forwarder,
    ForwarderId, Hold, HoldId, Network, Plate, Records, Scope, Terminal, TerminalId, Timestamp, Vehicle, VehicleId,
    Zone, ZoneId,
};

/// One entry of a zone's history.
#[derive(Clone, Debug)]
struct ZoneEntry {
    /// From when on it governs.
    from: Timestamp,
    /// The revision; `None` for a withdrawal.
    zone: Option<Arc<Zone>>,
    /// Why it counts as never recorded, when it does.
    void: Option<Arc<str>>,
}

/// A zone's revisions and withdrawals, in the order of their records.
type ZoneHistory = Vec<ZoneEntry>;

fn standing(history: &ZoneHistory) -> Option<&Arc<Zone>> {
    history.iter().rev().find(|entry| entry.void.is_none())?.zone.as_ref()
}

/// Everything that was recorded, as of one place in the control stream.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    seq: u64,
    recorded_at: Timestamp,
    carriers: OrdMap<CarrierId, Arc<Carrier>>,
    carrier_names: OrdMap<String, CarrierId>,
    vehicles: OrdMap<VehicleId, Arc<Vehicle>>,
    plates: OrdMap<Plate, VehicleId>,
    terminals: OrdMap<TerminalId, Arc<Terminal>>,
    vehicle_terminal: OrdMap<VehicleId, TerminalId>,
    zones: OrdMap<ZoneId, Arc<ZoneHistory>>,
    zones_seq: u64,
    effects: OrdMap<EffectId, CommandId>,
    settings: OrdMap<String, String>,
    rule_revision: u32,
    forwarders: OrdMap<ForwarderId, Arc<Forwarder>>,
    denied: OrdMap<Network, Arc<str>>,
    door_seq: u64,
    holds: OrdMap<HoldId, Arc<Hold>>,
    /// By the envelope that they reflect.
    bases: OrdMap<u64, Base>,
    records: Records,
}

impl Registry {
    /// Takes in the next record. Records come in order, each once; an older one changes nothing.
    pub fn apply(&mut self, record: &ControlRecord) {
        if record.seq <= self.seq {
            return;
        }
        self.seq = record.seq;
        self.recorded_at = record.recorded_at;
        self.records.apply(record);
        match &record.change {
            Change::CarrierPut(carrier) => self.put_carrier(carrier),
            Change::VehiclePut(vehicle) => self.put_vehicle(vehicle),
            Change::TerminalPut { terminal, maker, model, device } => {
                let entry = self.terminal_mut(*terminal);
                entry.maker.clone_from(maker);
                entry.model.clone_from(model);
                entry.device.clone_from(device);
                entry.admitted = true;
            }
            Change::Bind { terminal, vehicle, from } => self.bind(*terminal, *vehicle, *from),
            Change::Revoke { terminal } => {
                let entry = self.terminal_mut(*terminal);
                entry.epoch += 1;
                entry.admitted = false;
                self.door_seq = record.seq;
            }
            Change::ZonePut(zone) => self.put_zone(zone, record),
            Change::ZoneDelete { id } => self.delete_zone(*id, record),
            Change::CommandRequest(command) => {
                if let CommandOrigin::Effect(effect) = command.origin {
                    self.effects.insert(effect, command.id);
                }
            }
            Change::SettingPut { key, value } => {
                self.settings.insert(key.clone(), value.clone());
            }
            Change::Audit { .. } => {}
            Change::RuleRevision { revision } => self.rule_revision = *revision,
            Change::ForwarderPut(_) | Change::ForwarderDelete { .. } => self.forwarders(record),
            Change::DenyPut { .. } | Change::DenyDelete { .. } => self.denials(record),
            Change::HoldPut(hold) => {
                self.holds.insert(hold.id, Arc::new(hold.clone()));
            }
            Change::HoldRelease { id } => {
                self.holds.remove(id);
            }
            Change::BaseTaken(base) => {
                self.bases.insert(base.position.seq, base.clone());
            }
            Change::ZoneVoid { id, revision, reason } => self.void_zone(*id, *revision, reason),
            Change::ZoneDraft(_)
            | Change::ZoneDraftDrop { .. }
            | Change::PermitPut(_)
            | Change::PermitRevoke { .. }
            | Change::CalendarPut { .. }
            | Change::RoadPut(_)
            | Change::RoadDelete { .. }
            | Change::DriverPut(_)
            | Change::DriverOn(_)
            | Change::LoadPut(_)
            | Change::CaseStep(_) => {}
        }
    }

    fn forwarders(&mut self, record: &ControlRecord) {
        self.door_seq = record.seq;
        match &record.change {
            Change::ForwarderPut(forwarder) => {
                self.forwarders.insert(forwarder.id, Arc::new(forwarder.clone()));
            }
            Change::ForwarderDelete { id } => {
                self.forwarders.remove(id);
            }
            _ => {}
        }
    }

    fn denials(&mut self, record: &ControlRecord) {
        self.door_seq = record.seq;
        match &record.change {
            Change::DenyPut { network, reason } => {
                self.denied.insert(*network, reason.as_str().into());
            }
            Change::DenyDelete { network } => {
                self.denied.remove(network);
            }
            _ => {}
        }
    }

    fn put_carrier(&mut self, carrier: &Carrier) {
        if let Some(old) = self.carriers.get(&carrier.id) {
            self.carrier_names.remove(&old.name);
        }
        self.carrier_names.insert(carrier.name.clone(), carrier.id);
        self.carriers.insert(carrier.id, Arc::new(carrier.clone()));
    }

    fn put_vehicle(&mut self, vehicle: &Vehicle) {
        if let Some(plate) = self.vehicles.get(&vehicle.id).and_then(|old| old.plate.clone()) {
            self.plates.remove(&plate);
        }
        if let Some(plate) = &vehicle.plate {
            self.plates.insert(plate.clone(), vehicle.id);
        }
        self.vehicles.insert(vehicle.id, Arc::new(vehicle.clone()));
    }

    fn terminal_mut(&mut self, id: TerminalId) -> &mut Terminal {
        let entry = self.terminals.entry(id).or_insert_with(|| {
            Arc::new(Terminal {
                id,
                maker: String::new(),
                model: String::new(),
                device: String::new(),
                epoch: 0,
                admitted: false,
                bindings: Vec::new(),
            })
        });
        Arc::make_mut(entry)
    }

    fn bind(&mut self, terminal: TerminalId, vehicle: VehicleId, from: Timestamp) {
        let entry = self.terminal_mut(terminal);
        let previous = entry.vehicle();
        entry.bindings.retain(|binding| binding.from < from);
        entry.bindings.push(Binding { from, vehicle });
        self.vehicle_terminal.insert(vehicle, terminal);
        if previous.is_some_and(|previous| previous != vehicle) {
            self.door_seq = self.seq;
        }
        let moved = previous.filter(|p| *p != vehicle && self.vehicle_terminal.get(p) == Some(&terminal));
        if let Some(previous) = moved {
            // Rare, so it may look through all: another terminal may still speak for the vehicle that lost this one.
            match self.terminals.values().find(|other| other.vehicle() == Some(previous)) {
                Some(other) => self.vehicle_terminal.insert(previous, other.id),
                None => self.vehicle_terminal.remove(&previous),
            };
        }
    }

    fn put_zone(&mut self, zone: &Zone, record: &ControlRecord) {
        let mut zone = zone.clone();
        zone.recorded_at = record.recorded_at;
        let from = zone.valid_from.unwrap_or(record.recorded_at);
        let history = Arc::make_mut(self.zones.entry(zone.id).or_default());
        history.push(ZoneEntry { from, zone: Some(Arc::new(zone)), void: None });
        self.zones_seq = record.seq;
    }

    fn delete_zone(&mut self, id: ZoneId, record: &ControlRecord) {
        if let Some(history) = self.zones.get_mut(&id) {
            Arc::make_mut(history).push(ZoneEntry { from: record.recorded_at, zone: None, void: None });
            self.zones_seq = record.seq;
        }
    }

    fn void_zone(&mut self, id: ZoneId, revision: u32, reason: &str) {
        let Some(history) = self.zones.get_mut(&id) else { return };
        let is_it = |entry: &&mut ZoneEntry| entry.zone.as_ref().is_some_and(|zone| zone.revision == revision);
        if let Some(entry) = Arc::make_mut(history).iter_mut().find(is_it) {
            entry.void = Some(reason.into());
            self.zones_seq = self.seq;
        }
    }

    /// The number of the last control record taken in; 0 for none.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// When the last control record was recorded.
    #[must_use]
    pub const fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// The number of the last control record that touched a zone: the index of zones is rebuilt when it moves.
    #[must_use]
    pub const fn zones_seq(&self) -> u64 {
        self.zones_seq
    }

    /// The revision of the rules that is in force; 0 when none was recorded yet.
    #[must_use]
    pub const fn rule_revision(&self) -> u32 {
        self.rule_revision
    }

    /// A carrier by id.
    #[must_use]
    pub fn carrier(&self, id: CarrierId) -> Option<&Arc<Carrier>> {
        self.carriers.get(&id)
    }

    /// A carrier by its exact name.
    #[must_use]
    pub fn carrier_by_name(&self, name: &str) -> Option<&Arc<Carrier>> {
        self.carriers.get(self.carrier_names.get(name)?)
    }

    /// All carriers, by id.
    pub fn carriers(&self) -> impl Iterator<Item = &Arc<Carrier>> {
        self.carriers.values()
    }

    /// A vehicle by id.
    #[must_use]
    pub fn vehicle(&self, id: VehicleId) -> Option<&Arc<Vehicle>> {
        self.vehicles.get(&id)
    }

    /// A vehicle by plate and colour.
    #[must_use]
    pub fn vehicle_by_plate(&self, plate: &Plate) -> Option<&Arc<Vehicle>> {
        self.vehicles.get(self.plates.get(plate)?)
    }

    /// The vehicles with that plate text, whatever the colour.
    pub fn vehicles_by_plate_text<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Arc<Vehicle>> {
        let first = Plate { text: text.into(), colour: crate::PlateColour(0) };
        self.plates
            .range(first..)
            .take_while(move |(plate, _)| *plate.text == *text)
            .filter_map(|(_, id)| self.vehicles.get(id))
    }

    /// The vehicles that `scope` sees, by id, those after `after` only.
    pub fn vehicles(&self, scope: Scope, after: Option<VehicleId>) -> impl Iterator<Item = &Arc<Vehicle>> {
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.vehicles
            .range((start, std::ops::Bound::Unbounded))
            .map(|(_, vehicle)| vehicle)
            .filter(move |vehicle| scope.sees(vehicle.carrier))
    }

    /// How many vehicles are known.
    #[must_use]
    pub fn vehicle_count(&self) -> usize {
        self.vehicles.len()
    }

    /// Who runs a vehicle.
    #[must_use]
    pub fn owner(&self, vehicle: VehicleId) -> Option<CarrierId> {
        self.vehicles.get(&vehicle)?.carrier
    }

    /// A terminal.
    #[must_use]
    pub fn terminal(&self, id: TerminalId) -> Option<&Arc<Terminal>> {
        self.terminals.get(&id)
    }

    /// All terminals, by id.
    pub fn terminals(&self) -> impl Iterator<Item = &Arc<Terminal>> {
        self.terminals.values()
    }

    /// The terminal that speaks for a vehicle now.
    #[must_use]
    pub fn terminal_of(&self, vehicle: VehicleId) -> Option<TerminalId> {
        self.vehicle_terminal.get(&vehicle).copied()
    }

    /// The vehicle that a report of that event time is about.
    #[must_use]
    pub fn vehicle_at(&self, terminal: TerminalId, time: Timestamp) -> Option<VehicleId> {
        self.terminals.get(&terminal)?.vehicle_at(time)
    }

    /// Whether a fix that is stored with a vehicle is its own: its terminal did not, as was recorded later, speak for
    /// another at that event time.
    #[must_use]
    pub fn owns(&self, vehicle: VehicleId, fix: &Fix) -> bool {
        !fix.is_dated() || self.vehicle_at(fix.terminal, fix.time).is_none_or(|owner| owner == vehicle)
    }

    /// The revision of a zone that stands: the last one, unless it was withdrawn.
    #[must_use]
    pub fn zone(&self, id: ZoneId) -> Option<&Arc<Zone>> {
        standing(self.zones.get(&id)?)
    }

    /// The highest revision that a zone ever had, also a void one; 0 for an unknown zone.
    #[must_use]
    pub fn zone_revision(&self, id: ZoneId) -> u32 {
        self.zones.get(&id).map_or(0, |history| history.iter().filter(|entry| entry.zone.is_some()).count() as u32)
    }

    fn zone_entry(&self, id: ZoneId, revision: u32) -> Option<&ZoneEntry> {
        let of = |entry: &&ZoneEntry| entry.zone.as_ref().is_some_and(|zone| zone.revision == revision);
        self.zones.get(&id)?.iter().find(of)
    }

    /// One revision of a zone, standing or not.
    #[must_use]
    pub fn zone_at_revision(&self, id: ZoneId, revision: u32) -> Option<&Arc<Zone>> {
        self.zone_entry(id, revision)?.zone.as_ref()
    }

    /// Why a revision counts as never recorded; `None`: it counts.
    #[must_use]
    pub fn zone_void(&self, id: ZoneId, revision: u32) -> Option<&str> {
        self.zone_entry(id, revision)?.void.as_deref()
    }

    /// The zones that stand, by id, those after `after` only.
    pub fn zones(&self, after: Option<ZoneId>) -> impl Iterator<Item = &Arc<Zone>> {
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.zones.range((start, std::ops::Bound::Unbounded)).filter_map(|(_, history)| standing(history))
    }

    /// Every revision of every zone with the span of event time that it governs, [from, to); void ones never did.
    pub fn zone_spans(&self) -> impl Iterator<Item = (&Arc<Zone>, Timestamp, Timestamp)> {
        self.zones.values().flat_map(|history| {
            history.iter().enumerate().filter(|(_, entry)| entry.void.is_none()).filter_map(move |(i, entry)| {
                let zone = entry.zone.as_ref()?;
                let later = history[i + 1..].iter().filter(|next| next.void.is_none());
                let superseded = later.map(|next| next.from).min().unwrap_or(Timestamp::MAX);
                let to = zone.valid_to.unwrap_or(Timestamp::MAX).min(superseded);
                (entry.from < to).then_some((zone, entry.from, to))
            })
        })
    }

    /// What was recorded of permits, the calendar, roads, drivers, loads, drafts, thresholds and cases.
    #[must_use]
    pub const fn records(&self) -> &Records {
        &self.records
    }

    /// The command that carries out an effect, when it was already requested.
    #[must_use]
    pub fn command_for(&self, effect: EffectId) -> Option<CommandId> {
        self.effects.get(&effect).copied()
    }

    /// A forwarding platform.
    #[must_use]
    pub fn forwarder(&self, id: ForwarderId) -> Option<&Arc<Forwarder>> {
        self.forwarders.get(&id)
    }

    /// The forwarding platforms, by id.
    pub fn all_forwarders(&self) -> impl Iterator<Item = &Arc<Forwarder>> {
        self.forwarders.values()
    }

    /// The forwarding platform that connects from this address.
    #[must_use]
    pub fn forwarder_from(&self, peer: IpAddr) -> Option<&Arc<Forwarder>> {
        self.forwarders.values().find(|forwarder| forwarder.networks.iter().any(|network| network.contains(peer)))
    }

    /// Whether a forwarding platform may speak for a terminal: it is admitted, and its vehicle is on the account's
    /// list.
    #[must_use]
    pub fn forwards(&self, id: ForwarderId, terminal: TerminalId) -> bool {
        let Some(terminal) = self.terminals.get(&terminal).filter(|terminal| terminal.admitted) else { return false };
        self.forwarders.get(&id).is_some_and(|forwarder| match &forwarder.vehicles {
            None => true,
            Some(list) => terminal.vehicle().is_some_and(|vehicle| list.binary_search(&vehicle).is_ok()),
        })
    }

    /// The networks that nobody may connect from, with the reasons.
    pub fn denied(&self) -> impl Iterator<Item = (Network, &str)> {
        self.denied.iter().map(|(network, reason)| (*network, &**reason))
    }

    /// Whether nobody may connect from this address.
    #[must_use]
    pub fn is_denied(&self, peer: IpAddr) -> bool {
        self.denied.keys().any(|network| network.contains(peer))
    }

    /// The number of the last control record after which somebody who is connected may have to go: of forwarding
    /// platforms, the deny list, revoked terminals, and terminals that speak for another vehicle.
    #[must_use]
    pub const fn door_seq(&self) -> u64 {
        self.door_seq
    }

    /// A hold that was not released.
    #[must_use]
    pub fn hold(&self, id: HoldId) -> Option<&Arc<Hold>> {
        self.holds.get(&id)
    }

    /// The holds that were not released, by id.
    pub fn holds(&self) -> impl Iterator<Item = &Arc<Hold>> {
        self.holds.values()
    }

    /// The copies of the views that were set aside, oldest first.
    pub fn bases(&self) -> impl DoubleEndedIterator<Item = &Base> {
        self.bases.values()
    }

    /// A setting.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Coord, Geometry, LegalBasis, PlateColour, ZoneKind, ZoneRule};

    fn record(seq: u64, change: Change) -> ControlRecord {
        ControlRecord { seq, recorded_at: Timestamp::from_secs(1000 * seq as i64), actor: "t".into(), change }
    }

    fn zone(revision: u32, valid_from: Option<i64>) -> Change {
        Change::ZonePut(Zone {
            id: ZoneId(1),
            revision,
            name: "bridge".into(),
            kind: ZoneKind::VeryLargeBridge,
            geometry: Geometry::Circle { centre: Coord { x: 103.8, y: 25.5 }, radius_m: 100.0 },
            rules: vec![ZoneRule::forbidden()],
            source_crs: "wgs84".into(),
            legal: LegalBasis::default(),
            place: String::new(),
            detour: String::new(),
            drafted_by: None,
            valid_from: valid_from.map(Timestamp::from_secs),
            valid_to: None,
            recorded_at: Timestamp::default(),
        })
    }

    #[test]
    fn bindings_hold_by_event_time() {
        let t = TerminalId::from_wire(&[0x13]);
        let mut r = Registry::default();
        r.apply(&record(1, Change::Bind { terminal: t, vehicle: VehicleId(1), from: Timestamp::MIN }));
        r.apply(&record(2, Change::Bind { terminal: t, vehicle: VehicleId(2), from: Timestamp(500) }));
        assert_eq!(r.vehicle_at(t, Timestamp(499)), Some(VehicleId(1)));
        assert_eq!(r.vehicle_at(t, Timestamp(500)), Some(VehicleId(2)));
        assert_eq!(r.terminal_of(VehicleId(1)), None);
        assert_eq!(r.terminal_of(VehicleId(2)), Some(t));
        let other = TerminalId::from_wire(&[0x14]);
        for (seq, vehicle) in [(3, 2), (4, 5)] {
            let bind =
                Change::Bind { terminal: other, vehicle: VehicleId(vehicle), from: Timestamp(seq as i64 * 1000) };
            r.apply(&record(seq, bind));
        }
        assert_eq!(r.terminal_of(VehicleId(2)), Some(t), "the first one still speaks for it");
        let before = r.clone();
        r.apply(&record(2, Change::Bind { terminal: t, vehicle: VehicleId(9), from: Timestamp(0) }));
        assert_eq!(r.vehicle_at(t, Timestamp(1)), before.vehicle_at(t, Timestamp(1)), "a record counts once");
    }

    #[test]
    fn plates_move_with_their_vehicle() {
        let plate = Plate::new("云D12345", PlateColour::YELLOW).expect("plate");
        let mut r = Registry::default();
        let mut v =
            Vehicle { id: VehicleId(1), plate: Some(plate.clone()), carrier: Some(CarrierId(7)), ..Vehicle::default() };
        r.apply(&record(1, Change::VehiclePut(v.clone())));
        assert_eq!(r.vehicle_by_plate(&plate).map(|v| v.id), Some(VehicleId(1)));
        assert_eq!(r.vehicles_by_plate_text("云D12345").count(), 1);
        assert_eq!(r.vehicles(Scope::Carrier(CarrierId(7)), None).count(), 1);
        assert_eq!(r.vehicles(Scope::Carrier(CarrierId(8)), None).count(), 0);
        v.plate = None;
        r.apply(&record(2, Change::VehiclePut(v)));
        assert!(r.vehicle_by_plate(&plate).is_none());
    }

    #[test]
    fn a_revision_governs_until_the_next_one() {
        let mut r = Registry::default();
        r.apply(&record(1, zone(1, None)));
        r.apply(&record(2, zone(2, Some(1500))));
        r.apply(&record(3, Change::ZoneDelete { id: ZoneId(1) }));
        let spans: Vec<_> = r.zone_spans().map(|(z, a, b)| (z.revision, a.secs(), b.secs())).collect();
        assert_eq!(spans, [(1, 1000, 1500), (2, 1500, 3000)]);
        assert!(r.zone(ZoneId(1)).is_none());
        assert_eq!(r.zone_revision(ZoneId(1)), 2);
        assert_eq!(r.zones_seq(), 3);
    }
    #[test]
    fn a_void_revision_never_was() {
        let spans = |r: &Registry| r.zone_spans().map(|(z, a, b)| (z.revision, a.secs(), b.secs())).collect::<Vec<_>>();
        let mut r = Registry::default();
        let forever = Timestamp::MAX.secs();
        r.apply(&record(1, zone(1, None)));
        r.apply(&record(2, zone(2, Some(1500))));
        let void = |revision| Change::ZoneVoid { id: ZoneId(1), revision, reason: "wrong bridge".into() };
        r.apply(&record(3, void(2)));
        assert_eq!(spans(&r), [(1, 1000, forever)]);
        assert_eq!(r.zone(ZoneId(1)).map(|z| z.revision), Some(1));
        assert_eq!((r.zone_revision(ZoneId(1)), r.zones_seq()), (2, 3), "its number is not given again");
        assert_eq!(r.zone_void(ZoneId(1), 2), Some("wrong bridge"));
        assert_eq!(r.zone_void(ZoneId(1), 1), None);
        assert!(r.zone_at_revision(ZoneId(1), 2).is_some(), "older facts still name it");
        r.apply(&record(4, void(1)));
        assert!(r.zone(ZoneId(1)).is_none() && spans(&r).is_empty());
        r.apply(&record(5, zone(3, None)));
        assert_eq!(spans(&r), [(3, 5000, forever)]);
    }

    #[test]
    fn a_draft_waits_until_it_is_released_or_dropped() {
        let mut r = Registry::default();
        let Change::ZonePut(drawn) = zone(1, None) else { unreachable!("as made above") };
        r.apply(&record(1, Change::ZoneDraft(drawn.clone())));
        let draft = r.records().draft(ZoneId(1)).expect("it waits");
        assert_eq!(draft.drafted_by.as_deref(), Some("t"));
        assert!(r.zone(ZoneId(1)).is_none() && r.zones_seq() == 0, "it binds nobody");
        r.apply(&record(2, Change::ZonePut(drawn.clone())));
        assert!(r.records().draft(ZoneId(1)).is_none() && r.zone(ZoneId(1)).is_some());
        r.apply(&record(3, Change::ZoneDraft(drawn)));
        r.apply(&record(4, Change::ZoneDraftDrop { id: ZoneId(1) }));
        assert_eq!(r.records().drafts(None).count(), 0);
    }
}
