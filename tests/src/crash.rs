//! The kill loop: a server that is killed at random moments under load must have every acknowledged position exactly
//! once, whatever was in the air: single reports, batches, parts of messages, over connections and datagrams.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jt808::Edition;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::Proof;
use crate::server::{Client, Server, Setup, run};
use crate::truck::{Sent, Transport, Truck, Upload};

const TRUCKS: usize = 16;
const EDITIONS: [Edition; 3] = [Edition::V2011, Edition::V2013, Edition::V2019];
/// One truck in so many speaks over datagrams.
const DATAGRAMS_EVERY: usize = 5;
/// How long a server may take to be ready after it was killed under load.
const READY_MAX: Duration = Duration::from_secs(10);
/// What is not acknowledged is not older than this, seconds before the newest: one message.
const OPEN_S: i64 = 200;
/// Seconds of a track that are read at once: fewer fixes than a track may have.
const SPAN_S: i64 = 40_000;

/// What a truck sends next.
enum Open {
    /// In one message.
    Batch(Vec<Sent>),
    /// In parts.
    Parts(Upload),
}

impl Open {
    fn positions(&self) -> &[Sent] {
        match self {
            Self::Batch(positions) => positions,
            Self::Parts(upload) => &upload.positions,
        }
    }
}

/// What one truck did, over all rounds.
struct Driver {
    truck: Truck,
    start_s: i64,
    next_s: i64,
    acked: Vec<Sent>,
    /// Of them, those that came in parts.
    in_parts: usize,
    /// Sent and not acknowledged: sent again on the next connection, as terminals do.
    open: Option<Open>,
    /// Acknowledged positions that were found before this second are not looked for after every kill.
    checked_s: i64,
    random: ChaCha8Rng,
}

impl Driver {
    fn new(number: usize, seed: u64, start_s: i64) -> Self {
        let phone = format!("0139{:08}", 10_000 + number);
        let plate = format!("云D{:05}", 10_000 + number);
        let transport = if number % DATAGRAMS_EVERY == 3 { Transport::Udp } else { Transport::Tcp };
        Self {
            truck: Truck::new(&phone, &plate, EDITIONS[number % EDITIONS.len()]).over(transport),
            start_s,
            next_s: start_s,
            acked: Vec::new(),
            in_parts: 0,
            open: None,
            checked_s: start_s,
            random: ChaCha8Rng::seed_from_u64(seed ^ number as u64),
        }
    }

    /// Drives until told to stop or the server is gone.
    fn drive(&mut self, server: &str, stop: &AtomicBool) {
        if self.truck.connect(server).is_err() {
            return;
        }
        while !stop.load(Ordering::Relaxed) {
            let mut open = self.open.take().unwrap_or_else(|| self.take());
            let answer = self.send(&mut open);
            match answer {
                Ok(0) => {
                    self.in_parts += if let Open::Parts(upload) = &open { upload.positions.len() } else { 0 };
                    self.acked.extend(open.positions());
                }
                Ok(result) => panic!("a good report was answered {result}"),
                Err(_) => {
                    self.open = Some(open);
                    return;
                }
            }
        }
    }

    /// Positions that the truck has taken since its last report.
    fn take(&mut self) -> Open {
        let (batch, parts) = match self.truck.edition {
            Edition::V2011 => (false, false),
            _ => (self.random.random_bool(0.25), self.random.random_bool(0.3)),
        };
        let count = match (batch, parts) {
            (true, true) => self.random.random_range(10..60),
            (true, false) => self.random.random_range(2..8),
            (false, _) => 1,
        };
        let positions: Vec<Sent> = (0..count).map(|_| self.position()).collect();
        if batch && parts {
            let bytes = self.random.random_range(100..600);
            Open::Parts(self.truck.cut(positions, bytes))
        } else {
            Open::Batch(positions)
        }
    }

