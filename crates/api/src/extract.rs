//! What handlers take out of a request, each refusal naming the field.

use std::net::{IpAddr, SocketAddr};

use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use model::Principal;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::app::App;
use crate::guard::Token;
use crate::problem::{Kind, Problem};

/// Who asks. The guard has found out; a handler behind a public route has nobody.
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let who = parts.extensions.get::<Principal>().cloned();
        who.map(Self).ok_or_else(|| Problem::new(Kind::Unauthenticated, "nobody is logged in"))
    }
}

impl FromRequestParts<App> for Token {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let token = parts.extensions.get::<Self>().cloned();
        token.ok_or_else(|| Problem::new(Kind::Unauthenticated, "nobody is logged in"))
    }
}

/// From where the request came; `None` when the router is called without a socket.
pub(crate) struct Peer(pub(crate) Option<IpAddr>);

impl FromRequestParts<App> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())))
    }
}

/// The one parameter of the path.
pub(crate) struct Name(pub(crate) String);

impl FromRequestParts<App> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, app).await;
        path.map(|Path(name)| Self(name)).map_err(|e| Problem::new(Kind::Malformed, e.body_text()))
    }
}

/// The query string, strictly: an unknown parameter is a mistake that would otherwise go unseen.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        read_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    // `a=` means the same as no `a`: forms send every field.
    let given: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !pair.ends_with('=')).collect();
    let given = given.join("&");
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(given.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|e| blame(Kind::Malformed, &e))
}

/// A refusal by serde, with the field where it can be told.
fn blame<E: std::fmt::Display + std::error::Error>(kind: Kind, error: &serde_path_to_error::Error<E>) -> Problem {
    let message = error.inner().to_string();
    let named = ["unknown field `", "missing field `", "duplicate field `"].iter().find_map(|start| {
        let rest = message.strip_prefix(start)?;
        rest.split_once('`').map(|(name, _)| name)
    });
    let path = error.path().to_string();
    let path = (!matches!(path.as_str(), "." | "?")).then_some(path);
    let field = match (path, named) {
        (Some(path), Some(name)) if path != name && !path.ends_with(&format!(".{name}")) => {
            Some(format!("{path}.{name}"))
        }
        (Some(path), _) => Some(path),
        (None, name) => name.map(str::to_owned),
    };
    match field {
        Some(field) => Problem::new(kind, format_args!("{field}: {message}")).about(field),
        None => Problem::new(kind, message),
    }
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let is_json =
            |kind: &str| kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
        require_type(request.headers(), is_json, "application/json")?;
        let bytes = read_body(app, request, app.config.body_bytes_max).await?;
        read_json(&bytes).map(Self)
    }
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let kind = if e.inner().is_data() { Kind::Invalid } else { Kind::Malformed };
        blame(kind, &e)
    })?;
    json.end().map_err(|e| Problem::new(Kind::Malformed, e))?;
    Ok(value)
}

/// Refuses a body of another type, or one that does not say its type.
pub(crate) fn require_type(headers: &HeaderMap, is: impl FnOnce(&str) -> bool, expected: &str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if is(&kind) {
        return Ok(());
    }
    let detail = format!("the body must be {expected}, not {kind:?}");
    Err(Problem::new(Kind::MediaType, detail).about("Content-Type"))
}

/// The whole body, within its size and time.
pub(crate) async fn read_body(app: &App, request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Kind::TooLarge, format_args!("the body must not exceed {bytes_max} bytes"));
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(too_large());
    }
    let body = axum::body::to_bytes(request.into_body(), bytes_max);
    match timeout(app.config.body_timeout, body).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if std::error::Error::source(&error).is_some_and(|e| e.is::<LengthLimitError>()) => {
            Err(too_large())
        }
        Ok(Err(error)) => Err(Problem::new(Kind::Malformed, format_args!("the body broke off: {error}"))),
        Err(_) => Err(Problem::new(Kind::BodyTimeout, "send it faster, or in smaller parts")),
    }
}
