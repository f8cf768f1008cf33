//! The ground that judgement stands on besides zones: roads, the calendar, drivers, loads.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use intake::write_road;
use model::{
    CalendarDay, Change, Division, Driver, DriverId, DriverOn, Goods, Load, LoadState, RoadId, Timestamp, UnNumber,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::change::{Done, Pending, submit};
use crate::dto::{List, Time};
use crate::extract::{Body, Caller, Name, Params};
use crate::lookup;
use crate::problem::Problem;
use crate::terminals::PageQuery;

/// What a road says of itself.
#[derive(Serialize, ToSchema)]
#[schema(as = RoadProperties)]
pub(crate) struct RoadPropertiesDoc {
    /// Its code.
    #[schema(example = "G56")]
    code: String,
    /// Its name.
    name: String,
    /// `expressway`, `national`, `provincial`, `county`, `urban`, `park` or `other`.
    class: String,
    /// The limit that its signs show, where one holds for all of it.
    limit_kmh: Option<u16>,
    /// For each line which way traffic goes on it: `both`, `forward` or `backward`.
    direction: Vec<String>,
    /// For each line its stakes: `[{"along_m": 0, "stake": "K103+386"}]`.
    #[schema(value_type = Vec<Object>)]
    stakes: Vec<Value>,
    /// Tunnels: `[{"from": "K1+200", "to": "K3", "name": "..."}]`.
    #[schema(value_type = Vec<Object>)]
    tunnels: Vec<Value>,
    /// Service areas: `[{"stake": "K9", "name": "..."}]`.
    #[schema(value_type = Vec<Object>)]
    service_areas: Vec<Value>,
}

/// A road as a GeoJSON Feature (RFC 7946).
#[derive(Serialize, ToSchema)]
#[schema(as = Road)]
pub(crate) struct RoadDoc {
    /// Always `Feature`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// `r_...`.
    id: String,
    /// MultiLineString.
    #[schema(value_type = Object)]
    geometry: Value,
    /// What it says of itself.
    properties: RoadPropertiesDoc,
}

/// The roads, by id, as GeoJSON features.
#[utoipa::path(get, path = "/api/v1/roads", tag = "roads", operation_id = "list_roads", params(PageQuery),
    responses((status = 200, description = "A page of roads", body = List<RoadDoc>)))]
pub(crate) async fn roads(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Result<Json<List<Value>>, Problem> {
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<RoadId>(query.cursor.as_deref())?;
    let registry = app.registry();
    let mut page: Vec<_> = registry.records().roads(after).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|road| road.id);
    Ok(Json(List::new(page.iter().map(|road| write_road(road, intake::Crs::Wgs84)).collect(), next)))
}

/// Takes a road out of the layer. Zones that were cut out of it stay.
#[utoipa::path(delete, path = "/api/v1/roads/{id}", tag = "roads", operation_id = "delete_road",
    params(("id" = String, Path, description = "`r_...`")),
    responses((status = 204, description = "Gone"), (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn delete_road(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
) -> Result<Response, Problem> {
    let id: RoadId = lookup::id("road", &id)?;
    let gone = || Done::<()> { status: StatusCode::NO_CONTENT, body: None, id: Some(id.to_string()), location: None };
    submit(&app, &who, vec![Change::RoadDelete { id }], gone).await
}

/// A day of the calendar.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayView {
    /// The date in China.
    date: String,
    /// `holiday` or `workday`.
    kind: &'static str,
    /// What it is called.
    name: String,
}

impl DayView {
    fn of(day: &CalendarDay) -> Self {
        let start = Timestamp::china_day_start(day.day).to_string();
        let date = start.split_once('T').map_or("", |(date, _)| date).to_owned();
        Self { date, kind: day.kind.name(), name: day.name.clone() }
    }
}

/// The days that the calendar says something of. Any other is a workday from Monday to Friday, and never a holiday.
#[utoipa::path(get, path = "/api/v1/calendar", tag = "calendar", operation_id = "list_calendar",
    responses((status = 200, description = "All of them", body = List<DayView>)))]
pub(crate) async fn calendar(State(app): State<App>) -> Json<List<DayView>> {
    let days = app.registry().records().calendar().days().map(DayView::of).collect();
    Json(List::new(days, None::<String>))
}

/// A driver.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DriverView {
    /// `d_...`.
    id: String,
    /// Name.
    name: String,
    /// Qualification certificate (从业资格证号).
    certificate: String,
    /// Phone.
    phone: String,
}

impl DriverView {
    pub(crate) fn of(driver: &Driver) -> Self {
        let Driver { id, name, certificate, phone } = driver.clone();
        Self { id: id.to_string(), name, certificate, phone }
    }
}

/// The drivers, by id.
#[utoipa::path(get, path = "/api/v1/drivers", tag = "drivers", operation_id = "list_drivers", params(PageQuery),
    responses((status = 200, description = "A page of drivers", body = List<DriverView>)))]
pub(crate) async fn drivers(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Result<Json<List<DriverView>>, Problem> {
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<DriverId>(query.cursor.as_deref())?;
    let registry = app.registry();
    let mut page: Vec<_> = registry.records().drivers(after).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|driver| driver.id);
    Ok(Json(List::new(page.iter().map(|driver| DriverView::of(driver)).collect(), next)))
}

/// Who drives from an instant on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDriving {
    /// `d_...` or the certificate; absent: nobody.
    driver: Option<String>,
    /// From when on, until the next one.
    from: Time,
}

