//! What judgement reads besides zones (permits, the calendar, roads, drivers, loads) and the steps of cases, to and
//! from their bytes.

use bytes::Bytes;
use model::{
    CalendarDay, CaseId, CaseStep, DayKind, Division, Driver, DriverId, DriverOn, Goods, Load, LoadState, Permit,
    PermitId, PermitKind, Road, RoadClass, RoadId, RoadLine, ServiceArea, Stake, StakeOnLine, Step, Timestamp, Tunnel,
    UnNumber, VehicleId, ZoneId,
};

use crate::proto::control as pb;
use crate::zone_codec::{decode_direction, decode_line, decode_spans, encode_line, encode_spans};

pub(crate) fn encode_permit(permit: &Permit) -> pb::Permit {
    pb::Permit {
        id: permit.id.0,
        number: permit.number.clone(),
        issuer: permit.issuer.clone(),
        kind: permit.kind as u32,
        vehicles: permit.vehicles.iter().map(|id| id.0).collect(),
        zones: permit.zones.iter().map(|id| id.0).collect(),
        slots: encode_spans(&permit.slots),
        route: permit.route.as_ref().map(encode_line),
    }
}

pub(crate) fn decode_permit(permit: pb::Permit) -> Result<Permit, &'static str> {
    Ok(Permit {
        id: PermitId(permit.id),
        number: permit.number,
        issuer: permit.issuer,
        kind: PermitKind::from_number(permit.kind).ok_or("a kind of permit that is not known")?,
        vehicles: permit.vehicles.into_iter().map(VehicleId).collect(),
        zones: permit.zones.into_iter().map(ZoneId).collect(),
        slots: decode_spans(&permit.slots),
        route: permit.route.as_ref().map(decode_line),
        recorded_at: Timestamp::default(),
        revoked: None,
    })
}

pub(crate) fn encode_calendar(days: &[CalendarDay]) -> pb::CalendarPut {
    let day = |day: &CalendarDay| pb::CalendarDay { day: day.day, kind: day.kind as u32, name: day.name.clone() };
    pb::CalendarPut { days: days.iter().map(day).collect() }
}

pub(crate) fn decode_calendar(put: pb::CalendarPut) -> Result<Vec<CalendarDay>, &'static str> {
    let day = |day: pb::CalendarDay| {
        let kind = DayKind::from_number(day.kind).ok_or("a kind of day that is not known")?;
        Ok(CalendarDay { day: day.day, kind, name: day.name })
    };
    put.days.into_iter().map(day).collect()
}

pub(crate) fn encode_road(road: &Road) -> pb::Road {
    let line = |line: &RoadLine| pb::RoadLine {
        line: Some(encode_line(&line.line)),
        stakes: line.stakes.iter().map(|s| pb::StakeOnLine { along_m: s.along_m, stake_m: s.stake.0 }).collect(),
        direction: line.direction as u32,
    };
    let tunnel = |t: &Tunnel| pb::Tunnel { from_stake_m: t.from.0, to_stake_m: t.to.0, name: t.name.clone() };
    let area = |area: &ServiceArea| pb::ServiceArea { stake_m: area.stake.0, name: area.name.clone() };
    pb::Road {
        id: road.id.0,
        code: road.code.clone(),
        name: road.name.clone(),
        class: road.class as u32,
        lines: road.lines.iter().map(line).collect(),
        limit_kmh: road.limit_kmh.map(u32::from),
        tunnels: road.tunnels.iter().map(tunnel).collect(),
        service_areas: road.service_areas.iter().map(area).collect(),
    }
}

pub(crate) fn decode_road(road: pb::Road) -> Result<Road, &'static str> {
    let line = |line: pb::RoadLine| {
        let stakes = line.stakes.iter().map(|s| StakeOnLine { along_m: s.along_m, stake: Stake(s.stake_m) });
        Ok(RoadLine {
            line: decode_line(&line.line.unwrap_or_default()),
            stakes: stakes.collect(),
            direction: decode_direction(line.direction)?,
        })
    };
    let tunnel = |t: pb::Tunnel| Tunnel { from: Stake(t.from_stake_m), to: Stake(t.to_stake_m), name: t.name };
    let area = |area: pb::ServiceArea| ServiceArea { stake: Stake(area.stake_m), name: area.name };
    let limit_kmh = road.limit_kmh.map(u16::try_from).transpose().map_err(|_| "a limit that is none")?;
    Ok(Road {
        id: RoadId(road.id),
        code: road.code,
        name: road.name,
        class: RoadClass::from_number(road.class).ok_or("a class of road that is not known")?,
        lines: road.lines.into_iter().map(line).collect::<Result<_, &'static str>>()?,
        limit_kmh,
        tunnels: road.tunnels.into_iter().map(tunnel).collect(),
        service_areas: road.service_areas.into_iter().map(area).collect(),
    })
}

pub(crate) fn encode_driver(driver: &Driver) -> pb::Driver {
    pb::Driver {
        id: driver.id.0,
        name: driver.name.clone(),
        certificate: driver.certificate.clone(),
        phone: driver.phone.clone(),
    }
}

pub(crate) fn decode_driver(driver: pb::Driver) -> Driver {
    Driver { id: DriverId(driver.id), name: driver.name, certificate: driver.certificate, phone: driver.phone }
}

pub(crate) fn encode_driver_on(on: &DriverOn) -> pb::DriverOn {
    pb::DriverOn { vehicle: on.vehicle.0, driver: on.driver.map(|driver| driver.0), from_us: on.from.0 }
}

