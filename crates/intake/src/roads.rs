//! Roads as GeoJSON, and stake ranges along them as corridors.

use std::collections::BTreeMap;

use geo_types::LineString;
use geofence::{Point, distance_m};
use model::{Coord, Corridor, Direction, Road, RoadClass, RoadId, RoadLine, ServiceArea, Stake, StakeOnLine, Tunnel};
use serde_json::{Value, json};

use crate::fault::all_or_nothing;
use crate::geometry::{Frame, items, line};
use crate::reader::Reader;
use crate::vehicles::first_of;
use crate::zones::check_declared_crs;
use crate::{Fault, decode_text};

/// Most roads of one file.
pub const ROADS_MAX: usize = 10_000;
const PROPERTIES: [&str; 8] = ["code", "name", "class", "direction", "limit_kmh", "stakes", "tunnels", "service_areas"];
const CLASSES: &str = "expressway, national, provincial, county, urban, park, other";
const NAME_MAX: usize = 200;

/// A road as it is drawn: no identity yet.
#[derive(Clone, Debug, PartialEq)]
pub struct RoadDraft {
    /// All but the identity, which is 0.
    pub road: Road,
}

impl RoadDraft {
    /// The road under that identity.
    #[must_use]
    pub fn into_road(self, id: RoadId) -> Road {
        Road { id, ..self.road }
    }
}

/// Reads roads as a feature collection of LineStrings and MultiLineStrings. Properties: `code`, `class` and, where
/// known, `name`, `limit_kmh`, `direction` (one, or one a line), `stakes` (one list a line of
/// `{"along_m":0,"stake":"K103+386"}`), `tunnels` (`{"from":"K1","to":"K2","name":"..."}`) and `service_areas`
/// (`{"stake":"K9","name":"..."}`).
///
/// # Errors
/// Every bad feature with its number, from 1, and everything that is wrong with it.
pub fn read_roads(bytes: &[u8], frame: impl Into<Frame>) -> Result<Vec<RoadDraft>, Vec<Fault>> {
    let frame = frame.into();
    let text = decode_text(bytes).map_err(|fault| vec![fault])?;
    let root: Value = serde_json::from_str(&text).map_err(|e| vec![Fault::whole(format!("no JSON: {e}"))])?;
    if root.get("type").and_then(Value::as_str) != Some("FeatureCollection") {
        return Err(vec![Fault::field("type", "must be \"FeatureCollection\"")]);
    }
    check_declared_crs(&root)?;
    let features = root.get("features").and_then(Value::as_array);
    let features = features.ok_or_else(|| vec![Fault::field("features", "must be a list")])?;
    if features.len() > ROADS_MAX {
        return Err(vec![Fault::whole(format!("{} features, at most {ROADS_MAX} are taken", features.len()))]);
    }
    let mut codes = BTreeMap::new();
    all_or_nothing((1..).zip(features).map(|(row, feature)| {
        let read = read_road(feature, &frame).and_then(|draft| {
            let Some(first) = first_of(&mut codes, &draft.road.code, row) else { return Ok(draft) };
            let message = format!("{} is feature {first} already: its lines belong in one feature", draft.road.code);
            Err(vec![Fault::field("properties.code", message)])
        });
        (row, read)
    }))
}

