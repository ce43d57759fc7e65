//! Garages: how full they are, their invoices, what somebody has to look at, and forgetting a person.

use super::Served;
use super::body::Body;
use super::error::{ApiError, Refusals, StandsBy};
use super::parameters::{PageAsked, Parameters};
use crate::store::query::{ClarificationRow, Garages, InvoiceRow, Listed};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new()
        .routes(routes!(garages))
        .routes(routes!(invoices))
        .routes(routes!(clarifications))
        .routes(routes!(forget))
}

/// How full garages are, each and all together
#[utoipa::path(get, path = "/api/v1/garages", operation_id = "garages", tag = "use cases", params(PageAsked), responses(
    (status = 200, description = "A page of them, by region, agent and name", body = Garages), Refusals,
))]
async fn garages(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<PageAsked>,
) -> Result<Json<Garages>, ApiError> {
    let after = asked.checked()?;
    served.read(move |reader| reader.garages(&after)).await.map(Json)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Only those of this region.
    region: Option<String>,
    /// Only those of this garage.
    garage: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// Invoices, newest first
#[utoipa::path(get, path = "/api/v1/invoices", operation_id = "invoices", tag = "use cases", params(Asked), responses(
    (status = 200, description = "A page of them", body = Listed<InvoiceRow>), Refusals,
))]
async fn invoices(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Listed<InvoiceRow>>, ApiError> {
    let Asked { region, garage, limit, after } = asked;
    let after = PageAsked { limit, after }.checked()?;
    served.read(move |reader| reader.invoices(region.as_deref(), garage.as_deref(), &after)).await.map(Json)
}

/// Entries and exits that did not fit, newest first
#[utoipa::path(get, path = "/api/v1/clarifications", operation_id = "clarifications", tag = "use cases", params(PageAsked),
    responses((status = 200, description = "A page of them", body = Listed<ClarificationRow>), Refusals))]
async fn clarifications(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<PageAsked>,
) -> Result<Json<Listed<ClarificationRow>>, ApiError> {
    let after = asked.checked()?;
    served.read(move |reader| reader.clarifications(&after)).await.map(Json)
}

/// More than any country's plate has.
const PLATE_MAX_CHARS: usize = 64;

/// Whose data is to be forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Forget {
    /// The licence plate, however it is written.
    #[schema(min_length = 1, max_length = 64, example = "B-FG 1234")]
    plate: String,
}

/// What was forgotten.
#[derive(Debug, Serialize, ToSchema)]
struct Forgotten {
    /// Stays with their invoices, and clarifications.
    removed: u64,
}

/// Forget a person: remove what the ledger has of a licence plate
///
/// Only the ingester that leads does it.
#[utoipa::path(post, path = "/api/v1/parking/forget", operation_id = "forgetPlate", tag = "use cases", request_body = Forget,
    responses((status = 200, description = "It is removed", body = Forgotten), StandsBy, Refusals))]
async fn forget(State(served): State<Arc<Served>>, Body(asked): Body<Forget>) -> Result<Json<Forgotten>, ApiError> {
    let Forget { plate } = asked;
    let characters = plate.chars().count();
    if !(1..=PLATE_MAX_CHARS).contains(&characters) {
        return Err(ApiError::BadRequest(format!("plate has {characters} characters: give 1 to {PLATE_MAX_CHARS}")));
    }
    let removed = served.change(move |store, _| store.state().forget_plate(&plate)).await?;
    Ok(Json(Forgotten { removed }))
}
