//! When a rule asks: spans of dates, windows of the week, and the calendar of holidays that they refer to.

use imbl::OrdMap;

use crate::{DAY_US, Timestamp};

/// Minutes in a day.
pub const DAY_MIN: u16 = 1440;
const MINUTE_US: i64 = 60_000_000;
/// China standard time; it has no summer time.
const CHINA_OFFSET_US: i64 = 8 * 3600 * 1_000_000;
/// Beyond the calendar every week is like the one before: whoever saw nothing change for so long never will.
const PATIENCE_US: i64 = 9 * DAY_US;

/// What the calendar says of a day. The numbers are kept in the journal and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DayKind {
    /// A public holiday (法定节假日).
    Holiday = 1,
    /// A day on which people work, also when it is a Saturday or Sunday (调休).
    Workday = 2,
}

impl DayKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Holiday, Self::Workday];

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holiday => "holiday",
            Self::Workday => "workday",
        }
    }

    /// The kind of that journal number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| *kind as u32 == number)
    }
}

/// One day of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarDay {
    /// Days since 1970-01-01, GMT+8, as [`Timestamp::china_day`].
    pub day: i32,
    /// What it is.
    pub kind: DayKind,
    /// What it is called (国庆节), or empty.
    pub name: String,
}

/// The calendar (节假日安排). A day without entry is a workday from Monday to Friday, and never a holiday.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    days: OrdMap<i32, CalendarDay>,
}

impl Calendar {
    /// Takes in a day; what was said of it before counts no more.
    pub fn put(&mut self, day: CalendarDay) {
        self.days.insert(day.day, day);
    }

    /// The days that it says something of, ascending.
    pub fn days(&self) -> impl Iterator<Item = &CalendarDay> {
        self.days.values()
    }

    /// Whether a day is a public holiday.
    #[must_use]
    pub fn is_holiday(&self, day: i32) -> bool {
        self.days.get(&day).is_some_and(|entry| entry.kind == DayKind::Holiday)
    }

    /// Whether people work on a day.
    #[must_use]
    pub fn is_workday(&self, day: i32) -> bool {
        self.days.get(&day).map_or_else(|| weekday(day) < 5, |entry| entry.kind == DayKind::Workday)
    }

    /// The first instant after the last day that it says something of.
    fn end(&self) -> Timestamp {
        self.days.get_max().map_or(Timestamp::MIN, |(day, _)| Timestamp::china_day_start(day.saturating_add(1)))
    }
}

/// Monday 0 to Sunday 6; 1970-01-01 was a Thursday.
const fn weekday(day: i32) -> u8 {
    (day as i64 + 3).rem_euclid(7) as u8
}

/// Which days a window asks for, besides those of the week. The numbers are kept in the journal and never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnDays {
    /// All.
    #[default]
    Any = 0,
    /// Public holidays.
    Holidays = 1,
    /// Days on which people work.
    Workdays = 2,
}

impl OnDays {
    /// Every choice.
    pub const ALL: &'static [Self] = &[Self::Any, Self::Holidays, Self::Workdays];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Holidays => "holidays",
            Self::Workdays => "workdays",
        }
    }

    /// The choice of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|on| on.name() == name)
    }

    /// The choice of that journal number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|on| *on as u32 == number)
    }
}

/// A window of time on some days, in China's time (GMT+8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekly {
    /// On which days of the week it begins: bit 0 Monday to bit 6 Sunday.
    pub days: u8,
    /// Of those, which.
    pub on: OnDays,
    /// Minute of the day at which it begins, 0 to 1439.
    pub from_min: u16,
    /// Minute of the day at which it ends, 1 to 1440; not after `from_min`: of the next day.
    pub to_min: u16,
}

impl Weekly {
    /// All days of the week.
    pub const DAILY: u8 = 0x7f;

    /// Whether its numbers make sense: some day, and minutes within the day.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.days != 0
            && self.days <= Self::DAILY
            && self.from_min < DAY_MIN
            && self.to_min >= 1
            && self.to_min <= DAY_MIN
    }

    fn begins_on(self, day: i32, calendar: &Calendar) -> bool {
        self.days >> weekday(day) & 1 == 1
            && match self.on {
                OnDays::Any => true,
                OnDays::Holidays => calendar.is_holiday(day),
                OnDays::Workdays => calendar.is_workday(day),
            }
    }

    /// The window that begins on a day, [from, to), whether or not it is a day on which it does.
    fn window(self, day: i32) -> (Timestamp, Timestamp) {
        let start = Timestamp::china_day_start(day);
        let next = if self.to_min <= self.from_min { DAY_MIN } else { 0 };
        let at = |minutes: u16| start.plus_us(i64::from(minutes) * MINUTE_US);
        (at(self.from_min), at(self.to_min + next))
    }

    fn holds(self, time: Timestamp, calendar: &Calendar) -> bool {
        let today = local_day(time);
        [today.saturating_sub(1), today].into_iter().any(|day| {
            let (from, to) = self.window(day);
            from <= time && time < to && self.begins_on(day, calendar)
        })
    }
}

