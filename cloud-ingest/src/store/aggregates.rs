//! Stored averages: values merged into their windows, for as long as each width is kept.

use super::names::{AverageKey, Names};
use super::number::to_sql;
use fogline_protocol::store::Fold;
use fogline_protocol::window::Aggregate;
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::time::Duration;

/// How long the 5-second windows of an average are kept: two days are 34,560 of them.
pub const WINDOWS_KEPT: Duration = Duration::from_secs(2 * DAY_S);
/// How long its minutes are kept: 129,600 of them.
pub const MINUTES_KEPT: Duration = Duration::from_secs(90 * DAY_S);
/// How long its hours are kept: ten years are 87,660 of them.
pub const HOURS_KEPT: Duration = Duration::from_secs(3652 * DAY_S + DAY_S / 2);
const DAY_S: u64 = 24 * 60 * 60;
/// Old windows are deleted when so many (2 hours, 4 days, half a year) have come together: one part in so many of what is kept.
const DELETED_AT_ONCE: i64 = 20;

/// An aggregate as it is in the store after a fold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Merged<'a> {
    pub(super) fold: &'a Fold,
    pub(super) stored: Aggregate,
}

/// Where the kept windows of one average begin, by width: counted from its newest window, or from now when that is in the
/// future. So a replay of old data is kept, and a wrong clock on an edge deletes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Horizon {
    windows: Option<Kept>,
    minutes: Option<Kept>,
    hours: Option<Kept>,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    newest_us: i64,
    deleted_before_us: i64,
}

impl Horizon {
    const fn of(&mut self, width_s: u32) -> (&mut Option<Kept>, Duration) {
        match width_s {
            0..60 => (&mut self.windows, WINDOWS_KEPT),
            60..3600 => (&mut self.minutes, MINUTES_KEPT),
            3600.. => (&mut self.hours, HOURS_KEPT),
        }
    }
}

/// Merges the folds into the stored aggregates. Folds older than what is kept of their average are left out.
pub(super) fn merge<'a>(
    db: &Connection,
    names: &mut Names,
    folds: &'a [Fold],
    now_us: i64,
) -> rusqlite::Result<Vec<Merged<'a>>> {
    let mut merged = Vec::with_capacity(folds.len());
    for fold in folds {
        if let Some(average) = kept_row(db, names, fold, now_us)? {
            merged.push(Merged { fold, stored: upsert(db, average, fold)? });
        }
    }
    Ok(merged)
}

/// Puts the aggregate in the place of the stored one, unless it is older than what is kept of its average.
pub(super) fn replace(db: &Connection, names: &mut Names, fold: &Fold, now_us: i64) -> rusqlite::Result<()> {
    let Some(average) = kept_row(db, names, fold, now_us)? else { return Ok(()) };
    let values = &fold.aggregate;
    db.prepare_cached(
        "INSERT OR REPLACE INTO aggregate (average, width_s, start_us, n, sum, sum_squares, min, max)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        average,
        fold.width_s,
        fold.start.us(),
        to_sql(values.n),
        values.sum,
        values.sum_squares,
        values.min,
        values.max,
    ))?;
    Ok(())
}

/// The row of the average that the fold is of, made if need be; none when nothing of the fold is to be kept.
fn kept_row(db: &Connection, names: &mut Names, fold: &Fold, now_us: i64) -> rusqlite::Result<Option<i64>> {
    if fold.aggregate.n == 0 {
        return Ok(None);
    }
    let key = (fold.scope.clone(), fold.kind, fold.field);
    if !names.averages.contains_key(&key) {
        let id = average_row(db, &key)?;
        names.averages.insert(key.clone(), (id, Horizon::default()));
    }
    let Some((average, horizon)) = names.averages.get_mut(&key) else { return Ok(None) };
    Ok(is_kept(db, *average, horizon, fold, now_us)?.then_some(*average))
}

fn is_kept(db: &Connection, average: i64, horizon: &mut Horizon, fold: &Fold, now_us: i64) -> rusqlite::Result<bool> {
    let start_us = fold.start.us();
    let (slot, kept_for) = horizon.of(fold.width_s);
    let kept = match slot {
        Some(kept) => kept,
        None => slot.insert(Kept { newest_us: newest(db, average, fold.width_s)?, deleted_before_us: i64::MIN }),
    };
    kept.newest_us = kept.newest_us.max(start_us);
    let kept_us = i64::try_from(kept_for.as_micros()).unwrap_or(i64::MAX);
    let begins_us = kept.newest_us.min(now_us) - kept_us;
    if begins_us.saturating_sub(kept.deleted_before_us) >= kept_us / DELETED_AT_ONCE {
        db.prepare_cached("DELETE FROM aggregate WHERE average = ?1 AND width_s = ?2 AND start_us < ?3")?.execute((
            average,
            fold.width_s,
            begins_us,
        ))?;
        kept.deleted_before_us = begins_us;
    }
    Ok(start_us >= begins_us)
}

