//! What was found in a scene: by the rules, and by the naive method beside them.

use std::collections::BTreeMap;

use model::{Fact, FactId, FactKind, Measures, VehicleId};
use rules::{Context, State, step};

use crate::scene::Scene;
use crate::terminal::T0;

/// A stay or a violation that somebody claims.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Which plot.
    pub plot: usize,
    /// Seconds.
    pub start_s: f64,
    /// Seconds; `None` while it lasts.
    pub end_s: Option<f64>,
    /// Per mille.
    pub confidence: u16,
    /// How far the start may be off, seconds; `None` when that is not known.
    pub start_error_s: Option<f64>,
    /// How far the end may be off, seconds.
    pub end_error_s: Option<f64>,
    /// How deep it says that it went, metres.
    pub depth_m: f64,
}

/// What the rules find: the facts of that kind as they stand in the end.
pub fn by_rules(scene: &Scene) -> BTreeMap<FactKind, Vec<Found>> {
    let zones = scene.zones();
    let registry = model::Registry::default();
    let ctx = Context { vehicle: VehicleId(1), zones: &zones, registry: &registry };
    let (mut state, mut facts) = (State::default(), Vec::new());
    for (_, fix) in &scene.reports {
        step(&ctx, &mut state, fix, &mut facts);
    }
    let last: BTreeMap<FactId, &Fact> = facts.iter().map(|fact| (fact.id, fact)).collect();
    let mut found: BTreeMap<FactKind, Vec<Found>> = BTreeMap::new();
    for fact in last.values().filter(|fact| fact.has_zone()) {
        let seconds = |at: model::Timestamp| at.since_us(T0) as f64 / 1e6;
        let error = |ms: u32| (ms != Measures::ERROR_UNKNOWN).then_some(f64::from(ms) / 1e3);
        found.entry(fact.kind).or_default().push(Found {
            plot: fact.zone.0 as usize - 1,
            start_s: seconds(fact.started_at),
            end_s: fact.ended_at.map(seconds),
            confidence: fact.confidence.0,
            start_error_s: error(fact.measures.start_error_ms),
            end_error_s: error(fact.measures.end_error_ms),
            depth_m: f64::from(fact.measures.depth_max_m),
        });
    }
    sorted(found)
}

/// What point in polygon at the fixes finds: entered at the first fix inside, left at the first fix outside, and every
/// stay in a forbidden zone is a violation.
pub fn by_points(scene: &Scene) -> BTreeMap<FactKind, Vec<Found>> {
    let mut found: BTreeMap<FactKind, Vec<Found>> = BTreeMap::new();
    for (number, plot) in scene.plots.iter().enumerate() {
        let mut stays: Vec<Found> = Vec::new();
        let mut open = false;
        for (second, fix) in &scene.reports {
            let t = *second as f64;
            let inside = plot.area.depth_m(crate::plane::xy(fix.lon(), fix.lat())) >= 0.0;
            if inside && !open {
                stays.push(Found {
                    plot: number,
                    start_s: t,
                    end_s: None,
                    confidence: 1000,
                    start_error_s: None,
                    end_error_s: None,
                    depth_m: 0.0,
                });
            } else if let Some(last) = stays.last_mut().filter(|_| open && !inside) {
                last.end_s = Some(t);
            }
            open = inside;
        }
        if plot.forbidden {
            found.entry(FactKind::V06).or_default().extend(&stays);
        }
        found.entry(FactKind::VISIT).or_default().extend(stays);
    }
    sorted(found)
}

fn sorted(mut found: BTreeMap<FactKind, Vec<Found>>) -> BTreeMap<FactKind, Vec<Found>> {
    for list in found.values_mut() {
        list.sort_by(|a, b| a.plot.cmp(&b.plot).then(a.start_s.total_cmp(&b.start_s)));
    }
    found
}
