//! The wiring: every room in its place, started in order and stopped in the reverse.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::{Control, Dispatcher, Head};
use evidence::Frames;
use gateway::{AuthCodes, Gateway};
use journal::{Clock, DataLock, Disk, Journal, RealDisk, system_clock};
use model::{Change, ControlPort, Principal, RULE_REVISION, Registry};
use parking_lot::Mutex;
use store::{Bootstrap, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admission::House as Admission;
use crate::config::Config;
use crate::error::Failure;
use crate::gauges::Gauges;
use crate::ports::{ControlOf, DownlinkOf, HeadOf, ViewsOf};

/// Where in the data folder the journal lies.
pub(crate) const JOURNAL: &str = "journal";
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
    pipeline: pipeline::Handle,
    stop: watch::Sender<bool>,
    door: tokio::task::JoinHandle<gateway::Stopped>,
    window: tokio::task::JoinHandle<()>,
    helpers: Vec<tokio::task::JoinHandle<()>>,
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
    pipeline: pipeline::Handle,
    clock: Arc<dyn Clock>,
    head: Arc<dyn Head>,
    control: Arc<Control>,
    generated_password: Option<String>,
}

/// Starts a server; returns when it is bound and its views have caught up with its journal.
pub(crate) async fn start(config: &Config) -> Result<House, Failure> {
    let lock = DataLock::acquire(&config.server.data).map_err(failed("cannot start"))?;
    let (door, window) = bind(config).await?;
    let (jt808, http) = (address(&door)?, address(&window)?);
    let metrics = prometheus::Registry::new();
    let core = start_core(config, &metrics).await?;
    let gateway = make_gateway(config, &core, &metrics).await?;
    let views = core.pipeline.views.clone();

    let downlink = Arc::new(DownlinkOf(gateway.clone()));
    let dispatcher = Dispatcher::new(core.control.clone(), core.head.clone(), core.store.clone(), downlink);
    let gauges = Gauges::register(&metrics).map_err(failed("cannot count"))?;
    let helpers = vec![
        tokio::spawn(dispatcher.run(views.watch_work(), gateway.authenticated())),
        tokio::spawn(gauges.run(core.journal.clone(), views)),
    ];
    let (stop, stopping) = watch::channel(false);
    let router = api::router(window_deps(config, &core, &gateway, &metrics), config.api.requests());
    let window = tokio::spawn(api::serve(window, router, config.api.connections(), stopped(stopping.clone())));
    let running = gateway.clone();
    let door = tokio::spawn(async move { running.run(door, stopped(stopping)).await });
    Ok(House {
        jt808,
        http,
        store: core.store,
        control: core.control,
        gateway,
        metrics,
        generated_password: core.generated_password,
        journal: core.journal,
        pipeline: core.pipeline,
        stop,
        door,
        window,
        helpers,
        _lock: lock,
    })
}

/// Opens journal and store, recovers the views, and says by which rules they are judged from now on.
async fn start_core(config: &Config, metrics: &prometheus::Registry) -> Result<Core, Failure> {
    let data = &config.server.data;
    let clock = system_clock();
    let store = Store::open(data, config.pipeline.lanes).await.map_err(failed("cannot open the views"))?;
    let generated_password = ensure_admin(&store, &*clock).await?;
    let (journal, feed, recovered) = open_journal(config, data, metrics)?;
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
    let at_end = registry_at_end(&RealDisk, &folder)?;
    let control = Arc::new(Control::new(journal.clone(), head.clone(), at_end));
    raise_rule_revision(&control).await?;
    Ok(Core { store, journal, pipeline, clock, head, control, generated_password })
}

async fn make_gateway(config: &Config, core: &Core, metrics: &prometheus::Registry) -> Result<Gateway, Failure> {
    let secret = core.store.users().secret(CODES_SECRET, 32).await.map_err(failed("cannot read app.db"))?;
    let secret =
        secret.try_into().map_err(|_| Failure::plain("the secret of the codes in app.db has a wrong length"))?;
    let admission = Admission { mode: config.server.admission, control: core.control.clone(), head: core.head.clone() };
    let counters = gateway::Metrics::new(metrics).map_err(failed("cannot count"))?;
    Ok(Gateway::new(
        core.journal.clone(),
        Arc::new(admission),
        AuthCodes::new(secret),
        config.gateway.limits(),
        counters,
        core.clock.clone(),
    ))
}