fn newest(db: &Connection, average: i64, width_s: u32) -> rusqlite::Result<i64> {
    db.prepare_cached("SELECT coalesce(max(start_us), 0) FROM aggregate WHERE average = ?1 AND width_s = ?2")?
        .query_row((average, width_s), |row| row.get(0))
}

fn average_row(db: &Connection, (scope, kind, field): &AverageKey) -> rusqlite::Result<i64> {
    let (region, agent) = scope.names();
    let key = (region, agent, *kind, *field);
    let found = db
        .prepare_cached("SELECT id FROM average WHERE region = ?1 AND agent = ?2 AND kind = ?3 AND field = ?4")?
        .query_row(key, |row| row.get(0))
        .optional()?;
    match found {
        Some(id) => Ok(id),
        None => {
            db.prepare_cached("INSERT INTO average (region, agent, kind, field) VALUES (?1, ?2, ?3, ?4)")?.insert(key)
        }
    }
}

fn upsert(db: &Connection, average: i64, fold: &Fold) -> rusqlite::Result<Aggregate> {
    let values = &fold.aggregate;
    db.prepare_cached(
        "INSERT INTO aggregate (average, width_s, start_us, n, sum, sum_squares, min, max)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET n = n + excluded.n, sum = sum + excluded.sum,
             sum_squares = sum_squares + excluded.sum_squares,
             min = min(min, excluded.min), max = max(max, excluded.max)
         RETURNING n, sum, sum_squares, min, max",
    )?
    .query_row(
        (
            average,
            fold.width_s,
            fold.start.us(),
            to_sql(values.n),
            values.sum,
            values.sum_squares,
            values.min,
            values.max,
        ),
        |row| read(row, 0),
    )
}

/// The aggregate in the columns n, sum, sum_squares, min and max from `first` on.
pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Aggregate> {
    Ok(Aggregate {
        n: super::number::from_sql(row.get(first)?),
        sum: row.get(first + 1)?,
        sum_squares: row.get(first + 2)?,
        min: row.get(first + 3)?,
        max: row.get(first + 4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{EPOCH_US, fold, memory};
    use super::*;

    const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

    fn starts(db: &Connection) -> Vec<i64> {
        let mut statement = db.prepare("SELECT start_us FROM aggregate ORDER BY start_us").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn folds_merge_into_what_all_values_would_have_given() {
        let (db, mut names) = memory();
        let folds = [fold(EPOCH_US, &[1.0, 5.0]), fold(EPOCH_US, &[-3.0]), fold(EPOCH_US, &[])];
        let merged = merge(&db, &mut names, &folds, EPOCH_US).unwrap();
        assert_eq!(merged.len(), 2, "nothing is stored of a fold without values");
        assert_eq!(merged[1].stored, fold(EPOCH_US, &[1.0, 5.0, -3.0]).aggregate);
    }

    #[test]
    fn old_windows_go_when_newer_ones_come() {
        let (db, mut names) = memory();
        let now = EPOCH_US + 100 * DAY_US;
        let mut add = |start| merge(&db, &mut names, &[fold(start, &[1.0])], now).unwrap().len();
        assert_eq!([add(EPOCH_US), add(EPOCH_US + DAY_US)], [1, 1], "a replay of old data is kept");
        assert_eq!(add(EPOCH_US + 3 * DAY_US), 1);
        assert_eq!(add(EPOCH_US), 0, "older than what is kept");
        assert_eq!(starts(&db), [EPOCH_US + DAY_US, EPOCH_US + 3 * DAY_US]);
    }

    #[test]
    fn a_reading_from_the_future_deletes_nothing() {
        let (db, mut names) = memory();
        for start in [EPOCH_US, EPOCH_US + 9000 * DAY_US, EPOCH_US + 5_000_000] {
            assert_eq!(merge(&db, &mut names, &[fold(start, &[1.0])], EPOCH_US).unwrap().len(), 1);
        }
        assert_eq!(starts(&db).len(), 3);
    }

    #[test]
    fn the_newest_window_is_known_again_after_a_restart() {
        let (db, mut names) = memory();
        let now = EPOCH_US + 100 * DAY_US;
        merge(&db, &mut names, &[fold(EPOCH_US + 3 * DAY_US, &[1.0])], now).unwrap();
        let late = [fold(EPOCH_US, &[1.0])];
        assert!(merge(&db, &mut Names::default(), &late, now).unwrap().is_empty());
    }
}
