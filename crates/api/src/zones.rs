//! Zones: GeoJSON features in and out, each change a new revision.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use intake::{Crs, read_zone, write_zone};
use model::{Change, Zone, ZoneId, ZoneKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::change::{Done, Pending, random_id, submit};
use crate::dto::{CrsName, List, Time};
use crate::extract::{Body, Caller, Name, Params};
use crate::lookup;
use crate::problem::{Kind, Problem};
use crate::vehicles::CrsQuery;

/// How coordinates of a zone are to be read: in the system asked for, within the region that was set.
pub(crate) fn frame(registry: &model::Registry, crs: Option<CrsName>) -> intake::Frame {
    let set = registry.setting(model::Region::SETTING).and_then(|text| text.parse().ok());
    intake::Frame { crs: crs.unwrap_or_default().0, region: set.unwrap_or_default() }
}

/// A window of time on some days, in China's time. An end that is not after the beginning is of the next day, and the
/// window belongs to the day on which it begins.
#[derive(Serialize, ToSchema)]
#[schema(as = Weekly)]
pub(crate) struct WeeklyDoc {
    /// `daily` (when absent), or a list of `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
    #[schema(value_type = Option<Object>)]
    days: Option<Value>,
    /// `any` (when absent), `holidays` or `workdays`, by the calendar.
    on: Option<String>,
    /// `HH:MM`; `00:00` when absent.
    from: Option<String>,
    /// `HH:MM`; `24:00` when absent.
    to: Option<String>,
}

/// A span of event time, `to` exclusive.
#[derive(Serialize, ToSchema)]
#[schema(as = Span)]
pub(crate) struct SpanDoc {
    from: Time,
    to: Time,
}

/// When: within one of the spans, if there are any, and within one of the windows, if there are any.
#[derive(Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(crate) struct ScheduleDoc {
    /// Spans of dates.
    spans: Option<Vec<SpanDoc>>,
    /// Windows of the week.
    weekly: Option<Vec<WeeklyDoc>>,
}

/// Whom: every criterion that is given must hold; classes and UN numbers are one. Unknown goods are judged by what the
/// vehicle is licensed for.
#[derive(Serialize, ToSchema)]
#[schema(as = Filter)]
pub(crate) struct FilterDoc {
    /// Classes or divisions; `2` covers `2.1` to `2.3`.
    divisions: Option<Vec<String>>,
    /// UN numbers.
    un: Option<Vec<String>>,
    /// `loaded`, `empty`, `unknown`.
    loads: Option<Vec<String>>,
    /// Vehicles, `v_...`.
    vehicles: Option<Vec<String>>,
    /// Carriers, `k_...`.
    carriers: Option<Vec<String>>,
    /// Only with, or only without, highly toxic chemicals.
    highly_toxic: Option<bool>,
}

/// Who is let off a rule.
#[derive(Serialize, ToSchema)]
#[schema(as = Exemption)]
pub(crate) struct ExemptionDoc {
    /// What for, as the notice says it.
    purpose: Option<String>,
    /// When.
    when: Option<ScheduleDoc>,
    /// Whom.
    whom: Option<FilterDoc>,
    /// Only with a permit.
    needs_permit: Option<bool>,
}

