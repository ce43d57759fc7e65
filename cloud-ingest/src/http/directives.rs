//! `/api/v1/directives`: what operators decided, and what became of it on each agent.

use super::Served;
use super::error::{ApiError, Refusals};
use super::parameters::{PageAsked, Parameters};
use crate::store::query::{DirectedRow, DirectiveFilter, DirectiveRow, Listed};
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one)).routes(routes!(agents))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Only those for this region, or for agents of it.
    region: Option<String>,
    /// Only those of this register: `limit` or `config/sensing`.
    key: Option<String>,
    /// Those that ended too.
    ended: Option<bool>,
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// What operators decided, newest first
#[utoipa::path(get, path = "/api/v1/directives", operation_id = "directives", tag = "decisions", params(Asked), responses(
    (status = 200, description = "A page of them", body = Listed<DirectiveRow>), Refusals,
))]
async fn list(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Listed<DirectiveRow>>, ApiError> {
    let Asked { region, key, ended, limit, after } = asked;
    let filter = DirectiveFilter { region, key, ended: ended.unwrap_or(false) };
    let after = PageAsked { limit, after }.checked()?;
    served.read(move |reader| reader.directives(&filter, &after)).await.map(Json)
}

/// One directive
#[utoipa::path(get, path = "/api/v1/directives/{id}", operation_id = "directive", tag = "decisions",
    params(("id" = String, Path, description = "Its number")),
    responses((status = 200, description = "The directive", body = DirectiveRow), Refusals))]
async fn one(State(served): State<Arc<Served>>, Path(id): Path<String>) -> Result<Json<DirectiveRow>, ApiError> {
    let number = parse(&id)?;
    let found = served.read(move |reader| reader.directive(number)).await?;
    found.map(DirectiveRow::from).map(Json).ok_or_else(|| unknown(&id))
}

/// The agents that a directive is for, and what they have of it
///
/// Of one that has ended: what they have in its place. An agent counts as told when `acknowledged` is true.
#[utoipa::path(get, path = "/api/v1/directives/{id}/agents", operation_id = "directedAgents", tag = "decisions",
    params(("id" = String, Path, description = "Its number"), PageAsked),
    responses((status = 200, description = "A page of them, by name", body = Listed<DirectedRow>), Refusals))]
async fn agents(
    State(served): State<Arc<Served>>,
    Path(id): Path<String>,
    Parameters(asked): Parameters<PageAsked>,
) -> Result<Json<Listed<DirectedRow>>, ApiError> {
    let (number, after) = (parse(&id)?, asked.checked()?);
    let found = served.read(move |reader| reader.directed(number, &after)).await?;
    found.map(Json).ok_or_else(|| unknown(&id))
}

fn parse(id: &str) -> Result<u64, ApiError> {
    id.parse().map_err(|_| unknown(id))
}

fn unknown(id: &str) -> ApiError {
    let shown: String = id.chars().take(20).collect();
    ApiError::NotFound(format!("there is no directive {shown}: /api/v1/directives?ended=true has those that there are"))
}
