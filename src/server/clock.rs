//! The wall clock of the server, and how its times are written.

use chrono::{DateTime, SecondsFormat, Utc};

/// Now, in unix microseconds.
pub fn now_us() -> i64 {
    Utc::now().timestamp_micros()
}

/// A time in unix microseconds as HTTP headers write it, to the second.
pub fn http_date(us: i64) -> String {
    DateTime::<Utc>::from_timestamp_micros(us)
        .unwrap_or_default()
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

/// A time in unix microseconds as RFC 3339 with microseconds and Z, as Svix writes it.
pub fn rfc3339(us: i64) -> String {
    DateTime::<Utc>::from_timestamp_micros(us)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_microseconds_and_z() {
        assert_eq!(
            rfc3339(1_790_000_000_000_001),
            "2026-09-21T14:13:20.000001Z"
        );
        assert_eq!(
            http_date(1_790_000_000_000_001),
            "Mon, 21 Sep 2026 14:13:20 GMT"
        );
    }
}
