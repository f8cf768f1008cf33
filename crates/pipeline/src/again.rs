//! What control records make to be judged again: vehicles that came near a changed zone, and vehicles whose terminals
//! speak for others. Not how it is done (`rejudge`).

use std::sync::Arc;

use model::{Change, ControlRecord, Permit, Registry, Timestamp, VehicleId, ZoneId};
use prost::Message;
use rules::Zones;
use rules::limits::GAP_MAX_US;
use store::Outline;
use store::chunk::cells::Extent;

use crate::vehicle_wire::{Again as Wire, Place};

/// More boxes than this are put together into one.
const PLACES_MAX: usize = 4096;
/// How far beside a zone a track still counts as near it, 1e-6 degree of latitude: more than 300 m. A path between two
/// fixes leaves their box by less, and a vehicle that stood through a gap is found within 200 m.
const MARGIN_E6: i32 = 3000;
/// As many degrees of longitude as of latitude are never shorter than this part of them, up to the latitude.
const LATITUDES: [(i32, i32); 2] = [(60_000_000, 2), (89_000_000, 60)];

/// What is judged otherwise from now on: the event times, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) from: Timestamp,
    /// First instant that is judged as before.
    pub(crate) to: Timestamp,
    pub(crate) places: Places,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Places {
    Everywhere,
    /// Boxes, with a margin.
    Boxes(Vec<Extent>),
}

/// A vehicle that is judged again wherever it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anew {
    pub(crate) vehicle: VehicleId,
    pub(crate) from: Timestamp,
    /// The latest event time of what it got from others.
    pub(crate) newest: Timestamp,
}

/// What an envelope has the lanes judge again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Again {
    pub(crate) near: Option<Arc<Reach>>,
    pub(crate) vehicles: Vec<Anew>,
}

impl Reach {
    pub(crate) const fn everywhere(from: Timestamp) -> Self {
        Self { from, to: Timestamp::MAX, places: Places::Everywhere }
    }

    /// What changes with a zone that is otherwise from an event time on.
    fn of_zone(id: ZoneId, from: Timestamp, before: &Zones, after: &Zones) -> Self {
        let (boxes, ends): (Vec<_>, Vec<_>) = before
            .extents_of(id)
            .chain(after.extents_of(id))
            .filter(|(_, to)| *to > from)
            .map(|(b, to)| (extent((b.min.lon, b.min.lat), (b.max.lon, b.max.lat)), to))
            .unzip();
        Self { from, to: ends.into_iter().max().unwrap_or(from), places: Places::Boxes(boxes) }
    }

    fn add(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        match (&mut self.places, other.places) {
            (Places::Boxes(boxes), Places::Boxes(more)) => {
                boxes.extend(more.into_iter().filter(|extent| !boxes.contains(extent)).collect::<Vec<_>>());
                if boxes.len() > PLACES_MAX {
                    *boxes = boxes.iter().copied().reduce(around).into_iter().collect();
                }
            }
            (places, _) => *places = Places::Everywhere,
        }
    }

    /// Event times of the fixes that say whether a vehicle came near.
    pub(crate) const fn window(&self) -> (Timestamp, Timestamp) {
        (self.from.plus_us(-GAP_MAX_US), self.to.plus_us(GAP_MAX_US))
    }

    /// Whether a track with these pieces may have touched one of the places; never wrongly no. A path leads from a fix to
    /// one that is at most [`GAP_MAX_US`] later, or beside it.
    pub(crate) fn is_near(&self, mut track: Vec<Outline>) -> bool {
        let Places::Boxes(places) = &self.places else { return true };
        let touches = |extent: Extent| places.iter().any(|place| intersect(*place, extent));
        track.sort_unstable_by_key(|piece| piece.start);
        (0..).zip(&track).any(|(at, piece): (usize, _)| {
            let until = piece.stop.plus_us(GAP_MAX_US);
            let next = track.iter().skip(at).take_while(|next| next.start <= until);
            next.map(|next| around(piece.extent, next.extent)).any(touches)
        })
    }
}