    fn send(&mut self, open: &mut Open) -> std::io::Result<u8> {
        match open {
            Open::Batch(positions) => self.truck.report(positions),
            Open::Parts(upload) => {
                // Out of order, and some at a time, so that a kill finds parts acknowledged and others not.
                let mut numbers = upload.open();
                numbers.shuffle(&mut self.random);
                let at_once = self.random.random_range(1..=numbers.len().max(1));
                for some in numbers.chunks(at_once) {
                    let result = self.truck.deliver(upload, some)?;
                    if result != 0 {
                        return Ok(result);
                    }
                }
                Ok(0)
            }
        }
    }

    fn position(&mut self) -> Sent {
        self.next_s += 1;
        let number = (self.next_s - self.start_s) as i32;
        Sent {
            time_s: self.next_s,
            lat_e6: 25_500_000 + number % 1000,
            lon_e6: 103_800_000 + self.random.random_range(0..500),
        }
    }

    /// Holds what was acknowledged from that second on against the track.
    fn check(&self, client: &Client, from_s: i64) -> Result<(), String> {
        let phone = &self.truck.phone;
        let open: BTreeSet<Sent> = self.open.iter().flat_map(|open| open.positions().iter().copied()).collect();
        let acked: BTreeSet<Sent> = self.acked.iter().copied().filter(|sent| sent.time_s >= from_s).collect();
        if self.acked.is_empty() {
            // It may have sent something that nobody acknowledged: then there may be no such vehicle.
            return Ok(());
        }
        let mut lost: Vec<&Sent> = Vec::new();
        for begin_s in (from_s..=self.next_s).step_by(SPAN_S as usize) {
            let end_s = (begin_s + SPAN_S).min(self.next_s + 1);
            let stored = read_track(client, phone, begin_s, end_s)?;
            if let Some((sent, count)) = stored.iter().find(|(_, count)| **count > 1) {
                return Err(format!("{phone}: {sent:?} is in the track {count} times"));
            }
            let here = acked.iter().filter(|sent| (begin_s..end_s).contains(&sent.time_s));
            lost.extend(here.filter(|sent| !stored.contains_key(sent)));
            if let Some(stranger) = stored.keys().find(|stored| !acked.contains(stored) && !open.contains(stored)) {
                return Err(format!("{phone}: {stranger:?} was never sent"));
            }
        }
        match lost.first() {
            None => Ok(()),
            Some(first) => {
                Err(format!("{phone}: {} acknowledged positions are lost, the first is {first:?}", lost.len()))
            }
        }
    }
}

fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

/// Runs the loop. `saboteur` must make it fail.
///
/// # Errors
/// With what was lost, doubled or broken.
///
/// # Panics
/// When the server cannot be started or reached.
pub fn kill_rounds(rounds: u32, saboteur: Option<&str>) -> Proof {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let seed = 20_261_123;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Long ago, so that the fixes of all rounds lie in the past, and a second apart.
    let start_s = now_s() - 29 * 24 * 3600;
    let mut drivers: Vec<_> = (0..TRUCKS).map(|number| Driver::new(number, seed, start_s)).collect();
    let setup = Setup::sabotaged(saboteur);
    let (mut ready, mut admin) = (Vec::new(), None::<Client>);
    // One start more than kills: the last one is looked at and stops in peace.
    for round in 0..=rounds {
        let server = Server::start(&data, &setup);
        if round > 0 {
            ready.push(server.ready_in);
        }
        let client = admin.get_or_insert_with(|| server.admin()).at(&server.http);
        for driver in &mut drivers {
            driver.check(&client, driver.checked_s).map_err(|error| format!("after kill {round}: {error}"))?;
            // What is still open may come at last, and is of the newest.
            driver.checked_s = driver.checked_s.max(driver.next_s - OPEN_S);
        }
        if round == rounds {
            for driver in &drivers {
                driver.check(&client, start_s).map_err(|error| format!("in the end: {error}"))?;
            }
            server.stop();
            break;
        }
        let pause = Duration::from_millis(random.random_range(30..1_000));
        drive(&mut drivers, server, pause);
    }
    check_folder(&data)?;
    summary(rounds, &drivers, ready)
}

/// All trucks drive; the kill comes while they are talking.
fn drive(drivers: &mut [Driver], server: Server, pause: Duration) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for driver in drivers.iter_mut() {
            let (address, stop) = (server.jt808.clone(), &stop);
            scope.spawn(move || driver.drive(&address, stop));
        }
        std::thread::sleep(pause);
        server.kill();
        stop.store(true, Ordering::Relaxed);
    });
    drivers.iter_mut().for_each(|driver| driver.truck.hang_up());
}

