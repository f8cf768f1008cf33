//! Who is in a zone now, and whether there is room: of parking lots for dangerous goods (危险品专用停车场), and of any zone.

use axum::Json;
use axum::extract::State;
use model::{Ask, Scope, ZoneId};
use serde::Serialize;
use store::FactFilter;
use utoipa::ToSchema;

use crate::app::App;
use crate::dto::{Time, VehicleRef};
use crate::extract::{Caller, Name};
use crate::lookup;
use crate::problem::Problem;

/// Vehicles inside that are counted at most.
const INSIDE_MAX: usize = 10_000;

/// A vehicle inside.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InsideView {
    vehicle: VehicleRef,
    /// Since when: an interpolated instant.
    since: Time,
}

/// Who is in a zone now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OccupancyView {
    /// `z_...`.
    zone: String,
    /// Room for so many vehicles, when a rule `lot` of the zone says so.
    #[schema(required = true)]
    capacity: Option<u32>,
    /// Vehicles inside now, of all carriers; 10,000 stands for more.
    inside: usize,
    /// Whether it has no room for another one; never when the capacity is not known.
    is_full: bool,
    /// Of those inside the ones that the caller sees, latest first.
    vehicles: Vec<InsideView>,
}

/// Who is in a zone now, and of a lot whether it has room.
#[utoipa::path(get, path = "/api/v1/zones/{id}/occupancy", tag = "zones", operation_id = "get_occupancy",
    params(("id" = String, Path, description = "`z_...`")),
    responses((status = 200, description = "Who is inside", body = OccupancyView)))]
pub(crate) async fn occupancy(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
) -> Result<Json<OccupancyView>, Problem> {
    let id: ZoneId = lookup::id("zone", &id)?;
    app.caught_up().await?;
    let registry = app.registry();
    if registry.zone_revision(id) == 0 {
        return Err(Problem::not_found(format_args!("zone {id}")));
    }
    // A zone that was withdrawn has no rules, and nobody is inside for long.
    let rules = registry.zone(id).map(|zone| zone.rules.as_slice()).unwrap_or_default();
    let capacity = rules.iter().find_map(|rule| match rule.ask {
        Ask::Lot { capacity } => capacity,
        _ => None,
    });
    let filter = FactFilter { zone: Some(id), open: Some(true), ..FactFilter::default() };
    let mut rows = app.deps.store.facts(Scope::All, &filter, None, INSIDE_MAX).await?.items;
    // A zone that was revised while somebody was inside has a visit for each revision.
    let mut seen = std::collections::BTreeSet::new();
    rows.retain(|row| seen.insert(row.fact.vehicle));
    let own = rows.iter().filter(|row| who.scope.sees(row.carrier));
    let view = |row: &store::FactRow| InsideView {
        vehicle: VehicleRef::by_id(&registry, row.fact.vehicle),
        since: Time(row.fact.started_at),
    };
    Ok(Json(OccupancyView {
        zone: id.to_string(),
        capacity,
        inside: rows.len(),
        is_full: capacity.is_some_and(|capacity| rows.len() >= capacity as usize),
        vehicles: own.map(view).collect(),
    }))
}
