//! Counts positions back over HTTP, as any customer could: an answer that did not mean durable and queryable is found
//! here.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::client::{AGE, Outcome};
use crate::error::Failure;
use crate::http::Http;
use crate::terminal;

/// How long views may lag before the count is given up.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(120);
const RETRY: Duration = Duration::from_millis(50);
const HOUR_S: i64 = 3_600;

/// What was found in the tracks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    /// Positions in all tracks.
    pub(crate) positions: u64,
    /// From the end of the load to the first track that was whole.
    pub(crate) caught_up_ms: f64,
}

/// The positions of a track; `None` while the views lag.
fn track_len(http: &Http, phone: &str, from_s: i64, to_s: i64) -> Result<Option<u64>, Failure> {
    let time = |s| Timestamp::from_second(s).map(|time| time.to_string()).map_err(Failure::other("tell a time"));
    let path = format!("vehicles/{phone}/track?format=csv&from={}&to={}", time(from_s)?, time(to_s)?);
    let mut response = http.get(&path)?;
    match response.status().as_u16() {
        200 => {
            let mut lines = 0_u64;
            for line in BufReader::new(response.body_mut().as_reader()).split(b'\n') {
                line.map_err(Failure::io("read a track"))?;
                lines += 1;
            }
            Ok(Some(lines.saturating_sub(1)))
        }
        503 => Ok(None),
        status => {
            let said = response.body_mut().read_to_string().unwrap_or_default();
            Err(Failure::Wrong(format!("the track of {phone} is answered with {status}: {said}")))
        }
    }
}

/// Reads all tracks back.
pub(crate) fn positions(at: SocketAddr, terminals: u32) -> Result<Counted, Failure> {
    let (ended, http) = (Instant::now(), Http::log_in(at)?);
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
    // Fix times began at the age of the load and went on by a second a report.
    let from_s = now_s - AGE.as_secs() as i64 - HOUR_S;
    let to_s = from_s + 31 * 24 * HOUR_S - HOUR_S;
    let mut counted = Counted { positions: 0, caught_up_ms: 0.0 };
    for index in 0..terminals {
        let phone = terminal::identity(index)?.phone;
        let found = loop {
            if let Some(found) = track_len(&http, &phone, from_s, to_s)? {
                break found;
            }
            if ended.elapsed() > CAUGHT_UP_WITHIN {
                return Err(Failure::Wrong(format!("views lag by more than {} s", CAUGHT_UP_WITHIN.as_secs())));
            }
            std::thread::sleep(RETRY);
        };
        if index == 0 {
            counted.caught_up_ms = ended.elapsed().as_secs_f64() * 1e3;
        }
        counted.positions += found;
    }
    Ok(counted)
}

/// Whether the tracks hold exactly what was acknowledged; what was sent and not acknowledged may be there or not.
pub(crate) fn check(counted: Counted, outcome: &Outcome) -> Result<(), Failure> {
    let allowed = outcome.acked..=outcome.acked + outcome.lost;
    if allowed.contains(&counted.positions) {
        return Ok(());
    }
    Err(Failure::Wrong(format!(
        "{} positions in the tracks, {} acknowledged, {} more were sent",
        counted.positions, outcome.acked, outcome.lost
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_position_too_few_or_too_many_is_found() {
        let outcome = Outcome { acked: 100, lost: 2, ..Outcome::default() };
        for (positions, right) in [(99, false), (100, true), (102, true), (103, false)] {
            let counted = Counted { positions, caught_up_ms: 0.0 };
            assert_eq!(check(counted, &outcome).is_ok(), right, "{positions}");
        }
    }
}
