//! Health, metrics and the API, over HTTP. Who may ask is the [door](fogline_door::http)'s matter.

mod agents;
mod metrics;

use crate::store::query::StoreReader;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fogline_door::http::{Door, DoorError, HttpConfig, Problem, serve as serve_routes};
use fogline_protocol::node::SiteSnapshot;
use fogline_protocol::wire::Role;
use fogline_runtime::link::LinkMetrics;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// What the pages are made from.
pub(crate) struct Served {
    database: PathBuf,
    snapshots: watch::Receiver<SiteSnapshot>,
    link: Box<dyn Fn() -> LinkMetrics + Send + Sync>,
    /// The addresses of the brokers, in their order.
    brokers: Vec<String>,
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
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&StoreReader) -> Result<T, crate::store::query::QueryError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let served = Arc::clone(self);
        let work = move || {
            let reader =
                StoreReader::open(&served.database).map_err(|error| ApiError::Unavailable(error.to_string()))?;
            query(&reader).map_err(|error| ApiError::Unavailable(error.to_string()))
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::Unavailable(error.to_string()))?
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// A parameter is wrong: correct it.
    #[error("{0}")]
    BadRequest(String),
    /// The database cannot be read now: ask again.
    #[error("the database cannot be read now, ask again: {0}")]
    Unavailable(String),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, self.to_string()).into_response()
    }
}

/// Serves it until the door is stopped or dropped.
///
/// # Errors
/// When others can reach the address and there are no tokens, when it cannot be listened on, and when tokens, certificate
/// or key cannot be used.
pub(crate) async fn serve(config: HttpConfig, served: Served) -> Result<Door, DoorError> {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics::page))
        .route("/api/v1/agents", get(agents::page))
        .with_state(Arc::new(served));
    serve_routes(config, routes).await
}

/// Whether readings can be taken and stored now, here or by the leader that this one stands by, and if not, why.
async fn readyz(State(served): State<Arc<Served>>) -> (StatusCode, String) {
    let site = served.snapshots.borrow();
    let not = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why);
    match (&site.cloud.store_down, site.connected.is_empty(), site.role, &site.leader) {
        (Some(fault), ..) => not(format!("{fault}\n")),
        (None, true, ..) => not("not connected to a broker\n".to_owned()),
        (None, false, Role::Leading, _) if site.standby == Some(false) && site.cloud.inside > 0 => {
            (StatusCode::OK, "ok: leading alone, nobody else keeps the ledger of the garages\n".to_owned())
        }
        (None, false, Role::Leading, _) => (StatusCode::OK, "ok\n".to_owned()),
        (None, false, _, Some(leader)) => (StatusCode::OK, format!("ok: standing by, {leader} leads\n")),
        (None, false, _, None) => not("no ingester leads yet\n".to_owned()),
    }
}
