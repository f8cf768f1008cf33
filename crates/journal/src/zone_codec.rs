//! Zones with their rules to and from their bytes.

use model::{
    Ask, CarrierId, Coord, Corridor, Direction, Division, Exemption, Filter, Geometry, LegalBasis, LineString,
    LoadState, MultiPolygon, OnDays, Polygon, Schedule, Timestamp, UnNumber, VehicleId, Weekly, Zone, ZoneId, ZoneKind,
    ZoneRule,
};

use crate::proto::control as pb;

pub(crate) fn encode_zone(zone: &Zone) -> pb::Zone {
    pb::Zone {
        id: zone.id.0,
        revision: zone.revision,
        name: zone.name.clone(),
        kind: zone.kind as u32,
        geometry: Some(encode_geometry(&zone.geometry)),
        rules: (1..).zip(&zone.rules).map(|(place, rule)| encode_rule(place, rule)).collect(),
        source_crs: zone.source_crs.clone(),
        legal_basis: zone.legal.title.clone(),
        valid_from_us: zone.valid_from.map(|t| t.0),
        valid_to_us: zone.valid_to.map(|t| t.0),
        place: zone.place.clone(),
        detour: zone.detour.clone(),
        legal_issuer: zone.legal.issuer.clone(),
        legal_number: zone.legal.number.clone(),
        legal_url: zone.legal.url.clone(),
        drafted_by: zone.drafted_by.clone().unwrap_or_default(),
    }
}

fn encode_geometry(geometry: &Geometry) -> pb::zone::Geometry {
    match geometry {
        Geometry::Polygon(shape) => pb::zone::Geometry::Polygon(pb::MultiPolygon {
            polygons: shape
                .iter()
                .map(|polygon| pb::Polygon {
                    rings: std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(encode_line).collect(),
                })
                .collect(),
        }),
        Geometry::Circle { centre, radius_m } => pb::zone::Geometry::Circle(pb::Circle {
            centre: Some(pb::Coord { lon: centre.x, lat: centre.y }),
            radius_m: *radius_m,
        }),
        Geometry::Corridor { axis, half_width_m, direction } => {
            pb::zone::Geometry::Corridor(encode_corridor(axis, *half_width_m, *direction))
        }
        Geometry::Corridors(list) => {
            let corridors = list.iter().map(|c| encode_corridor(&c.axis, c.half_width_m, c.direction)).collect();
            pb::zone::Geometry::Corridors(pb::Corridors { corridors })
        }
    }
}

fn encode_corridor(axis: &LineString, half_width_m: f64, direction: Direction) -> pb::Corridor {
    pb::Corridor { axis: Some(encode_line(axis)), half_width_m, direction: direction as u32 }
}

/// The least rule is written as it was before there were others.
fn encode_rule(place: u32, rule: &ZoneRule) -> pb::ZoneRule {
    let ask = match rule.ask {
        Ask::Forbidden { grace_s } => pb::zone_rule::Rule::Forbidden(pb::Forbidden { grace_s }),
        Ask::SpeedLimit { day_kmh, night_kmh } => pb::zone_rule::Rule::SpeedLimit(pb::SpeedLimit {
            day_kmh: u32::from(day_kmh),
            night_kmh: night_kmh.map(u32::from),
        }),
        Ask::NoStopping { after_s } => pb::zone_rule::Rule::NoStopping(pb::NoStopping { after_s }),
        Ask::StayInside { tolerance_m, for_s } => {
            pb::zone_rule::Rule::StayInside(pb::StayInside { tolerance_m, for_s })
        }
        Ask::Lot { capacity } => pb::zone_rule::Rule::Lot(pb::Lot { capacity }),
        Ask::NoParking { after_s } => pb::zone_rule::Rule::NoParking(pb::NoParking { after_s }),
    };
    let number = u32::from(rule.number);
    pb::ZoneRule {
        rule: Some(ask),
        number: if number == place { 0 } else { number },
        when: encode_schedule(&rule.when),
        whom: encode_filter(&rule.whom),
        exemptions: rule.exemptions.iter().map(encode_exemption).collect(),
        no_permits_for: rule.no_permits_for.as_ref().map(filter_bytes),
    }
}

