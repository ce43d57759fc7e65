//! What is written of each stream, and the gaps in it.

use super::names::Names;
use super::number::{from_sql, to_sql};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{Progress, StreamProgress};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};

/// The most gaps of a stream that are kept by their numbers, after neighbours are merged. Above that the oldest are forgotten
/// one by one; how many readings were lost is always counted in full.
pub const GAPS_KEPT: i64 = 10_000;

/// Keeps what is written of a stream now, and the gaps that were reported.
pub(super) fn save(db: &Connection, names: &mut Names, change: &StreamProgress, now_us: i64) -> rusqlite::Result<()> {
    let stream = names.stream(db, &change.agent, change.stream)?;
    let lost = note_gaps(db, stream, &change.new_gaps, now_us)?;
    let progress = &change.progress;
    db.prepare_cached("UPDATE stream SET progressed = 1, through = ?2, ranges = ?3, lost = lost + ?4 WHERE id = ?1")?
        .execute((stream, to_sql(progress.through), ranges_json(&progress.ranges), to_sql(lost)))?;
    Ok(())
}

/// What is written of a stream.
pub(super) fn load(db: &Connection, agent: &AgentId, stream: StreamId) -> rusqlite::Result<Option<Progress>> {
    db.prepare_cached(
        "SELECT s.through, s.ranges FROM stream s JOIN agent a ON a.id = s.agent
         WHERE a.region = ?1 AND a.name = ?2 AND s.bits = ?3 AND s.progressed",
    )?
    .query_row((agent.region.as_str(), agent.agent.as_str(), stream.bits().cast_signed()), |row| read(row, 0))
    .optional()
}

/// The progress in the columns through and ranges from `first` on.
pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Progress> {
    let ranges: String = row.get(first + 1)?;
    let ranges = serde_json::from_str(&ranges)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(first + 1, Type::Text, error.into()))?;
    Ok(Progress { through: from_sql(row.get(first)?), ranges })
}

fn ranges_json(ranges: &[Range]) -> String {
    // Pairs of numbers: nothing in them that JSON cannot say.
    serde_json::to_string(ranges).unwrap_or_default()
}

