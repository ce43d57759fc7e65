//! `GET /api/v1/households` and `GET /api/v1/states`: who uses how much power, and where.

use super::Served;
use super::error::{ApiError, Refusals};
use super::parameters::{PageAsked, Parameters};
use crate::store::query::{HouseholdRow, Listed, StateRow};
use axum::Json;
use axum::extract::State;
use fogline_protocol::usecase::power::state_name;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(households)).routes(routes!(states))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Only those of this federal state, by its letters.
    #[param(pattern = "^(BB|BE|BW|BY|HB|HE|HH|MV|NI|NW|RP|SH|SL|SN|ST|TH)$", example = "BE")]
    state: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// Households, with their postal codes and what their meters say
#[utoipa::path(get, path = "/api/v1/households", operation_id = "households", tag = "use cases", params(Asked), responses(
    (status = 200, description = "A page of them, by region, agent and name", body = Listed<HouseholdRow>), Refusals,
))]
async fn households(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Listed<HouseholdRow>>, ApiError> {
    let Asked { state, limit, after } = asked;
    if state.as_ref().is_some_and(|state| state_name(state).is_none()) {
        return Err(ApiError::BadRequest(
            "state is none of the 16: give two capital letters, as /api/v1/states has them".to_owned(),
        ));
    }
    let (after, places) = (PageAsked { limit, after }.checked()?, Arc::clone(&served.places));
    served.read(move |reader| reader.households(&places, state.as_deref(), &after)).await.map(Json)
}

/// All states.
#[derive(Debug, Serialize, ToSchema)]
struct States {
    /// All 16, by their letters.
    items: Vec<StateRow>,
}

/// What households of each federal state use in a year, and what that costs
#[utoipa::path(get, path = "/api/v1/states", operation_id = "states", tag = "use cases", responses(
    (status = 200, description = "All 16", body = States), Refusals,
))]
async fn states(State(served): State<Arc<Served>>) -> Result<Json<States>, ApiError> {
    let (places, price) = (Arc::clone(&served.places), served.price_eur_per_kwh);
    let items = served.read(move |reader| reader.states(&places, price)).await?;
    Ok(Json(States { items }))
}
