//! Numbers as people read them.

use std::time::Duration;

/// A whole number with commas between its thousands: `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How many a second, rounded down.
#[must_use]
pub fn rate(number: u64, elapsed: Duration) -> u64 {
    let us = elapsed.as_micros().max(1);
    u64::try_from(u128::from(number) * 1_000_000 / us).unwrap_or(u64::MAX)
}

/// Bytes in decimal units, with three or so figures: `512 B`, `13.4 MB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if number < 1000 {
        return format!("{number} B");
    }
    // Tenths, so that nothing is rounded twice.
    let (mut tenths, mut unit) = (number / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Microseconds in the unit that fits: `850 us`, `12.4 ms`, `3.10 s`.
#[must_use]
pub fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

/// A duration in microseconds; what does not fit into 64 bits is the largest.
#[must_use]
pub fn as_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// As in 2026-12-31, UTC; of seconds since 1970.
#[must_use]
pub fn date(seconds: u64) -> String {
    let time = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    format!("{:04}-{:02}-{:02}", time.year(), u8::from(time.month()), time.day())
}

/// As in 2026-12-31 23:59:59.123, UTC; of microseconds since 1970.
#[must_use]
pub fn instant(us: u64) -> String {
    let seconds = us / 1_000_000;
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{} {hours:02}:{minutes:02}:{:02}.{:03}", date(seconds), seconds % 60, us / 1000 % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn bytes_have_a_unit_that_fits() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (13_449_999, "13.4 MB"),
            (999_999, "999.9 kB"),
            (1_000_000, "1.0 MB"),
        ] {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(bytes(u64::MAX), "18446744.0 TB");
    }

    #[test]
    fn times_have_a_unit_that_fits() {
        for (us, text) in
            [(0, "0 us"), (999, "999 us"), (12_449, "12.4 ms"), (3_104_999, "3.10 s"), (61_000_000, "61.00 s")]
        {
            assert_eq!(micros(us), text);
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(1_798_761_599), "2026-12-31");
        assert_eq!(instant(1_798_761_599_123_456), "2026-12-31 23:59:59.123");
        // The last time that a reading may have.
        assert_eq!(instant((1 << 53) - 1), "2255-06-05 23:47:34.740");
    }

    #[test]
    fn a_rate_is_taken_over_microseconds() {
        assert_eq!(rate(500, Duration::from_millis(250)), 2_000);
        assert_eq!(rate(5, Duration::ZERO), 5_000_000);
        assert_eq!(count(rate(1_000_000, Duration::from_secs(4))), "250,000");
    }
}
