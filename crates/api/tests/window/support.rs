//! A world to look at through the window: a real store in a temporary folder, small rooms behind the ports, two
//! carriers with one of everything, and an administrator.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use api::{Config, Deps, router};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use model::{
    BoxFuture, Carrier, CarrierId, Change, Command, CommandBody, CommandId, CommandOrigin, CommandState, Confidence,
    ControlError, ControlPort, ControlRecord, Coord, DoorPort, Fact, FactId, FactKind, Fix, Forwarder, ForwarderId,
    FrameEntry, FramePage, FrameQuery, FramesError, FramesPort, Geometry, Hold, HoldId, Link, LivePosition, Marks,
    Measures, Plate, Position, Principal, ProofError, Receipt, RecordRef, Registry, Role, TerminalId, Timestamp,
    TruthPort, Vehicle, VehicleId, ViewsBehind, ViewsPort, Zone, ZoneId, ZoneKind, ZoneRule,
};
use parking_lot::Mutex;
use serde_json::Value;
use store::{CaseState, CommandRow, FactRow, Options, PasswordCost, Store, Stranger, Writes};
use tokio::sync::Notify;
use tower::ServiceExt;

/// 2026-11-23T12:00:00+08:00.
pub(crate) const NOON: Timestamp = Timestamp::from_secs(1_795_406_400);
pub(crate) const PASSWORD: &str = "correct horse";

/// The control room: folds what it is given, or fails as told.
#[derive(Default)]
pub(crate) struct Control {
    registry: Mutex<Arc<Registry>>,
    pub(crate) records: Mutex<Vec<ControlRecord>>,
    pub(crate) late: AtomicBool,
    pub(crate) failure: Mutex<Option<ControlError>>,
}

impl Control {
    pub(crate) fn apply(&self, actor: &str, changes: Vec<Change>) -> u64 {
        let mut registry = Registry::clone(&self.registry.lock());
        for change in changes {
            let record = ControlRecord { seq: registry.seq() + 1, recorded_at: NOON, actor: actor.to_owned(), change };
            registry.apply(&record);
            self.records.lock().push(record);
        }
        let seq = registry.seq();
        *self.registry.lock() = Arc::new(registry);
        seq
    }

    /// Names of the changes recorded since `from`.
    pub(crate) fn names_since(&self, from: usize) -> Vec<&'static str> {
        self.records.lock()[from..].iter().map(|record| record.change.name()).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.records.lock().len()
    }
}

impl ControlPort for Control {
    fn submit<'a>(&'a self, who: &'a Principal, changes: Vec<Change>) -> BoxFuture<'a, Result<Receipt, ControlError>> {
        Box::pin(async move {
            if let Some(error) = self.failure.lock().clone() {
                return Err(error);
            }
            let control_seq = self.apply(&who.name, changes);
            Ok(Receipt { control_seq, applied: !self.late.load(Ordering::Relaxed) })
        })
    }

    fn registry(&self) -> Arc<Registry> {
        self.registry.lock().clone()
    }
}

/// The views: as far behind as told.
#[derive(Default)]
pub(crate) struct Views {
    pub(crate) behind: AtomicU64,
    pub(crate) not_ready: Mutex<Option<String>>,
    pub(crate) online: Mutex<BTreeSet<TerminalId>>,
    positions: Mutex<Vec<LivePosition>>,
    changed: Notify,
}

impl Views {
    pub(crate) fn position(&self, position: LivePosition) {
        self.positions.lock().push(position);
        self.changed.notify_waiters();
    }

    pub(crate) fn wake(&self) {
        self.changed.notify_waiters();
    }
}

impl ViewsPort for Views {
    fn caught_up(&self) -> BoxFuture<'_, Result<(), ViewsBehind>> {
        let behind = self.behind.load(Ordering::Relaxed);
        Box::pin(async move { if behind == 0 { Ok(()) } else { Err(ViewsBehind { behind }) } })
    }

    fn settled(&self) -> u64 {
        u64::MAX
    }

    fn ready(&self) -> Result<(), String> {
        self.not_ready.lock().clone().map_or(Ok(()), Err)
    }

    fn positions(&self, cursor: u64) -> (Vec<LivePosition>, u64) {
        let all = self.positions.lock();
        let next = all.len() as u64 + 1;
        let from = if cursor == 0 { all.len() } else { cursor as usize - 1 };
        (all[from..].to_vec(), next)
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.changed.notified())
    }

    fn is_online(&self, terminal: TerminalId) -> bool {
        self.online.lock().contains(&terminal)
    }

    fn online_count(&self) -> usize {
        self.online.lock().len()
    }
}

