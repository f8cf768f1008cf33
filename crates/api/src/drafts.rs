//! Drafts of zones that wait for a second person, and revisions that are withdrawn as if they had never been.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use intake::{read_zone, write_zone};
use model::{Change, Zone, ZoneId};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::change::{Done, Pending, random_id, submit};
use crate::dto::List;
use crate::extract::{Body, Caller, Name, Params};
use crate::lookup;
use crate::problem::Problem;
use crate::terminals::PageQuery;
use crate::vehicles::CrsQuery;
use crate::zones::{ZoneDoc, frame};

/// The drafts that wait, by zone. `drafted_by` says whose they are.
#[utoipa::path(get, path = "/api/v1/zone-drafts", tag = "zones", operation_id = "list_zone_drafts", params(PageQuery),
    responses((status = 200, description = "A page of drafts", body = List<ZoneDoc>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Result<Json<List<Value>>, Problem> {
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<ZoneId>(query.cursor.as_deref())?;
    let registry = app.registry();
    let mut page: Vec<_> = registry.records().drafts(after).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|zone| zone.id);
    Ok(Json(List::new(page.iter().map(|zone| write_zone(zone, intake::Crs::Wgs84)).collect(), next)))
}

/// Drafts a zone: the feature's `id` names the zone that it is to be the next revision of; without one it is a new zone.
/// It binds nobody until somebody else releases it. An older draft of the same zone is replaced.
#[utoipa::path(post, path = "/api/v1/zone-drafts", tag = "zones", operation_id = "draft_zone", params(CrsQuery),
    request_body(content((ZoneDoc = "application/geo+json"), (ZoneDoc = "application/json"))),
    responses((status = 201, description = "Recorded", body = ZoneDoc),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn create(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<CrsQuery>,
    Body(feature): Body<Value>,
) -> Result<Response, Problem> {
    let registry = app.registry();
    let draft = read_zone(&feature, frame(&registry, query.crs)).map_err(Problem::faults)?;
    let (id, revision) = match draft.id {
        Some(id) if registry.zone(id).is_none() => return Err(Problem::not_found(format_args!("zone {id}"))),
        Some(id) => (id, registry.zone_revision(id) + 1),
        None => (ZoneId(random_id()?), 1),
    };
    let zone = draft.into_zone(id, revision);
    let answer = || {
        let registry = app.registry();
        let recorded = registry.records().draft(id).map(|zone| write_zone(zone, intake::Crs::Wgs84));
        Done { status: StatusCode::CREATED, body: recorded, id: Some(id.to_string()), location: None }
    };
    submit(&app, &who, vec![Change::ZoneDraft(zone)], answer).await
}

pub(crate) fn find(app: &App, id: &str) -> Result<Zone, Problem> {
    let id: ZoneId = lookup::id("draft", id)?;
    let draft = app.registry().records().draft(id).map(|zone| Zone::clone(zone));
    draft.ok_or_else(|| Problem::not_found(format_args!("draft of zone {id}")))
}

/// Releases a draft: it becomes the zone's next revision, in force at once. With two-person release not by whoever
/// drafted it.
#[utoipa::path(post, path = "/api/v1/zone-drafts/{id}/release", tag = "zones", operation_id = "release_zone_draft",
    params(("id" = String, Path, description = "`z_...`")),
    responses((status = 200, description = "In force", body = ZoneDoc),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn release(State(app): State<App>, Caller(who): Caller, Name(id): Name) -> Result<Response, Problem> {
    let draft = find(&app, &id)?;
    let revision = app.registry().zone_revision(draft.id) + 1;
    let zone = Zone { revision, recorded_at: model::Timestamp::default(), ..draft };
    let id = zone.id;
    let answer = || {
        let body = app.registry().zone_at_revision(id, revision).map(|zone| write_zone(zone, intake::Crs::Wgs84));
        let location = Some(format!("/api/v1/zones/{id}"));
        Done { status: StatusCode::OK, body, id: Some(id.to_string()), location }
    };
    // The content is compared with the draft, whose own times the registry has set.
    submit(&app, &who, vec![Change::ZonePut(zone)], answer).await
}

/// Gives a draft up.
#[utoipa::path(delete, path = "/api/v1/zone-drafts/{id}", tag = "zones", operation_id = "drop_zone_draft",
    params(("id" = String, Path, description = "`z_...`")),
    responses((status = 204, description = "Gone"), (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn delete(State(app): State<App>, Caller(who): Caller, Name(id): Name) -> Result<Response, Problem> {
    let id = find(&app, &id)?.id;
    let gone = || Done::<()> { status: StatusCode::NO_CONTENT, body: None, id: Some(id.to_string()), location: None };
    submit(&app, &who, vec![Change::ZoneDraftDrop { id }], gone).await
}

/// A revision to be withdrawn.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoidRevision {
    /// Which.
    revision: u32,
    /// Why, for people.
    reason: String,
}

/// Withdraws a wrong revision as if it had never been; the one before it governs again, and facts that rest on it are
/// void.
#[utoipa::path(post, path = "/api/v1/zones/{id}/void", tag = "zones", operation_id = "void_zone_revision",
    params(("id" = String, Path, description = "`z_...`")), request_body = VoidRevision,
    responses((status = 204, description = "Void and in force"),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn void(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
    Body(wrong): Body<VoidRevision>,
) -> Result<Response, Problem> {
    let id: ZoneId = lookup::id("zone", &id)?;
    let change = Change::ZoneVoid { id, revision: wrong.revision, reason: wrong.reason };
    let done = || Done::<()> { status: StatusCode::NO_CONTENT, body: None, id: Some(id.to_string()), location: None };
    submit(&app, &who, vec![change], done).await
}
