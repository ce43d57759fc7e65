//! The queue as its thread sees it: one call, one transaction.

use super::append::{append, drop_through};
use super::books::Books;
use super::error::Fault;
use super::free::{delete_gone, free};
use super::load::{Broken, Loaded, load};
use super::room::{Room, checkpoint};
use super::seal::Sealed;
use super::{OutboxConfig, aside, file, gaps, heal, state};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::Seq;
use fogline_protocol::queue::{
    Append, Appended, Free, Load, QueueFault, QueueLimits, QueueState, QueueUsage, Run, SavedDecision, Settle,
};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Statements that SQLite keeps prepared: all that there are.
const PREPARED_STATEMENTS: usize = 32;

/// No transaction deletes more rows than this: it takes some milliseconds, and appends wait for it.
const DELETE_ROWS_MAX: u64 = 16_384;

/// How long after a healing the next one waits: a disk that breaks what was just written is not helped by writing more.
const HEAL_AGAIN: Duration = Duration::from_secs(60);

/// An open queue.
pub(super) struct Queue {
    conn: Connection,
    books: Books,
    config: OutboxConfig,
    room: Room,
    /// Where readings go that damage was found in since the opening.
    aside: Option<PathBuf>,
    healed: Option<Instant>,
}

/// What a transaction of frees and perhaps an append did.
pub(super) struct Written<T> {
    /// How full the queue was after each free.
    pub(super) usages: Vec<QueueUsage>,
    /// What else the transaction did.
    pub(super) done: T,
}

impl Queue {
    /// Opens a checked file and counts the opening.
    pub(super) fn open(config: &OutboxConfig) -> Result<(Self, QueueState), Fault> {
        let conn = file::read_write(config)?;
        conn.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
        file::upgrade(&conn)?;
        let books = Books::read(&conn)?;
        let mut queue =
            Self { conn, books, config: config.clone(), room: Room::hold(&config.path), aside: None, healed: None };
        if let Some(owner) = &config.owner {
            queue.belongs_to(owner)?;
        }
        if queue.room.is_short() {
            queue.room.give_up(&queue.conn);
        }
        if let Err(error) = queue.count_opening() {
            if !is_full(&error) || queue.room.is_short() {
                return Err(error);
            }
            queue.room.give_up(&queue.conn);
            queue.count_opening()?;
        }
        let state = state::read(&queue.conn, &queue.books)?;
        Ok((queue, state))
    }

    /// Sent under another name, what is stored already would be stored a second time.
    fn belongs_to(&self, owner: &str) -> Result<(), Fault> {
        let sql = "SELECT agent, seal FROM owner";
        let known: Option<(String, _)> =
            self.conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        // A name that damage changed is nobody's.
        let known = known.filter(|(agent, seal)| Sealed::Owner { agent }.fits(*seal)).map(|(agent, _)| agent);
        match known {
            Some(known) if known == owner => Ok(()),
            Some(known) if self.books.readings > 0 => Err(Fault::OtherAgent { known, readings: self.books.readings }),
            Some(_) | None => {
                self.conn.execute("DELETE FROM owner", [])?;
                let seal = Sealed::Owner { agent: owner }.seal();
                self.conn.execute("INSERT INTO owner (agent, seal) VALUES (?1, ?2)", (owner, seal))?;
                Ok(())
            }
        }
    }

    fn count_opening(&mut self) -> Result<(), Fault> {
        self.transaction(|conn, books| {
            books.opening += 1;
            delete_gone(conn, books, DELETE_ROWS_MAX)?;
            books.forget_segments(conn)
        })
    }

    /// Keeps these bounds from the next append on.
    pub(super) const fn bound(&mut self, limits: QueueLimits) {
        self.config.limits = limits;
    }

