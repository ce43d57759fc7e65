//! The queue as its thread sees it: one call, one transaction.

use super::append::append;
use super::books::Books;
use super::error::Fault;
use super::free::{delete_gone, free};
use super::load::load;
use super::room::{Room, checkpoint};
use super::{OutboxConfig, file, state};
use fogline_protocol::ids::Seq;
use fogline_protocol::queue::{
    Append, Appended, Free, Load, QueueFault, QueueLimits, QueueState, QueueUsage, Run, SavedDecision,
};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::sync::Arc;

/// Statements that SQLite keeps prepared: all that there are.
const PREPARED_STATEMENTS: usize = 32;

/// No transaction deletes more rows than this: it takes some milliseconds, and appends wait for it.
const DELETE_ROWS_MAX: u64 = 16_384;

/// An open queue.
pub(super) struct Queue {
    conn: Connection,
    books: Books,
    limits: QueueLimits,
    clock: super::Clock,
    delete_rows: u64,
    room: Room,
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
        let books = Books::read(&conn)?;
        let mut queue = Self {
            conn,
            books,
            limits: config.limits,
            clock: Arc::clone(&config.clock),
            delete_rows: config.delete_rows,
            room: Room::hold(&config.path),
        };
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
        let known: Option<String> = self.conn.query_row("SELECT agent FROM owner", [], |row| row.get(0)).optional()?;
        match known {
            Some(known) if known == owner => Ok(()),
            Some(known) if self.books.readings > 0 => Err(Fault::OtherAgent { known, readings: self.books.readings }),
            Some(_) | None => {
                self.conn.execute("DELETE FROM owner", [])?;
                self.conn.execute("INSERT INTO owner (agent) VALUES (?1)", [owner])?;
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

    /// Frees and appends in one transaction, the frees first.
    pub(super) fn append(&mut self, frees: &[Free], what: &Append) -> Result<Written<Appended>, QueueFault> {
        let bytes = what.parts.iter().map(|part| part.rows.bytes()).sum();
        if !self.room.admits(&self.conn, bytes).map_err(|fault| QueueFault::from(&fault))? {
            return Err(QueueFault::DiskFull("there is room only to free what is acknowledged".to_owned()));
        }
        let (limits, now) = (self.limits, (self.clock)());
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

    /// Frees, and saves a decision.
    pub(super) fn save_decision(&mut self, frees: &[Free], saved: &SavedDecision) -> Result<Written<()>, QueueFault> {
        let json = serde_json::to_string(&saved.decision).map_err(|error| QueueFault::Io(error.to_string()))?;
        self.write(frees, |conn, _| {
            let sql = "INSERT OR REPLACE INTO decision (key, received_us, decision) VALUES (?1, ?2, ?3)";
            conn.prepare_cached(sql)?.execute((&saved.decision.key, saved.received.us(), &json))?;
            Ok(())
        })
    }

    /// Loads rows above `gone`, and above what is gone anyway.
    pub(super) fn load(&self, gone: Seq, what: &Load) -> Result<Option<Run>, QueueFault> {
        load(&self.conn, gone.max(self.books.gone), what).map_err(|fault| QueueFault::from(&fault))
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
        work: impl FnOnce(&Connection, &mut Books) -> Result<T, Fault>,
    ) -> Result<Written<T>, QueueFault> {
        let (delete_rows, short_of_room) = (self.delete_rows, self.room.is_short());
        let result = self.transaction(|conn, books| {
            let usages = frees.iter().map(|one| free(conn, books, one)).collect::<Result<_, _>>()?;
            if books.gone - books.deleted >= delete_rows || short_of_room {
                delete_gone(conn, books, DELETE_ROWS_MAX)?;
            }
            Ok(Written { usages, done: work(conn, books)? })
        });
        let result = result.map_err(|fault| QueueFault::from(&fault));
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
