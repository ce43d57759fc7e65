//! `/api/v1/dead-letters`: what the database refuses, and what its operator does about it.

use super::Served;
use super::error::{ApiError, Refusals, StandsBy};
use super::parameters::{PageAsked, Parameters};
use crate::store::query::{DeadLetterRow, Listed};
use crate::store::{LetterId, Retried};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(retry)).routes(routes!(discard))
}

/// Readings that the database refuses for good, oldest first
#[utoipa::path(get, path = "/api/v1/dead-letters", operation_id = "deadLetters", tag = "operation", params(PageAsked),
    responses((status = 200, description = "A page of them", body = Listed<DeadLetterRow>), Refusals))]
async fn list(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<PageAsked>,
) -> Result<Json<Listed<DeadLetterRow>>, ApiError> {
    let after = asked.checked()?;
    served.read(move |reader| reader.dead_letters(&after)).await.map(Json)
}

/// Give a dead letter back to the database
///
/// It is written as the point that it was to be: same series, time and number. Then it is no dead letter any more. When it is
/// refused again it stays, with the new reason. Only the ingester that leads does it.
#[utoipa::path(post, path = "/api/v1/dead-letters/{id}/retry", operation_id = "retryDeadLetter", tag = "operation",
    params(("id" = String, Path, description = "As the list shows it")),
    responses((status = 204, description = "The database has it"),
        (status = 409, description = "It is refused again", content_type = "application/problem+json",
            body = super::error::ProblemSchema),
        StandsBy, Refusals))]
async fn retry(State(served): State<Arc<Served>>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let letter = parse(&id)?;
    match served.change(move |store, run| store.retry(run, letter)).await? {
        Retried::Stored => Ok(StatusCode::NO_CONTENT),
        Retried::Refused(why) => Err(ApiError::Conflict(format!(
            "the database refuses it again: {why}; mend what it refuses, or discard the dead letter"
        ))),
        Retried::Unknown => Err(unknown(&id)),
    }
}

/// Forget a dead letter, and with it its reading
///
/// The audit counts the reading as lost. Only the ingester that leads does it.
#[utoipa::path(delete, path = "/api/v1/dead-letters/{id}", operation_id = "discardDeadLetter", tag = "operation",
    params(("id" = String, Path, description = "As the list shows it")),
    responses((status = 204, description = "It is gone"), StandsBy, Refusals))]
async fn discard(State(served): State<Arc<Served>>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let letter = parse(&id)?;
    match served.change(move |store, run| store.discard(run, letter)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&id)),
    }
}

fn parse(id: &str) -> Result<LetterId, ApiError> {
    id.parse().map_err(|_| unknown(id))
}

fn unknown(id: &str) -> ApiError {
    ApiError::NotFound(format!("there is no dead letter {id}: /api/v1/dead-letters has those that there are"))
}