/// A truth that has one record, one head and one key.
pub(crate) struct Truth(pub(crate) Arc<Control>, pub(crate) Mutex<Vec<u8>>);

/// The name of the one file that is kept.
pub(crate) const FILE: &str = "ab12";

impl TruthPort for Truth {
    fn key(&self) -> String {
        r#"{"key_id":"k"}"#.to_owned()
    }

    fn daily_heads(&self, before: Option<String>, limit: usize) -> BoxFuture<'_, Result<Vec<String>, FramesError>> {
        let days = ["2026-11-22", "2026-11-21", "2026-11-20"];
        let kept = days.into_iter().filter(|day| before.as_deref().is_none_or(|before| *day < before)).take(limit);
        let heads = kept.map(|day| format!("{{\"day\":\"{day}\"}}")).collect();
        Box::pin(async move { Ok(heads) })
    }

    fn prove(&self, place: (u64, u32)) -> BoxFuture<'_, Result<String, ProofError>> {
        let outcome = match place {
            (9, 0) => Ok(r#"{"proof":1}"#.to_owned()),
            (10, _) => Err(ProofError::NotYet),
            (seq, _) => Err(ProofError::NotFound(format!("no record at {seq}"))),
        };
        Box::pin(async move { outcome })
    }

    fn keep(&self, bytes: Vec<u8>) -> BoxFuture<'_, Result<String, FramesError>> {
        *self.1.lock() = bytes;
        Box::pin(async { Ok(FILE.to_owned()) })
    }

    fn kept(&self, sha256: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, FramesError>> {
        let bytes = (sha256 == FILE).then(|| self.1.lock().clone());
        Box::pin(async { Ok(bytes) })
    }

    fn control_records(&self, before: u64, limit: usize) -> BoxFuture<'_, Result<Vec<ControlRecord>, FramesError>> {
        let records = self.0.records.lock();
        let found = records.iter().rev().filter(|record| record.seq < before).take(limit).cloned().collect();
        Box::pin(async move { Ok(found) })
    }
}

/// A door with one link.
pub(crate) struct Door;

impl DoorPort for Door {
    fn forwarder_code(&self, id: ForwarderId, epoch: u32) -> String {
        format!("code-{id}-{epoch}")
    }

    fn links(&self) -> Vec<Link> {
        vec![Link { forwarder: PLATFORM, peer: "10.20.0.9:4242".to_owned(), since: NOON, terminals: 800 }]
    }
}

/// Two frames of whoever is asked for.
pub(crate) struct Frames;

impl FramesPort for Frames {
    fn frames(&self, query: FrameQuery) -> BoxFuture<'_, Result<FramePage, FramesError>> {
        let frame = |seq: u64| FrameEntry {
            place: (seq, 0),
            received: query.from,
            direction: "uplink",
            hex: "7e".to_owned(),
            decoded_json: format!("{{\"phone\":\"{}\"}}", query.terminal),
        };
        let mut frames: Vec<_> = [9, 8].map(frame).into();
        frames.retain(|f| query.before.is_none_or(|before| f.place < before));
        let next = (frames.len() > query.limit).then(|| frames[query.limit - 1].place);
        frames.truncate(query.limit);
        Box::pin(async move { Ok(FramePage { frames, next }) })
    }
}

/// One of everything that belongs to a carrier.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) carrier: CarrierId,
    pub(crate) name: String,
    pub(crate) vehicle: VehicleId,
    pub(crate) plate: Plate,
    pub(crate) phone: TerminalId,
    pub(crate) violation: String,
    pub(crate) command: CommandId,
    pub(crate) token: String,
}

impl Fleet {
    /// Everything by which an answer would give the fleet away.
    pub(crate) fn marks(&self) -> Vec<String> {
        let plate = self.plate.text.to_string();
        let ids = [self.carrier.to_string(), self.vehicle.to_string(), self.command.to_string()];
        let own = [self.name.clone(), plate, self.violation.clone(), self.phone.to_string()];
        ids.into_iter().chain(own).collect()
    }
}

pub(crate) const ZONE: ZoneId = ZoneId(77);
pub(crate) const PLATFORM: ForwarderId = ForwarderId(78);
pub(crate) const HOLD: HoldId = HoldId(79);

