//! The wiring: every room in its place, started in order and stopped in the reverse.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::journal::{Clock, DataLock, Disk, Journal, RealDisk, system_clock};
use control::{Control, Dispatcher, Head};
use evidence::Frames;
use gateway::{AuthCodes, Gateway};
use model::{Base, Change, ControlPort, Principal, RULE_REVISION, Registry};
use parking_lot::Mutex;
use store::{Bootstrap, Store, StoreError};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::admission::House as Admission;
use crate::config::Config;
use crate::custody::{self, Custody};
use crate::error::Failure;
use crate::gauges::Gauges;
use crate::housekeeping::{Chores, Housekeeping};
use crate::journal::{self, Opened};
use crate::links;
use crate::ports::{ControlOf, DoorOf, DownlinkOf, HeadOf, ViewsOf};
use crate::truth::{Sealing, TruthOf, seal_secret};

/// Where in the data folder the journal lies.
pub(crate) const JOURNAL: &str = "journal";
/// Where in the data folder the bases of the views lie.
pub(crate) const BASES: &str = "bases";
/// How long the last checkpoint may take.
const FINISH_MAX: Duration = Duration::from_secs(60);
/// The secret of the authentication codes, in `app.db`.
const CODES_SECRET: &str = "auth_codes";

/// A server that runs.
pub(crate) struct House {
    pub jt808: SocketAddr,
    pub http: SocketAddr,
    pub store: Store,
    pub control: Arc<Control>,
    pub gateway: Gateway,
    pub metrics: prometheus::Registry,
    /// Set when the administrator was made just now, with a generated password.
    pub generated_password: Option<String>,
    journal: Journal,
    journal_ended: Arc<AtomicBool>,
    pipeline: pipeline::Handle,
    stop: watch::Sender<bool>,
    door: tokio::task::JoinHandle<gateway::Stopped>,
    door_udp: Option<tokio::task::JoinHandle<()>>,
    window: tokio::task::JoinHandle<()>,
    helpers: Vec<tokio::task::JoinHandle<()>>,
    housekeeping: Housekeeping,
    _lock: DataLock,
}

/// Something that a start needs does not work.
fn failed<E: std::error::Error + Send + Sync + 'static>(what: impl Into<String>) -> impl FnOnce(E) -> Failure {
    let what = what.into();
    move |error| Failure::because(what, error)
}

/// The rooms behind both doors: the truth, the memory, and what makes the one from the other.
struct Core {
    store: Store,
    journal: Journal,
    journal_ended: Arc<AtomicBool>,
    pipeline: pipeline::Handle,
    clock: Arc<dyn Clock>,
    head: Arc<dyn Head>,
    control: Arc<Control>,
    generated_password: Option<String>,
}

/// Starts a server; returns when it is bound and its views have caught up with its journal.
pub(crate) async fn start(config: &Config) -> Result<House, Failure> {
    let lock = DataLock::acquire(&config.server.data).map_err(failed("cannot start"))?;
    let Doors { tcp, udp, window } = bind(config).await?;
    let (jt808, http) = (address(&tcp)?, address(&window)?);
    let metrics = prometheus::Registry::new();
    let core = start_core(config, &metrics).await?;
    let codes = AuthCodes::new(secret(&core.store, CODES_SECRET).await?);
    let gateway = make_gateway(config, &core, codes.clone(), &metrics)?;
    let sealing = sealing(config, &core).await?;
    let views = core.pipeline.views.clone();

    let downlink = Arc::new(DownlinkOf(gateway.clone()));
    let dispatcher = Dispatcher::new(core.control.clone(), core.head.clone(), core.store.clone(), downlink);
    let gauges = Gauges::register(&metrics).map_err(failed("cannot count"))?;
    let deps = window_deps(config, &core, &gateway, codes, &sealing, &metrics);
    let helpers = vec![
        tokio::spawn(dispatcher.run(views.watch_work(), gateway.authenticated())),
        tokio::spawn(gauges.run(core.journal.clone(), views)),
        tokio::spawn(links::record(gateway.links(), core.control.clone())),
        tokio::spawn(watch_the_door(core.head.clone(), gateway.clone())),
        sealing.start(&metrics)?,
    ];
    let housekeeping = keep_house(config, &core)?;
    let (stop, stopping) = watch::channel(false);
    let router = api::router(deps, config.api.requests());
    let window = tokio::spawn(api::serve(window, router, config.api.connections(), stopped(stopping.clone())));
    let (running, stopping_tcp) = (gateway.clone(), stopping.clone());
    let door = tokio::spawn(async move { running.run(tcp, stopped(stopping_tcp)).await });
    let running = gateway.clone();
    let door_udp = udp.map(|socket| tokio::spawn(async move { running.run_udp(socket, stopped(stopping)).await }));
    Ok(House {
        jt808,
        http,
        store: core.store,
        control: core.control,
        gateway,
        metrics,
        generated_password: core.generated_password,
        journal: core.journal,
        journal_ended: core.journal_ended,
        pipeline: core.pipeline,
        stop,
        door,
        door_udp,
        window,
        helpers,
        housekeeping,
        _lock: lock,
    })
}

