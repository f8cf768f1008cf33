//! `hazwatch demo`: the main job on one screen. A server in a temporary folder, sample zones, a simulated fleet over
//! real sockets, and what happens, live.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use fleet::{DEMO_ZONES, Options, Stats};
use model::{Change, ControlPort, Principal};

use super::{say, serve};
use crate::cli::Demo;
use crate::config::{AdmissionMode, Config};
use crate::display::Display;
use crate::error::Failure;
use crate::house::{self, House};
use crate::log;

/// Loopback, a free port.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(super) async fn run(options: Demo) -> Result<ExitCode, Failure> {
    let mut config = Config::load(options.serve.config.as_deref(), std::env::vars())?;
    let folder = tempfile::tempdir().map_err(|error| Failure::because("cannot make a temporary folder", error))?;
    config.server.data = folder.path().join("data");
    config.server.listen = ANYWHERE;
    config.server.http = ANYWHERE;
    config.server.admission = AdmissionMode::Open;
    if options.serve.config.is_none() {
        config.log.level = "warn".into();
        config.log.format = "text".into();
    }
    serve::apply(&options.serve, &mut config);
    log::init(&config.log)?;
    serve::raise_open_files(&mut config);
    let house = house::start(&config).await?;
    import_zones(&house).await?;
    serve::announce(&house, options.serve.ready_file.as_deref())?;
    explain(&house, &options);
    drive(&house, &options).await?;
    house.shut_down().await?;
    Ok(ExitCode::SUCCESS)
}

async fn import_zones(house: &House) -> Result<(), Failure> {
    let drafts = intake::read_zones(DEMO_ZONES.as_bytes(), intake::Crs::Wgs84)
        .map_err(|error| Failure::plain(format!("the sample zones cannot be read: {error:?}")))?;
    let mut changes = Vec::new();
    for draft in drafts {
        let id = control::random_id().map_err(|error| Failure::because("cannot name a zone", error))?;
        changes.push(Change::ZonePut(draft.into_zone(model::ZoneId(id), 1)));
    }
    let outcome = house.control.submit(&Principal::system(), changes).await;
    outcome.map(|_| ()).map_err(|error| Failure::because("the sample zones cannot be recorded", error))
}

fn explain(house: &House, options: &Demo) {
    let (http, terminals) = (house.http, house.jt808);
    say(&format!(
        "hazwatch demo: {} simulated trucks around Qujing (seed {}), every zone and road illustrative\n\
         \x20 terminals (JT/T 808 over TCP): {terminals}\n\
         \x20 vehicles:   http://{http}/api/v1/vehicles\n\
         \x20 violations: http://{http}/api/v1/violations\n\
         \x20 live feed:  http://{http}/api/v1/events\n\
         \x20 contract:   http://{http}/api/openapi.json   metrics: http://{http}/metrics\n\
         Log in as admin (POST http://{http}/api/v1/sessions). Ctrl-C ends it; nothing is kept.\n",
        options.vehicles, options.seed
    ));
}

/// Runs the fleet and the display until the time is over or Ctrl-C.
async fn drive(house: &House, options: &Demo) -> Result<(), Failure> {
    let stats = Arc::<Stats>::default();
    let fleet = Options {
        interval: options.interval,
        duration: options.duration,
        seed: options.seed,
        dead_zones: true,
        reconnects: true,
        showcase: true,
        ..Options::new(house.jt808.to_string(), options.vehicles)
    };
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    let mut display = Display::new(house, stats.clone());
    let report = tokio::select! {
        report = fleet::run_with(fleet, stats, stop) => report,
        outcome = display.run() => return outcome,
    };
    drop(display);
    let report = report.map_err(|error| Failure::because("the fleet stopped", error))?;
    say(&format!("\n{report}"));
    Ok(())
}
