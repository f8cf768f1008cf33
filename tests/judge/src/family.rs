//! The families of scenes, as data: what roads, what terminals, what plots. A scene is a row of this table and a seed.

use crate::chance::Span;
use crate::road::Road;
use crate::terminal::Terminal;

/// Where plots lie along a road.
#[derive(Clone, Copy, Debug)]
pub struct Plots {
    /// Metres from one to the next.
    pub every_m: Span,
    /// From the middle of an area to its nearest side, metres: at least 25, as no area is narrower than 50 m.
    pub half_m: Span,
    /// Probability that an area lies beside the road, 15 to 80 m off, rather than on it.
    pub beside: f64,
    /// Probability that a plot is a corridor rather than an area.
    pub bridges: f64,
    /// Probability that a corridor crosses the road, above or below, rather than carrying it.
    pub over: f64,
}

/// What the truck does.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// It drives, through plots.
    Road(Road, Plots),
    /// It parks all night at the edge of a plot.
    Night {
        /// From the edge, metres.
        away_m: Span,
        /// How long it stands.
        hours: Span,
        /// Within the edge rather than outside.
        inside: bool,
    },
}

/// A family.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// What the truck does.
    pub way: Way,
    /// What its terminal does.
    pub terminal: Terminal,
}

/// A sound terminal.
const SOUND: Terminal = Terminal {
    interval_s: &[10, 15, 20, 30, 60],
    noise_m: (3.0, 5.0),
    memory_s: (60.0, 300.0),
    reflections: 0.0,
    reflection_m: (20.0, 60.0),
    reflection_s: (20.0, 120.0),
    jumps: 0.0,
    freezes: 0.0,
    gaps: 0.0,
    freeze_s: (60.0, 180.0),
    gap_s: (180.0, 600.0),
};

/// A terminal among cliffs and houses, at the end of its life.
const POOR: Terminal = Terminal { reflections: 0.003, jumps: 0.005, freezes: 0.001, gaps: 0.005, ..SOUND };

/// A terminal through a night.
const NIGHT: Terminal = Terminal { interval_s: &[30, 60, 120], reflections: 0.001, jumps: 0.002, ..SOUND };

const PLOTS: Plots = Plots { every_m: (250.0, 1_200.0), half_m: (25.0, 150.0), beside: 0.35, bridges: 0.3, over: 0.4 };

const MOUNTAIN: Road = Road {
    length_m: 15_000.0,
    straight_m: (20.0, 300.0),
    radius_m: (40.0, 250.0),
    turn_deg: (15.0, 100.0),
    speed_mps: (8.0, 17.0),
    sideways_mps2: 1.8,
    pull_mps2: 0.6,
    stop_every_m: Some((3_000.0, 9_000.0)),
    stop_s: (20.0, 300.0),
    u_turns: 0.0,
};

const EXPRESSWAY: Road = Road {
    length_m: 30_000.0,
    straight_m: (200.0, 1_500.0),
    radius_m: (500.0, 2_000.0),
    turn_deg: (8.0, 45.0),
    speed_mps: (17.0, 25.0),
    sideways_mps2: 1.5,
    pull_mps2: 0.4,
    stop_every_m: None,
    stop_s: (0.0, 0.0),
    u_turns: 0.0,
};

/// All families, the plain ones first.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "steady",
        about: "straight on at one speed: instants to the second",
        way: Way::Road(
            Road { radius_m: (50_000.0, 60_000.0), turn_deg: (0.01, 0.02), pull_mps2: 0.0, ..EXPRESSWAY },
            Plots { bridges: 0.1, ..PLOTS },
        ),
        terminal: SOUND,
    },
    Family {
        name: "expressway",
        about: "wide bends, 60 to 90 km/h",
        way: Way::Road(EXPRESSWAY, PLOTS),
        terminal: SOUND,
    },
    Family {
        name: "mountain",
        about: "bends of 40 to 250 m, 30 to 60 km/h, stops",
        way: Way::Road(MOUNTAIN, PLOTS),
        terminal: SOUND,
    },
    Family {
        name: "hairpins",
        about: "bends of 12 to 30 m through up to 180 degrees",
        way: Way::Road(
            Road {
                length_m: 10_000.0,
                straight_m: (60.0, 300.0),
                radius_m: (12.0, 30.0),
                turn_deg: (100.0, 185.0),
                speed_mps: (6.0, 11.0),
                ..MOUNTAIN
            },
            PLOTS,
        ),
        terminal: SOUND,
    },
    Family {
        name: "town",
        about: "corners, traffic lights, queues",
        way: Way::Road(
            Road {
                length_m: 8_000.0,
                straight_m: (100.0, 400.0),
                radius_m: (10.0, 18.0),
                turn_deg: (80.0, 100.0),
                speed_mps: (6.0, 14.0),
                pull_mps2: 0.9,
                stop_every_m: Some((200.0, 700.0)),
                stop_s: (5.0, 90.0),
                ..MOUNTAIN
            },
            PLOTS,
        ),
        terminal: SOUND,
    },
    Family {
        name: "bridges",
        about: "corridors under the wheels, above and below, at 25 to 90 degrees; stops and turns on them",
        way: Way::Road(
            Road { length_m: 20_000.0, stop_every_m: Some((500.0, 3_000.0)), u_turns: 0.1, ..MOUNTAIN },
            Plots { every_m: (250.0, 700.0), bridges: 1.0, over: 0.5, ..PLOTS },
        ),
        terminal: SOUND,
    },
    Family {
        name: "poor",
        about: "mountain roads with reflections, jumps by 200 m, frozen positions and gaps of minutes",
        way: Way::Road(MOUNTAIN, PLOTS),
        terminal: POOR,
    },
    Family {
        name: "night-outside",
        about: "parked all night 5 to 50 m outside an edge",
        way: Way::Night { away_m: (5.0, 50.0), hours: (8.0, 11.0), inside: false },
        terminal: NIGHT,
    },
    Family {
        name: "night-inside",
        about: "parked all night 5 to 50 m inside an edge",
        way: Way::Night { away_m: (5.0, 50.0), hours: (8.0, 11.0), inside: true },
        terminal: NIGHT,
    },
];
