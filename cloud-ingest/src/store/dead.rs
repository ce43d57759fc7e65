//! Dead letters: readings that the database refuses for good. They are kept here, with the reason, before they are
//! acknowledged.

use super::commit::fault;
use super::names::Names;
use super::number::to_sql;
use fogline_protocol::ids::Seq;
use fogline_protocol::store::{Commit, Points, StoreFault};
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The most dead letters that are kept: about 300 MB. Then the store needs its operator, who mends what the database refuses
/// and empties the table: forgetting a dead letter by itself would lose a reading that was promised to be kept.
pub const DEAD_LETTERS_MAX: i64 = 1_000_000;
/// What the database said is kept up to this length, in characters.
const DETAIL_MAX_CHARS: usize = 300;

/// Why a reading became a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The database refuses this reading: its type, its time, its form.
    Refused,
    /// It was among others of which some are refused, and the requests allowed to find out which were spent.
    Unresolved,
}

impl Reason {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unresolved => "unresolved",
        }
    }
}

/// A reading of a commit that is to be kept as a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeadLetter {
    /// The index of its batch in [`Commit::points`].
    pub(super) points: usize,
    /// Its sequence number.
    pub(super) seq: Seq,
    /// Why.
    pub(super) reason: Reason,
    /// What the database said.
    pub(super) detail: std::sync::Arc<str>,
}

/// Which dead letter. The row alone is given to another one when it is deleted: stream and number tell it from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterId {
    /// Its row.
    pub row: i64,
    /// The bits of its stream.
    pub stream: u64,
    /// Its number there.
    pub seq: Seq,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}-{}", self.row, self.stream, self.seq)
    }
}

/// A text that no dead letter has as its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the id of a dead letter: give one that the list shows")]
pub struct LetterIdError;

impl FromStr for LetterId {
    type Err = LetterIdError;

    fn from_str(text: &str) -> Result<Self, LetterIdError> {
        let mut parts = text.splitn(3, '-');
        let (Some(row), Some(stream), Some(seq)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(LetterIdError);
        };
        let id = Self {
            row: row.parse().map_err(|_| LetterIdError)?,
            stream: u64::from_str_radix(stream, 16).map_err(|_| LetterIdError)?,
            seq: seq.parse().map_err(|_| LetterIdError)?,
        };
        // One way to write it.
        if id.to_string() == text { Ok(id) } else { Err(LetterIdError) }
    }
}

/// Keeps dead letters.
pub(super) fn save(
    db: &Connection,
    names: &mut Names,
    commit: &Commit,
    dead: &[DeadLetter],
    now_us: i64,
) -> Result<(), StoreFault> {
    if dead.is_empty() {
        return Ok(());
    }
    check_room(db, dead.len())?;
    let mut counts: BTreeMap<Reason, u64> = BTreeMap::new();
    for letter in dead {
        let Some(points) = commit.points.get(letter.points) else { continue };
        insert(db, names, points, letter, now_us).map_err(|error| fault(&error))?;
        *counts.entry(letter.reason).or_default() += 1;
    }
    for (reason, n) in counts {
        count(db, reason.name(), to_sql(n)).map_err(|error| fault(&error))?;
    }
    Ok(())
}

/// Counts readings that are not in the store for this reason; below zero when some are after all.
pub(super) fn count(db: &Connection, reason: &str, more: i64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO dead_count (reason, n) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET n = n + excluded.n",
    )?
    .execute((reason, more))
    .map(drop)
}

/// What is kept of what the database said.
pub(super) fn detail_text(detail: &str) -> String {
    detail.chars().take(DETAIL_MAX_CHARS).collect()
}

