//! Effects, strangers and commands in SQL.

use model::{
    Command, CommandBody, CommandId, CommandOrigin, CommandState, FactId, Plate, PlateColour, Scope, TerminalId,
    VehicleId,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::value::{Fields, signed, wide};
use super::{Db, ROWS_PER_STATEMENT};
use crate::{CommandRow, Effect, EffectState, Page, Settlement, StoreError, Stranger, StrangerCursor};

const COMMAND: &str = "id, terminal, body, text, urgent, spoken, effect, expires_at, vehicle, carrier, actor, state, \
     requested_at, sent_at, answered_at, serial, seq";
const STRANGER: &str = "terminal, plate, plate_colour, maker, model, device, peer, first_seen, last_seen, frames, seq";
const EFFECT: &str = "id, fact, revision, vehicle, terminal, text, raised_at";

const BODY_TEXT: i64 = 1;
const BODY_LOCATE: i64 = 2;

pub(crate) async fn write_effects(connection: &mut SqliteConnection, effects: &[Effect]) -> Result<(), sqlx::Error> {
    for rows in effects.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::new(format!("INSERT INTO effect ({EFFECT}) "));
        query.push_values(rows, |mut b, e| {
            b.push_bind(wide(e.id.0))
                .push_bind(wide(e.fact.0))
                .push_bind(i64::from(e.revision))
                .push_bind(signed(e.vehicle.0))
                .push_bind(e.terminal.to_string())
                .push_bind(e.text.clone())
                .push_bind(e.raised_at.0);
        });
        query.push(" ON CONFLICT (id) DO NOTHING");
        query.build().persistent(false).execute(&mut *connection).await?;
        // Read back what is there: a known effect keeps its first instant, and its settlement.
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO pending (raised_at, id) SELECT raised_at, id FROM effect WHERE id IN (",
        );
        let mut ids = query.separated(", ");
        rows.iter().for_each(|e| {
            ids.push_bind(wide(e.id.0));
        });
        query.push(") AND id NOT IN (SELECT id FROM settlement) ON CONFLICT DO NOTHING");
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Of these facts those of which the cab was told, and whose terminal has answered so.
pub(crate) async fn told(db: &Db, facts: &[FactId]) -> Result<Vec<FactId>, StoreError> {
    let mut told = Vec::new();
    for facts in facts.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT DISTINCT e.fact AS fact FROM effect AS e JOIN settlement AS s ON s.id = e.id \
             JOIN command AS c ON c.id = s.command WHERE c.state = ",
        );
        query.push_bind(CommandState::Acknowledged as i64).push(" AND e.fact IN (");
        let mut list = query.separated(", ");
        for fact in facts {
            list.push_bind(wide(fact.0));
        }
        query.push(")");
        let rows = query.build().fetch_all(&db.readers).await.map_err(db.fail("read who was told"))?;
        for row in &rows {
            told.push(Fields::of(row, "effect").fact("fact")?);
        }
    }
    Ok(told)
}

