//! Found held against truth: what was found, missed, made up, and how far the instants are off.
//!
//! A claim and a true stay belong together when they overlap in time, a claim widened by [`SLACK_S`]. Of several claims
//! on one true stay all but the first are made up (the truck did not leave in between); one claim over several true
//! stays finds them all.
//!
//! Some truth cannot be told from the reports at all: a corner cut 3 m deep is within the noise, and a bay beside the
//! chord between two fixes a minute apart may or may not have been driven into. Such cases are marked *vague*, by the
//! truth alone and never by what was claimed: a true stay is clear when it went deeper than [`VAGUE_M`] beyond the
//! chord error around it (the farthest that the true path leaves the straight line between the true places at the two
//! report times), or when a report was taken at least [`VAGUE_M`] inside; a claim that is not true is vague when the
//! true path, between the reports around it, came as near to the zone as [`VAGUE_M`] and that chord error together.
//! Figures are given with and without them. Of a parked truck nothing made up is vague.

use std::collections::BTreeMap;

use model::FactKind;

use crate::area::Area;
use crate::found::Found;
use crate::plane::Xy;
use crate::scene::{Plot, Scene};
use crate::truth::{Visit, visits};

/// By how much a claim may miss the true stay in time, seconds.
pub const SLACK_S: f64 = 10.0;
/// What the noise hides, metres: two deviations.
pub const VAGUE_M: f64 = 10.0;

/// How far one instant was off.
#[derive(Clone, Copy, Debug)]
pub struct Instant {
    /// Seconds, later positive.
    pub off_s: f64,
    /// What was stated as the most, seconds.
    pub bound_s: Option<f64>,
    /// The path runs straight on at one speed between the two reports around it.
    pub steady: bool,
}

/// The counts of one rule in one family.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Scenes.
    pub scenes: usize,
    /// True stays, and of them the clear ones.
    pub truths: [usize; 2],
    /// Found ones of each.
    pub hits: [usize; 2],
    /// Claims that are true.
    pub true_claims: usize,
    /// Claims that are not, and of them those that are not vague.
    pub made_up: [usize; 2],
    /// Claims with a confidence of at least 0.7, and of them the true ones.
    pub sure: [usize; 2],
    /// How far instants are off: starts and ends.
    pub instants: Vec<Instant>,
    /// What went wrong, for whoever looks for the reason.
    pub cases: Vec<String>,
}

impl Score {
    /// Adds another score of the same rule and family.
    pub fn add(&mut self, other: Self) {
        self.scenes += other.scenes;
        self.true_claims += other.true_claims;
        for class in 0..2 {
            self.truths[class] += other.truths[class];
            self.hits[class] += other.hits[class];
            self.made_up[class] += other.made_up[class];
            self.sure[class] += other.sure[class];
        }
        self.instants.extend(other.instants);
        self.cases.extend(other.cases);
    }

    /// Share of the true stays that were found: all, or the clear ones.
    pub fn recall(&self, clear: bool) -> f64 {
        share(self.hits[usize::from(clear)], self.truths[usize::from(clear)])
    }

    /// Share of the claims that are true: all, or without the vague ones.
    pub fn precision(&self, clear: bool) -> f64 {
        share(self.true_claims, self.true_claims + self.made_up[usize::from(clear)])
    }

    /// How far instants are off at that quantile, seconds.
    pub fn off_s(&self, quantile: f64, which: impl Fn(&Instant) -> bool) -> f64 {
        let mut off: Vec<f64> = self.instants.iter().filter(|i| which(i)).map(|i| i.off_s.abs()).collect();
        at(&mut off, quantile)
    }

    /// What was stated as the most at that quantile, seconds.
    pub fn bound_s(&self, quantile: f64) -> f64 {
        at(&mut self.instants.iter().filter_map(|i| i.bound_s).collect::<Vec<_>>(), quantile)
    }

    /// Share of the instants with a stated bound that hold it.
    pub fn bounds_true(&self) -> f64 {
        let stated = || self.instants.iter().filter_map(|i| i.bound_s.map(|bound_s| i.off_s.abs() <= bound_s));
        share(stated().filter(|held| *held).count(), stated().count())
    }

    /// Share of the instants that are at most a second off.
    pub fn within_a_second(&self, which: impl Fn(&Instant) -> bool) -> f64 {
        let chosen = || self.instants.iter().filter(|i| which(i));
        share(chosen().filter(|i| i.off_s.abs() <= 1.0).count(), chosen().count())
    }
}

fn share(of: usize, all: usize) -> f64 {
    if all == 0 { f64::NAN } else { of as f64 / all as f64 }
}