/// A box with the margin around it, of degrees.
fn extent(south_west: (f64, f64), north_east: (f64, f64)) -> Extent {
    let e6 = |degrees: f64| (degrees * 1e6).round() as i32;
    let (south_e6, north_e6) = (e6(south_west.1), e6(north_east.1));
    let latitude_e6 = south_e6.abs().max(north_e6.abs());
    let margin_e6 = LATITUDES.iter().find(|(up_to, _)| latitude_e6 <= *up_to).map(|(_, times)| MARGIN_E6 * times);
    Extent {
        west_e6: margin_e6.map_or(i32::MIN, |margin| e6(south_west.0).saturating_sub(margin)),
        south_e6: south_e6.saturating_sub(MARGIN_E6),
        east_e6: margin_e6.map_or(i32::MAX, |margin| e6(north_east.0).saturating_add(margin)),
        north_e6: north_e6.saturating_add(MARGIN_E6),
    }
}

fn around(a: Extent, b: Extent) -> Extent {
    Extent {
        west_e6: a.west_e6.min(b.west_e6),
        south_e6: a.south_e6.min(b.south_e6),
        east_e6: a.east_e6.max(b.east_e6),
        north_e6: a.north_e6.max(b.north_e6),
    }
}

const fn intersect(a: Extent, b: Extent) -> bool {
    a.west_e6 <= b.east_e6 && b.west_e6 <= a.east_e6 && a.south_e6 <= b.north_e6 && b.south_e6 <= a.north_e6
}

/// The zones that records change, and from which event time on.
pub(crate) fn changed_zones<'a>(
    control: &'a [ControlRecord],
    registry: &'a Registry,
) -> impl Iterator<Item = (ZoneId, Timestamp)> + 'a {
    control.iter().filter_map(|record| match &record.change {
        Change::ZonePut(zone) => Some((zone.id, zone.valid_from.unwrap_or(record.recorded_at))),
        Change::ZoneDelete { id } => Some((*id, record.recorded_at)),
        Change::ZoneVoid { id, revision, .. } => {
            let void = registry.zone_at_revision(*id, *revision)?;
            Some((*id, void.valid_from.unwrap_or(void.recorded_at)))
        }
        _ => None,
    })
}

/// The vehicles that records of permits, loads and drivers change, and from which event time on.
pub(crate) fn changed_vehicles(
    control: &[ControlRecord],
    before: &Registry,
    after: &Registry,
) -> Vec<(VehicleId, Timestamp)> {
    let mut changed = Vec::new();
    let mut permit = |permit: &Permit, from: Option<Timestamp>| {
        let from = from.or_else(|| permit.slots.iter().map(|(from, _)| *from).min()).unwrap_or(Timestamp::MAX);
        changed.extend(permit.vehicles.iter().map(|vehicle| (*vehicle, from)));
    };
    for record in control {
        match &record.change {
            Change::PermitPut(put) => {
                permit(put, None);
                before.records().permit(put.id).into_iter().for_each(|old| permit(old, None));
            }
            Change::PermitRevoke { id, .. } => {
                after.records().permit(*id).into_iter().for_each(|known| permit(known, Some(record.recorded_at)));
            }
            _ => {}
        }
    }
    changed.extend(control.iter().filter_map(|record| match &record.change {
        Change::LoadPut(load) => Some((load.vehicle, load.from)),
        Change::DriverOn(on) => Some((on.vehicle, on.from)),
        _ => None,
    }));
    changed
}

/// What was recorded of zones since everybody was last judged again for them. The first change after a quiet tick counts
/// at once, what follows is gathered until the next tick: so no more orders than ticks pile up for a vehicle that is
/// being judged. When that is follows from the journal alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gathered {
    /// Everybody was judged again since the last tick, or at it.
    is_spent: bool,
    reach: Option<Reach>,
}

impl Gathered {
    pub(crate) fn add(&mut self, id: ZoneId, from: Timestamp, before: &Zones, after: &Zones) {
        let reach = Reach::of_zone(id, from, before, after);
        match &mut self.reach {
            Some(gathered) => gathered.add(reach),
            None => self.reach = Some(reach),
        }
    }

