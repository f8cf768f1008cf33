//! The rules that are judged by, in words, with their levels and thresholds.

use axum::Json;
use model::THRESHOLDS;
use serde::Serialize;
use utoipa::ToSchema;

use crate::dto::List;

/// A rule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// The kind of its facts: `visit`, `V06`, ...
    kind: String,
    /// How grave its violations are, 1 to 3, the most where it has bands; 0 for what is none.
    level: u8,
    /// What it asks, in words.
    definition: &'static str,
    /// The settings that it reads.
    settings: Vec<&'static str>,
}

impl RuleView {
    fn of(kind: model::FactKind, level: u8, definition: &'static str) -> Self {
        let code = kind.to_string();
        let prefix = format!("rules.{}.", code.trim_end_matches("-night"));
        let own = THRESHOLDS.iter().map(|row| row.key).filter(|key| key.starts_with(&prefix));
        let kind = if kind == model::FactKind::ALARMS { "alarm-..".to_owned() } else { code };
        Self { kind, level, definition, settings: own.collect() }
    }
}

/// The rules that are judged by.
#[utoipa::path(get, path = "/api/v1/rules", tag = "violations", operation_id = "list_rules",
    responses((status = 200, description = "All of them", body = List<RuleView>)))]
pub(crate) async fn list() -> Json<List<RuleView>> {
    let of_zones = rules::RULES.iter().map(|rule| RuleView::of(rule.kind, rule.level, rule.definition));
    let of_vehicles = rules::WATCH_RULES.iter().map(|rule| RuleView::of(rule.kind, rule.level, rule.definition));
    let mut all: Vec<_> = of_zones.chain(of_vehicles).collect();
    all.sort_by(|a, b| a.kind.cmp(&b.kind));
    Json(List::new(all, None::<String>))
}
