//! Facts in SQL: the latest revisions in one table for lists, all revisions in another for the record.

use model::{Confidence, Fact, FactId, FactKind, Measures, Scope, Standing, Timestamp, VehicleId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::value::{Fields, read_references, references, signed, wide};
use super::{Db, ROWS_PER_STATEMENT};
use crate::{CaseState, ChangeToken, FactCursor, FactFilter, FactRow, Page, StoreError, sabotage};

const COLUMNS: &str = "id, revision, kind, vehicle, zone, zone_revision, started_at, ended_at, confidence, \
     detected_late, rule_revision, fixes_inside, length_m, speed_max_dkmh, start_lon_e7, start_lat_e7, end_lon_e7, \
     end_lat_e7, depth_max_m, start_error_ms, end_error_ms, evidence, carrier, changed, case_state, standing, as_of, \
     superseded_by, raised_at";

/// Everything but the key, taken over from the row that comes in; what was raised stays raised.
const REPLACE: &str = "kind = excluded.kind, vehicle = excluded.vehicle, zone = excluded.zone, \
     zone_revision = excluded.zone_revision, started_at = excluded.started_at, ended_at = excluded.ended_at, \
     confidence = excluded.confidence, detected_late = excluded.detected_late, \
     rule_revision = excluded.rule_revision, fixes_inside = excluded.fixes_inside, length_m = excluded.length_m, \
     speed_max_dkmh = excluded.speed_max_dkmh, start_lon_e7 = excluded.start_lon_e7, \
     start_lat_e7 = excluded.start_lat_e7, end_lon_e7 = excluded.end_lon_e7, end_lat_e7 = excluded.end_lat_e7, \
     depth_max_m = excluded.depth_max_m, start_error_ms = excluded.start_error_ms, \
     end_error_ms = excluded.end_error_ms, evidence = excluded.evidence, carrier = excluded.carrier, \
     changed = excluded.changed, case_state = excluded.case_state, standing = excluded.standing, \
     as_of = excluded.as_of, superseded_by = excluded.superseded_by, \
     raised_at = min(raised_at, excluded.raised_at)";

fn push_rows(query: &mut QueryBuilder<Sqlite>, rows: &[FactRow]) {
    query.push_values(rows, |mut b, row| {
        let (f, m) = (&row.fact, &row.fact.measures);
        b.push_bind(wide(f.id.0))
            .push_bind(i64::from(sabotage::revision(f.revision)))
            .push_bind(i64::from(f.kind.number()))
            .push_bind(signed(f.vehicle.0))
            .push_bind(signed(f.zone.0))
            .push_bind(i64::from(f.zone_revision))
            .push_bind(f.started_at.0)
            .push_bind(f.ended_at.map(|t| t.0))
            .push_bind(i64::from(f.confidence.0))
            .push_bind(f.detected_late)
            .push_bind(i64::from(f.rule_revision))
            .push_bind(i64::from(m.fixes_inside))
            .push_bind(i64::from(m.length_m))
            .push_bind(i64::from(m.speed_max_dkmh))
            .push_bind(m.start_lon_e7)
            .push_bind(m.start_lat_e7)
            .push_bind(m.end_lon_e7)
            .push_bind(m.end_lat_e7)
            .push_bind(i64::from(m.depth_max_m))
            .push_bind(i64::from(m.start_error_ms))
            .push_bind(i64::from(m.end_error_ms))
            .push_bind(references(&f.evidence))
            .push_bind(row.carrier.map(|c| signed(c.0)))
            .push_bind(signed(row.changed))
            .push_bind(row.case_state as i64)
            .push_bind(f.standing as i64)
            .push_bind(signed(row.as_of))
            .push_bind(row.superseded_by.map(|id| wide(id.0)))
            .push_bind(row.raised_at.0);
    });
}

fn read(row: &SqliteRow) -> Result<FactRow, StoreError> {
    let f = Fields::of(row, "fact");
    let evidence: &[u8] = f.get("evidence")?;
    let evidence = read_references(evidence).ok_or_else(|| StoreError::corrupt("evidence of a fact", "torn"))?;
    Ok(FactRow {
        fact: Fact {
            id: f.fact("id")?,
            revision: f.int("revision")?,
            kind: FactKind::from_number(f.int("kind")?),
            vehicle: f.vehicle()?,
            zone: f.zone()?,
            zone_revision: f.int("zone_revision")?,
            started_at: f.time("started_at")?,
            ended_at: f.maybe_time("ended_at")?,
            confidence: Confidence(f.int("confidence")?),
            detected_late: f.get("detected_late")?,
            standing: f.known("standing", Standing::from_number)?,
            rule_revision: f.int("rule_revision")?,
            measures: Measures {
                fixes_inside: f.int("fixes_inside")?,
                length_m: f.int("length_m")?,
                speed_max_dkmh: f.int("speed_max_dkmh")?,
                start_lon_e7: f.int("start_lon_e7")?,
                start_lat_e7: f.int("start_lat_e7")?,
                end_lon_e7: f.int("end_lon_e7")?,
                end_lat_e7: f.int("end_lat_e7")?,
                depth_max_m: f.int("depth_max_m")?,
                start_error_ms: f.int("start_error_ms")?,
                end_error_ms: f.int("end_error_ms")?,
            },
            evidence,
        },
        carrier: f.carrier()?,
        changed: f.bits("changed")?,
        case_state: f.known("case_state", CaseState::from_number)?,
        as_of: f.bits("as_of")?,
        superseded_by: f.maybe_fact("superseded_by")?,
        raised_at: f.time("raised_at")?,
    })
}

/// Rows up to the first fact that comes a second time: each version is written on its own, so that each can come back.
fn distinct(rows: &[FactRow]) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    rows.iter().take_while(|row| seen.insert(row.fact.id)).count()
}

