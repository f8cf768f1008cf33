//! What judgement found: visits of a zone, violations with their evidence.

use axum::Json;
use axum::extract::State;
use intake::Crs;
use model::{CaseId, FactId, FactKind, Registry, ZoneId};
use serde::{Deserialize, Serialize};
use store::{FactCursor, FactFilter, FactRow};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::dto::{CrsName, List, MeasuresView, Time, VehicleRef};
use crate::extract::{Caller, Name, Params};
use crate::lookup;
use crate::problem::{Kind, Problem};
use crate::vehicles::CrsQuery;

/// The zone that it is about, in the revision that it was judged by.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ZoneRef {
    /// `z_...`.
    id: String,
    /// The revision that it was judged by.
    revision: u32,
    /// Its name in that revision.
    #[schema(required = true)]
    name: Option<String>,
    /// Its kind in that revision.
    #[schema(required = true)]
    kind: Option<&'static str>,
}

/// A stay in a zone (区域停留).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VisitView {
    /// `f_...`.
    id: String,
    /// Whose.
    vehicle: VehicleRef,
    /// Where.
    zone: ZoneRef,
    /// When it began: an interpolated instant.
    started_at: Time,
    /// When it ended; `null` while it lasts.
    #[schema(required = true)]
    ended_at: Option<Time>,
    /// How sure, 0 to 1.
    confidence: f64,
    /// Whether it rests on a fix that came after one of later event time had been judged (补传数据).
    detected_late: bool,
    /// From 1; a later judgement that finds it different makes the next one.
    revision: u32,
    /// `stands`: it holds. `void`: it was judged again and is not found any more. `provisional`: no fix bears it out
    /// yet. `excused`: what was recorded later allowed it.
    standing: &'static str,
    /// What was measured.
    measures: MeasuresView,
}

/// A violation (违规).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ViolationView {
    /// `x_...`.
    id: String,
    /// `V06`: entered a forbidden zone (进入禁行区).
    kind: String,
    /// Whose.
    vehicle: VehicleRef,
    /// Where.
    zone: ZoneRef,
    /// When it began: an interpolated instant.
    started_at: Time,
    /// When it ended; `null` while it lasts.
    #[schema(required = true)]
    ended_at: Option<Time>,
    /// How sure, 0 to 1.
    confidence: f64,
    /// Whether it rests on a fix that came after one of later event time had been judged (补传数据).
    detected_late: bool,
    /// From 1; a later judgement that finds it different makes the next one.
    revision: u32,
    /// `stands`: it holds. `void`: it was judged again and is not found any more. `provisional`: no fix bears it out
    /// yet. `excused`: what was recorded later allowed it.
    standing: &'static str,
    /// For a void one: the violation that was found in its place, `x_...`.
    #[schema(required = true)]
    superseded_by: Option<String>,
    /// Revision of the rules that found it.
    rule_revision: u32,
    /// `raised`: found, and nobody has been told. `reminded`: the driver has been (已提醒).
    state: &'static str,
    /// What was measured.
    measures: MeasuresView,
    /// The journal records that it rests on, `shard/envelope/record`, with `#item` in a batch; at most 32.
    evidence: Vec<String>,
}

/// A violation with its history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ViolationDetail {
    #[serde(flatten)]
    latest: ViolationView,
    /// Every revision, newest first.
    revisions: Vec<ViolationView>,
}

fn zone_ref(registry: &Registry, row: &FactRow) -> ZoneRef {
    let zone = registry.zone_at_revision(row.fact.zone, row.fact.zone_revision);
    ZoneRef {
        id: row.fact.zone.to_string(),
        revision: row.fact.zone_revision,
        name: zone.map(|zone| zone.name.clone()),
        kind: zone.map(|zone| zone.kind.name()),
    }
}

impl VisitView {
    fn of(registry: &Registry, row: &FactRow, crs: Crs) -> Self {
        let fact = &row.fact;
        Self {
            id: fact.id.to_string(),
            vehicle: VehicleRef::by_id(registry, fact.vehicle),
            zone: zone_ref(registry, row),
            started_at: Time(fact.started_at),
            ended_at: fact.ended_at.map(Time),
            confidence: fact.confidence.fraction(),
            detected_late: fact.detected_late,
            revision: fact.revision,
            standing: fact.standing.name(),
            measures: MeasuresView::of(fact, crs),
        }
    }
}