    /// What is to be judged again at this envelope.
    pub(crate) fn due(&mut self, tick: bool) -> Option<Arc<Reach>> {
        if self.is_spent && !tick {
            return None;
        }
        let due = self.reach.take();
        self.is_spent = due.is_some();
        due.map(Arc::new)
    }

    /// As a checkpoint keeps it (`proto/hazwatch/pipeline/v1/vehicle.proto`).
    pub(crate) fn encode(&self) -> Vec<u8> {
        let places = match self.reach.as_ref().map(|reach| &reach.places) {
            Some(Places::Boxes(boxes)) => boxes.iter().map(place).collect(),
            _ => Vec::new(),
        };
        let is_everywhere = self.reach.as_ref().is_some_and(|reach| reach.places == Places::Everywhere);
        let (from_us, to_us) = self.reach.as_ref().map(|reach| (reach.from.0, reach.to.0)).unzip();
        Wire { is_spent: self.is_spent, from_us, to_us, is_everywhere, places }.encode_to_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        let wire = Wire::decode(bytes)?;
        let boxes = wire.places.iter().map(|p| Extent {
            west_e6: p.west_e6,
            south_e6: p.south_e6,
            east_e6: p.east_e6,
            north_e6: p.north_e6,
        });
        let places = if wire.is_everywhere { Places::Everywhere } else { Places::Boxes(boxes.collect()) };
        let ends = wire.from_us.zip(wire.to_us);
        let reach = ends.map(|(from, to)| Reach { from: Timestamp(from), to: Timestamp(to), places });
        Ok(Self { is_spent: wire.is_spent, reach })
    }
}

const fn place(extent: &Extent) -> Place {
    let Extent { west_e6, south_e6, east_e6, north_e6 } = *extent;
    Place { west_e6, south_e6, east_e6, north_e6 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(second: i64, lon_e6: i32) -> Outline {
        let at = Timestamp::from_secs(second);
        Outline { start: at, stop: at, extent: Extent { west_e6: lon_e6, south_e6: 0, east_e6: lon_e6, north_e6: 0 } }
    }

    fn reach(from: i64, lon: f64) -> Reach {
        let places = Places::Boxes(vec![extent((lon, 0.0), (lon + 0.01, 0.0))]);
        Reach { from: Timestamp::from_secs(from), to: Timestamp::MAX, places }
    }

    #[test]
    fn a_path_is_near_what_lies_on_its_way() {
        let over = |gap_s: i64| reach(0, 1.0).is_near(vec![spot(gap_s, 1_100_000), spot(0, 900_000)]);
        assert!(over(60) && over(GAP_MAX_US / 1_000_000));
        assert!(!over(GAP_MAX_US / 1_000_000 + 1), "nobody knows the way");
        let aside = vec![spot(0, 900_000), spot(10, 500_000), spot(20, 1_100_000)];
        assert!(reach(0, 1.0).is_near(aside), "one that is set aside hides nothing");
        for (lon_e6, near) in [(999_000, true), (990_000, false), (1_010_000, true), (1_020_000, false)] {
            assert_eq!(reach(0, 1.0).is_near(vec![spot(0, lon_e6)]), near, "{lon_e6}");
        }
    }

    #[test]
    fn the_first_change_counts_at_once_and_the_rest_at_the_tick() {
        let mut gathered = Gathered { reach: Some(reach(7, 1.0)), is_spent: false };
        assert_eq!(gathered.due(false).map(|due| due.from), Some(Timestamp::from_secs(7)));
        assert_eq!(gathered.due(false), None);
        gathered.reach = Some(reach(9, 1.0));
        if let Some(reached) = &mut gathered.reach {
            reached.add(reach(5, 2.0));
        }
        assert_eq!(gathered.due(false), None, "it waits");
        assert_eq!(Gathered::decode(&gathered.encode()).as_ref(), Ok(&gathered));
        let due = gathered.due(true).expect("the tick");
        assert_eq!(due.from, Timestamp::from_secs(5));
        assert!(due.is_near(vec![spot(0, 1_000_000)]) && due.is_near(vec![spot(0, 2_000_000)]));
        assert!(gathered.is_spent);
        assert_eq!(gathered.due(true), None);
        assert!(!gathered.is_spent, "nothing came since: the next one counts at once");
    }
}