fn window_deps(config: &Config, core: &Core, gateway: &Gateway, metrics: &prometheus::Registry) -> api::Deps {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
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
        frames: Arc::new(Frames::new(disk, config.server.data.join(JOURNAL))),
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
        let _ = self.window.await;
        self.helpers.iter().for_each(tokio::task::JoinHandle::abort);
        let journal = self.journal.clone();
        let finish = async {
            let _ = tokio::task::spawn_blocking(move || journal.close()).await;
            self.pipeline.finish().await.map_err(failed("the views did not make their last checkpoint"))
        };
        // The journal has everything: giving up costs the next start some reading, and nothing else.
        let too_late = |_| Failure::plain("the views did not make their last checkpoint in time");
        tokio::time::timeout(FINISH_MAX, finish).await.map_err(too_late)?
    }

    /// Resolves when the journal can take no more: the process should end, so that somebody looks at the disk.
    pub(crate) fn journal_failure(&self) -> Option<String> {
        self.journal.failure().map(|error| error.to_string())
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn bind(config: &Config) -> Result<(TcpListener, TcpListener), Failure> {
    let door = gateway::listen(config.server.listen)
        .map_err(failed(format!("cannot listen for terminals on {}", config.server.listen)))?;
    let window = TcpListener::bind(config.server.http)
        .await
        .map_err(failed(format!("cannot listen for HTTP on {}", config.server.http)))?;
    Ok((door, window))
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

type OpenJournal = (Journal, std::sync::mpsc::Receiver<journal::Batch>, journal::Recovered);

fn open_journal(config: &Config, data: &Path, metrics: &prometheus::Registry) -> Result<OpenJournal, Failure> {
    let took = histogram(
        metrics,
        "hazwatch_commit_seconds",
        "From taking a batch to its being durable",
        &[0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0],
    )?;
    let size = histogram(
        metrics,
        "hazwatch_commit_records",
        "Records in a commit",
        &[1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0, 30000.0],
    )?;
    let bytes = prometheus::IntCounter::new("hazwatch_journal_bytes_total", "Bytes written to the journal")
        .map_err(failed("cannot count"))?;
    metrics.register(Box::new(bytes.clone())).map_err(failed("cannot count"))?;
    let options = journal::Options {
        queue_bytes_max: config.journal.queue_bytes_max,
        batch_bytes_max: config.journal.batch_bytes_max,
        tick: Duration::from_secs(config.journal.tick_s),
        on_commit: Some(Box::new(move |stats| {
            took.observe(stats.took.as_secs_f64());
            size.observe(stats.records as f64);
            bytes.inc_by(stats.bytes as u64);
        })),
        ..journal::Options::new(data.join(JOURNAL))
    };
    let opened = Journal::open(options).map_err(failed("cannot open the journal (hazwatch verify tells more)"))?;
    if opened.2.cut_bytes > 0 {
        tracing::warn!(bytes = opened.2.cut_bytes, "cut the torn tail of the journal: it was never acknowledged");
    }
    Ok(opened)
}

fn histogram(
    metrics: &prometheus::Registry,
    name: &str,
    help: &str,
    buckets: &[f64],
) -> Result<prometheus::Histogram, Failure> {
    let options = prometheus::HistogramOpts::new(name, help).buckets(buckets.to_vec());
    let histogram = prometheus::Histogram::with_opts(options).map_err(failed("cannot count"))?;
    metrics.register(Box::new(histogram.clone())).map_err(failed("cannot count"))?;
    Ok(histogram)
}

fn registry_at_end(disk: &dyn Disk, folder: &Path) -> Result<Registry, Failure> {
    let mut registry = Registry::default();
    for record in journal::read_control(disk, folder).map_err(failed("cannot read the control chain"))? {
        registry.apply(&record);
    }
    Ok(registry)
}

/// A program that judges differently says so in the journal before it judges.
async fn raise_rule_revision(control: &Control) -> Result<(), Failure> {
    if control.registry().rule_revision() == RULE_REVISION {
        return Ok(());
    }
    let change = Change::RuleRevision { revision: RULE_REVISION };
    let outcome = control.submit(&Principal::system(), vec![change]).await;
    outcome.map(|_| ()).map_err(failed("cannot record the revision of the rules"))
}
