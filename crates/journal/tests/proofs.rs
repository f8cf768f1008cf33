//! Seals, daily heads and proofs of single records, against restarts, torn tails, changes of keys, and forgers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use journal::sim::SimDisk;
use journal::{
    Algorithm, Clock, DailyHead, Journal, KeyTrust, Options, Parting, Proof, ProveError, PublicKey, ReadError, Record,
    SealError, Sealer, SealerOptions, Stream, Trust, check, compare, daily_heads, prove, public_key, verify,
    verify_with,
};
use model::{Change, ControlRecord, Position, RecordRef, TerminalId, Timestamp};

const BEGIN_S: i64 = 1_795_449_000;
const MINUTE_US: i64 = 60_000_000;
const KEY: [u8; 32] = [7; 32];
const NEW_KEY: [u8; 32] = [9; 32];

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

fn folder() -> PathBuf {
    PathBuf::from("/data/journal")
}

/// A journal whose clock is moved by hand.
struct House {
    disk: SimDisk,
    clock: Arc<Hand>,
    journal: Journal,
    sealer: Sealer,
    control: u64,
}

impl House {
    fn open(disk: &SimDisk, now_us: i64, algorithm: Algorithm, control: u64) -> Self {
        let clock = Arc::new(Hand(AtomicI64::new(now_us)));
        let options =
            Options { disk: Arc::new(disk.clone()), clock: clock.clone(), algorithm, ..Options::new(folder()) };
        let (journal, feed, _) = Journal::open(options).expect("opens");
        std::thread::spawn(move || feed.iter().count());
        let sealer = Sealer::open(sealer_options(disk, &journal, KEY, None, algorithm)).expect("sealer");
        Self { disk: disk.clone(), clock, journal, sealer, control }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn frames(&self, count: u32) {
        for number in 0..count {
            let terminal = TerminalId::from_wire(&[0x13, number as u8]);
            let records: Vec<Record> = (0..=number % 4)
                .map(|n| Record::uplink(self.now(), terminal, 1, Bytes::from(format!("~{number}.{n}~"))))
                .collect();
            self.journal.submit(records).await.expect("queued").await.expect("durable");
        }
    }

    async fn change(&mut self) {
        self.control += 1;
        let change = Change::SettingPut { key: "k".into(), value: self.control.to_string() };
        let record = ControlRecord { seq: self.control, recorded_at: Timestamp(0), actor: "t".into(), change };
        self.journal.submit_control(vec![record]).await.expect("queued").await.expect("durable");
    }

    /// A minute passes and is sealed.
    fn minute(&mut self) {
        let now = Timestamp(self.clock.0.fetch_add(MINUTE_US, Ordering::Relaxed) + MINUTE_US);
        self.sealer.seal(now).expect("sealed");
        self.sealer.close_days(now).expect("closed");
    }

    fn close(self) -> SimDisk {
        self.journal.close();
        self.disk
    }
}

fn sealer_options(
    disk: &SimDisk,
    journal: &Journal,
    secret: [u8; 32],
    former: Option<[u8; 32]>,
    algorithm: Algorithm,
) -> SealerOptions {
    SealerOptions {
        disk: Arc::new(disk.clone()),
        journal: folder(),
        secret,
        former,
        algorithm,
        watermark: journal.watermark(),
    }
}

fn at(seq: u64, index: u32) -> RecordRef {
    RecordRef { position: Position { shard: 0, seq }, index, item: 0 }
}

fn prove_at(disk: &SimDisk, seq: u64, index: u32) -> Result<Proof, ProveError> {
    prove(disk, &folder(), at(seq, index), &[public_key(&KEY), public_key(&NEW_KEY)])
}

fn trust(keys: &[[u8; 32]]) -> Trust {
    Trust { keys: keys.iter().map(public_key).collect(), days: Vec::new() }
}

/// Two starts with an algorithm each, a change of the day in China between them, and a minute without a server.
async fn two_days(first: Algorithm, second: Algorithm) -> SimDisk {
    let disk = SimDisk::default();
    let mut house = House::open(&disk, BEGIN_S * 1_000_000, first, 0);
    for round in 0..5 {
        house.frames(6 + round).await;
        house.change().await;
        house.minute();
    }
    house.frames(3).await;
    let (control, now) = (house.control, house.now().0);
    let disk = house.close();
    // Not a power cut, but a stop between two seals; 20 minutes later it is the next day.
    let mut house = House::open(&disk, now + 20 * MINUTE_US, second, control);
    house.minute();
    for _ in 0..3 {
        house.frames(5).await;
        house.minute();
    }
    house.change().await;
    house.minute();
    house.close()
}

#[tokio::test]
async fn every_record_that_is_sealed_can_be_proved() {
    for (first, second) in [
        (Algorithm::Sha256, Algorithm::Sha256),
        (Algorithm::Sha256, Algorithm::Sm3),
        (Algorithm::Sm3, Algorithm::Sha256),
    ] {
        let disk = two_days(first, second).await;
        verify(&disk, &folder()).expect("sound");
        let days = daily_heads(&disk, &folder()).expect("readable");
        assert_eq!(days.iter().map(DailyHead::date).collect::<Vec<_>>(), ["2026-11-23"]);
        assert!(days[0].is_signed_by(&public_key(&KEY)));
        let mut reader = journal::Reader::open(Arc::new(disk.clone()), &folder(), 0, u64::MAX, 0).expect("readable");
        let (mut proved, mut in_a_day) = (0, 0);
        while let Some(batch) = reader.next_batch().expect("whole") {
            for (index, record) in batch
                .records
                .iter()
                .enumerate()
                .filter(|(index, _)| (batch.position.seq + *index as u64).is_multiple_of(5))
            {
                let proof = prove_at(&disk, batch.position.seq, index as u32).expect("sealed");
                let proof = Proof::from_json(proof.to_json().as_bytes()).expect("reads back");
                let proven = check(&proof, &trust(&[KEY])).expect("holds");
                assert_eq!(proven.record, *record);
                assert!(proven.sealed >= record.received && proven.key_trust == KeyTrust::Trusted);
                let alone = check(&proof, &Trust::default()).expect("consistent");
                assert!(!alone.is_anchored() && alone.to_string().contains("consistent in itself"));
                let published = check(&proof, &Trust { keys: Vec::new(), days: days.clone() }).expect("holds");
                assert_eq!(published.is_anchored(), published.day.is_some());
                in_a_day += usize::from(published.day.is_some());
                proved += 1;
            }
        }
        assert!(proved > 15 && in_a_day > 10 && in_a_day < proved, "{proved} {in_a_day}");
        assert!(matches!(prove_at(&disk, 1, 99), Err(ProveError::NoSuchRecord(_))));
        assert!(matches!(prove_at(&disk, 9_999, 0), Err(ProveError::NoSuchRecord(_))));
    }
}

#[tokio::test]
async fn what_is_not_sealed_yet_is_not_proved_and_seals_go_on_after_torn_tails() {
    let disk = SimDisk::default();
    let mut house = House::open(&disk, BEGIN_S * 1_000_000, Algorithm::Sha256, 0);
    house.frames(4).await;
    house.minute();
    house.frames(2).await;
    let last = house.journal.watermark().committed();
    assert!(matches!(prove_at(&disk, last, 0), Err(ProveError::NotSealed(_))));
    assert_eq!(house.sealer.seal(house.now()).expect("sealed").map(|seal| seal.number), Some(2));
    assert_eq!(house.sealer.seal(house.now()).expect("nothing to seal"), None);
    house.close();
    let path = seal_file(&disk);
    let whole = disk.content(&path);
    for cut in (1..400).step_by(31) {
        let disk = disk.power_cut(0);
        disk.set_content(&path, whole[..whole.len() - cut].to_vec());
        let mut house = House::open(&disk, (BEGIN_S + 600) * 1_000_000, Algorithm::Sha256, 0);
        house.minute();
        check(&prove_at(&disk, last, 0).expect("sealed again"), &trust(&[KEY])).expect("holds");
        verify(&house.close(), &folder()).expect("sound");
    }
    // A seal that cannot be written is made later.
    let mut house = House::open(&disk, (BEGIN_S + 600) * 1_000_000, Algorithm::Sha256, 0);
    house.frames(1).await;
    disk.fail_sync_after(0);
    house.sealer.seal(house.now()).expect_err("the disk fails");
    house.journal.close();
}

fn seal_file(disk: &SimDisk) -> PathBuf {
    let is_seal = |path: &PathBuf| path.extension().is_some_and(|e| e == "hws");
    disk.files().into_iter().map(|(path, _)| path).find(is_seal).expect("sealed")
}

#[tokio::test]
async fn a_new_key_is_introduced_by_the_old_one() {
    let disk = SimDisk::default();
    let mut house = House::open(&disk, BEGIN_S * 1_000_000, Algorithm::Sha256, 0);
    house.frames(2).await;
    house.minute();
    house.sealer.rotate(&NEW_KEY, house.now()).expect("rotates");
    house.frames(2).await;
    house.minute();
    let last = house.journal.watermark().committed();
    let (old, new) = (prove_at(&disk, 1, 0).expect("sealed"), prove_at(&disk, last, 0).expect("sealed"));
    for (proof, keys, expected) in [
        (&old, [KEY], KeyTrust::Trusted),
        (&old, [NEW_KEY], KeyTrust::Unknown),
        (&new, [KEY], KeyTrust::Introduced),
        (&new, [NEW_KEY], KeyTrust::Trusted),
        (&new, [[1; 32]], KeyTrust::Unknown),
    ] {
        assert_eq!(check(proof, &trust(&keys)).expect("holds").key_trust, expected);
    }
    // Only the new one may go on; with the old one configured as the former, nothing is introduced twice.
    let open = |secret, former| {
        Sealer::open(sealer_options(&disk, &house.journal, secret, former, Algorithm::Sha256)).map(|_| ())
    };
    assert!(matches!(open(KEY, None), Err(SealError::OtherKey { .. })));
    open(NEW_KEY, Some(KEY)).expect("due");
    // A change of the configuration alone: the first seal introduces the third key.
    let third = [11; 32];
    let options = sealer_options(&disk, &house.journal, third, Some(NEW_KEY), Algorithm::Sha256);
    let mut sealer = Sealer::open(options).expect("opens");
    let seal = sealer.seal(house.now()).expect("sealed").expect("one that introduces");
    assert_eq!((seal.key, seal.next_key), (public_key(&NEW_KEY).id(), Some(public_key(&third))));
    verify(&disk, &folder()).expect("sound");
    house.close();
}

#[tokio::test]
async fn a_journal_that_is_not_the_sealed_one_is_not_sealed() {
    let disk = two_days(Algorithm::Sha256, Algorithm::Sha256).await;
    let before = disk.power_cut(1000);
    let is_frames = |path: &Path| path.starts_with(folder().join("frames"));
    let newest = before.files().into_iter().map(|(path, _)| path).rfind(|path| is_frames(path)).expect("segment");
    disk.remove(&newest);
    let options = Options { disk: Arc::new(disk.clone()), ..Options::new(folder()) };
    if let Ok((journal, _feed, _)) = Journal::open(options) {
        let refused = Sealer::open(sealer_options(&disk, &journal, KEY, None, Algorithm::Sha256));
        assert!(matches!(refused.map(|_| ()), Err(SealError::Parted { .. })));
        journal.close();
    }
    verify(&disk, &folder()).expect_err("the seals name what is missing");
}

/// The next file of control has begun: what is damaged before it is no torn tail, and nothing is sealed past it.
#[tokio::test]
async fn damage_in_a_closed_file_of_control_is_named_and_not_passed_over() {
    let disk = SimDisk::default();
    let mut house = House::open(&disk, BEGIN_S * 1_000_000, Algorithm::Sha256, 0);
    house.change().await;
    house.minute();
    let closed = folder().join("control").join("00000000000000000001.hwj");
    house.change().await;
    house.change().await;
    let short = disk.content(&closed);
    house.change().await;
    house.clock.0.fetch_add(1440 * MINUTE_US, Ordering::Relaxed);
    // A step of the clock is believed after a minute: another start has no doubts.
    let (control, now_us) = (house.control, house.now().0);
    let mut house = House::open(&house.close(), now_us, Algorithm::Sha256, control);
    house.change().await;
    let whole = disk.content(&closed);
    let preludes = (0..whole.len()).filter(|at| whole[*at..].starts_with(b"HWEV")).skip(1);
    for at in preludes.map(|prelude| prelude + 9) {
        disk.flip(&closed, at, 1);
        let error = house.sealer.seal(house.now()).expect_err("damaged");
        let SealError::Read(ReadError::Broken(broken)) = error else { panic!("{error}") };
        assert!(broken.file.ends_with("control/00000000000000000001.hwj") && broken.seq > 1, "{broken}");
        let named = verify(&disk, &folder()).expect_err("damaged").to_string();
        assert!(named.contains(&format!("envelope {}", broken.seq)), "{named}, not {broken}");
        disk.flip(&closed, at, 1);
    }
    // Cut between two envelopes, every checksum is right, but the next file does not go on there.
    disk.set_content(&closed, short);
    house.sealer.seal(house.now()).expect_err("cut");
    disk.set_content(&closed, whole);
    house.minute();
    let report = verify(&house.close(), &folder()).expect("sound");
    assert_eq!((report.control_records, report.seals.seals), (5, 2));
}

/// Whatever one changes in the file of a proof: it is refused, or it says no more than before.
#[tokio::test]
async fn a_forged_proof_is_seen() {
    let disk = two_days(Algorithm::Sha256, Algorithm::Sm3).await;
    let proof = prove_at(&disk, 4, 1).expect("sealed");
    let text = proof.to_json();
    let proven = check(&proof, &trust(&[KEY])).expect("holds");
    let mut survived = 0;
    for position in (0..text.len()).step_by(5) {
        for with in [b'0', b'"', b' '] {
            let mut forged = text.clone().into_bytes();
            if forged[position] == with {
                continue;
            }
            forged[position] = with;
            let Ok(forged) = Proof::from_json(&forged) else { continue };
            if let Ok(other) = check(&forged, &trust(&[KEY])) {
                assert_eq!(other, proven, "at {position}: {:?}", text.get(position.saturating_sub(20)..position + 5));
                survived += 1;
            }
        }
    }
    assert!(survived < 100, "only white space may change: {survived}");
    for length in (0..text.len()).step_by(3) {
        Proof::from_json(&text.as_bytes()[..length]).expect_err("cut");
    }
    for hostile in ["", "{}", "[]", "null", "{\"format\":2}", "{\"format\":1,\"record\":[[[[]]]]}"] {
        Proof::from_json(hostile.as_bytes()).expect_err("no proof");
    }
    let nested = "[".repeat(100_000);
    Proof::from_json(nested.as_bytes()).expect_err("no proof");
}

#[tokio::test]
async fn a_published_head_says_what_is_signed() {
    let disk = two_days(Algorithm::Sha256, Algorithm::Sha256).await;
    let head = daily_heads(&disk, &folder()).expect("readable").remove(0);
    let text = serde_json::to_vec(&head.to_json()).expect("json");
    assert_eq!(DailyHead::from_json(&text).as_ref(), Some(&head));
    for position in (0..text.len()).step_by(3) {
        let mut forged = text.clone();
        forged[position] = if forged[position] == b'1' { b'2' } else { b'1' };
        assert_eq!(DailyHead::from_json(&forged), None, "at {position}");
    }
    let other: PublicKey = public_key(&NEW_KEY);
    assert!(!head.is_signed_by(&other));
}

/// Somebody with access to the disk writes the end anew, with hashes that fit: only the seals tell.
#[tokio::test]
async fn verify_sees_what_was_rewritten_and_where_copies_part() {
    let disk = SimDisk::default();
    let mut house = House::open(&disk, BEGIN_S * 1_000_000, Algorithm::Sha256, 0);
    house.frames(3).await;
    house.minute();
    let copy = disk.power_cut(1000);
    house.frames(6).await;
    house.change().await;
    house.minute();
    let sealed_until = house.journal.watermark().committed();
    house.close();
    let report = verify(&disk, &folder()).expect("sound");
    assert_eq!((report.seals.seals, report.seals.unchecked, report.seals.sealed_frames), (2, 2, sealed_until));
    assert!(!report.is_anchored());
    let trusting = verify_with(&disk, &folder(), &trust(&[KEY])).expect("sound");
    assert!(trusting.is_anchored() && trusting.seals.trusted == 2);
    // The copy goes its own way.
    let rewritten = House::open(&copy, (BEGIN_S + 100) * 1_000_000, Algorithm::Sha256, 0);
    rewritten.frames(8).await;
    rewritten.journal.close();
    verify(&copy, &folder()).expect("consistent in itself");
    let parting = compare((&disk, &folder()), (&copy, &folder()), Stream::Frames).expect("readable");
    let Parting::Parted { common: Some(common), first } = parting else { panic!("{parting:?}") };
    assert!(common + 1 == first && common <= sealed_until, "{parting:?}");
    assert_eq!(
        compare((&disk, &folder()), (&disk, &folder()), Stream::Control).expect("readable"),
        Parting::Same { one: 1, other: 1 }
    );
    // With the seals of the original beside it, it is seen.
    let seals = seal_file(&disk);
    copy.set_content(&seals, disk.content(&seals));
    let said = verify(&copy, &folder()).expect_err("rewritten").to_string();
    assert!(said.contains("seal 2 vouches"), "{said}");
    // A seal that was changed, and one that is missing.
    for offset in [40, 150, disk.content(&seals).len() - 10] {
        disk.flip(&seals, offset, 1);
        if let Ok(report) = verify_with(&disk, &folder(), &trust(&[KEY])) {
            assert_eq!(report.seals.seals, 1, "only the last seal can be torn: {offset}");
        }
        disk.flip(&seals, offset, 1);
    }
    verify_with(&disk, &folder(), &trust(&[NEW_KEY])).expect("another key says nothing of these seals");
}

#[tokio::test]
async fn verify_holds_daily_heads_against_what_was_published() {
    let disk = two_days(Algorithm::Sha256, Algorithm::Sha256).await;
    let published = daily_heads(&disk, &folder()).expect("readable");
    let trust = Trust { keys: Vec::new(), days: published.clone() };
    let report = verify_with(&disk, &folder(), &trust).expect("sound");
    assert_eq!((report.seals.days, report.seals.published), (1, 1));
    assert!(report.is_anchored() && report.seals.own > 0 && report.seals.gaps == 1);
    // Another journal of the same day is not the published one.
    let other = two_days(Algorithm::Sha256, Algorithm::Sha256).await;
    let said = verify_with(&other, &folder(), &trust).expect_err("another").to_string();
    assert!(said.contains("not the one that was published"), "{said}");
}

/// Sound in itself, made whole by somebody with a key of his own: only what was published before can tell.
#[tokio::test]
async fn a_forger_who_leaves_out_the_published_day_is_seen() {
    let published = daily_heads(&two_days(Algorithm::Sha256, Algorithm::Sha256).await, &folder()).expect("readable");
    let disk = SimDisk::default();
    let mut house = House::open(&disk, BEGIN_S * 1_000_000, Algorithm::Sha256, 0);
    let options = sealer_options(&disk, &house.journal, NEW_KEY, None, Algorithm::Sha256);
    house.sealer = Sealer::open(options).expect("nothing was sealed yet");
    house.frames(9).await;
    for _ in 0..15 {
        house.minute();
        house.frames(1).await;
    }
    house.close();
    let heads: Vec<PathBuf> =
        disk.files().into_iter().map(|(path, _)| path).filter(|p| p.extension().is_some_and(|e| e == "json")).collect();
    assert_eq!(heads.len(), 1, "the day turned");
    let given = Trust { keys: vec![public_key(&KEY)], days: published.clone() };
    verify_with(&disk, &folder(), &given).expect_err("another head of that day");
    disk.remove(&heads[0]);
    let alone = verify(&disk, &folder()).expect("consistent in itself");
    assert!(!alone.is_anchored() && alone.seals.seals > 10);
    let said = verify_with(&disk, &folder(), &given).expect_err("the published day is missing").to_string();
    assert!(said.contains("2026-11-23 was published, but is not here"), "{said}");
    // A key that signed nothing here vouches for nothing.
    assert!(!verify_with(&disk, &folder(), &trust(&[KEY])).expect("consistent in itself").is_anchored());
}

#[tokio::test]
async fn a_change_of_the_hash_function_begins_a_new_segment() {
    let disk = SimDisk::default();
    for (round, algorithm) in
        [Algorithm::Sha256, Algorithm::Sm3, Algorithm::Sm3, Algorithm::Sha256].into_iter().enumerate()
    {
        let now_us = (BEGIN_S + round as i64) * 1_000_000;
        let mut house = House::open(&disk, now_us, algorithm, round as u64);
        house.frames(3).await;
        house.change().await;
        house.minute();
        house.close();
    }
    let segments = |stream: &str| {
        let folder = folder().join(stream);
        disk.files()
            .into_iter()
            .filter(|(path, _)| path.starts_with(&folder) && path.extension().is_some_and(|e| e == "hwj"))
            .count()
    };
    assert_eq!((segments("frames"), segments("control")), (3, 3));
    let report = verify(&disk, &folder()).expect("sound");
    assert_eq!((report.writers, report.control_records, report.seals.seals), (4, 4, 4));
    let mut proved = 0;
    for seq in 1..=report.frame_envelopes {
        // An envelope that only brings control into force has no record.
        let Ok(proof) = prove_at(&disk, seq, 0) else { continue };
        check(&proof, &trust(&[KEY])).expect("holds");
        proved += 1;
    }
    assert!(proved >= 12, "{proved}");
}
