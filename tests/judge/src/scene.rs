//! A scene: a drive, the plots around it, and the reports of its terminal. Everything from a family and a seed.

use std::f64::consts::{SQRT_2, TAU};

use model::{Change, ControlRecord, Direction, Fix, LegalBasis, Registry, Timestamp, Zone, ZoneId, ZoneKind, ZoneRule};
use rules::Zones;

use crate::area::Area;
use crate::chance::Chance;
use crate::family::{Family, Plots, Way};
use crate::plane::Xy;
use crate::road::{Node, Path, drive};
use crate::terminal::{T0, reports};

/// A zone of a scene.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Where.
    pub area: Area,
    /// Which way it binds, if it has an axis.
    pub direction: Direction,
    /// Whether it is forbidden.
    pub forbidden: bool,
}

/// All of it.
pub struct Scene {
    /// The truth.
    pub path: Path,
    /// Zone n is the plot n - 1.
    pub plots: Vec<Plot>,
    /// A truck parked all night: nothing is vague there, there were hours to find out.
    pub parked: bool,
    /// Seconds between two reports.
    pub interval_s: i64,
    /// What the server gets to see: second and fix.
    pub reports: Vec<(i64, Fix)>,
}

impl Scene {
    /// The scene of a family under that seed.
    pub fn of(family: &Family, seed: u64) -> Self {
        let mut chance = Chance::of(family.name, seed);
        let (path, plots) = match &family.way {
            Way::Road(road, plots) => {
                let path = drive(road, &mut chance);
                let plots = plant(&path, plots, &mut chance);
                (path, plots)
            }
            Way::Night { away_m, hours, inside } => night(*away_m, *hours, *inside, &mut chance),
        };
        let interval_s = chance.pick(family.terminal.interval_s);
        let reports = reports(&path, &family.terminal, interval_s, &mut chance);
        let parked = matches!(family.way, Way::Night { .. });
        Self { path, plots, parked, interval_s, reports }
    }

    /// The plots as zones that always bind.
    pub fn zones(&self) -> Zones {
        let mut registry = Registry::default();
        for (seq, plot) in (1..).zip(&self.plots) {
            let zone = Zone {
                id: ZoneId(seq),
                revision: 1,
                name: format!("plot {seq}"),
                kind: ZoneKind::Custom,
                geometry: plot.area.geometry(plot.direction),
                rules: if plot.forbidden { vec![ZoneRule::forbidden()] } else { Vec::new() },
                source_crs: "wgs84".into(),
                legal: LegalBasis::default(),
                place: String::new(),
                detour: String::new(),
                drafted_by: None,
                valid_from: Some(Timestamp::MIN),
                valid_to: None,
                recorded_at: T0,
            };
            let change = Change::ZonePut(zone);
            registry.apply(&ControlRecord { seq, recorded_at: T0, actor: "judge".into(), change });
        }
        Zones::build(&registry)
    }
}

/// Plots along the path: areas on it and beside it, some nested in or touching the one before; bridges that it runs
/// over, and bridges that cross above it.
fn plant(path: &Path, plots: &Plots, chance: &mut Chance) -> Vec<Plot> {
    let mut planted: Vec<Plot> = Vec::new();
    let mut at = chance.within(plots.every_m);
    while at + 300.0 < path.0.len() as f64 {
        let node = path.0[at as usize];
        let forbidden = chance.coin(0.7);
        let direction = chance.pick(&[Direction::Both, Direction::Both, Direction::Forward, Direction::Backward]);
        let area = if chance.coin(plots.bridges) {
            let half_width_m = chance.within((10.0, 18.0));
            if chance.coin(plots.over) {
                crossing(&node, half_width_m, chance)
            } else {
                under_wheels(path, at as usize, half_width_m, chance)
            }
        } else {
            let half_m = chance.within(plots.half_m);
            let beside_m = if chance.coin(plots.beside) {
                half_m + chance.within((15.0, 80.0))
            } else {
                half_m * chance.within((0.0, 0.6))
            };
            area(node.at + Xy::of_heading(node.heading).left() * (beside_m * chance.sign()), half_m, chance)
        };
        // Now and then a second one inside the first, or wall to wall with it.
        if let Area::Circle { centre, radius_m } = area {
            if radius_m > 60.0 && chance.coin(0.4) {
                planted.push(Plot { area: Area::Circle { centre, radius_m: radius_m / 2.0 }, direction, forbidden });
            } else if chance.coin(0.3) {
                let centre = centre + Xy::of_heading(node.heading) * (2.0 * radius_m);
                planted.push(Plot { area: Area::Circle { centre, radius_m }, direction, forbidden });
            }
        }
        planted.push(Plot { area, direction, forbidden });
        at += chance.within(plots.every_m);
    }
    planted
}

