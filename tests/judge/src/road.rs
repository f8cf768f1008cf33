//! The true path of a truck: a road of straights, clothoids and arcs, driven within limits of acceleration; one node a
//! metre, so nodes are nearer than a second wherever the truck moves.

use crate::chance::{Chance, Span};
use crate::plane::Xy;

/// How a family's roads and drivers are.
#[derive(Clone, Copy, Debug)]
pub struct Road {
    /// Length of the drive, metres.
    pub length_m: f64,
    /// Straights between bends, metres.
    pub straight_m: Span,
    /// Radius of bends, metres.
    pub radius_m: Span,
    /// By how much a bend turns, degrees.
    pub turn_deg: Span,
    /// What the driver aims at, m/s; chosen again every few hundred metres.
    pub speed_mps: Span,
    /// Sideways acceleration that a bend is taken with, m/s2.
    pub sideways_mps2: f64,
    /// Speeding up and slowing down, m/s2; 0: the speed never changes.
    pub pull_mps2: f64,
    /// Metres between stops; `None`: never.
    pub stop_every_m: Option<Span>,
    /// How long a stop lasts, seconds.
    pub stop_s: Span,
    /// Probability that a bend is a turn about, within 12 m.
    pub u_turns: f64,
}

/// One moment of the truth.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Seconds since the drive began.
    pub t: f64,
    /// Where.
    pub at: Xy,
    /// Radians clockwise from north.
    pub heading: f64,
    /// m/s.
    pub speed: f64,
}

/// The truth, by time; straight and even between nodes.
pub struct Path(pub Vec<Node>);

impl Path {
    /// When it ends, seconds.
    pub fn end_s(&self) -> f64 {
        self.0.last().map_or(0.0, |node| node.t)
    }

    /// The truth at an instant.
    pub fn at(&self, t: f64) -> Node {
        let after = self.0.partition_point(|node| node.t <= t).clamp(1, self.0.len() - 1);
        let (a, b) = (self.0[after - 1], self.0[after]);
        let share = if b.t > a.t { ((t - a.t) / (b.t - a.t)).clamp(0.0, 1.0) } else { 0.0 };
        let mut turn = b.heading - a.heading;
        turn -= (turn / std::f64::consts::TAU).round() * std::f64::consts::TAU;
        Node {
            t,
            at: a.at.towards(b.at, share),
            heading: a.heading + turn * share,
            speed: a.speed + (b.speed - a.speed) * share,
        }
    }
}

/// Curvature, the speed aimed at and stops, metre by metre.
struct Plan {
    /// 1/m, to the right positive.
    bends: Vec<f64>,
    /// m/s.
    limit: Vec<f64>,
    /// Seconds.
    dwell: Vec<f64>,
}

/// Share of a bend's length that each of its two clothoids takes.
const CLOTHOID: f64 = 0.3;

/// Drives a road.
pub fn drive(road: &Road, chance: &mut Chance) -> Path {
    let plan = plan(road, chance);
    let speeds = speeds(&plan.limit, road.pull_mps2);
    let mut node = Node { t: 0.0, at: Xy::default(), heading: chance.within((0.0, std::f64::consts::TAU)), speed: 0.0 };
    let mut nodes = Vec::with_capacity(plan.bends.len());
    for (metre, bend) in plan.bends.iter().enumerate() {
        node.speed = speeds[metre];
        nodes.push(node);
        if plan.dwell[metre] > 0.0 {
            node.t += plan.dwell[metre];
            nodes.push(node);
        }
        let next = speeds.get(metre + 1).copied().unwrap_or(node.speed);
        node.t += 2.0 / (node.speed + next).max(1.0);
        let middle = node.heading + 0.5 * bend;
        node.at = node.at + Xy::of_heading(middle);
        node.heading += bend;
    }
    Path(nodes)
}

fn plan(road: &Road, chance: &mut Chance) -> Plan {
    let length = road.length_m as usize;
    let mut bends = Vec::with_capacity(length + 2_000);
    while bends.len() < length {
        bends.extend(std::iter::repeat_n(0.0, chance.within(road.straight_m) as usize));
        let about = chance.coin(road.u_turns);
        let radius_m = if about { 12.0 } else { chance.within(road.radius_m) };
        let turn = if about { std::f64::consts::PI } else { chance.within(road.turn_deg).to_radians() };
        let full = chance.sign() / radius_m;
        // The two clothoids together turn as much as one of their lengths at full curvature would.
        let bend_m = radius_m * turn / (1.0 - CLOTHOID);
        for metre in 0..bend_m as usize {
            let share = metre as f64 / bend_m;
            bends.push(full * (share.min(1.0 - share) / CLOTHOID).min(1.0));
        }
    }
    bends.truncate(length);
    let mut aimed = chance.within(road.speed_mps);
    let mut again = 0.0;
    let mut stop = road.stop_every_m.map_or(f64::INFINITY, |every| chance.within(every));
    let (mut limit, mut dwell) = (Vec::with_capacity(length), vec![0.0; length]);
    for (metre, bend) in bends.iter().enumerate() {
        if metre as f64 >= again && road.pull_mps2 > 0.0 {
            aimed = chance.within(road.speed_mps);
            again = metre as f64 + chance.within((200.0, 900.0));
        }
        limit.push(aimed.min((road.sideways_mps2 / bend.abs().max(1e-6)).sqrt()));
        if metre as f64 >= stop {
            limit[metre] = 0.0;
            dwell[metre] = chance.within(road.stop_s);
            stop += road.stop_every_m.map_or(f64::INFINITY, |every| chance.within(every));
        }
    }
    Plan { bends, limit, dwell }
}

/// The fastest drive within the limits.
fn speeds(limit: &[f64], pull_mps2: f64) -> Vec<f64> {
    let mut speeds = limit.to_vec();
    if pull_mps2 > 0.0 {
        for at in 1..speeds.len() {
            speeds[at] = speeds[at].min((speeds[at - 1].powi(2) + 2.0 * pull_mps2).sqrt());
        }
        for at in (1..speeds.len()).rev() {
            speeds[at - 1] = speeds[at - 1].min((speeds[at].powi(2) + 2.0 * pull_mps2).sqrt());
        }
    }
    speeds
}
