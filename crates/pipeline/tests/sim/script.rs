//! One life by a seed: trucks send, things go wrong, servers end and begin; then the account.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use journal::Record;
use journal::sim::{Fault, Op};
use model::{Digest, Scope, Timestamp};

use crate::dice::Dice;
use crate::fleet::{self, Fate, Ledger, Spot, TERMINALS, Upload};
use crate::world::{Setup, World, rebuilt};

/// Until a message in parts is given up (`jt808::AssemblyLimits`), with a margin on either side.
const SURELY_TOGETHER: Duration = Duration::from_secs(280);
/// Uploads that a terminal has open at most: below the bound that pushes the oldest out.
const UPLOADS_MAX: usize = 6;

/// What a frame says, to know what its answer means.
enum Content {
    Spots(Vec<Spot>),
    Part { upload: usize, part: usize },
}

struct Life {
    dice: Dice,
    ledger: Ledger,
    uploads: Vec<Upload>,
    /// The next live second of each terminal.
    next: BTreeMap<u8, i64>,
    serial: u16,
    zone: u32,
}

/// Lives the life of a seed; the digest in the end.
///
/// # Panics
/// When an invariant does not hold: the message says which.
pub(crate) async fn live(seed: u64, steps: usize) -> Digest {
    let mut life = Life {
        dice: Dice::new(seed),
        ledger: Ledger::default(),
        uploads: Vec::new(),
        next: BTreeMap::new(),
        serial: 0,
        zone: 1,
    };
    let setup = life.setup();
    let mut world = World::fresh(setup).await;
    world.control(fleet::registry()).await;
    for _ in 0..steps {
        world = life.step(world).await;
    }
    life.account(world).await
}

impl Life {
    fn setup(&mut self) -> Setup {
        let idle = [0, 60, 600].map(Duration::from_secs);
        Setup { lanes: 1 + self.dice.roll(3), idle: idle[self.dice.roll(3)] }
    }

    async fn step(&mut self, mut world: World) -> World {
        match self.dice.roll(100) {
            0..60 => {
                let (records, contents) = self.records(&world);
                let fate = world.submit(records).await;
                assert_eq!(fate, Fate::Landed, "nothing is wrong with the disk");
                self.settle(&world, contents, fate);
            }
            60..70 => {
                // Mostly short, now and then longer than a message in parts is waited for.
                let seconds = if self.dice.chance(15) { 400 } else { 5 + self.dice.roll(60) };
                world.pass(Duration::from_secs(seconds as u64));
                assert_eq!(world.submit(Vec::new()).await, Fate::Landed);
            }
            70..76 => {
                world.checkpoint().await;
                // Nobody has changed since: whoever is idle leaves.
                if self.dice.chance(50) {
                    world.checkpoint().await;
                }
            }
            76..78 => world.store.compact().await.expect("compacts"),
            78..80 => {
                self.zone += 1;
                // From a moment on, or from before what is judged already.
                let back = if self.dice.chance(50) { 300 } else { -5 };
                let from = fleet::T0 + self.next.values().max().copied().unwrap_or(0) - back;
                world.control(vec![fleet::zone(self.zone, from)]).await;
            }
            80..84 => {
                let rest = world.stop().await;
                world = World::start(rest, self.setup()).await;
            }
            84..88 => {
                let rest = world.kill().await;
                world = World::start(rest, self.setup()).await;
            }
            88..93 => world = self.power_cut(world).await,
            93..97 => self.fault(&world).await,
            97 => world = self.views_refuse(world).await,
            _ => {
                let (records, contents) = self.records(&world);
                let fate = world.submit_when_full(self.dice.roll(200) as u64, records).await;
                self.settle(&world, contents, fate);
            }
        }
        world
    }

    async fn power_cut(&mut self, world: World) -> World {
        let (records, contents) = self.records(&world);
        self.settle(&world, contents, Fate::Perhaps);
        let (seed, roll_back) = (self.dice.number(), self.dice.chance(50));
        let rest = world.power_cut(records, seed, roll_back).await;
        World::start(rest, self.setup()).await
    }