/// Opens journal and store, recovers the views, and says by which rules they are judged from now on.
async fn start_core(config: &Config, metrics: &prometheus::Registry) -> Result<Core, Failure> {
    let data = &config.server.data;
    let clock = system_clock();
    let recorded = registry_at_end(&RealDisk, &data.join(JOURNAL)).map_err(Failure::plain)?;
    restore_views(data, &recorded)?;
    let store = Store::open(data, config.pipeline.lanes).await.map_err(failed("cannot open the views"))?;
    let generated_password = ensure_admin(&store, &*clock).await?;
    let base = base_before_new_rules(&store, &recorded, data).await?;
    drop(recorded);
    let Opened { journal, feed, recovered, ended } = journal::open(&config.journal, &data.join(JOURNAL), metrics)?;
    let folder = data.join(JOURNAL);
    let counters = pipeline::Metrics::register(metrics).map_err(failed("cannot count"))?;
    let options = pipeline::Options {
        lanes: config.pipeline.lanes,
        checkpoint_every: Duration::from_secs(config.pipeline.checkpoint_s),
        checkpoint_fixes_max: config.pipeline.checkpoint_fixes_max,
        ..pipeline::Options::new(folder.clone())
    };
    let pipeline = pipeline::start(options, store.clone(), Some((feed, recovered.position)), counters)
        .await
        .map_err(failed("cannot make the views"))?;
    let views = pipeline.views.clone();
    if !views.wait_applied(recovered.position.seq).await {
        let cause = pipeline.finish().await.err();
        return Err(cause.map_or_else(|| Failure::plain("the views stopped"), failed("cannot recover the views")));
    }
    let head: Arc<dyn Head> = Arc::new(HeadOf { views, watermark: journal.watermark(), clock: clock.clone() });
    let at_end = Arc::new(move || registry_at_end(&RealDisk, &folder));
    let control = Control::new(journal.clone(), head.clone(), at_end).map_err(Failure::plain)?;
    let control = Arc::new(control);
    raise_rule_revision(&control, base).await?;
    Ok(Core { store, journal, journal_ended: ended, pipeline, clock, head, control, generated_password })
}

/// A secret of the server, made at the first start.
async fn secret(store: &Store, name: &str) -> Result<[u8; 32], Failure> {
    let secret = store.users().secret(name, 32).await.map_err(failed("cannot read app.db"))?;
    secret.try_into().map_err(|_| Failure::plain(format!("the secret {name} in app.db has a wrong length")))
}

fn make_gateway(
    config: &Config,
    core: &Core,
    codes: AuthCodes,
    metrics: &prometheus::Registry,
) -> Result<Gateway, Failure> {
    let admission = Admission { mode: config.server.admission, control: core.control.clone(), head: core.head.clone() };
    let counters = gateway::Metrics::new(metrics).map_err(failed("cannot count"))?;
    Ok(Gateway::new(
        core.journal.clone(),
        Arc::new(admission),
        codes,
        config.gateway.limits(config.server.proxies()?),
        counters,
        core.clock.clone(),
    ))
}