fn encode_exemption(exemption: &Exemption) -> pb::Exemption {
    pb::Exemption {
        purpose: exemption.purpose.clone(),
        when: encode_schedule(&exemption.when),
        whom: encode_filter(&exemption.whom),
        needs_permit: exemption.needs_permit,
    }
}

fn encode_schedule(schedule: &Schedule) -> Option<pb::Schedule> {
    let weekly = schedule.weekly.iter().map(|weekly| pb::Weekly {
        days: u32::from(weekly.days),
        on: weekly.on as u32,
        from_min: u32::from(weekly.from_min),
        to_min: u32::from(weekly.to_min),
    });
    let encoded = pb::Schedule { spans: encode_spans(&schedule.spans), weekly: weekly.collect() };
    (!schedule.is_always()).then_some(encoded)
}

pub(crate) fn encode_spans(spans: &[(Timestamp, Timestamp)]) -> Vec<pb::Span> {
    spans.iter().map(|(from, to)| pb::Span { from_us: from.0, to_us: to.0 }).collect()
}

fn encode_filter(filter: &Filter) -> Option<pb::Filter> {
    (!filter.is_empty()).then(|| filter_bytes(filter))
}

fn filter_bytes(filter: &Filter) -> pb::Filter {
    pb::Filter {
        divisions: filter.divisions.iter().map(|division| u32::from(division.number())).collect(),
        un: filter.un.iter().map(|un| u32::from(un.number())).collect(),
        loads: filter.loads.iter().map(|state| state as u32).collect(),
        vehicles: filter.vehicles.iter().map(|id| id.0).collect(),
        carriers: filter.carriers.iter().map(|id| id.0).collect(),
        highly_toxic: filter.highly_toxic,
    }
}

pub(crate) fn encode_line(line: &LineString) -> pb::Line {
    pb::Line { coords: line.coords().flat_map(|c| [c.x, c.y]).collect() }
}

pub(crate) fn decode_zone(zone: pb::Zone) -> Result<Zone, &'static str> {
    let rules = (1..).zip(zone.rules).map(|(place, rule)| decode_rule(place, rule)).collect::<Result<_, _>>()?;
    Ok(Zone {
        id: ZoneId(zone.id),
        revision: zone.revision,
        name: zone.name,
        kind: ZoneKind::from_number(zone.kind).ok_or("a kind of zone that is not known")?,
        geometry: decode_geometry(zone.geometry.ok_or("no geometry that is known")?)?,
        rules,
        source_crs: zone.source_crs,
        legal: LegalBasis {
            issuer: zone.legal_issuer,
            number: zone.legal_number,
            title: zone.legal_basis,
            url: zone.legal_url,
        },
        place: zone.place,
        detour: zone.detour,
        drafted_by: Some(zone.drafted_by).filter(|actor| !actor.is_empty()),
        valid_from: zone.valid_from_us.map(Timestamp),
        valid_to: zone.valid_to_us.map(Timestamp),
        recorded_at: Timestamp::default(),
    })
}

fn decode_geometry(geometry: pb::zone::Geometry) -> Result<Geometry, &'static str> {
    Ok(match geometry {
        pb::zone::Geometry::Polygon(shape) => Geometry::Polygon(MultiPolygon::new(
            shape.polygons.iter().map(decode_polygon).collect::<Option<_>>().ok_or("a polygon without ring")?,
        )),
        pb::zone::Geometry::Circle(circle) => {
            let centre = circle.centre.ok_or("a circle without centre")?;
            Geometry::Circle { centre: Coord { x: centre.lon, y: centre.lat }, radius_m: circle.radius_m }
        }
        pb::zone::Geometry::Corridor(corridor) => {
            let Corridor { axis, half_width_m, direction } = decode_corridor(corridor)?;
            Geometry::Corridor { axis, half_width_m, direction }
        }
        pb::zone::Geometry::Corridors(list) => {
            Geometry::Corridors(list.corridors.into_iter().map(decode_corridor).collect::<Result<_, _>>()?)
        }
    })
}

fn decode_corridor(corridor: pb::Corridor) -> Result<Corridor, &'static str> {
    Ok(Corridor {
        axis: decode_line(&corridor.axis.ok_or("a corridor without axis")?),
        half_width_m: corridor.half_width_m,
        direction: decode_direction(corridor.direction)?,
    })
}

