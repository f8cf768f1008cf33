//! Imports: a file is taken whole or not at all, and a refusal lists every bad row.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use intake::{Fault, VehicleRow, read_kml_zones, read_stake_zones, read_vehicles, read_zones};
use model::{CarrierId, Change, Principal, Vehicle, VehicleId, ZoneId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::change::{Done, Pending, random_id, submit};
use crate::extract::{Caller, Params, read_body, require_type};
use crate::problem::Problem;
use crate::register::Plan;
use crate::vehicles::CrsQuery;
use crate::zones::frame;

/// How zones are drawn in a file.
#[derive(Clone, Copy)]
enum Drawing {
    GeoJson,
    Kml,
    Stakes,
}

impl Drawing {
    /// The media types of each.
    const TYPES: [(&str, Self); 5] = [
        ("application/geo+json", Self::GeoJson),
        ("application/json", Self::GeoJson),
        ("application/vnd.google-earth.kml+xml", Self::Kml),
        ("text/csv", Self::Stakes),
        ("application/csv", Self::Stakes),
    ];

    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut found = None;
        let known = |given: &str| {
            found = Self::TYPES.iter().find(|(kind, _)| *kind == given).map(|(_, format)| *format);
            found.is_some()
        };
        require_type(headers, known, "application/geo+json, application/vnd.google-earth.kml+xml or text/csv")?;
        Ok(found.unwrap_or(Self::GeoJson))
    }
}

/// What an import came to.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct ImportReport {
    /// Rows or features in the file.
    pub(crate) rows: usize,
    /// Made.
    pub(crate) created: usize,
    /// Changed.
    pub(crate) updated: usize,
    /// Already so.
    pub(crate) unchanged: usize,
}

fn done(report: ImportReport) -> Done<ImportReport> {
    Done { status: StatusCode::OK, body: Some(report), id: None, location: None }
}

/// Records an import together with the file that it came from, which is kept; an import that changes nothing is not.
pub(crate) async fn record(
    app: &App,
    who: &Principal,
    kind: &str,
    original: Bytes,
    mut changes: Vec<Change>,
    report: ImportReport,
) -> Result<Response, Problem> {
    if !changes.is_empty() {
        let sha256 = app.deps.truth.keep(original.into()).await?;
        let ImportReport { rows, created, updated, .. } = report;
        let detail = format!("{rows} rows, {created} created, {updated} updated, file {sha256}");
        changes.push(Change::Audit { action: format!("import.{kind}"), subject: sha256, detail });
    }
    submit(app, who, changes, || done(report)).await
}

/// A register of vehicles as CSV, UTF-8 or GBK, with a header: `plate`, `colour` and, where wanted, `carrier` and
/// `phone`, `use` (`dangerous_goods` or `ordinary`) and `scope` (classes like `2.1 3`). Known plates are given to the carrier and the terminal of the file.
#[utoipa::path(post, path = "/api/v1/imports/vehicles", tag = "imports", operation_id = "import_vehicles",
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, description = "All rows are in force", body = ImportReport),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn vehicles(
    State(app): State<App>,
    Caller(who): Caller,
    request: Request,
) -> Result<Response, Problem> {
    require_type(request.headers(), |kind| matches!(kind, "text/csv" | "application/csv"), "text/csv")?;
    let bytes = read_body(&app, request, app.config.import_bytes_max).await?;
    let rows = read_vehicles(&bytes).map_err(Problem::faults)?;
    let registry = app.registry();
    let mut plan = Plan::new(&registry, who.scope, app.now());
    let mut report = ImportReport { rows: rows.len(), ..ImportReport::default() };
    let mut faults = Vec::new();
    for row in rows {
        let known = registry.vehicle_by_plate(&row.plate).is_some();
        let line = row.row;
        match plan_row(&mut plan, row) {
            Ok(_) if !known => report.created += 1,
            Ok(true) => report.updated += 1,
            Ok(false) => report.unchanged += 1,
            Err(problem) => faults.push(problem.into_fault().in_row(line)),
        }
    }
    if !faults.is_empty() {
        return Err(Problem::faults(faults));
    }
    record(&app, &who, "vehicles", bytes, plan.into_changes(), report).await
}

