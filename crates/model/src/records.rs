//! What the registry keeps of the records that judgement reads besides zones and bindings: permits, the calendar,
//! roads, drivers, loads, drafts, thresholds with their history, and the steps of cases.

use std::sync::Arc;

use imbl::OrdMap;

use crate::{
    Calendar, CaseId, CaseStep, Change, ControlRecord, Driver, DriverId, DriverOn, Load, Permit, PermitId, Road,
    RoadId, THRESHOLD_PREFIX, Threshold, Timestamp, VehicleId, Zone, ZoneId,
};

/// A step of a case as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepTaken {
    /// The number of its control record.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub step: CaseStep,
}

/// Values with the instants from which they hold, ascending.
type History<T> = Arc<Vec<(Timestamp, T)>>;

/// Puts a value where its instant says; one of the same instant is replaced.
fn insert<T: Clone>(history: &mut History<T>, from: Timestamp, value: T) {
    let list = Arc::make_mut(history);
    match list.binary_search_by_key(&from, |(from, _)| *from) {
        Ok(place) => list[place].1 = value,
        Err(place) => list.insert(place, (from, value)),
    }
}

fn at<T>(history: &History<T>, time: Timestamp) -> Option<&T> {
    let place = history.partition_point(|(from, _)| *from <= time);
    history.get(place.checked_sub(1)?).map(|(_, value)| value)
}

/// Everything that was recorded of it. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Records {
    seq: u64,
    permits: OrdMap<PermitId, Arc<Permit>>,
    vehicle_permits: OrdMap<VehicleId, Arc<Vec<PermitId>>>,
    calendar: Calendar,
    roads: OrdMap<RoadId, Arc<Road>>,
    drivers: OrdMap<DriverId, Arc<Driver>>,
    certificates: OrdMap<String, DriverId>,
    driving: OrdMap<VehicleId, History<Option<DriverId>>>,
    loads: OrdMap<VehicleId, History<Arc<Load>>>,
    drafts: OrdMap<ZoneId, Arc<Zone>>,
    thresholds: OrdMap<String, History<i64>>,
    steps: OrdMap<CaseId, Arc<Vec<StepTaken>>>,
}

impl Records {
    /// Takes in a record, if it is one of these.
    pub(crate) fn apply(&mut self, record: &ControlRecord) {
        match &record.change {
            Change::PermitPut(permit) => self.put_permit(permit, record.recorded_at),
            Change::PermitRevoke { id, reason } => {
                if let Some(permit) = self.permits.get_mut(id) {
                    Arc::make_mut(permit).revoked.get_or_insert_with(|| (record.recorded_at, reason.clone()));
                }
            }
            Change::CalendarPut { days } => days.iter().for_each(|day| self.calendar.put(day.clone())),
            Change::RoadPut(road) => {
                self.roads.insert(road.id, Arc::new(road.clone()));
            }
            Change::RoadDelete { id } => {
                self.roads.remove(id);
            }
            Change::DriverPut(driver) => self.put_driver(driver),
            Change::DriverOn(DriverOn { vehicle, driver, from }) => {
                insert(self.driving.entry(*vehicle).or_default(), *from, *driver);
            }
            Change::LoadPut(load) => {
                insert(self.loads.entry(load.vehicle).or_default(), load.from, Arc::new(load.clone()));
            }
            Change::SettingPut { key, value } if key.starts_with(THRESHOLD_PREFIX) => {
                // What was recorded by a program that knew other thresholds is passed over.
                let Ok(value) = Threshold::read(key, value) else { return };
                insert(self.thresholds.entry(key.clone()).or_default(), record.recorded_at, value);
            }
            _ => return self.work(record),
        }
        self.seq = record.seq;
    }

    /// The records that people work with and judgement does not read.
    fn work(&mut self, record: &ControlRecord) {
        match &record.change {
            Change::ZoneDraft(zone) => {
                let drafted_by = Some(record.actor.clone());
                let zone = Zone { drafted_by, recorded_at: record.recorded_at, ..zone.clone() };
                self.drafts.insert(zone.id, Arc::new(zone));
            }
            Change::ZoneDraftDrop { id } | Change::ZonePut(Zone { id, .. }) => {
                self.drafts.remove(id);
            }
            Change::CaseStep(step) => {
                let (seq, at, actor) = (record.seq, record.recorded_at, record.actor.clone());
                let taken = StepTaken { seq, at, actor, step: step.clone() };
                Arc::make_mut(self.steps.entry(step.case).or_default()).push(taken);
            }
            _ => {}
        }
    }

    fn put_driver(&mut self, driver: &Driver) {
        if let Some(known) = self.drivers.get(&driver.id) {
            self.certificates.remove(&known.certificate);
        }
        if !driver.certificate.is_empty() {
            self.certificates.insert(driver.certificate.clone(), driver.id);
        }
        self.drivers.insert(driver.id, Arc::new(driver.clone()));
    }

