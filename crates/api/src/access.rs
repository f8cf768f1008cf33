//! The table of routes: who may do what. The guard enforces it, so a route that is not in it answers nothing.

use axum::http::Method;
use model::Permission;

/// What a route asks of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Public,
    /// A session, whoever holds it.
    LoggedIn,
    /// A session whose holder may do this.
    Needs(Permission),
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its method. HEAD goes with GET.
    pub method: Method,
    /// Its path, parameters in braces.
    pub path: &'static str,
    /// What it asks of the caller.
    pub access: Access,
}

const fn needs(method: Method, path: &'static str, permission: Permission) -> Route {
    Route { method, path, access: Access::Needs(permission) }
}

const fn public(method: Method, path: &'static str) -> Route {
    Route { method, path, access: Access::Public }
}

/// Every route.
pub const ROUTES: &[Route] = &[
    public(Method::POST, "/api/v1/sessions"),
    Route { method: Method::DELETE, path: "/api/v1/sessions/current", access: Access::LoggedIn },
    needs(Method::GET, "/api/v1/vehicles", Permission::VehiclesRead),
    needs(Method::POST, "/api/v1/vehicles", Permission::VehiclesWrite),
    needs(Method::GET, "/api/v1/vehicles/{id}", Permission::VehiclesRead),
    needs(Method::GET, "/api/v1/vehicles/{id}/track", Permission::TracksRead),
    needs(Method::GET, "/api/v1/vehicles/{id}/commands", Permission::CommandsRead),
    needs(Method::POST, "/api/v1/vehicles/{id}/commands", Permission::CommandsSend),
    needs(Method::GET, "/api/v1/commands/{id}", Permission::CommandsRead),
    needs(Method::GET, "/api/v1/terminals/unknown", Permission::FramesRead),
    needs(Method::POST, "/api/v1/terminals/{phone}/admit", Permission::VehiclesWrite),
    needs(Method::POST, "/api/v1/terminals/{phone}/revoke", Permission::VehiclesWrite),
    needs(Method::GET, "/api/v1/terminals/{phone}/frames", Permission::FramesRead),
    needs(Method::POST, "/api/v1/imports/vehicles", Permission::VehiclesWrite),
    needs(Method::POST, "/api/v1/imports/carriers", Permission::VehiclesWrite),
    needs(Method::POST, "/api/v1/imports/terminals", Permission::VehiclesWrite),
    needs(Method::POST, "/api/v1/imports/zones", Permission::ZonesWrite),
    needs(Method::POST, "/api/v1/imports/calendar", Permission::ZonesWrite),
    needs(Method::POST, "/api/v1/imports/drivers", Permission::DriversWrite),
    needs(Method::POST, "/api/v1/imports/permits", Permission::PermitsWrite),
    needs(Method::POST, "/api/v1/imports/roads", Permission::ZonesWrite),
    needs(Method::GET, "/api/v1/vehicles/{id}/loads", Permission::VehiclesRead),
    needs(Method::POST, "/api/v1/vehicles/{id}/loads", Permission::VehiclesWrite),
    needs(Method::GET, "/api/v1/vehicles/{id}/history", Permission::VehiclesRead),
    needs(Method::POST, "/api/v1/vehicles/{id}/driver", Permission::DriversWrite),
    needs(Method::GET, "/api/v1/drivers", Permission::DriversRead),
    needs(Method::GET, "/api/v1/permits", Permission::PermitsRead),
    needs(Method::POST, "/api/v1/permits", Permission::PermitsWrite),
    needs(Method::POST, "/api/v1/permits/{id}/revoke", Permission::PermitsWrite),
    needs(Method::GET, "/api/v1/calendar", Permission::ZonesRead),
    needs(Method::GET, "/api/v1/roads", Permission::ZonesRead),
    needs(Method::DELETE, "/api/v1/roads/{id}", Permission::ZonesWrite),
    needs(Method::GET, "/api/v1/settings", Permission::SettingsRead),
    needs(Method::PUT, "/api/v1/settings/{id}", Permission::SettingsWrite),
    needs(Method::GET, "/api/v1/zone-drafts", Permission::ZonesWrite),
    needs(Method::POST, "/api/v1/zone-drafts", Permission::ZonesWrite),
    needs(Method::DELETE, "/api/v1/zone-drafts/{id}", Permission::ZonesWrite),
    needs(Method::POST, "/api/v1/zone-drafts/{id}/release", Permission::ZonesWrite),
    needs(Method::POST, "/api/v1/zones/{id}/void", Permission::ZonesWrite),
    needs(Method::POST, "/api/v1/zone-drafts/{id}/preview", Permission::ZonesWrite),
    needs(Method::POST, "/api/v1/zones/preview", Permission::ZonesWrite),
    needs(Method::GET, "/api/v1/zones", Permission::ZonesRead),
    needs(Method::POST, "/api/v1/zones", Permission::ZonesWrite),
    needs(Method::GET, "/api/v1/zones/{id}", Permission::ZonesRead),
    needs(Method::PUT, "/api/v1/zones/{id}", Permission::ZonesWrite),
    needs(Method::DELETE, "/api/v1/zones/{id}", Permission::ZonesWrite),
    needs(Method::GET, "/api/v1/zones/{id}/visits", Permission::ViolationsRead),
    needs(Method::GET, "/api/v1/violations", Permission::ViolationsRead),
    needs(Method::GET, "/api/v1/violations/{id}", Permission::ViolationsRead),
    needs(Method::POST, "/api/v1/violations/{id}/steps", Permission::CasesWork),
    needs(Method::GET, "/api/v1/rules", Permission::ViolationsRead),
    needs(Method::GET, "/api/v1/zones/{id}/occupancy", Permission::ViolationsRead),
    needs(Method::GET, "/api/v1/events", Permission::EventsRead),
    needs(Method::GET, "/api/v1/users", Permission::UsersWrite),
    needs(Method::POST, "/api/v1/users", Permission::UsersWrite),
    needs(Method::GET, "/api/v1/forwarders", Permission::DoorRead),
    needs(Method::POST, "/api/v1/forwarders", Permission::DoorWrite),
    needs(Method::GET, "/api/v1/forwarders/{id}", Permission::DoorRead),
    needs(Method::PUT, "/api/v1/forwarders/{id}", Permission::DoorWrite),
    needs(Method::DELETE, "/api/v1/forwarders/{id}", Permission::DoorWrite),
    needs(Method::POST, "/api/v1/forwarders/{id}/code", Permission::DoorWrite),
    needs(Method::GET, "/api/v1/denied", Permission::DoorRead),
    needs(Method::POST, "/api/v1/denied", Permission::DoorWrite),
    needs(Method::DELETE, "/api/v1/denied", Permission::DoorWrite),
    needs(Method::GET, "/api/v1/holds", Permission::JournalRead),
    needs(Method::POST, "/api/v1/holds", Permission::HoldsWrite),
    needs(Method::DELETE, "/api/v1/holds/{id}", Permission::HoldsWrite),
    public(Method::GET, "/api/v1/journal/key"),
    public(Method::GET, "/api/v1/journal/heads"),
    needs(Method::GET, "/api/v1/journal/proof", Permission::JournalRead),
    needs(Method::GET, "/api/v1/journal/blobs/{id}", Permission::JournalRead),
    needs(Method::GET, "/api/v1/audit", Permission::AuditRead),
    public(Method::GET, "/api/openapi.json"),
    public(Method::GET, "/metrics"),
    public(Method::GET, "/healthz"),
    public(Method::GET, "/readyz"),
];

/// What the route asks; `None` for a route that is not in the table.
pub(crate) fn access(method: &Method, path: &str) -> Option<Access> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    ROUTES.iter().find(|route| route.method == *method && route.path == path).map(|route| route.access)
}

/// The methods that a path knows, as an `Allow` header has them; empty for an unknown path.
pub(crate) fn methods(path: &str) -> String {
    let methods = ROUTES.iter().filter(|route| route.path == path);
    methods.map(|route| route.method.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_stands_once() {
        for (i, route) in ROUTES.iter().enumerate() {
            let again = ROUTES[i + 1..].iter().any(|other| other.method == route.method && other.path == route.path);
            assert!(!again, "{route:?}");
        }
        assert_eq!(access(&Method::HEAD, "/healthz"), Some(Access::Public));
        assert_eq!(access(&Method::PATCH, "/healthz"), None);
        assert_eq!(methods("/api/v1/zones/{id}"), "GET, PUT, DELETE");
    }
}
