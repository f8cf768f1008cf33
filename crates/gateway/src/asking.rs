//! When a terminal is asked for missing packets (0x8003 补传分包请求), and for which. Pure: time is an argument. It keeps
//! the numbers of the packets, and digests in place of their bytes, to know a packet that came again from one of another
//! message; the bytes lie in the journal, and putting messages together is the pipeline's business.

use std::sync::Arc;

use jt808::{
    Assembler, AssemblyLimits, Frame, Header, Message, Missing, OpenUpload, PacketRequest, UploadKey, encode,
    part_digest,
};

use crate::pool::{Pool, Share};

/// How often one upload is asked for.
const ASKS_MAX: u8 = 3;
/// How long nothing of an upload may come before it is asked for, and asked for again, us.
const QUIET_US: i64 = 5_000_000;
/// What one terminal's uploads may take here: 1,000 packets and more.
const LIMITS: AssemblyLimits =
    AssemblyLimits { bytes_max: 96 * 1024, open_max: 4, completed_parts_max: 256, age_us: 300_000_000 };

/// Appends the request to `out`, in the dialect of the terminal and under our `serial`.
pub(crate) fn write(missing: &Missing, dialect: &Header, serial: u16, out: &mut Vec<u8>) {
    let request = Message::PacketRequest(PacketRequest::new(missing.first_serial, missing.numbers.clone()));
    if let Err(error) = encode(&dialect.reply(request.id(), serial), &request, out) {
        tracing::error!(%error, "a request for packets cannot be encoded");
    }
}

#[derive(Debug)]
struct Asked {
    key: UploadKey,
    times: u8,
    last_us: i64,
}

/// The uploads of one terminal on one connection.
pub(crate) struct Asking {
    parts: Assembler<()>,
    /// No more than there are open uploads.
    asked: Vec<Asked>,
    share: Share,
    /// There was no room: until then nothing is noted, us. Whoever went on in the middle would ask for what has come.
    alone_until_us: Option<i64>,
}

