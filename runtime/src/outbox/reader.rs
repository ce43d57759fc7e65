//! Reading a queue from outside, whether an agent has it open or not: one reading after the other, each held against its
//! seal. Nothing is written to it.

use super::books::Books;
use super::error::{Fault, OutboxError};
use super::seal::origin_of;
use super::{file, gaps, state};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{SEQ_MAX, Seq, StreamId};
use fogline_protocol::queue::QueueState;
use fogline_protocol::time::Wall;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// Readings of one look: a look that lasted would keep a running agent from writing its log back.
const LOOK_ROWS: u64 = 2_000;

/// A reading as the queue has it, with the time under which it is sent, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReading {
    /// Its number.
    pub seq: Seq,
    /// Its time.
    pub ts: Wall,
    /// The stream under which it is sent; none when the queue does not know it.
    pub stream: Option<StreamId>,
    /// The clock that is part of its identity, 0 to 999.
    pub clock: Option<u16>,
    /// Itself as JSON.
    pub body: Vec<u8>,
    /// What its seal says.
    pub seal: SealState,
}

/// What the seal of a reading says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealState {
    /// It is as it was written.
    Sound,
    /// An earlier version wrote it, without a seal.
    None,
    /// It is not as it was written, or not of the stream that its number says.
    Broken,
}

/// What a walk over a queue found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// Readings that were seen.
    pub readings: u64,
    /// Those of them without a seal.
    pub without_seal: u64,
    /// Numbers whose readings are not as they were written.
    pub broken: RangeSet,
    /// Numbers whose readings are not there, or cannot be read, and are in no gap.
    pub absent: RangeSet,
}

impl Walk {
    /// True when nothing is damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.broken.is_empty() && self.absent.is_empty()
    }
}

/// A queue that is looked into.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
    path: PathBuf,
    state: QueueState,
    gone: Seq,
    books: Books,
}

impl Reader {
    /// Looks into the queue at `path`.
    ///
    /// # Errors
    /// As [`inspect`](super::inspect()).
    pub fn open(path: &Path) -> Result<Self, OutboxError> {
        let inspected = super::inspect(path)?;
        let conn = file::read_only(path)?;
        let books = Books::read(&conn).map_err(|fault| OutboxError::of(path, &fault))?;
        let state = state::read(&conn, &books).unwrap_or(inspected.state);
        Ok(Self { conn, path: path.to_owned(), gone: books.gone, state, books })
    }

    /// What the queue held when it was opened here.
    #[must_use]
    pub const fn state(&self) -> &QueueState {
        &self.state
    }

    /// The numbers that the queue may hold readings of.
    #[must_use]
    pub const fn numbers(&self) -> Range {
        Range::new(self.gone + 1, self.state.next - 1)
    }

    /// Gives `each` the readings of `range` in order, until it says false or fails.
    ///
    /// # Errors
    /// That of `each`; [`OutboxError::Io`] when the queue cannot be read at all. Damage is no error: it is in the [`Walk`].
    pub fn walk<E: From<OutboxError>>(
        &self,
        range: Range,
        mut each: impl FnMut(StoredReading) -> Result<bool, E>,
    ) -> Result<Walk, E> {
        let range = range.and(self.numbers());
        let mut walk = Walk::default();
        let mut from = range.first;
        while from <= range.last {
            let until = range.last.min(from + LOOK_ROWS - 1);
            let rows = match self.look(Range::new(from, until)) {
                Ok(rows) => rows,
                Err(fault) if fault.is_damage() => self.one_by_one(Range::new(from, until)),
                Err(fault) => return Err(OutboxError::of(&self.path, &fault).into()),
            };
            let mut expected = from;
            for row in rows {
                self.absent(Range::new(expected, row.seq - 1), &mut walk.absent)?;
                expected = row.seq + 1;
                walk.readings += 1;
                walk.without_seal += u64::from(row.seal == SealState::None);
                if row.seal == SealState::Broken {
                    walk.broken.insert(Range::new(row.seq, row.seq));
                }
                if !each(row)? {
                    return Ok(walk);
                }
            }
            self.absent(Range::new(expected, until), &mut walk.absent)?;
            from = until + 1;
        }
        Ok(walk)
    }

    /// The readings of a range, or the fault that stands in it.
    fn look(&self, range: Range) -> Result<Vec<StoredReading>, Fault> {
        let sql = "SELECT seq, ts_us, body, seal FROM readings WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query((range.first, range.last))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (seq, ts_us) = (row.get(0)?, row.get(1)?);
            let body = row.get_ref(2)?.as_bytes().map_err(rusqlite::Error::from)?;
            let known = self.books.origin_of(seq);
            let sealed = row.get_ref(3)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            let seal = match sealed.map(|sealed| origin_of(seq, ts_us, body, sealed)) {
                None => SealState::None,
                Some(origin) if origin.is_some() && origin == known => SealState::Sound,
                Some(_) => SealState::Broken,
            };
            let (stream, clock) = (known.map(|origin| origin.stream), known.map(|origin| origin.clock));
            let (ts, body) = self.books.stamps_of(seq).apply(Wall::from_us(ts_us), body);
            found.push(StoredReading { seq, ts, stream, clock, body: body.into_owned(), seal });
        }
        Ok(found)
    }

    /// The same where a page is broken: what can be found by its number.
    fn one_by_one(&self, range: Range) -> Vec<StoredReading> {
        let one = |seq| self.look(Range::new(seq, seq)).unwrap_or_default();
        (range.first..=range.last.min(SEQ_MAX)).flat_map(one).collect()
    }

    /// Numbers without a reading that are in no gap, and were not freed meanwhile.
    fn absent(&self, range: Range, absent: &mut RangeSet) -> Result<(), OutboxError> {
        if range.is_empty() {
            return Ok(());
        }
        let of = |fault: &Fault| OutboxError::of(&self.path, fault);
        let gone = self.conn.query_row("SELECT gone FROM counters", [], |row| row.get(0));
        let gone: Seq = gone.map_err(|error| of(&Fault::Sql(error)))?;
        let held = Range::new(range.first.max(gone + 1), range.last);
        if !held.is_empty() {
            let missing = gaps::missing(&self.conn, held).map_err(|fault| of(&fault))?;
            missing.iter().for_each(|range| absent.insert(range));
        }
        Ok(())
    }
}