pub(crate) async fn write_settlements(
    connection: &mut SqliteConnection,
    settlements: &[Settlement],
) -> Result<(), sqlx::Error> {
    for rows in settlements.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO settlement (id, state, command) ");
        query.push_values(rows, |mut b, s| {
            b.push_bind(wide(s.id.0)).push_bind(s.state as i64).push_bind(s.command.map(|c| signed(c.0)));
        });
        query.push(" ON CONFLICT (id) DO NOTHING");
        query.build().persistent(false).execute(&mut *connection).await?;
        let mut query = QueryBuilder::<Sqlite>::new(
            "DELETE FROM pending WHERE (raised_at, id) IN (SELECT raised_at, id FROM effect WHERE id IN (",
        );
        let mut ids = query.separated(", ");
        rows.iter().for_each(|s| {
            ids.push_bind(wide(s.id.0));
        });
        query.push("))");
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(crate) async fn pending_effects(db: &Db, limit: usize) -> Result<Vec<Effect>, StoreError> {
    let rows = sqlx::query(
        "SELECT e.id, e.fact, e.revision, e.vehicle, e.terminal, e.text, e.raised_at \
         FROM pending AS p JOIN effect AS e ON e.id = p.id ORDER BY p.raised_at, p.id LIMIT ?",
    )
    .bind(signed(limit as u64))
    .fetch_all(&db.readers)
    .await
    .map_err(db.fail("read effects"))?;
    rows.iter().map(read_effect).collect()
}

fn read_effect(row: &SqliteRow) -> Result<Effect, StoreError> {
    let f = Fields::of(row, "effect");
    Ok(Effect {
        id: f.effect("id")?,
        fact: f.fact("fact")?,
        revision: f.int("revision")?,
        vehicle: f.vehicle()?,
        terminal: f.terminal()?,
        text: f.get("text")?,
        raised_at: f.time("raised_at")?,
    })
}

pub(crate) async fn write_strangers(
    connection: &mut SqliteConnection,
    strangers: &[Stranger],
) -> Result<(), sqlx::Error> {
    for rows in strangers.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::new(format!("INSERT INTO stranger ({STRANGER}) "));
        query.push_values(rows, |mut b, s| {
            b.push_bind(s.terminal.to_string())
                .push_bind(s.plate.as_ref().map(|p| p.text.to_string()))
                .push_bind(s.plate.as_ref().map(|p| i64::from(p.colour.0)))
                .push_bind(s.maker.clone())
                .push_bind(s.model.clone())
                .push_bind(s.device.clone())
                .push_bind(s.peer.clone())
                .push_bind(s.first_seen.0)
                .push_bind(s.last_seen.0)
                .push_bind(signed(s.frames))
                .push_bind(signed(s.seq));
        });
        query.push(
            " ON CONFLICT (terminal) DO UPDATE SET plate = excluded.plate, plate_colour = excluded.plate_colour, \
             maker = excluded.maker, model = excluded.model, device = excluded.device, peer = excluded.peer, \
             first_seen = min(first_seen, excluded.first_seen), last_seen = excluded.last_seen, frames = excluded.frames, \
             seq = excluded.seq WHERE excluded.seq > stranger.seq",
        );
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

fn read_stranger(row: &SqliteRow) -> Result<Stranger, StoreError> {
    let f = Fields::of(row, "stranger");
    let plate = match (f.get::<Option<&str>>("plate")?, f.maybe_int("plate_colour")?) {
        (Some(text), Some(colour)) => Some(Plate { text: text.into(), colour: PlateColour(colour) }),
        _ => None,
    };
    Ok(Stranger {
        terminal: f.terminal()?,
        plate,
        maker: f.get("maker")?,
        model: f.get("model")?,
        device: f.get("device")?,
        peer: f.get("peer")?,
        first_seen: f.time("first_seen")?,
        last_seen: f.time("last_seen")?,
        frames: f.bits("frames")?,
        seq: f.bits("seq")?,
    })
}

pub(crate) async fn strangers(
    db: &Db,
    scope: Scope,
    after: Option<StrangerCursor>,
    limit: usize,
) -> Result<Page<Stranger, StrangerCursor>, StoreError> {
    if scope != Scope::All {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {STRANGER} FROM stranger "));
    if let Some(after) = after {
        query.push("WHERE (first_seen, terminal) < (").push_bind(after.first_seen.0);
        query.push(", ").push_bind(after.terminal.to_string()).push(") ");
    }
    query.push("ORDER BY first_seen DESC, terminal DESC LIMIT ").push_bind(signed(limit as u64).saturating_add(1));
    let rows = query.build().fetch_all(&db.readers).await.map_err(db.fail("read strangers"))?;
    let mut items = rows.iter().map(read_stranger).collect::<Result<Vec<_>, _>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next = last.map(|s| StrangerCursor { first_seen: s.first_seen, terminal: s.terminal });
    Ok(Page { items, next })
}

pub(crate) async fn stranger(db: &Db, scope: Scope, terminal: TerminalId) -> Result<Stranger, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {STRANGER} FROM stranger WHERE terminal = "));
    query.push_bind(terminal.to_string());
    let row = query.build().fetch_optional(&db.readers).await.map_err(db.fail("read a stranger"))?;
    match row {
        Some(row) if scope == Scope::All => read_stranger(&row),
        _ => Err(StoreError::NotFound("terminal")),
    }
}

pub(crate) async fn write_commands(
    connection: &mut SqliteConnection,
    commands: &[CommandRow],
) -> Result<(), sqlx::Error> {
    for rows in commands.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::new(format!("INSERT INTO command ({COMMAND}) "));
        query.push_values(rows, |mut b, row| {
            let (body, text, urgent, spoken) = match &row.command.body {
                CommandBody::Text { text, urgent, spoken } => (BODY_TEXT, Some(text.clone()), *urgent, *spoken),
                CommandBody::Locate => (BODY_LOCATE, None, false, false),
            };
            let effect = match row.command.origin {
                CommandOrigin::Person => None,
                CommandOrigin::Effect(id) => Some(wide(id.0)),
            };
            b.push_bind(signed(row.command.id.0))
                .push_bind(row.command.terminal.to_string())
                .push_bind(body)
                .push_bind(text)
                .push_bind(urgent)
                .push_bind(spoken)
                .push_bind(effect)
                .push_bind(row.command.expires_at.0)
                .push_bind(row.vehicle.map(|v| signed(v.0)))
                .push_bind(row.carrier.map(|c| signed(c.0)))
                .push_bind(row.actor.clone())
                .push_bind(row.state as i64)
                .push_bind(row.requested_at.0)
                .push_bind(row.sent_at.map(|t| t.0))
                .push_bind(row.answered_at.map(|t| t.0))
                .push_bind(row.serial.map(i64::from))
                .push_bind(signed(row.seq));
        });
        query.push(
            " ON CONFLICT (id) DO UPDATE SET terminal = excluded.terminal, body = excluded.body, \
             text = excluded.text, urgent = excluded.urgent, spoken = excluded.spoken, effect = excluded.effect, \
             expires_at = excluded.expires_at, vehicle = excluded.vehicle, carrier = excluded.carrier, \
             actor = excluded.actor, state = excluded.state, requested_at = excluded.requested_at, \
             sent_at = excluded.sent_at, answered_at = excluded.answered_at, serial = excluded.serial, \
             seq = excluded.seq WHERE excluded.seq > command.seq",
        );
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

fn read_command(row: &SqliteRow) -> Result<CommandRow, StoreError> {
    let f = Fields::of(row, "command");
    let text: Option<String> = f.get("text")?;
    let (urgent, spoken) = (f.get("urgent")?, f.get("spoken")?);
    let body = f.known("body", |body| match body {
        BODY_TEXT => Some(CommandBody::Text { text: text.clone().unwrap_or_default(), urgent, spoken }),
        BODY_LOCATE => Some(CommandBody::Locate),
        _ => None,
    })?;
    let origin = match f.get::<Option<&[u8]>>("effect")? {
        None => CommandOrigin::Person,
        Some(_) => CommandOrigin::Effect(f.effect("effect")?),
    };
    Ok(CommandRow {
        command: Command {
            id: CommandId(f.bits("id")?),
            terminal: f.terminal()?,
            body,
            origin,
            expires_at: f.time("expires_at")?,
        },
        vehicle: f.get::<Option<i64>>("vehicle")?.map(|v| VehicleId(v as u64)),
        carrier: f.carrier()?,
        actor: f.get("actor")?,
        state: f.known("state", |n| u8::try_from(n).ok().and_then(CommandState::from_number))?,
        requested_at: f.time("requested_at")?,
        sent_at: f.maybe_time("sent_at")?,
        answered_at: f.maybe_time("answered_at")?,
        serial: f.maybe_int("serial")?,
        seq: f.bits("seq")?,
    })
}

pub(crate) async fn command(db: &Db, scope: Scope, id: CommandId) -> Result<CommandRow, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {COMMAND} FROM command WHERE id = "));
    query.push_bind(signed(id.0));
    let row = query.build().fetch_optional(&db.readers).await.map_err(db.fail("read a command"))?;
    let command = row.as_ref().map(read_command).transpose()?.filter(|c| scope.sees(c.carrier));
    command.ok_or(StoreError::NotFound("command"))
}

pub(crate) async fn commands(
    db: &Db,
    scope: Scope,
    vehicle: VehicleId,
    limit: usize,
) -> Result<Vec<CommandRow>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {COMMAND} FROM command WHERE vehicle = "));
    query.push_bind(signed(vehicle.0));
    if let Scope::Carrier(carrier) = scope {
        query.push(" AND carrier = ").push_bind(signed(carrier.0));
    }
    query.push(" ORDER BY requested_at DESC, id DESC LIMIT ").push_bind(signed(limit as u64));
    let rows = query.build().fetch_all(&db.readers).await.map_err(db.fail("read commands"))?;
    rows.iter().map(read_command).collect()
}

pub(crate) async fn open_commands(db: &Db) -> Result<Vec<CommandRow>, StoreError> {
    const OPEN: &str = " FROM command WHERE state <= 2 ORDER BY requested_at, id";
    let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {COMMAND}{OPEN}"));
    let rows = query.build().fetch_all(&db.readers).await.map_err(db.fail("read open commands"))?;
    rows.iter().map(read_command).collect()
}

/// The state of an effect; unknown ones have none. For tests and support.
pub(crate) async fn effect_state(db: &Db, id: model::EffectId) -> Result<Option<EffectState>, StoreError> {
    let row = sqlx::query("SELECT state FROM settlement WHERE id = ? UNION ALL SELECT 0 FROM pending WHERE id = ?")
        .bind(wide(id.0))
        .bind(wide(id.0))
        .fetch_optional(&db.readers)
        .await
        .map_err(db.fail("read an effect"))?;
    row.map(|row| {
        Fields::of(&row, "settlement").known("state", |n| match n {
            0 => Some(EffectState::Pending),
            1 => Some(EffectState::Dispatched),
            2 => Some(EffectState::Expired),
            _ => None,
        })
    })
    .transpose()
}
