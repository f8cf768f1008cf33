//! The BCD time field of a location report, `YYMMDDhhmmss` at +08:00, years 2000 to 2099.

const DAY_S: i64 = 86_400;
const ZONE_S: i64 = 8 * 3600;

/// Seconds since the epoch; `None` when the field is no date and time, or not in canonical form.
pub(crate) fn seconds(field: [u8; 6]) -> Option<i64> {
    let mut parts = [0_i64; 6];
    for (part, byte) in parts.iter_mut().zip(field) {
        let (tens, ones) = (byte >> 4, byte & 15);
        *part = i64::from((tens < 10 && ones < 10).then_some(tens * 10 + ones)?);
    }
    let [year, month, day, hour, minute, second] = parts;
    let fits = (1..=12).contains(&month) && day >= 1 && hour < 24 && minute < 60 && second < 60;
    let days = fits.then(|| days_from_civil(2000 + year, month, day))?;
    let seconds = days * DAY_S + hour * 3600 + minute * 60 + second - ZONE_S;
    // A 31st of February is the third of March to the arithmetic: only what comes back the same is a date.
    (from_seconds(seconds) == Some(field)).then_some(seconds)
}

/// The field for an instant; `None` outside 2000 to 2099.
pub(crate) fn from_seconds(seconds: i64) -> Option<[u8; 6]> {
    let local = seconds.checked_add(ZONE_S)?;
    let (days, of_day) = (local.div_euclid(DAY_S), local.rem_euclid(DAY_S));
    if !(10_957..47_482).contains(&days) {
        return None;
    }
    let (year, month, day) = civil_from_days(days);
    let parts = [year - 2000, month, day, of_day / 3600, of_day / 60 % 60, of_day % 60];
    Some(parts.map(digits))
}

const fn digits(part: i64) -> u8 {
    (part / 10 * 16 + part % 10) as u8
}

/// [`from_seconds`] for many instants of the same days.
#[derive(Default)]
pub(crate) struct Calendar {
    /// The last day asked for, and its first three bytes.
    last: Option<(i64, [u8; 3])>,
}

impl Calendar {
    /// The field for an instant; `None` outside 2000 to 2099.
    pub(crate) fn field(&mut self, seconds: i64) -> Option<[u8; 6]> {
        let local = seconds.checked_add(ZONE_S)?;
        let (days, of_day) = (local.div_euclid(DAY_S), local.rem_euclid(DAY_S));
        let [year, month, day] = match self.last {
            Some((last, date)) if last == days => date,
            _ => {
                let [year, month, day, ..] = from_seconds(seconds)?;
                self.last = Some((days, [year, month, day]));
                [year, month, day]
            }
        };
        Some([year, month, day, digits(of_day / 3600), digits(of_day / 60 % 60), digits(of_day % 60)])
    }
}

/// The six bytes as one big-endian number.
pub(crate) fn number(field: [u8; 6]) -> i64 {
    field.iter().fold(0, |value, byte| value << 8 | i64::from(*byte))
}

/// The inverse of [`number`].
pub(crate) fn from_number(number: i64) -> Option<[u8; 6]> {
    match number.to_be_bytes() {
        [0, 0, rest @ ..] => Some(rest),
        _ => None,
    }
}

/// Days from 1970-01-01, proleptic Gregorian; years from 2000 only, so that nothing is negative.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    #[test]
    fn every_day_of_the_century_comes_back() {
        let first: Timestamp = "2000-01-01T00:00:00+08:00".parse().expect("valid");
        assert_eq!(seconds([0, 1, 1, 0, 0, 0]), Some(first.secs()));
        let mut calendar = Calendar::default();
        for day in 10_957..47_482 {
            let at = Timestamp::china_day_start(day).secs() + 45_296;
            let field = from_seconds(at).expect("in the century");
            let text: String = field.iter().map(|b| format!("{b:02x}")).collect();
            let shown: String =
                Timestamp::from_secs(at).to_string()[2..19].chars().filter(char::is_ascii_digit).collect();
            assert_eq!(text, shown);
            assert_eq!(seconds(field), Some(at));
            assert_eq!([calendar.field(at), calendar.field(at + 1)], [Some(field), from_seconds(at + 1)]);
        }
    }

    #[test]
    fn what_is_no_date_is_kept_raw() {
        for field in
            [[0; 6], [0x26, 0x02, 0x29, 0, 0, 0], [0x26, 0x1a, 1, 0, 0, 0], [0xff; 6], [0x26, 1, 1, 0x24, 0, 0]]
        {
            assert_eq!(seconds(field), None, "{field:x?}");
            assert_eq!(from_number(number(field)), Some(field));
        }
    }
}
