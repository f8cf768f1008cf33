//! Vehicles: the list, one of them, a new one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Carrier, Plate, PlateColour, Principal, Registry, TerminalId, Vehicle, VehicleId};
use serde::{Deserialize, Serialize};
use store::LastPosition;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::change::{Done, Pending, submit};
use crate::dto::{CrsName, List, PositionView, TerminalView};
use crate::extract::{Body, Caller, Name, Params};
use crate::lookup;
use crate::problem::{Kind, Problem};
use crate::register::Plan;
use crate::terminals;

/// A carrier (承运人).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CarrierView {
    /// `k_...`.
    id: String,
    /// Its name.
    name: String,
}

impl CarrierView {
    pub(crate) fn of(carrier: &Carrier) -> Self {
        Self { id: carrier.id.to_string(), name: carrier.name.clone() }
    }
}

/// A vehicle (车辆).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VehicleView {
    /// `v_...`.
    id: String,
    /// Plate (车牌号码) without separators; `null` for a vehicle that registered without one.
    #[schema(required = true)]
    plate: Option<String>,
    /// Plate colour (车牌颜色): 1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other, 91-94.
    #[schema(required = true)]
    colour: Option<u8>,
    /// Who runs it.
    #[schema(required = true)]
    carrier: Option<CarrierView>,
    /// The terminal that speaks for it now.
    #[schema(required = true)]
    terminal: Option<TerminalView>,
    /// Whether that terminal is connected and authenticated now.
    online: bool,
    /// Where it was last.
    #[schema(required = true)]
    position: Option<PositionView>,
}

impl VehicleView {
    fn of(app: &App, registry: &Registry, vehicle: &Vehicle, position: Option<PositionView>) -> Self {
        let terminal = registry.terminal_of(vehicle.id).and_then(|id| registry.terminal(id));
        let terminal = terminal.map(|terminal| TerminalView::of(app, registry, terminal));
        let (plate, colour) = vehicle.plate.as_ref().map(|p| (p.text.to_string(), p.colour.0)).unzip();
        Self {
            id: vehicle.id.to_string(),
            plate,
            colour,
            carrier: vehicle.carrier.and_then(|id| registry.carrier(id)).map(|c| CarrierView::of(c)),
            online: terminal.as_ref().is_some_and(|terminal| terminal.online),
            terminal,
            position,
        }
    }
}

/// Which vehicles.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VehicleQuery {
    /// Only plates that contain this.
    plate: Option<String>,
    /// Only this carrier's: id or exact name.
    carrier: Option<String>,
    /// Only those whose terminal is connected now (`true`) or not (`false`).
    online: Option<bool>,
    /// Coordinate system of the positions.
    #[param(value_type = Option<CrsName>)]
    crs: Option<CrsName>,
    /// Rows of the page, 1 to 1,000; 50 when absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// The vehicles that the caller sees, by id, with their last positions.
#[utoipa::path(get, path = "/api/v1/vehicles", tag = "vehicles", operation_id = "list_vehicles", params(VehicleQuery),
    responses((status = 200, description = "A page of vehicles", body = List<VehicleView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<VehicleQuery>,
) -> Result<Json<List<VehicleView>>, Problem> {
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<VehicleId>(query.cursor.as_deref())?;
    app.caught_up().await?;
    let registry = app.registry();
    let carrier = query.carrier.as_deref().map(|text| lookup::carrier(&registry, text));
    let plate = query.plate.as_deref().map(|text| text.trim().to_uppercase());
    let wanted = |vehicle: &&Arc<Vehicle>| {
        carrier.is_none_or(|carrier| carrier.is_some() && vehicle.carrier == carrier)
            && plate.as_deref().is_none_or(|part| vehicle.plate.as_ref().is_some_and(|p| p.text.contains(part)))
            && query.online.is_none_or(|online| is_online(&app, &registry, vehicle.id) == online)
    };
    let mut page: Vec<_> = registry.vehicles(who.scope, after).filter(wanted).take(limit + 1).cloned().collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|vehicle| vehicle.id);
    let positions = positions(&app, &who, &page).await?;
    let crs = query.crs.unwrap_or_default().0;
    let items = page.iter().zip(positions).map(|(vehicle, last)| {
        VehicleView::of(&app, &registry, vehicle, last.map(|last| PositionView::of(&last, crs)))
    });
    Ok(Json(List::new(items.collect(), next)))
}

