//! What the registry knows of a vehicle over time: which terminals spoke for it, and who drove it.

use axum::Json;
use axum::extract::State;
use model::{Registry, Timestamp, VehicleId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::dto::Time;
use crate::extract::{Caller, Name};
use crate::ground::DriverView;
use crate::lookup;
use crate::problem::Problem;

/// Most entries of a list; the last ones are given.
const ENTRIES_MAX: usize = 1_000;

/// A span of event time in which a terminal spoke for the vehicle.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BindingView {
    /// Phone of the terminal.
    phone: String,
    /// From when on; `null`: since ever.
    #[schema(required = true)]
    from: Option<Time>,
    /// Until when, exclusive; `null`: until now.
    #[schema(required = true)]
    to: Option<Time>,
}

/// A change of drivers, as entered by hand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DrivingView {
    /// Who; `null`: nobody.
    #[schema(required = true)]
    driver: Option<DriverView>,
    /// From when on, until the next one.
    from: Time,
}

/// A vehicle over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryView {
    /// Which terminals spoke for it, oldest first.
    terminals: Vec<BindingView>,
    /// Who drove it, oldest first.
    drivers: Vec<DrivingView>,
}

/// Which terminals spoke for a vehicle, and who drove it, by event time. What it carried is in its loads; who changed
/// what and when, in the audit.
#[utoipa::path(get, path = "/api/v1/vehicles/{id}/history", tag = "vehicles", operation_id = "get_vehicle_history",
    params(("id" = String, Path, description = "Id, plate with colour, or phone")),
    responses((status = 200, description = "The last 1,000 of each", body = HistoryView)))]
pub(crate) async fn vehicle(
    State(app): State<App>,
    Caller(who): Caller,
    Name(reference): Name,
) -> Result<Json<HistoryView>, Problem> {
    let registry = app.registry();
    let vehicle = lookup::vehicle(&registry, who.scope, &reference)?.id;
    let driving = registry.records().driving_of(vehicle);
    let view = |(from, driver): &(Timestamp, Option<model::DriverId>)| DrivingView {
        driver: driver.and_then(|id| registry.records().driver(id)).map(|driver| DriverView::of(driver)),
        from: Time(*from),
    };
    let drivers = driving.iter().skip(driving.len().saturating_sub(ENTRIES_MAX)).map(view).collect();
    Ok(Json(HistoryView { terminals: bindings(&registry, vehicle), drivers }))
}

fn bindings(registry: &Registry, vehicle: VehicleId) -> Vec<BindingView> {
    let mut spans = Vec::new();
    for terminal in registry.terminals() {
        for (i, binding) in terminal.bindings.iter().enumerate().filter(|(_, binding)| binding.vehicle == vehicle) {
            spans.push((binding.from, terminal.id, terminal.bindings.get(i + 1).map(|next| next.from)));
        }
    }
    spans.sort_unstable();
    let view = |(from, phone, to): &(Timestamp, model::TerminalId, Option<Timestamp>)| BindingView {
        phone: phone.to_string(),
        from: (*from != Timestamp::MIN).then_some(Time(*from)),
        to: to.map(Time),
    };
    spans.iter().skip(spans.len().saturating_sub(ENTRIES_MAX)).map(view).collect()
}
