//! The task that answers over UDP, submission after submission as they become durable.

use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;

use journal::Ticket;
use model::TerminalId;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, mpsc};

use super::sessions::Window;
use crate::answer::{Answer, Charge, Reply};
use crate::gateway::Shared;
use crate::metrics::{Meter, Outcome};

/// Answers to the frames of one datagram go back together, up to what no network on the way has to cut.
const DATAGRAM_BYTES: usize = 1_200;
/// Registrations that the registry is asked about at a time.
const REGISTRATIONS_MAX: usize = 64;

/// An answer, and what limits it.
pub(super) struct Owed {
    pub(super) answer: Answer,
    pub(super) to: SocketAddr,
    /// Which datagram of its submission it answers.
    pub(super) datagram: u32,
    /// An answer with more bytes is not sent.
    pub(super) bytes_max: usize,
    pub(super) window: Option<Window>,
}

/// Answers that wait for one submission to the journal.
pub(super) struct Batch {
    /// `None` when the journal did not take it.
    pub(super) ticket: Option<Ticket>,
    pub(super) owed: Vec<Owed>,
}

pub(super) struct Answering {
    shared: Arc<Shared>,
    socket: Arc<UdpSocket>,
    registrations: Arc<Semaphore>,
}

/// Datagrams that are filled one after the other.
#[derive(Default)]
struct Mailbag {
    ready: Vec<(SocketAddr, Vec<u8>)>,
    open: Option<(SocketAddr, u32)>,
    bytes: Vec<u8>,
}

impl Mailbag {
    fn add(&mut self, owed: &Owed, frame: &[u8]) {
        let to = (owed.to, owed.datagram);
        if self.open != Some(to) || self.bytes.len() + frame.len() > DATAGRAM_BYTES {
            self.close();
            self.open = Some(to);
        }
        self.bytes.extend_from_slice(frame);
    }

    fn close(&mut self) {
        if let Some((to, _)) = self.open.take() {
            self.ready.push((to, mem::take(&mut self.bytes)));
        }
    }
}

impl Answering {
    pub(super) fn new(shared: Arc<Shared>, socket: Arc<UdpSocket>) -> Self {
        Self { shared, socket, registrations: Arc::new(Semaphore::new(REGISTRATIONS_MAX)) }
    }

    /// Until nobody submits any more, and all is answered.
    pub(super) async fn run(self, mut batches: mpsc::Receiver<Batch>) {
        while let Some(Batch { ticket, owed }) = batches.recv().await {
            let is_durable = match ticket {
                Some(ticket) => ticket.await.is_ok(),
                None => false,
            };
            if !is_durable {
                self.give_up(owed);
                continue;
            }
            let (datagrams, registrations) = self.encode(owed);
            for (to, datagram) in datagrams {
                send(&self.socket, to, &datagram).await;
            }
            for owed in registrations {
                self.register(owed).await;
            }
        }
        // Those that the registry still thinks about.
        let _ = self.registrations.acquire_many(REGISTRATIONS_MAX as u32).await;
    }

    /// The datagrams that answer, and the registrations that the registry is to be asked about.
    fn encode(&self, owed: Vec<Owed>) -> (Vec<(SocketAddr, Vec<u8>)>, Vec<Owed>) {
        let mut meter = Meter::new(&self.shared.metrics);
        let (mut bag, mut registrations, mut frame) = (Mailbag::default(), Vec::new(), Vec::new());
        let now_us = self.shared.now_us();
        for owed in owed {
            if matches!(owed.answer.reply, Reply::Register(_)) {
                registrations.push(owed);
                continue;
            }
            let outcome = owed.answer.write(|| self.shared.clock.now(), &mut frame);
            let outcome = if frame.len() > owed.bytes_max { Outcome::Unanswered } else { outcome };
            if frame.len() <= owed.bytes_max && !frame.is_empty() {
                bag.add(&owed, &frame);
            }
            meter.answered(&owed.answer, outcome, now_us);
            frame.clear();
            drop(owed.window);
        }
        bag.close();
        (bag.ready, registrations)
    }

    /// Asks the registry, beside the answers to others; waits while it is asked too much.
    async fn register(&self, mut owed: Owed) {
        let Reply::Register(registration) = &mut owed.answer.reply else { return };
        let registration = mem::take(&mut **registration);
        let terminal = TerminalId::from_wire(owed.answer.to.phone.bytes());
        let Ok(permit) = self.registrations.clone().acquire_owned().await else { return };
        let (shared, socket) = (self.shared.clone(), self.socket.clone());
        tokio::spawn(async move {
            let decided = shared.admission.register(terminal, registration).await;
            let registered = decided.map(|epoch| shared.codes.code(terminal, epoch));
            let mut frame = Vec::new();
            let mut outcome = owed.answer.write_registered(registered, &mut frame);
            if frame.len() > owed.bytes_max {
                outcome = Outcome::Unanswered;
            } else if !frame.is_empty() {
                send(&socket, owed.to, &frame).await;
            }
            Meter::new(&shared.metrics).answered(&owed.answer, outcome, shared.now_us());
            drop((owed.window, permit));
        });
    }

    /// The journal lost it: there is no answer, not even one of failure.
    fn give_up(&self, owed: Vec<Owed>) {
        for owed in owed.into_iter().filter(|owed| owed.answer.charge != Charge::Connection) {
            self.shared.metrics.frames(owed.answer.to.id, Outcome::Failed, 1);
        }
    }
}

/// A datagram that cannot be sent is like one that was lost.
async fn send(socket: &UdpSocket, to: SocketAddr, datagram: &[u8]) {
    if let Err(error) = socket.send_to(datagram, to).await {
        tracing::debug!(%to, %error, "an answer was not sent");
    }
}
