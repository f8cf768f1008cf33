//! For those who run the server: is it alive, is it ready, what does it count, what does it speak.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus::TextEncoder;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::openapi;
use crate::problem::{Kind, Problem, internal};

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// Of the binary.
    version: String,
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/healthz", tag = "service", operation_id = "health",
    responses((status = 200, description = "It does", body = Health)))]
pub(crate) async fn health(State(app): State<App>) -> Json<Health> {
    Json(Health { status: "ok", version: app.deps.version.clone() })
}

/// The server may take traffic.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Always `ready`.
    status: &'static str,
}

/// Whether the server may take traffic: the journal records and the views keep up.
#[utoipa::path(get, path = "/readyz", tag = "service", operation_id = "ready",
    responses((status = 200, description = "It may", body = Ready)))]
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<Ready>, Problem> {
    let reason = app.deps.views.ready();
    reason.map_err(|reason| Problem::new(Kind::Unavailable, reason).retry_after_s(2))?;
    Ok(Json(Ready { status: "ready" }))
}

/// Metrics in the text format of Prometheus. Public: it counts, and names nobody.
#[utoipa::path(get, path = "/metrics", tag = "service", operation_id = "metrics",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    app.metrics.set_feeds(app.feeds.count());
    let text = TextEncoder::new().encode_to_string(&app.deps.metrics.gather()).map_err(|e| internal(&e))?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}

/// This description.
#[utoipa::path(get, path = "/api/openapi.json", tag = "service", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI", body = Object)))]
pub(crate) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi::openapi_json()).into_response()
}
