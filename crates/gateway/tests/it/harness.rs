//! A gateway with everything around it, and a terminal that talks to it.
#![expect(clippy::panic, reason = "helpers of tests, outside of test functions")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gateway::{Admission, AuthCodes, Forwarder, Gateway, Limits, Metrics, RegisterRefusal, Registration, Stopped};
use journal::sim::SimDisk;
use journal::{Batch, Disk, DiskFile, Journal, Kind, Options, Record, system_clock};
use jt808::{Deframer, Edition, Header, Message, Phone, Register, RegisterResponse, Text};
use model::{BoxFuture, ForwarderId, Network, TerminalId};
use parking_lot::{Condvar, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything here takes; only a broken promise waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Whether syncs must wait, and how many do.
#[derive(Default)]
struct GateState {
    shut: bool,
    waiting: usize,
}

/// A disk whose syncs can be held.
#[derive(Clone, Default)]
pub(crate) struct HeldDisk {
    pub(crate) sim: SimDisk,
    gate: Arc<(Mutex<GateState>, Condvar)>,
}

impl HeldDisk {
    pub(crate) fn hold(&self) {
        self.gate.0.lock().shut = true;
    }

    pub(crate) fn let_go(&self) {
        self.gate.0.lock().shut = false;
        self.gate.1.notify_all();
    }

    /// Returns when a commit waits for its sync.
    pub(crate) async fn held(&self) {
        eventually("a sync waits", || self.gate.0.lock().waiting > 0).await;
    }

    fn wrap(&self, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(HeldFile { inner, gate: self.gate.clone() })
    }
}

struct HeldFile {
    inner: Box<dyn DiskFile>,
    gate: Arc<(Mutex<GateState>, Condvar)>,
}

impl DiskFile for HeldFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let (state, open) = &*self.gate;
        let mut state = state.lock();
        state.waiting += 1;
        while state.shut {
            open.wait(&mut state);
        }
        state.waiting -= 1;
        drop(state);
        self.inner.sync()
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn drop_cache(&mut self) -> io::Result<()> {
        self.inner.drop_cache()
    }
}

impl Disk for HeldDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.sim.list(folder)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.sim.make_folder(folder)
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        self.sim.create(path, content).map(|file| self.wrap(file))
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.sim.open_append(path).map(|file| self.wrap(file))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.sim.open_read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.sim.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.sim.remove_file(path)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        self.sim.free_bytes(folder)
    }
}

/// A registry in a map.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) epochs: Mutex<BTreeMap<TerminalId, u32>>,
    pub(crate) registered: Mutex<Vec<(TerminalId, Registration)>>,
    pub(crate) refusal: Mutex<Option<RegisterRefusal>>,
    pub(crate) denied: Mutex<Vec<Network>>,
    pub(crate) forwarders: Mutex<Vec<(Network, Forwarder)>>,
    pub(crate) forwarded: Mutex<BTreeSet<(ForwarderId, TerminalId)>>,
}

impl Admission for Registry {
    fn epoch(&self, terminal: TerminalId) -> Option<u32> {
        self.epochs.lock().get(&terminal).copied()
    }

    fn register<'a>(
        &'a self,
        terminal: TerminalId,
        registration: Registration,
    ) -> BoxFuture<'a, Result<u32, RegisterRefusal>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if let Some(refusal) = *self.refusal.lock() {
                return Err(refusal);
            }
            self.registered.lock().push((terminal, registration));
            Ok(*self.epochs.lock().entry(terminal).or_insert(0))
        })
    }

    fn is_denied(&self, peer: IpAddr) -> bool {
        self.denied.lock().iter().any(|network| network.contains(peer))
    }

    fn forwarder(&self, peer: IpAddr) -> Option<Forwarder> {
        let forwarders = self.forwarders.lock();
        forwarders.iter().find(|(network, _)| network.contains(peer)).map(|(_, forwarder)| *forwarder)
    }

    fn forwards(&self, id: ForwarderId, terminal: TerminalId) -> bool {
        self.forwarded.lock().contains(&(id, terminal))
    }
}

