//! What the pages are made from.

use super::error::ApiError;
use crate::live::{Live, Whereabouts};
use crate::store::query::{QueryError, StoreReader};
use crate::store::{ChangeError, Store, StoreChanges};
use fogline_protocol::node::SiteSnapshot;
use fogline_protocol::store::StoreFault;
use fogline_protocol::wire::Role;
use fogline_runtime::link::LinkMetrics;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// What the pages are made from.
pub(crate) struct Served {
    /// The database or the state, for readers.
    pub(crate) database: PathBuf,
    /// The node, some ten times a second.
    pub(crate) snapshots: watch::Receiver<SiteSnapshot>,
    /// What the links to brokers have done.
    pub(crate) link: Box<dyn Fn() -> LinkMetrics + Send + Sync>,
    /// The addresses of the brokers, in their order.
    pub(crate) brokers: Vec<String>,
    /// At which of them agents are.
    pub(crate) whereabouts: Whereabouts,
    /// What goes on.
    pub(crate) live: Live,
    /// For what people change.
    pub(crate) changes: StoreChanges,
}

impl Served {
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

    /// Makes a change with the store, if this ingester leads.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut dyn Store, u64) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, ApiError> {
        let leading = self.live.vitals.leading();
        let elsewhere = || {
            let leader = leading.leader.clone().filter(|_| leading.role != Role::Leading);
            ApiError::StandsBy { leader: leader.unwrap_or_else(|| "again, when one leads".to_owned()) }
        };
        if leading.role != Role::Leading {
            return Err(elsewhere());
        }
        self.changes.make(change).await.map_err(|error| match error {
            ChangeError::StandsBy => elsewhere(),
            error => ApiError::Store(error),
        })
    }
}
