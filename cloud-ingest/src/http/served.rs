//! What the pages are made from.

use super::city::Seekers;
use super::error::ApiError;
use crate::directing::Directing;
use crate::live::{Live, Whereabouts};
use crate::store::query::{QueryError, StoreReader};
use crate::store::{ChangeError, Store, StoreChanges};
use crate::telemetry::TelemetryCounts;
use fogline_protocol::directive::{Directive, DirectiveChange, DirectiveRefusal};
use fogline_protocol::node::SiteSnapshot;
use fogline_protocol::store::StoreFault;
use fogline_protocol::usecase::power::Places;
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
    /// Whether the one that leads, if it is another, has the same database.
    pub(crate) shares: bool,
    /// Which household is where.
    pub(crate) places: Arc<Places>,
    /// What a kilowatt-hour costs.
    pub(crate) price_eur_per_kwh: f64,
    /// Where sensors of the city stand.
    pub(crate) seekers: Seekers,
    /// For what people change.
    pub(crate) changes: StoreChanges,
    /// What became of the points for boards; none where there are none.
    pub(crate) telemetry: Option<Arc<TelemetryCounts>>,
    /// For what operators decide.
    pub(crate) directing: Directing,
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
        self.check_leads()?;
        self.changes.make(change).await.map_err(|error| match error {
            ChangeError::StandsBy => self.check_leads().err().unwrap_or(ApiError::NobodyLeads),
            error => ApiError::Store(error),
        })
    }

    /// Hands what an operator decided to the node, and waits until it is kept. The node knows whether it may be decided here.
    pub(super) async fn direct(&self, change: DirectiveChange) -> Result<Directive, ApiError> {
        let outcome = self.directing.ask(change).await.map_err(|error| ApiError::Unavailable(error.to_string()))?;
        outcome.map_err(|refusal| match refusal {
            DirectiveRefusal::Value(why) => ApiError::BadRequest(why),
            DirectiveRefusal::NotSet(_) => ApiError::NotFound(format!("{refusal}: see GET /api/v1/directives")),
            DirectiveRefusal::Full => ApiError::Full(refusal.to_string()),
            DirectiveRefusal::NotTaken { .. } => ApiError::Elsewhere(refusal.to_string()),
            DirectiveRefusal::StandsBy => self.check_leads().err().unwrap_or(ApiError::NobodyLeads),
        })
    }

    /// That what this ingester's database says is what the leader's says. While nobody leads it does.
    pub(super) fn check_knows(&self) -> Result<(), ApiError> {
        match self.check_leads() {
            Err(error @ ApiError::StandsBy { .. }) if !self.shares => Err(error),
            _ => Ok(()),
        }
    }

    /// That this ingester leads, or else who is to be asked.
    fn check_leads(&self) -> Result<(), ApiError> {
        let leading = self.live.vitals.leading();
        match (leading.role, leading.leader) {
            (Role::Leading, _) => Ok(()),
            (_, Some(leader)) => Err(ApiError::StandsBy { leader }),
            (_, None) => Err(ApiError::NobodyLeads),
        }
    }
}
