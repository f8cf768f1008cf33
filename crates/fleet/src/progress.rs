//! A run that people watch: a bar when stderr is a terminal, else a line every five seconds. Draws on stderr only.

use std::convert::Infallible;
use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep};

use crate::error::FleetError;
use crate::options::Options;
use crate::report::{Report, latency};
use crate::run::run_with;
use crate::stats::{Snapshot, Stats};

const REDRAW: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(5);
const BAR: &str = "{spinner} {elapsed_precise} [{bar:24}] {msg}";
const SPINNER: &str = "{spinner} {elapsed_precise} {msg}";

/// [`crate::run`] with its progress on stderr. The summary is the report's `Display`, the caller's to print.
///
/// # Errors
/// See [`crate::run`].
pub async fn simulate(options: Options, shutdown: impl Future<Output = ()>) -> Result<Report, FleetError> {
    let stats = Arc::<Stats>::default();
    let duration = options.duration;
    let watched = Arc::clone(&stats);
    tokio::select! {
        report = run_with(options, stats, shutdown) => report,
        never = watch(&watched, duration) => match never {},
    }
}

/// Shows the counters of a run until it is dropped.
pub async fn watch(stats: &Stats, duration: Option<Duration>) -> Infallible {
    if stderr().is_terminal() { draw(stats, duration).await } else { print_lines(stats).await }
}

/// Removes the bar when watching ends, so that the summary stands alone.
struct Shown(ProgressBar);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

async fn draw(stats: &Stats, duration: Option<Duration>) -> Infallible {
    let (bar, template) = match duration {
        Some(duration) => (ProgressBar::new(duration.as_millis() as u64), BAR),
        None => (ProgressBar::new_spinner(), SPINNER),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let shown = Shown(bar.with_style(style));
    let start = Instant::now();
    loop {
        shown.0.set_position(start.elapsed().as_millis() as u64);
        shown.0.set_message(line(&stats.snapshot()));
        sleep(REDRAW).await;
    }
}

async fn print_lines(stats: &Stats) -> Infallible {
    loop {
        sleep(LINE_EVERY).await;
        // A closed stderr is no reason to stop a run.
        let _ = writeln!(stderr(), "{}", line(&stats.snapshot()));
    }
}

fn line(now: &Snapshot) -> String {
    let mut line = format!(
        "{} online, {} acked of {} taken, p50 {}, p99 {}",
        now.online,
        now.acked,
        now.generated,
        latency(now.p50),
        latency(now.p99)
    );
    for (count, what) in [(now.refused, "refused"), (now.connect_failures, "connections failed")] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_quiet_until_something_is_wrong() {
        let calm = Snapshot {
            online: 3,
            acked: 5,
            generated: 6,
            p50: Some(Duration::from_micros(1_250)),
            ..Snapshot::default()
        };
        assert_eq!(line(&calm), "3 online, 5 acked of 6 taken, p50 1.2 ms, p99 -");
        assert!(line(&Snapshot { refused: 2, ..calm }).ends_with(", 2 refused"));
    }

    #[test]
    fn the_templates_are_sound() {
        assert!([BAR, SPINNER].into_iter().all(|template| ProgressStyle::with_template(template).is_ok()));
    }
}