fn read_road(feature: &Value, frame: &Frame) -> Result<RoadDraft, Vec<Fault>> {
    let properties = feature.get("properties").unwrap_or(&Value::Null);
    let mut reader = Reader::of("properties", properties).map_err(|fault| vec![fault])?;
    reader.only(&PROPERTIES);
    let code = reader.text("code", 20).unwrap_or_default();
    if code.is_empty() && reader.faults.is_empty() {
        reader.fault("code", "is missing");
    }
    let class = reader.choice("class", RoadClass::from_name, CLASSES);
    if reader.get("class").is_none() {
        reader.fault("class", "is missing");
    }
    let name = reader.text("name", NAME_MAX).unwrap_or_default();
    let limit_kmh = reader.whole("limit_kmh");
    let tunnels = reader.each("tunnels", |path, value| {
        let mut reader = Reader::of(path, value).map_err(|fault| vec![fault])?;
        reader.only(&["from", "to", "name"]);
        let (from, to) = (stake(&mut reader, "from"), stake(&mut reader, "to"));
        let name = reader.text("name", NAME_MAX).unwrap_or_default();
        reader.finish(Tunnel { from, to, name })
    });
    let service_areas = reader.each("service_areas", |path, value| {
        let mut reader = Reader::of(path, value).map_err(|fault| vec![fault])?;
        reader.only(&["stake", "name"]);
        let (stake, name) = (stake(&mut reader, "stake"), reader.text("name", NAME_MAX).unwrap_or_default());
        reader.finish(ServiceArea { stake, name })
    });
    let stakes = reader.each("stakes", read_stakes);
    let lines = read_lines(feature.get("geometry").unwrap_or(&Value::Null), frame, &mut reader);
    let lines = with_stakes(lines, stakes, &mut reader);
    let class = class.unwrap_or(RoadClass::Other);
    let road = Road { id: RoadId(0), code, name, class, lines, limit_kmh, tunnels, service_areas };
    reader.finish(RoadDraft { road })
}

fn stake(reader: &mut Reader<'_>, member: &str) -> Stake {
    let parsed = reader.get(member).and_then(Value::as_str).map(str::parse::<Stake>);
    match parsed {
        Some(Ok(stake)) => return stake,
        Some(Err(error)) => reader.fault(member, error),
        None => reader.fault(member, "must be a stake like K103+386"),
    }
    Stake::default()
}

/// The stakes of one line.
fn read_stakes(path: String, value: &Value) -> Result<Vec<StakeOnLine>, Vec<Fault>> {
    let list = items(value, &path).map_err(|fault| vec![fault])?;
    let (mut stakes, mut faults) = (Vec::new(), Vec::new());
    for (i, value) in list.iter().enumerate() {
        let read = Reader::of(format!("{path}[{i}]"), value).map_err(|fault| vec![fault]).and_then(|mut reader| {
            reader.only(&["along_m", "stake"]);
            if reader.get("along_m").is_none() {
                reader.fault("along_m", "is missing");
            }
            let (along_m, stake) = (reader.whole("along_m").unwrap_or(0), stake(&mut reader, "stake"));
            reader.finish(StakeOnLine { along_m, stake })
        });
        match read {
            Ok(stake) => stakes.push(stake),
            Err(bad) => faults.extend(bad),
        }
    }
    let ascending = stakes.is_sorted_by(|a, b| a.along_m < b.along_m);
    let one_way = stakes.is_sorted_by(|a, b| a.stake < b.stake) || stakes.is_sorted_by(|a, b| a.stake > b.stake);
    if faults.is_empty() && !(ascending && one_way) {
        faults.push(Fault::field(path, "must ascend along the line, and run one way"));
    }
    if faults.is_empty() { Ok(stakes) } else { Err(faults) }
}

fn read_lines(geometry: &Value, frame: &Frame, reader: &mut Reader<'_>) -> Vec<LineString<f64>> {
    let path = "geometry.coordinates";
    let coordinates = geometry.get("coordinates").unwrap_or(&Value::Null);
    let read = match geometry.get("type").and_then(Value::as_str).unwrap_or_default() {
        "LineString" => line(coordinates, path, frame.crs).map(|line| vec![line]),
        "MultiLineString" => items(coordinates, path).and_then(|list| {
            list.iter().enumerate().map(|(i, part)| line(part, &format!("{path}[{i}]"), frame.crs)).collect()
        }),
        other => Err(Fault::field("geometry.type", format!("{other:?} is none of LineString, MultiLineString"))),
    };
    let checked = read.and_then(|lines: Vec<LineString<f64>>| {
        for (part, line) in lines.iter().enumerate() {
            if line.0.len() < 2 {
                return Err(Fault::field(path, format!("line {part} has fewer than 2 vertices")));
            }
            if let Some((vertex, c)) = line.0.iter().enumerate().find(|(_, c)| !frame.region.contains(**c)) {
                let region = frame.region;
                let swapped = region.contains(Coord { x: c.y, y: c.x });
                let why =
                    if swapped { "has its axes swapped: longitude comes first" } else { "lies outside the region" };
                let message = format!("line {part}, vertex {vertex}: {}, {} {why}", c.x, c.y);
                let c = frame.crs.from_wgs84(*c);
                let drawn = json!({"type": "Point", "coordinates": [c.x, c.y]});
                return Err(Fault::field(path, message).drawn(Some(drawn)));
            }
        }
        if lines.is_empty() { Err(Fault::field(path, "has no line")) } else { Ok(lines) }
    });
    checked.unwrap_or_else(|fault| {
        reader.faults.push(fault);
        Vec::new()
    })
}