/// What is asked in a zone.
#[derive(Serialize, ToSchema)]
#[schema(as = ZoneRule)]
pub(crate) struct RuleDoc {
    /// Its number in the zone, from 1; the next one when absent. Keep it from revision to revision.
    number: Option<u16>,
    /// `forbidden` (禁行), `speed_limit` (限速), `no_stopping` (禁停), `stay_inside` (限定区域), `lot` (专用停车场) or
    /// `no_parking` (禁止停放).
    #[serde(rename = "type")]
    kind: &'static str,
    /// `forbidden`: who was inside when the window began and leaves within this time does no wrong, seconds.
    grace_s: Option<u32>,
    /// `speed_limit`: km/h by day.
    day_kmh: Option<u16>,
    /// `speed_limit`: km/h by night; as by day when absent.
    night_kmh: Option<u16>,
    /// `no_stopping` (120, in water zones 300) and `no_parking` (3,600): after how many seconds.
    after_s: Option<u32>,
    /// `stay_inside`: how far outside is still inside, metres (500).
    tolerance_m: Option<u32>,
    /// `stay_inside`: who is outside this long has left, seconds (180).
    for_s: Option<u32>,
    /// `lot`: vehicles that it has room for.
    capacity: Option<u32>,
    /// When; always when absent.
    when: Option<ScheduleDoc>,
    /// Of whom; of everybody when absent.
    whom: Option<FilterDoc>,
    /// Who is let off.
    exemptions: Option<Vec<ExemptionDoc>>,
    /// Whose permits do not count.
    no_permits_for: Option<FilterDoc>,
}

/// The document behind a zone. A text alone is taken as its title.
#[derive(Serialize, ToSchema)]
#[schema(as = LegalBasis)]
pub(crate) struct LegalDoc {
    /// Who issued it.
    issuer: Option<String>,
    /// Its number (文号).
    number: Option<String>,
    /// Its title, or all that is known of it.
    title: Option<String>,
    /// Where it can be read.
    url: Option<String>,
}

/// What a zone says of itself. JSON `null` means the same as absent.
#[derive(Serialize, ToSchema)]
#[schema(as = ZoneProperties)]
pub(crate) struct PropertiesDoc {
    /// Its name; the Chinese term of its kind when absent.
    name: Option<String>,
    /// `very_large_bridge`, `bridge_tunnel`, `tunnel`, `water_source_1`, `water_source_2`, `water_source_quasi`,
    /// `crowded_place`, `nature_reserve`, `steep_road`, `park`, `lot`, `lane`, `loading_site`, `gate`,
    /// `danger_section` or `custom`; `custom` when absent.
    kind: Option<String>,
    /// What is asked there; nothing when absent.
    rules: Option<Vec<RuleDoc>>,
    /// From the axis to either edge, metres: makes a LineString a corridor with flat ends. Of a MultiLineString one for
    /// all lines, or a list.
    #[schema(value_type = Option<f64>)]
    half_width_m: Option<f64>,
    /// Metres: makes a Point a circle.
    radius_m: Option<f64>,
    /// Which way a corridor binds: `both` (when absent), `forward` or `backward` along the line. Of a MultiLineString one
    /// for all lines, or a list.
    direction: Option<String>,
    /// From when it binds; from the recording on when absent.
    valid_from: Option<Time>,
    /// Until when it binds, exclusive; without end when absent.
    valid_to: Option<Time>,
    /// The document behind it; a text alone is taken as its title.
    legal_basis: Option<LegalDoc>,
    /// The place as the document says it.
    #[schema(example = "S11 K103+386 至 K125+723，双向")]
    place: Option<String>,
    /// The way around it (绕行路线).
    detour: Option<String>,
    /// The coordinate system that it was drawn in. It describes; `?crs=` converts.
    source_crs: Option<String>,
    /// From 1; set by the server.
    #[schema(read_only)]
    revision: Option<u32>,
    /// Set by the server.
    #[schema(read_only)]
    recorded_at: Option<Time>,
    /// Who drafted it, when a second person released it; set by the server.
    #[schema(read_only)]
    drafted_by: Option<String>,
}

/// A zone as a GeoJSON Feature (RFC 7946).
#[derive(Serialize, ToSchema)]
#[schema(as = Zone)]
pub(crate) struct ZoneDoc {
    /// Always `Feature`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// `z_...`; set by the server.
    #[schema(read_only)]
    id: Option<String>,
    /// Polygon, MultiPolygon, LineString or MultiLineString with `half_width_m`, or Point with `radius_m`.
    #[schema(value_type = Object)]
    geometry: Value,
    /// What it says of itself.
    properties: PropertiesDoc,
}

