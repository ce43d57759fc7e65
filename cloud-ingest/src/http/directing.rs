//! `PUT` and `DELETE` of `…/limit` and `…/config`: an operator decides, for an agent or for all of a region.

use super::Served;
use super::body::Body;
use super::error::{ApiError, Refusals, StandsBy};
use crate::store::query::DirectiveRow;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use fogline_door::http::Caller;
use fogline_protocol::directive::{DirectiveChange, Target};
use fogline_protocol::ids::Name;
use fogline_protocol::sensing::{self, Sensing};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new()
        .routes(routes!(limit_region, clear_region_limit))
        .routes(routes!(limit_agent, clear_agent_limit))
        .routes(routes!(configure_region, clear_region_config))
        .routes(routes!(configure_agent, clear_agent_config))
}

/// Whoever asks; nobody where no token is needed.
type Who = Option<Extension<Caller>>;
type Answer = Result<Json<DirectiveRow>, ApiError>;

/// A limit and its end.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LimitAsked {
    /// In km/h, between the lowest and the highest limit of this ingester.
    #[schema(example = 80.0)]
    limit_kmh: f64,
    /// When it ends, in microseconds since 1970: within a day from now.
    until_us: i64,
}

/// How an agent is to work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConfigAsked {
    /// From one sample to the next; null or left out: as the agent was started.
    #[schema(minimum = 100, maximum = 3_600_000)]
    sampling_ms: Option<u64>,
    /// The windows that readings are averaged over on the edge, 1,000 or more; 0: none; null or left out: as the agent was started.
    #[schema(minimum = 0, maximum = 3_600_000)]
    window_ms: Option<u64>,
}

impl LimitAsked {
    fn set(self) -> (Value, Option<i64>) {
        (json!({ "limit_kmh": self.limit_kmh }), Some(self.until_us))
    }
}

impl ConfigAsked {
    fn set(self) -> (Value, Option<i64>) {
        (Sensing { sampling_ms: self.sampling_ms, window_ms: self.window_ms }.body(), None)
    }
}

/// Set the limit of a region, over what is computed
///
/// Agents that come later are told too. Only the ingester that leads does it; it answers when it is kept.
#[utoipa::path(put, path = "/api/v1/regions/{region}/limit", operation_id = "setRegionLimit", tag = "decisions",
    params(("region" = String, Path, description = "The region")), request_body = LimitAsked,
    responses((status = 200, description = "It is kept, and agents are being told", body = DirectiveRow), StandsBy, Refusals))]
async fn limit_region(
    State(served): State<Arc<Served>>,
    who: Who,
    Path(region): Path<String>,
    Body(asked): Body<LimitAsked>,
) -> Answer {
    change(&served, who, (&region, None, "limit"), Some(asked.set())).await
}

/// Take back the limit of a region: what is computed counts at once
#[utoipa::path(delete, path = "/api/v1/regions/{region}/limit", operation_id = "clearRegionLimit", tag = "decisions",
    params(("region" = String, Path, description = "The region")),
    responses((status = 200, description = "It has ended", body = DirectiveRow), StandsBy, Refusals))]
async fn clear_region_limit(State(served): State<Arc<Served>>, who: Who, Path(region): Path<String>) -> Answer {
    change(&served, who, (&region, None, "limit"), None).await
}

/// Set the limit of an agent, over that of its region and what is computed
#[utoipa::path(put, path = "/api/v1/agents/{region}/{agent}/limit", operation_id = "setAgentLimit", tag = "decisions",
    params(("region" = String, Path, description = "Its region"), ("agent" = String, Path, description = "Its name")),
    request_body = LimitAsked,
    responses((status = 200, description = "It is kept, and the agent is being told", body = DirectiveRow), StandsBy, Refusals))]
async fn limit_agent(
    State(served): State<Arc<Served>>,
    who: Who,
    Path((region, agent)): Path<(String, String)>,
    Body(asked): Body<LimitAsked>,
) -> Answer {
    change(&served, who, (&region, Some(&agent), "limit"), Some(asked.set())).await
}