/// As [`Timestamp::china_day`], held to days whose instants can be computed with: 10,000 years around the epoch.
fn local_day(time: Timestamp) -> i32 {
    const MAX: i64 = 3_650_000;
    time.0.saturating_add(CHINA_OFFSET_US).div_euclid(DAY_US).clamp(-MAX, MAX) as i32
}

/// When something is in force: within one of the spans, if there are any, and within one of the windows, if there are
/// any. Without either: always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Spans of event time, [from, to).
    pub spans: Vec<(Timestamp, Timestamp)>,
    /// Windows of the week.
    pub weekly: Vec<Weekly>,
}

impl Schedule {
    /// Whether it is in force always.
    #[must_use]
    pub const fn is_always(&self) -> bool {
        self.spans.is_empty() && self.weekly.is_empty()
    }

    /// Whether it is in force at `time`.
    #[must_use]
    pub fn in_force(&self, time: Timestamp, calendar: &Calendar) -> bool {
        self.within_spans(time)
            && (self.weekly.is_empty() || self.weekly.iter().any(|window| window.holds(time, calendar)))
    }

    /// The first instant after `after` at which it comes into force or goes out of it; `None`: it never will.
    #[must_use]
    pub fn next_edge(&self, after: Timestamp, calendar: &Calendar) -> Option<Timestamp> {
        let now = self.in_force(after, calendar);
        let mut at = after;
        let mut patience = after.max(calendar.end()).plus_us(PATIENCE_US);
        loop {
            let span = self.next_span_edge(at);
            // Outside the spans no window matters.
            let window = (self.within_spans(at) && at <= patience).then(|| self.next_window_edge(at)).flatten();
            at = match (span, window) {
                (Some(span), Some(window)) => span.min(window),
                (span, window) => span.or(window)?,
            };
            if self.in_force(at, calendar) != now {
                return Some(at);
            }
            if span == Some(at) {
                patience = patience.max(at.plus_us(PATIENCE_US));
            }
        }
    }

    fn within_spans(&self, time: Timestamp) -> bool {
        self.spans.is_empty() || self.spans.iter().any(|(from, to)| *from <= time && time < *to)
    }

    fn next_span_edge(&self, after: Timestamp) -> Option<Timestamp> {
        self.spans.iter().flat_map(|(from, to)| [*from, *to]).filter(|edge| *edge > after).min()
    }

