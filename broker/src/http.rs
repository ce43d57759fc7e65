//! Health and metrics over HTTP, behind the same door as the other programs' pages.

use std::sync::Arc;

use axum::{Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use fogline_door::http::{Door, DoorError, HttpConfig, serve};

use crate::{gate::Gate, metrics};

/// The text format of Prometheus.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the pages until the door is closed. A broker that answers has a live router: the watchdog ends one that has not.
///
/// # Errors
/// If the address cannot be had, or a file cannot be used.
pub(crate) async fn open(config: HttpConfig, gate: Arc<Gate>) -> Result<Door, DoorError> {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|| async { "ok\n" }))
        .route("/metrics", get(page))
        .with_state(gate);
    serve(config, routes).await
}

async fn page(State(gate): State<Arc<Gate>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, METRICS_TYPE)], metrics::page(&gate))
}