    /// Frees and appends in one transaction, the frees first.
    pub(super) fn append(&mut self, frees: &[Free], what: &Append) -> Result<Written<Appended>, QueueFault> {
        let bytes = what.parts.iter().map(|part| part.rows.bytes()).sum();
        if !self.room.admits(&self.conn, bytes).map_err(|fault| QueueFault::from(&fault))? {
            return Err(QueueFault::DiskFull("there is room only to free what is acknowledged".to_owned()));
        }
        let (limits, now) = (self.config.limits, (self.config.clock)());
        self.write(frees, |conn, books| append(conn, books, &limits, now, what))
    }

    /// Frees. On a full disk this takes the room that is held back for it.
    pub(super) fn free(&mut self, frees: &[Free]) -> Result<Written<()>, QueueFault> {
        let had_room = !self.room.is_short();
        match self.write(frees, |_, _| Ok(())) {
            Err(QueueFault::DiskFull(_)) if had_room => self.write(frees, |_, _| Ok(())),
            result => result,
        }
    }

    /// Frees, and drops what is left up to `through`.
    pub(super) fn drop_through(&mut self, frees: &[Free], through: Seq) -> Result<Written<Appended>, QueueFault> {
        self.write(frees, |conn, books| drop_through(conn, books, through))
    }

    /// Frees, and saves a decision.
    pub(super) fn save_decision(&mut self, frees: &[Free], saved: &SavedDecision) -> Result<Written<()>, QueueFault> {
        let json = serde_json::to_string(&saved.decision).map_err(|error| QueueFault::Io(error.to_string()))?;
        self.write(frees, |conn, _| {
            let (key, received_us) = (&saved.decision.key, saved.received.us());
            let seal = Sealed::Decision { key, received_us, decision: &json }.seal();
            let sql = "INSERT OR REPLACE INTO decision (key, received_us, decision, seal) VALUES (?1, ?2, ?3, ?4)";
            conn.prepare_cached(sql)?.execute((key, received_us, &json, seal))?;
            Ok(())
        })
    }

    /// Frees, and says what becomes of the times of segments.
    pub(super) fn settle(&mut self, frees: &[Free], settles: &[Settle]) -> Result<Written<()>, QueueFault> {
        self.write(frees, |conn, books| settles.iter().try_for_each(|settle| books.settle(conn, settle)))
    }

    /// Loads rows above `gone`, and above what is gone anyway. What damage took before them is recorded first.
    pub(super) fn load(&mut self, gone: Seq, what: &Load) -> Result<Option<Run>, QueueFault> {
        self.healing(|queue| {
            let Loaded { run, broken, absent } = load(&queue.conn, &queue.books, gone.max(queue.books.gone), what)?;
            let mut lost = RangeSet::new();
            for range in absent {
                gaps::missing(&queue.conn, range)?.iter().for_each(|range| lost.insert(range));
            }
            if !broken.is_empty() || !lost.is_empty() {
                queue.give_up(&broken, lost)?;
            }
            Ok(run)
        })
    }

    /// Makes gaps of readings that are not there, or not as they were written; these are set aside.
    fn give_up(&mut self, broken: &[Broken], mut lost: RangeSet) -> Result<(), Fault> {
        let path = &self.config.path;
        let aside = self.aside.get_or_insert_with(|| aside::readings_path(path, aside::next_number(path)));
        if !broken.is_empty() {
            if let Err(error) = aside::write(aside, broken) {
                tracing::warn!(%error, "readings that damage was found in could not be set aside");
            }
            aside::forget_old(path);
        }
        broken.iter().for_each(|one| lost.insert(Range::new(one.seq, one.seq)));
        let now = (self.config.clock)();
        tracing::warn!(queue = %path.display(), readings = lost.count(), gaps = ?lost.iter().collect::<Vec<_>>(),
            "readings in the queue are damaged: they are reported as gaps");
        let bytes = broken.iter().map(|one| one.body.len() as u64).sum();
        self.transaction(|conn, books| {
            for one in broken {
                conn.prepare_cached("DELETE FROM readings WHERE seq = ?1")?.execute([one.seq])?;
            }
            for piece in lost.iter().flat_map(|range| books.pieces(range)) {
                gaps::add(conn, books, piece)?;
            }
            books.count_damaged(lost.count(), bytes, now);
            Ok(())
        })
    }