/// Adds gaps to the ones that are known; says how many numbers are new among them.
fn note_gaps(db: &Connection, stream: i64, gaps: &[Range], now_us: i64) -> rusqlite::Result<u64> {
    let mut lost = 0;
    for gap in gaps.iter().filter(|gap| !gap.is_empty()) {
        if is_known(db, stream, *gap)? {
            continue;
        }
        let touching = take_touching(db, stream, *gap)?;
        let mut union = touching.clone();
        union.insert(*gap);
        lost += union.count() - touching.count();
        for piece in union.iter() {
            db.prepare_cached("INSERT INTO gap (stream, first, last, noted_us) VALUES (?1, ?2, ?3, ?4)")?.execute((
                stream,
                to_sql(piece.first),
                to_sql(piece.last),
                now_us,
            ))?;
        }
    }
    if !gaps.is_empty() {
        db.prepare_cached(
            "DELETE FROM gap WHERE stream = ?1 AND first <=
                 (SELECT first FROM gap WHERE stream = ?1 ORDER BY first DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute((stream, GAPS_KEPT))?;
    }
    Ok(lost)
}

/// True when all of `gap` is in one that is known: it was said before.
fn is_known(db: &Connection, stream: i64, gap: Range) -> rusqlite::Result<bool> {
    let mut statement = db.prepare_cached("SELECT max(first), last FROM gap WHERE stream = ?1 AND first <= ?2")?;
    let last: Option<i64> = statement.query_row((stream, to_sql(gap.first)), |row| row.get(1))?;
    Ok(last.is_some_and(|last| to_sql(gap.last) <= last))
}

/// The gaps of a stream that begin after `after`, at most so many.
pub(super) fn gaps_after(db: &Connection, stream: i64, after: i64, most: usize) -> rusqlite::Result<Vec<Range>> {
    let mut statement =
        db.prepare_cached("SELECT first, last FROM gap WHERE stream = ?1 AND first > ?2 ORDER BY first LIMIT ?3")?;
    statement.query_map((stream, after, most), range)?.collect()
}

/// The gaps of a stream that were recorded last, at most so many.
pub(super) fn gaps_noted_last(db: &Connection, stream: i64, most: usize) -> rusqlite::Result<Vec<Range>> {
    let mut statement =
        db.prepare_cached("SELECT first, last FROM gap WHERE stream = ?1 ORDER BY noted_us DESC, first DESC LIMIT ?2")?;
    statement.query_map((stream, most), range)?.collect()
}

fn range(row: &Row<'_>) -> rusqlite::Result<Range> {
    Ok(Range::new(from_sql(row.get(0)?), from_sql(row.get(1)?)))
}

/// Takes out the known gaps that overlap `gap` or touch it.
fn take_touching(db: &Connection, stream: i64, gap: Range) -> rusqlite::Result<RangeSet> {
    let key = (stream, to_sql(gap.first.saturating_sub(1)), to_sql(gap.last.saturating_add(1)));
    // Gaps do not overlap: of those that begin below, only the last can reach so far.
    let mut statement = db.prepare_cached(
        "DELETE FROM gap WHERE stream = ?1 AND first <= ?3 AND last >= ?2
             AND first >= coalesce((SELECT max(first) FROM gap WHERE stream = ?1 AND first <= ?2), 0)
         RETURNING first, last",
    )?;
    statement.query_map(key, range)?.collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{agent, memory};
    use super::*;

    fn change(through: u64, new_gaps: &[(u64, u64)]) -> StreamProgress {
        StreamProgress {
            agent: agent("north", "r1"),
            stream: StreamId::from_bits(u64::MAX),
            progress: Progress { through, ranges: vec![Range::new(through + 2, through + 3)] },
            new_gaps: new_gaps.iter().copied().map(Range::from).collect(),
        }
    }

    fn gaps(db: &Connection) -> Vec<(i64, i64)> {
        let mut statement = db.prepare("SELECT first, last FROM gap ORDER BY first").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn progress_comes_back_as_it_was_saved() {
        let (db, mut names) = memory();
        let known = |db: &Connection| load(db, &agent("north", "r1"), StreamId::from_bits(u64::MAX)).unwrap();
        assert_eq!(known(&db), None);
        names.stream(&db, &agent("north", "r1"), StreamId::from_bits(u64::MAX)).unwrap();
        assert_eq!(known(&db), None, "a stream that is only named has no progress");
        for through in [7, 9] {
            save(&db, &mut names, &change(through, &[]), 1).unwrap();
            assert_eq!(known(&db), Some(change(through, &[]).progress));
        }
        assert_eq!(load(&db, &agent("south", "r1"), StreamId::from_bits(u64::MAX)).unwrap(), None);
    }

    #[test]
    fn gaps_are_merged_and_counted_once() {
        let (db, mut names) = memory();
        save(&db, &mut names, &change(9, &[(1, 4), (8, 9)]), 1).unwrap();
        save(&db, &mut names, &change(9, &[(3, 5), (20, 20)]), 2).unwrap();
        assert_eq!(gaps(&db), [(1, 5), (8, 9), (20, 20)]);
        save(&db, &mut names, &change(9, &[(6, 7), (1, 9)]), 3).unwrap();
        assert_eq!(gaps(&db), [(1, 9), (20, 20)]);
        save(&db, &mut names, &change(9, &[(20, 20), (3, 9)]), 4).unwrap();
        let number = |query: &str| db.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(number("SELECT lost FROM stream"), 10);
        assert_eq!(number("SELECT max(noted_us) FROM gap"), 3, "what is known is not noted again");
    }

    #[test]
    fn only_so_many_gaps_are_kept() {
        let (db, mut names) = memory();
        let many: Vec<(u64, u64)> = (1..=10_010).map(|n| (2 * n, 2 * n)).collect();
        save(&db, &mut names, &change(30_000, &many), 1).unwrap();
        let kept = gaps(&db);
        assert_eq!((kept.len(), kept.first()), (10_000, Some(&(22, 22))));
        let lost: i64 = db.query_row("SELECT lost FROM stream", [], |row| row.get(0)).unwrap();
        assert_eq!(lost, 10_010);
    }
}
