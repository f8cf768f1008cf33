//! Asking before a zone is released: what would it have caught, who is inside now, who is heading there. Nothing is
//! recorded: the rules are run over the stored tracks with the zone alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use intake::read_zone;
use model::{
    Change, ControlRecord, DAY_US, Fact, FactId, Fix, Principal, Registry, Timestamp, Vehicle, VehicleId, Zone, ZoneId,
};
use rules::{Context, Sighting, Zones};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Outline;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::drafts;
use crate::dto::{CrsName, Time, VehicleRef};
use crate::extract::{Body, Caller, Name, Params};
use crate::problem::{Kind, Problem};
use crate::zones::{ZoneDoc, frame};

/// How far back it is looked when nobody says, and at most.
const DAYS: i64 = 7;
const DAYS_MAX: i64 = 31;
/// Fixes that are judged, and time that it takes, at most: the answer says when that was not enough.
const FIXES_MAX: usize = 5_000_000;
const TIME_MAX: Duration = Duration::from_secs(25);
/// Violations that are shown.
const SHOWN_MAX: usize = 1_000;
/// Vehicles whose last position is asked for at once.
const POSITIONS: usize = 1_000;
/// A position older than this says nothing of now, microseconds.
const FRESH_US: i64 = 10 * 60_000_000;
/// Who would arrive within this is heading there, seconds.
const AHEAD_S: f64 = 900.0;
/// Around the boxes of a track, 1e-6 degree: some 200 m; paths bend.
const MARGIN_E6: i32 = 2_000;

/// Which time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PreviewQuery {
    /// Tracks from then on; seven days before `to` when absent, at most 31.
    #[param(value_type = Option<Time>)]
    from: Option<Time>,
    /// Up to then; now when absent.
    #[param(value_type = Option<Time>)]
    to: Option<Time>,
    /// Coordinate system of the drawing.
    #[param(value_type = Option<CrsName>)]
    crs: Option<CrsName>,
}

/// Something that the zone would have caught.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaughtView {
    /// `V06`, ...
    kind: String,
    vehicle: VehicleRef,
    started_at: Time,
    /// `null` while it lasts.
    #[schema(required = true)]
    ended_at: Option<Time>,
    /// How sure, 0 to 1.
    confidence: f64,
    /// `stands`, or `excused`: a permit allowed it afterwards.
    standing: &'static str,
    /// Way inside, metres.
    length_m: u32,
}

/// Somebody on the way to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeadingView {
    vehicle: VehicleRef,
    /// In how many seconds it would be there, straight on at its speed.
    in_s: u32,
}

/// What a zone would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewView {
    from: Time,
    to: Time,
    /// Vehicles whose tracks were judged: those that came near.
    vehicles: usize,
    /// Fixes that were judged.
    fixes: usize,
    /// Whether that was all: else there is more than 5,000,000 fixes or 25 s allow.
    complete: bool,
    /// Stays in it, whether they do wrong or not.
    visits: usize,
    /// What it would have caught, by kind.
    counts: BTreeMap<String, usize>,
    /// The latest 1,000 of them, newest first.
    caught: Vec<CaughtView>,
    /// Who is inside now, by positions of the last ten minutes.
    inside: Vec<VehicleRef>,
    /// Who would be there within a quarter of an hour, first one first.
    heading: Vec<HeadingView>,
}

/// What a zone would do if it were released: what it would have caught, who is inside, who is heading there. Nothing is
/// recorded. Its `valid_from` and `valid_to` are left aside, the windows of its rules are not.
#[utoipa::path(post, path = "/api/v1/zones/preview", tag = "zones", operation_id = "preview_zone", params(PreviewQuery),
    request_body(content((ZoneDoc = "application/geo+json"), (ZoneDoc = "application/json"))),
    responses((status = 200, description = "What it would do", body = PreviewView)))]
pub(crate) async fn zone(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<PreviewQuery>,
    Body(feature): Body<Value>,
) -> Result<Json<PreviewView>, Problem> {
    let draft = read_zone(&feature, frame(&app.registry(), query.crs)).map_err(Problem::faults)?;
    let id = draft.id.unwrap_or(ZoneId(u64::MAX));
    preview(&app, &who, draft.into_zone(id, 1), &query).await.map(Json)
}

