//! A paced run: brings the fleet up bit by bit, lets it drive, stops it, waits for what is still unanswered.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::error::FleetError;
use crate::identity::Identity;
use crate::ledger;
use crate::options::{self, Options};
use crate::report::Report;
use crate::roads::Network;
use crate::schedule::{Coverage, Schedule};
use crate::seed::Seed;
use crate::stats::Stats;
use crate::terminal::Terminal;
use crate::truck::{Beginning, Truck};
use crate::vehicle::{Context, Stage, Vehicle};

/// How long a vehicle may take to close after the drain.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a fleet until `options.duration` is over or `shutdown` resolves, then drains. Counters go to `stats`.
/// Dropping the future stops everything at once (the ledger then lacks its unacknowledged lines).
///
/// # Errors
/// Options that make no sense, an address that does not resolve, too few open files, a ledger that cannot be
/// written. A server that is absent, refuses or dies is no error: the report tells.
pub async fn run_with(
    options: Options,
    stats: Arc<Stats>,
    shutdown: impl Future<Output = ()>,
) -> Result<Report, FleetError> {
    options.check()?;
    let to = options::resolve(&options.to).await?;
    let sources = options::sources(&options.source_addresses, to, options.vehicles);
    let (ledger, writing) = match options.ledger.clone() {
        Some(path) => {
            let (sender, writing) = ledger::open(path).await?;
            (Some(sender), Some(tokio::spawn(writing)))
        }
        None => (None, None),
    };
    let clock = Clock::start();
    let coverage = Coverage::of_fleet(options.seed);
    let context = Arc::new(Context { options, to, sources, clock, stats, ledger, coverage });
    let (stage, watching) = watch::channel(Stage::Driving);
    let mut vehicles = spawn_all(&context, &watching)?;

    let Options { duration, drain, .. } = context.options;
    conduct(&mut vehicles, &stage, &clock, duration, drain, shutdown).await;
    let report = Report::of(&context.stats, clock.elapsed());
    drop(context);
    if let Some(writing) = writing {
        writing.await.unwrap_or(Ok(()))?;
    }
    Ok(report)
}

/// [`run_with`] counters of its own.
///
/// # Errors
/// See [`run_with`].
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<Report, FleetError> {
    run_with(options, Arc::default(), shutdown).await
}

/// Lets tasks run until the time is over or `shutdown` resolves; then they may drain, and are ended.
pub(crate) async fn conduct(
    tasks: &mut JoinSet<()>,
    stage: &watch::Sender<Stage>,
    clock: &Clock,
    duration: Option<Duration>,
    drain: Duration,
    shutdown: impl Future<Output = ()>,
) {
    let over = async {
        match duration {
            Some(duration) => sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => {}
        () = shutdown => {}
        () = join_all(tasks) => {}
    }
    let until_us = clock.now_us() + drain.as_micros() as u64;
    stage.send_replace(Stage::Draining { until_us });
    if tokio::time::timeout(drain + GRACE, join_all(tasks)).await.is_err() {
        tasks.shutdown().await;
    }
}

async fn join_all(vehicles: &mut JoinSet<()>) {
    while let Some(ended) = vehicles.join_next().await {
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

fn spawn_all(context: &Arc<Context>, stage: &watch::Receiver<Stage>) -> Result<JoinSet<()>, FleetError> {
    let options = &context.options;
    let beginning = Beginning { epoch_s: context.clock.unix_s(0), showcase: options.showcase };
    let mut vehicles = JoinSet::new();
    for nth in 0..options.vehicles {
        let index = options.first_index + nth;
        let identity = Identity::new(options.seed, index, options.editions)?;
        let Some(truck) = Truck::new(options.seed, index, Network::qujing(), beginning) else { continue };
        let begin_us = u64::from(nth) * 1_000_000 / u64::from(options.connect_rate);
        let seed = Seed::of_vehicle(options.seed, index);
        let schedule = Schedule::new(seed, begin_us, options.interval.as_micros() as u64);
        let terminal = Terminal::new(identity, options.manners);
        let vehicle = Vehicle::new(Arc::clone(context), truck, terminal, schedule, nth as usize);
        vehicles.spawn(vehicle.run(stage.clone()));
    }
    Ok(vehicles)
}
