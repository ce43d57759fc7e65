//! Why there is no account.

use fogline_ingest::store::StoreError;
use fogline_runtime::outbox::OutboxError;
use std::path::PathBuf;

/// Why an audit could not be made. An account that leaves something out would be worse than none.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Name the right file, or mend it.
    #[error("cannot audit a queue: {0}")]
    Queue(#[from] OutboxError),
    /// Name the ingester's file, or its data directory.
    #[error("cannot audit the ingester: {0}")]
    Ingester(#[from] StoreError),
    /// Say where the readings are.
    #[error(
        "the ingester of {} stores elsewhere: in InfluxDB (say where: --influxdb-url) when there is a state.db, in the file \
         itself (leave that out) when there is a fogline.db", .0.display()
    )]
    Elsewhere(PathBuf),
    /// The file was opened, but not read to its end: try again, or see to its disk.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The ingester's file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// See to the database, or to what was said of it.
    #[error("cannot audit the database at {url}: {detail}")]
    Database {
        /// Its address.
        url: String,
        /// What was asked, and what went wrong.
        detail: String,
    },
    /// The numbers that are stored have more holes than an audit keeps in memory.
    #[error(
        "the numbers that are stored are in more than {0} pieces: that is no database of an ingester, or very much of it is lost"
    )]
    Scattered(usize),
}
