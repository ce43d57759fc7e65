//! `GET /api/v1/readings`: a field over time, from the averages that are kept.

use super::Served;
use super::error::{ApiError, Refusals};
use super::parameters::Parameters;
use crate::store::query::{Range, WINDOWS_MAX, WindowRow};
use axum::Json;
use axum::extract::State;
use fogline_protocol::time::Wall;
use fogline_protocol::usecase;
use fogline_protocol::window::STORED_WIDTHS_S;
use fogline_runtime::clock;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// So many windows at most are asked for when the width is left to the server: enough for a curve on any screen.
const WINDOWS_CHOSEN: i64 = 500;
/// How far back it goes when nothing is said.
const SPAN_DEFAULT_US: i64 = 3600 * 1_000_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The region.
    region: String,
    /// One agent of it; left out: the whole region.
    agent: Option<String>,
    /// The use case: road, weather, ...
    kind: String,
    /// The field: `speed_kmh`, ...
    field: String,
    /// Windows that begin here or later, in microseconds since 1970; left out: an hour before `to_us`.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    from_us: Option<i64>,
    /// Windows that begin before this, in microseconds since 1970; left out: now.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    to_us: Option<i64>,
    /// The length of the windows in seconds: 5, 60 or 3600. 0 or left out: the shortest with which there are at most 500.
    #[param(inline)]
    width_s: Option<Width>,
}

/// As a text in the address.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[schema(example = "0")]
enum Width {
    #[serde(rename = "0")]
    Chosen,
    #[serde(rename = "5")]
    Windows,
    #[serde(rename = "60")]
    Minutes,
    #[serde(rename = "3600")]
    Hours,
}

/// A field over time.
#[derive(Debug, Serialize, ToSchema)]
struct Curve {
    region: String,
    /// Null: of the whole region.
    agent: Option<String>,
    kind: String,
    field: String,
    /// The unit of mean, min, max and stddev; null where no use case of this program has the field.
    unit: Option<&'static str>,
    /// The length of the windows, in seconds.
    width_s: u32,
    /// Windows that have values, oldest first.
    #[schema(max_items = 2000)]
    items: Vec<WindowRow>,
}

/// A field over time: mean, smallest and largest value in each window
///
/// 5-second windows are kept for two days, minutes for 90 days, hours for ten years, all counted from the newest.
#[utoipa::path(get, path = "/api/v1/readings", operation_id = "readings", tag = "readings", params(Asked), responses(
    (status = 200, description = "At most 2000 windows", body = Curve), Refusals,
))]
async fn list(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Curve>, ApiError> {
    let range = asked.range(clock::wall())?;
    let unknown = ApiError::NotFound(format!(
        "nothing is kept of the field {} of {} there: /api/v1/readings/latest shows what comes in",
        range.field, range.kind
    ));
    let wanted = range.clone();
    let items = served.read(move |reader| reader.windows(&wanted)).await?.ok_or(unknown)?;
    let Range { region, agent, kind, field, width_s, .. } = range;
    let unit = unit(&kind, &field);
    Ok(Json(Curve { region, agent, kind, field, unit, width_s, items }))
}

fn unit(kind: &str, field: &str) -> Option<&'static str> {
    usecase::find(kind)?.fields().iter().find(|known| known.name == field).map(|known| known.unit)
}

impl Asked {
    fn range(self, now: Wall) -> Result<Range, ApiError> {
        let to_us = time("to_us", self.to_us)?.unwrap_or(now.us());
        let from_us = time("from_us", self.from_us)?.unwrap_or_else(|| to_us.saturating_sub(SPAN_DEFAULT_US));
        if from_us >= to_us {
            return Err(ApiError::BadRequest(format!("from_us ({from_us}) is not before to_us ({to_us}): swap them")));
        }
        let width_s = match self.width_s.unwrap_or(Width::Chosen) {
            Width::Chosen => chosen(to_us - from_us),
            Width::Windows => 5,
            Width::Minutes => 60,
            Width::Hours => 3600,
        };
        let windows = windows(to_us - from_us, width_s);
        if windows > i64::from(WINDOWS_MAX) {
            return Err(ApiError::BadRequest(format!(
                "from_us to_us are {windows} windows of {width_s} s: ask for at most {WINDOWS_MAX}, with a shorter time or \
                 longer windows (5, 60, 3600)"
            )));
        }
        let Self { region, agent, kind, field, .. } = self;
        Ok(Range { region, agent, kind, field, width_s, from_us, to_us })
    }
}

fn time(name: &str, us: Option<i64>) -> Result<Option<i64>, ApiError> {
    match us {
        Some(us) if !(0..=Wall::MAX.us()).contains(&us) => Err(ApiError::BadRequest(format!(
            "{name} is {us}: give microseconds since 1970, from 0 to {}",
            Wall::MAX.us()
        ))),
        us => Ok(us),
    }
}

/// How many windows begin in so long a time, at most.
const fn windows(span_us: i64, width_s: u32) -> i64 {
    let width_us = width_s as i64 * 1_000_000;
    (span_us + width_us - 1) / width_us
}

/// The shortest windows of which there are not too many.
fn chosen(span_us: i64) -> u32 {
    let [.., longest] = STORED_WIDTHS_S;
    STORED_WIDTHS_S.into_iter().find(|width_s| windows(span_us, *width_s) <= WINDOWS_CHOSEN).unwrap_or(longest)
}
