//! Health and metrics over HTTP, behind the same door as the other programs' pages. Off unless an address is given.

mod metrics;

use crate::status::{Question, StatusReport};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fogline_door::http::{Door, DoorError, HttpConfig, Problem, serve as serve_routes};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The text format of Prometheus.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// An agent that does not answer itself for so long does not do its work either.
const PATIENCE: Duration = Duration::from_secs(3);

/// Serves the pages until the door is stopped. They ask the agent's own loop, so that an answer shows that it turns.
///
/// # Errors
/// When others can reach the address and there are no tokens, when it cannot be listened on, and when tokens, certificate
/// or key cannot be used.
pub(crate) async fn open(config: HttpConfig, questions: mpsc::Sender<Question>) -> Result<Door, DoorError> {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(page))
        .with_state(questions);
    serve_routes(config, routes).await
}

/// Whether readings can be taken and kept. Without a connection they can: that is what the queue is for.
async fn ready(State(questions): State<mpsc::Sender<Question>>) -> (StatusCode, String) {
    let not = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why);
    match ask(&questions).await {
        None => not("the agent does not answer\n".to_owned()),
        Some(report) => match report.live.and_then(|live| live.fault) {
            Some(fault) => not(format!("{fault}\n")),
            None => (StatusCode::OK, "ok\n".to_owned()),
        },
    }
}

async fn page(State(questions): State<mpsc::Sender<Question>>) -> Response {
    match ask(&questions).await.and_then(|report| metrics::render(&report)) {
        Some(page) => ([(CONTENT_TYPE, METRICS_TYPE)], page).into_response(),
        None => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the agent does not answer, ask again").into_response(),
    }
}

async fn ask(questions: &mpsc::Sender<Question>) -> Option<StatusReport> {
    let (asker, answer) = oneshot::channel();
    let asked = async {
        questions.send(Question::Status { tuples: 0, asker }).await.ok()?;
        answer.await.ok()
    };
    tokio::time::timeout(PATIENCE, asked).await.ok()?
}