    fn put_permit(&mut self, permit: &Permit, recorded_at: Timestamp) {
        let before = self.permits.get(&permit.id).cloned();
        for vehicle in before.iter().flat_map(|permit| &permit.vehicles) {
            if let Some(list) = self.vehicle_permits.get_mut(vehicle) {
                Arc::make_mut(list).retain(|id| *id != permit.id);
            }
        }
        for vehicle in &permit.vehicles {
            let list = Arc::make_mut(self.vehicle_permits.entry(*vehicle).or_default());
            if let Err(place) = list.binary_search(&permit.id) {
                list.insert(place, permit.id);
            }
        }
        self.permits.insert(permit.id, Arc::new(Permit { recorded_at, revoked: None, ..permit.clone() }));
    }

    /// The number of the last control record that touched what judgement reads here.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// A permit, also one that was revoked.
    #[must_use]
    pub fn permit(&self, id: PermitId) -> Option<&Arc<Permit>> {
        self.permits.get(&id)
    }

    /// The permits, by id, those after `after` only.
    pub fn permits(&self, after: Option<PermitId>) -> impl Iterator<Item = &Arc<Permit>> {
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.permits.range((start, std::ops::Bound::Unbounded)).map(|(_, permit)| permit)
    }

    /// The permits of a vehicle, by id, also those that were revoked.
    pub fn permits_of(&self, vehicle: VehicleId) -> impl Iterator<Item = &Arc<Permit>> {
        let ids = self.vehicle_permits.get(&vehicle).map(|list| list.iter()).unwrap_or_default();
        ids.filter_map(|id| self.permits.get(id))
    }

    /// The calendar.
    #[must_use]
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// A road.
    #[must_use]
    pub fn road(&self, id: RoadId) -> Option<&Arc<Road>> {
        self.roads.get(&id)
    }

    /// A road by its code.
    #[must_use]
    pub fn road_by_code(&self, code: &str) -> Option<&Arc<Road>> {
        self.roads.values().find(|road| road.code == code)
    }

    /// The roads, by id, those after `after` only.
    pub fn roads(&self, after: Option<RoadId>) -> impl Iterator<Item = &Arc<Road>> {
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.roads.range((start, std::ops::Bound::Unbounded)).map(|(_, road)| road)
    }

    /// A driver.
    #[must_use]
    pub fn driver(&self, id: DriverId) -> Option<&Arc<Driver>> {
        self.drivers.get(&id)
    }

    /// A driver by qualification certificate.
    #[must_use]
    pub fn driver_by_certificate(&self, certificate: &str) -> Option<&Arc<Driver>> {
        self.drivers.get(self.certificates.get(certificate)?)
    }

    /// The drivers, by id, those after `after` only.
    pub fn drivers(&self, after: Option<DriverId>) -> impl Iterator<Item = &Arc<Driver>> {
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.drivers.range((start, std::ops::Bound::Unbounded)).map(|(_, driver)| driver)
    }

    /// Who drove a vehicle at an instant, as entered by hand; `None`: nobody has said, or nobody did.
    #[must_use]
    pub fn driver_at(&self, vehicle: VehicleId, time: Timestamp) -> Option<DriverId> {
        *at(self.driving.get(&vehicle)?, time)?
    }

    /// When a vehicle's driver changed by hand, ascending.
    #[must_use]
    pub fn driving_of(&self, vehicle: VehicleId) -> &[(Timestamp, Option<DriverId>)] {
        self.driving.get(&vehicle).map_or(&[], |history| history)
    }

    /// What a vehicle carried at an instant; `None`: nobody has said.
    #[must_use]
    pub fn load_at(&self, vehicle: VehicleId, time: Timestamp) -> Option<&Arc<Load>> {
        at(self.loads.get(&vehicle)?, time)
    }

    /// What a vehicle carried, ascending.
    #[must_use]
    pub fn loads_of(&self, vehicle: VehicleId) -> &[(Timestamp, Arc<Load>)] {
        self.loads.get(&vehicle).map_or(&[], |history| history)
    }

    /// The draft of a zone that waits for a second person.
    #[must_use]
    pub fn draft(&self, id: ZoneId) -> Option<&Arc<Zone>> {
        self.drafts.get(&id)
    }

    /// The drafts, by id, those after `after` only.
    pub fn drafts(&self, after: Option<ZoneId>) -> impl Iterator<Item = &Arc<Zone>> {
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.drafts.range((start, std::ops::Bound::Unbounded)).map(|(_, zone)| zone)
    }

    /// A threshold as it was recorded up to an instant, else its default; `None`: there is none of that name.
    #[must_use]
    pub fn threshold_at(&self, key: &str, time: Timestamp) -> Option<i64> {
        let set = self.thresholds.get(key).and_then(|history| at(history, time)).copied();
        set.or_else(|| Threshold::named(key).map(|row| row.default))
    }

    /// The same for a row of the table: without a look-up while nobody has set any.
    #[must_use]
    pub fn threshold_of(&self, row: &'static Threshold, time: Timestamp) -> i64 {
        if self.thresholds.is_empty() { row.default } else { self.threshold_at(row.key, time).unwrap_or(row.default) }
    }