    /// Where a window would begin or end next, were it of that day.
    fn next_window_edge(&self, after: Timestamp) -> Option<Timestamp> {
        let today = local_day(after);
        let days = today.saturating_sub(1)..=today.saturating_add(1);
        let windows = days.flat_map(|day| self.weekly.iter().map(move |weekly| weekly.window(day)));
        windows.flat_map(|(from, to)| [from, to]).filter(|edge| *edge > after).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn night(days: u8, on: OnDays) -> Weekly {
        Weekly { days, on, from_min: 22 * 60, to_min: 6 * 60 }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let friday = Schedule { spans: vec![], weekly: vec![night(1 << 4, OnDays::Any)] };
        let calendar = Calendar::default();
        for (time, holds) in [
            ("2026-11-27T21:59:59.999999+08:00", false),
            ("2026-11-27T22:00:00+08:00", true),
            ("2026-11-28T05:59:59+08:00", true),
            ("2026-11-28T06:00:00+08:00", false),
            ("2026-11-28T23:00:00+08:00", false),
            ("2026-11-27T03:00:00+08:00", false),
        ] {
            assert_eq!(friday.in_force(at(time), &calendar), holds, "{time}");
        }
        let from = at("2026-11-23T12:00:00+08:00");
        let begin = friday.next_edge(from, &calendar).expect("it comes");
        assert_eq!(begin, at("2026-11-27T22:00:00+08:00"));
        assert_eq!(friday.next_edge(begin, &calendar), Some(at("2026-11-28T06:00:00+08:00")));
    }

    #[test]
    fn the_calendar_makes_holidays_and_workdays() {
        let mut calendar = Calendar::default();
        let day = |text: &str| at(&format!("{text}T00:00:00+08:00")).china_day();
        calendar.put(CalendarDay { day: day("2026-10-01"), kind: DayKind::Holiday, name: "国庆节".into() });
        calendar.put(CalendarDay { day: day("2026-10-10"), kind: DayKind::Workday, name: "调休".into() });
        assert!(!calendar.is_workday(day("2026-10-01")) && calendar.is_workday(day("2026-10-02")));
        assert!(calendar.is_workday(day("2026-10-10")) && !calendar.is_workday(day("2026-10-11")));
        let on = |on| Schedule { spans: vec![], weekly: vec![Weekly { on, ..night(Weekly::DAILY, on) }] };
        let from = at("2026-01-01T00:00:00+08:00");
        assert_eq!(on(OnDays::Holidays).next_edge(from, &calendar), Some(at("2026-10-01T22:00:00+08:00")));
        assert_eq!(on(OnDays::Holidays).next_edge(at("2026-10-02T06:00:00+08:00"), &calendar), None);
        assert!(on(OnDays::Workdays).in_force(at("2026-10-11T01:00:00+08:00"), &calendar));
    }

    #[test]
    fn edges_that_never_come() {
        let (calendar, now) = (Calendar::default(), at("2026-11-23T12:00:00+08:00"));
        let all_day = Weekly { days: Weekly::DAILY, on: OnDays::Any, from_min: 0, to_min: DAY_MIN };
        let always = Schedule { spans: vec![], weekly: vec![all_day] };
        assert_eq!(Schedule::default().next_edge(now, &calendar), None);
        assert_eq!(always.next_edge(now, &calendar), None);
        let ends = at("2031-01-01T00:00:00+08:00");
        let bounded = Schedule { spans: vec![(now, ends)], ..always.clone() };
        assert_eq!(bounded.next_edge(now, &calendar), Some(ends));
        assert_eq!(bounded.next_edge(ends, &calendar), None);
        for extreme in [Timestamp::MIN, Timestamp::MAX] {
            let _ = (always.in_force(extreme, &calendar), bounded.next_edge(extreme, &calendar));
        }
    }

    /// Monday 2026-10-05, the middle of the days that the property looks at.
    const BASE_DAY: i32 = 20_731;

    fn any_schedule() -> impl Strategy<Value = Schedule> {
        let minute = |m: i64| Timestamp::china_day_start(BASE_DAY).plus_us(m * MINUTE_US);
        let span = (-3000..8000_i64, 1..6000_i64).prop_map(move |(from, long)| (minute(from), minute(from + long)));
        let weekly = (1..=Weekly::DAILY, 0..3_u32, 0..DAY_MIN, 1..=DAY_MIN).prop_map(|(days, on, from_min, to_min)| {
            Weekly { days, on: OnDays::from_number(on).expect("known"), from_min, to_min }
        });
        (prop::collection::vec(span, 0..3), prop::collection::vec(weekly, 0..3))
            .prop_map(|(spans, weekly)| Schedule { spans, weekly })
    }

    fn any_calendar() -> impl Strategy<Value = Calendar> {
        prop::collection::vec((BASE_DAY - 3..BASE_DAY + 9, 1..3_u32), 0..6).prop_map(|days| {
            let mut calendar = Calendar::default();
            for (day, kind) in days {
                let kind = DayKind::from_number(kind).expect("known");
                calendar.put(CalendarDay { day, kind, name: String::new() });
            }
            calendar
        })
    }

    /// Minute by minute, painted on a strip; `minutes` from the start of [`BASE_DAY`].
    fn painted(schedule: &Schedule, calendar: &Calendar, minutes: std::ops::Range<i64>) -> Vec<bool> {
        let mut strip = vec![schedule.weekly.is_empty(); (minutes.end - minutes.start) as usize];
        for weekly in &schedule.weekly {
            for day in BASE_DAY - 20..BASE_DAY + 40 {
                let work = calendar.days().find(|d| d.day == day).map(|d| d.kind);
                let dow = (i64::from(day - BASE_DAY)).rem_euclid(7);
                let on = match weekly.on {
                    OnDays::Any => true,
                    OnDays::Holidays => work == Some(DayKind::Holiday),
                    OnDays::Workdays => work.map_or(dow < 5, |kind| kind == DayKind::Workday),
                };
                if !on || weekly.days & (1 << dow) == 0 {
                    continue;
                }
                let mut minute = i64::from(day - BASE_DAY) * 1440 + i64::from(weekly.from_min);
                loop {
                    if minutes.contains(&minute) {
                        strip[(minute - minutes.start) as usize] = true;
                    }
                    minute += 1;
                    if minute.rem_euclid(1440) == i64::from(weekly.to_min) % 1440 {
                        break;
                    }
                }
            }
        }
        for (i, minute) in minutes.enumerate() {
            let time = Timestamp::china_day_start(BASE_DAY).plus_us(minute * MINUTE_US);
            let spanned = schedule.spans.iter().any(|(a, b)| (a.0..b.0).contains(&time.0));
            strip[i] &= schedule.spans.is_empty() || spanned;
        }
        strip
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn as_if_painted_minute_by_minute(schedule in any_schedule(), calendar in any_calendar(), first in -2000..6000_i64) {
            let minutes = first..first + 20 * 1440;
            let strip = painted(&schedule, &calendar, minutes.clone());
            let time = |minute: i64| Timestamp::china_day_start(BASE_DAY).plus_us(minute * MINUTE_US);
            for (minute, wanted) in minutes.clone().zip(&strip).step_by(7) {
                prop_assert_eq!(schedule.in_force(time(minute), &calendar), *wanted, "{}", time(minute));
                prop_assert_eq!(schedule.in_force(time(minute + 1).plus_us(-1), &calendar), *wanted);
            }
            let mut at = time(first);
            let edges = minutes.zip(strip.windows(2)).filter(|(_, pair)| pair[0] != pair[1]).map(|(m, _)| time(m + 1));
            for edge in edges.take(40) {
                prop_assert_eq!(schedule.next_edge(at, &calendar), Some(edge));
                at = edge;
            }
        }
    }
}
