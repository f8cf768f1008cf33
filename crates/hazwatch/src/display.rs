//! The terminal display of the demo: what the server does, live. On a terminal it redraws one line and lets
//! violations scroll above it; elsewhere it prints a line every few seconds.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::Stats;
use indicatif::{ProgressBar, ProgressStyle};
use model::{CommandState, FactKind, Scope, Timestamp, ZoneId};
use store::{ChangeToken, FactRow, Store};

use crate::commands::say;
use crate::error::Failure;
use crate::house::House;

const REDRAW: Duration = Duration::from_millis(500);
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Violations that are read at once.
const PAGE: usize = 200;

pub(crate) struct Display<'a> {
    house: &'a House,
    stats: Arc<Stats>,
    bar: Option<ProgressBar>,
    token: ChangeToken,
    last: Option<(Instant, u64)>,
    last_plain: Instant,
    violations: u64,
}

impl<'a> Display<'a> {
    pub(crate) fn new(house: &'a House, stats: Arc<Stats>) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed_precise}  {msg}");
            ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        let long_ago = Instant::now().checked_sub(PLAIN_EVERY).unwrap_or_else(Instant::now);
        Self { house, stats, bar, token: ChangeToken::default(), last: None, last_plain: long_ago, violations: 0 }
    }

    /// Redraws until it is dropped.
    pub(crate) async fn run(&mut self) -> Result<(), Failure> {
        loop {
            self.show_violations().await?;
            let line = self.line();
            match &self.bar {
                Some(bar) => {
                    bar.set_message(line);
                    bar.tick();
                }
                None if self.last_plain.elapsed() >= PLAIN_EVERY => {
                    say(&line);
                    self.last_plain = Instant::now();
                }
                None => {}
            }
            tokio::time::sleep(REDRAW).await;
        }
    }

    fn line(&mut self) -> String {
        let now = self.stats.snapshot();
        let frames = frames_total(&self.house.metrics);
        let rate = self
            .last
            .map_or(0.0, |(at, before)| frames.saturating_sub(before) as f64 / at.elapsed().as_secs_f64().max(0.001));
        self.last = Some((Instant::now(), frames));
        format!(
            "online {}  frames {rate:.0}/s  acked {}  ack p50 {} p99 {}  violations {}  texts to cabs {}",
            self.house.gateway.online_count(),
            now.acked,
            millis(now.p50),
            millis(now.p99),
            self.violations,
            now.texts_received,
        )
    }

    async fn show_violations(&mut self) -> Result<(), Failure> {
        let cannot = |error| Failure::because("cannot read violations", error);
        let rows = self.house.store.facts_changed_after(Scope::All, self.token, PAGE).await.map_err(cannot)?;
        for row in rows {
            self.token = row.token();
            if row.fact.kind.is_violation() {
                self.violations += u64::from(row.fact.ended_at.is_none());
                let text = self.describe(&row).await;
                match &self.bar {
                    Some(bar) => bar.println(text),
                    None => say(&text),
                }
            }
        }
        Ok(())
    }

    async fn describe(&self, row: &FactRow) -> String {
        let fact = &row.fact;
        let registry = model::ControlPort::registry(&*self.house.control);
        let vehicle = registry.vehicle(fact.vehicle);
        let plate =
            vehicle.and_then(|v| v.plate.as_ref()).map_or_else(|| fact.vehicle.to_string(), ToString::to_string);
        if fact.zone == ZoneId::NONE {
            let (at, what) = (fact.ended_at.unwrap_or(fact.started_at), fact.ended_at.map_or("begins", |_| "ends"));
            return format!("{}  {plate} {} {what}", shown(at), fact.kind);
        }
        let zone = registry.zone_at_revision(fact.zone, fact.zone_revision);
        let zone = zone.map_or_else(|| fact.zone.to_string(), |zone| zone.name.clone());
        let sure = fact.confidence.fraction() * 100.0;
        match fact.ended_at {
            None => {
                let since = shown(fact.started_at);
                format!("{since}  {plate} entered {zone} ({}, {sure:.0} % sure)", named(fact.kind))
            }
            Some(end) => {
                let seconds = end.since_us(fact.started_at) as f64 / 1e6;
                let text = cab_text(&self.house.store, row).await;
                format!("{}  {plate} left {zone} after {seconds:.1} s, {} m{text}", shown(end), fact.measures.length_m)
            }
        }
    }
}

/// To the second: a terminal line is no evidence.
fn shown(time: Timestamp) -> Timestamp {
    Timestamp::from_secs(time.secs())
}

fn named(kind: FactKind) -> String {
    if kind == FactKind::V06 { "V06 进入禁行区".to_owned() } else { kind.to_string() }
}

/// Whether the driver has been told.
async fn cab_text(store: &Store, row: &FactRow) -> String {
    let commands = store.commands(Scope::All, row.fact.vehicle, 1).await.unwrap_or_default();
    match commands.first().map(|command| command.state) {
        Some(CommandState::Acknowledged) => ", warned in the cab".to_owned(),
        Some(state) => format!(", warning {}", state.name()),
        None => String::new(),
    }
}

fn millis(latency: Option<Duration>) -> String {
    latency.map_or_else(|| "-".to_owned(), |latency| format!("{:.1} ms", latency.as_secs_f64() * 1e3))
}

/// All frames that the door has taken in.
fn frames_total(metrics: &prometheus::Registry) -> u64 {
    let families = metrics.gather();
    let frames = families.iter().find(|family| family.name() == "hazwatch_gateway_frames_total");
    frames.map_or(0, |family| family.get_metric().iter().map(|m| m.get_counter().get_value() as u64).sum())
}
