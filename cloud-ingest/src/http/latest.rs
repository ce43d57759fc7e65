//! `GET /api/v1/readings/latest`: the newest reading of each sensor.

use super::Served;
use super::error::{ApiError, Refusals};
use super::parameters::{PageAsked, Parameters};
use crate::store::query::{LatestFilter, LatestRow, Listed};
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
    /// Only those of this agent.
    agent: Option<String>,
    /// Only those of this use case.
    kind: Option<String>,
    /// Only those of this sensor.
    sensor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// The newest reading of each sensor, by region, agent, use case and sensor
#[utoipa::path(get, path = "/api/v1/readings/latest", operation_id = "latestReadings", tag = "readings", params(Asked),
    responses((status = 200, description = "A page of them", body = Listed<LatestRow>), Refusals))]
async fn list(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Listed<LatestRow>>, ApiError> {
    let Asked { region, agent, kind, sensor, limit, after } = asked;
    let (filter, after) = (LatestFilter { region, agent, kind, sensor }, PageAsked { limit, after }.checked()?);
    served.read(move |reader| reader.latest(&filter, &after)).await.map(Json)
}