/// Says who drives a vehicle from an instant on.
#[utoipa::path(post, path = "/api/v1/vehicles/{id}/driver", tag = "drivers", operation_id = "put_driving",
    params(("id" = String, Path, description = "Id, plate with colour, or phone")), request_body = NewDriving,
    responses((status = 204, description = "In force"), (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn driving(
    State(app): State<App>,
    Caller(who): Caller,
    Name(reference): Name,
    Body(new): Body<NewDriving>,
) -> Result<Response, Problem> {
    let registry = app.registry();
    let vehicle = lookup::vehicle(&registry, who.scope, &reference)?.id;
    let find = |text: String| match text.parse::<DriverId>() {
        Ok(id) => Ok(id),
        Err(_) => {
            let known = registry.records().driver_by_certificate(text.trim()).map(|driver| driver.id);
            known.ok_or_else(|| Problem::invalid("driver", "no such driver"))
        }
    };
    let driver = new.driver.map(find).transpose()?;
    let change = Change::DriverOn(DriverOn { vehicle, driver, from: new.from.0 });
    let done = || Done::<()> { status: StatusCode::NO_CONTENT, body: None, id: None, location: None };
    submit(&app, &who, vec![change], done).await
}

/// One kind of goods; what the papers do not say is absent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoodsDoc {
    /// UN number (联合国编号).
    #[schema(example = "UN1005")]
    un: Option<String>,
    /// Class or division (类别, 项别).
    #[schema(example = "2.3")]
    division: Option<String>,
    /// Packing group (包装类别), 1 to 3.
    packing_group: Option<u8>,
    /// Whether it is a highly toxic chemical (剧毒化学品).
    #[serde(default)]
    highly_toxic: bool,
    /// Proper shipping name (正式运输名称).
    #[serde(default)]
    name: String,
}

impl GoodsDoc {
    fn of(goods: &Goods) -> Self {
        Self {
            un: goods.un.map(|un| un.to_string()),
            division: goods.division.map(|division| division.to_string()),
            packing_group: goods.packing_group,
            highly_toxic: goods.highly_toxic,
            name: goods.name.clone(),
        }
    }

    fn read(self, i: usize) -> Result<Goods, Problem> {
        let un = self.un.as_deref().map(str::parse::<UnNumber>).transpose();
        let division = self.division.as_deref().map(str::parse::<Division>).transpose();
        Ok(Goods {
            un: un.map_err(|error| Problem::invalid(format!("goods[{i}].un"), error))?,
            division: division.map_err(|error| Problem::invalid(format!("goods[{i}].division"), error))?,
            packing_group: self.packing_group,
            highly_toxic: self.highly_toxic,
            name: self.name,
        })
    }
}

/// What a vehicle carries from an instant on, until the next one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoadDoc {
    /// From when on.
    from: Time,
    /// `loaded` (重车), `empty` (空车) or `unknown`.
    state: String,
    /// What; of an empty vehicle what it carried last, when it was not cleaned.
    #[serde(default)]
    goods: Vec<GoodsDoc>,
    /// Who says so: a waybill number, a gate, a person.
    #[serde(default)]
    source: String,
}

/// What a vehicle carried, oldest first.
#[utoipa::path(get, path = "/api/v1/vehicles/{id}/loads", tag = "vehicles", operation_id = "list_loads",
    params(("id" = String, Path, description = "Id, plate with colour, or phone")),
    responses((status = 200, description = "The last 1,000 of them", body = List<LoadDoc>)))]
pub(crate) async fn loads(
    State(app): State<App>,
    Caller(who): Caller,
    Name(reference): Name,
) -> Result<Json<List<LoadDoc>>, Problem> {
    let registry = app.registry();
    let vehicle = lookup::vehicle(&registry, who.scope, &reference)?.id;
    let all = registry.records().loads_of(vehicle);
    let last = &all[all.len().saturating_sub(1000)..];
    let view = |(from, load): &(Timestamp, std::sync::Arc<Load>)| LoadDoc {
        from: Time(*from),
        state: load.state.name().to_owned(),
        goods: load.goods.iter().map(GoodsDoc::of).collect(),
        source: load.source.clone(),
    };
    Ok(Json(List::new(last.iter().map(view).collect(), None::<String>)))
}

/// Says what a vehicle carries from an instant on. It may be said late.
#[utoipa::path(post, path = "/api/v1/vehicles/{id}/loads", tag = "vehicles", operation_id = "put_load",
    params(("id" = String, Path, description = "Id, plate with colour, or phone")), request_body = LoadDoc,
    responses((status = 204, description = "In force"), (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn put_load(
    State(app): State<App>,
    Caller(who): Caller,
    Name(reference): Name,
    Body(new): Body<LoadDoc>,
) -> Result<Response, Problem> {
    let vehicle = lookup::vehicle(&app.registry(), who.scope, &reference)?.id;
    let state = LoadState::from_name(&new.state)
        .ok_or_else(|| Problem::invalid("state", "must be loaded, empty or unknown"))?;
    let goods = new.goods.into_iter().enumerate().map(|(i, goods)| goods.read(i)).collect::<Result<_, _>>()?;
    let load = Load { vehicle, from: new.from.0, state, goods, source: new.source };
    let done = || Done::<()> { status: StatusCode::NO_CONTENT, body: None, id: None, location: None };
    submit(&app, &who, vec![Change::LoadPut(load)], done).await
}
