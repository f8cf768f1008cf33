//! Changes on their way to the control room, and what is answered when they are recorded but not yet in force.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Change, Principal};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{Problem, internal};

/// Recorded for good, not yet in force everywhere.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pending {
    /// Number of the control record.
    control_seq: u64,
    /// Always `false`.
    applied: bool,
    /// What was made or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// What a change is answered with.
pub(crate) struct Done<T> {
    /// 200, 201 or 204.
    pub(crate) status: StatusCode,
    /// What it is now; `None` for no body.
    pub(crate) body: Option<T>,
    /// What was made or changed.
    pub(crate) id: Option<String>,
    /// Where it can be read.
    pub(crate) location: Option<String>,
}

/// Records changes, all or none; `answer` is made when they are in force. Without changes nothing is recorded.
pub(crate) async fn submit<T: Serialize>(
    app: &App,
    who: &Principal,
    changes: Vec<Change>,
    answer: impl FnOnce() -> Done<T>,
) -> Result<Response, Problem> {
    let receipt = match changes.is_empty() {
        true => None,
        false => Some(app.control().submit(who, changes).await?),
    };
    let Done { status, body, id, location } = answer();
    let mut response = match (receipt, body) {
        (Some(receipt), _) if !receipt.applied => {
            let pending = Pending { control_seq: receipt.control_seq, applied: false, id };
            (StatusCode::ACCEPTED, Json(pending)).into_response()
        }
        (_, Some(body)) => (status, Json(body)).into_response(),
        (_, None) => status.into_response(),
    };
    if let Some(location) = location.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// A random number for an identity; never 0.
pub(crate) fn random_id() -> Result<u64, Problem> {
    loop {
        match getrandom::u64() {
            Ok(0) => {}
            Ok(id) => return Ok(id),
            Err(error) => return Err(internal(&error)),
        }
    }
}
