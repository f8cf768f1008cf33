//! Commands (下行指令): what became of each, folded from control records, command frames, answers and ticks.

use std::collections::BTreeMap;

use model::{
    Change, CommandBody, CommandId, CommandOrigin, CommandState, ControlRecord, Registry, TerminalId, Timestamp,
};
use store::{CommandRow, EffectState, Settlement};

use crate::decode::Answer;

/// The message id under which a command goes out.
const fn message_id(body: &CommandBody) -> u16 {
    match body {
        CommandBody::Text { .. } => 0x8300,
        CommandBody::Locate => 0x8201,
    }
}

/// The commands that are still open.
#[derive(Default)]
pub(crate) struct Commands {
    open: BTreeMap<CommandId, CommandRow>,
    waiting: BTreeMap<(TerminalId, u16, u16), CommandId>,
    changed: Vec<CommandRow>,
    settlements: Vec<Settlement>,
}

impl Commands {
    pub(crate) fn load(&mut self, rows: impl IntoIterator<Item = CommandRow>) {
        for row in rows {
            if let Some(serial) = row.serial {
                self.waiting.insert((row.command.terminal, serial, message_id(&row.command.body)), row.command.id);
            }
            self.open.insert(row.command.id, row);
        }
    }

    /// The rows that changed since the last call.
    pub(crate) fn take_changed(&mut self) -> Vec<CommandRow> {
        std::mem::take(&mut self.changed)
    }

    /// The effects that were put on record as commands since the last call: from the journal, so that a rebuilt
    /// outbox sends nothing twice and a rebuilt case stands where the first one stood.
    pub(crate) fn take_settlements(&mut self) -> Vec<Settlement> {
        std::mem::take(&mut self.settlements)
    }

    pub(crate) fn control(&mut self, seq: u64, record: &ControlRecord, registry: &Registry) {
        let Change::CommandRequest(command) = &record.change else { return };
        if let CommandOrigin::Effect(id) = command.origin {
            self.settlements.push(Settlement { id, state: EffectState::Dispatched, command: Some(command.id) });
        }
        let vehicle = registry.terminal(command.terminal).and_then(|terminal| terminal.vehicle());
        let row = CommandRow {
            command: command.clone(),
            vehicle,
            carrier: vehicle.and_then(|vehicle| registry.owner(vehicle)),
            actor: record.actor.clone(),
            state: CommandState::Requested,
            requested_at: record.recorded_at,
            sent_at: None,
            answered_at: None,
            serial: None,
            seq: 0,
        };
        self.open.insert(command.id, row);
        self.change(seq, command.id, |_| {});
    }

    pub(crate) fn sent(&mut self, seq: u64, id: CommandId, serial: u16, at: Timestamp) {
        let Some(row) = self.open.get(&id) else { return };
        let earlier = row.serial.map(|serial| (row.command.terminal, serial, message_id(&row.command.body)));
        if let Some(key) = earlier.filter(|key| self.waiting.get(key) == Some(&id)) {
            self.waiting.remove(&key);
        }
        self.waiting.insert((row.command.terminal, serial, message_id(&row.command.body)), id);
        self.change(seq, id, |row| {
            row.state = CommandState::Sent;
            row.sent_at = Some(at);
            row.serial = Some(serial);
        });
    }

    pub(crate) fn answered(&mut self, seq: u64, terminal: TerminalId, answer: Answer, at: Timestamp) {
        let Some(id) = self.waiting.get(&(terminal, answer.serial, answer.id)).copied() else { return };
        self.close(seq, id, |row| {
            row.state = if answer.done { CommandState::Acknowledged } else { CommandState::Refused };
            row.answered_at = Some(at);
        });
    }