/// A circle, a rectangle, a star with bays, or a block with a court; `half_m` from its middle to its nearest side.
fn area(centre: Xy, half_m: f64, chance: &mut Chance) -> Area {
    let turned = chance.within((0.0, TAU));
    let ring = |corners: &[(f64, f64)]| -> Vec<Xy> {
        corners.iter().map(|(angle, far)| centre + Xy::of_heading(turned + angle) * (half_m * far)).collect()
    };
    let block = |far: f64| [0.0, 0.25, 0.5, 0.75].map(|share| (share * TAU, far * SQRT_2));
    match chance.pick(&[0, 1, 2, 3]) {
        0 => Area::Circle { centre, radius_m: half_m },
        1 => Area::Rings(vec![ring(&block(1.0))]),
        2 => {
            let corners: Vec<_> = (0..12).map(|k| (f64::from(k) * TAU / 12.0, chance.within((1.0, 1.6)))).collect();
            Area::Rings(vec![ring(&corners)])
        }
        _ if half_m > 80.0 => Area::Rings(vec![ring(&block(1.0)), ring(&block(0.25))]),
        _ => Area::Rings(vec![ring(&block(1.3))]),
    }
}

/// Metres between the vertices of a bridge that follows a road.
const STEP_M: usize = 15;

/// A bridge of 100 to 300 m that the path runs over, drawn with an error of a metre or so; half of them against the
/// way of travel.
fn under_wheels(path: &Path, from: usize, half_width_m: f64, chance: &mut Chance) -> Area {
    let steps = (chance.within((100.0, 300.0)) / STEP_M as f64) as usize;
    let mut axis = vec![path.0[from].at];
    let mut heading = path.0[from].heading;
    for step in 1..=steps {
        let (node, before) = (path.0.get(from + step * STEP_M), path.0.get(from + (step - 1) * STEP_M));
        let turns = node.zip(before).is_none_or(|(node, before)| (node.heading - before.heading).abs() > 0.6);
        // Where the truck turns about, the bridge goes on.
        let last = axis.last().copied().unwrap_or_default();
        match node.filter(|node| !turns && (node.at - last).norm() < 1.5 * STEP_M as f64) {
            Some(node) => {
                heading = node.heading;
                axis.push(node.at + Xy::of_heading(heading).left() * (0.5 * chance.normal()));
            }
            None => axis.push(last + Xy::of_heading(heading) * STEP_M as f64),
        }
    }
    if chance.coin(0.5) {
        axis.reverse();
    }
    Area::Band { axis, half_width_m }
}

/// A bridge of 200 to 600 m over the path, or a road beneath it that is one: at 25 to 90 degrees.
fn crossing(node: &Node, half_width_m: f64, chance: &mut Chance) -> Area {
    let angle = chance.within((25.0, 155.0)).to_radians();
    let along = Xy::of_heading(node.heading + angle);
    let (before_m, after_m) = (chance.within((100.0, 300.0)), chance.within((100.0, 300.0)));
    Area::Band { axis: vec![node.at - along * before_m, node.at, node.at + along * after_m], half_width_m }
}

/// A truck that comes, parks all night beside or within the edge of a plot, and goes. Within the half plane away from
/// the plot when it parks outside; across the edge when it parks inside.
fn night(away_m: (f64, f64), hours: (f64, f64), inside: bool, chance: &mut Chance) -> (Path, Vec<Plot>) {
    let away_m = chance.within(away_m);
    let out = Xy::of_heading(chance.within((0.0, TAU)));
    let parked = Xy::default();
    let edge = parked + out * if inside { away_m } else { -away_m };
    let area = match chance.pick(&[0, 1, 2]) {
        0 => Area::Circle { centre: edge - out * 200.0, radius_m: 200.0 },
        1 => {
            let (side, deep) = (out.left() * 250.0, out * -400.0);
            Area::Rings(vec![vec![edge - side, edge + side, edge + side + deep, edge - side + deep]])
        }
        _ => {
            let (middle, side) = (edge - out * 60.0, out.left() * 400.0);
            Area::Band { axis: vec![middle - side, middle + side], half_width_m: 60.0 }
        }
    };
    let mut nodes = Vec::new();
    let heading_of = |v: Xy| v.x.atan2(v.y);
    let from = Xy::of_heading(heading_of(out) + chance.within((-1.4, 1.4)));
    let to = Xy::of_heading(heading_of(out) + chance.within((-1.4, 1.4)));
    let mut t = 0.0;
    let speed_at = |left_m: f64| (2.0 * 0.6 * left_m).sqrt().clamp(0.5, 12.0);
    for left_m in (0..=800).rev() {
        let left_m = f64::from(left_m);
        nodes.push(Node { t, at: parked + from * left_m, heading: heading_of(from * -1.0), speed: speed_at(left_m) });
        t += 1.0 / speed_at(left_m);
    }
    nodes.push(Node { t, at: parked, heading: heading_of(from * -1.0), speed: 0.0 });
    t += 3600.0 * chance.within(hours);
    for gone_m in 0..=800 {
        let gone_m = f64::from(gone_m);
        let speed = if gone_m == 0.0 { 0.0 } else { speed_at(gone_m) };
        nodes.push(Node { t, at: parked + to * gone_m, heading: heading_of(to), speed });
        t += 1.0 / speed_at(gone_m + 1.0);
    }
    (Path(nodes), vec![Plot { area, direction: Direction::Both, forbidden: true }])
}