fn check_room(db: &Connection, more: usize) -> Result<(), StoreFault> {
    // The ids of the first and the last bound the count without counting.
    let span: Option<i64> = db
        .prepare_cached("SELECT (SELECT max(id) FROM dead_letter) - (SELECT min(id) FROM dead_letter) + 1")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)).optional())
        .map_err(|error| fault(&error))?
        .flatten();
    if span.unwrap_or(0).saturating_add(i64::try_from(more).unwrap_or(i64::MAX)) <= DEAD_LETTERS_MAX {
        return Ok(());
    }
    Err(StoreFault::Operator(format!(
        "{DEAD_LETTERS_MAX} dead letters are kept and no more: see why the database refuses readings (table dead_letter), \
         then delete its rows"
    )))
}

fn insert(
    db: &Connection,
    names: &mut Names,
    points: &Points,
    letter: &DeadLetter,
    now_us: i64,
) -> rusqlite::Result<()> {
    let index = letter.seq.checked_sub(points.first).and_then(|index| usize::try_from(index).ok());
    let Some(reading) = index.and_then(|index| points.readings.get(index)) else { return Ok(()) };
    let mut json = Vec::new();
    reading.write_json(&mut json);
    let stream = names.stream(db, &points.agent, points.stream)?;
    db.prepare_cached(
        "INSERT INTO dead_letter (at_us, stream, seq, clock, reason, detail, reading) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        now_us,
        stream,
        to_sql(letter.seq),
        points.clock,
        letter.reason.name(),
        detail_text(&letter.detail),
        String::from_utf8_lossy(&json),
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{agent, memory, points};
    use super::*;

    #[test]
    fn dead_letters_are_kept_with_their_reason_and_counted() {
        let (db, mut names) = memory();
        let commit = Commit { points: vec![points(&agent("north", "r1"), 7, 1, 3)], ..Commit::default() };
        let letter = |seq, reason| DeadLetter { points: 0, seq, reason, detail: "x".repeat(1000).into() };
        let dead = [letter(1, Reason::Refused), letter(3, Reason::Unresolved)];
        save(&db, &mut names, &commit, &dead, 5).unwrap();
        save(&db, &mut names, &commit, &[letter(2, Reason::Refused)], 5).unwrap();
        let mut statement = db.prepare("SELECT seq, reason, reading, length(detail), agent FROM dead_letters").unwrap();
        let rows: Vec<(i64, String, String, i64, String)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(rows.len(), 3);
        let reading = r#"{"ts_us":1700000000003000,"sensor":"lane-1","kind":"road","fields":{"speed_kmh":93.0}}"#;
        assert_eq!(rows[1], (3, "unresolved".into(), reading.into(), 300, "r1".into()));
        let refused: i64 =
            db.query_row("SELECT n FROM dead_count WHERE reason = 'refused'", [], |row| row.get(0)).unwrap();
        assert_eq!(refused, 2);
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = LetterId { row: 12, stream: 0xfe, seq: 34 };
        assert_eq!(id.to_string(), "12-00000000000000fe-34");
        assert_eq!("12-00000000000000fe-34".parse(), Ok(id));
        for wrong in
            ["", "12", "12-fe-34", "12-00000000000000fe-034", "+12-00000000000000fe-34", "12-00000000000000fe-34-"]
        {
            assert_eq!(wrong.parse::<LetterId>(), Err(LetterIdError), "{wrong}");
        }
    }

    #[test]
    fn when_the_dead_letters_are_full_the_operator_is_needed() {
        let (db, mut names) = memory();
        let commit = Commit { points: vec![points(&agent("north", "r1"), 7, 1, 3)], ..Commit::default() };
        let dead = vec![DeadLetter { points: 0, seq: 1, reason: Reason::Refused, detail: "x".into() }];
        save(&db, &mut names, &commit, &[dead.clone(), dead.clone()].concat(), 5).unwrap();
        db.execute("UPDATE dead_letter SET id = -999996 WHERE id = 1", []).unwrap();
        save(&db, &mut names, &commit, &dead, 5).unwrap();
        assert!(matches!(save(&db, &mut names, &commit, &dead, 5), Err(StoreFault::Operator(_))));
    }
}