fn at(values: &mut [f64], quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(((values.len().saturating_sub(1)) as f64 * quantile).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Holds the claims of one scene against its truth, for each rule.
pub fn score(scene: &Scene, found: &BTreeMap<FactKind, Vec<Found>>, label: &str) -> BTreeMap<FactKind, Score> {
    let truth: Vec<Vec<Visit>> = scene.plots.iter().map(|plot| reported(scene, visits(&scene.path, plot))).collect();
    let mut scores = BTreeMap::new();
    for kind in [FactKind::VISIT, FactKind::V06] {
        let mut score = Score { scenes: 1, ..Score::default() };
        let claims = found.get(&kind).map_or(&[][..], Vec::as_slice);
        for (number, plot) in scene.plots.iter().enumerate() {
            let claims: Vec<&Found> = claims.iter().filter(|claim| claim.plot == number).collect();
            let truth: Vec<&Visit> = truth[number].iter().filter(|v| kind == FactKind::VISIT || v.violates).collect();
            let label = format!("{label} {kind} zone {}", number + 1);
            one_plot(scene, (plot, kind), &claims, &truth, &mut score, &label);
        }
        scores.insert(kind, score);
    }
    scores
}

/// What happened between the first report and the last; before and after nobody was told anything.
fn reported(scene: &Scene, mut visits: Vec<Visit>) -> Vec<Visit> {
    let (Some((first, _)), Some((last, _))) = (scene.reports.first(), scene.reports.last()) else { return Vec::new() };
    let (first_s, last_s) = (*first as f64, *last as f64);
    visits.retain(|visit| visit.end_s > first_s && visit.start_s < last_s);
    for visit in &mut visits {
        visit.from_begin |= visit.start_s <= first_s;
        visit.to_end |= visit.end_s >= last_s;
    }
    visits
}

/// Whether a claim, widened, and a true stay share any time.
fn overlap(claim: &Found, visit: &Visit) -> bool {
    let end_s = claim.end_s.unwrap_or(f64::INFINITY);
    claim.start_s - SLACK_S <= visit.end_s && visit.start_s <= end_s + SLACK_S
}

/// Counts what was found of the truth.
fn recall(scene: &Scene, plot: &Plot, claims: &[&Found], truth: &[&Visit], score: &mut Score, label: &str) {
    // What the last report leads to shows with the next one, which never comes.
    let decided_s = scene.reports.iter().rev().nth(1).map_or(0.0, |(second, _)| *second as f64);
    for visit in truth.iter().filter(|visit| visit.start_s < decided_s) {
        let clear = is_clear(scene, plot, visit);
        let hit = claims.iter().any(|claim| overlap(claim, visit));
        for class in 0..=usize::from(clear) {
            score.truths[class] += 1;
            score.hits[class] += usize::from(hit);
        }
        if !hit {
            let class = if clear { "clear" } else { "vague" };
            let (chord_m, _) = chord_error(scene, visit.start_s, visit.end_s);
            score.cases.push(format!(
                "{label}: {class} missed {:.1}..{:.1} depth {:.0} chord {chord_m:.0} of {} every {} s",
                visit.start_s,
                visit.end_s,
                visit.depth_m,
                kind_of(&plot.area),
                scene.interval_s
            ));
        }
    }
}

fn one_plot(
    scene: &Scene,
    (plot, kind): (&Plot, FactKind),
    claims: &[&Found],
    truth: &[&Visit],
    score: &mut Score,
    label: &str,
) {
    recall(scene, plot, claims, truth, score, label);
    let mut taken = vec![false; truth.len()];
    for claim in claims {
        let mine: Vec<usize> =
            (0..truth.len()).filter(|visit| !taken[*visit] && overlap(claim, truth[*visit])).collect();
        let sure = claim.confidence >= 700;
        score.sure[0] += usize::from(sure);
        let (Some(first), Some(last)) = (mine.first(), mine.last()) else {
            let vague = is_vague(scene, plot, claim, kind);
            score.made_up[0] += 1;
            score.made_up[1] += usize::from(!vague);
            let class = if vague { "vague" } else { "clear" };
            score.cases.push(format!(
                "{label}: {class} made up {:.1}..{:.1?} depth {:.0} at {} of {} every {} s",
                claim.start_s,
                claim.end_s,
                claim.depth_m,
                claim.confidence,
                kind_of(&plot.area),
                scene.interval_s
            ));
            continue;
        };
        score.true_claims += 1;
        score.sure[1] += usize::from(sure);
        mine.iter().for_each(|visit| taken[*visit] = true);
        let (first, last) = (truth[*first], truth[*last]);
        let begun = (!first.from_begin).then_some((claim.start_s, first.start_s, claim.start_error_s));
        let ended = claim.end_s.filter(|_| !last.to_end).map(|end_s| (end_s, last.end_s, claim.end_error_s));
        for (said_s, true_s, bound_s) in [begun, ended].into_iter().flatten() {
            let instant = Instant { off_s: said_s - true_s, bound_s, steady: is_steady(scene, true_s) };
            if bound_s.is_some_and(|bound_s| instant.off_s.abs() > 3.0 * bound_s + 2.0) {
                score.cases.push(format!(
                    "{label}: said {said_s:.1}, true {true_s:.1}, bound {:.1} of {} every {} s",
                    bound_s.unwrap_or(0.0),
                    kind_of(&plot.area),
                    scene.interval_s
                ));
            }
            score.instants.push(instant);
        }
    }
}

fn kind_of(area: &Area) -> &'static str {
    match area {
        Area::Rings(_) => "polygon",
        Area::Circle { .. } => "circle",
        Area::Band { .. } => "corridor",
    }
}

/// The report times around an instant.
fn around(scene: &Scene, t: f64) -> (f64, f64) {
    let after = scene.reports.partition_point(|(second, _)| *second as f64 <= t);
    let before_s = after.checked_sub(1).and_then(|at| scene.reports.get(at)).map_or(0.0, |(second, _)| *second as f64);
    (before_s, scene.reports.get(after).map_or(scene.path.end_s(), |(second, _)| *second as f64))
}

/// Places of the true path between two instants, every half second or two hundred in all.
fn places(scene: &Scene, from_s: f64, to_s: f64) -> impl Iterator<Item = Xy> + '_ {
    let count = ((to_s - from_s) * 2.0).clamp(2.0, 200.0).ceil();
    (0..=count as usize).map(move |k| scene.path.at(from_s + (to_s - from_s) * k as f64 / count).at)
}

