//! Who may connect: forwarding platforms and the deny list.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Change, Forwarder, ForwarderId, Link, Network, Registry, VehicleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::change::{Done, Pending, random_id, submit};
use crate::dto::{List, Time, VehicleRef};
use crate::extract::{Body, Caller, Name, Params};
use crate::lookup;
use crate::problem::{Kind, Problem};
use crate::terminals::PageQuery;

/// An open link of a platform.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkView {
    /// Address and port that it comes from.
    peer: String,
    /// When it was opened.
    since: Time,
    /// Terminals that have spoken through it.
    terminals: usize,
}

/// A forwarding platform (转发平台): its trucks' frames come over its own connections, without their codes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ForwarderView {
    /// `p_...`.
    id: String,
    /// Name.
    name: String,
    /// Networks that it connects from, CIDR.
    networks: Vec<String>,
    /// Whether its links must show a code in a 0x0102 (终端鉴权) before anything else.
    needs_code: bool,
    /// The vehicles that it may speak for; `null`: every admitted one.
    #[schema(required = true)]
    vehicles: Option<Vec<VehicleRef>>,
    /// Its open links.
    links: Vec<LinkView>,
}

impl ForwarderView {
    fn of(registry: &Registry, forwarder: &Forwarder, links: &[Link]) -> Self {
        let links = links.iter().filter(|link| link.forwarder == forwarder.id);
        Self {
            id: forwarder.id.to_string(),
            name: forwarder.name.clone(),
            networks: forwarder.networks.iter().map(Network::to_string).collect(),
            needs_code: forwarder.code_epoch.is_some(),
            vehicles: forwarder
                .vehicles
                .as_ref()
                .map(|list| list.iter().map(|id| VehicleRef::by_id(registry, *id)).collect()),
            links: links
                .map(|link| LinkView { peer: link.peer.clone(), since: Time(link.since), terminals: link.terminals })
                .collect(),
        }
    }
}

/// A platform to be let in, or let in differently.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewForwarder {
    /// Name.
    name: String,
    /// Networks that it connects from, CIDR or bare addresses; no two platforms share an address.
    #[schema(example = json!(["10.20.0.0/24"]))]
    networks: Vec<String>,
    /// Whether its links must show a code; `POST /forwarders/{id}/code` makes one.
    #[serde(default = "yes")]
    needs_code: bool,
    /// Vehicles that it may speak for: ids, plates or phones. Absent: every admitted one.
    vehicles: Option<Vec<String>>,
}

const fn yes() -> bool {
    true
}

impl NewForwarder {
    fn read(self, app: &App, caller: &Caller, id: ForwarderId, epoch: Option<u32>) -> Result<Forwarder, Problem> {
        let networks = self.networks.iter().map(|text| network(text, "networks")).collect::<Result<_, _>>()?;
        let registry = app.registry();
        let vehicles = self.vehicles.map(|list| {
            let found = list.iter().map(|text| lookup::vehicle(&registry, caller.0.scope, text).map(|v| v.id));
            let mut found = found.collect::<Result<Vec<VehicleId>, _>>().map_err(|p| p.about("vehicles"))?;
            found.sort_unstable();
            found.dedup();
            Ok::<_, Problem>(found)
        });
        let code_epoch = self.needs_code.then(|| epoch.unwrap_or(1));
        Ok(Forwarder { id, name: self.name, networks, code_epoch, vehicles: vehicles.transpose()? })
    }
}

fn network(text: &str, field: &str) -> Result<Network, Problem> {
    text.parse().map_err(|error| Problem::invalid(field, error))
}

fn find(registry: &Registry, text: &str) -> Result<std::sync::Arc<Forwarder>, Problem> {
    let id = text.parse::<ForwarderId>().ok();
    let found = id.and_then(|id| registry.forwarder(id)).cloned();
    found.ok_or_else(|| Problem::not_found(format_args!("forwarder {text}")))
}

fn described(app: &App, id: ForwarderId, status: StatusCode) -> Done<ForwarderView> {
    let registry = app.registry();
    let links = app.deps.door.links();
    let body = registry.forwarder(id).map(|forwarder| ForwarderView::of(&registry, forwarder, &links));
    let location = Some(format!("/api/v1/forwarders/{id}"));
    Done { status, body, id: Some(id.to_string()), location }
}

/// The forwarding platforms with their open links, by id.
#[utoipa::path(get, path = "/api/v1/forwarders", tag = "door", operation_id = "list_forwarders", params(PageQuery),
    responses((status = 200, description = "A page of platforms", body = List<ForwarderView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Params(query): Params<PageQuery>,
) -> Result<Json<List<ForwarderView>>, Problem> {
    let limit = app.page(query.limit)?;
    let after = lookup::cursor::<ForwarderId>(query.cursor.as_deref())?;
    let (registry, links) = (app.registry(), app.deps.door.links());
    let all = registry.all_forwarders().filter(|forwarder| after.is_none_or(|after| forwarder.id > after));
    let mut page: Vec<_> = all.take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|forwarder| forwarder.id);
    Ok(Json(List::new(page.into_iter().map(|f| ForwarderView::of(&registry, f, &links)).collect(), next)))
}

/// Lets a forwarding platform in.
#[utoipa::path(post, path = "/api/v1/forwarders", tag = "door", operation_id = "create_forwarder",
    request_body = NewForwarder,
    responses((status = 201, description = "Made and in force", body = ForwarderView),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewForwarder>,
) -> Result<Response, Problem> {
    let id = ForwarderId(random_id()?);
    let forwarder = new.read(&app, &caller, id, None)?;
    submit(&app, &caller.0, vec![Change::ForwarderPut(forwarder)], || described(&app, id, StatusCode::CREATED)).await
}