impl Asking {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        let mut new =
            Self { parts: Assembler::new(LIMITS), asked: Vec::new(), share: Share::new(pool), alone_until_us: None };
        new.weigh();
        new
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.share.bytes()
    }

    fn weigh(&mut self) {
        let remembered = self.parts.completed().iter().map(|done| 8 * done.digests.len()).sum::<usize>();
        self.share.set(size_of::<Self>() + self.parts.bytes() + remembered);
    }

    /// Takes note of a part. When all terminals together take too much, this one is left alone for as long as an upload
    /// may last; returns whether that begins now.
    pub(crate) fn note(&mut self, frame: &Frame<'_>, now_us: i64) -> bool {
        if self.alone_until_us.is_some_and(|until_us| now_us < until_us) {
            return false;
        }
        let has_room = !self.share.pool.is_full();
        if has_room {
            self.alone_until_us = None;
            let digest = part_digest(frame.body).to_be_bytes();
            let by_digest = Frame { body: &digest, ..*frame };
            let Self { parts, asked, .. } = self;
            // What is given up is not asked for any more; what takes its place under its key is, from the beginning.
            let _ = parts.feed(&by_digest, (), now_us, |gone| asked.retain(|asked| asked.key != gone.upload.key));
            self.forget_closed();
        } else {
            self.alone_until_us = Some(now_us.saturating_add(LIMITS.age_us));
            (self.parts, self.asked) = (Assembler::new(LIMITS), Vec::new());
        }
        self.weigh();
        !has_room
    }

    /// When there is something to ask for, us; `None` when nothing is missing.
    pub(crate) fn due_us(&self) -> Option<i64> {
        self.parts.open().iter().filter_map(|upload| self.due_of(upload)).min()
    }

    /// At once when the last part came; else, and each time after, when nothing came for a while.
    fn due_of(&self, upload: &OpenUpload<()>) -> Option<i64> {
        match self.asked.iter().find(|asked| asked.key == upload.key) {
            None if upload.has_last() => Some(upload.touched_us),
            None => Some(upload.touched_us.saturating_add(QUIET_US)),
            Some(asked) if asked.times >= ASKS_MAX => None,
            Some(asked) => Some(asked.last_us.max(upload.touched_us).saturating_add(QUIET_US)),
        }
    }

    /// What to ask for now; it counts as asked.
    pub(crate) fn ask(&mut self, now_us: i64) -> Vec<Missing> {
        self.parts.expire(now_us, |_| {});
        self.alone_until_us = self.alone_until_us.filter(|until_us| now_us < *until_us);
        self.forget_closed();
        self.weigh();
        let due = |missing: &Missing| {
            let open = self.parts.open().iter().find(|upload| upload.key == missing.key);
            open.and_then(|upload| self.due_of(upload)).is_some_and(|due_us| due_us <= now_us)
        };
        let missing: Vec<_> = self.parts.missing(QUIET_US, now_us).filter(due).collect();
        for Missing { key, .. } in &missing {
            match self.asked.iter_mut().find(|asked| asked.key == *key) {
                Some(asked) => (asked.times, asked.last_us) = (asked.times + 1, now_us),
                None => self.asked.push(Asked { key: *key, times: 1, last_us: now_us }),
            }
        }
        missing
    }

    /// Whether it is of no more use.
    pub(crate) fn is_idle(&self) -> bool {
        self.parts.is_idle() && self.alone_until_us.is_none()
    }

    fn forget_closed(&mut self) {
        let open = self.parts.open();
        self.asked.retain(|asked| open.iter().any(|upload| upload.key == asked.key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jt808::{Edition, MISSING_MAX, Oddities, Packet, Phone};

    const SECOND_US: i64 = 1_000_000;

    fn pool(bytes_max: usize) -> Arc<Pool> {
        Arc::new(Pool::new(bytes_max))
    }

    /// Notes these numbers of an upload of so many, at so many seconds.
    fn note(asking: &mut Asking, total: u16, numbers: impl IntoIterator<Item = u16>, at_s: i64) {
        note_of(asking, 7, total, numbers, at_s);
    }

    /// The same, of an upload filled with that byte.
    fn note_of(asking: &mut Asking, byte: u8, total: u16, numbers: impl IntoIterator<Item = u16>, at_s: i64) {
        let phone = Phone::from_digits("13912345678", Edition::V2013).expect("digits");
        for number in numbers {
            let mut header = Header::new(0x0704, Edition::V2013, phone, 100 + number);
            header.packet = Some(Packet { total, number });
            let frame = Frame { header, body: &[byte; 900], check_ok: true, oddities: Oddities::NONE };
            asking.note(&frame, at_s * SECOND_US);
        }
    }

    fn ask(asking: &mut Asking, at_s: i64) -> Vec<(u16, Vec<u16>)> {
        asking.ask(at_s * SECOND_US).into_iter().map(|missing| (missing.first_serial, missing.numbers)).collect()
    }

    #[test]
    fn asks_three_times_and_no_more() {
        let mut asking = Asking::new(pool(1 << 20));
        note(&mut asking, 4, [1, 4], 10);
        assert_eq!(asking.due_us(), Some(10 * SECOND_US), "the last part came");
        let wanted = [(101, vec![2, 3])];
        assert_eq!(ask(&mut asking, 10), wanted);
        assert_eq!(ask(&mut asking, 14), []);
        assert_eq!(ask(&mut asking, 15), wanted);
        note(&mut asking, 4, [2], 17);
        assert_eq!(asking.due_us(), Some(22 * SECOND_US), "something came: it may still go on");
        assert_eq!(ask(&mut asking, 22), [(101, vec![3])]);
        assert_eq!((asking.due_us(), ask(&mut asking, 200)), (None, vec![]));
        note(&mut asking, 4, [3], 201);
        assert!(asking.asked.is_empty() && asking.parts.open().is_empty());
        assert_eq!(ask(&mut asking, 501), []);
        assert!(asking.is_idle() && asking.bytes() == size_of::<Asking>());
    }

    #[test]
    fn silence_shows_that_the_end_is_missing() {
        let mut asking = Asking::new(pool(1 << 20));
        note(&mut asking, 4, [1, 2], 0);
        assert_eq!(ask(&mut asking, 4), []);
        assert_eq!(asking.due_us(), Some(5 * SECOND_US));
        assert_eq!(ask(&mut asking, 5), [(101, vec![3, 4])]);
    }

    #[test]
    fn another_upload_under_the_key_is_asked_for_anew() {
        // The one before it was whole, and began alike; or it was asked for in vain.
        let mut asking = Asking::new(pool(1 << 20));
        note(&mut asking, 4, [1, 2, 3, 4], 0);
        note(&mut asking, 4, [1], 60);
        note_of(&mut asking, 8, 4, [2, 4], 60);
        assert_eq!(ask(&mut asking, 60), [(101, vec![3])]);
        note_of(&mut asking, 8, 4, [3], 61);
        assert_eq!((asking.due_us(), ask(&mut asking, 120)), (None, vec![]));

        let mut asking = Asking::new(pool(1 << 20));
        note(&mut asking, 3, [1, 3], 0);
        for at_s in [0, 5, 10] {
            assert_eq!(ask(&mut asking, at_s), [(101, vec![2])]);
        }
        assert_eq!(asking.due_us(), None);
        note_of(&mut asking, 8, 3, [1, 3], 60);
        assert_eq!(ask(&mut asking, 60), [(101, vec![2])]);
        note_of(&mut asking, 8, 3, [2], 61);
        assert!(asking.asked.is_empty() && asking.parts.open().is_empty());
    }

    #[test]
    fn it_is_bounded_and_a_repeated_upload_is_not_asked_for() {
        let mut asking = Asking::new(pool(1 << 20));
        note(&mut asking, 1_200, (1..=1_200).filter(|number| number % 3 != 0), 0);
        assert!(asking.bytes() < 96 * 1_024);
        assert_eq!(ask(&mut asking, 5)[0].1.len(), MISSING_MAX);
        let mut asking = Asking::new(pool(1 << 20));
        note(&mut asking, 3, [1, 2, 3, 3, 1], 0);
        assert_eq!((asking.due_us(), ask(&mut asking, 60)), (None, vec![]));
    }

    #[test]
    fn all_terminals_together_are_bounded_and_nobody_is_asked_for_what_came_while_there_was_no_room() {
        let pool = pool(256 * 1_024);
        let mut all: Vec<_> = (0..100).map(|_| Asking::new(pool.clone())).collect();
        // In turns, as they come from many terminals at once.
        for number in 1..1_200 {
            all.iter_mut().for_each(|asking| note(asking, 1_200, [number], 10));
            assert!(pool.taken() < 256 * 1_024 + 96 * 1_024);
        }
        assert_eq!(pool.taken(), all.iter().map(Asking::bytes).sum::<usize>());
        let alone = all.iter().filter(|asking| asking.alone_until_us.is_some()).count();
        assert!((1..100).contains(&alone), "{alone}");
        // There is room again, but half of this upload was not noted.
        let mut late = all.into_iter().find(|asking| asking.alone_until_us.is_some()).expect("one");
        assert_eq!(pool.taken(), late.bytes(), "the others are gone");
        note(&mut late, 1_200, [1_200], 11);
        assert_eq!((late.due_us(), ask(&mut late, 60), late.is_idle()), (None, vec![], false));
        note(&mut late, 3, [1, 3], 310);
        assert_eq!(ask(&mut late, 310), [(101, vec![2])], "a later one is asked for");
        drop(late);
        assert_eq!(pool.taken(), 0);
    }
}
