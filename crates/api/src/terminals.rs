//! Terminals: those that knock without being known, letting them in, shutting them out, their raw frames.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Change, FrameEntry, FrameQuery, TerminalId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{StoreError, Stranger, StrangerCursor};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::change::{Done, Pending, submit};
use crate::dto::{List, TerminalView, Time};
use crate::extract::{Body, Caller, Name, Params};
use crate::lookup;
use crate::problem::{Kind, Problem};
use crate::register::Plan;
use crate::vehicles;

/// How far back frames are shown when nobody says: what a support case needs.
const FRAMES_SPAN_US: i64 = model::DAY_US;

/// A terminal that spoke without being admitted (未知终端), with what it says of itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StrangerView {
    /// Its phone, without leading zeros.
    phone: String,
    /// The plate that it claims.
    #[schema(required = true)]
    plate: Option<String>,
    /// The plate colour that it claims.
    #[schema(required = true)]
    colour: Option<u8>,
    /// Manufacturer id (制造商ID) that it claims.
    maker: String,
    /// Model (终端型号) that it claims.
    model: String,
    /// Terminal id (终端ID) that it claims.
    terminal_id: String,
    /// Address it last spoke from.
    peer: String,
    /// First frame.
    first_seen: Time,
    /// Last frame.
    last_seen: Time,
    /// Frames so far.
    frames: u64,
}

impl From<Stranger> for StrangerView {
    fn from(stranger: Stranger) -> Self {
        let (plate, colour) = stranger.plate.map(|p| (p.text.into_string(), p.colour.0)).unzip();
        Self {
            phone: stranger.terminal.to_string(),
            plate,
            colour,
            maker: stranger.maker,
            model: stranger.model,
            terminal_id: stranger.device,
            peer: stranger.peer,
            first_seen: Time(stranger.first_seen),
            last_seen: Time(stranger.last_seen),
            frames: stranger.frames,
        }
    }
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Rows of the page, 1 to 1,000; 50 when absent.
    pub(crate) limit: Option<usize>,
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Terminals that spoke without being admitted, newest first. A page may hold fewer rows than asked: those that were
/// admitted since are left out.
#[utoipa::path(get, path = "/api/v1/terminals/unknown", tag = "terminals", operation_id = "list_unknown_terminals", params(PageQuery),
    responses((status = 200, description = "A page of strangers", body = List<StrangerView>)))]
pub(crate) async fn unknown(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<PageQuery>,
) -> Result<Json<List<StrangerView>>, Problem> {
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<StrangerCursor>(query.cursor.as_deref())?;
    app.caught_up().await?;
    let page = app.deps.store.strangers(who.scope, after, limit).await?;
    let registry = app.registry();
    let admitted = |id: TerminalId| registry.terminal(id).is_some_and(|terminal| terminal.admitted);
    let items = page.items.into_iter().filter(|stranger| !admitted(stranger.terminal)).map(StrangerView::from);
    Ok(Json(List::new(items.collect(), page.next)))
}

/// For which vehicle a terminal is let in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admission {
    /// Plate (车牌号码); separators are dropped.
    #[schema(example = "云D12345")]
    plate: String,
    /// Plate colour (车牌颜色): 1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other, 91-94.
    #[schema(example = 2)]
    colour: u8,
    /// Id or name of the vehicle's carrier; an unknown name becomes a carrier. Absent leaves it as it is.
    carrier: Option<String>,
}