/// What a draft would do if it were released; as for a zone.
#[utoipa::path(post, path = "/api/v1/zone-drafts/{id}/preview", tag = "zones", operation_id = "preview_zone_draft",
    params(("id" = String, Path, description = "`z_...`"), PreviewQuery),
    responses((status = 200, description = "What it would do", body = PreviewView)))]
pub(crate) async fn draft(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
    Params(query): Params<PreviewQuery>,
) -> Result<Json<PreviewView>, Problem> {
    let zone = drafts::find(&app, &id)?;
    preview(&app, &who, zone, &query).await.map(Json)
}

async fn preview(app: &App, who: &Principal, zone: Zone, query: &PreviewQuery) -> Result<PreviewView, Problem> {
    let to = query.to.map_or_else(|| app.now(), |time| time.0);
    let from = query.from.map_or_else(|| to.plus_us(-DAYS * DAY_US), |time| time.0);
    if from >= to || to.since_us(from) > DAYS_MAX * DAY_US {
        let detail = format!("from must be before to, and at most {DAYS_MAX} days before it");
        return Err(Problem::new(Kind::Malformed, detail).about("from"));
    }
    app.caught_up().await?;
    let registry = app.registry();
    let ground = Ground::of(&registry, zone)?;
    let vehicles: Vec<_> = registry.vehicles(who.scope, None).cloned().collect();
    let mut found = Found::default();
    let began = Instant::now();
    for vehicle in &vehicles {
        if found.fixes >= FIXES_MAX || began.elapsed() >= TIME_MAX {
            found.is_cut = true;
            break;
        }
        let outlines = app.deps.store.outlines(vehicle.id, from, to).await?;
        if ground.is_near(outlines) {
            judge(app, &ground, vehicle.id, (from, to), &mut found).await?;
        }
    }
    let (inside, heading) = now(app, who, &ground, &registry, &vehicles).await?;
    Ok(found.view((from, to), &registry, (inside, heading)))
}

/// The zone alone, and what else is recorded.
struct Ground {
    zones: Zones,
    registry: Registry,
    zone: ZoneId,
}

impl Ground {
    fn of(registry: &Registry, zone: Zone) -> Result<Self, Problem> {
        let zone = Zone { valid_from: Some(Timestamp::MIN), valid_to: None, ..zone };
        let id = zone.id;
        let record = |seq, at| {
            let change = Change::ZonePut(zone.clone());
            ControlRecord { seq, recorded_at: at, actor: String::new(), change }
        };
        let (mut alone, mut all) = (Registry::default(), registry.clone());
        alone.apply(&record(1, registry.recorded_at()));
        all.apply(&record(registry.seq() + 1, registry.recorded_at()));
        let zones = Zones::build(&alone);
        match zones.broken().first() {
            Some((_, _, why)) => Err(Problem::invalid("geometry", why)),
            None => Ok(Self { zones, registry: all, zone: id }),
        }
    }