/// Upserts both tables. The guards make the outcome independent of the order of rows.
pub(crate) async fn write(connection: &mut SqliteConnection, facts: &[FactRow]) -> Result<(), sqlx::Error> {
    for mut rest in facts.chunks(ROWS_PER_STATEMENT) {
        while !rest.is_empty() {
            let (rows, more) = rest.split_at(distinct(rest));
            rest = more;
            keep_past(connection, rows).await?;
            upsert(connection, rows).await?;
        }
    }
    Ok(())
}

async fn upsert(connection: &mut SqliteConnection, rows: &[FactRow]) -> Result<(), sqlx::Error> {
    let mut all = QueryBuilder::new(format!("INSERT INTO fact_revision ({COLUMNS}) "));
    push_rows(&mut all, rows);
    all.push(" ON CONFLICT (id, revision) DO UPDATE SET ");
    all.push(REPLACE).push(" WHERE excluded.changed >= fact_revision.changed");
    all.build().persistent(false).execute(&mut *connection).await?;
    let mut latest = QueryBuilder::new(format!("INSERT INTO fact ({COLUMNS}) "));
    push_rows(&mut latest, rows);
    latest.push(" ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, ");
    latest.push(REPLACE);
    latest.push(" WHERE (excluded.revision, excluded.changed) >= (fact.revision, fact.changed)");
    latest.build().persistent(false).execute(&mut *connection).await.map(drop)
}

/// Keeps what these rows are about to replace, until a checkpoint holds it.
async fn keep_past(connection: &mut SqliteConnection, rows: &[FactRow]) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new(format!(
        "INSERT OR REPLACE INTO fact_past ({COLUMNS}) SELECT {COLUMNS} FROM fact_revision WHERE (id, revision) IN (VALUES "
    ));
    let mut keys = query.separated(", ");
    for row in rows {
        keys.push("(").push_bind_unseparated(wide(row.fact.id.0));
        keys.push_unseparated(", ").push_bind_unseparated(i64::from(sabotage::revision(row.fact.revision)));
        keys.push_unseparated(")");
    }
    query.push(")");
    query.build().persistent(false).execute(connection).await.map(drop)
}

