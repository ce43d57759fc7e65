//! `GET /api/v1/agents`: who there is, what is written of them, and what was decided for them.

use super::{ApiError, Served};
use crate::store::query::{AgentRow, PAGE_MAX, Page};
use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How many agents one answer has when nothing is said.
const LIMIT_DEFAULT: u32 = 100;

#[derive(Debug, Deserialize)]
pub(super) struct Params {
    limit: Option<u32>,
    offset: Option<u32>,
}

/// A page of agents, by region and name.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    agents: Vec<AgentRow>,
    limit: u32,
    offset: u32,
}

pub(super) async fn page(
    State(served): State<Arc<Served>>,
    Query(params): Query<Params>,
) -> Result<Json<Answer>, ApiError> {
    let limit = params.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(ApiError::BadRequest(format!(
            "limit is {limit}: give 1 to {PAGE_MAX}, and offset for the next page"
        )));
    }
    let page = Page { limit, offset: params.offset.unwrap_or(0) };
    let agents = served.read(move |reader| reader.agents(page)).await?;
    Ok(Json(Answer { agents, limit, offset: page.offset }))
}