    /// Does what may find damage: then heals the file, and does it again.
    fn healing<T>(&mut self, work: impl Fn(&mut Self) -> Result<T, Fault>) -> Result<T, QueueFault> {
        let result = match work(self) {
            Err(fault) if fault.is_damage() && self.healed.is_none_or(|at| at.elapsed() >= HEAL_AGAIN) => {
                tracing::warn!(queue = %self.config.path.display(), %fault, "the queue is damaged: healing it");
                self.heal().and_then(|()| work(self))
            }
            result => result,
        };
        result.map_err(|fault| QueueFault::from(&fault))
    }

    /// Heals the file under the running agent, which goes on with the same numbers and streams.
    fn heal(&mut self) -> Result<(), Fault> {
        self.healed = Some(Instant::now());
        // The log stays as it is: healing reads it.
        self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let damaged = std::mem::replace(&mut self.conn, Connection::open_in_memory()?);
        // Whatever it says, it is closed: nothing of it is used again.
        damaged.close().ok();
        let now = (self.config.clock)();
        let healed = heal::heal(&self.config.path, Some(&self.books), now);
        self.conn = file::read_write(&self.config)?;
        self.conn.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
        healed.map_err(|error| Fault::NotHealed(error.to_string()))?;
        self.books = Books::read(&self.conn)?;
        Ok(())
    }

    /// The rows that a free up to `through` would free, at most.
    pub(super) fn rows_through(&self, through: Seq) -> u64 {
        through.min(self.books.next - 1).saturating_sub(self.books.gone)
    }

    /// Deletes what is gone, writes the log back and closes the file.
    pub(super) fn close(mut self) -> Result<(), QueueFault> {
        let undeleted = self.books.deleted < self.books.gone;
        let result =
            if undeleted { self.transaction(|conn, books| delete_gone(conn, books, u64::MAX)) } else { Ok(()) };
        let result = result.and_then(|()| checkpoint(&self.conn, "TRUNCATE"));
        let closed = self.conn.close().map_err(|(_, error)| Fault::Sql(error));
        result.and(closed).map_err(|fault| QueueFault::from(&fault))
    }

    /// Writes the log back when that is due. Not before the answers: they need not wait for it.
    pub(super) fn tidy(&mut self) {
        let Err(fault) = self.room.tidy(&self.conn) else { return };
        if is_full(&fault) && !self.room.is_short() {
            self.room.give_up(&self.conn);
        } else {
            tracing::warn!(%fault, "the log of the queue could not be written back; it is tried again");
        }
    }

    fn write<T>(
        &mut self,
        frees: &[Free],
        work: impl Fn(&Connection, &mut Books) -> Result<T, Fault>,
    ) -> Result<Written<T>, QueueFault> {
        let (delete_rows, short_of_room) = (self.config.delete_rows, self.room.is_short());
        let result = self.healing(|queue| {
            queue.transaction(|conn, books| {
                let usages = frees.iter().map(|one| free(conn, books, one)).collect::<Result<_, _>>()?;
                if books.gone - books.deleted >= delete_rows || short_of_room {
                    delete_gone(conn, books, DELETE_ROWS_MAX)?;
                }
                Ok(Written { usages, done: work(conn, books)? })
            })
        });
        if matches!(result, Err(QueueFault::DiskFull(_))) && !short_of_room {
            self.room.give_up(&self.conn);
        }
        result
    }

    /// One transaction. On an error neither the file nor the books have changed.
    fn transaction<T>(&mut self, work: impl FnOnce(&Connection, &mut Books) -> Result<T, Fault>) -> Result<T, Fault> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut books = self.books.clone();
        let done = work(&tx, &mut books)?;
        books.store(&tx)?;
        tx.commit()?;
        self.books = books;
        Ok(done)
    }
}

fn is_full(fault: &Fault) -> bool {
    matches!(QueueFault::from(fault), QueueFault::DiskFull(_))
}
