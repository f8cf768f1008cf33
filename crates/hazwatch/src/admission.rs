//! Who may speak, answered for the door from the registry.

use std::net::IpAddr;
use std::sync::Arc;

use control::{Control, Head, Registering, open_registration};
use gateway::{Admission, Forwarder, RegisterRefusal, Registration};
use model::{BoxFuture, ControlError, ForwarderId, Registry, TerminalId};

use crate::config::AdmissionMode;

pub(crate) struct House {
    pub mode: AdmissionMode,
    pub control: Arc<Control>,
    pub head: Arc<dyn Head>,
}

fn epoch(registry: &Registry, terminal: TerminalId) -> Option<u32> {
    registry.terminal(terminal).filter(|known| known.admitted).map(|known| known.epoch)
}

impl House {
    /// Known terminals only; a known one that registers again gets its code again.
    fn known(&self, terminal: TerminalId) -> Result<u32, RegisterRefusal> {
        epoch(&self.head.registry(), terminal).ok_or(RegisterRefusal::NoTerminal)
    }

    /// Whoever asks: vehicle and binding are in force before this returns.
    async fn open(&self, terminal: TerminalId, registration: Registration) -> Result<u32, RegisterRefusal> {
        let registering = Registering {
            plate: registration.plate,
            maker: registration.maker,
            model: registration.model,
            device: registration.device,
        };
        let now = self.head.now();
        let actor = format!("terminal {terminal}");
        let make = |registry: &Registry| open_registration(registry, terminal, &registering, now);
        match self.control.submit_with(&actor, make).await {
            Ok(receipt) if receipt.applied => {
                epoch(&self.head.registry(), terminal).ok_or(RegisterRefusal::Unavailable)
            }
            Ok(_) | Err(ControlError::Unavailable { .. }) => Err(RegisterRefusal::Unavailable),
            Err(refusal) => {
                tracing::warn!(%terminal, %refusal, "a registration cannot be recorded");
                Err(RegisterRefusal::Unavailable)
            }
        }
    }
}

impl Admission for House {
    fn epoch(&self, terminal: TerminalId) -> Option<u32> {
        epoch(&self.head.registry(), terminal)
    }

    fn register<'a>(
        &'a self,
        terminal: TerminalId,
        registration: Registration,
    ) -> BoxFuture<'a, Result<u32, RegisterRefusal>> {
        Box::pin(async move {
            match self.mode {
                AdmissionMode::Registry => self.known(terminal),
                AdmissionMode::Open => self.open(terminal, registration).await,
            }
        })
    }

    fn is_denied(&self, peer: IpAddr) -> bool {
        self.head.registry().is_denied(peer)
    }

    fn forwarder(&self, peer: IpAddr) -> Option<Forwarder> {
        let registry = self.head.registry();
        registry.forwarder_from(peer).map(|known| Forwarder { id: known.id, code_epoch: known.code_epoch })
    }

    fn forwards(&self, id: ForwarderId, terminal: TerminalId) -> bool {
        self.head.registry().forwards(id, terminal)
    }
}