/// Which zones.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ZoneQuery {
    /// Only this kind.
    kind: Option<String>,
    /// Coordinate system of the answer.
    #[param(value_type = Option<CrsName>)]
    crs: Option<CrsName>,
    /// Rows of the page, 1 to 1,000; 50 when absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// The zones that stand, by id.
#[utoipa::path(get, path = "/api/v1/zones", tag = "zones", operation_id = "list_zones", params(ZoneQuery),
    responses((status = 200, description = "A page of zones", body = List<ZoneDoc>)))]
pub(crate) async fn list(
    State(app): State<App>,
    _: Caller,
    Params(query): Params<ZoneQuery>,
) -> Result<Json<List<Value>>, Problem> {
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<ZoneId>(query.cursor.as_deref())?;
    let kind =
        match query.kind.as_deref() {
            None => None,
            Some(name) => Some(ZoneKind::from_name(name).ok_or_else(|| {
                Problem::new(Kind::Malformed, format_args!("no kind of zone: {name:?}")).about("kind")
            })?),
        };
    let registry = app.registry();
    let zones = registry.zones(after).filter(|zone| kind.is_none_or(|kind| zone.kind == kind));
    let mut page: Vec<_> = zones.take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|zone| zone.id);
    let crs = query.crs.unwrap_or_default().0;
    Ok(Json(List::new(page.iter().map(|zone| write_zone(zone, crs)).collect(), next)))
}

fn tag(revision: u32) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{revision}\"")).ok()
}

fn tagged(mut response: Response, revision: u32) -> Response {
    if let Some(tag) = tag(revision) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn unknown(id: impl std::fmt::Display) -> Problem {
    Problem::not_found(format_args!("zone {id}"))
}

/// One zone that stands, in its last revision. `ETag` is the revision.
#[utoipa::path(get, path = "/api/v1/zones/{id}", tag = "zones", operation_id = "get_zone",
    params(("id" = String, Path, description = "`z_...`"), CrsQuery),
    responses((status = 200, description = "The zone", body = ZoneDoc)))]
pub(crate) async fn get(
    State(app): State<App>,
    _: Caller,
    Name(id): Name,
    Params(query): Params<CrsQuery>,
) -> Result<Response, Problem> {
    let id: ZoneId = lookup::id("zone", &id)?;
    let registry = app.registry();
    let zone = registry.zone(id).ok_or_else(|| unknown(id))?;
    let response = Json(write_zone(zone, query.crs.unwrap_or_default().0)).into_response();
    Ok(tagged(response, zone.revision))
}

/// A zone as it was recorded. The registry knows when; until it does, what was asked is what is shown.
fn recorded(app: &App, zone: &Zone, crs: Crs) -> Value {
    let registry = app.registry();
    write_zone(registry.zone_at_revision(zone.id, zone.revision).map_or(zone, |recorded| recorded), crs)
}

fn answer(app: &App, status: StatusCode, zone: &Zone, crs: Crs) -> Done<Value> {
    Done {
        status,
        body: Some(recorded(app, zone, crs)),
        id: Some(zone.id.to_string()),
        location: (status == StatusCode::CREATED).then(|| format!("/api/v1/zones/{}", zone.id)),
    }
}