pub(crate) fn decode_driver_on(on: &pb::DriverOn) -> DriverOn {
    DriverOn { vehicle: VehicleId(on.vehicle), driver: on.driver.map(DriverId), from: Timestamp(on.from_us) }
}

pub(crate) fn encode_load(load: &Load) -> pb::Load {
    let goods = |goods: &Goods| pb::Goods {
        un: goods.un.map(|un| u32::from(un.number())),
        division: goods.division.map_or(0, |division| u32::from(division.number())),
        packing_group: goods.packing_group.map_or(0, u32::from),
        highly_toxic: goods.highly_toxic,
        name: goods.name.clone(),
    };
    pb::Load {
        vehicle: load.vehicle.0,
        from_us: load.from.0,
        state: load.state as u32,
        goods: load.goods.iter().map(goods).collect(),
        source: load.source.clone(),
    }
}

pub(crate) fn decode_load(load: pb::Load) -> Result<Load, &'static str> {
    let unknown = "goods with something that is not known";
    let goods = |goods: pb::Goods| {
        let un = goods.un.map(|un| UnNumber::from_number(un).ok_or(unknown)).transpose()?;
        let division = match goods.division {
            0 => None,
            number => Some(Division::from_number(number).ok_or(unknown)?),
        };
        let packing_group = match goods.packing_group {
            0 => None,
            group => Some(u8::try_from(group).map_err(|_| unknown)?),
        };
        Ok(Goods { un, division, packing_group, highly_toxic: goods.highly_toxic, name: goods.name })
    };
    Ok(Load {
        vehicle: VehicleId(load.vehicle),
        from: Timestamp(load.from_us),
        state: LoadState::from_number(load.state).ok_or("a state of load that is not known")?,
        goods: load.goods.into_iter().map(goods).collect::<Result<_, &'static str>>()?,
        source: load.source,
    })
}

pub(crate) fn encode_step(step: &CaseStep) -> pb::CaseStep {
    let case_id = Bytes::copy_from_slice(&step.case.0.to_be_bytes());
    pb::CaseStep { case_id, step: step.step as u32, text: step.text.clone() }
}

pub(crate) fn decode_step(step: pb::CaseStep) -> Result<CaseStep, &'static str> {
    let case = step.case_id[..].try_into().map_err(|_| "the id of a case of another length")?;
    Ok(CaseStep {
        case: CaseId(u128::from_be_bytes(case)),
        step: Step::from_number(step.step).ok_or("a step that is not known")?,
        text: step.text,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::zone_codec::tests::square;
    use model::{Change, Direction, Vehicle, VehicleUse};

    fn permit() -> Permit {
        Permit {
            id: PermitId(1),
            number: "曲公交 7".into(),
            issuer: "支队".into(),
            kind: PermitKind::Notified,
            vehicles: vec![VehicleId(1)],
            zones: vec![ZoneId(2)],
            slots: vec![(Timestamp(-9), Timestamp(9))],
            route: Some(square(1.0)),
            recorded_at: Timestamp::default(),
            revoked: None,
        }
    }

    fn road() -> Road {
        let stakes = vec![StakeOnLine { along_m: 0, stake: Stake(103_386) }];
        Road {
            id: RoadId(4),
            code: "S11".into(),
            name: "泉州湾".into(),
            class: RoadClass::Other,
            lines: vec![RoadLine { line: square(1.0), stakes, direction: Direction::Forward }],
            limit_kmh: Some(80),
            tunnels: vec![Tunnel { from: Stake(1), to: Stake(2), name: "t".into() }],
            service_areas: vec![ServiceArea { stake: Stake(3), name: "s".into() }],
        }
    }

    /// One of each, for the round trip beside the other changes.
    pub(crate) fn changes() -> Vec<Change> {
        let goods = Goods {
            un: UnNumber::from_number(0),
            division: Division::from_number(23),
            packing_group: Some(1),
            highly_toxic: true,
            name: "氯".into(),
        };
        let load = Load {
            vehicle: VehicleId(1),
            from: Timestamp(-1),
            state: LoadState::Empty,
            goods: vec![goods, Goods::default()],
            source: "运单 1".into(),
        };
        let day = |day, kind| CalendarDay { day, kind, name: "国庆节".into() };
        let vehicle = Vehicle {
            id: VehicleId(1),
            kind: VehicleUse::Ordinary,
            scope: Division::from_number(30).into_iter().collect(),
            home: vec![ZoneId(9)],
            ..Vehicle::default()
        };
        let on = DriverOn { vehicle: VehicleId(1), driver: Some(DriverId(0)), from: Timestamp::MIN };
        vec![
            Change::VehiclePut(vehicle),
            Change::PermitPut(permit()),
            Change::PermitPut(Permit { route: None, zones: Vec::new(), ..permit() }),
            Change::PermitRevoke { id: PermitId(1), reason: "r".into() },
            Change::CalendarPut { days: vec![day(-1, DayKind::Holiday), day(20_727, DayKind::Workday)] },
            Change::RoadPut(road()),
            Change::RoadPut(Road { limit_kmh: None, ..road() }),
            Change::RoadDelete { id: RoadId(4) },
            Change::DriverPut(Driver {
                id: DriverId(5),
                name: "李".into(),
                certificate: "5303".into(),
                phone: "138".into(),
            }),
            Change::DriverOn(DriverOn { driver: None, ..on.clone() }),
            Change::DriverOn(on),
            Change::LoadPut(load),
            Change::CaseStep(CaseStep { case: CaseId(u128::MAX - 1), step: Step::Note, text: "t".into() }),
        ]
    }
}
