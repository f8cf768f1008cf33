//! Imports of the ground that judgement stands on: roads, the calendar, permits, drivers. Each file whole or not at all.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::response::Response;
use intake::{PermitRow, read_calendar, read_drivers, read_permits, read_roads};
use model::{Change, Driver, DriverId, Permit, PermitId, RoadId, Timestamp};

use crate::app::App;
use crate::change::{Pending, random_id};
use crate::extract::{Caller, Params, read_body, require_type};
use crate::imports::{ImportReport, aside, record, table};
use crate::permits::Names;
use crate::problem::Problem;
use crate::vehicles::CrsQuery;
use crate::zones::frame;

/// Days of the calendar as a table: `date` (2026-10-01), `kind` (`holiday` or `workday`) and, where wanted, `name`. What was
/// said of a day before counts no more.
#[utoipa::path(post, path = "/api/v1/imports/calendar", tag = "imports", operation_id = "import_calendar",
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "All days are in force", body = ImportReport),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn calendar(
    State(app): State<App>,
    Caller(who): Caller,
    request: Request,
) -> Result<Response, Problem> {
    let bytes = table(&app, request).await?;
    let file = bytes.clone();
    let mut days = aside(move || read_calendar(&file)).await?;
    let registry = app.registry();
    let known = |day: i32| registry.records().calendar().days().find(|known| known.day == day);
    let mut report = ImportReport { rows: days.len(), ..ImportReport::default() };
    days.retain(|day| match known(day.day) {
        Some(known) if known == day => {
            report.unchanged += 1;
            false
        }
        Some(_) => {
            report.updated += 1;
            true
        }
        None => {
            report.created += 1;
            true
        }
    });
    let changes = if days.is_empty() { Vec::new() } else { vec![Change::CalendarPut { days }] };
    record(&app, &who, "calendar", bytes, changes, report).await
}

/// Roads as a GeoJSON feature collection of LineStrings and MultiLineStrings: `code`, `class` and, where known, `name`,
/// `limit_kmh`, `direction`, `stakes`, `tunnels`, `service_areas`. A known code is described anew.
#[utoipa::path(post, path = "/api/v1/imports/roads", tag = "imports", operation_id = "import_roads", params(CrsQuery),
    request_body(content((String = "application/geo+json"), (String = "application/json"))),
    responses((status = 200, description = "All roads are in force", body = ImportReport),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn roads(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<CrsQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let is_geojson = |kind: &str| matches!(kind, "application/geo+json" | "application/json");
    require_type(request.headers(), is_geojson, "application/geo+json")?;
    let bytes = read_body(&app, request, app.config.import_bytes_max).await?;
    let registry = app.registry();
    let (file, frame) = (bytes.clone(), frame(&registry, query.crs));
    let drafts = aside(move || read_roads(&file, frame)).await?;
    let known: BTreeMap<_, _> = registry.records().roads(None).map(|road| (road.code.as_str(), road)).collect();
    let mut report = ImportReport { rows: drafts.len(), ..ImportReport::default() };
    let mut changes = Vec::new();
    for draft in drafts {
        match known.get(draft.road.code.as_str()) {
            Some(known) => {
                let road = draft.into_road(known.id);
                if road == ***known {
                    report.unchanged += 1;
                    continue;
                }
                report.updated += 1;
                changes.push(Change::RoadPut(road));
            }
            None => {
                report.created += 1;
                changes.push(Change::RoadPut(draft.into_road(RoadId(random_id()?))));
            }
        }
    }
    record(&app, &who, "roads", bytes, changes, report).await
}

/// Permits as a table: `number`, `kind` (`pass`, `filed`, `notified`), `vehicles` (ids, plates or phones, cut by `;`), `slots`
/// (`FROM/TO;FROM/TO`) and, where wanted, `issuer` and `zones` (ids or names, cut by `;`; all when empty). A permit that is
/// known by issuer and number is described anew.
#[utoipa::path(post, path = "/api/v1/imports/permits", tag = "imports", operation_id = "import_permits",
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "All permits are in force", body = ImportReport),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn permits(
    State(app): State<App>,
    Caller(who): Caller,
    request: Request,
) -> Result<Response, Problem> {
    let bytes = table(&app, request).await?;
    let file = bytes.clone();
    let rows = aside(move || read_permits(&file)).await?;
    let registry = app.registry();
    let mut report = ImportReport { rows: rows.len(), ..ImportReport::default() };
    let (mut changes, mut faults) = (Vec::new(), Vec::new());
    let known: BTreeMap<_, _> =
        registry.records().permits(None).map(|p| ((p.issuer.as_str(), p.number.as_str()), p)).collect();
    let names = Names::new(&registry, who.scope);
    for row in rows {
        let before = known.get(&(row.issuer.as_str(), row.number.as_str()));
        match permit(&names, &row, before.map(|permit| permit.id)) {
            Err(problem) => faults.push(problem.into_fault().in_row(row.row)),
            Ok(permit) => match before {
                Some(known) if is_same(known, &permit) => report.unchanged += 1,
                Some(_) => {
                    report.updated += 1;
                    changes.push(Change::PermitPut(permit));
                }
                None => {
                    report.created += 1;
                    changes.push(Change::PermitPut(permit));
                }
            },
        }
    }
    drop(names);
    if !faults.is_empty() {
        return Err(Problem::faults(faults));
    }
    record(&app, &who, "permits", bytes, changes, report).await
}

fn permit(names: &Names<'_>, row: &PermitRow, known: Option<PermitId>) -> Result<Permit, Problem> {
    let (vehicles, zones) = names.resolve(&row.vehicles, &row.zones)?;
    Ok(Permit {
        id: known.map_or_else(|| random_id().map(PermitId), Ok)?,
        number: row.number.clone(),
        issuer: row.issuer.clone(),
        kind: row.kind,
        vehicles,
        zones,
        slots: row.slots.clone(),
        route: None,
        recorded_at: Timestamp::default(),
        revoked: None,
    })
}

/// Whether a permit stands as the file says it; one that was revoked does not.
fn is_same(known: &Permit, permit: &Permit) -> bool {
    let recorded = Permit { recorded_at: known.recorded_at, route: known.route.clone(), ..permit.clone() };
    recorded == *known
}

/// Drivers as a table: `name`, `certificate` (从业资格证号, which says who it is) and, where wanted, `phone`.
#[utoipa::path(post, path = "/api/v1/imports/drivers", tag = "imports", operation_id = "import_drivers",
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "All drivers are in force", body = ImportReport),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn drivers(
    State(app): State<App>,
    Caller(who): Caller,
    request: Request,
) -> Result<Response, Problem> {
    let bytes = table(&app, request).await?;
    let file = bytes.clone();
    let rows = aside(move || read_drivers(&file)).await?;
    let registry = app.registry();
    let mut report = ImportReport { rows: rows.len(), ..ImportReport::default() };
    let mut changes = Vec::new();
    for row in rows {
        let known = registry.records().driver_by_certificate(&row.certificate);
        let id = known.map_or_else(|| random_id().map(DriverId), |driver| Ok(driver.id))?;
        let driver = Driver { id, name: row.name, certificate: row.certificate, phone: row.phone };
        match known {
            Some(known) if **known == driver => {
                report.unchanged += 1;
                continue;
            }
            Some(_) => report.updated += 1,
            None => report.created += 1,
        }
        changes.push(Change::DriverPut(driver));
    }
    record(&app, &who, "drivers", bytes, changes, report).await
}