/// Take back the limit of an agent: that of its region, or what is computed, counts at once
#[utoipa::path(delete, path = "/api/v1/agents/{region}/{agent}/limit", operation_id = "clearAgentLimit", tag = "decisions",
    params(("region" = String, Path, description = "Its region"), ("agent" = String, Path, description = "Its name")),
    responses((status = 200, description = "It has ended", body = DirectiveRow), StandsBy, Refusals))]
async fn clear_agent_limit(
    State(served): State<Arc<Served>>,
    who: Who,
    Path((region, agent)): Path<(String, String)>,
) -> Answer {
    change(&served, who, (&region, Some(&agent), "limit"), None).await
}

/// Set how often the agents of a region sample, and over which windows they average
///
/// Each tries it, and goes back to what it had when it does not hear an ingester in time.
#[utoipa::path(put, path = "/api/v1/regions/{region}/config", operation_id = "setRegionConfig", tag = "decisions",
    params(("region" = String, Path, description = "The region")), request_body = ConfigAsked,
    responses((status = 200, description = "It is kept, and agents are being told", body = DirectiveRow), StandsBy, Refusals))]
async fn configure_region(
    State(served): State<Arc<Served>>,
    who: Who,
    Path(region): Path<String>,
    Body(asked): Body<ConfigAsked>,
) -> Answer {
    change(&served, who, (&region, None, sensing::KEY), Some(asked.set())).await
}

/// Take back what was set for a region: its agents work as they were started
#[utoipa::path(delete, path = "/api/v1/regions/{region}/config", operation_id = "clearRegionConfig", tag = "decisions",
    params(("region" = String, Path, description = "The region")),
    responses((status = 200, description = "It has ended", body = DirectiveRow), StandsBy, Refusals))]
async fn clear_region_config(State(served): State<Arc<Served>>, who: Who, Path(region): Path<String>) -> Answer {
    change(&served, who, (&region, None, sensing::KEY), None).await
}

/// Set how often an agent samples, and over which windows it averages
///
/// It tries it, and goes back to what it had when it does not hear an ingester in time.
#[utoipa::path(put, path = "/api/v1/agents/{region}/{agent}/config", operation_id = "setAgentConfig", tag = "decisions",
    params(("region" = String, Path, description = "Its region"), ("agent" = String, Path, description = "Its name")),
    request_body = ConfigAsked,
    responses((status = 200, description = "It is kept, and the agent is being told", body = DirectiveRow), StandsBy, Refusals))]
async fn configure_agent(
    State(served): State<Arc<Served>>,
    who: Who,
    Path((region, agent)): Path<(String, String)>,
    Body(asked): Body<ConfigAsked>,
) -> Answer {
    change(&served, who, (&region, Some(&agent), sensing::KEY), Some(asked.set())).await
}

/// Take back what was set for an agent: it works as its region is to, or as it was started
#[utoipa::path(delete, path = "/api/v1/agents/{region}/{agent}/config", operation_id = "clearAgentConfig", tag = "decisions",
    params(("region" = String, Path, description = "Its region"), ("agent" = String, Path, description = "Its name")),
    responses((status = 200, description = "It has ended", body = DirectiveRow), StandsBy, Refusals))]
async fn clear_agent_config(
    State(served): State<Arc<Served>>,
    who: Who,
    Path((region, agent)): Path<(String, String)>,
) -> Answer {
    change(&served, who, (&region, Some(&agent), sensing::KEY), None).await
}

async fn change(
    served: &Served,
    who: Who,
    (region, agent, key): (&str, Option<&str>, &str),
    set: Option<(Value, Option<i64>)>,
) -> Answer {
    let target = Target { region: name(region)?, agent: agent.map(name).transpose()?, key: key.to_owned() };
    let by = who.map(|Extension(caller)| caller.name);
    served.direct(DirectiveChange { target, set, by }).await.map(DirectiveRow::from).map(Json)
}

/// Nothing has such a name.
fn name(text: &str) -> Result<Name, ApiError> {
    Name::new(text).map_err(|error| ApiError::NotFound(error.to_string()))
}
