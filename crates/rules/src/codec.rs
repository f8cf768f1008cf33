//! The state as stored bytes and back; refuses what no state encodes to.

use model::{FactKind, Position, RecordRef, Timestamp, ZoneId};
use prost::Message;

use crate::bout::Bout;
use crate::limits;
use crate::link::{NO_DIRECTION, Seen};
use crate::rest::Rest;
use crate::rule::binding::Bound;
use crate::state::State;
use crate::stay::{Evidence, Exit, Place, Stay};
use crate::watch::{Spell, Watch};
use crate::wire;

/// First byte of a stored state; raised when its meaning changes.
const VERSION: u8 = 4;

/// Why stored bytes are no state. The fault is with the store, or with a binary of another version.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// No byte at all.
    #[error("an empty rule state")]
    Empty,
    /// Made by a binary that judges differently.
    #[error("rule state of version {0}, this binary knows version {VERSION}")]
    Version(u8),
    /// Bytes that are no message.
    #[error("rule state cannot be read")]
    Message(#[from] prost::DecodeError),
    /// A value that the judgement never makes.
    #[error("rule state has an impossible {0}")]
    Value(&'static str),
}

pub(crate) fn encode(state: &State) -> Vec<u8> {
    let message = wire::State {
        last: state.last.map(seen_to),
        aside: state.aside.map(seen_to),
        stays: state.stays.iter().map(stay_to).collect(),
        outings: state.outings.iter().map(stay_to).collect(),
        rest: state.rest.map(rest_to),
        watch: (!state.watch.spells.is_empty()).then(|| watch_to(&state.watch)),
    };
    let mut bytes = Vec::with_capacity(1 + message.encoded_len());
    bytes.push(VERSION);
    message.encode_raw(&mut bytes);
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<State, StateError> {
    let (version, body) = bytes.split_first().ok_or(StateError::Empty)?;
    if *version != VERSION {
        return Err(StateError::Version(*version));
    }
    let message = wire::State::decode(body)?;
    let state = State {
        last: message.last.map(seen_from).transpose()?,
        aside: message.aside.map(seen_from).transpose()?,
        rest: message.rest.map(rest_from).transpose()?,
        stays: message.stays.into_iter().map(stay_from).collect::<Result<_, _>>()?,
        outings: message.outings.into_iter().map(stay_from).collect::<Result<_, _>>()?,
        watch: watch_from(message.watch.unwrap_or_default())?,
    };
    if !state.watch.is_possible() {
        return Err(StateError::Value("list of what is under way"));
    }
    if state.stays.len() > limits::OPEN_MAX || !state.stays.is_sorted_by(|a, b| a.key() < b.key()) {
        return Err(StateError::Value("list of stays"));
    }
    if state.outings.len() > limits::OUTINGS_MAX || !state.outings.is_sorted_by(|a, b| a.key() < b.key()) {
        return Err(StateError::Value("list of outings"));
    }
    if state.last.is_none()
        && (state.aside.is_some()
            || state.rest.is_some()
            || !state.stays.is_empty()
            || !state.outings.is_empty()
            || !state.watch.spells.is_empty())
    {
        return Err(StateError::Value("last fix"));
    }
    if encode(&state) != bytes {
        return Err(StateError::Value("encoding"));
    }
    Ok(state)
}

fn rest_to(rest: Rest) -> wire::Rest {
    wire::Rest {
        since_us: rest.since.0,
        before_us: rest.before.0,
        lon_e9: rest.lon_e9,
        lat_e9: rest.lat_e9,
        fixes: rest.fixes,
        away: rest.away,
        heard_us: rest.heard.0,
    }
}

fn rest_from(rest: wire::Rest) -> Result<Rest, StateError> {
    let on_globe = rest.lon_e9.unsigned_abs() <= 180_000_000_000 && rest.lat_e9.unsigned_abs() <= 90_000_000_000;
    if !on_globe || !(1..=Rest::FULL).contains(&rest.fixes) {
        return Err(StateError::Value("rest"));
    }
    Ok(Rest {
        since: Timestamp(rest.since_us),
        before: Timestamp(rest.before_us),
        lon_e9: rest.lon_e9,
        lat_e9: rest.lat_e9,
        fixes: rest.fixes,
        away: rest.away,
        heard: Timestamp(rest.heard_us),
    })
}

fn seen_to(seen: Seen) -> wire::Seen {
    wire::Seen {
        time_us: seen.time.0,
        lon_e6: seen.lon_e6,
        lat_e6: seen.lat_e6,
        speed_dkmh: seen.speed_dkmh.into(),
        direction_deg: seen.direction_deg.into(),
        swapped: seen.swapped,
        speed_off: seen.speed_off,
        late: seen.late,
        source: Some(record_to(seen.source)),
    }
}

fn seen_from(seen: wire::Seen) -> Result<Seen, StateError> {
    if seen.lon_e6.unsigned_abs() > 180_000_000 || seen.lat_e6.unsigned_abs() > 90_000_000 {
        return Err(StateError::Value("position"));
    }
    Ok(Seen {
        time: Timestamp(seen.time_us),
        lon_e6: seen.lon_e6,
        lat_e6: seen.lat_e6,
        speed_dkmh: u16::try_from(seen.speed_dkmh).map_err(|_| StateError::Value("speed"))?,
        direction_deg: direction(seen.direction_deg)?,
        swapped: seen.swapped,
        speed_off: seen.speed_off,
        late: seen.late,
        source: record_from(seen.source.unwrap_or_default())?,
    })
}

fn record_to(record: RecordRef) -> wire::Record {
    wire::Record {
        shard: record.position.shard.into(),
        seq: record.position.seq,
        index: record.index,
        item: record.item.into(),
    }
}

fn record_from(record: wire::Record) -> Result<RecordRef, StateError> {
    let short = |value: u32| u16::try_from(value).map_err(|_| StateError::Value("place in the journal"));
    Ok(RecordRef {
        position: Position { shard: short(record.shard)?, seq: record.seq },
        index: record.index,
        item: short(record.item)?,
    })
}

fn records_from(records: Vec<wire::Record>) -> Result<Vec<RecordRef>, StateError> {
    records.into_iter().map(record_from).collect()
}

fn stay_to(stay: &Stay) -> wire::Stay {
    let records = |list: &[RecordRef]| list.iter().copied().map(record_to).collect();
    wire::Stay {
        zone: stay.zone.0,
        revision: stay.revision,
        started_at_us: stay.started_at.0,
        start_lon_e7: stay.start.lon_e7,
        start_lat_e7: stay.start.lat_e7,
        end_lon_e7: stay.end.lon_e7,
        end_lat_e7: stay.end.lat_e7,
        entry_confidence: stay.entry_confidence.into(),
        ceiling: stay.ceiling.into(),
        fixes_inside: stay.fixes_inside,
        sound_fixes: stay.sound_fixes,
        length_cm: stay.length_cm,
        speed_max_dkmh: stay.speed_max_dkmh,
        depth_max_cm: stay.depth_max_cm,
        deep: stay.deep,
        crossed: stay.crossed,
        ahead_cm: stay.ahead_cm,
        back_cm: stay.back_cm,
        ahead_max_cm: stay.ahead_max_cm,
        back_max_cm: stay.back_max_cm,
        start_error_ms: stay.start_error_ms,
        driven: stay.driven,
        rested: stay.rested,
        across_cm: stay.across_cm,
        across_min_cm: stay.across_min_cm,
        across_max_cm: stay.across_max_cm,
        left: stay.left.map(|exit| wire::Exit {
            at_us: exit.at.0,
            confidence: exit.confidence.into(),
            error_ms: exit.error_ms,
        }),
        stated: stay.stated,
        evidence_first: records(&stay.evidence.first),
        evidence_last: records(&stay.evidence.last),
        late: stay.late,
        bouts: stay.bouts.iter().map(bout_to).collect(),
        bound_to_us: stay.bound_to.0,
    }
}

fn bout_to(bout: &Bout) -> wire::Bout {
    wire::Bout {
        rule: bout.rule.into(),
        kind: bout.kind.number().into(),
        unsure: bout.bound.unsure,
        excused: bout.bound.excused,
        started_at_us: bout.started_at.0,
        start_lon_e7: bout.start.lon_e7,
        start_lat_e7: bout.start.lat_e7,
        last_us: bout.last.0,
        count: bout.count,
        speed_max_dkmh: bout.speed_max_dkmh,
        fixes_before: bout.fixes_before,
        length_before_cm: bout.length_before_cm,
        stated: bout.stated,
    }
}

fn bout_from(bout: wire::Bout) -> Result<Bout, StateError> {
    let short = |value: u32| u16::try_from(value).map_err(|_| StateError::Value("rule of a zone"));
    Ok(Bout {
        rule: short(bout.rule)?,
        kind: FactKind::from_number(short(bout.kind)?),
        bound: Bound { unsure: bout.unsure, excused: bout.excused },
        started_at: Timestamp(bout.started_at_us),
        start: Place { lon_e7: bout.start_lon_e7, lat_e7: bout.start_lat_e7 },
        last: Timestamp(bout.last_us),
        count: bout.count,
        speed_max_dkmh: bout.speed_max_dkmh,
        fixes_before: bout.fixes_before,
        length_before_cm: bout.length_before_cm,
        stated: bout.stated,
    })
}

/// The bouts of a stay, by the number of their rule.
fn bouts_from(bouts: Vec<wire::Bout>) -> Result<Vec<Bout>, StateError> {
    let bouts: Vec<Bout> = bouts.into_iter().map(bout_from).collect::<Result<_, _>>()?;
    let is_possible = bouts.len() <= limits::BOUTS_MAX && bouts.is_sorted_by(|a, b| a.rule < b.rule);
    is_possible.then_some(bouts).ok_or(StateError::Value("list of rules that bind"))
}

fn stay_from(stay: wire::Stay) -> Result<Stay, StateError> {
    let evidence = Evidence { first: records_from(stay.evidence_first)?, last: records_from(stay.evidence_last)? };
    if !evidence.is_possible() {
        return Err(StateError::Value("list of evidence"));
    }
    let left = stay.left.map(|exit| {
        Ok::<_, StateError>(Exit {
            at: Timestamp(exit.at_us),
            confidence: per_mille(exit.confidence)?,
            error_ms: exit.error_ms,
        })
    });
    Ok(Stay {
        zone: ZoneId(stay.zone),
        revision: stay.revision,
        started_at: Timestamp(stay.started_at_us),
        start: Place { lon_e7: stay.start_lon_e7, lat_e7: stay.start_lat_e7 },
        end: Place { lon_e7: stay.end_lon_e7, lat_e7: stay.end_lat_e7 },
        entry_confidence: per_mille(stay.entry_confidence)?,
        ceiling: per_mille(stay.ceiling)?,
        fixes_inside: stay.fixes_inside,
        sound_fixes: stay.sound_fixes,
        length_cm: stay.length_cm,
        speed_max_dkmh: stay.speed_max_dkmh,
        depth_max_cm: stay.depth_max_cm,
        deep: stay.deep,
        crossed: stay.crossed,
        ahead_cm: stay.ahead_cm,
        back_cm: stay.back_cm,
        ahead_max_cm: stay.ahead_max_cm,
        back_max_cm: stay.back_max_cm,
        start_error_ms: stay.start_error_ms,
        driven: stay.driven,
        rested: stay.rested,
        across_cm: stay.across_cm,
        across_min_cm: stay.across_min_cm,
        across_max_cm: stay.across_max_cm,
        left: left.transpose()?,
        stated: stay.stated,
        evidence,
        late: stay.late,
        bouts: bouts_from(stay.bouts)?,
        bound_to: Timestamp(stay.bound_to_us),
    })
}

fn watch_to(watch: &Watch) -> wire::Watch {
    let spell = |spell: &Spell| wire::Spell {
        kind: spell.kind.number().into(),
        started_at_us: spell.started_at.0,
        start_lon_e7: spell.start.lon_e7,
        start_lat_e7: spell.start.lat_e7,
        end_east_e7: spell.end.lon_e7.wrapping_sub(spell.start.lon_e7),
        end_north_e7: spell.end.lat_e7.wrapping_sub(spell.start.lat_e7),
        mark_us: spell.mark.map(|mark| mark.0),
        count: spell.count,
        speed_max_dkmh: spell.speed_max_dkmh,
        length_m: spell.length_m,
        stated: spell.stated,
        late: spell.late,
        first: Some(record_to(spell.first)),
        last: (spell.last != spell.first).then(|| record_to(spell.last)),
    };
    wire::Watch { spells: watch.spells.iter().map(spell).collect() }
}

fn watch_from(watch: wire::Watch) -> Result<Watch, StateError> {
    let spell = |spell: wire::Spell| {
        let first = record_from(spell.first.unwrap_or_default())?;
        Ok::<_, StateError>(Spell {
            kind: FactKind::from_number(u16::try_from(spell.kind).map_err(|_| StateError::Value("kind"))?),
            started_at: Timestamp(spell.started_at_us),
            start: Place { lon_e7: spell.start_lon_e7, lat_e7: spell.start_lat_e7 },
            end: Place {
                lon_e7: spell.start_lon_e7.wrapping_add(spell.end_east_e7),
                lat_e7: spell.start_lat_e7.wrapping_add(spell.end_north_e7),
            },
            mark: spell.mark_us.map(Timestamp),
            count: spell.count,
            speed_max_dkmh: spell.speed_max_dkmh,
            length_m: spell.length_m,
            stated: spell.stated,
            late: spell.late,
            first,
            last: spell.last.map_or(Ok(first), record_from)?,
        })
    };
    Ok(Watch { spells: watch.spells.into_iter().map(spell).collect::<Result<_, _>>()? })
}

fn direction(value: u32) -> Result<u16, StateError> {
    u16::try_from(value).ok().filter(|deg| *deg <= NO_DIRECTION).ok_or(StateError::Value("direction"))
}

fn per_mille(value: u32) -> Result<u16, StateError> {
    u16::try_from(value).ok().filter(|v| *v <= 1000).ok_or(StateError::Value("confidence"))
}
