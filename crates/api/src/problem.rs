//! Problem details (RFC 9457): the one shape of every refusal.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use intake::Fault;
use model::{ControlError, FramesError, ViewsBehind};
use serde::Serialize;
use serde_json::{Value, json};
use store::StoreError;
use utoipa::ToSchema;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $status:ident, $slug:literal, $title:literal;)*) => {
        /// What kind of refusal it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            const fn parts(self) -> (StatusCode, &'static str, &'static str) {
                match self { $(Self::$variant => (StatusCode::$status, $slug, $title),)* }
            }
        }
    };
}

kinds! {
    /// The request cannot be read.
    Malformed = BAD_REQUEST, "malformed", "The request cannot be read";
    /// Nobody is logged in.
    Unauthenticated = UNAUTHORIZED, "unauthenticated", "Log in first";
    /// Somebody is, and may not.
    Forbidden = FORBIDDEN, "forbidden", "Not allowed";
    /// It does not exist, or is somebody else's: the two look alike.
    NotFound = NOT_FOUND, "not-found", "Not found";
    /// The route knows other methods.
    Method = METHOD_NOT_ALLOWED, "method-not-allowed", "The route does not know this method";
    /// The body came too slowly.
    BodyTimeout = REQUEST_TIMEOUT, "body-timeout", "The body did not arrive in time";
    /// It contradicts what is recorded.
    Conflict = CONFLICT, "conflict", "It contradicts what is recorded";
    /// Somebody changed it since.
    Stale = PRECONDITION_FAILED, "stale", "It was changed since";
    /// More than the server takes or gives at once.
    TooLarge = PAYLOAD_TOO_LARGE, "too-large", "More than is taken or given at once";
    /// The body is of another type.
    MediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body is of a type that is not read here";
    /// It can be read, and makes no sense.
    Invalid = UNPROCESSABLE_ENTITY, "invalid", "The content is refused";
    /// Too often.
    TooMany = TOO_MANY_REQUESTS, "too-many", "Too many requests";
    /// The server failed.
    Internal = INTERNAL_SERVER_ERROR, "internal", "The server failed";
    /// The server cannot now.
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "Not available now";
    /// The views lag behind the journal.
    Behind = SERVICE_UNAVAILABLE, "views-behind", "The views lag behind the journal";
    /// Nobody knows whether it was recorded.
    OutcomeUnknown = SERVICE_UNAVAILABLE, "outcome-unknown", "It may or may not have been recorded";
    /// The server took too long.
    Timeout = SERVICE_UNAVAILABLE, "timeout", "The answer took too long";
}

/// One thing that is wrong with a body or file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Line of a CSV file, or feature of a GeoJSON collection, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u64>,
    /// Column, member or property.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Why it is refused.
    message: String,
}

/// Problem details (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// `urn:hazwatch:problem:` and the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem, for people.
    title: &'static str,
    /// The HTTP status again.
    status: u16,
    /// What happened this time.
    detail: String,
    /// The field, parameter or header that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Everything that is wrong, when it can be more than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// What is wrong with a drawing, drawn in the coordinates that it came in: a GeoJSON FeatureCollection, each feature
    /// with `row`, `field` and `message` of its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    drawing: Option<Value>,
    /// What the reference may have meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
    /// By how many envelopes the views lag.
    #[serde(skip_serializing_if = "Option::is_none")]
    behind_envelopes: Option<u64>,
}

/// The faults that have a place, to be laid over a map.
fn drawing(faults: &[Fault]) -> Option<Value> {
    let feature = |fault: &Fault| {
        let properties = json!({"row": fault.row, "field": fault.field, "message": fault.message});
        Some(json!({"type": "Feature", "geometry": fault.drawn.as_deref()?, "properties": properties}))
    };
    let features: Vec<_> = faults.iter().filter_map(feature).collect();
    (!features.is_empty()).then(|| json!({"type": "FeatureCollection", "features": features}))
}

/// A refusal on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    body: Box<ProblemBody>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl fmt::Display) -> Self {
        let (status, slug, title) = kind.parts();
        let body = ProblemBody {
            kind: format!("urn:hazwatch:problem:{slug}"),
            title,
            status: status.as_u16(),
            detail: detail.to_string(),
            field: None,
            errors: Vec::new(),
            drawing: None,
            candidates: Vec::new(),
            behind_envelopes: None,
        };
        Self { status, body: Box::new(body), headers: Vec::new() }
    }

    /// A refusal of content, naming the field.
    pub(crate) fn invalid(field: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self::new(Kind::Invalid, detail).about(field)
    }

    /// Something does not exist, or is not to be seen.
    pub(crate) fn not_found(what: impl fmt::Display) -> Self {
        Self::new(Kind::NotFound, format_args!("{what} not found"))
    }

    /// Everything that is wrong with a body or file; the first fault names the field.
    pub(crate) fn faults(faults: Vec<Fault>) -> Self {
        let detail = match faults.as_slice() {
            [one] => one.to_string(),
            many => format!("{} things are wrong; nothing was changed", many.len()),
        };
        let mut problem = Self::new(Kind::Invalid, detail);
        problem.body.field = faults.first().and_then(|fault| fault.field.clone());
        problem.body.drawing = drawing(&faults);
        problem.body.errors =
            faults.into_iter().map(|f| FieldError { row: f.row, field: f.field, message: f.message }).collect();
        problem
    }

    /// The same as a fault of a row.
    pub(crate) fn into_fault(self) -> Fault {
        Fault { row: None, field: self.body.field, message: self.body.detail, drawn: None }
    }

    pub(crate) fn about(mut self, field: impl Into<String>) -> Self {
        self.body.field = Some(field.into());
        self
    }

    pub(crate) fn candidates(mut self, candidates: Vec<String>) -> Self {
        self.body.candidates = candidates;
        self
    }

    pub(crate) fn retry_after_s(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub(crate) fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response.headers_mut().extend(self.headers);
        response
    }
}

/// What the operator has to know goes to the log, not to the caller.
pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error = %model::Chain(error), "request failed");
    Problem::new(Kind::Internal, "the cause is in the server's log")
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(_) => Self::new(Kind::NotFound, error),
            StoreError::TooMany { .. } => Self::new(Kind::TooLarge, error),
            StoreError::Exists(_) => Self::new(Kind::Conflict, error),
            StoreError::Refused(_) => Self::new(Kind::Invalid, error),
            _ => internal(&error),
        }
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Invalid { field, message } => Self::invalid(field, message),
            ControlError::Conflict(message) => Self::new(Kind::Conflict, message),
            ControlError::NotFound(message) => Self::new(Kind::NotFound, message),
            ControlError::Unavailable { ref message, unknown } => {
                tracing::error!(message, unknown, "a change was not recorded");
                if unknown {
                    Self::new(Kind::OutcomeUnknown, "read it back before trying again")
                } else {
                    Self::new(Kind::Unavailable, "the journal cannot record now; nothing was changed").retry_after_s(5)
                }
            }
        }
    }
}

impl From<ViewsBehind> for Problem {
    fn from(lag: ViewsBehind) -> Self {
        let mut problem = Self::new(Kind::Behind, lag).retry_after_s(2);
        problem.body.behind_envelopes = Some(lag.behind);
        problem
    }
}

impl From<FramesError> for Problem {
    fn from(error: FramesError) -> Self {
        internal(&error)
    }
}