fn is_online(app: &App, registry: &Registry, vehicle: VehicleId) -> bool {
    registry.terminal_of(vehicle).is_some_and(|terminal| app.deps.views.is_online(terminal))
}

async fn positions(
    app: &App,
    who: &Principal,
    vehicles: &[Arc<Vehicle>],
) -> Result<Vec<Option<LastPosition>>, Problem> {
    let asked: Vec<_> = vehicles.iter().map(|vehicle| (vehicle.id, vehicle.carrier)).collect();
    Ok(app.deps.store.last_positions(who.scope, &asked).await?)
}

/// In which coordinate system.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CrsQuery {
    /// Coordinate system of the positions.
    #[param(value_type = Option<CrsName>)]
    pub(crate) crs: Option<CrsName>,
}

/// One vehicle with its last position.
#[utoipa::path(get, path = "/api/v1/vehicles/{id}", tag = "vehicles", operation_id = "get_vehicle", params(
    ("id" = String, Path, description = "`v_...`, a plate with colour (`云D12345:2`; colour may be left out when it is unique), or the phone of its terminal"),
    CrsQuery),
    responses((status = 200, description = "The vehicle", body = VehicleView)))]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(who): Caller,
    Name(reference): Name,
    Params(query): Params<CrsQuery>,
) -> Result<Json<VehicleView>, Problem> {
    app.caught_up().await?;
    let registry = app.registry();
    let vehicle = lookup::vehicle(&registry, who.scope, &reference)?;
    let last = positions(&app, &who, std::slice::from_ref(&vehicle)).await?.pop().flatten();
    let position = last.map(|last| PositionView::of(&last, query.crs.unwrap_or_default().0));
    Ok(Json(VehicleView::of(&app, &registry, &vehicle, position)))
}

/// A vehicle to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewVehicle {
    /// Plate (车牌号码); separators are dropped.
    #[schema(example = "云D12345")]
    plate: String,
    /// Plate colour (车牌颜色): 1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other, 91-94.
    #[schema(example = 2)]
    colour: u8,
    /// Id or name of its carrier; an unknown name becomes a carrier.
    carrier: Option<String>,
    /// Phone of its terminal, which may speak from then on.
    #[schema(example = "013912345678")]
    phone: Option<String>,
}

/// A plate out of a body.
pub(crate) fn plate(text: &str, colour: u8) -> Result<Plate, Problem> {
    Plate::new(text, PlateColour::normalised(colour)).map_err(|error| {
        let field = if matches!(error, model::PlateError::Colour(_)) { "colour" } else { "plate" };
        Problem::invalid(field, error)
    })
}

/// Makes a vehicle, and binds its terminal when a phone is given.
#[utoipa::path(post, path = "/api/v1/vehicles", tag = "vehicles", operation_id = "create_vehicle", request_body = NewVehicle,
    responses((status = 201, description = "Made and in force", body = VehicleView),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn create(
    State(app): State<App>,
    Caller(who): Caller,
    Body(new): Body<NewVehicle>,
) -> Result<Response, Problem> {
    let plate = plate(&new.plate, new.colour)?;
    let phone = new.phone.as_deref().map(str::parse::<TerminalId>).transpose();
    let phone = phone.map_err(|e| Problem::invalid("phone", e))?;
    let registry = app.registry();
    if registry.vehicle_by_plate(&plate).is_some() {
        return Err(Problem::new(Kind::Conflict, format_args!("{plate} exists already")).about("plate"));
    }
    if let Some(other) = phone.and_then(|id| registry.terminal(id)?.vehicle()) {
        let detail = format!("the terminal speaks for {other} already; POST /terminals/PHONE/admit moves it");
        return Err(Problem::new(Kind::Conflict, detail).about("phone"));
    }
    let mut plan = Plan::new(&registry, who.scope, app.now());
    let carrier = plan.carrier(new.carrier.as_deref())?;
    let vehicle = plan.new_vehicle(plate, carrier)?;
    if let Some(phone) = phone {
        let stranger = terminals::stranger(&app, &who, phone).await?;
        plan.terminal(phone, vehicle.id, stranger);
    }
    let changes = plan.into_changes();
    submit(&app, &who, changes, || Done {
        status: StatusCode::CREATED,
        body: Some(VehicleView::of(&app, &app.registry(), &vehicle, None)),
        id: Some(vehicle.id.to_string()),
        location: Some(format!("/api/v1/vehicles/{}", vehicle.id)),
    })
    .await
}