fn with_stakes(lines: Vec<LineString<f64>>, stakes: Vec<Vec<StakeOnLine>>, reader: &mut Reader<'_>) -> Vec<RoadLine> {
    if !stakes.is_empty() && stakes.len() != lines.len() && !lines.is_empty() {
        reader.fault("stakes", format!("{} lists for {} lines", stakes.len(), lines.len()));
    }
    let directions: Vec<Direction> = match reader.get("direction") {
        None => Vec::new(),
        Some(Value::Array(list)) => {
            let read = |value: &Value| value.as_str().and_then(Direction::from_name);
            match list.iter().map(read).collect::<Option<Vec<_>>>().filter(|list| list.len() == lines.len()) {
                Some(list) => list,
                None => {
                    reader.fault("direction", "must be one of both, forward, backward for each line");
                    Vec::new()
                }
            }
        }
        Some(_) => {
            let one = reader.choice("direction", Direction::from_name, "both, forward, backward");
            vec![one.unwrap_or_default(); lines.len()]
        }
    };
    let mut stakes = stakes.into_iter();
    let lines = lines.into_iter().enumerate().map(|(i, line)| RoadLine {
        line,
        stakes: stakes.next().unwrap_or_default(),
        direction: directions.get(i).copied().unwrap_or_default(),
    });
    lines.collect()
}

/// A road as a feature, its coordinates in the frame's system.
#[must_use]
pub fn write_road(road: &Road, crs: crate::Crs) -> Value {
    let line = |line: &RoadLine| {
        let shown = |c: &Coord| {
            let c = crs.from_wgs84(*c);
            json!([c.x, c.y])
        };
        Value::Array(line.line.0.iter().map(shown).collect())
    };
    let stakes = |line: &RoadLine| -> Value {
        line.stakes.iter().map(|s| json!({"along_m": s.along_m, "stake": s.stake.to_string()})).collect()
    };
    let tunnel = |t: &Tunnel| json!({"from": t.from.to_string(), "to": t.to.to_string(), "name": t.name});
    let area = |area: &ServiceArea| json!({"stake": area.stake.to_string(), "name": area.name});
    json!({
        "type": "Feature",
        "id": road.id.to_string(),
        "geometry": {"type": "MultiLineString", "coordinates": road.lines.iter().map(line).collect::<Vec<_>>()},
        "properties": {
            "code": road.code,
            "name": road.name,
            "class": road.class.name(),
            "limit_kmh": road.limit_kmh,
            "direction": road.lines.iter().map(|line| line.direction.name()).collect::<Vec<_>>(),
            "stakes": road.lines.iter().map(stakes).collect::<Vec<_>>(),
            "tunnels": road.tunnels.iter().map(tunnel).collect::<Vec<_>>(),
            "service_areas": road.service_areas.iter().map(area).collect::<Vec<_>>(),
        },
    })
}

