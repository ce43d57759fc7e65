//! Readings that are pushed over HTTP: `POST /readings` with one, an array of them, or one a line.
//!
//! The answer is 200 once the queue has committed all of them; a request of which one is no reading is refused whole. Who is let in is the
//! door's matter: this machine, or whoever has a token of an operator.

mod body;

use super::feed::{Feed, FeedSource};
use super::mapping::{self, Allowed, Mapping};
use super::{Offer, Receipt, SourceError};
use crate::settings::keys::Keys;
use crate::shape::ShapeConfig;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router, body::Bytes};
use fogline_door::http::{HttpConfig, Limits, Problem, Routine, serve};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The longest body: some thousands of readings.
const BODY_MAX_BYTES: usize = 1024 * 1024;
/// Connections at once: devices of one place.
const CONNECTIONS_MAX: usize = 64;
/// How long a commit may take before the sender is told to try again.
const COMMIT_PATIENCE: Duration = Duration::from_secs(15);
/// When to try again, in seconds.
const RETRY_SECONDS: u16 = 5;

/// Where readings are pushed to.
#[derive(Debug, Clone)]
pub struct PushConfig {
    /// Address, tokens, certificate and bounds.
    pub http: HttpConfig,
    /// What bodies mean that are not readings in Fogline's own form.
    pub mapping: Mapping,
}

/// Reads the table of such a source.
pub(crate) fn read(keys: &mut Keys<'_>, shape: &mut ShapeConfig) -> PushConfig {
    let address = keys.get::<SocketAddr>("listen").unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 9181)));
    let mut problems = Vec::new();
    let (tokens, certificate, key) =
        (keys.get::<PathBuf>("tokens"), keys.get::<PathBuf>("cert"), keys.get::<PathBuf>("key"));
    let mut http = HttpConfig::checked(address, tokens, certificate, key, &mut problems);
    for problem in problems {
        let (key, text) = problem.split_once(": ").unwrap_or(("listen", &problem));
        let key = key.strip_prefix("http_").unwrap_or("listen");
        let text = text.replace("--role viewer", "--role operator").replace("--http-", "");
        keys.problem(key, &text);
    }
    http.limits = Limits { body_bytes: BODY_MAX_BYTES, connections: CONNECTIONS_MAX, ..Limits::default() };
    PushConfig { http, mapping: mapping::read(keys, Allowed { sensor: "http", kind: "generic" }, shape) }
}

/// Starts the source.
///
/// # Errors
/// [`SourceError::Runtime`].
pub(crate) fn open(name: &str, config: PushConfig) -> Result<FeedSource, SourceError> {
    FeedSource::start(name, move |feed| async move {
        let PushConfig { http, mapping } = config;
        let state = Arc::new(Receiver { feed: feed.clone(), mapping });
        let routes = Router::new()
            .route("/readings", post(take))
            .route("/healthz", axum::routing::get(|| async { "ok\n" }))
            .with_state(state);
        let served = serve(http, routes).await;
        let door =
            served.map_err(|error| SourceError::Peer { name: feed.name().to_owned(), problem: error.to_string() })?;
        tracing::info!(source = feed.name(), url = door.url(), "readings can be pushed");
        // Until the source is dropped, and the door with it.
        feed.closed().await;
        door.stop().await;
        Ok(())
    })
}

struct Receiver {
    feed: Feed,
    mapping: Mapping,
}

async fn take(State(receiver): State<Arc<Receiver>>, body: Bytes) -> Response {
    match keep(&receiver, &body).await {
        Ok(committed) => (Extension(Routine), Json(serde_json::json!({ "committed": committed }))).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn keep(receiver: &Receiver, body: &[u8]) -> Result<usize, Problem> {
    let readings = body::read(body, &receiver.mapping, receiver.feed.wall()).map_err(|refusal| {
        receiver.feed.skip(body, &refusal);
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.to_string())
    })?;
    let count = readings.len();
    let (receipt, mut committed) = Receipt::new();
    let offered = receiver.feed.give(Offer { readings, receipts: vec![receipt], position: None });
    let kept = async { offered.await.is_ok() && committed.wait().await };
    match tokio::time::timeout(COMMIT_PATIENCE, kept).await {
        Ok(true) => Ok(count),
        Ok(false) => Err(unavailable("the agent is stopping; what was sent may or may not be kept, send it again")),
        Err(_) => {
            Err(unavailable("the queue has not committed it in time: it is full, or its disk is busy; send it again"))
        }
    }
}

fn unavailable(detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(RETRY_AFTER, RETRY_SECONDS)
}

#[cfg(test)]
mod tests;
