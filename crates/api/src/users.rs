//! Users: who may log in. They are no part of the journal; that they were made is.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{Change, Principal, Registry, Role};
use serde::{Deserialize, Serialize};
use store::UserRow;
use utoipa::ToSchema;

use crate::app::App;
use crate::dto::{List, Time};
use crate::extract::{Body, Caller, Params};
use crate::problem::{Kind, Problem};
use crate::register::Plan;
use crate::terminals::PageQuery;
use crate::vehicles::CarrierView;

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserView {
    /// Name.
    name: String,
    /// `admin` or `carrier`.
    role: &'static str,
    /// Whose data they see; `null` for everybody's.
    #[schema(required = true)]
    carrier: Option<CarrierView>,
    /// May not log in.
    disabled: bool,
    /// When they were created.
    created_at: Time,
}

impl UserView {
    fn of(registry: &Registry, user: UserRow) -> Self {
        Self {
            name: user.name,
            role: user.role.name(),
            carrier: user.carrier.and_then(|id| registry.carrier(id)).map(|carrier| CarrierView::of(carrier)),
            disabled: user.disabled,
            created_at: Time(user.created),
        }
    }
}

/// Users by name. The cursor is the last name of the page before.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", operation_id = "list_users", params(PageQuery),
    responses((status = 200, description = "A page of users", body = List<UserView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(who): Caller,
    Params(query): Params<PageQuery>,
) -> Result<Json<List<UserView>>, Problem> {
    let limit = app.page(query.limit)?;
    let users = app.deps.store.users().list().await?.into_iter().filter(|user| who.scope.sees(user.carrier));
    let after = query.cursor.as_deref();
    let mut page: Vec<_> =
        users.filter(|user| after.is_none_or(|last| user.name.as_str() > last)).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|user| user.name.clone());
    let registry = app.registry();
    Ok(Json(List::new(page.into_iter().map(|user| UserView::of(&registry, user)).collect(), next)))
}

/// A user to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// Name.
    name: String,
    /// Password, 8 to 1,024 bytes.
    password: String,
    /// `admin` or `carrier`.
    role: String,
    /// Id or name of the carrier whose data they see; goes with the role `carrier` only. An unknown name becomes a
    /// carrier.
    carrier: Option<String>,
}

/// The store refuses bad names and passwords too, but only after the record is made.
fn check_name(name: &str) -> Result<(), Problem> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if (1..=64).contains(&name.chars().count()) && name.chars().all(fits) && name != Principal::system().name {
        return Ok(());
    }
    Err(Problem::invalid("name", "must be 1 to 64 letters, digits and . _ - @, and not `system`"))
}

fn check_password(password: &str) -> Result<(), Problem> {
    match (8..=1024).contains(&password.len()) {
        true => Ok(()),
        false => Err(Problem::invalid("password", "must have 8 to 1,024 bytes")),
    }
}

/// Makes a user. The journal keeps who made whom.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", operation_id = "create_user", request_body = NewUser,
    responses((status = 201, description = "Made", body = UserView)))]
pub(crate) async fn create(
    State(app): State<App>,
    Caller(who): Caller,
    Body(new): Body<NewUser>,
) -> Result<Response, Problem> {
    let role = Role::from_name(&new.role).ok_or_else(|| Problem::invalid("role", "must be admin or carrier"))?;
    let wants_carrier = role == Role::Carrier;
    if wants_carrier != new.carrier.as_deref().is_some_and(|text| !text.trim().is_empty()) {
        return Err(Problem::invalid("carrier", "goes with the role carrier, and with no other"));
    }
    check_name(&new.name)?;
    check_password(&new.password)?;
    let users = app.deps.store.users();
    if users.list().await?.iter().any(|user| user.name == new.name) {
        return Err(Problem::new(Kind::Conflict, "the name is taken").about("name"));
    }
    let registry = app.registry();
    let mut plan = Plan::new(&registry, who.scope, app.now());
    let carrier = plan.carrier(new.carrier.as_deref())?;
    let mut changes = plan.into_changes();
    // Recorded before it is done: a user that nobody knows the maker of would be worse than a record without a user.
    changes.push(Change::Audit {
        action: "user_create".to_owned(),
        subject: new.name.chars().take(64).collect(),
        detail: carrier.map_or_else(|| role.name().to_owned(), |id| format!("{} {id}", role.name())),
    });
    app.control().submit(&who, changes).await?;
    let user = users.create_user(&new.name, &new.password, role, carrier, app.now()).await?;
    Ok((StatusCode::CREATED, Json(UserView::of(&app.registry(), user))).into_response())
}