/// Makes a zone. With `crs` the body's coordinates are in that system; what is kept is WGS-84.
#[utoipa::path(post, path = "/api/v1/zones", tag = "zones", operation_id = "create_zone", params(CrsQuery),
    request_body(content((ZoneDoc = "application/geo+json"), (ZoneDoc = "application/json"))),
    responses((status = 201, description = "Made and in force", body = ZoneDoc),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn create(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<CrsQuery>,
    Body(feature): Body<Value>,
) -> Result<Response, Problem> {
    let crs = query.crs.unwrap_or_default().0;
    let draft = read_zone(&feature, frame(&app.registry(), query.crs)).map_err(Problem::faults)?;
    if draft.id.is_some() {
        return Err(Problem::invalid("id", "a new zone gets its id from the server; PUT changes one"));
    }
    let zone = draft.into_zone(ZoneId(random_id()?), 1);
    let changes = vec![Change::ZonePut(zone.clone())];
    let response = submit(&app, &who, changes, || answer(&app, StatusCode::CREATED, &zone, crs)).await?;
    Ok(tagged(response, zone.revision))
}

/// Puts a zone in its next revision; the older ones go on governing the time before. With `If-Match` only if the
/// revision is still that one.
#[utoipa::path(put, path = "/api/v1/zones/{id}", tag = "zones", operation_id = "put_zone",
    params(("id" = String, Path, description = "`z_...`"),
        ("If-Match" = Option<String>, Header, description = "The revision that is to be replaced, as in `ETag`"), CrsQuery),
    request_body(content((ZoneDoc = "application/geo+json"), (ZoneDoc = "application/json"))),
    responses((status = 200, description = "Changed and in force", body = ZoneDoc),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn put(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
    Params(query): Params<CrsQuery>,
    headers: HeaderMap,
    Body(feature): Body<Value>,
) -> Result<Response, Problem> {
    let id: ZoneId = lookup::id("zone", &id)?;
    let crs = query.crs.unwrap_or_default().0;
    let registry = app.registry();
    let standing = registry.zone(id).ok_or_else(|| unknown(id))?;
    check_match(&headers, standing.revision)?;
    let draft = read_zone(&feature, frame(&registry, query.crs)).map_err(Problem::faults)?;
    if draft.id.is_some_and(|named| named != id) {
        return Err(Problem::invalid("id", "is another zone than the one in the path"));
    }
    let zone = draft.into_zone(id, registry.zone_revision(id) + 1);
    let changes = vec![Change::ZonePut(zone.clone())];
    let response = submit(&app, &who, changes, || answer(&app, StatusCode::OK, &zone, crs)).await?;
    Ok(tagged(response, zone.revision))
}

/// `If-Match` holds: absent, `*`, or a list with the revision that stands.
fn check_match(headers: &HeaderMap, revision: u32) -> Result<(), Problem> {
    let given: Vec<&str> = headers
        .get_all(header::IF_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|v| v.split(','))
        .collect();
    let holds = |tag: &&str| matches!(tag.trim(), "*") || tag.trim().trim_matches('"') == revision.to_string();
    if !headers.contains_key(header::IF_MATCH) || given.iter().any(holds) {
        return Ok(());
    }
    let detail = format!("the zone stands in revision {revision}");
    Err(Problem::new(Kind::Stale, detail).about("If-Match"))
}

/// Withdraws a zone from now on; what it governed before stays judged.
#[utoipa::path(delete, path = "/api/v1/zones/{id}", tag = "zones", operation_id = "delete_zone",
    params(("id" = String, Path, description = "`z_...`"),
        ("If-Match" = Option<String>, Header, description = "The revision that is to be withdrawn, as in `ETag`")),
    responses((status = 204, description = "Withdrawn"), (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn delete(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: ZoneId = lookup::id("zone", &id)?;
    let standing = app.registry().zone(id).map(|zone| zone.revision);
    check_match(&headers, standing.ok_or_else(|| unknown(id))?)?;
    let done =
        || Done::<Value> { status: StatusCode::NO_CONTENT, body: None, id: Some(id.to_string()), location: None };
    submit(&app, &who, vec![Change::ZoneDelete { id }], done).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_is_compared_with_the_revision() {
        for (given, holds) in [
            (None, true),
            (Some("*"), true),
            (Some("\"3\""), true),
            (Some("3"), true),
            (Some("\"2\", \"3\""), true),
            (Some("\"2\""), false),
            (Some("W/\"3\""), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(given) = given {
                headers.insert(header::IF_MATCH, HeaderValue::from_static(given));
            }
            assert_eq!(check_match(&headers, 3).is_ok(), holds, "{given:?}");
        }
    }
}