pub(crate) fn decode_direction(number: u32) -> Result<Direction, &'static str> {
    Direction::from_number(number).ok_or("a direction that is not known")
}

fn decode_rule(place: u16, rule: pb::ZoneRule) -> Result<ZoneRule, &'static str> {
    let speed = |kmh: u32| u16::try_from(kmh).map_err(|_| "a speed that is none");
    let ask = match rule.rule.ok_or("a rule that is not known")? {
        pb::zone_rule::Rule::Forbidden(f) => Ask::Forbidden { grace_s: f.grace_s },
        pb::zone_rule::Rule::SpeedLimit(s) => {
            Ask::SpeedLimit { day_kmh: speed(s.day_kmh)?, night_kmh: s.night_kmh.map(speed).transpose()? }
        }
        pb::zone_rule::Rule::NoStopping(s) => Ask::NoStopping { after_s: s.after_s },
        pb::zone_rule::Rule::StayInside(s) => Ask::StayInside { tolerance_m: s.tolerance_m, for_s: s.for_s },
        pb::zone_rule::Rule::Lot(lot) => Ask::Lot { capacity: lot.capacity },
        pb::zone_rule::Rule::NoParking(p) => Ask::NoParking { after_s: p.after_s },
    };
    let number = u16::try_from(rule.number).map_err(|_| "a number of a rule that is none")?;
    Ok(ZoneRule {
        number: if number == 0 { place } else { number },
        ask,
        when: decode_schedule(rule.when)?,
        whom: rule.whom.map(decode_filter).transpose()?.unwrap_or_default(),
        exemptions: rule.exemptions.into_iter().map(decode_exemption).collect::<Result<_, _>>()?,
        no_permits_for: rule.no_permits_for.map(decode_filter).transpose()?,
    })
}

fn decode_exemption(exemption: pb::Exemption) -> Result<Exemption, &'static str> {
    Ok(Exemption {
        purpose: exemption.purpose,
        when: decode_schedule(exemption.when)?,
        whom: exemption.whom.map(decode_filter).transpose()?.unwrap_or_default(),
        needs_permit: exemption.needs_permit,
    })
}

fn decode_schedule(schedule: Option<pb::Schedule>) -> Result<Schedule, &'static str> {
    let Some(schedule) = schedule else { return Ok(Schedule::default()) };
    let weekly = schedule.weekly.iter().map(decode_weekly).collect::<Option<_>>();
    Ok(Schedule { spans: decode_spans(&schedule.spans), weekly: weekly.ok_or("a window of time that is not known")? })
}

fn decode_weekly(weekly: &pb::Weekly) -> Option<Weekly> {
    Some(Weekly {
        days: weekly.days.try_into().ok()?,
        on: OnDays::from_number(weekly.on)?,
        from_min: weekly.from_min.try_into().ok()?,
        to_min: weekly.to_min.try_into().ok()?,
    })
    .filter(|weekly| weekly.is_valid())
}

pub(crate) fn decode_spans(spans: &[pb::Span]) -> Vec<(Timestamp, Timestamp)> {
    spans.iter().map(|span| (Timestamp(span.from_us), Timestamp(span.to_us))).collect()
}

fn decode_filter(filter: pb::Filter) -> Result<Filter, &'static str> {
    let unknown = "a filter with something that is not known";
    Ok(Filter {
        divisions: filter.divisions.into_iter().map(Division::from_number).collect::<Option<_>>().ok_or(unknown)?,
        un: filter.un.into_iter().map(UnNumber::from_number).collect::<Option<_>>().ok_or(unknown)?,
        loads: filter.loads.into_iter().map(LoadState::from_number).collect::<Option<_>>().ok_or(unknown)?,
        vehicles: filter.vehicles.into_iter().map(VehicleId).collect(),
        carriers: filter.carriers.into_iter().map(CarrierId).collect(),
        highly_toxic: filter.highly_toxic,
    })
}

fn decode_polygon(polygon: &pb::Polygon) -> Option<Polygon> {
    let mut rings = polygon.rings.iter().map(decode_line);
    let outer = rings.next()?;
    Some(Polygon::new(outer, rings.collect()))
}

