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

/// What is asked in a zone.
#[derive(Serialize, ToSchema)]
#[schema(as = ZoneRule)]
pub(crate) struct RuleDoc {
    /// `forbidden`: dangerous goods may not enter (禁行).
    #[serde(rename = "type")]
    kind: &'static str,
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
    /// From the axis to either edge, metres: makes a LineString a corridor with flat ends.
    half_width_m: Option<f64>,
    /// Metres: makes a Point a circle.
    radius_m: Option<f64>,
    /// Which way a corridor binds: `both` (when absent), `forward` or `backward` along the line.
    direction: Option<String>,
    /// From when it binds; from the recording on when absent.
    valid_from: Option<Time>,
    /// Until when it binds, exclusive; without end when absent.
    valid_to: Option<Time>,
    /// The document behind it: issuer and number.
    legal_basis: Option<String>,
    /// The coordinate system that it was drawn in. It describes; `?crs=` converts.
    source_crs: Option<String>,
    /// From 1; set by the server.
    #[schema(read_only)]
    revision: Option<u32>,
    /// Set by the server.
    #[schema(read_only)]
    recorded_at: Option<Time>,
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
    /// Polygon, MultiPolygon, LineString with `half_width_m`, or Point with `radius_m`.
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
    let draft = read_zone(&feature, crs).map_err(Problem::faults)?;
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
    let draft = read_zone(&feature, crs).map_err(Problem::faults)?;
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
