//! The figures as lines of text.

use model::FactKind;

use crate::score::Score;

/// The heading of [`line`].
pub const HEAD: &str = "\
family         rule  by     scenes  true  clear   recall  clear   precis.  clear  made up   sure    off s: med    p95    max   \
<=1s  steady: med    p95    max  <=1s  bound s: med    p95   true";

/// One rule in one family, by one side.
pub fn line(family: &str, kind: FactKind, by: &str, s: &Score) -> String {
    let percent = |share: f64| if share.is_nan() { "     -".into() } else { format!("{:6.2}", share * 100.0) };
    let seconds = |s: f64| if s.is_nan() { "     -".into() } else { format!("{s:6.2}") };
    let sure = if s.sure[0] == 0 { f64::NAN } else { s.sure[1] as f64 / s.sure[0] as f64 };
    let [all, steady] = [false, true].map(|only| {
        let which = move |i: &crate::score::Instant| !only || i.steady;
        [0.5, 0.95, 1.0].map(|q| seconds(s.off_s(q, which))).join(" ") + " " + &percent(s.within_a_second(which))
    });
    format!(
        "{family:<14} {:<5} {by:<6} {:>5} {:>6} {:>6}   {} {}   {} {} {:>5}/{:<5} {}   {all}   {steady}   {} {} {}",
        kind.to_string(),
        s.scenes,
        s.truths[0],
        s.truths[1],
        percent(s.recall(false)),
        percent(s.recall(true)),
        percent(s.precision(false)),
        percent(s.precision(true)),
        s.made_up[0],
        s.made_up[1],
        percent(sure),
        seconds(s.bound_s(0.5)),
        seconds(s.bound_s(0.95)),
        percent(s.bounds_true()),
    )
}