/// Cuts a range of stakes out of a road, one corridor a line that has a piece of it.
///
/// # Errors
/// When no line offers all of the range, or its ends are the same; the message says what the road offers.
pub fn corridors_between(
    road: &Road,
    from: Stake,
    to: Stake,
    half_width_m: f64,
    direction: Direction,
) -> Result<Vec<Corridor>, Fault> {
    let (low, high) = (from.min(to), from.max(to));
    if low == high {
        return Err(Fault::field("to", "must be another stake than from"));
    }
    let mut covered: Vec<(Stake, Stake)> = Vec::new();
    let mut corridors = Vec::new();
    for line in &road.lines {
        let Some((first, last)) = reach(line) else { continue };
        let (a, b) = (low.max(first), high.min(last));
        if a >= b || !binds(direction, line.direction) {
            continue;
        }
        let ends = along_m(line, a).zip(along_m(line, b));
        let Some(axis) = ends.and_then(|(a, b)| cut(&line.line, a.min(b), a.max(b))) else { continue };
        covered.push((a, b));
        // A carriageway binds its own way; a line for both ways, as the restriction says.
        let direction = if line.direction == Direction::Both { direction } else { line.direction };
        corridors.push(Corridor { axis, half_width_m, direction });
    }
    covered.sort();
    let reached = covered.iter().fold(low, |at, (a, b)| if *a <= at { at.max(*b) } else { at });
    if reached < high {
        let offers: Vec<_> = road.lines.iter().filter_map(reach).map(|(a, b)| format!("{a} to {b}")).collect();
        let offers = if offers.is_empty() { "no stakes".to_owned() } else { offers.join(", ") };
        return Err(Fault::whole(format!("{low} to {high} is not on road {}, which offers {offers}", road.code)));
    }
    Ok(corridors)
}

/// Whether traffic of that direction goes on a line.
fn binds(asked: Direction, line: Direction) -> bool {
    asked == Direction::Both || line == Direction::Both || asked == line
}

/// The least and the greatest stake of a line.
fn reach(line: &RoadLine) -> Option<(Stake, Stake)> {
    let (first, last) = (line.stakes.first()?.stake, line.stakes.last()?.stake);
    (first != last).then(|| (first.min(last), first.max(last)))
}

/// How far along its line a stake is, metres.
fn along_m(line: &RoadLine, stake: Stake) -> Option<f64> {
    line.stakes.windows(2).find_map(|pair| {
        let [a, b] = pair else { return None };
        let (from, to) = (a.stake.min(b.stake), a.stake.max(b.stake));
        if stake < from || stake > to || from == to {
            return None;
        }
        let share = (f64::from(stake.0) - f64::from(a.stake.0)) / (f64::from(b.stake.0) - f64::from(a.stake.0));
        Some(f64::from(a.along_m) + share * (f64::from(b.along_m) - f64::from(a.along_m)))
    })
}

