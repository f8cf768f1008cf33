//! Logging in and out.

use std::net::IpAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{Change, Principal, Registry, Scope};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::App;
use crate::dto::Time;
use crate::extract::{Body, Peer};
use crate::guard::Token;
use crate::limits::address_key;
use crate::problem::{Kind, Problem};
use crate::vehicles::CarrierView;

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// User name.
    username: String,
    /// Password.
    password: String,
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhoView {
    /// User name.
    name: String,
    /// `admin` or `carrier`.
    role: &'static str,
    /// Whose data they see; `null` for everybody's.
    #[schema(required = true)]
    carrier: Option<CarrierView>,
}

impl WhoView {
    fn of(registry: &Registry, who: &Principal) -> Self {
        let carrier = match who.scope {
            Scope::All => None,
            Scope::Carrier(id) => registry.carrier(id).map(|carrier| CarrierView::of(carrier)),
        };
        Self { name: who.name.clone(), role: who.role.name(), carrier }
    }
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// For the header `Authorization: Bearer TOKEN`. It is shown once.
    token: String,
    /// When it becomes void.
    expires_at: Time,
    /// Who they are.
    user: WhoView,
}

/// Logs in. Failures are counted by name and by address; after too many in a minute nobody is let in under that name
/// or from there until the minute is over.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "sessions", operation_id = "log_in", request_body = Login,
    responses((status = 201, description = "Logged in", body = SessionView)))]
pub(crate) async fn create(
    State(app): State<App>,
    Peer(peer): Peer,
    Body(login): Body<Login>,
) -> Result<Response, Problem> {
    let now = app.now();
    let address = peer.map(|ip| (format!("address {}", address_key(ip)), app.config.login_failures_per_address));
    let name: String = login.username.chars().take(64).collect();
    let by_name = (format!("name {name}"), app.config.login_failures_per_name);
    let keys: Vec<_> = std::iter::once(by_name).chain(address).collect();
    app.logins.begin(&keys, now).map_err(|seconds| {
        Problem::new(Kind::TooMany, "too many failed logins; wait for the next minute").retry_after_s(seconds)
    })?;
    let session = app.deps.store.users().login(&login.username, &login.password, now).await;
    app.logins.end(&keys, matches!(session, Ok(None)));
    let Some(session) = session? else {
        tracing::warn!(name, peer = peer.map(|ip| ip.to_string()), "login failed");
        return Err(Problem::new(Kind::Unauthenticated, "name and password do not go together"));
    };
    record(&app, &session.principal, peer).await;
    let user = WhoView::of(&app.registry(), &session.principal);
    let view = SessionView { token: session.token, expires_at: Time(session.expires), user };
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// How long a login waits for its audit entry.
const RECORD_MAX: Duration = Duration::from_secs(2);

/// Puts a login on record. Whoever runs the server must get in when the journal is what is broken, so a login does
/// not depend on it.
async fn record(app: &App, who: &Principal, peer: Option<IpAddr>) {
    let detail = peer.map(|ip| format!("from {ip}")).unwrap_or_default();
    let entry = Change::Audit { action: "session.create".into(), subject: who.name.clone(), detail };
    match timeout(RECORD_MAX, app.control().submit(who, vec![entry])).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(error = %model::Chain(&error), user = who.name, "a login is not on record"),
        Err(_) => tracing::warn!(user = who.name, "a login waits too long for its record"),
    }
}

/// Logs out: the token of the request becomes void.
#[utoipa::path(delete, path = "/api/v1/sessions/current", tag = "sessions", operation_id = "log_out",
    responses((status = 204, description = "Logged out")))]
pub(crate) async fn delete(State(app): State<App>, Token(token): Token) -> Result<StatusCode, Problem> {
    app.deps.store.users().logout(&token).await?;
    Ok(StatusCode::NO_CONTENT)
}