pub(crate) struct World {
    pub(crate) app: Router,
    pub(crate) store: Store,
    pub(crate) control: Arc<Control>,
    pub(crate) views: Arc<Views>,
    pub(crate) now: Arc<Mutex<Timestamp>>,
    pub(crate) admin: String,
    pub(crate) ours: Fleet,
    pub(crate) theirs: Fleet,
    _dir: tempfile::TempDir,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A refusal in the one shape, about that field ("" for none).
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, field: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], status);
        for member in ["type", "title", "detail"] {
            assert!(json[member].is_string(), "{json}");
        }
        assert_eq!(json["field"].as_str().unwrap_or_default(), field, "{json}");
        json
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Config { sse_interval: std::time::Duration::ZERO, ..Config::default() }).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { password_cost: PasswordCost::TEST, ..Options::default() };
        let store = Store::open_with(dir.path(), options).await.unwrap();
        let (control, views) = (Arc::new(Control::default()), Arc::new(Views::default()));
        let now = Arc::new(Mutex::new(NOON));
        let clock = Arc::clone(&now);
        let deps = Deps {
            store: store.clone(),
            control: control.clone(),
            views: views.clone(),
            frames: Arc::new(Frames),
            truth: Arc::new(Truth(control.clone(), Mutex::default())),
            door: Arc::new(Door),
            metrics: prometheus::Registry::new(),
            clock: Arc::new(move || *clock.lock()),
            version: "0.0.0".to_owned(),
        };
        let app = router(deps, config);
        store.users().ensure_admin(Some(PASSWORD), NOON).await.unwrap();
        let admin = store.users().login("admin", PASSWORD, NOON).await.unwrap().unwrap().token;
        control.apply("system", vec![zone(), platform(), hold()]);
        let ours = fleet(&store, &control, 1).await;
        let theirs = fleet(&store, &control, 2).await;
        Self { app, store, control, views, now, admin, ours, theirs, _dir: dir }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// A request without a body, by the holder of `token` ("" for nobody).
    pub(crate) async fn ask(&self, token: &str, method: Method, uri: &str) -> Answer {
        self.send(request(token, method, uri, "", Body::empty())).await
    }

    pub(crate) async fn get(&self, token: &str, uri: &str) -> Answer {
        self.ask(token, Method::GET, uri).await
    }

    pub(crate) async fn post(&self, token: &str, uri: &str, body: Value) -> Answer {
        self.send(request(token, Method::POST, uri, "application/json", body.to_string().into())).await
    }
}

pub(crate) fn request(token: &str, method: Method, uri: &str, content_type: &str, body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(escape(uri));
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    request.body(body).unwrap()
}

