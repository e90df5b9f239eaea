//! Times and counts in words.

use std::time::Duration;

use jiff::Timestamp;

/// How long, to the precision that a person wants: "40 ms", "3.9 s", "50 s", "4 min", "2 h 5 min", "3 d 4 h".
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let two = |big: u64, big_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        _ => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match seconds {
        0 => match (duration.as_millis(), duration.as_micros()) {
            (0, 0) => "0 s".to_owned(),
            (0..10, micros) => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
            (millis, _) => format!("{millis} ms"),
        },
        1..10 if duration.subsec_millis() >= 100 => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        1..120 => format!("{seconds} s"),
        120..3600 => format!("{} min", seconds / 60),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// How long ago `time` was; `None` where it is no time at all. A time to come is zero seconds ago: clocks get corrected.
pub(crate) fn since(time: &str, now: Timestamp) -> Option<String> {
    let time: Timestamp = time.parse().ok()?;
    Some(span(whole_seconds(Duration::try_from(now.duration_since(time)).unwrap_or_default())))
}

/// How long until `time`; `None` where it is no time at all.
pub(crate) fn until(time: &str, now: Timestamp) -> Option<String> {
    let time: Timestamp = time.parse().ok()?;
    Some(span(whole_seconds(Duration::try_from(time.duration_since(now)).unwrap_or_default())))
}

/// "1 agent", "3 agents".
pub(crate) fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let cases = [
            (0, "0 s"),
            (1_400, "1.4 ms"),
            (40_000, "40 ms"),
            (3_000_000, "3 s"),
            (3_990_000, "3.9 s"),
            (39_900_000, "39 s"),
            (119_000_000, "119 s"),
            (240_000_000, "4 min"),
            (7_500_000_000, "2 h 5 min"),
            (7_200_000_000, "2 h"),
            (273_600_000_000, "3 d 4 h"),
        ];
        for (micros, words) in cases {
            assert_eq!(span(Duration::from_micros(micros)), words);
        }
    }

    #[test]
    fn times_relative_to_now() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(since("2026-03-01T11:57:00Z", now).as_deref(), Some("3 min"));
        assert_eq!(since("2026-03-01T12:00:05Z", now).as_deref(), Some("0 s"));
        assert_eq!(until("2026-03-01T12:00:12.5Z", now).as_deref(), Some("12 s"));
        assert_eq!(since("yesterday", now), None);
    }
}
