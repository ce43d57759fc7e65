//! `/api/init`, `/api/nodes` and `/api/node/nearest`: the token that the city has in common, and who is there.

use super::super::Served;
use super::super::body::Body;
use super::super::error::{ApiError, ProblemSchema, Refusals, StandsBy};
use super::super::parameters::Parameters;
use super::schema::{EdgeNodeIdSchema, EdgeNodeSchema};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fogline_protocol::city::{EdgeNode, GRID_SIZE, NodeError, Place, nearest as nearest_of};
use fogline_protocol::ids::Name;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use std::fmt::Write as _;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// As many bits as a hash has: nobody guesses it.
const TOKEN_BYTES: usize = 32;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(init)).routes(routes!(list, add, remove)).routes(routes!(nearest))
}

/// The token by which nodes and sensors of the city know each other: 64 hexadecimal digits
///
/// Drawn when it is first asked for, and the same from then on.
#[utoipa::path(get, path = "/api/init", operation_id = "cityInit", tag = "city", responses(
    (status = 200, description = "The token", content_type = "text/plain", body = String), StandsBy, Refusals,
))]
async fn init(State(served): State<Arc<Served>>) -> Result<String, ApiError> {
    served.check_knows()?;
    if let Some(token) = served.read(|reader| reader.city_token()).await? {
        return Ok(token);
    }
    let drawn = draw().ok_or_else(|| ApiError::Unavailable("the system gives no random numbers".to_owned()))?;
    served.change(move |store, run| store.state().city_token(run, &drawn)).await
}

fn draw() -> Option<String> {
    let mut bytes = [0; TOKEN_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.iter().fold(String::new(), |mut token, byte| {
        // Writing into a String cannot fail.
        write!(token, "{byte:02x}").ok();
        token
    }))
}

/// The nodes that are there, by id
#[utoipa::path(get, path = "/api/nodes", operation_id = "cityNodes", tag = "city", responses(
    (status = 200, description = "The nodes", body = Vec<EdgeNodeSchema>), StandsBy, Refusals,
))]
async fn list(State(served): State<Arc<Served>>) -> Result<Json<Vec<EdgeNode>>, ApiError> {
    Ok(Json(connected(&served).await?))
}

/// The nodes, if there are any.
async fn connected(served: &Arc<Served>) -> Result<Vec<EdgeNode>, ApiError> {
    served.check_knows()?;
    let nodes = served.read(|reader| reader.city_nodes()).await?;
    if nodes.is_empty() {
        let detail = "no node is connected: start some with `fogline city nodes`, or ask again when one has joined";
        return Err(ApiError::NotFound(detail.to_owned()));
    }
    Ok(nodes)
}

/// Add a node
#[utoipa::path(post, path = "/api/nodes", operation_id = "addCityNode", tag = "city", request_body = EdgeNodeSchema, responses(
    (status = 200, description = "All nodes, with the new one", body = Vec<EdgeNodeSchema>),
    (status = 409, description = "The id is taken", content_type = "application/problem+json", body = ProblemSchema),
    StandsBy, Refusals,
))]
async fn add(State(served): State<Arc<Served>>, Body(node): Body<EdgeNode>) -> Result<Json<Vec<EdgeNode>>, ApiError> {
    node.check().map_err(refused)?;
    served.change(move |store, run| store.state().add_city_node(run, &node)).await?.map(Json).map_err(refused)
}

fn refused(error: NodeError) -> ApiError {
    let text = error.to_string();
    match error {
        NodeError::Reserved(_) | NodeError::Host | NodeError::Ports | NodeError::OutOfBounds { .. } => {
            ApiError::BadRequest(text)
        }
        NodeError::TooClose { .. } | NodeError::Full => ApiError::Forbidden(text),
        NodeError::Taken(_) => ApiError::Conflict(text),
    }
}

/// What is looked at of a node that is to be removed.
#[derive(Debug, Deserialize)]
struct Removed {
    id: Name,
}

/// Remove a node; its averages stay
#[utoipa::path(delete, path = "/api/nodes", operation_id = "removeCityNode", tag = "city", request_body = EdgeNodeIdSchema,
    responses((status = 204, description = "It is removed"), StandsBy, Refusals))]
async fn remove(State(served): State<Arc<Served>>, Body(node): Body<Removed>) -> Result<StatusCode, ApiError> {
    let id = node.id.clone();
    if served.change(move |store, run| store.state().remove_city_node(run, &id)).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::NotFound(format!("no node {} is connected: GET /api/nodes has those that are", node.id)))
}

/// Where somebody stands who looks for a node.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Here {
    /// To the right: a whole number.
    #[param(minimum = 0, maximum = 99)]
    u: u32,
    /// Upwards: a whole number.
    #[param(minimum = 0, maximum = 99)]
    v: u32,
}

/// The node nearest to a place, by Manhattan distance; of several the one with the smallest id
#[utoipa::path(get, path = "/api/node/nearest", operation_id = "nearestCityNode", tag = "city", params(Here), responses(
    (status = 200, description = "The node", body = EdgeNodeSchema), StandsBy, Refusals,
))]
async fn nearest(
    State(served): State<Arc<Served>>,
    Parameters(Here { u, v }): Parameters<Here>,
) -> Result<Json<EdgeNode>, ApiError> {
    let place = Place { u, v };
    if !place.is_on_grid() {
        let last = GRID_SIZE - 1;
        return Err(ApiError::BadRequest(format!("u={u}, v={v} is not on the grid: both go from 0 to {last}")));
    }
    let nodes = connected(&served).await?;
    let found = nearest_of(place, nodes.iter()).cloned();
    if let Some(node) = &found {
        served.seekers.found(place, node);
    }
    found.map(Json).ok_or_else(|| ApiError::NotFound("no node is connected".to_owned()))
}
