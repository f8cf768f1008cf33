//! What a start makes of a journal that was cut, changed, mixed up or restored, and of a clock that was set.

#[path = "recovery/support.rs"]
mod support;

use std::path::PathBuf;
use std::sync::Arc;

use journal::sim::SimDisk;
use journal::{Journal, Options, ReadError, Reader, envelope_hash, verify};
use model::Timestamp;
use support::{House, folder, frame, frames, read_all};

fn refused(disk: &SimDisk) -> String {
    let options = Options { disk: Arc::new(disk.clone()), ..Options::new(folder()) };
    Journal::open(options).err().expect("refused").to_string()
}

fn segments(disk: &SimDisk, stream: &str) -> Vec<PathBuf> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    files
        .filter(|path| path.starts_with(folder().join(stream)) && path.extension().is_some_and(|e| e == "hwj"))
        .collect()
}

/// Where the envelopes of a segment begin.
fn offsets(content: &[u8]) -> Vec<usize> {
    (0..content.len()).filter(|at| content[*at..].starts_with(b"HWEV")).collect()
}

/// Days with three frames each, one segment a day, one control record on each.
async fn days(count: u32) -> SimDisk {
    let house = House::open(&SimDisk::default());
    for day in 0..count {
        house.append(day * 10..day * 10 + 3).await;
        house.control(u64::from(day) + 1).await.expect("durable");
        house.clock.advance_s(86_400);
    }
    house.close().1
}

#[tokio::test]
async fn a_tail_torn_at_any_byte_is_cut() {
    let whole = days(2).await;
    torn_at_any_byte(&whole).await;
    // The torn envelope is the only one of its segment.
    let house = House::open(&whole);
    house.clock.advance_s(5 * 86_400);
    house.append(50..51).await;
    let (_, disk) = house.close();
    torn_at_any_byte(&disk).await;
}

async fn torn_at_any_byte(whole: &SimDisk) {
    let path = segments(whole, "frames").pop().expect("segment");
    let content = whole.content(&path);
    let last = *offsets(&content).last().expect("envelope");
    let before = read_all(whole);
    for length in last..content.len() {
        // A file is never longer than what was written, but where a write was cut short there may be zeros.
        for zeros in [0, 1, content.len() - length] {
            let disk = whole.copy();
            disk.set_content(&path, [&content[..length], &vec![0; zeros]].concat());
            if length == last && zeros == 0 {
                assert_eq!(verify(&disk, &folder()).expect("sound").torn_bytes, 0);
            } else {
                let report = verify(&disk, &folder()).map_err(|e| format!("{length}, {zeros}: {e}")).expect("sound");
                assert!(report.torn_bytes > 0, "{length}, {zeros}");
            }
            if zeros > 0 && length % 4 > 0 {
                continue;
            }
            let house = House::open(&disk);
            house.append(90..91).await;
            let (_, disk) = house.close();
            let after = read_all(&disk);
            assert_eq!(after[..before.len() - 1], before[..before.len() - 1], "cut at {length}");
            assert_eq!(frames(&after).last(), Some(&90));
            verify(&disk, &folder()).expect("repaired");
        }
    }
}

/// In the last envelope a flipped bit cannot be told from a torn write; anywhere before it is damage, and nothing is
/// cut. In a segment that is closed and not read by a start, `verify` names it.
#[tokio::test]
async fn flipped_bits() {
    let whole = days(3).await;
    let paths = segments(&whole, "frames");
    for (number, path) in paths.iter().enumerate() {
        let content = whole.content(path);
        let last = *offsets(&content).last().expect("envelope");
        for offset in (0..content.len()).step_by(5) {
            let disk = whole.copy();
            disk.flip(path, offset, 4);
            let is_tail = number + 1 == paths.len() && offset >= last;
            if is_tail {
                continue;
            }
            let found = verify(&disk, &folder()).expect_err("damage").to_string();
            assert!(found.contains(&path.display().to_string()), "byte {offset} of {path:?}: {found}");
        }
        let disk = whole.copy();
        disk.flip(path, 80 + 9, 4);
        if number > 0 {
            refused(&disk);
        } else {
            House::open(&disk).close();
        }
        assert!(disk.content(path).len() >= content.len(), "nothing is cut");
    }
}

#[tokio::test]
async fn missing_segments() {
    let whole = days(4).await;
    let paths = segments(&whole, "frames");
    assert_eq!(paths.len(), 4);

    let middle = whole.copy();
    middle.remove(&paths[1]);
    let found = verify(&middle, &folder()).expect_err("missing").to_string();
    assert!(found.contains("a segment is missing"), "{found}");

    let second_newest = whole.copy();
    second_newest.remove(&paths[2]);
    assert!(refused(&second_newest).contains("does not continue"), "{}", refused(&second_newest));

    // From the front: what retention does.
    let front = whole.copy();
    front.remove(&paths[0]);
    assert!(verify(&front, &folder()).expect("sound").first_frame_envelope > 1);
    House::open(&front).close();
    let gone = Reader::open(Arc::new(front), &folder(), 0, u64::MAX, 0).err().expect("gone");
    assert!(matches!(gone, ReadError::Gone { asked: 1, .. }), "{gone}");

    // From the end: consistent in itself; only a head that was published, or the views, know better.
    let end = whole.copy();
    end.remove(&paths[3]);
    let (short, full) = (verify(&end, &folder()).expect("sound"), verify(&whole, &folder()).expect("sound"));
    assert_ne!(short.frames_head, full.frames_head);
    let control = whole.copy();
    control.remove(&segments(&whole, "control")[3]);
    assert!(refused(&control).contains("frames name record"), "{}", refused(&control));
}

