//! Commands to terminals (下行指令): asked for here, sent by the gateway, and what became of them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Change, Command, CommandBody, CommandId, CommandOrigin, CommandState, Registry, VehicleId};
use serde::{Deserialize, Serialize};
use store::CommandRow;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::change::{Done, Pending, random_id, submit};
use crate::dto::{List, Time, VehicleRef};
use crate::extract::{Body, Caller, Name, Params};
use crate::lookup;
use crate::problem::{Kind, Problem};

/// Longest text in GBK, bytes (JT/T 808 8.31).
const TEXT_BYTES_MAX: usize = 1_021;

/// A command to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum NewCommand {
    /// Text to the cab (文本信息下发, 0x8300).
    Text {
        /// What it says; at most 1,024 bytes in GBK.
        text: String,
        /// Urgent (紧急); `false` when absent.
        #[serde(default)]
        urgent: bool,
        /// Read aloud (TTS); `false` when absent.
        #[serde(default)]
        spoken: bool,
    },
    /// Ask for the position (位置信息查询, 0x8201).
    Locate {},
}

impl NewCommand {
    fn checked(self) -> Result<CommandBody, Problem> {
        let Self::Text { text, urgent, spoken } = self else { return Ok(CommandBody::Locate) };
        if text.trim().is_empty() {
            return Err(Problem::invalid("text", "is empty"));
        }
        match intake::gbk_len(&text) {
            Some(bytes) if bytes <= TEXT_BYTES_MAX => Ok(CommandBody::Text { text, urgent, spoken }),
            Some(bytes) => {
                let detail = format!("takes {bytes} bytes in GBK, at most {TEXT_BYTES_MAX} go to a terminal");
                Err(Problem::invalid("text", detail))
            }
            None => Err(Problem::invalid("text", "has a character that GBK, the alphabet of terminals, lacks")),
        }
    }
}

/// A command and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommandView {
    /// `c_...`.
    id: String,
    /// `text` or `locate`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What a text says.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Whether a text is urgent.
    #[serde(skip_serializing_if = "Option::is_none")]
    urgent: Option<bool>,
    /// Whether a text is read aloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    spoken: Option<bool>,
    /// To which vehicle.
    #[schema(required = true)]
    vehicle: Option<VehicleRef>,
    /// Phone of the terminal.
    phone: String,
    /// Who asked: a user, or `system` for the effect of a violation.
    requested_by: String,
    /// `requested`, `sent`, `acknowledged`, `refused`, `expired` (never sent) or `unknown` (sent, no answer).
    state: &'static str,
    /// When it was recorded.
    requested_at: Time,
    /// When it was handed to the socket.
    #[schema(required = true)]
    sent_at: Option<Time>,
    /// When the terminal answered.
    #[schema(required = true)]
    answered_at: Option<Time>,
    /// When it is no longer worth sending or waiting for.
    expires_at: Time,
}

impl CommandView {
    fn of(registry: &Registry, row: &CommandRow) -> Self {
        let (text, urgent, spoken) = match &row.command.body {
            CommandBody::Text { text, urgent, spoken } => (Some(text.clone()), Some(*urgent), Some(*spoken)),
            CommandBody::Locate => (None, None, None),
        };
        Self {
            id: row.command.id.to_string(),
            kind: row.command.body.name(),
            text,
            urgent,
            spoken,
            vehicle: row.vehicle.map(|id| VehicleRef::by_id(registry, id)),
            phone: row.command.terminal.to_string(),
            requested_by: row.actor.clone(),
            state: row.state.name(),
            requested_at: Time(row.requested_at),
            sent_at: row.sent_at.map(Time),
            answered_at: row.answered_at.map(Time),
            expires_at: Time(row.command.expires_at),
        }
    }
}

/// A command to the terminal that speaks for the vehicle now.
pub(crate) fn to_cab(
    app: &App,
    registry: &Registry,
    vehicle: VehicleId,
    body: CommandBody,
) -> Result<Command, Problem> {
    let terminal = registry.terminal_of(vehicle).and_then(|id| registry.terminal(id)).filter(|t| t.admitted);
    let Some(terminal) = terminal else {
        return Err(Problem::new(Kind::Conflict, "no admitted terminal speaks for the vehicle"));
    };
    let ttl_us = i64::try_from(app.config.command_ttl.as_micros()).unwrap_or(i64::MAX);
    let expires_at = app.now().plus_us(ttl_us);
    Ok(Command { id: CommandId(random_id()?), terminal: terminal.id, body, origin: CommandOrigin::Person, expires_at })
}

/// Asks for a command to the terminal that speaks for the vehicle now. It is sent when the terminal is connected, and
/// expires after ten minutes.
#[utoipa::path(post, path = "/api/v1/vehicles/{id}/commands", tag = "commands", operation_id = "send_command",
    params(("id" = String, Path, description = "`v_...`, a plate with colour (`云D12345:2`), or the phone of its terminal")),
    request_body = NewCommand,
    responses((status = 201, description = "Recorded, on its way", body = CommandView),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn send(
    State(app): State<App>,
    Caller(who): Caller,
    Name(reference): Name,
    Body(new): Body<NewCommand>,
) -> Result<Response, Problem> {
    let registry = app.registry();
    let vehicle = lookup::vehicle(&registry, who.scope, &reference)?;
    let now = app.now();
    let command = to_cab(&app, &registry, vehicle.id, new.checked()?)?;
    let id = command.id;
    let row = CommandRow {
        command: command.clone(),
        vehicle: Some(vehicle.id),
        carrier: vehicle.carrier,
        actor: who.name.clone(),
        state: CommandState::Requested,
        requested_at: now,
        sent_at: None,
        answered_at: None,
        serial: None,
        seq: 0,
    };
    let done = || Done {
        status: StatusCode::CREATED,
        body: Some(CommandView::of(&registry, &row)),
        id: Some(id.to_string()),
        location: Some(format!("/api/v1/commands/{id}")),
    };
    submit(&app, &who, vec![Change::CommandRequest(command)], done).await
}

/// One command and what became of it.
#[utoipa::path(get, path = "/api/v1/commands/{id}", tag = "commands", operation_id = "get_command",
    params(("id" = String, Path, description = "`c_...`")),
    responses((status = 200, description = "The command", body = CommandView)))]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
) -> Result<Json<CommandView>, Problem> {
    let id: CommandId = lookup::id("command", &id)?;
    app.caught_up().await?;
    let row = app.deps.store.command(who.scope, id).await?;
    Ok(Json(CommandView::of(&app.registry(), &row)))
}

/// How many commands.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CommandQuery {
    /// Rows, 1 to 1,000; 50 when absent. There is one page: the newest.
    limit: Option<usize>,
}

/// The newest commands to a vehicle.
#[utoipa::path(get, path = "/api/v1/vehicles/{id}/commands", tag = "commands", operation_id = "list_commands",
    params(("id" = String, Path, description = "`v_...`, a plate with colour (`云D12345:2`), or the phone of its terminal"), CommandQuery),
    responses((status = 200, description = "The newest commands", body = List<CommandView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(who): Caller,
    Name(reference): Name,
    Params(query): Params<CommandQuery>,
) -> Result<Json<List<CommandView>>, Problem> {
    let limit = app.page(query.limit)?;
    app.caught_up().await?;
    let registry = app.registry();
    let vehicle = lookup::vehicle(&registry, who.scope, &reference)?;
    let rows = app.deps.store.commands(who.scope, vehicle.id, limit).await?;
    let items = rows.iter().map(|row| CommandView::of(&registry, row)).collect();
    Ok(Json(List::new(items, None::<String>)))
}
