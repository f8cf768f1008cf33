//! Last positions in SQL: one value a vehicle, ordered by (time, place in the journal).

use model::{Marks, Position, RecordRef, TerminalId, Timestamp, VehicleId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::value::{Fields, list, signed};
use super::{Db, ROWS_PER_STATEMENT};
use crate::{LastPosition, StoreError};

const SIGN: u64 = 1 << 63;

/// Bytes that sort as [`LastPosition::rank`] does.
fn rank(p: &LastPosition) -> Vec<u8> {
    let mut out = Vec::with_capacity(24);
    out.extend((p.time.0 as u64 ^ SIGN).to_be_bytes());
    out.extend(p.source.position.shard.to_be_bytes());
    out.extend(p.source.position.seq.to_be_bytes());
    out.extend(p.source.index.to_be_bytes());
    out.extend(p.source.item.to_be_bytes());
    out
}

/// Everything else, little-endian.
fn body(p: &LastPosition) -> Vec<u8> {
    let mut out = Vec::with_capacity(72);
    out.extend(p.terminal.value().to_le_bytes());
    out.extend(p.received.0.to_le_bytes());
    out.extend(p.lon.to_le_bytes());
    out.extend(p.lat.to_le_bytes());
    out.extend(p.altitude_m.to_le_bytes());
    out.extend(p.speed_dkmh.to_le_bytes());
    out.extend(p.direction_deg.to_le_bytes());
    out.extend(p.alarm.to_le_bytes());
    out.extend(p.status.to_le_bytes());
    out.extend(p.marks.0.to_le_bytes());
    out.extend(p.mileage_hm.into_iter().flat_map(u32::to_le_bytes));
    out
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

fn read(mut rank: &[u8], mut body: &[u8]) -> Option<LastPosition> {
    let (rank, body) = (&mut rank, &mut body);
    let time = Timestamp((u64::from_be_bytes(take(rank)?) ^ SIGN) as i64);
    let position = Position { shard: u16::from_be_bytes(take(rank)?), seq: u64::from_be_bytes(take(rank)?) };
    let index = u32::from_be_bytes(take(rank)?);
    let source = RecordRef { position, index, item: u16::from_be_bytes(take(rank)?) };
    let [.., a, b, c, d, e, f, g, h, i, j] = u128::from_le_bytes(take(body)?).to_be_bytes();
    let last = LastPosition {
        terminal: TerminalId::from_wire(&[a, b, c, d, e, f, g, h, i, j]),
        time,
        source,
        received: Timestamp(i64::from_le_bytes(take(body)?)),
        lon: f64::from_le_bytes(take(body)?),
        lat: f64::from_le_bytes(take(body)?),
        altitude_m: i16::from_le_bytes(take(body)?),
        speed_dkmh: u16::from_le_bytes(take(body)?),
        direction_deg: u16::from_le_bytes(take(body)?),
        alarm: u32::from_le_bytes(take(body)?),
        status: u32::from_le_bytes(take(body)?),
        marks: Marks(u16::from_le_bytes(take(body)?)),
        mileage_hm: if body.is_empty() { None } else { Some(u32::from_le_bytes(take(body)?)) },
    };
    (rank.is_empty() && body.is_empty()).then_some(last)
}

pub(crate) async fn write(
    connection: &mut SqliteConnection,
    last: &[(VehicleId, LastPosition)],
) -> Result<(), sqlx::Error> {
    for rows in last.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO last_position (vehicle, rank, body) ");
        query.push_values(rows, |mut b, (vehicle, p)| {
            b.push_bind(signed(vehicle.0)).push_bind(rank(p)).push_bind(body(p));
        });
        query.push(
            " ON CONFLICT (vehicle) DO UPDATE SET rank = excluded.rank, body = excluded.body \
             WHERE excluded.rank > last_position.rank",
        );
        query.build().persistent(rows.len() == ROWS_PER_STATEMENT).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(crate) async fn positions(db: &Db, vehicles: &[VehicleId]) -> Result<Vec<(VehicleId, LastPosition)>, StoreError> {
    let rows = sqlx::query("SELECT p.* FROM json_each(?) AS k CROSS JOIN last_position AS p ON p.vehicle = k.value")
        .bind(list(vehicles.iter().map(|v| signed(v.0))))
        .fetch_all(&db.readers)
        .await
        .map_err(db.fail("read last positions"))?;
    rows.iter().map(read_row).collect()
}

fn read_row(row: &SqliteRow) -> Result<(VehicleId, LastPosition), StoreError> {
    let f = Fields::of(row, "last_position");
    let vehicle = f.vehicle()?;
    let last = read(f.get("rank")?, f.get("body")?);
    Ok((vehicle, last.ok_or_else(|| StoreError::corrupt(format!("last position of {vehicle}"), "torn"))?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::any::{tame, wild};

    fn position(fix: &model::Fix) -> LastPosition {
        let placed = model::Fix { marks: Marks::default(), ..fix.clone() };
        LastPosition { marks: fix.marks, ..LastPosition::of(&placed).expect("judgeable") }
    }

    proptest! {
        #[test]
        fn positions_come_back_in_order(a in prop_oneof![wild(), tame()], b in prop_oneof![wild(), tame()]) {
            let (a, b) = (position(&a), position(&b));
            prop_assert_eq!(read(&rank(&a), &body(&a)), Some(a));
            prop_assert_eq!(rank(&a).cmp(&rank(&b)), a.rank().cmp(&b.rank()));
        }
    }
}
