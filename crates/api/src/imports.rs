//! Imports: a file is taken whole or not at all, and a refusal lists every bad row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use intake::{
    Fault, VehicleRow, ZoneDraft, read_kml_zones, read_shapefile_zones, read_stake_zones, read_vehicles, read_zones,
};
use model::{CarrierId, Change, Principal, Registry, Vehicle, VehicleId, Zone, ZoneId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::change::{Done, Pending, random_id, submit};
use crate::extract::{Caller, Params, read_body, require_type};
use crate::problem::{Problem, internal};
use crate::register::Plan;
use crate::vehicles::CrsQuery;
use crate::zones::frame;

/// How zones are drawn in a file.
#[derive(Clone, Copy)]
enum Drawing {
    GeoJson,
    Kml,
    Shapefile,
    Stakes,
}

/// The media type of a workbook.
pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

impl Drawing {
    /// The media types of each.
    const TYPES: [(&str, Self); 9] = [
        ("application/geo+json", Self::GeoJson),
        ("application/json", Self::GeoJson),
        ("application/vnd.google-earth.kml+xml", Self::Kml),
        ("application/vnd.google-earth.kmz", Self::Kml),
        ("application/zip", Self::Shapefile),
        ("application/x-zip-compressed", Self::Shapefile),
        ("text/csv", Self::Stakes),
        ("application/csv", Self::Stakes),
        (XLSX, Self::Stakes),
    ];

    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut found = None;
        let known = |given: &str| {
            found = Self::TYPES.iter().find(|(kind, _)| *kind == given).map(|(_, format)| *format);
            found.is_some()
        };
        let names = Self::TYPES.map(|(kind, _)| kind).join(", ");
        require_type(headers, known, &names)?;
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

/// A table in the body: CSV or XLSX, which are told apart by their bytes.
pub(crate) async fn table(app: &App, request: Request) -> Result<Bytes, Problem> {
    let is_table = |kind: &str| matches!(kind, "text/csv" | "application/csv") || kind == XLSX;
    require_type(request.headers(), is_table, &format!("text/csv or {XLSX}"))?;
    read_body(app, request, app.config.import_bytes_max).await
}

/// Reads a file aside, so that a large one delays nobody.
pub(crate) async fn aside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Vec<Fault>> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => read.map_err(Problem::faults),
        Err(error) => Err(internal(&error)),
    }
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

/// A register of vehicles as a table with a header (CSV in UTF-8 or GBK, or the first sheet of an XLSX workbook): `plate`,
/// `colour` and, where wanted, `carrier`, `phone`, `use` (`dangerous_goods` or `ordinary`) and `scope` (classes like
/// `2.1 3`). Known plates are given to the carrier and the terminal of the file.
#[utoipa::path(post, path = "/api/v1/imports/vehicles", tag = "imports", operation_id = "import_vehicles",
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "All rows are in force", body = ImportReport),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn vehicles(
    State(app): State<App>,
    Caller(who): Caller,
    request: Request,
) -> Result<Response, Problem> {
    let bytes = table(&app, request).await?;
    let file = bytes.clone();
    let rows = aside(move || read_vehicles(&file)).await?;
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

/// Zones as a GeoJSON feature collection; as KML or KMZ, whose placemarks say in their extended data what a feature says
/// in its properties; as a ZIP of a shapefile, whose attributes say it (`half_width` for `half_width_m`, `title`, `issuer`,
/// `number` and `url` for the legal basis); or as a table of stake ranges (桩号) along roads that were imported. A feature
/// with the `id` of a zone is its next revision, any other one is a new zone; what stands already, word by word, is left
/// alone. The columns of the table are `name`, `road`, `from`, `to` and, where wanted, `kind`, `half_width_m`, `direction`,
/// `detour`, `issuer`, `number`, `title`, `url`, `valid_from`, `valid_to`; rows of one name are one zone. With two-person
/// release they become drafts.
#[utoipa::path(post, path = "/api/v1/imports/zones", tag = "imports", operation_id = "import_zones", params(CrsQuery),
    request_body(content((String = "application/geo+json"), (String = "application/json"), (String = "text/csv"),
        (String = "application/vnd.google-earth.kml+xml"), (Vec<u8> = "application/vnd.google-earth.kmz"),
        (Vec<u8> = "application/zip"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "All zones are in force, or drafted", body = ImportReport),
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
    let (file, known) = (bytes.clone(), registry.clone());
    let drafts = aside(move || match format {
        Drawing::GeoJson => read_zones(&file, frame),
        Drawing::Kml => read_kml_zones(&file, frame),
        Drawing::Shapefile => read_shapefile_zones(&file, frame),
        Drawing::Stakes => {
            let roads: BTreeMap<_, _> = known.records().roads(None).map(|road| (road.code.as_str(), road)).collect();
            read_stake_zones(&file, frame.region, |code| roads.get(code).map(|road| Arc::clone(road)))
        }
    });
    let (changes, report) = plan_zones(&registry, drafts.await?)?;
    record(&app, &who, "zones", bytes, changes, report).await
}

/// What drafts from a file change, as drafts when a second person is to release them.
fn plan_zones(registry: &Registry, drafts: Vec<ZoneDraft>) -> Result<(Vec<Change>, ImportReport), Problem> {
    let two_person = registry.setting("zones.two_person") == Some("true");
    let waiting = registry.records().drafts(None).filter(|_| two_person);
    let mut by_name: BTreeMap<&str, Vec<&Arc<Zone>>> = BTreeMap::new();
    for zone in registry.zones(None).chain(waiting) {
        by_name.entry(&zone.name).or_default().push(zone);
    }
    let stands = |draft: &ZoneDraft| {
        let mut named = by_name.get(draft.name.as_str()).into_iter().flatten();
        named.any(|zone| draft.id.is_none_or(|id| id == zone.id) && draft.says_the_same_as(zone))
    };
    let mut report = ImportReport { rows: drafts.len(), ..ImportReport::default() };
    let (mut changes, mut faults, mut touched) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (row, draft) in (1..).zip(drafts) {
        if stands(&draft) {
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
        changes.push(if two_person { Change::ZoneDraft(zone) } else { Change::ZonePut(zone) });
    }
    if faults.is_empty() { Ok((changes, report)) } else { Err(Problem::faults(faults)) }
}
