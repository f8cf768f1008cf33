//! Imports of who carries, and of which terminal speaks for which vehicle from when on.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::response::Response;
use intake::{TerminalRow, read_carriers, read_terminals};
use model::{Binding, Carrier, CarrierId, Change, Registry, Scope, TerminalId, Timestamp, VehicleId};

use crate::app::App;
use crate::change::{Pending, random_id};
use crate::extract::Caller;
use crate::imports::{ImportReport, aside, record, table};
use crate::problem::{Kind, Problem};

/// Carriers as a table: `name` and, to rename one, `id`. A known name is left alone.
#[utoipa::path(post, path = "/api/v1/imports/carriers", tag = "imports", operation_id = "import_carriers",
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "All carriers are in force", body = ImportReport),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn carriers(
    State(app): State<App>,
    Caller(who): Caller,
    request: Request,
) -> Result<Response, Problem> {
    if who.scope != Scope::All {
        return Err(Problem::new(Kind::Forbidden, "only who sees all carriers makes them"));
    }
    let bytes = table(&app, request).await?;
    let file = bytes.clone();
    let rows = aside(move || read_carriers(&file)).await?;
    let registry = app.registry();
    let mut report = ImportReport { rows: rows.len(), ..ImportReport::default() };
    let (mut changes, mut faults) = (Vec::new(), Vec::new());
    for row in rows {
        let named = registry.carrier_by_name(&row.name).map(|carrier| carrier.id);
        let id = match (row.id, named) {
            (Some(id), _) if registry.carrier(id).is_none() => {
                faults.push(Problem::invalid("id", format_args!("no carrier {id}")).into_fault().in_row(row.row));
                continue;
            }
            (Some(id), Some(other)) if id != other => {
                let detail = format_args!("{} is carrier {other} already", row.name);
                faults.push(Problem::invalid("name", detail).into_fault().in_row(row.row));
                continue;
            }
            (_, Some(_)) => {
                report.unchanged += 1;
                continue;
            }
            (Some(id), None) => {
                report.updated += 1;
                id
            }
            (None, None) => {
                report.created += 1;
                CarrierId(random_id()?)
            }
        };
        changes.push(Change::CarrierPut(Carrier { id, name: row.name }));
    }
    if !faults.is_empty() {
        return Err(Problem::faults(faults));
    }
    record(&app, &who, "carriers", bytes, changes, report).await
}

/// Terminals and their dated bindings as a table: `phone`, `plate`, `colour` and, where wanted, `from` (since ever for a
/// terminal that never spoke for another vehicle, otherwise from now on), `maker`, `model`, `device`. They are let in. A
/// terminal that changed its vehicle has a row for each; from the earliest of them on the file says all.
#[utoipa::path(post, path = "/api/v1/imports/terminals", tag = "imports", operation_id = "import_terminals",
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))),
    responses((status = 200, description = "All bindings are in force", body = ImportReport),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn terminals(
    State(app): State<App>,
    Caller(who): Caller,
    request: Request,
) -> Result<Response, Problem> {
    let bytes = table(&app, request).await?;
    let file = bytes.clone();
    let rows = aside(move || read_terminals(&file)).await?;
    let registry = app.registry();
    let mut report = ImportReport { rows: rows.len(), ..ImportReport::default() };
    let (mut changes, mut faults) = (Vec::new(), Vec::new());
    let mut by_terminal: BTreeMap<TerminalId, Vec<TerminalRow>> = BTreeMap::new();
    for row in rows {
        by_terminal.entry(row.phone).or_default().push(row);
    }
    let now = app.now();
    for (terminal, rows) in by_terminal {
        let (count, known) = (rows.len(), registry.terminal(terminal).is_some());
        match plan(&registry, who.scope, terminal, &rows, now) {
            Err((row, problem)) => faults.push(problem.into_fault().in_row(row)),
            Ok(made) => {
                let tally = match (made.is_empty(), known) {
                    (true, _) => &mut report.unchanged,
                    (false, true) => &mut report.updated,
                    (false, false) => &mut report.created,
                };
                *tally += count;
                changes.extend(made);
            }
        }
    }
    if !faults.is_empty() {
        faults.sort_by_key(|fault| fault.row);
        return Err(Problem::faults(faults));
    }
    record(&app, &who, "terminals", bytes, changes, report).await
}

/// What the rows of one terminal change; a refusal with its row.
fn plan(
    registry: &Registry,
    scope: Scope,
    terminal: TerminalId,
    rows: &[TerminalRow],
    now: Timestamp,
) -> Result<Vec<Change>, (u64, Problem)> {
    let known = registry.terminal(terminal);
    let bindings: &[Binding] = known.map_or(&[], |known| known.bindings.as_slice());
    let mut wanted = Vec::new();
    for row in rows {
        let refuse = |problem| (row.row, problem);
        let vehicle = registry.vehicle_by_plate(&row.plate).filter(|vehicle| scope.sees(vehicle.carrier));
        let vehicle = vehicle.ok_or_else(|| {
            refuse(Problem::invalid("plate", format_args!("no vehicle {}: import it first", row.plate)))
        })?;
        if bindings.iter().any(|binding| !scope.sees(registry.owner(binding.vehicle))) {
            return Err(refuse(Problem::invalid("phone", "the terminal is in use")));
        }
        let speaks_now = bindings.last().is_some_and(|last| last.vehicle == vehicle.id);
        let from = match (row.from, bindings.last()) {
            (Some(from), _) => from,
            (None, Some(last)) if speaks_now => last.from,
            (None, Some(_)) => now,
            (None, None) => Timestamp::MIN,
        };
        wanted.push((from, vehicle.id, row.row));
    }
    wanted.sort_unstable();
    let mut changes = described(registry, terminal, rows);
    let first = wanted.first().map_or(Timestamp::MAX, |(from, ..)| *from);
    let stand = bindings.iter().filter(|binding| binding.from >= first).map(|binding| (binding.from, binding.vehicle));
    let stand: Vec<(Timestamp, VehicleId)> = stand.collect();
    if let Some((from, vehicle)) = stand.iter().find(|(from, _)| !wanted.iter().any(|(wanted, ..)| wanted == from)) {
        let row = wanted.first().map_or(0, |(.., row)| *row);
        let detail = format!("the terminal speaks for {vehicle} from {from} on: that must be in the file too");
        return Err((row, Problem::invalid("from", detail)));
    }
    if wanted.iter().map(|(from, vehicle, _)| (*from, *vehicle)).ne(stand) {
        changes.extend(wanted.iter().map(|(from, vehicle, _)| Change::Bind {
            terminal,
            vehicle: *vehicle,
            from: *from,
        }));
    }
    Ok(changes)
}

/// The terminal as the rows describe it, if it is not known like that.
fn described(registry: &Registry, terminal: TerminalId, rows: &[TerminalRow]) -> Vec<Change> {
    let known = registry.terminal(terminal);
    let said = |of: fn(&TerminalRow) -> Option<&String>| rows.iter().rev().find_map(of).cloned();
    let or = |said: Option<String>, known: Option<&String>| said.or_else(|| known.cloned()).unwrap_or_default();
    let maker = or(said(|row| row.maker.as_ref()), known.map(|known| &known.maker));
    let model = or(said(|row| row.model.as_ref()), known.map(|known| &known.model));
    let device = or(said(|row| row.device.as_ref()), known.map(|known| &known.device));
    let is_same = known.is_some_and(|known| {
        known.admitted && (&known.maker, &known.model, &known.device) == (&maker, &model, &device)
    });
    if is_same { Vec::new() } else { vec![Change::TerminalPut { terminal, maker, model, device }] }
}
