//! Clients that nobody wants: those that never read, never speak, speak nonsense, speak a byte at a time, or announce what
//! never comes. Each connects again when it is thrown out. A server has to stay fair to the others beside them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use jt808::{Empty, Header, MAX_BODY, Message, Packet, encode, encode_frame};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::error::FleetError;
use crate::identity::Identity;
use crate::link::{Link, connect};
use crate::options::{self, Editions, Manners, Transport};
use crate::seed::{Purpose, Seed};
use crate::stats::Stats;
use crate::terminal::{Effects, Terminal};

const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// Before a client that was thrown out comes back, and between two acts of one.
const AGAIN: Duration = Duration::from_secs(2);
const ACT: Duration = Duration::from_millis(500);
/// Frames that one who never reads sends at a time.
const UNREAD: usize = 16;
/// Bytes of nonsense at a time: sometimes with flags in it, so that it looks like frames.
const GARBAGE: usize = 512;

/// Kinds of clients that nobody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hostile {
    /// Authenticates, asks on and on, and never reads an answer.
    NeverReads,
    /// Connects, sends half a frame at most, and stays.
    HalfOpen,
    /// Sends bytes that belong to nothing.
    Garbage,
    /// Authenticates, and sends its frames a byte at a time.
    Drips,
    /// Authenticates, and begins messages of 65,535 parts that never come.
    Announces,
}

impl Hostile {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::NeverReads, Self::HalfOpen, Self::Garbage, Self::Drips, Self::Announces];
}

/// A crowd of them.
#[derive(Clone, Debug)]
pub struct HostileOptions {
    /// The server, `HOST:PORT`.
    pub to: String,
    /// How many, all kinds together: they take turns.
    pub clients: u32,
    /// Which kinds.
    pub kinds: Vec<Hostile>,
    /// Which fleet their terminals belong to.
    pub seed: u64,
    /// Index of the first terminal.
    pub first_index: u32,
    /// New connections a second while the crowd gathers.
    pub connect_rate: u32,
    /// Local addresses to connect from, in turn; empty: as for a fleet.
    pub source_addresses: Vec<IpAddr>,
}

/// What a crowd has done so far.
#[derive(Debug, Default)]
pub struct HostileStats {
    opened: AtomicU64,
    closed: AtomicU64,
    bytes: AtomicU64,
}

impl HostileStats {
    /// Connections opened so far.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// Connections that the server has ended or refused.
    #[must_use]
    pub fn closed(&self) -> u64 {
        self.closed.load(Relaxed)
    }

    /// Bytes sent after the introduction.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

/// Bothers a server until `shutdown` resolves.
///
/// # Errors
/// Options that make no sense, an address that does not resolve, too few open files.
pub async fn run_hostile(
    options: HostileOptions,
    stats: Arc<HostileStats>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), FleetError> {
    options::check_vehicles(options.first_index, options.clients)?;
    if options.kinds.is_empty() || options.connect_rate == 0 {
        return Err(FleetError::Usage("a crowd has kinds, and a connect rate above 0".to_owned()));
    }
    let to = options::resolve(&options.to).await?;
    let sources = options::sources(&options.source_addresses, to, options.clients);
    let mut crowd = JoinSet::new();
    for nth in 0..options.clients {
        let index = options.first_index + nth;
        let Some(kind) = options.kinds.get(nth as usize % options.kinds.len()).copied() else { continue };
        let client = Client {
            kind,
            to,
            from: (nth as usize).checked_rem(sources.len()).and_then(|at| sources.get(at)).copied(),
            identity: Identity::new(options.seed, index, Editions::default())?,
            seed: Seed::of_vehicle(options.seed, index),
            stats: Arc::clone(&stats),
        };
        let begin = Duration::from_secs_f64(f64::from(nth) / f64::from(options.connect_rate));
        crowd.spawn(client.run(begin));
    }
    shutdown.await;
    crowd.shutdown().await;
    Ok(())
}

struct Client {
    kind: Hostile,
    to: SocketAddr,
    from: Option<IpAddr>,
    identity: Identity,
    seed: Seed,
    stats: Arc<HostileStats>,
}

impl Client {
    async fn run(self, begin: Duration) {
        sleep(begin).await;
        for attempt in 0.. {
            let act = async {
                match self.kind {
                    Hostile::HalfOpen => self.half_open().await,
                    Hostile::Garbage => self.garbage(attempt).await,
                    Hostile::NeverReads => self.never_reads().await,
                    Hostile::Drips => self.drips().await,
                    Hostile::Announces => self.announces().await,
                }
            };
            // Whatever it was that ended it: that is what was to be found out.
            let _: io::Result<()> = act.await;
            self.stats.closed.fetch_add(1, Relaxed);
            sleep(AGAIN).await;
        }
    }

