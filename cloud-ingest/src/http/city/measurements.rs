//! `/api/measurements...`: averages over windows, and statistics over several of them.

use super::super::Served;
use super::super::body::Body;
use super::super::error::{ApiError, Refusals, StandsBy};
use super::super::parameters::Parameters;
use super::Latest;
use super::schema::{AggregateSchema, StatisticsSchema};
use crate::store::CITY_AHEAD_MAX;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fogline_protocol::city::{Aggregate, RESERVED_IDS, Statistics};
use fogline_protocol::ids::Name;
use fogline_protocol::usecase::GLOBAL;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new()
        .routes(routes!(latest, add))
        .routes(routes!(latest_of))
        .routes(routes!(statistics))
        .routes(routes!(statistics_of))
}

/// The latest global averages, newest first
#[utoipa::path(get, path = "/api/measurements", operation_id = "cityMeasurements", tag = "city", params(Latest), responses(
    (status = 200, description = "The averages", body = Vec<AggregateSchema>),
    (status = 204, description = "None yet"), StandsBy, Refusals,
))]
async fn latest(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<Latest>,
) -> Result<Response, ApiError> {
    Ok(listed(global(&served, asked).await?))
}

/// Add an average; one that is there already, by id and window, stays as it is
#[utoipa::path(post, path = "/api/measurements", operation_id = "addCityMeasurement", tag = "city",
    request_body = AggregateSchema, responses((status = 204, description = "It is kept"), StandsBy, Refusals))]
async fn add(State(served): State<Arc<Served>>, Body(average): Body<Aggregate>) -> Result<StatusCode, ApiError> {
    average.check().map_err(|error| ApiError::BadRequest(error.to_string()))?;
    if served.change(move |store, run| store.state().add_city_average(run, &average)).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let most = CITY_AHEAD_MAX.as_secs();
    let detail = format!("the window ends more than {most} s ahead of the ingester's clock: set the node's clock");
    Err(ApiError::BadRequest(detail))
}

/// The latest local averages of a node, newest first
#[utoipa::path(get, path = "/api/measurements/{id}", operation_id = "cityMeasurementsOfNode", tag = "city",
    params(("id" = String, Path, description = "The node's id"), Latest), responses(
    (status = 200, description = "The averages", body = Vec<AggregateSchema>),
    (status = 204, description = "None yet"), StandsBy, Refusals,
))]
async fn latest_of(
    State(served): State<Arc<Served>>,
    Path(id): Path<String>,
    Parameters(asked): Parameters<Latest>,
) -> Result<Response, ApiError> {
    Ok(listed(local(&served, &id, asked).await?))
}

/// Mean and standard deviation of the latest global averages
#[utoipa::path(get, path = "/api/measurements/stats", operation_id = "cityStatistics", tag = "city", params(Latest), responses(
    (status = 200, description = "The statistics", body = StatisticsSchema),
    (status = 204, description = "None yet"), StandsBy, Refusals,
))]
async fn statistics(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<Latest>,
) -> Result<Response, ApiError> {
    Ok(summed_up(&global(&served, asked).await?))
}

/// Mean and standard deviation of the latest local averages of a node
#[utoipa::path(get, path = "/api/measurements/stats/{id}", operation_id = "cityStatisticsOfNode", tag = "city",
    params(("id" = String, Path, description = "The node's id"), Latest), responses(
    (status = 200, description = "The statistics", body = StatisticsSchema),
    (status = 204, description = "None yet"), StandsBy, Refusals,
))]
async fn statistics_of(
    State(served): State<Arc<Served>>,
    Path(id): Path<String>,
    Parameters(asked): Parameters<Latest>,
) -> Result<Response, ApiError> {
    Ok(summed_up(&local(&served, &id, asked).await?))
}

async fn global(served: &Arc<Served>, asked: Latest) -> Result<Vec<Aggregate>, ApiError> {
    let n = asked.checked()?;
    served.check_knows()?;
    served.read(move |reader| Name::new(GLOBAL).map_or(Ok(Vec::new()), |id| reader.city_latest(&id, n))).await
}

/// Those of a node that is there, or was and has left its averages.
async fn local(served: &Arc<Served>, id: &str, asked: Latest) -> Result<Vec<Aggregate>, ApiError> {
    let n = asked.checked()?;
    served.check_knows()?;
    let unknown = || {
        let shown: String = id.chars().take(64).collect();
        ApiError::NotFound(format!(
            "there is no node {shown:?}: GET /api/nodes has those that are connected, GET /api/measurements the averages of all"
        ))
    };
    let id = Name::new(id).ok().filter(|id| !RESERVED_IDS.contains(&id.as_str())).ok_or_else(unknown)?;
    let found = served.read(move |reader| {
        let averages = reader.city_latest(&id, n)?;
        let is_known = !averages.is_empty() || reader.city_nodes()?.iter().any(|node| node.id == id);
        Ok(is_known.then_some(averages))
    });
    found.await?.ok_or_else(unknown)
}

fn listed(averages: Vec<Aggregate>) -> Response {
    if averages.is_empty() { StatusCode::NO_CONTENT.into_response() } else { Json(averages).into_response() }
}

fn summed_up(averages: &[Aggregate]) -> Response {
    let means: Vec<f64> = averages.iter().map(|average| average.mean_ugm3).collect();
    match Statistics::of(&means) {
        Some(statistics) => Json(statistics).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}