/// A running gateway.
pub(crate) struct House {
    pub(crate) gateway: Gateway,
    pub(crate) address: SocketAddr,
    pub(crate) disk: HeldDisk,
    pub(crate) registry: Arc<Registry>,
    pub(crate) codes: AuthCodes,
    prometheus: prometheus::Registry,
    batches: Arc<Mutex<Vec<Batch>>>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Stopped>,
}

impl House {
    pub(crate) fn open() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self::with_queue(limits, 32 << 20)
    }

    /// One whose journal lets that many bytes wait for the disk.
    pub(crate) fn with_queue(limits: Limits, queue_bytes_max: u32) -> Self {
        let disk = HeldDisk::default();
        let folder = PathBuf::from("/data/journal");
        let options = Options { disk: Arc::new(disk.clone()), queue_bytes_max, ..Options::new(folder) };
        let (journal, feed, _) = Journal::open(options).expect("opens");
        let batches = Arc::new(Mutex::new(Vec::new()));
        let kept = batches.clone();
        std::thread::spawn(move || feed.iter().for_each(|batch| kept.lock().push(batch)));
        let (registry, codes) = (Arc::new(Registry::default()), AuthCodes::new([7; 32]));
        let prometheus = prometheus::Registry::new();
        let metrics = Metrics::new(&prometheus).expect("free names");
        let gateway = Gateway::new(journal, registry.clone(), codes.clone(), limits, metrics, system_clock());
        let listener = gateway::listen("127.0.0.1:0".parse().expect("address")).expect("binds");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = gateway.clone();
        let running = tokio::spawn(async move {
            serving
                .run(listener, async {
                    let _ = stopped.await;
                })
                .await
        });
        Self { gateway, address, disk, registry, codes, prometheus, batches, stop: Some(stop), running }
    }

    pub(crate) fn admit(&self, terminal: &Terminal) {
        self.registry.epochs.lock().insert(terminal.id(), 0);
    }

    pub(crate) fn code(&self, terminal: &Terminal) -> String {
        self.codes.code(terminal.id(), 0)
    }

    /// A connection from another address of this machine.
    pub(crate) async fn connect_from(&self, address: &str) -> Client {
        let socket = tokio::net::TcpSocket::new_v4().expect("socket");
        socket.bind(SocketAddr::new(address.parse().expect("address"), 0)).expect("binds");
        Client::over(socket.connect(self.address).await.expect("connects"))
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::over(TcpStream::connect(self.address).await.expect("connects"))
    }

    /// A connection that an admitted terminal has authenticated.
    pub(crate) async fn online(&self, terminal: &mut Terminal) -> Client {
        self.admit(terminal);
        let mut client = self.connect().await;
        client.send(&terminal.authenticate(&self.code(terminal))).await;
        assert_eq!(client.result().await, (0x0102, 0));
        client
    }

    /// What is durable, without ticks.
    pub(crate) fn records(&self) -> Vec<Record> {
        let batches = self.batches.lock();
        batches.iter().flat_map(|batch| batch.records.clone()).filter(|record| record.kind != Kind::Tick).collect()
    }

    /// How many frames each commit holds, without ticks.
    pub(crate) fn batch_sizes(&self) -> Vec<usize> {
        let frames = |batch: &Batch| batch.records.iter().filter(|record| record.kind != Kind::Tick).count();
        self.batches.lock().iter().map(frames).collect()
    }

    /// Returns when that many frames lie in the journal's feed.
    pub(crate) async fn recorded(&self, count: usize) -> Vec<Record> {
        eventually("records", || self.records().len() >= count).await;
        let records = self.records();
        assert_eq!(records.len(), count);
        records
    }

    /// Whether the metrics text has that line.
    pub(crate) fn counted(&self, line: &str) -> bool {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.prometheus.gather()).expect("text");
        text.lines().any(|found| found == format!("hazwatch_gateway_{line}"))
    }

    pub(crate) async fn closes_counted(&self, reason: &str) {
        let line = format!("connections_closed_total{{reason=\"{reason}\"}} 1");
        eventually(&line, || self.counted(&line)).await;
    }

    pub(crate) fn begin_shutdown(&mut self) {
        let _ = self.stop.take().expect("once").send(());
    }

    pub(crate) async fn stopped(self) -> Stopped {
        tokio::time::timeout(PATIENCE, self.running).await.expect("stops").expect("does not panic")
    }
}

pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Says things on the wire.
pub(crate) struct Terminal {
    pub(crate) header: Header,
}

impl Terminal {
    pub(crate) fn new(digits: &str) -> Self {
        Self::of(digits, Edition::V2013)
    }

    pub(crate) fn of(digits: &str, edition: Edition) -> Self {
        let phone = Phone::from_digits(digits, edition).expect("digits");
        Self { header: Header::new(0, edition, phone, 0) }
    }

    pub(crate) fn id(&self) -> TerminalId {
        TerminalId::from_wire(self.header.phone.bytes())
    }

    pub(crate) fn raw(&mut self, id: u16, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.header.id = id;
        jt808::encode_frame(&self.header, body, &mut out).expect("fits");
        self.header.serial = self.header.serial.wrapping_add(1);
        out
    }

    fn say(&mut self, message: &Message) -> Vec<u8> {
        let mut body = Vec::new();
        message.encode_body(self.header.edition, &mut body).expect("encodes");
        self.raw(message.id(), &body)
    }

    pub(crate) fn location(&mut self) -> Vec<u8> {
        self.raw(0x0200, &[1; 28])
    }

    pub(crate) fn authenticate(&mut self, code: &str) -> Vec<u8> {
        let code = Text::from(code);
        self.say(&Message::Authenticate(jt808::Authenticate { code, imei: None, software_version: None }))
    }

    pub(crate) fn register(&mut self, layout: Edition) -> Vec<u8> {
        self.say(&Message::Register(Register {
            layout,
            province: 53,
            city: 100,
            maker: Text::from("MAKER"),
            model: Text::from("MODEL"),
            terminal_id: Text::from("DEVICE1"),
            plate_colour: 2,
            plate: Text::from("云D12345"),
        }))
    }
}

/// A frame that came down.
#[derive(Clone, Debug)]
pub(crate) struct Down {
    pub(crate) header: Header,
    pub(crate) wire: Vec<u8>,
    pub(crate) message: Message,
}

/// The terminal's end of a connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    deframer: Deframer,
    came: VecDeque<Down>,
}

impl Client {
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("nodelay");
        Self { stream, deframer: Deframer::new(), came: VecDeque::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sends");
    }

    /// The next frame; `None` when the connection was closed.
    pub(crate) async fn next(&mut self) -> Option<Down> {
        let mut buffer = [0; 4096];
        while self.came.is_empty() {
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("an answer");
            let count = read.unwrap_or(0);
            if count == 0 {
                return None;
            }
            let Self { deframer, came, .. } = self;
            deframer
                .push(&buffer[..count], |piece| {
                    assert!(piece.frame.check_ok);
                    let header = piece.frame.header;
                    let message = Message::decode(&header, piece.frame.body).expect("decodes");
                    came.push_back(Down { header, wire: piece.wire.to_vec(), message });
                })
                .expect("no garbage");
        }
        self.came.pop_front()
    }

    /// The id and result of the next answer, which is a general one.
    pub(crate) async fn result(&mut self) -> (u16, u8) {
        match self.next().await.expect("an answer").message {
            Message::PlatformGeneral(answer) => (answer.answered_id, answer.result),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn results(&mut self, count: usize) -> Vec<(u16, u8)> {
        let mut results = Vec::new();
        for _ in 0..count {
            results.push(self.result().await);
        }
        results
    }

    /// The next answer, which is to a registration.
    pub(crate) async fn registered(&mut self) -> RegisterResponse {
        match self.next().await.expect("an answer").message {
            Message::RegisterResponse(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// Nothing comes, although there was time for it.
    pub(crate) async fn silent(&mut self) {
        assert!(tokio::time::timeout(Duration::from_millis(80), self.next()).await.is_err(), "an answer, or a close");
    }

    pub(crate) async fn closed(&mut self) {
        assert!(self.next().await.is_none(), "still open");
    }
}