pub(crate) fn decode_line(line: &pb::Line) -> LineString {
    let points = line.coords.chunks_exact(2).map(|pair| Coord { x: pair[0], y: pair[1] });
    LineString::new(points.collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use model::{Change, LoadStates};

    pub(crate) fn square(side: f64) -> LineString {
        LineString::from(vec![(0.0, 0.0), (side, 0.0), (side, side), (0.0, 0.0)])
    }

    fn zone(geometry: Geometry) -> Zone {
        Zone {
            id: ZoneId(3),
            revision: 2,
            name: "白石江特大桥".into(),
            kind: ZoneKind::VeryLargeBridge,
            geometry,
            rules: vec![ZoneRule::forbidden()],
            source_crs: "gcj02".into(),
            legal: LegalBasis::titled("公告 1"),
            place: String::new(),
            detour: String::new(),
            drafted_by: None,
            valid_from: Some(Timestamp(-5)),
            valid_to: None,
            recorded_at: Timestamp::default(),
        }
    }

    /// Zones that say no more than the first ones could.
    pub(crate) fn plain() -> [Change; 3] {
        [
            Geometry::Polygon(MultiPolygon::new(vec![Polygon::new(square(9.0), vec![square(1.0)])])),
            Geometry::Circle { centre: Coord { x: 103.8, y: 25.5 }, radius_m: 300.5 },
            Geometry::Corridor { axis: square(2.0), half_width_m: 12.0, direction: Direction::Backward },
        ]
        .map(|geometry| Change::ZonePut(zone(geometry)))
    }

    /// One that says everything that there is to say, and what else is done to zones.
    pub(crate) fn changes() -> Vec<Change> {
        let corridor = |direction| Corridor { axis: square(2.0), half_width_m: 12.5, direction };
        let geometry = Geometry::Corridors(vec![corridor(Direction::Both), corridor(Direction::Forward)]);
        let weekly = Weekly { days: 0b101, on: OnDays::Workdays, from_min: 1320, to_min: 360 };
        let when = Schedule { spans: vec![(Timestamp(-1), Timestamp(9))], weekly: vec![weekly] };
        let whom = Filter {
            divisions: vec!["2.3".parse().expect("division"), "1".parse().expect("division")],
            un: vec!["UN0081".parse().expect("number")],
            loads: LoadStates::default().with(LoadState::Unknown).with(LoadState::Empty),
            vehicles: vec![VehicleId(1), VehicleId(u64::MAX)],
            carriers: vec![CarrierId(2)],
            highly_toxic: Some(false),
        };
        let exemption =
            Exemption { purpose: "医用氧".into(), when: when.clone(), whom: whom.clone(), needs_permit: true };
        let full = ZoneRule {
            number: 9,
            ask: Ask::Forbidden { grace_s: 1800 },
            when,
            whom,
            exemptions: vec![exemption, Exemption::default()],
            no_permits_for: Some(Filter { highly_toxic: Some(true), ..Filter::default() }),
        };
        let asks = [
            Ask::SpeedLimit { day_kmh: 80, night_kmh: Some(60) },
            Ask::SpeedLimit { day_kmh: 40, night_kmh: None },
            Ask::NoStopping { after_s: 120 },
            Ask::StayInside { tolerance_m: 500, for_s: 180 },
            Ask::Lot { capacity: Some(0) },
            Ask::Lot { capacity: None },
            Ask::NoParking { after_s: 3600 },
        ];
        let mut rules: Vec<_> = (2..).zip(asks).map(|(number, ask)| ZoneRule::always(number, ask)).collect();
        rules.insert(0, full);
        rules.push(ZoneRule { no_permits_for: Some(Filter::default()), ..ZoneRule::forbidden() });
        let legal = LegalBasis { issuer: "i".into(), number: "n".into(), title: "t".into(), url: "u".into() };
        let (place, detour) = ("S11 K103+386 至 K125+723".into(), "绕行".into());
        let full = Zone { rules, legal, place, detour, drafted_by: Some("li".into()), ..zone(geometry) };
        vec![
            Change::ZonePut(full.clone()),
            Change::ZoneDraft(full),
            Change::ZoneDraftDrop { id: ZoneId(3) },
            Change::ZoneVoid { id: ZoneId(3), revision: 2, reason: "错桥".into() },
        ]
    }
}