/// A checkpoint holds everything up to `seq`: of each fact only what stood there need be kept, and what came since.
pub(crate) async fn settle_past(connection: &mut SqliteConnection, seq: u64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM fact_past WHERE EXISTS (SELECT 1 FROM fact_revision AS r \
         WHERE r.id = fact_past.id AND r.revision = fact_past.revision AND r.as_of <= ?1) \
         OR EXISTS (SELECT 1 FROM fact_past AS p WHERE p.id = fact_past.id AND p.revision = fact_past.revision \
         AND p.as_of > fact_past.as_of AND p.as_of <= ?1)",
    )
    .bind(signed(seq))
    .execute(connection)
    .await
    .map(drop)
}

/// Takes back what was judged as of envelopes after `seq`: it comes again from the journal.
pub(crate) async fn rewind(connection: &mut SqliteConnection, seq: u64) -> Result<(), sqlx::Error> {
    const AHEAD: &str = "(SELECT id FROM fact WHERE changed > ?1 AND as_of > ?1)";
    let statements = [
        "CREATE TEMP TABLE IF NOT EXISTS ahead (id BLOB PRIMARY KEY)".to_owned(),
        "DELETE FROM ahead".to_owned(),
        format!("INSERT INTO ahead SELECT id FROM {AHEAD}"),
        "DELETE FROM fact_revision WHERE id IN (SELECT id FROM ahead) AND as_of > ?1".to_owned(),
        format!(
            "INSERT OR REPLACE INTO fact_revision ({COLUMNS}) SELECT {COLUMNS} FROM fact_past \
             WHERE id IN (SELECT id FROM ahead) AND as_of <= ?1 ORDER BY as_of"
        ),
        "DELETE FROM fact WHERE id IN (SELECT id FROM ahead)".to_owned(),
        format!(
            "INSERT INTO fact ({COLUMNS}) SELECT {COLUMNS} FROM fact_revision AS r WHERE r.id IN (SELECT id FROM ahead) \
             AND revision = (SELECT max(revision) FROM fact_revision AS m WHERE m.id = r.id)"
        ),
        "UPDATE fact SET raised_at = (SELECT min(raised_at) FROM fact_revision AS r WHERE r.id = fact.id) \
         WHERE id IN (SELECT id FROM ahead)"
            .to_owned(),
        "DELETE FROM fact_past".to_owned(),
        "DROP TABLE ahead".to_owned(),
    ];
    for statement in statements {
        let query = sqlx::query(sqlx::AssertSqlSafe(statement.clone()));
        let query = if statement.contains("?1") { query.bind(signed(seq)) } else { query };
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// The facts of a vehicle in their latest revisions that began at `from` or later, void ones included.
pub(crate) async fn of_vehicle(db: &Db, vehicle: VehicleId, from: Timestamp) -> Result<Vec<FactRow>, StoreError> {
    let mut query = select("fact");
    query.push("vehicle = ").push_bind(signed(vehicle.0)).push(" AND started_at >= ").push_bind(from.0);
    query.push(" ORDER BY started_at, id");
    let rows = query.build().fetch_all(&db.readers).await.map_err(db.fail("read facts of a vehicle"))?;
    rows.iter().map(read).collect()
}

fn select(table: &str) -> QueryBuilder<Sqlite> {
    QueryBuilder::new(format!("SELECT {COLUMNS} FROM {table} WHERE "))
}

/// Adds the row scope: every question about facts passes here.
fn scoped(query: &mut QueryBuilder<Sqlite>, scope: Scope) {
    if let Scope::Carrier(carrier) = scope {
        query.push(" AND carrier = ").push_bind(signed(carrier.0));
    }
}

pub(crate) async fn page(
    db: &Db,
    scope: Scope,
    filter: &FactFilter,
    after: Option<FactCursor>,
    limit: usize,
) -> Result<Page<FactRow, FactCursor>, StoreError> {
    let mut query = select("fact");
    // Alarm bits are listed when they are asked for by kind.
    query.push(match (filter.violations, filter.kind) {
        (true, Some(_)) => "kind > 0",
        (true, None) => "kind > 0 AND kind < 1000",
        (false, _) => "kind = 0",
    });
    scoped(&mut query, scope);
    if !filter.void {
        query.push(" AND standing <> ").push_bind(Standing::Void as i64);
    }
    if let Some(kind) = filter.kind {
        query.push(" AND kind = ").push_bind(i64::from(kind.number()));
    }
    if let Some(vehicle) = filter.vehicle {
        query.push(" AND vehicle = ").push_bind(signed(vehicle.0));
    }
    if let Some(zone) = filter.zone {
        query.push(" AND zone = ").push_bind(signed(zone.0));
    }
    if let Some(carrier) = filter.carrier {
        query.push(" AND carrier = ").push_bind(signed(carrier.0));
    }
    if let Some(from) = filter.from {
        query.push(" AND (ended_at IS NULL OR ended_at > ").push_bind(from.0);
        query.push(" OR started_at >= ").push_bind(from.0).push(")");
    }
    if let Some(to) = filter.to {
        query.push(" AND started_at < ").push_bind(to.0);
    }
    if let Some(open) = filter.open {
        query.push(if open { " AND ended_at IS NULL" } else { " AND ended_at IS NOT NULL" });
    }
    if let Some(after) = after {
        query.push(" AND (started_at, id) < (").push_bind(after.started_at.0);
        query.push(", ").push_bind(wide(after.id.0)).push(")");
    }
    query.push(" ORDER BY started_at DESC, id DESC LIMIT ").push_bind(signed(limit as u64).saturating_add(1));
    let rows = query.build().fetch_all(&db.readers).await.map_err(db.fail("read facts"))?;
    let mut items = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next = last.map(|row| FactCursor { started_at: row.fact.started_at, id: row.fact.id });
    Ok(Page { items, next })
}

/// Of these facts those that were found in the place of others, and whose: (the one before, the one after).
pub(crate) async fn replaced_by(db: &Db, ids: &[FactId]) -> Result<Vec<(FactId, FactId)>, StoreError> {
    let mut pairs = Vec::new();
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT id, superseded_by FROM fact WHERE superseded_by IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(wide(id.0));
        }
        query.push(") ORDER BY id");
        let rows = query.build().fetch_all(&db.readers).await.map_err(db.fail("read what a fact replaced"))?;
        for row in &rows {
            let f = Fields::of(row, "fact");
            pairs.extend(f.maybe_fact("superseded_by")?.map(|after| Ok((f.fact("id")?, after))).transpose()?);
        }
    }
    Ok(pairs)
}