    pub(crate) fn tick(&mut self, seq: u64, now: Timestamp) {
        let expired: Vec<_> =
            self.open.values().filter(|row| row.command.expires_at <= now).map(|row| row.command.id).collect();
        for id in expired {
            self.close(seq, id, |row| {
                let sent = row.state == CommandState::Sent;
                row.state = if sent { CommandState::Unknown } else { CommandState::Expired };
            });
        }
    }

    fn change(&mut self, seq: u64, id: CommandId, change: impl FnOnce(&mut CommandRow)) {
        if let Some(row) = self.open.get_mut(&id) {
            change(row);
            row.seq = guard(seq, row.state);
            self.changed.push(row.clone());
        }
    }

    fn close(&mut self, seq: u64, id: CommandId, change: impl FnOnce(&mut CommandRow)) {
        self.change(seq, id, change);
        if let Some(row) = self.open.remove(&id)
            && let Some(serial) = row.serial
        {
            // Serials begin anew with each connection: another command may wait under the same one by now.
            let key = (row.command.terminal, serial, message_id(&row.command.body));
            if self.waiting.get(&key) == Some(&id) {
                self.waiting.remove(&key);
            }
        }
    }
}

/// Rows are guarded by a number that grows with every change, also when two changes lie in one envelope.
const fn guard(seq: u64, state: CommandState) -> u64 {
    seq.saturating_mul(8).saturating_add(state as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Command;

    fn request(id: u64) -> ControlRecord {
        let command = Command {
            id: CommandId(id),
            terminal: TerminalId::from_wire(&[1]),
            body: CommandBody::Text { text: "请减速".into(), urgent: true, spoken: true },
            origin: CommandOrigin::Person,
            expires_at: Timestamp(1000),
        };
        let change = Change::CommandRequest(command);
        ControlRecord { seq: id, recorded_at: Timestamp(1), actor: "admin".into(), change }
    }

    #[test]
    fn a_serial_that_is_used_again_belongs_to_the_later_command() {
        let mut c = Commands::default();
        for id in 1..=2 {
            c.control(1, &request(id), &Registry::default());
        }
        c.sent(2, CommandId(1), 0, Timestamp(5));
        c.sent(3, CommandId(2), 0, Timestamp(6));
        c.close(4, CommandId(1), |row| row.state = CommandState::Unknown);
        let _ = states(&mut c);
        let done = Answer { serial: 0, id: 0x8300, done: true };
        c.answered(5, TerminalId::from_wire(&[1]), done, Timestamp(7));
        assert_eq!(states(&mut c), [(2, CommandState::Acknowledged)]);
    }

    fn states(commands: &mut Commands) -> Vec<(u64, CommandState)> {
        commands.take_changed().into_iter().map(|row| (row.command.id.0, row.state)).collect()
    }

    #[test]
    fn a_command_ends_in_exactly_one_way() {
        let terminal = TerminalId::from_wire(&[1]);
        let text = |serial, done| Answer { serial, id: 0x8300, done };
        let mut c = Commands::default();
        for id in 1..=4 {
            c.control(1, &request(id), &Registry::default());
        }
        c.sent(2, CommandId(1), 10, Timestamp(5));
        c.sent(2, CommandId(2), 11, Timestamp(5));
        c.sent(2, CommandId(3), 12, Timestamp(5));
        let _ = states(&mut c);
        c.answered(3, terminal, text(10, true), Timestamp(6));
        c.answered(3, terminal, text(11, false), Timestamp(6));
        c.answered(3, terminal, text(10, false), Timestamp(7));
        c.answered(3, terminal, Answer { serial: 12, id: 0x8201, done: true }, Timestamp(7));
        c.tick(4, Timestamp(999));
        c.tick(5, Timestamp(1000));
        let expected = [
            (1, CommandState::Acknowledged),
            (2, CommandState::Refused),
            (3, CommandState::Unknown),
            (4, CommandState::Expired),
        ];
        assert_eq!(states(&mut c), expected);
        assert!(c.open.is_empty() && c.waiting.is_empty());
    }
}
