//! Custody: what vouches for the journal, what is sealed against retention, and who did what.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Change, ControlRecord, Hold, HoldId, ProofError, Registry, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::change::{Done, Pending, random_id, submit};
use crate::dto::{List, Time, VehicleRef};
use crate::extract::{Body, Caller, Name, Params};
use crate::lookup;
use crate::problem::{Kind, Problem, internal};
use crate::terminals::{PageQuery, read_place};

/// A hold (数据封存): retention does not touch the data of its time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HoldView {
    /// `h_...`.
    id: String,
    /// Whose data; `null`: everybody's.
    #[schema(required = true)]
    vehicle: Option<VehicleRef>,
    /// Inclusive.
    from: Time,
    /// Exclusive.
    to: Time,
    /// Why.
    reason: String,
}

impl HoldView {
    fn of(registry: &Registry, hold: &Hold) -> Self {
        Self {
            id: hold.id.to_string(),
            vehicle: hold.vehicle.map(|id| VehicleRef::by_id(registry, id)),
            from: Time(hold.from),
            to: Time(hold.to),
            reason: hold.reason.clone(),
        }
    }
}

/// A hold to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewHold {
    /// Id, plate or phone of the vehicle; absent: everybody's data.
    vehicle: Option<String>,
    /// Inclusive.
    from: Time,
    /// Exclusive.
    to: Time,
    /// Why: the accident, the file number.
    reason: String,
}

/// The holds that were not released, by id.
#[utoipa::path(get, path = "/api/v1/holds", tag = "custody", operation_id = "list_holds", params(PageQuery),
    responses((status = 200, description = "A page of holds", body = List<HoldView>)))]
pub(crate) async fn holds(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Result<Json<List<HoldView>>, Problem> {
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<HoldId>(query.cursor.as_deref())?;
    let registry = app.registry();
    let mut page: Vec<_> =
        registry.holds().filter(|hold| after.is_none_or(|after| hold.id > after)).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|hold| hold.id);
    Ok(Json(List::new(page.into_iter().map(|hold| HoldView::of(&registry, hold)).collect(), next)))
}

/// Seals the data of a time, at once after an accident.
#[utoipa::path(post, path = "/api/v1/holds", tag = "custody", operation_id = "create_hold", request_body = NewHold,
    responses((status = 201, description = "In force", body = HoldView),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn hold(
    State(app): State<App>,
    Caller(who): Caller,
    Body(new): Body<NewHold>,
) -> Result<Response, Problem> {
    let registry = app.registry();
    let vehicle = lookup::vehicle_filter(&registry, who.scope, new.vehicle.as_deref())?;
    let hold = Hold { id: HoldId(random_id()?), vehicle, from: new.from.0, to: new.to.0, reason: new.reason };
    let (body, id) = (HoldView::of(&registry, &hold), Some(hold.id.to_string()));
    let made = || Done { status: StatusCode::CREATED, body: Some(body), id, location: None };
    submit(&app, &who, vec![Change::HoldPut(hold)], made).await
}

/// Releases a hold.
#[utoipa::path(delete, path = "/api/v1/holds/{id}", tag = "custody", operation_id = "release_hold",
    params(("id" = String, Path, description = "Id of the hold")),
    responses((status = 204, description = "Released and in force"),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn release(
    State(app): State<App>,
    Caller(who): Caller,
    Name(text): Name,
) -> Result<Response, Problem> {
    let id: HoldId = lookup::id("hold", &text)?;
    app.registry().hold(id).ok_or_else(|| Problem::not_found(format_args!("hold {id}")))?;
    let gone = || Done::<()> { status: StatusCode::NO_CONTENT, body: None, id: Some(id.to_string()), location: None };
    submit(&app, &who, vec![Change::HoldRelease { id }], gone).await
}

/// JSON text that another room made.
fn raw(text: String) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(text).map_err(|error| internal(&error))
}

/// The public key (公钥) that seals are signed with. Keep it, or publish it, elsewhere: a copy beside the journal
/// proves nothing.
#[utoipa::path(get, path = "/api/v1/journal/key", tag = "custody", operation_id = "journal_key",
    responses((status = 200, description = "The key", body = Object)))]