/// Percent-encodes what is not ASCII, as clients do.
pub(crate) fn escape(uri: &str) -> String {
    uri.bytes().map(|b| if b.is_ascii() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn platform() -> Change {
    Change::ForwarderPut(Forwarder {
        id: PLATFORM,
        name: "platform".to_owned(),
        networks: vec!["10.20.0.0/24".parse().unwrap()],
        code_epoch: Some(1),
        vehicles: None,
    })
}

fn hold() -> Change {
    let (from, to) = (NOON, NOON.plus_us(3_600_000_000));
    Change::HoldPut(Hold { id: HOLD, vehicle: None, from, to, reason: "accident 7".to_owned() })
}

fn zone() -> Change {
    Change::ZonePut(Zone {
        id: ZONE,
        revision: 1,
        name: "特大桥".to_owned(),
        kind: ZoneKind::VeryLargeBridge,
        geometry: Geometry::Circle { centre: Coord { x: 103.8, y: 25.5 }, radius_m: 500.0 },
        rules: vec![ZoneRule::forbidden()],
        source_crs: "wgs84".to_owned(),
        legal: model::LegalBasis::default(),
        place: String::new(),
        detour: String::new(),
        drafted_by: None,
        valid_from: None,
        valid_to: None,
        recorded_at: NOON,
    })
}

async fn fleet(store: &Store, control: &Control, n: u8) -> Fleet {
    let (carrier, vehicle) = (CarrierId(1000 + u64::from(n)), VehicleId(2000 + u64::from(n)));
    let name = format!("carrier-{n}");
    let plate: Plate = format!("云D1234{n}:2").parse().unwrap();
    let phone = TerminalId::from_wire(&[0x01, 0x39, 0x12, 0x34, 0x56, n]);
    control.apply(
        "system",
        vec![
            Change::CarrierPut(Carrier { id: carrier, name: name.clone() }),
            Change::VehiclePut(Vehicle {
                id: vehicle,
                plate: Some(plate.clone()),
                carrier: Some(carrier),
                ..Vehicle::default()
            }),
            Change::TerminalPut { terminal: phone, maker: "M".into(), model: "T".into(), device: "D".into() },
            Change::Bind { terminal: phone, vehicle, from: Timestamp::MIN },
        ],
    );
    let facts = [(FactKind::VISIT, 10), (FactKind::V06, 20)].map(|(kind, base)| {
        let id = FactId(base + u128::from(n));
        fact_row(id, kind, vehicle, carrier)
    });
    let command = command_row(CommandId(3000 + u64::from(n)), phone, vehicle, carrier);
    let stranger = Stranger {
        terminal: TerminalId::from_wire(&[0x77, n]),
        plate: Some(plate.clone()),
        maker: "SM".to_owned(),
        model: "ST".to_owned(),
        device: "SD".to_owned(),
        peer: "192.0.2.1:9".to_owned(),
        first_seen: NOON,
        last_seen: NOON,
        frames: 3,
        seq: 1,
    };
    let id = command.command.id;
    let violation = model::CaseId(facts[1].fact.id.0).to_string();
    let writes =
        Writes { facts: facts.into(), commands: vec![command], strangers: vec![stranger], ..Writes::default() };
    store.write(writes).await.unwrap();
    store.push_fixes(0, (0..3).map(|i| (vehicle, fix(phone, i))).collect());
    let users = store.users();
    let user = format!("user-{n}");
    users.create_user(&user, PASSWORD, Role::Carrier, Some(carrier), NOON).await.unwrap();
    let token = users.login(&user, PASSWORD, NOON).await.unwrap().unwrap().token;
    Fleet { carrier, name, vehicle, plate, phone, violation, command: id, token }
}

pub(crate) fn fact_row(id: FactId, kind: FactKind, vehicle: VehicleId, carrier: CarrierId) -> FactRow {
    let fact = Fact {
        id,
        revision: 1,
        kind,
        vehicle,
        zone: ZONE,
        zone_revision: 1,
        started_at: NOON,
        ended_at: None,
        confidence: Confidence(900),
        detected_late: false,
        standing: model::Standing::Stands,
        rule_revision: 1,
        measures: Measures::default(),
        evidence: vec![RecordRef { position: Position { shard: 0, seq: 5 }, index: 1, item: 0 }],
    };
    FactRow {
        fact,
        carrier: Some(carrier),
        changed: 5,
        case_state: CaseState::Raised,
        as_of: 5,
        superseded_by: None,
        raised_at: NOON,
    }
}

fn command_row(id: CommandId, terminal: TerminalId, vehicle: VehicleId, carrier: CarrierId) -> CommandRow {
    let body = CommandBody::Text { text: "减速".to_owned(), urgent: true, spoken: true };
    let expires_at = NOON.plus_us(600_000_000);
    CommandRow {
        command: Command { id, terminal, body, origin: CommandOrigin::Person, expires_at },
        vehicle: Some(vehicle),
        carrier: Some(carrier),
        actor: "admin".to_owned(),
        state: CommandState::Sent,
        requested_at: NOON,
        sent_at: Some(NOON),
        answered_at: None,
        serial: Some(7),
        seq: 1,
    }
}

/// A fix `seconds` after noon, just west of the zone.
pub(crate) fn fix(terminal: TerminalId, seconds: i64) -> Fix {
    let time = NOON.plus_us(seconds * 1_000_000);
    Fix {
        terminal,
        time,
        received: time.plus_us(250_000),
        source: RecordRef { position: Position { shard: 0, seq: 1 + seconds.unsigned_abs() }, index: 0, item: 0 },
        alarm: 0,
        status: 3,
        lat_wire: 25_500_000,
        lon_wire: 103_790_000 + seconds as u32,
        altitude_wire: 1900,
        speed_dkmh: 605,
        direction_deg: 90,
        time_bcd: [0x26, 0x11, 0x23, 0x12, 0, (seconds % 60) as u8],
        mileage_hm: Some(12_345),
        items: Box::default(),
        marks: Marks::default(),
    }
}
