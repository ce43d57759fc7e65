//! `GET /api/v1/agents`: who there is, what is written of them, and what was decided for them.

use super::Served;
use super::error::{ApiError, Refusals};
use super::parameters::{Parameters, checked_limit};
use crate::store::query::{AgentRow, Page};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// How many to skip.
    #[param(minimum = 0, maximum = 4_294_967_295_i64, default = 0)]
    offset: Option<u32>,
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
struct Agent {
    #[serde(flatten)]
    known: AgentRow,
    /// The address of the broker at which it was heard last; null where this ingester has not heard it since it leads.
    broker: Option<String>,
}

/// A page of agents, by region and name.
#[derive(Debug, Serialize, ToSchema)]
struct Agents {
    agents: Vec<Agent>,
    limit: u32,
    offset: u32,
}

/// Agents by region and name
#[utoipa::path(get, path = "/api/v1/agents", operation_id = "agents", tag = "agents", params(Asked), responses(
    (status = 200, description = "A page of them", body = Agents), Refusals,
))]
async fn list(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Agents>, ApiError> {
    let page = Page { limit: checked_limit(asked.limit)?, offset: asked.offset.unwrap_or(0) };
    let agents = served.read(move |reader| reader.agents(page)).await?;
    let agents = agents.into_iter().map(|known| with_broker(&served, known)).collect();
    Ok(Json(Agents { agents, limit: page.limit, offset: page.offset }))
}

fn with_broker(served: &Served, known: AgentRow) -> Agent {
    let at = served.whereabouts.of(&known.region, &known.agent);
    let broker = at.and_then(|at| served.brokers.get(at)).cloned();
    Agent { known, broker }
}

/// One agent
#[utoipa::path(get, path = "/api/v1/agents/{region}/{agent}", operation_id = "agent", tag = "agents",
    params(("region" = String, Path, description = "Its region"), ("agent" = String, Path, description = "Its name")),
    responses((status = 200, description = "The agent", body = Agent), Refusals))]
async fn one(
    State(served): State<Arc<Served>>,
    Path((region, agent)): Path<(String, String)>,
) -> Result<Json<Agent>, ApiError> {
    let unknown =
        ApiError::NotFound(format!("no agent {region}/{agent} was ever heard of: /api/v1/agents has those that were"));
    let known = served.read(move |reader| reader.agent(&region, &agent)).await?.ok_or(unknown)?;
    Ok(Json(with_broker(&served, known)))
}