async fn sealing(config: &Config, core: &Core) -> Result<Sealing, Failure> {
    let number = config.journal.seal_key;
    let former = match number {
        ..=1 => None,
        later => Some(secret(&core.store, &seal_secret(later - 1)).await?),
    };
    Ok(Sealing {
        folder: config.server.data.join(JOURNAL),
        secret: secret(&core.store, &seal_secret(number)).await?,
        former,
        control: core.control.clone(),
        algorithm: journal::algorithm(&config.journal),
        watermark: core.journal.watermark(),
        clock: core.clock.clone(),
        every: Duration::from_secs(config.journal.seal_s),
        heads_url: config.journal.heads_url.clone(),
    })
}

fn window_deps(
    config: &Config,
    core: &Core,
    gateway: &Gateway,
    codes: AuthCodes,
    sealing: &Sealing,
    metrics: &prometheus::Registry,
) -> api::Deps {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let folder = config.server.data.join(JOURNAL);
    let clock = core.clock.clone();
    api::Deps {
        store: core.store.clone(),
        control: Arc::new(ControlOf { control: core.control.clone(), gateway: gateway.clone() }),
        views: Arc::new(ViewsOf {
            views: core.pipeline.views.clone(),
            watermark: core.journal.watermark(),
            journal: core.journal.clone(),
            gateway: gateway.clone(),
            moved: Mutex::new((0, Instant::now())),
        }),
        frames: Arc::new(Frames::new(disk, folder.clone())),
        truth: Arc::new(TruthOf { folder, key: sealing.key() }),
        door: Arc::new(DoorOf { gateway: gateway.clone(), codes }),
        metrics: metrics.clone(),
        clock: Arc::new(move || clock.now()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

impl House {
    /// Stops in order: the door answers what is durable, then the window closes, the journal commits what is left,
    /// and the views make their last checkpoint.
    pub(crate) async fn shut_down(self) -> Result<(), Failure> {
        self.stop.send_replace(true);
        let _ = self.door.await;
        if let Some(door) = self.door_udp {
            let _ = door.await;
        }
        let _ = self.window.await;
        self.helpers.iter().for_each(tokio::task::JoinHandle::abort);
        let housekeeping = self.housekeeping;
        let _ = tokio::task::spawn_blocking(move || drop(housekeeping)).await;
        let journal = self.journal.clone();
        let finish = async {
            let _ = tokio::task::spawn_blocking(move || journal.close()).await;
            self.pipeline.finish().await.map_err(failed("the views did not make their last checkpoint"))
        };
        // The journal has everything: giving up costs the next start some reading, and nothing else.
        let too_late = |_| Failure::plain("the views did not make their last checkpoint in time");
        tokio::time::timeout(FINISH_MAX, finish).await.map_err(too_late)?
    }

    /// Why the journal takes nothing more until the next start, if so: the process should end.
    pub(crate) fn journal_end(&self) -> Option<String> {
        let reason = || self.journal.failure().map_or_else(String::new, |error| error.to_string());
        self.journal_ended.load(Ordering::Acquire).then(reason)
    }
}

/// How often it is looked whether somebody who is connected has to go.
const DOOR_EVERY: Duration = Duration::from_millis(250);

/// Brings open connections in line with the registry in force. Whoever changed it may be gone before it is in force,
/// and the outcome of a change may be unknown until the journal recovers: so nobody but the registry is asked.
async fn watch_the_door(head: Arc<dyn Head>, gateway: Gateway) {
    let mut seen = head.registry().door_seq();
    let mut ticks = tokio::time::interval(DOOR_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = head.registry().door_seq();
        if now != seen {
            seen = now;
            gateway.recheck();
        }
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// What was bound.
struct Doors {
    tcp: TcpListener,
    udp: Option<UdpSocket>,
    window: TcpListener,
}

/// How often another free port is tried, when the one that TCP got is taken for UDP.
const PORTS_TRIED: usize = 20;

async fn bind(config: &Config) -> Result<Doors, Failure> {
    let listen = config.server.listen;
    let cannot = || failed(format!("cannot listen for terminals on {listen}"));
    let mut tries = 0;
    let (tcp, udp) = loop {
        let tcp = gateway::listen(listen).map_err(cannot())?;
        if !config.server.udp {
            break (tcp, None);
        }
        match gateway::listen_udp(address(&tcp)?) {
            Ok(udp) => break (tcp, Some(udp)),
            Err(_) if listen.port() == 0 && tries < PORTS_TRIED => tries += 1,
            Err(error) => return Err(failed(format!("cannot listen for terminals on {listen} (UDP)"))(error)),
        }
    };
    let window = TcpListener::bind(config.server.http)
        .await
        .map_err(failed(format!("cannot listen for HTTP on {}", config.server.http)))?;
    Ok(Doors { tcp, udp, window })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(failed("a listener has no address"))
}

async fn ensure_admin(store: &Store, clock: &dyn Clock) -> Result<Option<String>, Failure> {
    let password = std::env::var("HAZWATCH_ADMIN_PASSWORD").ok();
    let outcome = store.users().ensure_admin(password.as_deref(), clock.now()).await;
    match outcome.map_err(failed("cannot make the user admin"))? {
        Bootstrap::Generated(password) => Ok(Some(password)),
        Bootstrap::Present | Bootstrap::Created => Ok(None),
    }
}

pub(crate) fn registry_at_end(disk: &dyn Disk, folder: &Path) -> Result<Registry, String> {
    let mut registry = Registry::default();
    let records =
        ::journal::read_control(disk, folder).map_err(|error| format!("cannot read the control chain: {error}"))?;
    for record in records {
        registry.apply(&record);
    }
    Ok(registry)
}

/// Views that are gone and cannot be made from the frames that are left begin with the base that was taken for this.
fn restore_views(data: &Path, recorded: &Registry) -> Result<(), Failure> {
    let views = data.join("views.db");
    if views.exists() {
        return Ok(());
    }
    if let Some(base) = custody::start_from_base(recorded, &data.join(BASES), &views)? {
        tracing::warn!(envelope = base.position.seq, "there are no views: they are made again from a base");
    }
    Ok(())
}

/// Facts that were judged by other rules stay as they are: what the views hold now cannot be made again by this program.
async fn base_before_new_rules(store: &Store, recorded: &Registry, data: &Path) -> Result<Option<Base>, Failure> {
    let revision = recorded.rule_revision();
    if revision == 0 || revision == RULE_REVISION {
        return Ok(None);
    }
    match custody::take_base(store, &data.join(BASES)).await {
        Ok(base) => Ok(Some(base)),
        // Without a checkpoint there are no facts to keep.
        Err(StoreError::Refused(_)) => Ok(None),
        Err(error) => Err(Failure::because("cannot set the views aside before judging by other rules", error)),
    }
}

/// A program that judges differently says so in the journal before it judges.
async fn raise_rule_revision(control: &Control, base: Option<Base>) -> Result<(), Failure> {
    if control.registry().rule_revision() == RULE_REVISION {
        return Ok(());
    }
    let mut changes: Vec<_> = base.into_iter().map(Change::BaseTaken).collect();
    changes.push(Change::RuleRevision { revision: RULE_REVISION });
    let outcome = control.submit(&Principal::system(), changes).await;
    outcome.map(|_| ()).map_err(failed("cannot record the revision of the rules"))
}

/// Packs, indexes and removes beside the traffic.
fn keep_house(config: &Config, core: &Core) -> Result<Housekeeping, Failure> {
    let data = &config.server.data;
    let custody = Custody {
        runtime: tokio::runtime::Handle::current(),
        store: core.store.clone(),
        control: core.control.clone(),
        journal: data.join(JOURNAL),
        bases: data.join(BASES),
        frames_days: config.retention.frames_days,
        tracks_days: config.retention.tracks_days,
    };
    let chores = Chores {
        folder: data.join(JOURNAL),
        compress_after_days: config.retention.compress_after_days,
        clock: core.clock.clone(),
        custody,
    };
    Housekeeping::start(chores).map_err(failed("cannot start the housekeeping"))
}