/// The farthest that the true path leaves the chords between the report times, from the report before `from_s` to the
/// one after `to_s`; and those two.
fn chord_error(scene: &Scene, from_s: f64, to_s: f64) -> (f64, (f64, f64)) {
    let ((begin_s, _), (_, end_s)) = (around(scene, from_s), around(scene, to_s));
    let mut cuts = vec![begin_s];
    cuts.extend(scene.reports.iter().map(|(second, _)| *second as f64).filter(|t| begin_s < *t && *t < end_s));
    cuts.push(end_s);
    let off_m = |pair: &[f64]| {
        let (a, b) = (scene.path.at(pair[0]).at, scene.path.at(pair[1]).at);
        places(scene, pair[0], pair[1]).map(|p| p.distance_to(a, b)).fold(0.0, f64::max)
    };
    (cuts.windows(2).map(off_m).fold(0.0, f64::max), (begin_s, end_s))
}

fn is_clear(scene: &Scene, plot: &Plot, visit: &Visit) -> bool {
    if visit.depth_m < VAGUE_M {
        return false;
    }
    let reported = scene.reports.iter().map(|(second, _)| *second as f64);
    let mut within = reported.filter(|t| visit.start_s <= *t && *t <= visit.end_s);
    within.any(|t| plot.area.depth_m(scene.path.at(t).at) >= VAGUE_M)
        || visit.depth_m >= VAGUE_M + chord_error(scene, visit.start_s, visit.end_s).0
}

fn is_vague(scene: &Scene, plot: &Plot, claim: &Found, kind: FactKind) -> bool {
    if scene.parked {
        return false;
    }
    let end_s = claim.end_s.unwrap_or(claim.start_s).min(scene.path.end_s());
    let (chord_m, (from_s, to_s)) = chord_error(scene, claim.start_s, end_s.max(claim.start_s));
    // Whether a corridor was travelled or crossed is vague only where the way itself is.
    if kind == FactKind::V06 && matches!(plot.area, Area::Band { .. }) && chord_m < VAGUE_M {
        return false;
    }
    let nearest_m = places(scene, from_s, to_s).map(|p| plot.area.depth_m(p)).fold(f64::NEG_INFINITY, f64::max);
    nearest_m >= -(VAGUE_M + chord_m)
}

/// Straight (a metre) and even (a tenth) at 8 m/s or more between the two reports around.
fn is_steady(scene: &Scene, t: f64) -> bool {
    let (from_s, to_s) = around(scene, t);
    let speeds = (0..=20).map(|k| scene.path.at(from_s + (to_s - from_s) * f64::from(k) / 20.0).speed);
    let (low, high) = speeds.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    low >= 8.0 && high <= 1.1 * low && to_s - from_s <= 60.0 && chord_error(scene, t, t).0 <= 1.0
}
