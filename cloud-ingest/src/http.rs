//! Health, metrics and the API, over HTTP on loopback.

mod agents;
mod metrics;

use crate::store::query::StoreReader;
use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fogline_protocol::node::CloudSnapshot;
use fogline_runtime::link::LinkMetrics;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the pages are made from.
pub(crate) struct Served {
    database: PathBuf,
    snapshots: watch::Receiver<CloudSnapshot>,
    link: Box<dyn Fn() -> LinkMetrics + Send + Sync>,
}

impl Served {
    pub(crate) fn new(
        database: PathBuf,
        snapshots: watch::Receiver<CloudSnapshot>,
        link: Box<dyn Fn() -> LinkMetrics + Send + Sync>,
    ) -> Self {
        Self { database, snapshots, link }
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
        let body = serde_json::json!({ "status": status.as_u16(), "title": status.canonical_reason(), "detail": self.to_string() });
        (status, axum::Json(body)).into_response()
    }
}

/// Serves on `address`. Gives the address with its port, and the task to abort.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) async fn serve(address: SocketAddr, served: Served) -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: stop what uses it, or choose another address with --http")
    })?;
    let address = listener.local_addr()?;
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics::page))
        .route("/api/v1/agents", get(agents::page))
        .with_state(Arc::new(served));
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Ok((address, server))
}

/// Whether readings can be taken and stored now, and if not, why.
async fn readyz(State(served): State<Arc<Served>>) -> (StatusCode, String) {
    let snapshot = served.snapshots.borrow();
    match (&snapshot.store_down, snapshot.connected) {
        (None, true) => (StatusCode::OK, "ok\n".to_owned()),
        (Some(fault), _) => (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n")),
        (None, false) => (StatusCode::SERVICE_UNAVAILABLE, "not connected to a broker\n".to_owned()),
    }
}
