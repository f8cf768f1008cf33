//! The kill loop: a server that is killed at random moments under load must have every acknowledged position exactly
//! once, whatever was in the air.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jt808::Edition;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::Proof;
use crate::server::{Client, Server, Setup, run};
use crate::truck::{Sent, Truck};

const TRUCKS: usize = 16;
const EDITIONS: [Edition; 3] = [Edition::V2011, Edition::V2013, Edition::V2019];

/// What one truck did, over all rounds.
struct Driver {
    truck: Truck,
    next_s: i64,
    sent: BTreeSet<Sent>,
    acked: BTreeSet<Sent>,
    /// Sent and not acknowledged: sent again on the next connection, as terminals do.
    open: Vec<Sent>,
    random: ChaCha8Rng,
}

impl Driver {
    fn new(number: usize, seed: u64, start_s: i64) -> Self {
        let phone = format!("0139{:08}", 10_000 + number);
        let plate = format!("云D{:05}", 10_000 + number);
        Self {
            truck: Truck::new(&phone, &plate, EDITIONS[number % EDITIONS.len()]),
            next_s: start_s,
            sent: BTreeSet::new(),
            acked: BTreeSet::new(),
            open: Vec::new(),
            random: ChaCha8Rng::seed_from_u64(seed ^ number as u64),
        }
    }

    /// Drives until told to stop or the server is gone.
    fn drive(&mut self, server: &str, stop: &AtomicBool) {
        if self.truck.connect(server).is_err() {
            return;
        }
        while !stop.load(Ordering::Relaxed) {
            if self.open.is_empty() {
                let several = self.truck.edition != Edition::V2011 && self.random.random_bool(0.2);
                let count = if several { self.random.random_range(2..8) } else { 1 };
                self.open = (0..count).map(|_| self.position()).collect();
            }
            self.sent.extend(&self.open);
            match self.truck.report(&self.open) {
                Ok(0) => self.acked.extend(self.open.drain(..)),
                Ok(result) => panic!("a good report was answered {result}"),
                Err(_) => return,
            }
        }
        // The last answer may be lost with the link: what is sent now and never answered will come again.
        let extra = self.position();
        self.open.push(extra);
    }

    fn position(&mut self) -> Sent {
        self.next_s += 1;
        let number = self.sent.len() as i32 + self.open.len() as i32;
        Sent {
            time_s: self.next_s,
            lat_e6: 25_500_000 + number % 1000,
            lon_e6: 103_800_000 + self.random.random_range(0..500),
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
    let start_s = now_s() - 20 * 24 * 3600;
    let mut drivers: Vec<_> = (0..TRUCKS).map(|number| Driver::new(number, seed, start_s)).collect();
    let setup = Setup::sabotaged(saboteur);
    for round in 1..=rounds {
        let server = Server::start(&data, &setup);
        let stop = AtomicBool::new(false);
        let pause = Duration::from_millis(random.random_range(50..1500));
        std::thread::scope(|scope| {
            for driver in &mut drivers {
                let (address, stop) = (server.jt808.clone(), &stop);
                scope.spawn(move || driver.drive(&address, stop));
            }
            std::thread::sleep(pause);
            // The kill comes while they are talking.
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
        for driver in &mut drivers {
            driver.truck.hang_up();
        }
        if round % 5 == 0 || round == rounds {
            let server = Server::start(&data, &setup);
            let outcome = check_tracks(&server.admin(), &drivers, start_s);
            server.stop();
            outcome.map_err(|error| format!("round {round}: {error}"))?;
        }
    }
    check_folder(&data)?;
    let acked: usize = drivers.iter().map(|driver| driver.acked.len()).sum();
    if acked == 0 {
        return Err("nothing was acknowledged: the loop proves nothing".to_owned());
    }
    Ok(format!("{rounds} kills, {acked} acknowledged positions, 0 lost, 0 doubled"))
}

fn check_tracks(client: &Client, drivers: &[Driver], start_s: i64) -> Result<(), String> {
    for driver in drivers.iter().filter(|driver| !driver.sent.is_empty()) {
        let stored = read_track(client, &driver.truck.phone, start_s, driver.next_s + 1)?;
        let phone = &driver.truck.phone;
        if let Some((sent, count)) = stored.iter().find(|(_, count)| **count > 1) {
            return Err(format!("{phone}: {sent:?} is in the track {count} times"));
        }
        if let Some(lost) = driver.acked.iter().find(|sent| !stored.contains_key(sent)) {
            let count = driver.acked.iter().filter(|sent| !stored.contains_key(sent)).count();
            return Err(format!("{phone}: {count} acknowledged positions are lost, the first is {lost:?}"));
        }
        if let Some(stranger) = stored.keys().find(|stored| !driver.sent.contains(stored)) {
            return Err(format!("{phone}: {stranger:?} was never sent"));
        }
    }
    Ok(())
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
