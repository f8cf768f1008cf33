//! What judgement found: visits of a zone, violations with their evidence.

use axum::Json;
use axum::extract::State;
use intake::Crs;
use model::{CaseId, CaseState, FactId, FactKind, Registry, Scope, Timestamp, ZoneId};
use serde::{Deserialize, Serialize};
use store::{FactCursor, FactFilter, FactRow, StoreError};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::cases::{self, DueView, StepView, Work};
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
    /// How grave it is, 1 to 3.
    level: u8,
    /// Where; `null` for a rule that hangs on the vehicle alone.
    #[schema(required = true)]
    zone: Option<ZoneRef>,
    /// When it began: an interpolated instant.
    started_at: Time,
    /// When it ended; `null` while it lasts.
    #[schema(required = true)]
    ended_at: Option<Time>,
    /// When it was found: what deadlines count from.
    raised_at: Time,
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
    /// Where the work on it stands: `raised` (待处理), `reminded` (已提醒), `acknowledged` (已受理), `disposed` (已处置),
    /// `closed` (已办结) or `false` (误报).
    state: &'static str,
    /// The next step that is expected; `null`: none is.
    #[schema(required = true)]
    due: Option<DueView>,
    /// Whether the next step should have been taken by now.
    overdue: bool,
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
    /// What people did about it, oldest first; what they did about those in whose place it was found counts.
    steps: Vec<StepView>,
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
    pub(crate) fn of(registry: &Registry, row: &FactRow, work: &Work, (crs, now): (Crs, Timestamp)) -> Self {
        let fact = &row.fact;
        Self {
            id: CaseId(fact.id.0).to_string(),
            kind: fact.kind.to_string(),
            vehicle: VehicleRef::by_id(registry, fact.vehicle),
            level: work.case.level,
            zone: (fact.zone != ZoneId::NONE).then(|| zone_ref(registry, row)),
            started_at: Time(fact.started_at),
            ended_at: fact.ended_at.map(Time),
            raised_at: Time(row.raised_at),
            confidence: fact.confidence.fraction(),
            detected_late: fact.detected_late,
            revision: fact.revision,
            standing: fact.standing.name(),
            superseded_by: row.superseded_by.map(|id| CaseId(id.0).to_string()),
            rule_revision: fact.rule_revision,
            state: work.case.state.name(),
            due: work.due(),
            overdue: work.is_overdue(now),
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
        carrier: None,
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
    /// Only of this carrier's vehicles: id or exact name.
    carrier: Option<String>,
    /// Only of this level: 1, 2 or 3.
    level: Option<u8>,
    /// Only those on which the work stands so: `raised`, `reminded`, `acknowledged`, `disposed`, `closed` or `false`.
    state: Option<String>,
    /// Only those of which the next step should have been taken by now (`true`), or the others (`false`).
    overdue: Option<bool>,
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

/// What is known only when the work on a violation is.
struct WorkFilter {
    level: Option<u8>,
    state: Option<CaseState>,
    overdue: Option<bool>,
    now: Timestamp,
}

/// Rows that are looked through at once, and for one page, when they are filtered by the work on them.
const LOOK_ROWS: usize = 500;
const LOOK_ROWS_MAX: usize = 5_000;

impl WorkFilter {
    fn of(query: &ViolationQuery, now: Timestamp) -> Result<Self, Problem> {
        let state = |name: &str| {
            let wrong = || Problem::new(Kind::Malformed, format_args!("no state of work: {name:?}")).about("state");
            CaseState::from_name(name).ok_or_else(wrong)
        };
        if query.level.is_some_and(|level| !(1..=3).contains(&level)) {
            return Err(Problem::new(Kind::Malformed, "level must be 1 to 3").about("level"));
        }
        let state = query.state.as_deref().map(state).transpose()?;
        Ok(Self { level: query.level, state, overdue: query.overdue, now })
    }

    const fn is_any(&self) -> bool {
        self.level.is_none() && self.state.is_none() && self.overdue.is_none()
    }

    fn takes(&self, work: &Work) -> bool {
        self.level.is_none_or(|level| level == work.case.level)
            && self.state.is_none_or(|state| state == work.case.state)
            && self.overdue.is_none_or(|overdue| overdue == work.is_overdue(self.now))
    }
}

/// Violations in their latest revisions, newest first. A page that is filtered by level, state or overdue looks through
/// 5,000 violations at most: it may hold fewer than `limit`, even none, and still have a `next`.
#[utoipa::path(get, path = "/api/v1/violations", tag = "violations", operation_id = "list_violations", params(ViolationQuery),
    responses((status = 200, description = "A page of violations", body = List<ViolationView>)))]
