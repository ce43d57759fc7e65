//! `GET /api/v1/health`: how the ingester is, for people and pages. Whether it can work is what `/readyz` says.

use super::Served;
use super::error::Refusals;
use crate::live::Health;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(health))
}

/// How the ingester is
#[utoipa::path(get, path = "/api/v1/health", tag = "operation", responses(
    (status = 200, description = "It answers, however it is", body = Health), Refusals,
))]
async fn health(State(served): State<Arc<Served>>) -> Json<Health> {
    Json(served.live.vitals.health())
}
