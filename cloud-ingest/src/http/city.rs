//! `/api/...`: the city's REST, by which its nodes and sensors find each other and by which its averages come and go.
//!
//! Each path finds out what is wrong in this order: the parameters and the body (400), who is to be asked (421, 503), the thing
//! (404, 409, 403), and whether there is something to tell (204). It is described in `docs/city-rest.md`.

mod measurements;
mod nodes;
mod schema;
mod seekers;
#[cfg(test)]
mod tests;

pub(crate) use seekers::Seekers;

use super::Served;
use super::error::ApiError;
use crate::store::CITY_KEPT;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().merge(nodes::routes()).merge(measurements::routes()).merge(seekers::routes())
}

/// How many averages are asked for.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Latest {
    /// How many at most, the newest ones.
    #[param(minimum = 1, maximum = 1000)]
    n: u32,
}

impl Latest {
    /// The number, if there may be so many.
    fn checked(self) -> Result<u32, ApiError> {
        if (1..=CITY_KEPT).contains(&self.n) {
            return Ok(self.n);
        }
        Err(ApiError::BadRequest(format!("n is {}: give 1 to {CITY_KEPT}", self.n)))
    }
}