    async fn open(&self) -> io::Result<TcpStream> {
        let stream = connect(self.to, self.from).await?;
        self.stats.opened.fetch_add(1, Relaxed);
        Ok(stream)
    }

    /// A connection on which the terminal is known.
    async fn introduced(&self) -> io::Result<(Link, Header)> {
        let mut link = Link::open(self.to, self.from, Transport::Tcp).await?;
        self.stats.opened.fetch_add(1, Relaxed);
        let (mut terminal, stats) = (Terminal::new(self.identity.clone(), Manners::default()), Stats::default());
        let mut fx = Effects::default();
        terminal.connected(0, &mut fx);
        while !terminal.is_online() {
            link.write(&std::mem::take(&mut fx.wire)).await?;
            timeout(ANSWERED_WITHIN, link.readable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
            let mut verdict = Ok(());
            link.read::<512>(|frame| verdict = terminal.received(frame, 0, &stats, &mut fx))?;
            verdict.map_err(|_| io::ErrorKind::PermissionDenied)?;
        }
        Ok((link, Header::new(0x0002, self.identity.edition, self.identity.wire_phone(), 2)))
    }

    async fn send(&self, link: &mut Link, bytes: &[u8]) -> io::Result<()> {
        link.write(bytes).await?;
        self.stats.bytes.fetch_add(bytes.len() as u64, Relaxed);
        Ok(())
    }

    async fn half_open(&self) -> io::Result<()> {
        let mut stream = self.open().await?;
        if self.seed.bits(Purpose::Garbage, 0) & 1 == 0 {
            stream.write_all(&[0x7e, 0x02, 0x00, 0x00, 0x2c, 0x01, 0x39]).await?;
        }
        ended(&stream).await
    }

    async fn garbage(&self, attempt: u64) -> io::Result<()> {
        let mut stream = self.open().await?;
        for turn in 0_u64.. {
            let bytes: Vec<u8> = (0..GARBAGE as u64 / 8)
                .flat_map(|at| self.seed.bits(Purpose::Garbage, attempt << 40 | turn << 8 | at).to_be_bytes())
                .map(|byte| if turn.is_multiple_of(2) && byte < 8 { 0x7e } else { byte })
                .collect();
            stream.write_all(&bytes).await?;
            self.stats.bytes.fetch_add(bytes.len() as u64, Relaxed);
            if timeout(ACT, ended(&stream)).await.is_ok() {
                break;
            }
        }
        Ok(())
    }

    async fn never_reads(&self) -> io::Result<()> {
        let (mut link, mut header) = self.introduced().await?;
        loop {
            let mut wire = Vec::new();
            for _ in 0..UNREAD {
                encode(&header, &Message::Heartbeat(Empty::default()), &mut wire).map_err(io::Error::other)?;
                header.serial = header.serial.wrapping_add(1);
            }
            self.send(&mut link, &wire).await?;
            sleep(ACT).await;
        }
    }

    async fn drips(&self) -> io::Result<()> {
        let (mut link, mut header) = self.introduced().await?;
        loop {
            let mut wire = Vec::new();
            encode(&header, &Message::Heartbeat(Empty::default()), &mut wire).map_err(io::Error::other)?;
            header.serial = header.serial.wrapping_add(1);
            for byte in wire {
                self.send(&mut link, &[byte]).await?;
                link.read::<512>(|_| ())?;
                sleep(ACT).await;
            }
        }
    }

    async fn announces(&self) -> io::Result<()> {
        let (mut link, mut header) = self.introduced().await?;
        let body = [0x5a; MAX_BODY];
        header.id = 0x0704;
        loop {
            header.packet = Some(Packet { total: u16::MAX, number: 1 });
            header.serial = header.serial.wrapping_add(3);
            let mut wire = Vec::new();
            encode_frame(&header, &body, &mut wire).map_err(io::Error::other)?;
            self.send(&mut link, &wire).await?;
            link.read::<2_048>(|_| ())?;
            sleep(ACT).await;
        }
    }
}

/// Resolves when the server has ended the connection.
async fn ended(stream: &TcpStream) -> io::Result<()> {
    let mut buffer = [0; 512];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}
