//! Two ingesters that have a state each: rows of the one that leads, and what the other one makes of them.

mod adopt;
mod named;
mod page;
mod place;
#[cfg(test)]
mod tests;

use super::commit::fault;
use super::number::from_sql;
use super::{StateDb, ledger};
use fogline_protocol::store::{Export, Page, StoreFault};

/// The most bytes of a page as JSON, unless a single row is longer: with its envelope it fits a message several times.
pub const PAGE_BYTES: usize = 32 * 1024;
/// The most gaps in a row of a page: 18 KiB at worst. The rest of a stream's gaps comes in further rows of the stream.
pub const GAPS_PER_ROW: usize = 512;
/// The most gaps in a row of [`Export::Named`], those that were recorded last: as many as a stream reports in two messages. Whoever
/// follows without a hole has the others.
pub const GAPS_NAMED_MAX: usize = 64;

impl StateDb {
    /// Rows for one that follows; see [`Store::export`](super::Store::export).
    ///
    /// # Errors
    /// [`StoreFault`] says whether to wait or to call somebody.
    pub fn export(&mut self, export: &Export) -> Result<Page, StoreFault> {
        self.read_rows(export).map_err(|error| fault(&error))
    }

    fn read_rows(&mut self, export: &Export) -> rusqlite::Result<Page> {
        // One moment for all of the rows. Dropped, it leaves no trace.
        let db = self.connection.transaction()?;
        let mut page = match export {
            Export::Named { streams, windows } => Page { rows: named::read(&db, streams, windows)?, next: None },
            Export::Page { after } => page::read(&db, after.as_deref(), PAGE_BYTES)?,
        };
        let term: i64 = db.query_row("SELECT term FROM state", [], |row| row.get(0))?;
        page.rows.term = from_sql(term);
        page.rows.plate_key = ledger::plate_key(&db)?.map(|key| key.to_hex());
        Ok(page)
    }
}
