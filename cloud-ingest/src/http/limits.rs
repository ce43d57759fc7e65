//! `GET /api/v1/limits`: what is in force, and whether those that it is for have heard it.

use super::Served;
use super::error::{ApiError, Refusals};
use super::parameters::{PageAsked, Parameters};
use crate::store::query::{LimitFilter, LimitRow, Listed};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Only those of this region.
    region: Option<String>,
    /// Only those that their agent has answered (true), or has not (false).
    acknowledged: Option<bool>,
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// The newest decision of each agent and register, by region, agent and key
#[utoipa::path(get, path = "/api/v1/limits", operation_id = "limits", tag = "agents", params(Asked), responses(
    (status = 200, description = "A page of them", body = Listed<LimitRow>), Refusals,
))]
async fn list(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Listed<LimitRow>>, ApiError> {
    let Asked { region, acknowledged, limit, after } = asked;
    let (filter, after) = (LimitFilter { region, acknowledged }, PageAsked { limit, after }.checked()?);
    served.read(move |reader| reader.limits(&filter, &after)).await.map(Json)
}