/// Lets a terminal speak for a vehicle, which is made when it does not exist. A terminal that spoke for another
/// vehicle speaks for this one from now on.
#[utoipa::path(post, path = "/api/v1/terminals/{phone}/admit", tag = "terminals", operation_id = "admit_terminal",
    params(("phone" = String, Path, description = "Phone of the terminal; leading zeros do not matter")),
    request_body = Admission,
    responses((status = 200, description = "Admitted and in force", body = TerminalView),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn admit(
    State(app): State<App>,
    Caller(who): Caller,
    Name(phone): Name,
    Body(admission): Body<Admission>,
) -> Result<Response, Problem> {
    let phone = lookup::phone(&phone)?;
    let plate = vehicles::plate(&admission.plate, admission.colour)?;
    let stranger = stranger(&app, &who, phone).await?;
    let registry = app.registry();
    let mut plan = Plan::new(&registry, who.scope, app.now());
    let carrier = plan.carrier(admission.carrier.as_deref())?;
    let vehicle = plan.vehicle(plate, carrier, Some(phone), |_| ())?;
    plan.terminal(phone, vehicle.id, stranger);
    submit(&app, &who, plan.into_changes(), || described(&app, phone)).await
}

/// What a terminal said of itself before it was let in.
pub(crate) async fn stranger(
    app: &App,
    who: &model::Principal,
    phone: TerminalId,
) -> Result<Option<Stranger>, Problem> {
    match app.deps.store.stranger(who.scope, phone).await {
        Ok(stranger) => Ok(Some(stranger)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn described(app: &App, phone: TerminalId) -> Done<TerminalView> {
    let registry = app.registry();
    let body = registry.terminal(phone).map(|terminal| TerminalView::of(app, &registry, terminal));
    Done { status: StatusCode::OK, body, id: Some(phone.to_string()), location: None }
}

/// Voids a terminal's codes: it may not speak until it is admitted again.
#[utoipa::path(post, path = "/api/v1/terminals/{phone}/revoke", tag = "terminals", operation_id = "revoke_terminal",
    params(("phone" = String, Path, description = "Phone of the terminal; leading zeros do not matter")),
    responses((status = 200, description = "Revoked and in force", body = TerminalView),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(who): Caller,
    Name(phone): Name,
) -> Result<Response, Problem> {
    let phone = lookup::phone(&phone)?;
    let registry = app.registry();
    let terminal = registry.terminal(phone);
    let seen = terminal.is_some_and(|t| who.scope.sees(t.vehicle().and_then(|vehicle| registry.owner(vehicle))));
    if !seen {
        return Err(Problem::not_found(format_args!("terminal {phone}")));
    }
    submit(&app, &who, vec![Change::Revoke { terminal: phone }], || described(&app, phone)).await
}

/// Which frames.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FramesParams {
    /// Received at or after; a day before `to` when absent.
    #[param(value_type = Option<Time>)]
    from: Option<Time>,
    /// Received before; now when absent.
    #[param(value_type = Option<Time>)]
    to: Option<Time>,
    /// Rows of the page, 1 to 1,000; 50 when absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// One frame as the journal holds it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FrameView {
    /// Envelope and record in the journal, `envelope.record`.
    place: String,
    /// When it was received or sent.
    received_at: Time,
    /// `uplink`, `stranger` (before authentication) or `downlink`.
    direction: &'static str,
    /// The bytes off the wire, lower-case hex.
    hex: String,
    /// What `hazwatch decode --json` prints for it.
    #[schema(value_type = Object)]
    decoded: Option<Box<RawValue>>,
}

impl From<FrameEntry> for FrameView {
    fn from(frame: FrameEntry) -> Self {
        Self {
            place: place(frame.place),
            received_at: Time(frame.received),
            direction: frame.direction,
            hex: frame.hex,
            decoded: RawValue::from_string(frame.decoded_json).ok(),
        }
    }
}

fn place((envelope, record): (u64, u32)) -> String {
    format!("{envelope}.{record}")
}

pub(crate) fn read_place(text: &str) -> Option<(u64, u32)> {
    let (envelope, record) = text.split_once('.')?;
    Some((envelope.parse().ok()?, record.parse().ok()?))
}

/// The frames of a terminal with their decoding, newest first.
#[utoipa::path(get, path = "/api/v1/terminals/{phone}/frames", tag = "terminals", operation_id = "list_frames",
    params(("phone" = String, Path, description = "Phone of the terminal; leading zeros do not matter"), FramesParams),
    responses((status = 200, description = "A page of frames", body = List<FrameView>)))]
pub(crate) async fn frames(
    State(app): State<App>,
    Caller(who): Caller,
    Name(phone): Name,
    Params(query): Params<FramesParams>,
) -> Result<Json<List<FrameView>>, Problem> {
    let terminal = lookup::phone(&phone)?;
    let limit = app.page(query.limit)?;
    let registry = app.registry();
    let owner = registry.terminal(terminal).and_then(|t| t.vehicle()).and_then(|vehicle| registry.owner(vehicle));
    if !who.scope.sees(owner) {
        return Err(Problem::not_found(format_args!("terminal {terminal}")));
    }
    // A frame may have been received in the microsecond of this request.
    let to = query.to.map_or_else(|| app.now().plus_us(1), |time| time.0);
    let from = query.from.map_or_else(|| to.plus_us(-FRAMES_SPAN_US), |time| time.0);
    if from >= to {
        return Err(Problem::new(Kind::Malformed, "from must be before to").about("from"));
    }
    let before = match query.cursor.as_deref() {
        None => None,
        Some(text) => {
            let place = read_place(text);
            Some(place.ok_or_else(|| Problem::new(Kind::Malformed, "not a cursor from `next`").about("cursor"))?)
        }
    };
    let page = app.deps.frames.frames(FrameQuery { terminal, from, to, limit, before }).await?;
    // Raw frames show more than any screen does: who looked is on record before they see it.
    let (action, detail) = ("frames.read".into(), format!("{from} to {to}, {} frames", page.frames.len()));
    app.control().submit(&who, vec![Change::Audit { action, subject: terminal.to_string(), detail }]).await?;
    Ok(Json(List::new(page.frames.into_iter().map(FrameView::from).collect(), page.next.map(place))))
}
