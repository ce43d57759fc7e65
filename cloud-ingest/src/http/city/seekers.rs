//! Where sensors stand: who asks for the nearest node says so. It is for the map only, and is forgotten with the program.

use super::super::Served;
use super::super::error::Refusals;
use axum::Json;
use axum::extract::State;
use fogline_protocol::city::{EdgeNode, Place};
use fogline_runtime::clock::wall;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The most places of one answer, those that asked last.
const SHOWN_MAX: usize = 1000;

/// The node that a place was given, and when, in microseconds since 1970. There are as many places as the grid has.
#[derive(Debug, Default)]
pub(crate) struct Seekers(Mutex<BTreeMap<(u32, u32), (String, i64)>>);

impl Seekers {
    /// Somebody who stands there was sent to this node.
    pub(super) fn found(&self, place: Place, node: &EdgeNode) {
        let told = (node.id.to_string(), wall().us());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((place.u, place.v), told);
    }

    fn newest(&self) -> Vec<Sensor> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sensor = |(&(u, v), (node, asked_us)): (&(u32, u32), &(String, i64))| Sensor {
            u,
            v,
            node: node.clone(),
            asked_us: *asked_us,
        };
        let mut sensors: Vec<Sensor> = known.iter().map(sensor).collect();
        sensors.sort_by_key(|sensor| std::cmp::Reverse(sensor.asked_us));
        sensors.truncate(SHOWN_MAX);
        sensors
    }
}

/// A place of a sensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct Sensor {
    /// To the right.
    u: u32,
    /// Upwards.
    v: u32,
    /// The node that it was sent to.
    node: String,
    /// When it asked last, in microseconds since 1970.
    asked_us: i64,
}

/// Places of sensors.
#[derive(Debug, Serialize, ToSchema)]
struct Sensors {
    /// Those that asked last first, at most 1000.
    items: Vec<Sensor>,
}

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(sensors))
}

/// Where the sensors of the city stand that have asked this ingester for a node since it started
#[utoipa::path(get, path = "/api/v1/city/sensors", operation_id = "citySensors", tag = "city", responses(
    (status = 200, description = "The places", body = Sensors), Refusals,
))]
async fn sensors(State(served): State<Arc<Served>>) -> Json<Sensors> {
    Json(Sensors { items: served.seekers.newest() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_once_with_its_newest_node() {
        let seekers = Seekers::default();
        let node = |id: &str| -> EdgeNode {
            serde_json::from_value(serde_json::json!({"id": id, "host": "h", "ports": {"http": 1}, "u": 1, "v": 1}))
                .unwrap()
        };
        seekers.found(Place { u: 3, v: 4 }, &node("node-1"));
        seekers.found(Place { u: 3, v: 4 }, &node("node-2"));
        let known: Vec<_> = seekers.newest().into_iter().map(|sensor| (sensor.u, sensor.v, sensor.node)).collect();
        assert_eq!(known, [(3, 4, "node-2".to_owned())]);
    }
}