#[tokio::test]
async fn segments_that_hold_nothing() {
    let whole = days(2).await;
    let path = segments(&whole, "frames").pop().expect("segment");
    // Begun, and no envelope yet: as a crash leaves it.
    let begun = whole.copy();
    begun.set_content(&path, whole.content(&path)[..80].to_vec());
    let house = House::open(&begun);
    house.append(90..91).await;
    let (_, begun) = house.close();
    assert_eq!(frames(&read_all(&begun)).last(), Some(&90));
    // A segment comes into being with its header: shorter ones are damage.
    for length in [0, 1, 79] {
        let cut = whole.copy();
        cut.set_content(&path, whole.content(&path)[..length].to_vec());
        assert!(refused(&cut).contains("header"), "{}", refused(&cut));
        verify(&cut, &folder()).expect_err("seen");
    }
}

#[tokio::test]
async fn a_segment_of_another_journal_does_not_pass() {
    let (whole, other) = (days(3).await, days(3).await);
    let paths = segments(&whole, "frames");
    for (path, foreign) in paths.iter().zip(segments(&other, "frames")).skip(1) {
        let mixed = whole.copy();
        mixed.set_content(path, other.content(&foreign));
        verify(&mixed, &folder()).expect_err("seen");
        assert!(refused(&mixed).contains("does not continue"), "{path:?}: {}", refused(&mixed));
    }
    // The other chain's file in this chain's folder.
    let crossed = whole.copy();
    let control = segments(&whole, "control").remove(0);
    crossed.set_content(&folder().join("frames").join("00000000000000000099.hwj"), whole.content(&control));
    refused(&crossed);
}

/// An old copy is opened and written to: each of the two is consistent in itself, and the hashes say from where on they
/// differ: at an envelope of a new writer, who names the one that both had.
#[tokio::test]
async fn a_restored_backup_shows_as_a_fork() {
    let house = House::open(&SimDisk::default());
    house.append(0..5).await;
    let backup = house.disk.copy();
    house.append(5..9).await;
    let (_, original) = house.close();
    let restored = House::open(&backup);
    restored.append(20..24).await;
    let (_, restored) = restored.close();
    let reports = [&original, &restored].map(|disk| verify(disk, &folder()).expect("sound in itself"));
    assert_eq!((reports[0].writers, reports[1].writers), (1, 2));
    let hash = |disk: &SimDisk, seq| envelope_hash(Arc::new(disk.clone()), &folder(), seq).expect("readable");
    let parts = (1..).find(|seq| hash(&original, *seq) != hash(&restored, *seq)).expect("they part");
    let common = read_all(&original).into_iter().zip(read_all(&restored)).take_while(|(a, b)| a == b).count() as u64;
    assert_eq!(parts, common + 1);
    assert!(frames(&read_all(&restored)).starts_with(&[0, 1, 2, 3, 4]));
    // Files of the one beside files of the other are seen.
    let mixed = restored.copy();
    let path = segments(&original, "frames").remove(0);
    let (long, fork) = (original.content(&path), restored.content(&path));
    let next = common as usize + 1;
    mixed.set_content(&path, [&long[..offsets(&long)[next]], &fork[offsets(&fork)[next]..]].concat());
    verify(&mixed, &folder()).expect_err("mixed");
}

/// Received times and days by a clock that is set: `(what happens, seconds, received afterwards, days)`.
#[tokio::test]
async fn a_clock_that_is_set() {
    const HOUR: i64 = 3_600;
    const DAY: i64 = 86_400;
    let at = |record: journal::Record, house: &House| journal::Record { received: clock_of(house), ..record };
    let house = House::open(&SimDisk::default());
    let start = clock_of(&house);
    let after = |seconds: i64| Timestamp(start.0 + seconds * 1_000_000);
    let submit = async |number| house.submit(at(frame(number), &house)).await.expect("durable").received;
    assert_eq!(submit(0).await, start);
    house.clock.advance_s(10);
    assert_eq!(submit(1).await, after(10));
    house.clock.set_back_s(3 * HOUR);
    assert_eq!(submit(2).await, after(10), "back by hours: time stands still");
    house.clock.advance_s(3 * HOUR + 5);
    assert_eq!(submit(3).await, after(15), "until the clock has caught up");
    house.clock.set_back_s(-30 * DAY);
    house.clock.advance_s(5);
    assert_eq!(submit(4).await, after(20), "a month ahead is not believed: the other clock goes on");
    house.clock.set_back_s(30 * DAY);
    house.clock.advance_s(5);
    assert_eq!(submit(5).await, after(25), "back again it leaves no trace");
    let stamped = journal::Record { received: after(365 * DAY), ..frame(55) };
    let committed = house.submit(stamped).await.expect("durable").received;
    assert_eq!(committed, after(25 + 600), "stamped in a step that is over: not further ahead than a small step");
    house.clock.advance_s(605);
    assert_eq!(submit(56).await, after(630), "and the clock catches up");
    house.clock.set_back_s(-2 * DAY);
    assert_eq!(submit(6).await, after(630));
    house.clock.advance_s(60);
    assert_eq!(submit(7).await, after(2 * DAY + 690), "what stays for a minute is believed");
    house.clock.set_back_s(2 * DAY);
    assert_eq!(submit(9).await, after(2 * DAY + 690), "and then time stands still, and days do not turn back");
    let (live, disk) = house.close();
    assert!(live.iter().flat_map(|batch| &batch.records).is_sorted_by_key(|record| record.received));
    verify(&disk, &folder()).expect("sound");
    assert_eq!(segments(&disk, "frames").len(), 2);
}

fn clock_of(house: &House) -> Timestamp {
    journal::Clock::now(&*house.clock)
}
