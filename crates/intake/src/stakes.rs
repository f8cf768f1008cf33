//! Zones as a CSV of stake ranges (桩号) along recorded roads: one row a section, rows of one name are one zone.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Corridor, Direction, Geometry, LegalBasis, Region, Road, Stake, Timestamp, ZoneKind, ZoneRule};

use crate::fault::all_or_nothing;
use crate::table::{self, Column, Row};
use crate::zones::{ZONES_MAX, ZoneDraft};
use crate::{Crs, Fault, Frame, corridors_between, geometry};

const NAME: usize = 0;
const KIND: usize = 1;
const ROAD: usize = 2;
const FROM: usize = 3;
const TO: usize = 4;
const HALF_WIDTH: usize = 5;
const DIRECTION: usize = 6;
const DETOUR: usize = 7;
const ISSUER: usize = 8;
const NUMBER: usize = 9;
const TITLE: usize = 10;
const URL: usize = 11;
const VALID_FROM: usize = 12;
const VALID_TO: usize = 13;

const fn column(name: &'static str, also: &'static [&'static str], needed: bool) -> Column {
    Column { name, also, needed }
}

static COLUMNS: [Column; 14] = [
    column("name", &["名称"], true),
    column("kind", &["类型"], false),
    column("road", &["路线编号", "公路编号"], true),
    column("from", &["起点桩号"], true),
    column("to", &["止点桩号", "终点桩号"], true),
    column("half_width_m", &["半宽"], false),
    column("direction", &["方向"], false),
    column("detour", &["绕行路线"], false),
    column("issuer", &["发布机关"], false),
    column("number", &["文号"], false),
    column("title", &["文件名称"], false),
    column("url", &["网址"], false),
    column("valid_from", &["生效时间"], false),
    column("valid_to", &["失效时间"], false),
];

/// Half width when a row does not say: both carriageways of an expressway, metres.
const HALF_WIDTH_M: f64 = 25.0;
const TEXT_MAX: usize = 2_000;

/// A section of a zone.
struct Section {
    line: u64,
    name: String,
    kind: ZoneKind,
    place: String,
    corridors: Vec<Corridor>,
    detour: String,
    legal: LegalBasis,
    valid_from: Option<Timestamp>,
    valid_to: Option<Timestamp>,
}

/// Reads zones: `name`, `road`, `from`, `to` and, where wanted, `kind`, `half_width_m` (25), `direction` (`both`),
/// `detour`, `issuer`, `number`, `title`, `url`, `valid_from`, `valid_to`. They are forbidden to all at all times. What
/// concerns the whole zone is read from its first row; `road` gives the road of a code.
///
/// # Errors
/// Every bad row with its line and column, and what the road offers when it lacks a range.
pub fn read_stake_zones(
    bytes: &[u8],
    region: Region,
    road: impl Fn(&str) -> Option<Arc<Road>>,
) -> Result<Vec<ZoneDraft>, Vec<Fault>> {
    let sections = table::read(bytes, &COLUMNS, |row| section(row, &road))?;
    let mut drafts: Vec<(u64, ZoneDraft, Vec<Corridor>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for section in sections {
        let place = *places.entry(section.name.clone()).or_insert(drafts.len());
        match drafts.get_mut(place) {
            Some((_, draft, corridors)) => {
                draft.place = format!("{}；{}", draft.place, section.place);
                corridors.extend(section.corridors);
            }
            None => drafts.push(begin(section)),
        }
    }
    if drafts.len() > ZONES_MAX {
        return Err(vec![Fault::whole(format!("{} zones, at most {ZONES_MAX} are taken", drafts.len()))]);
    }
    let frame = Frame { crs: Crs::Wgs84, region };
    all_or_nothing(drafts.into_iter().map(|(line, draft, corridors)| {
        let geometry = Geometry::Corridors(corridors);
        let checked = geometry::check(&geometry, &frame);
        (line, checked.map(|()| ZoneDraft { geometry, ..draft }).map_err(|fault| vec![fault]))
    }))
}

fn begin(section: Section) -> (u64, ZoneDraft, Vec<Corridor>) {
    let draft = ZoneDraft {
        id: None,
        name: section.name,
        kind: section.kind,
        geometry: Geometry::Corridors(Vec::new()),
        rules: vec![ZoneRule::forbidden()],
        source_crs: Crs::Wgs84,
        legal: section.legal,
        place: section.place,
        detour: section.detour,
        valid_from: section.valid_from,
        valid_to: section.valid_to,
    };
    (section.line, draft, section.corridors)
}

fn section(row: &Row, road: &impl Fn(&str) -> Option<Arc<Road>>) -> Result<Section, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut text = |column| row.text(column, TEXT_MAX).unwrap_or_else(|fault| told(&mut faults, fault));
    let detour = text(DETOUR);
    let legal = LegalBasis { issuer: text(ISSUER), number: text(NUMBER), title: text(TITLE), url: text(URL) };
    let name = row.needed(NAME).and_then(|_| row.text(NAME, 200)).unwrap_or_else(|fault| told(&mut faults, fault));
    let kind = row.cell(KIND).map_or(Ok(ZoneKind::DangerSection), |text| {
        let found = ZoneKind::ALL.iter().find(|kind| kind.name() == text || kind.name_zh() == text);
        found.copied().ok_or_else(|| row.fault(KIND, format_args!("no kind of zone: {text:?}")))
    });
    let kind = kind.map_err(|fault| faults.push(fault)).unwrap_or(ZoneKind::DangerSection);
    let mut time = |column| row.time(column).map_err(|fault| faults.push(fault)).ok().flatten();
    let (valid_from, valid_to) = (time(VALID_FROM), time(VALID_TO));
    if let (Some(from), Some(to)) = (valid_from, valid_to)
        && from >= to
    {
        faults.push(row.fault(VALID_TO, "must be after valid_from"));
    }
    let (place, corridors) = corridors(row, road).unwrap_or_else(|bad| {
        faults.extend(bad);
        Default::default()
    });
    let made = Section { line: row.line, name, kind, place, corridors, detour, legal, valid_from, valid_to };
    if faults.is_empty() { Ok(made) } else { Err(faults) }
}

fn told(faults: &mut Vec<Fault>, fault: Fault) -> String {
    faults.push(fault);
    String::new()
}

/// The place in words, and the corridors.
fn corridors(row: &Row, road: &impl Fn(&str) -> Option<Arc<Road>>) -> Result<(String, Vec<Corridor>), Vec<Fault>> {
    let stake = |column| {
        let text = row.needed(column)?;
        text.parse::<Stake>().map_err(|error| row.fault(column, error))
    };
    let found = row
        .needed(ROAD)
        .and_then(|code| road(code).ok_or_else(|| row.fault(ROAD, format_args!("no road {code}: import it first"))));
    let half_width = row.cell(HALF_WIDTH).map_or(Ok(HALF_WIDTH_M), |text| {
        let metres = text.parse::<f64>().ok().filter(|metres| metres.is_finite());
        metres.ok_or_else(|| row.fault(HALF_WIDTH, format_args!("not a number of metres: {text:?}")))
    });
    let direction = row.cell(DIRECTION).map_or(Ok(Direction::Both), |text| match text {
        "双向" => Ok(Direction::Both),
        "上行" => Ok(Direction::Forward),
        "下行" => Ok(Direction::Backward),
        name => Direction::from_name(name)
            .ok_or_else(|| row.fault(DIRECTION, format_args!("{name:?} is none of both, forward, backward"))),
    });
    match (found, stake(FROM), stake(TO), half_width, direction) {
        (Ok(road), Ok(from), Ok(to), Ok(half_width_m), Ok(direction)) => {
            let corridors = corridors_between(&road, from, to, half_width_m, direction).map_err(|fault| vec![fault])?;
            Ok((format!("{} {from} 至 {to}", road.code), corridors))
        }
        (road, from, to, half_width, direction) => {
            let faults = [road.err(), from.err(), to.err(), half_width.err(), direction.err()];
            Err(faults.into_iter().flatten().collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{LineString, RoadClass, RoadId, RoadLine, StakeOnLine};

    fn road(code: &str) -> Option<Arc<Road>> {
        let stakes = [(0, 100_000), (20_000, 120_000)];
        let stakes = stakes.map(|(along_m, stake)| StakeOnLine { along_m, stake: Stake(stake) });
        let line = LineString::from(vec![(103.8, 25.5), (104.1, 25.5)]);
        let road = Road {
            id: RoadId(1),
            code: "S46".into(),
            name: String::new(),
            class: RoadClass::Expressway,
            lines: vec![RoadLine { line, stakes: stakes.to_vec(), direction: Direction::Both }],
            limit_kmh: None,
            tunnels: Vec::new(),
            service_areas: Vec::new(),
        };
        (code == "S46").then(|| Arc::new(road))
    }

    fn read(file: &str) -> Result<Vec<ZoneDraft>, Vec<String>> {
        let faults = |faults: Vec<Fault>| faults.iter().map(Fault::to_string).collect();
        read_stake_zones(file.as_bytes(), Region::default(), road).map_err(faults)
    }

    #[test]
    fn rows_of_one_name_are_one_zone() {
        let file = "名称,路线编号,起点桩号,终点桩号,方向,文件名称\n两段,S46,K101,K103+500,双向,通告\n两段,S46,K110,K112,双向,\n另一段,S46,K115,K116,上行,\n";
        let zones = read(file).unwrap();
        assert_eq!(zones.len(), 2);
        assert_eq!(zones[0].place, "S46 K101+000 至 K103+500；S46 K110+000 至 K112+000");
        assert_eq!((zones[0].legal.title.as_str(), zones[0].rules.len()), ("通告", 1));
        let Geometry::Corridors(list) = &zones[0].geometry else { panic!("corridors") };
        assert_eq!((list.len(), list[0].half_width_m), (2, 25.0));
    }

    #[test]
    fn every_bad_row_is_listed() {
        let file =
            "name,road,from,to,half_width_m\na,G1,K1,K2,\nb,S46,K119,K121,\nc,S46,x,K101,wide\n,S46,K101,K102,\n";
        let faults = read(file).unwrap_err();
        assert_eq!(
            faults,
            [
                "row 2: road: no road G1: import it first",
                "row 3: K119+000 to K121+000 is not on road S46, which offers K100+000 to K120+000",
                "row 4: from: not a stake like K103+386: \"x\"",
                "row 4: half_width_m: not a number of metres: \"wide\"",
                "row 5: name: is empty",
            ]
        );
        assert_eq!(read("name,road,from,to,half_width_m\na,S46,K101,K102,-5\n").unwrap_err().len(), 1);
    }
}
