//! The edges of the machine: too many connections for the open files, a full disk, everybody at once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hazwatch_tests::crash::{check_folder, read_track};
use hazwatch_tests::server::{Server, Setup};
use hazwatch_tests::truck::{Sent, Truck};
use jt808::{Edition, Empty, Message};

const T0: i64 = 1_790_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn sent(number: i64) -> Sent {
    Sent { time_s: T0 + number, lat_e6: 25_500_000, lon_e6: 103_800_000 + number as i32 % 1_000 }
}

/// Waits until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The sum of a metric over its labels.
fn metric(server: &Server, name: &str) -> f64 {
    let text = server.admin().text("/metrics").expect("metrics");
    let lines = text.lines().filter(|line| line.starts_with(name) && !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn the_limit_on_open_files_is_refused_cleanly_told_and_survived() {
    let folder = tempfile::tempdir().expect("folder");
    // 500 files are the house's own, so 40 connections are left.
    let setup = Setup { open_files: Some(540), ..Setup::default() };
    let server = Server::start(&folder.path().join("data"), &setup);
    let mut known = Truck::new("013900000001", "云D00001", Edition::V2013);
    known.connect(&server.jt808).expect("connects");
    let crowd: Vec<Truck> = (0..80)
        .filter_map(|number| {
            let mut truck = Truck::new(&format!("0139{number:08}"), "云D00002", Edition::V2013);
            truck.dial(&server.jt808).ok().map(|()| truck)
        })
        .collect();
    until("refusals are counted", || metric(&server, "hazwatch_gateway_connections_refused_total") >= 30.0);
    for number in 0..10 {
        assert_eq!(known.report(&[sent(number)]).expect("who is in is served"), 0);
    }
    drop(crowd);
    until("room again", || Truck::new("013900000002", "云D00002", Edition::V2019).connect(&server.jt808).is_ok());
    assert_eq!(read_track(&server.admin(), "013900000001", T0, T0 + 100).expect("track").len(), 10);
    server.stop();
}

#[test]
fn a_storm_of_registrations_is_served_and_nothing_of_it_stays() {
    const TRUCKS: usize = 48;
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let server = Server::start(&data, &Setup::default());
    for storm in 0..4 {
        std::thread::scope(|scope| {
            for number in 0..TRUCKS {
                let address = &server.jt808;
                scope.spawn(move || {
                    let plate = format!("云D{:05}", 10_000 + number);
                    // New each time: its code is lost, so it registers anew.
                    let mut truck = Truck::new(&format!("0139{number:08}"), &plate, Edition::V2013);
                    truck.connect(address).expect("served in the storm");
                    for step in 0..5 {
                        assert_eq!(truck.report(&[sent(storm * 5 + step)]).expect("answered"), 0);
                    }
                });
            }
        });
    }
    let admin = server.admin();
    for number in 0..TRUCKS {
        let track = read_track(&admin, &format!("0139{number:08}"), T0, T0 + 100).expect("track");
        assert_eq!(track.len(), 20);
    }
    until("connections are gone", || metric(&server, "hazwatch_gateway_connections ") == 0.0);
    server.stop();
    check_folder(&data).expect("the folder is sound");
}

/// A small file system in memory, unmounted when it is dropped. `None` where the machine does not allow it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, mib: u32) -> Option<Self> {
        std::fs::create_dir_all(at).expect("folder");
        let size = format!("size={mib}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output().ok()?;
        mount.status.success().then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It goes with the machine if it will not go now.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_answers_and_room_brings_them_back_without_a_restart() {
    let folder = tempfile::tempdir().expect("folder");
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), 160) else {
        eprintln!("skipped: this machine lets nobody mount a file system");
        return;
    };
    let data = disk.0.join("data");
    let bounds = [("HAZWATCH__JOURNAL__LOW_MIB", "64"), ("HAZWATCH__JOURNAL__STOP_MIB", "32")];
    let environment = bounds.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Server::start(&data, &Setup { environment, ..Setup::default() });
    let mut truck = Truck::new("013912345678", "云D12345", Edition::V2013);
    truck.connect(&server.jt808).expect("connects");
    assert_eq!(truck.report(&[sent(0)]).expect("answered"), 0);
    let ballast = disk.0.join("ballast");
    // Until nothing goes in any more.
    let _ = std::fs::write(&ballast, vec![0_u8; 256 << 20]);
    let mut acked = 1;
    let refused = (1..200_000).find(|number| match truck.report(&[sent(*number)]) {
        Ok(0) => {
            acked = number + 1;
            false
        }
        _ => true,
    });
    let refused = refused.expect("a full disk is noticed");
    until("it says that it is not ready", || server.is_ready() == Some(false));
    std::fs::remove_file(&ballast).expect("removed");
    until("it is ready again", || server.is_ready() == Some(true));
    truck.hang_up();
    until("it answers again", || {
        truck_again(&server.jt808).and_then(|mut truck| truck.ask(&Message::Heartbeat(Empty::default())).ok())
            == Some(0)
    });
    truck.connect(&server.jt808).expect("connects again");
    assert_eq!(truck.report(&[sent(refused)]).expect("answered"), 0);
    let track = read_track(&server.admin(), "013912345678", T0, T0 + 90_000).expect("track");
    let missing = (0..acked).chain([refused]).find(|number| !track.contains_key(&sent(*number)));
    assert_eq!(missing, None, "an acknowledged position is lost");
    assert!(track.values().all(|count| *count == 1));
    server.stop();
    check_folder(&data).expect("the folder is sound");
}

fn truck_again(address: &str) -> Option<Truck> {
    let mut truck = Truck::new("013900000009", "云D00009", Edition::V2013);
    truck.connect(address).ok().map(|()| truck)
}

/// Memory that threads give back would else stay in an arena for each of them.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_server_keeps_few_arenas() {
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start(data.path(), &Setup::default());
    let environment = std::fs::read(format!("/proc/{}/environ", server.pid())).expect("its environment");
    let arenas = environment.split(|byte| *byte == 0).find(|entry| entry.starts_with(b"MALLOC_ARENA_MAX="));
    assert!(arenas.is_some(), "it began again, as the same process");
    server.stop();
}