/// Whether the vehicle or its terminal is to be changed. A new carrier alone is no change of the vehicle.
fn plan_row(plan: &mut Plan<'_>, row: VehicleRow) -> Result<bool, Problem> {
    let carrier: Option<CarrierId> = plan.carrier(row.carrier.as_deref())?;
    let before = plan.len();
    let Vehicle { id, .. } = plan.vehicle(row.plate, carrier, row.phone, |vehicle| {
        vehicle.kind = row.kind.unwrap_or(vehicle.kind);
        if let Some(scope) = row.scope {
            vehicle.scope = scope;
        }
    })?;
    let id: VehicleId = id;
    if let Some(phone) = row.phone {
        plan.terminal(phone, id, None);
    }
    Ok(plan.len() > before)
}

/// Zones as a GeoJSON feature collection, as KML whose placemarks say in their extended data what a feature says in its
/// properties, or as a CSV of stake ranges (桩号) along roads that were imported. A feature
/// with the `id` of a zone is its next revision, any other one is a new zone; what stands already, word by word, is left
/// alone. The columns of the CSV are `name`, `road`, `from`, `to` and, where wanted, `kind`, `half_width_m`, `direction`,
/// `detour`, `issuer`, `number`, `title`, `url`, `valid_from`, `valid_to`; rows of one name are one zone.
#[utoipa::path(post, path = "/api/v1/imports/zones", tag = "imports", operation_id = "import_zones", params(CrsQuery),
    request_body(content((String = "application/geo+json"), (String = "application/json"), (String = "text/csv"),
        (String = "application/vnd.google-earth.kml+xml"))),
    responses((status = 200, description = "All zones are in force", body = ImportReport),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn zones(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<CrsQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let format = Drawing::of(request.headers())?;
    let bytes = read_body(&app, request, app.config.import_bytes_max).await?;
    let registry = app.registry();
    let frame = frame(&registry, query.crs);
    let drafts = match format {
        Drawing::GeoJson => read_zones(&bytes, frame),
        Drawing::Kml => read_kml_zones(&bytes, frame),
        Drawing::Stakes => {
            read_stake_zones(&bytes, &frame.region, |code| registry.records().road_by_code(code).cloned())
        }
    };
    let drafts = drafts.map_err(Problem::faults)?;
    let standing: Vec<_> = registry.zones(None).collect();
    let mut report = ImportReport { rows: drafts.len(), ..ImportReport::default() };
    let (mut changes, mut faults) = (Vec::new(), Vec::new());
    let mut touched = std::collections::BTreeSet::new();
    for (row, draft) in (1..).zip(drafts) {
        let same = |id: ZoneId| draft.id.is_none_or(|named| named == id);
        if standing.iter().any(|zone| same(zone.id) && draft.says_the_same_as(zone)) {
            report.unchanged += 1;
            continue;
        }
        let zone = match draft.id {
            None => {
                report.created += 1;
                draft.into_zone(ZoneId(random_id()?), 1)
            }
            Some(id) if registry.zone(id).is_none() => {
                faults.push(Fault::field("id", format!("no zone {id}; leave the id out for a new one")).in_row(row));
                continue;
            }
            Some(id) if !touched.insert(id) => {
                faults.push(Fault::field("id", format!("{id} stands in the file twice")).in_row(row));
                continue;
            }
            Some(id) => {
                report.updated += 1;
                draft.into_zone(id, registry.zone_revision(id) + 1)
            }
        };
        changes.push(Change::ZonePut(zone));
    }
    if !faults.is_empty() {
        return Err(Problem::faults(faults));
    }
    record(&app, &who, "zones", bytes, changes, report).await
}
