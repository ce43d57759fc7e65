//! Times as CSV files write them.

use fogline_protocol::time::Wall;

/// How a time column is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Microseconds since the Unix epoch.
    Us,
    /// Milliseconds since the Unix epoch; decimals are allowed.
    Ms,
    /// Seconds since the Unix epoch; decimals are allowed.
    S,
    /// As RFC 3339 writes it: `2019-12-24T00:00:01.42+01:00`. A space may stand for the T, and the offset must be there.
    Rfc3339,
}

impl TimeUnit {
    /// The time that `text` says; none when it says none. What is finer than a microsecond is cut off.
    pub(crate) fn parse(self, text: &str) -> Option<Wall> {
        let us = match self {
            Self::Us => decimal(text, 0),
            Self::Ms => decimal(text, 3),
            Self::S => decimal(text, 6),
            Self::Rfc3339 => rfc3339(text),
        };
        us.map(Wall::from_us)
    }
}

/// A decimal number times ten to the power of `places`, without a detour over floats.
fn decimal(text: &str, places: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let zeros = std::iter::repeat(b'0');
    let digits = whole.bytes().chain(fraction.bytes().chain(zeros).take(places));
    digits.map(|byte| i64::from(byte - b'0')).try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(digit))
}

fn rfc3339(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, offset_s) = split_offset(rest)?;
    let [year, month, day] = numbers(date, '-')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':')?;
    if !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s;
    let fraction_us = decimal(&format!("0.{fraction}"), 6)?;
    Some(seconds * 1_000_000 + fraction_us)
}

/// Splits off `Z` or `+hh:mm`, and gives it in seconds east of Greenwich.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let (clock, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let sign = match offset.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let [hours, minutes] = numbers(offset.get(1..)?, ':')?;
    (hours <= 23 && minutes <= 59).then_some((clock, sign * (hours * 3600 + minutes * 60)))
}

/// Exactly `N` numbers without signs, of two digits each but for a year of four.
fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for slot in &mut found {
        let part = parts.next().filter(|part| matches!(part.len(), 2 | 4))?;
        *slot = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(found)
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar since 1970-01-01.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400;
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    // 719,162 days lie between 0001-01-01 and 1970-01-01.
    before * 365 + leap_days - 719_162 + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(unit: TimeUnit, text: &str) -> Option<i64> {
        unit.parse(text).map(Wall::us)
    }

    #[test]
    fn numbers_are_exact() {
        assert_eq!(parse(TimeUnit::Us, "1577145601420000"), Some(1_577_145_601_420_000));
        assert_eq!(parse(TimeUnit::Ms, "1577145601420"), Some(1_577_145_601_420_000));
        assert_eq!(parse(TimeUnit::Ms, "1577145601420.5"), Some(1_577_145_601_420_500));
        assert_eq!(parse(TimeUnit::S, "1577145601.4200019"), Some(1_577_145_601_420_001));
        for bad in ["", "-1", "1e9", ".5", "1.2.3", "NaN", "99999999999999999999"] {
            assert_eq!(parse(TimeUnit::S, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn calendar_times() {
        for (text, us) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2019-12-24T01:00:01.42+01:00", 1_577_145_601_420_000),
            ("2019-12-23 19:30:01.42-04:30", 1_577_145_601_420_000),
            ("2000-02-29T12:00:00Z", 951_825_600_000_000),
            ("2024-12-31T23:59:60Z", 1_735_689_600_000_000),
        ] {
            assert_eq!(parse(TimeUnit::Rfc3339, text), Some(us), "{text}");
        }
        for bad in [
            "",
            "2019-12-24",
            "2019-12-24T00:00:01",
            "2019-02-29T00:00:00Z",
            "2019-13-01T00:00:00Z",
            "2019-12-24T24:00:00Z",
            "2019-12-24T+1:00:00Z",
            "2019-12-24T00:00:01.xZ",
            "ü019-12-24T00:00:00Z",
            "2019-12-24T00:00:00+01",
        ] {
            assert_eq!(parse(TimeUnit::Rfc3339, bad), None, "{bad:?}");
        }
    }
}