pub(crate) async fn key(State(app): State<App>) -> Result<Json<Box<RawValue>>, Problem> {
    raw(app.deps.truth.key()).map(Json)
}

/// A list of what another room describes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Heads {
    /// Signed heads of days.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Box<RawValue>>,
    /// Give it as `cursor` for the next page; `null` when this was the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// The signed heads of the days (日终链头), newest first. Public, so that anybody can keep them: a proof that is held
/// against a head from elsewhere needs no trust in this server.
#[utoipa::path(get, path = "/api/v1/journal/heads", tag = "custody", operation_id = "list_heads", params(PageQuery),
    responses((status = 200, description = "A page of heads", body = Heads)))]
pub(crate) async fn heads(State(app): State<App>, Params(query): Params<PageQuery>) -> Result<Json<Heads>, Problem> {
    let limit = app.page(query.limit)?;
    let mut texts = app.deps.truth.daily_heads(query.cursor, limit + 1).await?;
    let more = texts.len() > limit;
    texts.truncate(limit);
    let items = texts.into_iter().map(raw).collect::<Result<Vec<_>, _>>()?;
    let day = |head: &RawValue| {
        let value: serde_json::Value = serde_json::from_str(head.get()).ok()?;
        value.get("day")?.as_str().map(str::to_owned)
    };
    let next = items.last().filter(|_| more).and_then(|head| day(head));
    Ok(Json(Heads { items, next }))
}

/// Which record.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProofQuery {
    /// `place` of a frame, as `GET /terminals/{phone}/frames` lists it.
    place: String,
}

/// A proof that one record is in the journal since a certain minute, without any other record. `hazwatch verify
/// --proof FILE` checks it, without a server.
#[utoipa::path(get, path = "/api/v1/journal/proof", tag = "custody", operation_id = "prove_record", params(ProofQuery),
    responses((status = 200, description = "The proof", body = Object)))]
pub(crate) async fn proof(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<ProofQuery>,
) -> Result<Json<Box<RawValue>>, Problem> {
    let place = read_place(&query.place)
        .ok_or_else(|| Problem::new(Kind::Malformed, "must be envelope.record, such as 1234.0").about("place"))?;
    let proof = app.deps.truth.prove(place).await.map_err(|error| match error {
        ProofError::NotFound(what) => Problem::new(Kind::NotFound, what),
        ProofError::NotYet => Problem::new(Kind::Conflict, error).retry_after_s(60),
        ProofError::Failed(_) => internal(&error),
    })?;
    let seen = Change::Audit { action: "record.prove".into(), subject: query.place, detail: String::new() };
    app.control().submit(&who, vec![seen]).await?;
    raw(proof).map(Json)
}

/// A file that a control record names: the original of an import.
#[utoipa::path(get, path = "/api/v1/journal/blobs/{id}", tag = "custody", operation_id = "get_blob",
    params(("id" = String, Path, description = "SHA-256 of the file, hex")),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream")))]
pub(crate) async fn blob(State(app): State<App>, Name(id): Name) -> Result<Response, Problem> {
    let file = app.deps.truth.kept(id.clone()).await?;
    let file =
        file.ok_or_else(|| Problem::not_found(format_args!("file {:?}", id.chars().take(64).collect::<String>())))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], file).into_response())
}

/// One entry of the control stream (审计记录).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditView {
    /// Its number.
    seq: u64,
    /// When it was recorded.
    recorded_at: Time,
    /// Who did it: a user, `system`, or a terminal.
    actor: String,
    /// What changed: `zone_put`, `bind`, ...; for an audit entry what was done.
    action: String,
    /// What it is about, where that can be said in a word.
    subject: String,
    /// Details, for people.
    detail: String,
}

