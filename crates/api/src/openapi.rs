//! The description of the API, derived from the handlers and the table of routes.

use std::sync::OnceLock;

use axum::http::Method;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, Content, Ref, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{self, Access};
use crate::app::App;
use crate::dto::CrsName;
use crate::events::{LivePositionView, ReadyView};
use crate::problem::ProblemBody;
use crate::tracks::FormatName;
use crate::{
    cases, commands, custody, door, drafts, events, facts, ground, ground_imports, history, imports, lots, permits,
    preview, registry_imports, rulebook, service, sessions, settings, terminals, tracks, users, vehicles, zones,
};

/// Name of the one security scheme.
const SCHEME: &str = "session";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "hazwatch",
        description = "Supervision of road transport of dangerous goods. Times are RFC 3339 with an offset, positions \
            WGS-84 unless `crs` asks otherwise. Lists come in pages: give `next` as `cursor`. A read reflects every \
            frame that was answered before it began, or is refused with 503 and the lag. A change is answered when it \
            is in force, or with 202 and its number when that takes longer than 10 s. Refusals are problem details \
            (RFC 9457). What belongs to another carrier does not exist."
    ),
    components(schemas(ProblemBody, CrsName, FormatName, LivePositionView, ReadyView))
)]
struct Description;

/// Every handler, once: as a route, and in the description.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(sessions::create))
        .routes(routes!(sessions::delete))
        .routes(routes!(vehicles::list, vehicles::create))
        .routes(routes!(vehicles::get))
        .routes(routes!(tracks::get))
        .routes(routes!(commands::list, commands::send))
        .routes(routes!(commands::get))
        .routes(routes!(terminals::unknown))
        .routes(routes!(terminals::admit))
        .routes(routes!(terminals::revoke))
        .routes(routes!(terminals::frames))
        .routes(routes!(imports::vehicles))
        .routes(routes!(imports::zones))
        .routes(routes!(registry_imports::carriers))
        .routes(routes!(registry_imports::terminals))
        .routes(routes!(ground_imports::calendar))
        .routes(routes!(ground_imports::drivers))
        .routes(routes!(ground_imports::permits))
        .routes(routes!(ground_imports::roads))
        .routes(routes!(zones::list, zones::create))
        .routes(routes!(zones::get, zones::put, zones::delete))
        .routes(routes!(drafts::void))
        .routes(routes!(drafts::list, drafts::create))
        .routes(routes!(drafts::delete))
        .routes(routes!(drafts::release))
        .routes(routes!(preview::draft))
        .routes(routes!(preview::zone))
        .routes(routes!(permits::list, permits::create))
        .routes(routes!(permits::revoke))
        .routes(routes!(ground::roads))
        .routes(routes!(ground::delete_road))
        .routes(routes!(ground::calendar))
        .routes(routes!(ground::drivers))
        .routes(routes!(ground::driving))
        .routes(routes!(ground::loads, ground::put_load))
        .routes(routes!(history::vehicle))
        .routes(routes!(settings::list))
        .routes(routes!(settings::put))
        .routes(routes!(facts::visits))
        .routes(routes!(facts::violations))
        .routes(routes!(facts::violation))
        .routes(routes!(cases::step))
        .routes(routes!(lots::occupancy))
        .routes(routes!(rulebook::list))
        .routes(routes!(events::get))
        .routes(routes!(users::list, users::create))
        .routes(routes!(door::list, door::create))
        .routes(routes!(door::get, door::put, door::delete))
        .routes(routes!(door::code))
        .routes(routes!(door::denied, door::deny, door::allow))
        .routes(routes!(custody::holds, custody::hold))
        .routes(routes!(custody::release))
        .routes(routes!(custody::key))
        .routes(routes!(custody::heads))
        .routes(routes!(custody::proof))
        .routes(routes!(custody::blob))
        .routes(routes!(custody::audit))
        .routes(routes!(service::openapi))
        .routes(routes!(service::metrics))
        .routes(routes!(service::health))
        .routes(routes!(service::ready))
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [(Method::GET, get), (Method::PUT, put), (Method::POST, post), (Method::DELETE, delete), (Method::PATCH, patch)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// What holds for every operation is added from the table: whom it needs, and the shape of its refusals.
fn describe() -> utoipa::openapi::OpenApi {
    let (_, mut api) = routes().split_for_parts();
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            let access = access::access(&method, path);
            if let Some(Access::Needs(permission)) = access {
                let text = operation.description.take().unwrap_or_default();
                operation.description =
                    Some(format!("{text}\n\nNeeds the permission `{permission:?}`.").trim().to_owned());
            }
            if access != Some(Access::Public) {
                let none: [&str; 0] = [];
                operation.security = Some(vec![SecurityRequirement::new(SCHEME, none)]);
            }
            let mut problem = Response::new("A refusal");
            let shape = Content::new(Some(Ref::from_schema_name("Problem")));
            problem.content.insert("application/problem+json".to_owned(), shape.into());
            operation.responses.responses.insert("default".to_owned(), problem.into());
        }
    }
    let components = api.components.get_or_insert_with(Components::new);
    components.add_security_scheme(SCHEME, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    api
}

/// The description of the API, OpenAPI in JSON, the same every time.
pub fn openapi_json() -> String {
    static JSON: OnceLock<String> = OnceLock::new();
    JSON.get_or_init(|| describe().to_pretty_json().unwrap_or_default()).clone()
}
