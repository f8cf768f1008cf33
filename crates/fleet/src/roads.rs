//! The illustrative road network: sections between junctions, places to drive to, the quickest way between two of
//! them. Drawn by hand (data/roads.geojson), not surveyed; not for navigation.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, LazyLock, OnceLock};

use serde::Deserialize;

use crate::geo::{Point, smooth};
use crate::path::{Path, Surroundings};

/// Class of a road (道路等级): it decides how readily a planner takes it and whether radio covers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    /// 高速公路.
    Expressway,
    /// 国道, ring roads.
    National,
    /// 省道, links.
    Provincial,
    /// Streets (城市道路).
    Urban,
    /// Inside an industrial park (园区道路).
    Industrial,
}

impl Class {
    /// How much longer than it takes a second on this road feels: dangerous goods keep out of towns.
    const fn reluctance(self) -> f64 {
        match self {
            Self::Urban => 2.5,
            _ => 1.0,
        }
    }
}

/// What trucks do at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PlaceKind {
    /// Loads goods (装货).
    Supplier,
    /// Takes goods (收货).
    Customer,
    /// Dedicated lot (专用停车场).
    Depot,
}

/// Somewhere to drive to.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) node: usize,
    pub(crate) kind: PlaceKind,
    pub(crate) weight: u32,
}

/// A stretch between two junctions, two-way.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) ends: [usize; 2],
    pub(crate) line: Vec<Point>,
    pub(crate) limit_kmh: f64,
    pub(crate) class: Class,
    pub(crate) around: Surroundings,
}

/// The network, with every way between two places found at most once and shared by all trucks.
#[derive(Debug)]
pub struct Network {
    pub(crate) sections: Vec<Section>,
    pub(crate) places: Vec<Place>,
    nodes: usize,
    leaving: Vec<Vec<usize>>,
    paths: Vec<OnceLock<Option<Arc<Path>>>>,
}

static NETWORK: LazyLock<Network> = LazyLock::new(|| {
    Network::from_geojson(include_str!("../data/roads.geojson")).expect("the embedded road file is sound (tested)")
});

#[derive(Deserialize)]
struct Collection {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    properties: Properties,
    geometry: Geometry,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Properties {
    Place { place: PlaceKind, weight: u32 },
    Road(RoadProperties),
}

#[derive(Deserialize)]
struct RoadProperties {
    class: Class,
    limit_kmh: f64,
    #[serde(default)]
    bridge: bool,
    #[serde(default)]
    tunnel: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum Geometry {
    Point([f64; 2]),
    LineString(Vec<[f64; 2]>),
}

/// Coordinates as a key: equal digits are one junction.
fn key([lon, lat]: [f64; 2]) -> (i64, i64) {
    ((lon * 1e6).round() as i64, (lat * 1e6).round() as i64)
}

/// A line cut wherever `cut` says so; neighbours share the vertex.
fn pieces(line: &[[f64; 2]], cut: impl Fn([f64; 2]) -> bool) -> Vec<Vec<[f64; 2]>> {
    let mut all = Vec::new();
    let mut piece = Vec::new();
    for &vertex in line {
        piece.push(vertex);
        if piece.len() > 1 && cut(vertex) {
            all.push(std::mem::replace(&mut piece, vec![vertex]));
        }
    }
    if piece.len() > 1 {
        all.push(piece);
    }
    all
}

impl Network {
    /// The network of this crate.
    #[must_use]
    pub fn qujing() -> &'static Self {
        &NETWORK
    }

    fn from_geojson(text: &str) -> Result<Self, serde_json::Error> {
        let collection: Collection = serde_json::from_str(text)?;
        let mut uses = BTreeMap::<_, u32>::new();
        for feature in &collection.features {
            match &feature.geometry {
                Geometry::Point(at) => *uses.entry(key(*at)).or_default() += 1,
                Geometry::LineString(line) => line.iter().for_each(|v| *uses.entry(key(*v)).or_default() += 1),
            }
        }
        let mut nodes = BTreeMap::new();
        let mut node = |at| {
            let next = nodes.len();
            *nodes.entry(key(at)).or_insert(next)
        };
        let (mut sections, mut places) = (Vec::new(), Vec::new());
        for feature in collection.features {
            match (feature.properties, feature.geometry) {
                (Properties::Place { place, weight }, Geometry::Point(at)) => {
                    places.push(Place { node: node(at), kind: place, weight });
                }
                (Properties::Road(road), Geometry::LineString(line)) => {
                    for piece in pieces(&line, |vertex| uses.get(&key(vertex)).is_some_and(|n| *n > 1)) {
                        let points: Vec<Point> = piece.iter().map(|&[lon, lat]| Point { lon, lat }).collect();
                        let (Some(&first), Some(&last)) = (piece.first(), piece.last()) else { continue };
                        sections.push(Section {
                            ends: [node(first), node(last)],
                            line: smooth(&points, 3),
                            limit_kmh: road.limit_kmh,
                            class: road.class,
                            around: Surroundings::new(road.bridge, road.tunnel, road.class),
                        });
                    }
                }
                _ => return Err(serde::de::Error::custom("a place is a Point, a road a LineString")),
            }
        }
        Ok(Self::linked(sections, places, nodes.len()))
    }

