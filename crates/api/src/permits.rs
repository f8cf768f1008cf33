//! Permits (通行证, 报备, 通知通行): recorded, listed, revoked. Recorded late they excuse what was; both times stay visible.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Change, Permit, PermitId, PermitKind, Registry, Scope, Timestamp, VehicleId, ZoneId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::change::{Done, Pending, random_id, submit};
use crate::dto::{List, Time, VehicleRef};
use crate::extract::{Body, Caller, Name, Params};
use crate::lookup;
use crate::problem::Problem;
use crate::terminals::PageQuery;

/// A span of event time, `to` exclusive.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlotDoc {
    from: Time,
    to: Time,
}

/// A permit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PermitView {
    /// `m_...`.
    id: String,
    /// Its number on paper.
    number: String,
    /// Who issued it, or took it in.
    issuer: String,
    /// `pass` (通行证), `filed` (报备) or `notified` (通知通行).
    kind: &'static str,
    /// For which vehicles, of those that the caller sees.
    vehicles: Vec<VehicleRef>,
    /// For which zones; none: all.
    zones: Vec<String>,
    /// When.
    slots: Vec<SlotDoc>,
    /// When it was recorded.
    recorded_at: Time,
    /// From when on it counts no more.
    #[schema(required = true)]
    revoked_at: Option<Time>,
    /// Why.
    #[schema(required = true)]
    revoked_because: Option<String>,
}

impl PermitView {
    fn of(registry: &Registry, scope: Scope, permit: &Permit) -> Self {
        let seen = permit.vehicles.iter().filter(|id| scope.sees(registry.owner(**id)));
        Self {
            id: permit.id.to_string(),
            number: permit.number.clone(),
            issuer: permit.issuer.clone(),
            kind: permit.kind.name(),
            vehicles: seen.map(|id| VehicleRef::by_id(registry, *id)).collect(),
            zones: permit.zones.iter().map(ZoneId::to_string).collect(),
            slots: permit.slots.iter().map(|(from, to)| SlotDoc { from: Time(*from), to: Time(*to) }).collect(),
            recorded_at: Time(permit.recorded_at),
            revoked_at: permit.revoked.as_ref().map(|(at, _)| Time(*at)),
            revoked_because: permit.revoked.as_ref().map(|(_, why)| why.clone()),
        }
    }
}

/// A permit to be recorded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPermit {
    /// Its number on paper.
    number: String,
    /// Who issued it, or took it in.
    #[serde(default)]
    issuer: String,
    /// `pass`, `filed` or `notified`.
    kind: String,
    /// For which vehicles: ids, plates or phones.
    vehicles: Vec<String>,
    /// For which zones: ids or exact names; none: all.
    #[serde(default)]
    zones: Vec<String>,
    /// When.
    slots: Vec<SlotDoc>,
}

/// Finds what permits name. The names of zones are gathered once, and only when something is named by name.
pub(crate) struct Names<'a> {
    registry: &'a Registry,
    scope: Scope,
    /// The zones of a name; `None` when there are several.
    zones: OnceCell<BTreeMap<&'a str, Option<ZoneId>>>,
}

impl<'a> Names<'a> {
    pub(crate) const fn new(registry: &'a Registry, scope: Scope) -> Self {
        Self { registry, scope, zones: OnceCell::new() }
    }

    /// A zone by id, or one that stands by its exact name.
    fn zone(&self, text: &str) -> Result<ZoneId, Problem> {
        if let Ok(id) = text.parse::<ZoneId>() {
            return Ok(id);
        }
        let zones = self.zones.get_or_init(|| {
            let mut zones = BTreeMap::new();
            for zone in self.registry.zones(None) {
                zones.entry(zone.name.as_str()).and_modify(|one| *one = None).or_insert(Some(zone.id));
            }
            zones
        });
        match zones.get(text) {
            Some(Some(one)) => Ok(*one),
            Some(None) => Err(Problem::invalid("zones", format_args!("several zones are called {text:?}"))),
            None => Err(Problem::invalid("zones", format_args!("no zone {text:?}"))),
        }
    }