/// One forwarding platform.
#[utoipa::path(get, path = "/api/v1/forwarders/{id}", tag = "door", operation_id = "get_forwarder",
    params(("id" = String, Path, description = "Id of the platform")),
    responses((status = 200, description = "The platform", body = ForwarderView)))]
pub(crate) async fn get(State(app): State<App>, Name(id): Name) -> Result<Json<ForwarderView>, Problem> {
    let registry = app.registry();
    let forwarder = find(&registry, &id)?;
    Ok(Json(ForwarderView::of(&registry, &forwarder, &app.deps.door.links())))
}

/// Lets a platform in differently; links that do not fit any more are closed.
#[utoipa::path(put, path = "/api/v1/forwarders/{id}", tag = "door", operation_id = "put_forwarder",
    params(("id" = String, Path, description = "Id of the platform")), request_body = NewForwarder,
    responses((status = 200, description = "Changed and in force", body = ForwarderView),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    Name(id): Name,
    Body(new): Body<NewForwarder>,
) -> Result<Response, Problem> {
    let known = find(&app.registry(), &id)?;
    let forwarder = new.read(&app, &caller, known.id, known.code_epoch)?;
    let answer = || described(&app, known.id, StatusCode::OK);
    submit(&app, &caller.0, vec![Change::ForwarderPut(forwarder)], answer).await
}

/// Shuts a platform out; its links are closed. The admissions of its trucks' terminals stay.
#[utoipa::path(delete, path = "/api/v1/forwarders/{id}", tag = "door", operation_id = "delete_forwarder",
    params(("id" = String, Path, description = "Id of the platform")),
    responses((status = 204, description = "Gone and in force"),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn delete(State(app): State<App>, Caller(who): Caller, Name(id): Name) -> Result<Response, Problem> {
    let id = find(&app.registry(), &id)?.id;
    let gone = || Done::<()> { status: StatusCode::NO_CONTENT, body: None, id: Some(id.to_string()), location: None };
    submit(&app, &who, vec![Change::ForwarderDelete { id }], gone).await
}

/// A code for the links of a platform.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CodeView {
    /// What a link shows in a 0x0102, under any phone.
    code: String,
}

/// Makes a new code for a platform; the one before is void.
#[utoipa::path(post, path = "/api/v1/forwarders/{id}/code", tag = "door", operation_id = "renew_forwarder_code",
    params(("id" = String, Path, description = "Id of the platform")),
    responses((status = 200, description = "The new code, in force; it is shown this once", body = CodeView),
        (status = 202, description = "Recorded, not yet in force: ask again", body = Pending)))]
pub(crate) async fn code(State(app): State<App>, Caller(who): Caller, Name(id): Name) -> Result<Response, Problem> {
    let known = find(&app.registry(), &id)?;
    let epoch = known.code_epoch.map_or(1, |epoch| epoch.saturating_add(1));
    let change = Change::ForwarderPut(Forwarder { code_epoch: Some(epoch), ..Forwarder::clone(&known) });
    let answer = || {
        let code = app.deps.door.forwarder_code(known.id, epoch);
        Done { status: StatusCode::OK, body: Some(CodeView { code }), id: Some(known.id.to_string()), location: None }
    };
    submit(&app, &who, vec![change], answer).await
}

/// A network that nobody may connect from.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Denied {
    /// CIDR, or a bare address.
    #[schema(example = "203.0.113.0/24")]
    network: String,
    /// Why.
    #[serde(default)]
    reason: String,
}

/// The networks that nobody may connect from.
#[utoipa::path(get, path = "/api/v1/denied", tag = "door", operation_id = "list_denied",
    responses((status = 200, description = "All of them", body = List<Denied>)))]
pub(crate) async fn denied(State(app): State<App>) -> Json<List<Denied>> {
    let registry = app.registry();
    let items =
        registry.denied().map(|(network, reason)| Denied { network: network.to_string(), reason: reason.to_owned() });
    Json(List::new(items.collect(), None::<String>))
}

/// Shuts a network out: connections from there are closed, and none is accepted.
#[utoipa::path(post, path = "/api/v1/denied", tag = "door", operation_id = "deny", request_body = Denied,
    responses((status = 201, description = "In force", body = Denied),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn deny(
    State(app): State<App>,
    Caller(who): Caller,
    Body(new): Body<Denied>,
) -> Result<Response, Problem> {
    let network = network(&new.network, "network")?;
    let change = Change::DenyPut { network, reason: new.reason.clone() };
    let body = Denied { network: network.to_string(), reason: new.reason };
    let id = Some(body.network.clone());
    submit(&app, &who, vec![change], || Done { status: StatusCode::CREATED, body: Some(body), id, location: None })
        .await
}

/// Which network.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AllowQuery {
    /// As listed.
    network: String,
}

/// Takes a network off the deny list.
#[utoipa::path(delete, path = "/api/v1/denied", tag = "door", operation_id = "allow", params(AllowQuery),
    responses((status = 204, description = "Gone and in force"),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn allow(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<AllowQuery>,
) -> Result<Response, Problem> {
    let network: Network = query.network.parse().map_err(|e| Problem::new(Kind::Malformed, e).about("network"))?;
    let gone = || Done::<()> { status: StatusCode::NO_CONTENT, body: None, id: None, location: None };
    submit(&app, &who, vec![Change::DenyDelete { network }], gone).await
}
