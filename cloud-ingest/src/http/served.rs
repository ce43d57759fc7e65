//! What the pages are made from.

use super::error::ApiError;
use crate::store::query::{QueryError, StoreReader};
use fogline_protocol::node::SiteSnapshot;
use fogline_runtime::link::LinkMetrics;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// What the pages are made from.
pub(crate) struct Served {
    pub(super) database: PathBuf,
    pub(super) snapshots: watch::Receiver<SiteSnapshot>,
    pub(super) link: Box<dyn Fn() -> LinkMetrics + Send + Sync>,
    /// The addresses of the brokers, in their order.
    pub(super) brokers: Vec<String>,
}

impl Served {
    pub(crate) fn new(
        database: PathBuf,
        snapshots: watch::Receiver<SiteSnapshot>,
        link: Box<dyn Fn() -> LinkMetrics + Send + Sync>,
        brokers: Vec<String>,
    ) -> Self {
        Self { database, snapshots, link, brokers }
    }

    /// Reads the database from a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&StoreReader) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let served = Arc::clone(self);
        let work = move || {
            let reader =
                StoreReader::open(&served.database).map_err(|error| ApiError::Unavailable(error.to_string()))?;
            query(&reader).map_err(ApiError::from)
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::Unavailable(error.to_string()))?
    }
}