pub(crate) async fn violations(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<ViolationQuery>,
) -> Result<Json<List<ViolationView>>, Problem> {
    let limit = app.page(query.limit)?;
    let mut after = lookup::cursor::<FactCursor>(query.cursor.as_deref())?;
    let wanted = WorkFilter::of(&query, app.now())?;
    app.caught_up().await?;
    let registry = app.registry();
    let filter = fact_filter(&registry, who.scope, &query)?;
    let shown = (query.crs.unwrap_or_default().0, wanted.now);
    let rows_at_once = if wanted.is_any() { limit } else { LOOK_ROWS };
    let (mut items, mut looked) = (Vec::new(), 0);
    loop {
        let page = app.deps.store.facts(who.scope, &filter, after, rows_at_once).await?;
        let works = cases::works(&app, &registry, &page.items).await?;
        looked += page.items.len();
        for (place, (row, work)) in page.items.iter().zip(&works).enumerate() {
            if !wanted.takes(work) {
                continue;
            }
            items.push(ViolationView::of(&registry, row, work, shown));
            if items.len() == limit {
                let is_last = place + 1 == page.items.len();
                let here = FactCursor { started_at: row.fact.started_at, id: row.fact.id };
                return Ok(Json(List::new(items, if is_last { page.next } else { Some(here) })));
            }
        }
        if page.next.is_none() || looked >= LOOK_ROWS_MAX {
            return Ok(Json(List::new(items, page.next)));
        }
        after = page.next;
    }
}

fn fact_filter(registry: &Registry, scope: Scope, query: &ViolationQuery) -> Result<FactFilter, Problem> {
    let zone = query.zone.as_deref().map(|text| lookup::id::<ZoneId>("zone", text)).transpose();
    let carrier = |text: &str| {
        let seen = lookup::carrier(registry, text).filter(|id| scope.sees(Some(*id)));
        seen.ok_or_else(|| Problem::not_found(format_args!("carrier {text:?}")).about("carrier"))
    };
    Ok(FactFilter {
        violations: true,
        kind: query.kind.as_deref().map(kind).transpose()?,
        vehicle: lookup::vehicle_filter(registry, scope, query.vehicle.as_deref())?,
        zone: zone.map_err(|problem| problem.about("zone"))?,
        carrier: query.carrier.as_deref().map(carrier).transpose()?,
        from: query.from.map(|time| time.0),
        to: query.to.map(|time| time.0),
        open: query.open,
        void: false,
    })
}

/// One violation with all its revisions and the steps that were taken on it. Its id is the id of the fact, under the
/// prefix of cases.
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
    let rows = violation_rows(&app, who.scope, id).await?;
    Ok(Json(detail(&app, &app.registry(), &rows, query.crs.unwrap_or_default().0).await?))
}

/// The revisions of a violation, newest first; never none.
pub(crate) async fn violation_rows(app: &App, scope: Scope, id: CaseId) -> Result<Vec<FactRow>, Problem> {
    let unknown = || Problem::not_found(format_args!("violation {id}"));
    let rows = app.deps.store.fact(scope, FactId(id.0)).await.map_err(|error| match error {
        StoreError::NotFound(_) => unknown(),
        other => other.into(),
    })?;
    let is_one = rows.first().is_some_and(|row| row.fact.kind.is_violation());
    if is_one { Ok(rows) } else { Err(unknown()) }
}

/// A violation as it stands, of its revisions, newest first.
pub(crate) async fn detail(
    app: &App,
    registry: &Registry,
    rows: &[FactRow],
    crs: Crs,
) -> Result<ViolationDetail, Problem> {
    // All revisions are worked on as one; since when stands in the first.
    let raised_at = rows.iter().map(|row| row.raised_at).min().unwrap_or_default();
    let rows: Vec<FactRow> = rows.iter().map(|row| FactRow { raised_at, ..row.clone() }).collect();
    let works = cases::works(app, registry, &rows).await?;
    let revisions: Vec<ViolationView> =
        rows.iter().zip(&works).map(|(row, work)| ViolationView::of(registry, row, work, (crs, app.now()))).collect();
    let (Some(row), Some(work)) = (rows.first(), works.first()) else {
        return Err(Problem::not_found("violation"));
    };
    let latest = ViolationView::of(registry, row, work, (crs, app.now()));
    Ok(ViolationDetail { latest, steps: work.steps(), revisions })
}