    /// The vehicles and zones of a permit.
    pub(crate) fn resolve(
        &self,
        vehicles: &[String],
        zones: &[String],
    ) -> Result<(Vec<VehicleId>, Vec<ZoneId>), Problem> {
        let vehicle = |text: &String| lookup::vehicle(self.registry, self.scope, text).map(|vehicle| vehicle.id);
        let vehicles = vehicles.iter().map(vehicle).collect::<Result<_, _>>().map_err(|p| p.about("vehicles"))?;
        Ok((vehicles, zones.iter().map(|text| self.zone(text)).collect::<Result<_, _>>()?))
    }
}

/// The permits for vehicles that the caller sees, by id, also those that were revoked.
#[utoipa::path(get, path = "/api/v1/permits", tag = "permits", operation_id = "list_permits", params(PageQuery),
    responses((status = 200, description = "A page of permits", body = List<PermitView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<PageQuery>,
) -> Result<Json<List<PermitView>>, Problem> {
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<PermitId>(query.cursor.as_deref())?;
    let registry = app.registry();
    let seen = |permit: &&std::sync::Arc<Permit>| {
        who.scope == Scope::All || permit.vehicles.iter().any(|id| who.scope.sees(registry.owner(*id)))
    };
    let mut page: Vec<_> = registry.records().permits(after).filter(seen).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|permit| permit.id);
    let views = page.iter().map(|permit| PermitView::of(&registry, who.scope, permit)).collect();
    Ok(Json(List::new(views, next)))
}

fn described(app: &App, scope: Scope, id: PermitId, status: StatusCode) -> Done<PermitView> {
    let registry = app.registry();
    let body = registry.records().permit(id).map(|permit| PermitView::of(&registry, scope, permit));
    Done { status, body, id: Some(id.to_string()), location: None }
}

/// Records a permit.
#[utoipa::path(post, path = "/api/v1/permits", tag = "permits", operation_id = "create_permit", request_body = NewPermit,
    responses((status = 201, description = "Recorded and in force", body = PermitView),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn create(
    State(app): State<App>,
    Caller(who): Caller,
    Body(new): Body<NewPermit>,
) -> Result<Response, Problem> {
    let kind =
        PermitKind::from_name(&new.kind).ok_or_else(|| Problem::invalid("kind", "must be pass, filed or notified"))?;
    let (vehicles, zones) = Names::new(&app.registry(), who.scope).resolve(&new.vehicles, &new.zones)?;
    let id = PermitId(random_id()?);
    let permit = Permit {
        id,
        number: new.number,
        issuer: new.issuer,
        kind,
        vehicles,
        zones,
        slots: new.slots.iter().map(|slot| (slot.from.0, slot.to.0)).collect(),
        route: None,
        recorded_at: Timestamp::default(),
        revoked: None,
    };
    let answer = || described(&app, who.scope, id, StatusCode::CREATED);
    submit(&app, &who, vec![Change::PermitPut(permit)], answer).await
}

/// Why something is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    /// For people.
    pub(crate) reason: String,
}

/// Revokes a permit: it counts no more from now on. What it excused before stays excused.
#[utoipa::path(post, path = "/api/v1/permits/{id}/revoke", tag = "permits", operation_id = "revoke_permit",
    params(("id" = String, Path, description = "`m_...`")), request_body = Reason,
    responses((status = 200, description = "Revoked", body = PermitView),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
    Body(why): Body<Reason>,
) -> Result<Response, Problem> {
    let id: PermitId = lookup::id("permit", &id)?;
    let answer = || described(&app, who.scope, id, StatusCode::OK);
    submit(&app, &who, vec![Change::PermitRevoke { id, reason: why.reason }], answer).await
}
