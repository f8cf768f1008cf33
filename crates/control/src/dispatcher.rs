//! The dispatcher: effects that wait become commands (once, on record), and commands that wait are handed to the
//! door when their terminal is connected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Change, Command, CommandBody, CommandId, CommandOrigin, CommandState, ControlError, ControlPort, Principal,
    TerminalId,
};
use store::{Effect, EffectState, Settlement, Store, StoreError, Writes};
use tokio::sync::{broadcast, watch};

use crate::submit::{Control, Head};

/// An effect that nobody carried out for this long is of no use to the driver any more.
const EFFECT_AGE_MAX_US: i64 = 10 * 60 * 1_000_000;
/// How long a text to the cab is worth sending.
const TEXT_LIFE_US: i64 = 10 * 60 * 1_000_000;
/// How many effects are taken at once.
const BATCH: usize = 100;
/// Looks around at least this often, should a wake-up be lost.
const IDLE: Duration = Duration::from_secs(5);

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The terminal is not connected, or its session takes no more now: offer it again.
    NotNow,
    /// It cannot be said in the terminal's edition: it will expire.
    Never(String),
}

/// The door, as far as commands need it.
pub trait Downlink: Send + Sync {
    /// Hands a command to the terminal's session, which journals it and then sends it.
    ///
    /// # Errors
    /// When it cannot take it, now or ever.
    fn send(&self, terminal: TerminalId, id: CommandId, body: &CommandBody) -> Result<(), NotSent>;
}

/// The dispatcher.
pub struct Dispatcher {
    control: Arc<Control>,
    head: Arc<dyn Head>,
    store: Store,
    downlink: Arc<dyn Downlink>,
    /// Commands that were handed over and not yet seen in the journal; offered again only to a new session.
    handed: BTreeMap<CommandId, TerminalId>,
}

impl Dispatcher {
    /// A dispatcher that has done nothing yet.
    #[must_use]
    pub const fn new(control: Arc<Control>, head: Arc<dyn Head>, store: Store, downlink: Arc<dyn Downlink>) -> Self {
        Self { control, head, store, downlink, handed: BTreeMap::new() }
    }

    /// Runs until the views stop: looks around whenever `work` has moved (an effect or a command was written), or a
    /// terminal has authenticated.
    pub async fn run(mut self, mut work: watch::Receiver<u64>, mut authenticated: broadcast::Receiver<TerminalId>) {
        loop {
            if let Err(error) = self.look_around().await {
                tracing::error!(error = %model::Chain(&error), "cannot dispatch commands; trying again");
            }
            tokio::select! {
                changed = work.changed() => if changed.is_err() { return },
                terminal = authenticated.recv() => match terminal {
                    Ok(terminal) => {
                        // What the session before has journalled must be seen as sent before it is offered again.
                        self.head.caught_up().await;
                        self.handed.retain(|_, to| *to != terminal);
                    }
                    // Too many came online at once: a command may be offered twice, and its session is new.
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        self.head.caught_up().await;
                        self.handed.clear();
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                () = tokio::time::sleep(IDLE) => {}
            }
        }
    }

    async fn look_around(&mut self) -> Result<(), StoreError> {
        let effects = self.store.pending_effects(BATCH).await?;
        // What was dispatched is settled by the pipeline, from the journal; what was not, here.
        let mut settlements = Vec::new();
        for effect in effects {
            if !self.carry_out(&effect).await {
                settlements.push(Settlement { id: effect.id, state: EffectState::Expired, command: None });
            }
        }
        if !settlements.is_empty() {
            self.store.write(Writes { settlements, ..Writes::default() }).await?;
        }
        let open = self.store.open_commands().await?;
        self.handed
            .retain(|id, _| open.iter().any(|row| row.command.id == *id && row.state == CommandState::Requested));
        let now = self.head.now();
        for row in open.iter().filter(|row| row.state == CommandState::Requested && row.command.expires_at > now) {
            let command = &row.command;
            if self.handed.contains_key(&command.id) {
                continue;
            }
            match self.downlink.send(command.terminal, command.id, &command.body) {
                Ok(()) => {}
                Err(NotSent::NotNow) => continue,
                Err(NotSent::Never(reason)) => {
                    tracing::warn!(command = %command.id, reason, "a command cannot be sent and will expire");
                }
            }
            self.handed.insert(command.id, command.terminal);
        }
        Ok(())
    }

    /// Puts the command of an effect on record; `false`: it is of no use any more.
    async fn carry_out(&self, effect: &Effect) -> bool {
        let now = self.head.now();
        if self.control.registry().command_for(effect.id).is_some() {
            return true;
        }
        if now.since_us(effect.raised_at) > EFFECT_AGE_MAX_US {
            return false;
        }
        let command = Command {
            id: CommandId(effect.id.0 as u64 | 1),
            terminal: effect.terminal,
            body: CommandBody::Text { text: effect.text.clone(), urgent: true, spoken: true },
            origin: CommandOrigin::Effect(effect.id),
            expires_at: now.plus_us(TEXT_LIFE_US),
        };
        let system = Principal::system();
        let request = self.control.submit_with(&system.name, |registry| {
            // Another look at the effect may have been faster.
            let known = registry.command_for(effect.id).is_some();
            Ok(if known { Vec::new() } else { vec![Change::CommandRequest(command)] })
        });
        match request.await {
            Ok(_) => true,
            Err(ControlError::Unavailable { message, .. }) => {
                tracing::error!(effect = %effect.id, message, "cannot record the command of an effect; trying again");
                true
            }
            Err(refusal) => {
                tracing::warn!(effect = %effect.id, %refusal, "an effect cannot be carried out");
                false
            }
        }
    }
}