    /// The store cannot write, and relents; or the server is killed over it.
    async fn views_refuse(&mut self, world: World) -> World {
        let (records, contents) = self.records(&world);
        let table = ["fact", "checkpoint"][self.dice.roll(2)];
        let fate = world.submit_while_views_refuse(table, records).await;
        self.settle(&world, contents, fate);
        if self.dice.chance(50) {
            world.views_relent().await;
            return world;
        }
        let rest = world.kill().await;
        World::start(rest, self.setup()).await
    }

    async fn fault(&mut self, world: &World) {
        let (records, contents) = self.records(world);
        let (op, error) = match self.dice.roll(3) {
            0 => (Op::Sync, io::ErrorKind::Other),
            1 => (Op::Append, io::ErrorKind::Other),
            _ => (Op::Append, io::ErrorKind::StorageFull),
        };
        let fault = Fault::once(op, error).partly(self.dice.roll(1001) as u16);
        let fate = world.submit_through(fault, records).await;
        self.settle(world, contents, fate);
    }

    /// A handful of frames, and what they say.
    fn records(&mut self, world: &World) -> (Vec<Record>, Vec<Content>) {
        let received = journal::Clock::now(&world.clock);
        let mut records = Vec::new();
        let mut contents = Vec::new();
        for _ in 0..=self.dice.roll(4) {
            let number = self.dice.roll(usize::from(TERMINALS)) as u8;
            for (raw, content) in self.frames(number) {
                let again = if self.dice.chance(10) { 2 } else { 1 };
                records.extend((0..again).map(|_| fleet::record(number, raw.clone(), received)));
                contents.push(content);
            }
        }
        (records, contents)
    }

    fn frames(&mut self, number: u8) -> Vec<(Bytes, Content)> {
        match self.dice.roll(10) {
            0..5 => {
                let spot = (number, self.advance(number, 1));
                vec![(fleet::live(spot), Content::Spots(vec![spot]))]
            }
            5 => self.sent_before(number),
            6 => {
                // What a dead zone held back: before and after what was live meanwhile.
                let seconds = self.gap(number, 6);
                let raw = fleet::batch(number, &seconds, self.serials(1), 10_000);
                let content = Content::Spots(seconds.iter().map(|second| (number, *second)).collect());
                raw.into_iter().map(|raw| (raw, Content::Spots(content.spots()))).collect()
            }
            7 => self.begin_upload(number),
            _ => self.go_on_upload(number),
        }
    }

    /// The next live second; `steps` of them are passed over.
    fn advance(&mut self, number: u8, steps: i64) -> i64 {
        let next = self.next.entry(number).or_insert(0);
        *next += 10 * steps;
        *next
    }

    /// Seconds that were passed over, some of them twice.
    fn gap(&mut self, number: u8, count: usize) -> Vec<i64> {
        let last = self.advance(number, count as i64 + 1);
        let mut seconds: Vec<i64> = (1..=count as i64).map(|back| last - 10 * back).rev().collect();
        if self.dice.chance(30) {
            seconds.reverse();
        }
        seconds
    }

    fn serials(&mut self, count: usize) -> u16 {
        let serial = self.serial;
        self.serial = serial.wrapping_add(count as u16);
        serial
    }

    fn sent_before(&mut self, number: u8) -> Vec<(Bytes, Content)> {
        let spots: Vec<Spot> = self.ledger.spots.keys().filter(|spot| spot.0 == number).copied().collect();
        let again = self.dice.pick(&spots).copied();
        again.into_iter().map(|spot| (fleet::live(spot), Content::Spots(vec![spot]))).collect()
    }

    fn begin_upload(&mut self, number: u8) -> Vec<(Bytes, Content)> {
        let open = self.uploads.iter().filter(|upload| upload.number == number && !upload.is_over()).count();
        if open >= UPLOADS_MAX {
            return Vec::new();
        }
        let count = 4 + self.dice.roll(12);
        let seconds = self.gap(number, count);
        let part_len = 60 + self.dice.roll(150);
        let first = self.serials(40);
        let parts = fleet::batch(number, &seconds, first, part_len);
        let parts = parts.into_iter().map(|raw| (raw, Fate::Nowhere)).collect();
        self.uploads.push(Upload { number, seconds, parts, began: None, torn: false });
        self.go_on_upload(number)
    }

