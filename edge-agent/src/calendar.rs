//! Times as people read them.

use crate::source::csv::TimeUnit;
use fogline_protocol::time::Wall;

const US_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A time to the second, as RFC 3339 writes it: `2019-12-24T00:00:01Z`.
#[must_use]
pub fn utc(time: Wall) -> String {
    let seconds = time.us().div_euclid(US_PER_SECOND);
    let (year, month, day) = civil(seconds.div_euclid(SECONDS_PER_DAY));
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// The time that a text says as RFC 3339 writes it, with its offset: `2019-12-24T00:00:01+01:00`. A space may stand for the T.
#[must_use]
pub fn instant(text: &str) -> Option<Wall> {
    TimeUnit::Rfc3339.parse(text)
}

/// Year, month and day of the Gregorian calendar, of a day counted from 1970-01-01. Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms": years begin in March, so that the leap day is their last.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_written() {
        for (us, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_825_600_000_000, "2000-02-29T12:00:00Z"),
            (1_577_145_601_420_000, "2019-12-24T00:00:01Z"),
            (1_735_689_599_999_999, "2024-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(Wall::from_us(us)), text);
        }
    }

    #[test]
    fn every_day_reads_back() {
        for day in 0..104_000 {
            let time = Wall::from_us(day * SECONDS_PER_DAY * US_PER_SECOND);
            assert_eq!(instant(&utc(time)), Some(time), "{day}");
        }
    }
}