fn summary(rounds: u32, drivers: &[Driver], mut ready: Vec<Duration>) -> Proof {
    let count = |of: fn(&Driver) -> usize| drivers.iter().map(of).sum::<usize>();
    let acked = count(|driver| driver.acked.len());
    let in_parts = count(|driver| driver.in_parts);
    let datagrams = count(|driver| if driver.truck.transport() == Transport::Udp { driver.acked.len() } else { 0 });
    if acked == 0 || in_parts == 0 || datagrams == 0 {
        return Err(format!(
            "{acked} acknowledged, {in_parts} in parts, {datagrams} in datagrams: the loop proves nothing"
        ));
    }
    ready.sort_unstable();
    let part =
        |of: f64| ready.get(((ready.len() as f64 * of) as usize).min(ready.len() - 1)).copied().unwrap_or_default();
    let [p50, p99, worst] = [0.5, 0.99, 1.0].map(|of| part(of).as_millis());
    if ready.last().is_some_and(|worst| *worst > READY_MAX) {
        return Err(format!("ready only after {worst} ms"));
    }
    Ok(format!(
        "{rounds} kills, {acked} acknowledged positions ({in_parts} in parts, {datagrams} in datagrams), 0 lost, 0 doubled; \
         ready after a kill: p50 {p50} ms, p99 {p99} ms, worst {worst} ms"
    ))
}

/// The track over HTTP, each position with how often it is there.
///
/// # Errors
/// When the server refuses.
pub fn read_track(client: &Client, phone: &str, from_s: i64, to_s: i64) -> Result<BTreeMap<Sent, usize>, String> {
    let (from, to) = (rfc3339(from_s), rfc3339(to_s));
    let path = format!("/api/v1/vehicles/{phone}/track?from={from}&to={to}");
    let track = client.get(&path).map_err(|refused| format!("{phone}: {refused:?}"))?;
    let mut stored = BTreeMap::new();
    for fix in track["fixes"].as_array().ok_or_else(|| format!("{phone}: no fixes in the answer"))? {
        *stored.entry(position(fix)).or_insert(0) += 1;
    }
    Ok(stored)
}

fn position(fix: &Value) -> Sent {
    let micro = |key: &str| (fix[key].as_f64().unwrap_or_default() * 1e6).round() as i32;
    Sent { time_s: parse_s(fix["time"].as_str().unwrap_or_default()), lat_e6: micro("lat"), lon_e6: micro("lon") }
}

/// RFC 3339 in UTC, ready for a query.
#[must_use]
pub fn rfc3339(time_s: i64) -> String {
    let text = jt808::BcdTime::from_utc_s(time_s).map(jt808::BcdTime::to_rfc3339).unwrap_or_default();
    text.replace('+', "%2B")
}

fn parse_s(text: &str) -> i64 {
    let digits: Vec<u8> = text.bytes().take(19).filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
    let mut bcd = [0; 6];
    for (byte, pair) in bcd.iter_mut().zip(digits.get(2..).unwrap_or_default().chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    jt808::BcdTime::parse(bcd).map_or(0, jt808::BcdTime::utc_s)
}

/// The folder of a server that has stopped: the chain verifies, and a replay gives the same views.
///
/// # Errors
/// When one of them does not hold.
pub fn check_folder(data: &Path) -> Result<(), String> {
    let folder = data.to_str().ok_or("path")?;
    let verified = run(&["verify", "--data", folder]);
    if !verified.status.success() {
        return Err(format!("verify: {}", String::from_utf8_lossy(&verified.stderr)));
    }
    let into = tempfile::tempdir().map_err(|error| error.to_string())?;
    let replayed = run(&["replay", "--data", folder, "--into", into.path().to_str().ok_or("path")?]);
    if !replayed.status.success() {
        let text = [replayed.stdout, replayed.stderr].concat();
        return Err(format!("replay: {}", String::from_utf8_lossy(&text)));
    }
    Ok(())
}