    /// The values that a threshold was set to, ascending by when that was recorded.
    #[must_use]
    pub fn threshold_history(&self, key: &str) -> &[(Timestamp, i64)] {
        self.thresholds.get(key).map_or(&[], |history| history)
    }

    /// The steps that were taken on a case, in order.
    #[must_use]
    pub fn steps(&self, case: CaseId) -> &[StepTaken] {
        self.steps.get(&case).map_or(&[], |steps| steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LoadState, PermitKind, Step};

    fn apply(records: &mut Records, seq: u64, change: Change) {
        let recorded_at = Timestamp::from_secs(1000 * seq as i64);
        records.apply(&ControlRecord { seq, recorded_at, actor: format!("p{seq}"), change });
    }

    fn load(vehicle: u64, from: i64, state: LoadState) -> Change {
        let vehicle = VehicleId(vehicle);
        Change::LoadPut(Load { vehicle, from: Timestamp(from), state, goods: Vec::new(), source: String::new() })
    }

    #[test]
    fn loads_and_drivers_hold_by_event_time_however_late_they_come() {
        let mut r = Records::default();
        apply(&mut r, 1, load(1, 500, LoadState::Empty));
        apply(&mut r, 2, load(1, 100, LoadState::Loaded));
        let states = [99, 100, 499, 500].map(|t| r.load_at(VehicleId(1), Timestamp(t)).map(|load| load.state));
        let (loaded, empty) = (Some(LoadState::Loaded), Some(LoadState::Empty));
        assert_eq!(states, [None, loaded, loaded, empty]);
        apply(&mut r, 3, load(1, 500, LoadState::Loaded));
        assert_eq!(r.load_at(VehicleId(1), Timestamp(500)).map(|load| load.state), loaded, "said anew");
        let on = |driver: Option<u64>, from| {
            Change::DriverOn(DriverOn { vehicle: VehicleId(1), driver: driver.map(DriverId), from: Timestamp(from) })
        };
        apply(&mut r, 4, on(Some(7), 10));
        apply(&mut r, 5, on(None, 20));
        let who = [9, 10, 20].map(|t| r.driver_at(VehicleId(1), Timestamp(t)));
        assert_eq!(who, [None, Some(DriverId(7)), None]);
        assert_eq!(r.seq(), 5);
    }

    #[test]
    fn permits_follow_their_vehicles() {
        let permit = |vehicles: &[u64]| {
            Change::PermitPut(Permit {
                id: PermitId(1),
                number: "1".into(),
                issuer: "支队".into(),
                kind: PermitKind::Pass,
                vehicles: vehicles.iter().map(|id| VehicleId(*id)).collect(),
                zones: vec![ZoneId(3)],
                slots: vec![(Timestamp(0), Timestamp(9_000_000_000))],
                route: None,
                recorded_at: Timestamp(0),
                revoked: None,
            })
        };
        let mut r = Records::default();
        apply(&mut r, 1, permit(&[1, 2]));
        apply(&mut r, 2, permit(&[2, 3]));
        assert_eq!([1, 2, 3].map(|id| r.permits_of(VehicleId(id)).count()), [0, 1, 1]);
        apply(&mut r, 3, Change::PermitRevoke { id: PermitId(1), reason: "超载".into() });
        let known = r.permit(PermitId(1)).expect("kept");
        assert_eq!(known.recorded_at, Timestamp::from_secs(2000));
        let allows = |zone, time| known.allows(VehicleId(2), ZoneId(zone), Timestamp::from_secs(time));
        assert!(allows(3, 2999) && !allows(3, 3000) && !allows(4, 1) && !allows(3, 9000));
    }

    #[test]
    fn thresholds_keep_their_history() {
        let mut r = Records::default();
        let set = |value: &str| Change::SettingPut { key: "rules.V01.limit_kmh".into(), value: value.into() };
        apply(&mut r, 1, set("60"));
        apply(&mut r, 2, set("none"));
        apply(&mut r, 3, set("70"));
        let limits = [999, 1000, 2999, 3000].map(|t| r.threshold_at("rules.V01.limit_kmh", Timestamp::from_secs(t)));
        assert_eq!(limits, [Some(80), Some(60), Some(60), Some(70)]);
        assert_eq!(r.threshold_at("rules.V01.colour", Timestamp(0)), None);
    }

    #[test]
    fn steps_are_kept_with_who_and_when() {
        let mut r = Records::default();
        let step = |step| Change::CaseStep(CaseStep { case: CaseId(1), step, text: String::new() });
        apply(&mut r, 1, step(Step::Acknowledge));
        apply(&mut r, 2, step(Step::Close));
        let taken = r.steps(CaseId(1));
        assert_eq!(
            taken.iter().map(|t| (t.actor.as_str(), t.step.step)).collect::<Vec<_>>(),
            [("p1", Step::Acknowledge), ("p2", Step::Close)]
        );
        assert_eq!(r.seq(), 0, "judgement does not read them");
    }
}