impl ViolationView {
    pub(crate) fn of(registry: &Registry, row: &FactRow, crs: Crs) -> Self {
        let fact = &row.fact;
        Self {
            id: CaseId(fact.id.0).to_string(),
            kind: fact.kind.to_string(),
            vehicle: VehicleRef::by_id(registry, fact.vehicle),
            zone: zone_ref(registry, row),
            started_at: Time(fact.started_at),
            ended_at: fact.ended_at.map(Time),
            confidence: fact.confidence.fraction(),
            detected_late: fact.detected_late,
            revision: fact.revision,
            standing: fact.standing.name(),
            superseded_by: row.superseded_by.map(|id| CaseId(id.0).to_string()),
            rule_revision: fact.rule_revision,
            state: row.case_state.name(),
            measures: MeasuresView::of(fact, crs),
            evidence: fact.evidence.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Which visits.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VisitQuery {
    /// Only what lasted beyond this instant, or began at it.
    #[param(value_type = Option<Time>)]
    from: Option<Time>,
    /// Only what began before this instant.
    #[param(value_type = Option<Time>)]
    to: Option<Time>,
    /// Only this vehicle: id, plate or phone.
    vehicle: Option<String>,
    /// Only those that last (`true`) or have ended (`false`).
    open: Option<bool>,
    /// Coordinate system of the positions.
    #[param(value_type = Option<CrsName>)]
    crs: Option<CrsName>,
    /// Rows of the page, 1 to 1,000; 50 when absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Stays in a zone, withdrawn or not, newest first.
#[utoipa::path(get, path = "/api/v1/zones/{id}/visits", tag = "zones", operation_id = "list_visits",
    params(("id" = String, Path, description = "`z_...`"), VisitQuery),
    responses((status = 200, description = "A page of visits", body = List<VisitView>)))]
pub(crate) async fn visits(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
    Params(query): Params<VisitQuery>,
) -> Result<Json<List<VisitView>>, Problem> {
    let id: ZoneId = lookup::id("zone", &id)?;
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<FactCursor>(query.cursor.as_deref())?;
    app.caught_up().await?;
    let registry = app.registry();
    if registry.zone_revision(id) == 0 {
        return Err(Problem::not_found(format_args!("zone {id}")));
    }
    let filter = FactFilter {
        violations: false,
        kind: None,
        vehicle: lookup::vehicle_filter(&registry, who.scope, query.vehicle.as_deref())?,
        zone: Some(id),
        from: query.from.map(|time| time.0),
        to: query.to.map(|time| time.0),
        open: query.open,
        void: false,
    };
    let page = app.deps.store.facts(who.scope, &filter, after, limit).await?;
    let crs = query.crs.unwrap_or_default().0;
    let items = page.items.iter().map(|row| VisitView::of(&registry, row, crs)).collect();
    Ok(Json(List::new(items, page.next)))
}

/// Which violations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ViolationQuery {
    /// Only this kind, like `V06`.
    kind: Option<String>,
    /// Only this vehicle: id, plate or phone.
    vehicle: Option<String>,
    /// Only in this zone.
    zone: Option<String>,
    /// Only what lasted beyond this instant, or began at it.
    #[param(value_type = Option<Time>)]
    from: Option<Time>,
    /// Only what began before this instant.
    #[param(value_type = Option<Time>)]
    to: Option<Time>,
    /// Only those that last (`true`) or have ended (`false`).
    open: Option<bool>,
    /// Coordinate system of the positions.
    #[param(value_type = Option<CrsName>)]
    crs: Option<CrsName>,
    /// Rows of the page, 1 to 1,000; 50 when absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

fn kind(name: &str) -> Result<FactKind, Problem> {
    let kind = FactKind::from_name(name).filter(|kind| kind.is_violation());
    kind.ok_or_else(|| Problem::new(Kind::Malformed, format_args!("no kind of violation: {name:?}")).about("kind"))
}

/// Violations in their latest revisions, newest first.
#[utoipa::path(get, path = "/api/v1/violations", tag = "violations", operation_id = "list_violations", params(ViolationQuery),
    responses((status = 200, description = "A page of violations", body = List<ViolationView>)))]
pub(crate) async fn violations(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<ViolationQuery>,
) -> Result<Json<List<ViolationView>>, Problem> {
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<FactCursor>(query.cursor.as_deref())?;
    let kind = query.kind.as_deref().map(kind).transpose()?;
    let zone = query.zone.as_deref().map(|text| lookup::id::<ZoneId>("zone", text)).transpose();
    let zone = zone.map_err(|problem| problem.about("zone"))?;
    app.caught_up().await?;
    let registry = app.registry();
    let filter = FactFilter {
        violations: true,
        kind,
        vehicle: lookup::vehicle_filter(&registry, who.scope, query.vehicle.as_deref())?,
        zone,
        from: query.from.map(|time| time.0),
        to: query.to.map(|time| time.0),
        open: query.open,
        void: false,
    };
    let page = app.deps.store.facts(who.scope, &filter, after, limit).await?;
    let crs = query.crs.unwrap_or_default().0;
    let items = page.items.iter().map(|row| ViolationView::of(&registry, row, crs)).collect();
    Ok(Json(List::new(items, page.next)))
}

/// One violation with all its revisions. Its id is the id of the fact, under the prefix of cases.
#[utoipa::path(get, path = "/api/v1/violations/{id}", tag = "violations", operation_id = "get_violation",
    params(("id" = String, Path, description = "`x_...`"), CrsQuery),
    responses((status = 200, description = "The violation", body = ViolationDetail)))]
pub(crate) async fn violation(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
    Params(query): Params<CrsQuery>,
) -> Result<Json<ViolationDetail>, Problem> {
    let id: CaseId = lookup::id("violation", &id)?;
    app.caught_up().await?;
    let rows = app.deps.store.fact(who.scope, FactId(id.0)).await?;
    let unknown = || Problem::not_found(format_args!("violation {id}"));
    let newest = rows.first().filter(|row| row.fact.kind.is_violation()).ok_or_else(unknown)?;
    let (registry, crs) = (app.registry(), query.crs.unwrap_or_default().0);
    let latest = ViolationView::of(&registry, newest, crs);
    let revisions = rows.iter().map(|row| ViolationView::of(&registry, row, crs)).collect();
    Ok(Json(ViolationDetail { latest, revisions }))
}
