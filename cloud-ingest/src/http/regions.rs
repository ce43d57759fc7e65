//! `GET /api/v1/regions`.

use super::Served;
use super::error::{ApiError, Refusals};
use super::parameters::{PageAsked, Parameters};
use crate::store::query::{Listed, RegionRow};
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Regions by name
#[utoipa::path(get, path = "/api/v1/regions", operation_id = "regions", tag = "agents", params(PageAsked), responses(
    (status = 200, description = "A page of them", body = Listed<RegionRow>), Refusals,
))]
async fn list(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<PageAsked>,
) -> Result<Json<Listed<RegionRow>>, ApiError> {
    let after = asked.checked()?;
    served.read(move |reader| reader.regions(&after)).await.map(Json)
}