    /// Some parts of an upload of this terminal, in any order.
    fn go_on_upload(&mut self, number: u8) -> Vec<(Bytes, Content)> {
        let of_it = |(_, upload): &(usize, &Upload)| upload.number == number && !upload.is_over();
        let open: Vec<usize> = self.uploads.iter().enumerate().filter(of_it).map(|(at, _)| at).collect();
        let Some(at) = self.dice.pick(&open).copied() else { return Vec::new() };
        let mut frames = Vec::new();
        for _ in 0..1 + self.dice.roll(3) {
            let Some(upload) = self.uploads.get(at) else { continue };
            let missing: Vec<usize> =
                (0..upload.parts.len()).filter(|part| upload.parts[*part].1 < Fate::Landed).collect();
            let Some(part) = self.dice.pick(&missing).copied() else { continue };
            frames.push((upload.parts[part].0.clone(), Content::Part { upload: at, part }));
        }
        frames
    }

    /// Writes down what became of what was handed in.
    fn settle(&mut self, world: &World, contents: Vec<Content>, fate: Fate) {
        let now = journal::Clock::now(&world.clock);
        for content in contents {
            match content {
                Content::Spots(spots) => spots.into_iter().for_each(|spot| self.ledger.note(spot, fate)),
                Content::Part { upload, part } => self.settle_part(upload, part, fate, now),
            }
        }
    }

    fn settle_part(&mut self, upload: usize, part: usize, fate: Fate, now: Timestamp) {
        let Some(upload) = self.uploads.get_mut(upload) else { return };
        if fate > Fate::Nowhere {
            let began = *upload.began.get_or_insert(now);
            upload.torn |= u128::try_from(now.since_us(began)).unwrap_or(0) > SURELY_TOGETHER.as_micros();
        }
        upload.parts[part].1 = upload.parts[part].1.max(fate);
        let whole = upload.parts.iter().all(|(_, fate)| *fate == Fate::Landed) && !upload.torn;
        let fate = if whole { Fate::Landed } else { fate.min(Fate::Perhaps) };
        let spots: Vec<Spot> = upload.seconds.iter().map(|second| (upload.number, *second)).collect();
        spots.into_iter().for_each(|spot| self.ledger.note(spot, fate));
    }

    /// Every fix that was acknowledged is in the track once, none is there that nobody sent, and the views are those
    /// that a clean rebuild gives.
    async fn account(&self, mut world: World) -> Digest {
        // Whoever is being judged again is done at a checkpoint.
        world.checkpoint().await;
        let live = world.store.digest().await.expect("digest");
        for number in 0..TERMINALS - 1 {
            let vehicle = fleet::vehicle(number);
            let (from, to) = (Timestamp::from_secs(fleet::T0), Timestamp::MAX);
            let track = world.store.track(Scope::All, None, vehicle, from, to, 100_000).await.expect("a track");
            let mut found: BTreeMap<Spot, usize> = BTreeMap::new();
            for fix in &track {
                let known = (0..TERMINALS).find(|terminal| fleet::terminal(*terminal) == fix.fix.terminal);
                let spot = (known.expect("one of ours"), fix.fix.time.secs() - fleet::T0);
                *found.entry(spot).or_default() += fix.sources.len();
                let fate = self.ledger.spots.get(&spot).copied();
                assert!(fate.is_some_and(|fate| fate > Fate::Nowhere), "{spot:?} is in the track, and is {fate:?}");
            }
            let ours = self.ledger.spots.iter().filter(|((n, _), _)| fleet::vehicle(*n) == vehicle);
            for (spot, fate) in ours {
                let times = found.get(spot).copied().unwrap_or(0);
                let good = if *fate == Fate::Landed { times == 1 } else { times <= 1 };
                assert!(good, "{spot:?} is {fate:?}, and {times} times in the track");
            }
        }
        let rest = world.stop().await;
        assert_eq!(live, rebuilt(&rest.disk).await, "live views are not what the journal gives");
        live
    }
}

impl Content {
    fn spots(&self) -> Vec<Spot> {
        match self {
            Self::Spots(spots) => spots.clone(),
            Self::Part { .. } => Vec::new(),
        }
    }
}

impl Upload {
    fn is_over(&self) -> bool {
        self.parts.iter().all(|(_, fate)| *fate == Fate::Landed)
    }
}
