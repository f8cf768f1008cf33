//! Measures the chunk codec: bytes a fix and time a fix, on tracks with a fixed seed and noise as receivers have it.
//! `cargo run --release -p hazwatch-store --example bytes_per_fix`

use std::time::Duration;

use model::{Fix, Marks, Position, RecordRef, TerminalId, Timestamp};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::time::{ClockId, clock_gettime};
use store::chunk;

/// What the fixes of a measurement carry beside the 28 bytes and the odometer.
#[derive(Clone, Copy)]
struct Carries {
    journal: bool,
    items: bool,
}

fn gauss(rng: &mut impl Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// A truck that drives, slows, stops and parks; positions drift by metres as receivers do.
fn truck(seed: u64, count: usize, interval_s: i64, carries: Carries) -> Vec<Fix> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let start = 1_795_363_200 + rng.random_range(0..interval_s);
    let (mut lat, mut lon) = (32.0 + gauss(rng) * 0.2, 118.8 + gauss(rng) * 0.2);
    let (mut speed, mut target, mut heading, mut turn) = (0.0_f64, 70.0_f64, rng.random::<f64>() * 360.0, 0.0_f64);
    let (mut odometer, mut drift, mut altitude) = (1_234_567.0 + rng.random::<f64>(), (0.0, 0.0), 15.0);
    let mut fixes = Vec::with_capacity(count);
    for n in 0..count as i64 {
        for _ in 0..interval_s {
            if rng.random_bool(0.004) {
                target = [0.0, 35.0, 60.0, 72.0, 78.0, 80.0][rng.random_range(0..6)];
            }
            if rng.random_bool(0.02) {
                turn = gauss(rng) * 1.2;
            }
            turn *= 0.97;
            speed = (speed + (target - speed).clamp(-4.0, 1.5) + gauss(rng) * 0.15).max(0.0);
            speed = if target == 0.0 && speed < 1.0 { 0.0 } else { speed };
            heading = (heading + turn * (speed / 60.0).min(1.0)).rem_euclid(360.0);
            let metres = speed / 3.6;
            lat += metres * heading.to_radians().cos() / 111_195.0;
            lon += metres * heading.to_radians().sin() / 111_195.0 / lat.to_radians().cos();
            odometer += metres / 100.0;
        }
        drift = (drift.0 * 0.8 + gauss(rng) * 1.2, drift.1 * 0.8 + gauss(rng) * 1.2);
        altitude = (altitude + gauss(rng) * 1.5).clamp(-20.0, 300.0);
        let time = start + n * interval_s;
        let sent_ms = rng.random_range(300..900) + if rng.random_bool(0.02) { 2500 } else { 0 };
        // A thousand vehicles at this interval, nearly one envelope a report.
        let arrival = (time as f64 + sent_ms as f64 / 1000.0) * 1000.0 / interval_s as f64;
        let mileage = odometer as u32;
        let mut items = vec![0x01, 0x04];
        items.extend(mileage.to_be_bytes());
        if carries.items {
            items.extend([0x03, 2]);
            items.extend(((speed * 10.0) as u16).to_be_bytes());
            items.extend([0x25, 4, 0, 0, 0, 0, 0x30, 1, rng.random_range(20..31), 0x31, 1, rng.random_range(9..16)]);
        }
        fixes.push(Fix {
            terminal: TerminalId::from_wire(&[0x01, 0x39, 0x12, 0x34, 0x56, seed as u8]),
            time: Timestamp::from_secs(time),
            received: Timestamp::from_secs(time).plus_us(if carries.journal { sent_ms * 1000 } else { 0 }),
            source: if carries.journal {
                let seq = (arrival - 5.9e10 * 30.0 / interval_s as f64 + gauss(rng) * 4.0) as u64;
                RecordRef { position: Position { shard: 0, seq }, index: u32::from(rng.random_bool(0.05)), item: 0 }
            } else {
                RecordRef::default()
            },
            alarm: if rng.random_bool(0.003) { 2 } else { 0 },
            status: if target == 0.0 && speed == 0.0 { 0b10 } else { 0b11 },
            lat_wire: ((lat + drift.0 / 111_195.0) * 1e6) as u32,
            lon_wire: ((lon + drift.1 / 94_000.0) * 1e6) as u32,
            altitude_wire: altitude as i16 as u16,
            speed_dkmh: if speed > 0.0 { ((speed + gauss(rng) * 0.3).max(0.0) * 10.0) as u16 } else { 0 },
            direction_deg: if speed > 0.0 { (heading + gauss(rng)).rem_euclid(360.0) as u16 } else { heading as u16 },
            time_bcd: bcd(Timestamp::from_secs(time)),
            mileage_hm: Some(mileage),
            items: items.into_boxed_slice(),
            marks: Marks::default(),
        });
    }
    fixes
}

fn bcd(time: Timestamp) -> [u8; 6] {
    let digits: Vec<u8> =
        time.to_string().bytes().skip(2).take(17).filter(u8::is_ascii_digit).map(|d| d - b'0').collect();
    std::array::from_fn(|i| digits[2 * i] << 4 | digits[2 * i + 1])
}

/// What this thread has computed: other work on the machine does not count.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[allow(clippy::print_stdout)]
fn main() {
    println!("interval count what            bytes/fix encode_us/fix decode_us/fix");
    let rows = [
        ("base+mileage", Carries { journal: false, items: false }),
        ("+received+ref", Carries { journal: true, items: false }),
        ("+other items", Carries { journal: true, items: true }),
    ];
    for interval_s in [30, 10, 5] {
        for count in [1024, 256, 16] {
            for (what, carries) in rows {
                let trucks: Vec<Vec<Fix>> = (0..64).map(|seed| truck(seed, count, interval_s, carries)).collect();
                let total = (trucks.len() * count) as f64;
                let begin = cpu();
                let blocks: Vec<Vec<u8>> = trucks.iter().map(|fixes| chunk::encode(fixes)).collect();
                let encode_us = cpu().saturating_sub(begin).as_secs_f64() * 1e6 / total;
                let begin = cpu();
                let back: Vec<Vec<Fix>> = blocks.iter().map(|b| chunk::decode(b).expect("whole")).collect();
                let decode_us = cpu().saturating_sub(begin).as_secs_f64() * 1e6 / total;
                assert!(back == trucks, "a fix changed");
                let bytes: usize = blocks.iter().map(Vec::len).sum();
                println!(
                    "{interval_s:7}s {count:5} {what:15} {:9.2} {encode_us:13.2} {decode_us:13.2}",
                    bytes as f64 / total
                );
            }
        }
    }
}
