//! Settings that people make: the thresholds of the rules, two-person release, the region.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Change, Region, Registry, THRESHOLDS};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::change::{Done, Pending, submit};
use crate::dto::{List, Time};
use crate::extract::{Body, Caller, Name};
use crate::problem::Problem;

/// A value that a setting was given.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetView {
    /// When it was recorded; it holds from then on.
    recorded_at: Time,
    /// The value.
    value: String,
}

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettingView {
    /// Its name; the unit comes last.
    key: &'static str,
    /// What it means.
    about: &'static str,
    /// What holds now.
    value: String,
    /// What holds when nobody has set it.
    default: String,
    /// The least number that is taken.
    #[schema(required = true)]
    min: Option<i64>,
    /// The greatest number that is taken.
    #[schema(required = true)]
    max: Option<i64>,
    /// The values that it was given, oldest first; of thresholds only.
    history: Vec<SetView>,
}

/// Settings that are no thresholds: name, meaning, default.
fn switches() -> [(&'static str, &'static str, String); 2] {
    [
        ("zones.two_person", "whether a zone needs a second person to release it: true or false", "false".to_owned()),
        (Region::SETTING, "where zones and roads must lie: west, south, east, north", Region::default().to_string()),
    ]
}

fn views(registry: &Registry) -> Vec<SettingView> {
    let now = model::Timestamp::MAX;
    let thresholds = THRESHOLDS.iter().map(|row| {
        let set = |(at, value): &(model::Timestamp, i64)| SetView { recorded_at: Time(*at), value: value.to_string() };
        SettingView {
            key: row.key,
            about: row.about,
            value: registry.records().threshold_at(row.key, now).unwrap_or(row.default).to_string(),
            default: row.default.to_string(),
            min: Some(row.min),
            max: Some(row.max),
            history: registry.records().threshold_history(row.key).iter().map(set).collect(),
        }
    });
    let switches = switches().into_iter().map(|(key, about, default)| {
        let value = registry.setting(key).map_or_else(|| default.clone(), str::to_owned);
        SettingView { key, about, value, default, min: None, max: None, history: Vec::new() }
    });
    thresholds.chain(switches).collect()
}

/// All settings with their meanings, defaults and ranges.
#[utoipa::path(get, path = "/api/v1/settings", tag = "settings", operation_id = "list_settings",
    responses((status = 200, description = "All of them", body = List<SettingView>)))]
pub(crate) async fn list(State(app): State<App>) -> Json<List<SettingView>> {
    Json(List::new(views(&app.registry()), None::<String>))
}

/// A value for a setting.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewValue {
    /// As text, also of numbers.
    #[schema(example = "80")]
    value: String,
}

/// Gives a setting a value, from now on.
#[utoipa::path(put, path = "/api/v1/settings/{id}", tag = "settings", operation_id = "put_setting",
    params(("id" = String, Path, description = "Name of the setting")), request_body = NewValue,
    responses((status = 200, description = "In force", body = SettingView),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn put(
    State(app): State<App>,
    Caller(who): Caller,
    Name(key): Name,
    Body(new): Body<NewValue>,
) -> Result<Response, Problem> {
    let known = |view: &SettingView| view.key == key;
    if !views(&app.registry()).iter().any(known) {
        let key: String = key.chars().take(64).collect();
        return Err(Problem::not_found(format_args!("setting {key:?}")));
    }
    let answer = || Done {
        status: StatusCode::OK,
        body: views(&app.registry()).into_iter().find(known),
        id: Some(key.clone()),
        location: None,
    };
    submit(&app, &who, vec![Change::SettingPut { key: key.clone(), value: new.value }], answer).await
}