/// The part of a line between two ways along it, metres; as far as it goes.
fn cut(line: &LineString<f64>, from_m: f64, to_m: f64) -> Option<LineString<f64>> {
    let mut part = Vec::new();
    let mut at_m = 0.0;
    for pair in line.0.windows(2) {
        let [a, b] = pair else { continue };
        let (p, q) = (Point::new(a.x, a.y), Point::new(b.x, b.y));
        let leg_m = distance_m(p, q);
        let (begin, end) = ((from_m - at_m).max(0.0), (to_m - at_m).min(leg_m));
        if leg_m > 0.0 && begin < end {
            for way in [begin, end] {
                let place = p.lerp(q, way / leg_m);
                let c = Coord { x: place.lon, y: place.lat };
                if part.last() != Some(&c) {
                    part.push(c);
                }
            }
        }
        at_m += leg_m;
    }
    (part.len() >= 2).then_some(LineString(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Crs;

    const ROADS: &str = r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"LineString",
        "coordinates":[[103.8,25.5],[103.9,25.5],[103.9,25.6]]},"properties":{"code":"S11","class":"expressway",
        "limit_kmh":80,"stakes":[[{"along_m":0,"stake":"K100"},{"along_m":20000,"stake":"K120"}]],
        "tunnels":[{"from":"K101","to":"K102+500","name":"隧道"}],"service_areas":[{"stake":"K110","name":"服务区"}]}}]}"#;

    fn road() -> Road {
        read_roads(ROADS.as_bytes(), Crs::Wgs84).unwrap().remove(0).into_road(RoadId(7))
    }

    #[test]
    fn roads_come_back_as_they_were_written() {
        let road = road();
        let mut written = write_road(&road, Crs::Wgs84);
        written.as_object_mut().unwrap().remove("id");
        let file = json!({"type": "FeatureCollection", "features": [written]}).to_string();
        let again = read_roads(file.as_bytes(), Crs::Wgs84).unwrap().remove(0);
        assert_eq!(again.into_road(RoadId(7)), road);
    }

    #[test]
    fn stake_ranges_become_corridors() {
        let (road, stake) = (road(), |text: &str| text.parse::<Stake>().unwrap());
        let found = corridors_between(&road, stake("K111"), stake("K105"), 20.0, Direction::Both).unwrap();
        assert_eq!(found.len(), 1);
        let points = &found[0].axis.0;
        assert_eq!((points.len(), points[1].x, points[1].y), (3, 103.9, 25.5));
        let length: f64 = points.windows(2).map(|w| distance_m(Point::from(w[0]), Point::from(w[1]))).sum();
        assert!((length - 6000.0).abs() < 1.0, "{length}");
        let beyond = corridors_between(&road, stake("K119"), stake("K121"), 20.0, Direction::Both).unwrap_err();
        assert_eq!(beyond.to_string(), "K119+000 to K121+000 is not on road S11, which offers K100+000 to K120+000");
        assert!(corridors_between(&road, stake("K119"), stake("K119"), 20.0, Direction::Both).is_err());
    }

    #[test]
    fn carriageways_bind_their_own_way_and_gaps_are_refused() {
        let mut road = road();
        let line = RoadLine { direction: Direction::Forward, ..road.lines[0].clone() };
        let other = RoadLine { direction: Direction::Backward, ..line.clone() };
        road.lines = vec![line.clone(), other];
        let ask = |road: &Road, direction| corridors_between(road, Stake(101_000), Stake(102_000), 9.0, direction);
        let ways = |found: Vec<Corridor>| found.iter().map(|c| c.direction).collect::<Vec<_>>();
        assert_eq!(ways(ask(&road, Direction::Both).unwrap()), [Direction::Forward, Direction::Backward]);
        assert_eq!(ways(ask(&road, Direction::Backward).unwrap()), [Direction::Backward]);
        let part = |a: u32, b: u32| {
            let stakes =
                vec![StakeOnLine { along_m: 0, stake: Stake(a) }, StakeOnLine { along_m: 9000, stake: Stake(b) }];
            RoadLine { stakes, direction: Direction::Both, ..line.clone() }
        };
        road.lines = vec![part(100_000, 101_400), part(101_600, 103_000)];
        assert!(ask(&road, Direction::Both).is_err());
        road.lines = vec![part(100_000, 101_600), part(101_600, 103_000)];
        assert_eq!(ask(&road, Direction::Both).map(|found| found.len()), Ok(2));
    }

    #[test]
    fn faults_name_their_place() {
        for (from, to, expect) in [
            ("\"class\":\"expressway\"", "\"class\":\"motorway\"", "row 1: properties.class: \"motorway\" is none of"),
            ("\"code\":\"S11\",", "", "row 1: properties.code: is missing"),
            ("K120", "120", "row 1: properties.stakes[0][1].stake: not a stake"),
            ("\"along_m\":20000", "\"along_m\":0", "row 1: properties.stakes[0]: must ascend"),
            ("[103.9,25.6]", "[25.6,103.9]", "row 1: geometry.coordinates: line 0, vertex 2: 25.6, 103.9 has its axes"),
            ("\"limit_kmh\":80", "\"limit\":80", "row 1: properties.limit: unknown property"),
            ("\"LineString\"", "\"Point\"", "row 1: geometry.type: \"Point\" is none of"),
        ] {
            let file = ROADS.replace(from, to);
            let faults = read_roads(file.as_bytes(), Crs::Wgs84).expect_err(to);
            assert!(faults[0].to_string().starts_with(expect), "{to}: {faults:?}");
        }
    }
}