pub(crate) async fn revisions(db: &Db, scope: Scope, id: FactId) -> Result<Vec<FactRow>, StoreError> {
    let mut query = select("fact_revision");
    query.push("id = ").push_bind(wide(id.0)).push(" ORDER BY revision DESC");
    let rows = query.build().fetch_all(&db.readers).await.map_err(db.fail("read a fact"))?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if rows.first().is_some_and(|latest| scope.sees(latest.carrier)) {
        Ok(rows.into_iter().filter(|row| scope.sees(row.carrier)).collect())
    } else {
        Err(StoreError::NotFound("fact"))
    }
}

pub(crate) async fn changed_after(
    db: &Db,
    scope: Scope,
    token: ChangeToken,
    limit: usize,
) -> Result<Vec<FactRow>, StoreError> {
    let mut query = select("fact");
    query.push("(changed, id) > (").push_bind(signed(token.seq)).push(", ").push_bind(wide(token.id.0)).push(")");
    scoped(&mut query, scope);
    query.push(" ORDER BY changed, id LIMIT ").push_bind(signed(limit as u64));
    let rows = query.build().fetch_all(&db.readers).await.map_err(db.fail("read changed facts"))?;
    rows.iter().map(read).collect()
}

/// Facts in all revisions after (id, revision), in that order: the digest walks them.
pub(crate) async fn walk(
    connection: &mut SqliteConnection,
    after: Option<(FactId, u32)>,
    limit: i64,
) -> Result<Result<Vec<FactRow>, StoreError>, sqlx::Error> {
    let mut query = select("fact_revision");
    match after {
        None => query.push("TRUE"),
        Some((id, revision)) => {
            query.push("(id, revision) > (").push_bind(wide(id.0)).push(", ").push_bind(i64::from(revision)).push(")")
        }
    };
    query.push(" ORDER BY id, revision LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(connection).await?;
    Ok(rows.iter().map(read).collect())
}