impl From<ControlRecord> for AuditView {
    fn from(record: ControlRecord) -> Self {
        let (action, subject, detail) = match record.change {
            Change::Audit { action, subject, detail } => (action, subject, detail),
            change => (change.name().to_owned(), subject(&change), detail(&change)),
        };
        Self { seq: record.seq, recorded_at: Time(record.recorded_at), actor: record.actor, action, subject, detail }
    }
}

/// What a change is about.
fn subject(change: &Change) -> String {
    match change {
        Change::CarrierPut(carrier) => carrier.id.to_string(),
        Change::VehiclePut(vehicle) => vehicle.id.to_string(),
        Change::TerminalPut { terminal, .. } | Change::Revoke { terminal } => terminal.to_string(),
        Change::Bind { terminal, vehicle, .. } => format!("{terminal} {vehicle}"),
        Change::ZonePut(zone) => zone.id.to_string(),
        Change::ZoneDelete { id } => id.to_string(),
        Change::CommandRequest(command) => command.id.to_string(),
        Change::SettingPut { key, .. } => key.clone(),
        Change::Audit { subject, .. } => subject.clone(),
        Change::RuleRevision { revision } => revision.to_string(),
        Change::ForwarderPut(forwarder) => forwarder.id.to_string(),
        Change::ForwarderDelete { id } => id.to_string(),
        Change::DenyPut { network, .. } | Change::DenyDelete { network } => network.to_string(),
        Change::HoldPut(hold) => hold.id.to_string(),
        Change::HoldRelease { id } => id.to_string(),
        Change::BaseTaken(base) => base.position.seq.to_string(),
        Change::ZoneDraft(zone) => zone.id.to_string(),
        Change::ZoneDraftDrop { id } => id.to_string(),
        Change::ZoneVoid { id, revision, .. } => format!("{id} {revision}"),
        Change::PermitPut(permit) => permit.id.to_string(),
        Change::PermitRevoke { id, .. } => id.to_string(),
        Change::CalendarPut { days } => format!("{} days", days.len()),
        Change::RoadPut(road) => road.id.to_string(),
        Change::RoadDelete { id } => id.to_string(),
        Change::DriverPut(driver) => driver.id.to_string(),
        Change::DriverOn(on) => on.vehicle.to_string(),
        Change::LoadPut(load) => load.vehicle.to_string(),
        Change::CaseStep(step) => step.case.to_string(),
    }
}

/// What it came to, and why, where that can be said in a line.
fn detail(change: &Change) -> String {
    match change {
        Change::CarrierPut(carrier) => carrier.name.clone(),
        Change::Bind { from, .. } if *from == Timestamp::MIN => "since ever".to_owned(),
        Change::Bind { from, .. } => format!("from {from} on"),
        Change::ZonePut(zone) | Change::ZoneDraft(zone) => format!("revision {}: {}", zone.revision, zone.name),
        Change::SettingPut { value, .. } => value.clone(),
        Change::DenyPut { reason, .. } | Change::ZoneVoid { reason, .. } | Change::PermitRevoke { reason, .. } => {
            reason.clone()
        }
        Change::CaseStep(step) => step.text.clone(),
        _ => String::new(),
    }
}

/// Everything that was ever changed, and every look at what must be on record, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "custody", operation_id = "list_audit", params(PageQuery),
    responses((status = 200, description = "A page of entries", body = List<AuditView>)))]
pub(crate) async fn audit(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Result<Json<List<AuditView>>, Problem> {
    let limit = app.page(query.limit)?;
    let before = lookup::cursor::<u64>(query.cursor.as_deref())?.unwrap_or(u64::MAX);
    let mut records = app.deps.truth.control_records(before, limit + 1).await?;
    let more = records.len() > limit;
    records.truncate(limit);
    let next = records.last().filter(|_| more).map(|record| record.seq);
    Ok(Json(List::new(records.into_iter().map(AuditView::from).collect(), next)))
}