    /// Whether a track with these pieces may have touched it; never wrongly no.
    fn is_near(&self, mut pieces: Vec<Outline>) -> bool {
        pieces.sort_unstable_by_key(|piece| piece.start);
        let boxes = pieces.iter().zip(pieces.iter().skip(1).map(Some).chain([None]));
        boxes.map(|(piece, next)| (piece.extent, next.map_or(piece.extent, |next| next.extent))).any(|(a, b)| {
            let degrees = |e6: i32| f64::from(e6) / 1e6;
            self.zones.may_meet(
                (
                    degrees(a.west_e6.min(b.west_e6).saturating_sub(MARGIN_E6)),
                    degrees(a.south_e6.min(b.south_e6).saturating_sub(MARGIN_E6)),
                ),
                (
                    degrees(a.east_e6.max(b.east_e6).saturating_add(MARGIN_E6)),
                    degrees(a.north_e6.max(b.north_e6).saturating_add(MARGIN_E6)),
                ),
            )
        })
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    facts: Vec<Fact>,
    vehicles: usize,
    fixes: usize,
    is_cut: bool,
}

/// Judges the track of a vehicle, day by day.
async fn judge(
    app: &App,
    ground: &Ground,
    vehicle: VehicleId,
    (from, to): (Timestamp, Timestamp),
    found: &mut Found,
) -> Result<(), Problem> {
    let context = Context { vehicle, zones: &ground.zones, registry: &ground.registry };
    let (mut state, mut facts) = (rules::State::default(), Vec::new());
    let mut last: BTreeMap<FactId, Fact> = BTreeMap::new();
    let mut begin = from;
    while begin < to {
        let end = begin.plus_us(DAY_US).min(to);
        let mut fixes: Vec<Fix> = app.deps.store.fixes(vehicle, begin, end).await?;
        fixes.retain(Fix::is_judgeable);
        found.fixes += fixes.len();
        for fix in &fixes {
            rules::step(&context, &mut state, fix, &mut facts);
        }
        last.extend(facts.drain(..).filter(|fact| fact.zone == ground.zone).map(|fact| (fact.id, fact)));
        begin = end;
        // A day of one truck is a millisecond; others are served in between.
        tokio::task::yield_now().await;
    }
    found.vehicles += 1;
    found.facts.extend(last.into_values());
    Ok(())
}

impl Found {
    fn view(
        self,
        (from, to): (Timestamp, Timestamp),
        registry: &Registry,
        (inside, heading): (Vec<VehicleRef>, Vec<HeadingView>),
    ) -> PreviewView {
        let (mut caught, visits): (Vec<Fact>, Vec<Fact>) =
            self.facts.into_iter().partition(|fact| fact.kind.is_violation());
        let mut counts = BTreeMap::new();
        for fact in &caught {
            *counts.entry(fact.kind.to_string()).or_default() += 1;
        }
        caught.sort_by_key(|fact| std::cmp::Reverse((fact.started_at, fact.id)));
        let view = |fact: &Fact| CaughtView {
            kind: fact.kind.to_string(),
            vehicle: VehicleRef::by_id(registry, fact.vehicle),
            started_at: Time(fact.started_at),
            ended_at: fact.ended_at.map(Time),
            confidence: fact.confidence.fraction(),
            standing: fact.standing.name(),
            length_m: fact.measures.length_m,
        };
        PreviewView {
            from: Time(from),
            to: Time(to),
            vehicles: self.vehicles,
            fixes: self.fixes,
            complete: !self.is_cut,
            visits: visits.len(),
            counts,
            caught: caught.iter().take(SHOWN_MAX).map(view).collect(),
            inside,
            heading,
        }
    }
}

/// Who is inside now, and who is heading there.
async fn now(
    app: &App,
    who: &Principal,
    ground: &Ground,
    registry: &Registry,
    vehicles: &[std::sync::Arc<Vehicle>],
) -> Result<(Vec<VehicleRef>, Vec<HeadingView>), Problem> {
    let (mut inside, mut heading) = (Vec::new(), Vec::new());
    let since = app.now().plus_us(-FRESH_US);
    for some in vehicles.chunks(POSITIONS) {
        let asked: Vec<_> = some.iter().map(|vehicle| (vehicle.id, vehicle.carrier)).collect();
        let positions = app.deps.store.last_positions(who.scope, &asked).await?;
        for ((id, _), last) in asked.iter().zip(positions) {
            let Some(last) = last.filter(|last| last.time >= since) else { continue };
            let (speed_dkmh, direction_deg) = (last.speed_dkmh, last.direction_deg);
            let seen = Sighting { lon: last.lon, lat: last.lat, speed_dkmh, direction_deg };
            if ground.zones.hold(&seen) {
                inside.push(VehicleRef::by_id(registry, *id));
            } else if let Some(in_s) = ground.zones.reached_in_s(&seen, AHEAD_S) {
                heading.push(HeadingView { vehicle: VehicleRef::by_id(registry, *id), in_s: in_s.round() as u32 });
            }
        }
    }
    heading.sort_by_key(|one| one.in_s);
    Ok((inside, heading))
}