    fn linked(sections: Vec<Section>, places: Vec<Place>, nodes: usize) -> Self {
        let mut leaving = vec![Vec::new(); nodes];
        for (index, section) in sections.iter().enumerate() {
            for end in section.ends {
                if let Some(list) = leaving.get_mut(end) {
                    list.push(index);
                }
            }
        }
        let paths = (0..places.len() * places.len()).map(|_| OnceLock::new()).collect();
        Self { sections, places, nodes, leaving, paths }
    }

    /// The quickest way from place to place; `None` when there is none, or both are one.
    pub(crate) fn path(&self, from: usize, to: usize) -> Option<Arc<Path>> {
        let slot = self.paths.get(from * self.places.len() + to)?;
        slot.get_or_init(|| {
            let way = self.quickest(self.places.get(from)?.node, self.places.get(to)?.node)?;
            Path::along(&way).map(Arc::new)
        })
        .clone()
    }

    /// Dijkstra over junctions; cost in milliseconds, so that ties break alike everywhere.
    fn quickest(&self, from: usize, to: usize) -> Option<Vec<(&Section, bool)>> {
        let mut best = vec![(u64::MAX, None); self.nodes];
        best.get_mut(from)?.0 = 0;
        let mut open = BinaryHeap::from([Reverse((0, from))]);
        while let Some(Reverse((cost, node))) = open.pop() {
            if node == to {
                break;
            }
            if cost > best.get(node)?.0 {
                continue;
            }
            for &index in self.leaving.get(node)? {
                let section = self.sections.get(index)?;
                let [a, b] = section.ends;
                let next = if node == a { b } else { a };
                let reached = cost + section.cost_ms();
                let known = best.get_mut(next)?;
                if reached < known.0 {
                    *known = (reached, Some(index));
                    open.push(Reverse((reached, next)));
                }
            }
        }
        let mut way = Vec::new();
        let mut node = to;
        while node != from {
            let section = self.sections.get(best.get(node)?.1?)?;
            let [a, b] = section.ends;
            let forward = node == b;
            way.push((section, forward));
            node = if forward { a } else { b };
        }
        way.reverse();
        (!way.is_empty()).then_some(way)
    }
}

impl Section {
    fn length_m(&self) -> f64 {
        self.line.windows(2).map(|pair| if let [a, b] = *pair { a.distance_m(b) } else { 0.0 }).sum()
    }

    fn cost_ms(&self) -> u64 {
        (self.length_m() / (self.limit_kmh / 3.6) * self.class.reluctance() * 1_000.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_reaches_every_other() {
        let network = Network::qujing();
        assert!(network.places.len() >= 20 && network.sections.len() >= 50);
        for from in 0..network.places.len() {
            for to in (0..network.places.len()).filter(|to| *to != from) {
                let (there, back) = (network.path(from, to), network.path(to, from));
                let (Some(there), Some(back)) = (there, back) else { panic!("no way {from} <-> {to}") };
                assert!((there.length_m() - back.length_m()).abs() < 1.0, "{from} {to}");
                assert!((300.0..400_000.0).contains(&there.length_m()), "{from} {to} {}", there.length_m());
            }
        }
    }

    #[test]
    fn all_of_it_lies_in_the_region_and_has_lawful_limits() {
        for section in &Network::qujing().sections {
            let max_kmh = if section.class == Class::Expressway { 80.0 } else { 60.0 };
            assert!((20.0..=max_kmh).contains(&section.limit_kmh), "{section:?}");
            for at in &section.line {
                assert!((103.0..105.0).contains(&at.lon) && (24.5..26.7).contains(&at.lat), "{at:?}");
            }
        }
    }

    #[test]
    fn lines_are_cut_at_junctions_only() {
        let line = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]];
        assert_eq!(pieces(&line, |v| v[0] == 2.0), [line[..3].to_vec(), line[2..].to_vec()]);
        assert_eq!(pieces(&line, |_| false), [line.to_vec()]);
    }
}
